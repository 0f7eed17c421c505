#!/bin/sh
# caddy.sh - Debian's caddy (Go): files over HTTP, HTTPS and HTTP/2 with certificates that it makes itself.
. tests/apps/lib
make_www

for on in $MACHINES; do
    port=$(free_port)
    tls=$(free_port 2)
    boot "$on" -p "127.0.0.1:$port:80" -p "127.0.0.1:$tls:443" -a www:/www "$example"
    if ready 90 curl -sf --max-time 5 "http://127.0.0.1:$port/small"; then
        check_www "http://127.0.0.1:$port"
        is "$at/respond" "$(fetch "http://127.0.0.1:$port/json")" '{"answer": 42}'
        has "$at/header" "$(fetch -I "http://127.0.0.1:$port/small" | tr -d '\r')" '^X-Served-By: caddy in Pith$'
        site="--resolve site.example.org:$tls:127.0.0.1"
        # shellcheck disable=SC2086
        is "$at/https" "$(fetch -k $site "https://site.example.org:$tls/1m" | sum)" "$(sum <www/1m)"
        # shellcheck disable=SC2086
        is "$at/http2" "$(fetch -k $site -o h2.out -w '%{http_version}' "https://site.example.org:$tls/small")" 2
        # shellcheck disable=SC2086
        has "$at/issuer" "$(fetch -kv $site -o h2.out "https://site.example.org:$tls/small" 2>&1)" 'issuer: CN=Caddy Local Authority'
    fi
    finish 0
done
