#!/bin/sh
# lighttpd.sh - Debian's lighttpd: files, ranges, keep-alive, a module loaded at run time.
. tests/apps/lib
make_www

for on in $MACHINES; do
    port=$(free_port)
    boot "$on" -p "127.0.0.1:$port:80" -a www:/www "$example"
    if ready 60 curl -sf --max-time 5 "http://127.0.0.1:$port/small"; then
        check_www "http://127.0.0.1:$port"
        has "$at/module" "$(fetch -I "http://127.0.0.1:$port/small" | tr -d '\r')" '^X-Served-By: lighttpd in Pith$'
        is "$at/keep-alive" "$(fetch -v "http://127.0.0.1:$port/small" "http://127.0.0.1:$port/small" 2>&1 | grep -c 'Re-using existing')" 1
    fi
    finish 0 1    # 1 when a connection was not closed yet, as on Linux
done
