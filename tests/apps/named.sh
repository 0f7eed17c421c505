#!/bin/sh
# named.sh - Debian's BIND 9 in the foreground (-g): an authoritative zone over UDP and TCP, a whole zone's transfer.
. tests/apps/lib

for on in $MACHINES; do
    port=$(free_port)
    boot "$on" -p "127.0.0.1:$port:53" -p "127.0.0.1:$port:53/udp" "$example"
    if ready 90 answers; then
        check_zone
        is "$at/generated" "$(ask +tcp example.org AXFR | grep -c '	A	10\.2\.0\.')" 200
    fi
    finish 0
done
