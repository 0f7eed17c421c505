#!/bin/sh
# smp.sh - what several CPUs must agree on: replaced pages, wake-ups, bytes between threads and their end, memory that comes and goes; 32 CPUs.
. tests/vm/lib
cc -O1 -D_GNU_SOURCE -pthread -o smp "$sources/tests/vm/programs/smp.c"
cc -O1 -D_GNU_SOURCE -pthread -o threads64 "$sources/tests/vm/programs/threads64.c"

for on in ${MACHINES_SMP:-microvm:1 microvm:4 q35:4}; do
    for what in "cow 128" "sleep 300" "pipes 60" "last 3000" "spread 1" "churn 50"; do
        status=0
        # shellcheck disable=SC2086 # a name and a number
        VM_SECONDS=200 vm "$on" ./smp $what >out 2>err </dev/null || status=$?
        is "smp/$on/${what% *}" "$(cat out)/$status" "$what errors 0/0"
    done
done
status=0
VM_SECONDS=200 vm q35:32 -m 256M ./threads64 >out 2>err </dev/null || status=$?
is "smp/q35:32/threads64" "$(cat out)/$status" "counter 12800, thread-local 12800, turns 64/0"
