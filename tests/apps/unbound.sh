#!/bin/sh
# unbound.sh - Debian's unbound with two threads: a local zone over UDP and TCP, reverse names, unknown names.
. tests/apps/lib

for on in $MACHINES; do
    port=$(free_port)
    boot "$on" -p "127.0.0.1:$port:53" -p "127.0.0.1:$port:53/udp" "$example"
    if ready 60 answers; then
        for how in notcp tcp; do
            is "$at/$how/a" "$(query +$how www.example.org A)" 10.1.2.3
            is "$at/$how/aaaa" "$(query +$how www.example.org AAAA)" 2001:db8::1
            is "$at/$how/txt" "$(query +$how text.example.org TXT)" '"unbound in Pith"'
            is "$at/$how/reverse" "$(query +$how -x 10.1.2.3)" www.example.org.
            has "$at/$how/absent" "$(ask +$how nothing.example.org A)" 'status: NXDOMAIN'
        done
        is "$at/many" "$(for _ in $(seq 1 50); do echo 'www.example.org A'; done | ask +short -f - | grep -c '^10.1.2.3$')" 50
    fi
    finish 0
done
