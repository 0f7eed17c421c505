#!/bin/sh
# haproxy.sh - Debian's haproxy with two threads before an HTTP server on the host: pages through it, rules, health, statistics.
. tests/apps/lib
make_www
backend=$(free_port 3)
python3 -u -m http.server "$backend" --bind 127.0.0.1 --directory www >backend.log 2>&1 &
pids="$pids $!"

for on in $MACHINES; do
    port=$(free_port)
    stats=$(free_port 2)
    boot "$on" -p "127.0.0.1:$port:80" -p "127.0.0.1:$stats:8404" -e "BACKEND=10.0.2.2:$backend" "$example"
    if ready 60 curl -sf --max-time 5 "http://127.0.0.1:$port/small"; then
        for file in empty small 64k 1m; do is "$at/$file" "$(fetch "http://127.0.0.1:$port/$file" | sum)" "$(sum <www/$file)"; done
        is "$at/404" "$(fetch -o 404.out -w '%{http_code}' "http://127.0.0.1:$port/nothing")" 404
        is "$at/rule" "$(fetch -o 403.out -w '%{http_code}' "http://127.0.0.1:$port/private/x")" 403
        has "$at/header" "$(fetch -D - -o head.out "http://127.0.0.1:$port/small" | tr -d '\r')" '^x-served-by: haproxy in Pith$'
        is "$at/many" "$(for _ in $(seq 1 30); do fetch "http://127.0.0.1:$port/small"; done | sort | uniq -c | tr -s ' ')" ' 30 hello from a file'
        has "$at/health" "$(fetch "http://127.0.0.1:$stats/;csv" | grep '^pages,first,')" ',UP,'
    fi
    # SIGTERM ends it at once: 128 + 15.
    finish 143
done
