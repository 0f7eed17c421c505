#!/bin/sh
# python.sh - CPython's http.server, unchanged, with its standard library as a tree of files.
. tests/vm/lib

mkdir -p www
printf '' >www/empty
printf 'hello from a file\n' >www/small
head -c 65536 /dev/urandom >www/64k
head -c 1000003 /dev/urandom >www/1m

get() { curl -s --max-time "${GET_SECONDS:-60}" "http://127.0.0.1:$port$1"; }

for on in ${MACHINES_PYTHON:-microvm:1 pc:4}; do
    port=$(free_port)
    rm -rf pywww && mkdir pywww && cp www/small www/64k pywww
    start python "$on" -m 256M -p "127.0.0.1:$port:8000" -a pywww:/www -a /usr/lib/python3.11 -a /usr/lib/python3 -w /www /usr/bin/python3 -m http.server 8000
    if wait_for 90 curl -sf --max-time 5 "http://127.0.0.1:$port/small"; then
        is "python/$on/small" "$(get /small)" "hello from a file"
        is "python/$on/64k" "$(get /64k | sha256sum)" "$(sha256sum <www/64k)"
        is "python/$on/list" "$(get / | grep -c 'href="64k"')" 1
    else
        not_ok "python/$on" "no answer: $(tail -n 3 python.log)"
    fi
    stop
done
