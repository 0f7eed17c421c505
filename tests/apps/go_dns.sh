#!/bin/sh
# go_dns.sh - a name in Go programs, asked of a name server: by Go's own resolver and by the C library's (cgo). Needs root, for a
# network namespace of its own in which the name server has its port.
[ -n "${GO_DNS_NS:-}" ] || GO_DNS_NS=1 exec unshare -n "$0" "$@"
. tests/apps/lib
ip link set lo up && ip tuntap add tap0 mode tap && ip addr add 10.9.0.1/24 dev tap0 && ip link set tap0 up || not_ok "apps/$app/namespace" "no tap device"
dnsmasq --no-daemon --user=root --conf-file=/dev/null --no-resolv --no-hosts --listen-address=10.9.0.1 --bind-interfaces --port=53 --pid-file= \
    --address=/name.test/192.0.2.44 --local=/test/ >dnsmasq.log 2>&1 &
pids="$pids $!"
cp -r "$sources/examples/go" go || not_ok "apps/$app/example" "examples/go cannot be copied"
export HOME="$dir" GOCACHE="${GOCACHE:-$dir/go-cache}" GO111MODULE=off
for cgo in 1 0; do CGO_ENABLED=$cgo go build -o "go/server-$cgo" go/main.go; done

for on in $MACHINES; do
    for way in 1-cgo 1-go 0-go; do
        cp "go/server-${way%-*}" go/server
        boot "$on" --net tap=tap0 --ip 10.9.0.2/24 --dns 10.9.0.1 -e "GODEBUG=netdns=${way#*-}" -M go/pith.yaml
        at=$at/$way
        if ready 60 curl -sf --max-time 5 http://10.9.0.2:8080/hello; then
            is "$at/name" "$(fetch http://10.9.0.2:8080/dns/name.test)" '[192.0.2.44]'
            has "$at/absent" "$(fetch http://10.9.0.2:8080/dns/nothing.test)" 'lookup nothing.test.*no such host'
        fi
        finish 0
    done
done
