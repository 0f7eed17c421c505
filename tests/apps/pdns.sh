#!/bin/sh
# pdns.sh - Debian's PowerDNS: an authoritative zone over UDP and TCP, a whole zone's transfer.
. tests/apps/lib

for on in $MACHINES; do
    port=$(free_port)
    boot "$on" -p "127.0.0.1:$port:53" -p "127.0.0.1:$port:53/udp" "$example"
    if ready 90 answers; then
        check_zone
    fi
    finish 143
done
