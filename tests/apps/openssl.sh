#!/bin/sh
# openssl.sh - Debian's openssl s_server: handshakes with checked certificates, TLS 1.2 and 1.3, resumption, its page.
. tests/apps/lib
own_example

for on in $MACHINES; do
    port=$(free_port)
    boot "$on" -p "127.0.0.1:$port:4433" "$example"
    if ready 60 curl -sf --max-time 10 --cacert "$example/cert.pem" --resolve "localhost:$port:127.0.0.1" "https://localhost:$port/"; then
        has "$at/page" "$(fetch --cacert "$example/cert.pem" --resolve "localhost:$port:127.0.0.1" "https://localhost:$port/")" '^s_server -accept 4433'
        for version in tls1_2 tls1_3; do
            timeout 60 openssl s_client -connect "127.0.0.1:$port" -servername localhost -CAfile "$example/cert.pem" -verify_return_error \
                -$version -sess_out session </dev/null >out 2>client.err
            has "$at/$version" "$(cat out)" 'Verify return code: 0 \(ok\)'
        done
        timeout 60 openssl s_client -connect "127.0.0.1:$port" -tls1_2 -sess_out session </dev/null >out 2>client.err
        timeout 60 openssl s_client -connect "127.0.0.1:$port" -tls1_2 -sess_in session </dev/null >out 2>client.err
        has "$at/resumed" "$(cat out)" '^Reused, TLSv1.2'
        is "$at/wrong-name" "$(curl -s --max-time 30 --cacert "$example/cert.pem" --resolve "other:$port:127.0.0.1" "https://other:$port/" >other.out; echo $?)" 60
    fi
    # It has no handler: 128 + 15.
    finish 143
done
