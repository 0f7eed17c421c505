#!/bin/sh
# hoard.sh - a program that makes the kernel hold as much as it will, of one kind after the other: what it can get is bounded, the
# program lives on, and what it gives back is there again.
. tests/vm/lib
cc -O1 -D_GNU_SOURCE -pthread -o hoard "$sources/tests/vm/programs/hoard.c"

for what in files links symlinks dirs pipes unix tcp epoll timers areas tables locks signals threads; do
    status=0
    VM_SECONDS=300 vm microvm:1 -m 64M ./hoard "$what" >out 2>err </dev/null || status=$?
    is "hoard/$what" "$(cat out)/$status" "$what: still here, bounded, given back/0"
    [ "$status" = 0 ] || cat err
done
