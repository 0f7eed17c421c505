#!/bin/sh
# influxdb.sh - Debian's InfluxDB (Go): a database, points written and asked for by HTTP.
. tests/apps/lib
query() { fetch -G "http://127.0.0.1:$port/query" --data-urlencode db=test --data-urlencode "q=$1"; }
count=5000

for on in $MACHINES; do
    port=$(free_port)
    boot "$on" -p "127.0.0.1:$port:8086" "$example"
    if ready 90 curl -sf --max-time 5 "http://127.0.0.1:$port/ping"; then
        has "$at/create" "$(fetch "http://127.0.0.1:$port/query" --data-urlencode 'q=CREATE DATABASE test')" '"statement_id":0'
        seq 1 $count | awk '{ printf "load,host=h%d value=%d %d000000000\n", $1 % 10, $1, 1700000000 + $1 }' >points
        is "$at/write" "$(fetch -o write.out -w '%{http_code}' --data-binary @points "http://127.0.0.1:$port/write?db=test")" 204
        has "$at/count" "$(query 'SELECT count(value), sum(value) FROM load')" "$count,$((count * (count + 1) / 2))\]"
        has "$at/tag" "$(query "SELECT count(value) FROM load WHERE host = 'h3'")" ",$((count / 10))\]"
        has "$at/mean" "$(query 'SELECT mean(value) FROM load WHERE time >= 1700000001s AND time <= 1700000009s')" ',5\]'
        has "$at/error" "$(query 'SELECT')" '"error":"error parsing query'
    fi
    finish 0
done
