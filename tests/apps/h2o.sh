#!/bin/sh
# h2o.sh - Debian's h2o with two threads: files over HTTP/1.1 and HTTP/2.
. tests/apps/lib
make_www

for on in $MACHINES; do
    port=$(free_port)
    boot "$on" -p "127.0.0.1:$port:80" -a www:/www "$example"
    if ready 60 curl -sf --max-time 5 "http://127.0.0.1:$port/small"; then
        check_www "http://127.0.0.1:$port"
        is "$at/http2" "$(fetch --http2-prior-knowledge "http://127.0.0.1:$port/1m" | sum)" "$(sum <www/1m)"
    fi
    finish 0
done
