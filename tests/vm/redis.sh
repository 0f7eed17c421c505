#!/bin/sh
# redis.sh - Debian's redis-server, unchanged, under redis-cli and redis-benchmark.
. tests/vm/lib

for on in ${MACHINES_REDIS:-microvm:1 q35:4}; do
    port=$(free_port)
    start redis "$on" -p "127.0.0.1:$port:6379" "$sources/examples/redis"
    if wait_for 60 sh -c "redis-cli -p $port ping | grep -q PONG"; then
        is "redis/$on/set" "$(redis-cli -p "$port" set key 'a value')" OK
        is "redis/$on/get" "$(redis-cli -p "$port" get key)" 'a value'
        is "redis/$on/big" "$(head -c 300000 /dev/urandom | base64 -w0 | redis-cli -p "$port" -x set big)/$(redis-cli -p "$port" strlen big)" "OK/400000"
        timeout 100 redis-benchmark -p "$port" -c 10 -n 2000 -t set,get,incr,lpush,rpush,sadd,hset -P 4 --csv >bench.csv 2>bench.err
        is "redis/$on/benchmark" "$(grep -c '^"' bench.csv)" 8
        is "redis/$on/incr" "$(redis-cli -p "$port" get counter:__rand_int__)" 2000
    else
        not_ok "redis/$on" "no answer: $(tail -n 3 redis.log)"
    fi
    stop
    is "redis/$on/stop" "$status" 0
done
