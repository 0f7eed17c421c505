#!/bin/sh
# etcd.sh - Debian's etcd (Go) as a cluster of one: its gRPC gateway by curl, its own client by gRPC, a watch, a transaction.
. tests/apps/lib
b64() { printf '%s' "$1" | base64 -w0; }
api() { fetch "http://127.0.0.1:$port/v3/$1" -d "$2"; }
ctl() { ETCDCTL_API=3 timeout 100 etcdctl --endpoints "127.0.0.1:$port" --command-timeout 60s "$@"; }
healthy() { fetch --max-time 5 "http://127.0.0.1:$port/health" | grep -q true; }
count=100

for on in $MACHINES; do
    port=$(free_port)
    boot "$on" -p "127.0.0.1:$port:2379" "$example"
    if ready 90 healthy; then
        has "$at/put" "$(api kv/put "{\"key\":\"$(b64 name)\",\"value\":\"$(b64 'a value')\"}")" '"revision"'
        is "$at/range" "$(api kv/range "{\"key\":\"$(b64 name)\"}" | sed -n 's/.*"value":"\([^"]*\)".*/\1/p' | base64 -d)" 'a value'
        is "$at/grpc" "$(ctl get name --print-value-only)" 'a value'
        ctl watch watched --rev 1 >watched &
        watcher=$!
        pids="$pids $watcher"
        for i in $(seq 1 $count); do api kv/put "{\"key\":\"$(b64 "k/$i")\",\"value\":\"$(b64 "$i")\"}" >put.out; done
        is "$at/many" "$(ctl get k/ --prefix --print-value-only | grep . | sort -n | sum)" "$(seq 1 $count | sum)"
        is "$at/watched-put" "$(ctl put watched seen)" OK
        wait_for 60 grep -q seen watched
        is "$at/watch" "$(tr '\n' ' ' <watched)" 'PUT watched seen '
        kill "$watcher" 2>watch.err
        is "$at/txn" "$(printf 'value("name") = "a value"\n\nput name other\n\n\n\n' | ctl txn | head -n 1)" SUCCESS
        is "$at/delete" "$(ctl del k/ --prefix)" $count
    fi
    # It ends by the signal that it got.
    finish 143
done
