#!/bin/sh
# lang_little.sh - Node.js and the JVM with 128 MB: three thousand requests, of which the last cost no more than the first, all
# answers right, and nothing read again from the disk (tests/apps/steady.py). One vCPU, since instructions are counted.
. tests/apps/lib
for language in node java; do
    cp -r "$sources/examples/$language" "$language" || not_ok "apps/$app/$language" "examples/$language cannot be copied"
done
openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=localhost -keyout node/key.pem -out node/cert.pem 2>openssl.err || not_ok "apps/$app/certificate" "$(tail -n 2 openssl.err)"
javac -d java/classes java/Server.java
for language in node java; do
    timeout -k 5 2400 python3 "$sources/tests/apps/steady.py" "$language" 128 3000 >got 2>err
    [ "$(wc -l <got)" = 4 ] || not_ok "apps/$app/microvm:1/$language" "$(tail -n 2 err) $(tail -n 3 steady.log)"
    while read -r what verdict figures; do
        if [ "$verdict" = ok ]; then ok "apps/$app/microvm:1/$language/$what ($figures)"; else not_ok "apps/$app/microvm:1/$language/$what" "$figures"; fi
    done <got
done
