#!/bin/sh
# dnsmasq.sh - Debian's dnsmasq as a DNS server, -d so that it does not fork for TCP.
. tests/apps/lib

for on in $MACHINES; do
    port=$(free_port)
    boot "$on" -p "127.0.0.1:$port:53" -p "127.0.0.1:$port:53/udp" "$example"
    if ready 60 answers; then
        for how in notcp tcp; do
            is "$at/$how/a" "$(query +$how www.example.org A)" 10.1.2.3
            is "$at/$how/aaaa" "$(query +$how dual.example.net AAAA)" 2001:db8::4
            is "$at/$how/txt" "$(query +$how text.example.org TXT)" '"dnsmasq in Pith"'
            is "$at/$how/reverse" "$(query +$how -x 10.1.2.3)" www.example.org.
            is "$at/$how/srv" "$(query +$how _http._tcp.example.org SRV)" '0 0 80 www.example.org.'
        done
    fi
    finish 0
done
