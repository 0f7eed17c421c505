#!/bin/sh
# nginx.sh - Debian's nginx, unchanged, one process: files of 0 bytes to 100 MB with the right bytes, ranges, errors, wrk.
# Networking is the VMM's user mode with a forwarded port; loads stay below 30 connections there.
. tests/vm/lib

# Several virtual CPUs on few real ones are slow at times.
SERVER_SECONDS=600
export SERVER_SECONDS
mkdir -p www
printf '' >www/empty
printf 'hello from a file\n' >www/small
head -c 65536 /dev/urandom >www/64k
head -c 1000003 /dev/urandom >www/1m
large=
[ "${APPS:-}" = quick ] || { large=100m; head -c 104857600 /dev/urandom >www/100m; }
# fetch NAME FILE: the same bytes, or else what curl said, how many came and where they first differ.
fetch() {
    : >got
    code=$(curl -s -o got -w '%{http_code} %{exitcode} in %{time_total} s' --max-time "${GET_SECONDS:-200}" "http://127.0.0.1:$port/$2")
    if [ "${code%% in*}" = "200 0" ] && cmp -s got "www/$2"; then
        ok "$1"
    else
        not_ok "$1" "status and curl's exit code $code, $(stat -c %s got) of $(stat -c %s "www/$2") bytes, $(cmp got "www/$2" 2>&1)"
    fi
    rm -f got
}

for on in ${MACHINES_NGINX:-microvm:1 q35:4 pc:1}; do
    port=$(free_port)
    start nginx "$on" -p "127.0.0.1:$port:80" -a www:/www "$sources/examples/nginx"
    if wait_for 60 curl -sf --max-time 5 "http://127.0.0.1:$port/small"; then
        for f in empty small 64k 1m $large; do
            fetch "nginx/$on/$f" "$f"
        done
        is "nginx/$on/404" "$(curl -s -o /dev/null -w '%{http_code}' --max-time 10 "http://127.0.0.1:$port/nothing")" 404
        is "nginx/$on/range" "$(curl -s --max-time 20 -r 1000-1999 "http://127.0.0.1:$port/1m" | sha256sum)" "$(tail -c +1001 www/1m | head -c 1000 | sha256sum)"
        wrk -t1 -c16 -d3s "http://127.0.0.1:$port/64k" >wrk.out 2>&1
        if grep -q 'Requests/sec' wrk.out && ! grep -qE 'Non-2xx|Socket errors: connect [^0]' wrk.out; then
            ok "nginx/$on/wrk"
        else
            not_ok "nginx/$on/wrk" "$(cat wrk.out)"
        fi
    else
        not_ok "nginx/$on" "no answer: $(tail -n 3 nginx.log)"
    fi
    stop
    is "nginx/$on/stop" "$status" 0
done
