#!/bin/sh
# lastwords.sh - a program that writes to a connection and ends: the peer gets every byte.
. tests/vm/lib
cc -O1 -o lastwords "$sources/tests/vm/programs/lastwords.c"

for bytes in 100 300000 3000000; do
    port=$(free_port)
    start words microvm:1 -p "127.0.0.1:$port:8080" ./lastwords "$bytes"
    wait_for 30 grep -q listening words.log
    is "lastwords/$bytes" "$(timeout 30 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port; sleep 0.3; cat <&3" | wc -c)" "$bytes"
    status=0
    wait "$pid" || status=$?
    is "lastwords/$bytes/status" "$status" 0
done
