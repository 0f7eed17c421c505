#!/bin/sh
# lastwords.sh - a program that writes to a connection and ends: the peer gets every byte.
. tests/vm/lib
cc -O1 -o lastwords "$sources/tests/vm/programs/lastwords.c"

# Bytes that a connection brings to its end. QEMU's user network loses a connection now and then (the machine sees nothing of it, its queue
# of frames is empty): then the program still waits for its first one. A connection that it took and let down is not made up for by another.
received() {
    n=$(timeout 15 bash -c "exec 3<>/dev/tcp/127.0.0.1/$1; sleep 0.3; cat <&3" | wc -c)
    [ "$n" != 0 ] || n=$(timeout 30 bash -c "exec 3<>/dev/tcp/127.0.0.1/$1; sleep 0.3; cat <&3" | wc -c)
    echo "$n"
}

for bytes in 100 300000 3000000; do
    port=$(free_port)
    start words microvm:1 -p "127.0.0.1:$port:8080" ./lastwords "$bytes"
    wait_for 30 grep -q listening words.log
    is "lastwords/$bytes" "$(received "$port")" "$bytes"
    status=0
    wait "$pid" || status=$?
    is "lastwords/$bytes/status" "$status" 0
done
