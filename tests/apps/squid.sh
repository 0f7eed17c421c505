#!/bin/sh
# squid.sh - Debian's squid as a proxy before a server on the host: pages, a page from its cache, CONNECT, errors.
. tests/apps/lib
make_www
backend=$(free_port 3)
python3 -u -m http.server "$backend" --bind 127.0.0.1 --directory www >backend.log 2>&1 &
pids="$pids $!"
url=http://10.0.2.2:$backend

for on in $MACHINES; do
    port=$(free_port)
    boot "$on" -p "127.0.0.1:$port:3128" "$example"
    set -- -x "127.0.0.1:$port"
    if ready 90 curl -sf --max-time 5 "$@" "$url/small"; then
        for file in empty small 64k 1m; do is "$at/$file" "$(fetch "$@" "$url/$file" | sum)" "$(sum <www/$file)"; done
        has "$at/cached" "$(fetch "$@" -D - -o out "$url/64k" | tr -d '\r')" '^X-Cache: HIT'
        is "$at/connect" "$(fetch "$@" -p "$url/small")" "hello from a file"
        is "$at/404" "$(fetch "$@" -o out -w '%{http_code}' "$url/nothing")" 404
        is "$at/refused" "$(fetch "$@" -o out -w '%{http_code}' http://10.0.2.15:1/)" 503
    fi
    finish 0
done
