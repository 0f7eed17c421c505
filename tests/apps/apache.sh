#!/bin/sh
# apache.sh - Debian's apache2 with the event MPM in one process (-X): files, modules loaded at run time, compression.
. tests/apps/lib
make_www
seq 1 5000 >www/numbers.html

for on in $MACHINES; do
    port=$(free_port)
    boot "$on" -p "127.0.0.1:$port:80" -a www:/www "$example"
    if ready 90 curl -sf --max-time 5 "http://127.0.0.1:$port/small"; then
        check_www "http://127.0.0.1:$port"
        has "$at/header" "$(fetch -I "http://127.0.0.1:$port/small" | tr -d '\r')" '^X-Served-By: Apache in Pith$'
        is "$at/deflate" "$(fetch -H 'Accept-Encoding: gzip' "http://127.0.0.1:$port/numbers.html" | gzip -dc | sum)" "$(sum <www/numbers.html)"
        is "$at/four-at-once" "$(for _ in 1 2 3 4; do fetch "http://127.0.0.1:$port/1m" -o /dev/fd/1 | sum & done; wait)" "$(for _ in 1 2 3 4; do sum <www/1m; done)"
        # Stopped while a worker gives a connection's memory back, apache reads that memory (docs/programs.md).
        sleep 3
    fi
    finish 0
done
