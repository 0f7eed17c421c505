#!/bin/sh
# stunnel.sh - Debian's stunnel: TLS before an HTTP server on the host, certificates checked.
. tests/apps/lib
make_www
own_example
backend=$(free_port 3)
sed -i "s/10.0.2.2:8000/10.0.2.2:$backend/" "$example/stunnel.conf"
python3 -u -m http.server "$backend" --bind 127.0.0.1 --directory www >backend.log 2>&1 &
pids="$pids $!"

for on in $MACHINES; do
    port=$(free_port)
    boot "$on" -p "127.0.0.1:$port:443" "$example"
    set -- --cacert "$example/cert.pem" --resolve "localhost:$port:127.0.0.1"
    if ready 60 curl -sf --max-time 10 "$@" "https://localhost:$port/small"; then
        for file in empty small 64k 1m; do is "$at/$file" "$(fetch "$@" "https://localhost:$port/$file" | sum)" "$(sum <www/$file)"; done
        is "$at/version" "$(fetch "$@" --tls-max 1.2 -o out "https://localhost:$port/small" && cat out)" 'hello from a file'
        is "$at/wrong-name" "$(curl -s --max-time 30 --cacert "$example/cert.pem" --resolve "other:$port:127.0.0.1" "https://other:$port/" >other.out; echo $?)" 60
        is "$at/four-at-once" "$(for _ in 1 2 3 4; do fetch "$@" "https://localhost:$port/1m" | sum & done; wait)" "$(for _ in 1 2 3 4; do sum <www/1m; done)"
    fi
    finish 0
done
