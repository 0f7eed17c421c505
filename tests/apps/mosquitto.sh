#!/bin/sh
# mosquitto.sh - Debian's MQTT broker: publish and subscribe, retained messages, many of them in order, persistence.
. tests/apps/lib
pub() { timeout 60 mosquitto_pub -p "$port" "$@"; }
sub() { timeout 60 mosquitto_sub -p "$port" -W 50 "$@"; }
count=1000
if quick; then count=100; fi

for on in $MACHINES; do
    port=$(free_port)
    boot "$on" -p "127.0.0.1:$port:1883" "$example"
    if ready 60 mosquitto_pub -p "$port" -t up -n; then
        pub -t kept -m 'a retained message' -r -q 1
        is "$at/retained" "$(sub -t kept -C 1)" 'a retained message'
        head -c 100000 /dev/urandom >blob
        pub -t blob -f blob -r -q 2
        is "$at/large" "$(sub -t blob -C 1 -N -q 2 | sum)" "$(sum <blob)"
        sub -t 'numbers/#' -C $count -q 1 >numbers &
        reader=$!
        # The subscription is there when a message of ours comes back.
        sleep 2
        seq 1 $count | pub -t numbers/all -l -q 1
        wait $reader
        is "$at/order" "$(sum <numbers)" "$(seq 1 $count | sum)"
        has "$at/system" "$(sub -t '$SYS/broker/version' -C 1)" '^mosquitto version 2'
    fi
    finish 0
done
