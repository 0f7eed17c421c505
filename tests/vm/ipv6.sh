#!/bin/sh
# ipv6.sh - IPv6 over a tap interface in a network namespace of our own: addresses from a router's announcement and fixed
# ones, pages fetched over each, and names resolved by servers of both families. dnsmasq is the router and the name server.
. tests/vm/lib

own=-n
[ "$(id -u)" -eq 0 ] || own=-rn
cc -O2 -o ipv6 "$sources/tests/vm/programs/ipv6.c"
PATH=$PATH:/usr/sbin:/sbin

cat >inside.sh <<'END'
# inside.sh ON: everything that happens in the namespace.
. "$sources/tests/vm/lib"
on=$1
cd "$outside" || exit 1
ip link set lo up
ip tuntap add pithtap6 mode tap
ip addr add 10.66.0.1/24 dev pithtap6
ip addr add fd66::1/64 dev pithtap6 nodad
ip link set pithtap6 up
dnsmasq --no-daemon --user=root --conf-file=/dev/null --no-resolv --no-hosts --interface=pithtap6 --bind-dynamic --port=53 --pid-file= \
    --enable-ra --dhcp-range=fd66::,ra-only,64,600 --ra-param=pithtap6,4 --dhcp-leasefile=/dev/null \
    --address=/both.test/fd66::77 --address=/both.test/192.0.2.77 --address=/six.test/2001:db8::6 --address=/four.test/192.0.2.4 >dnsmasq.log 2>&1 &
router=$!
pids="$pids $router"

fetch() { # NAME ARGUMENT...
    curl -sg --max-time 60 -o got "$@"
    cmp got page 2>&1
}
start server "$on" --net tap=pithtap6 --ip 10.66.0.2/24 ./ipv6 serve 3000000
# The machine's link-local address is heard of as soon as it asks for a router; the other has the same second half.
suffix() { ip -6 neigh show dev pithtap6 | sed -n 's/^fe80::\([^ ]*\) .*52:54:00.*/\1/p' | grep .; }
answers() { curl -sfg --max-time 3 "http://[fd66::$(suffix)]/who"; }
if wait_for 40 answers; then
    auto=fd66::$(suffix)
    link=fe80::$(suffix)%pithtap6
    curl -sg --max-time 60 -o page http://10.66.0.2/
    is "ipv6/$on/length" "$(wc -c <page)" 3000000
    is "ipv6/$on/announced address" "$(fetch "http://[$auto]/")" ""
    is "ipv6/$on/link-local address" "$(fetch "http://[$link]/")" ""
    is "ipv6/$on/seen from" "$(curl -sg --max-time 10 "http://[$auto]/who")" fd66::1
    is "ipv6/$on/seen from, mapped" "$(curl -s --max-time 10 "http://10.66.0.2/who")" ::ffff:10.66.0.1
    is "ipv6/$on/upload" "$(curl -sg --max-time 60 --data-binary @page "http://[$auto]/")" 3000000
else
    not_ok "ipv6/$on/announced address" "no answer: $(cat server.log) $(tail -n 3 dnsmasq.log) $(ip -6 neigh)"
fi
stop
start server "$on" --net tap=pithtap6 --ip fd66::5/64 --gateway fd66::1 ./ipv6 serve 1000
if wait_for 20 curl -sfg --max-time 3 "http://[fd66::5]/who"; then
    ok "ipv6/$on/fixed address alone"
else
    not_ok "ipv6/$on/fixed address alone" "no answer: $(cat server.log)"
fi
stop
both='both.test: 192.0.2.77
both.test: fd66::77
four.test: 192.0.2.4
six.test: 2001:db8::6'
resolve() { vm "$on" --net tap=pithtap6 "$@" ./ipv6 names both.test six.test four.test </dev/null 2>&1 | sort; }
is "ipv6/$on/name server of IPv4" "$(resolve --ip 10.66.0.3/24 --dns 10.66.0.1)" "$both"
is "ipv6/$on/name server of IPv6" "$(resolve --ip fd66::6/64 --dns fd66::1)" "$both"
is "ipv6/$on/announced name server" "$(resolve --ip 10.66.0.3/24)" "$both"
kill "$router"
END

export sources PITH
outside=$dir
export outside
for on in ${MACHINES_IPV6:-microvm:1 q35:4}; do
    (cd "$sources" && timeout -k 5 300 unshare $own sh "$outside/inside.sh" "$on")
done
