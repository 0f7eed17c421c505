#!/bin/sh
# named.sh - Debian's BIND 9 in the foreground (-g): an authoritative zone over UDP and TCP, a whole zone's transfer.
. tests/apps/lib

for on in $MACHINES; do
    port=$(free_port)
    boot "$on" -p "127.0.0.1:$port:53" -p "127.0.0.1:$port:53/udp" "$example"
    if ready 90 answers; then
        for how in notcp tcp; do
            is "$at/$how/a" "$(query +$how www.example.org A)" 10.1.2.3
            is "$at/$how/aaaa" "$(query +$how www.example.org AAAA)" 2001:db8::1
            is "$at/$how/mx" "$(query +$how example.org MX)" '10 mail.example.org.'
            is "$at/$how/txt" "$(query +$how text.example.org TXT)" '"named in Pith"'
            has "$at/$how/absent" "$(ask +$how nothing.example.org A)" 'status: NXDOMAIN'
            has "$at/$how/refused" "$(ask +$how www.example.com A)" 'status: REFUSED'
        done
        is "$at/axfr" "$(ask +tcp example.org AXFR | grep -c '	A	10\.2\.0\.')" 200
    fi
    finish 0
done
