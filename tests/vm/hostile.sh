#!/bin/sh
# hostile.sh - rubbish from the program: signal frames and system calls. The kernel survives; what the program makes of it is its own business.
. tests/vm/lib
cc -O1 -D_GNU_SOURCE -pthread -o hostile "$sources/tests/vm/programs/hostile.c"

for on in microvm:1 q35:4; do
    for seed in 1 2; do
        status=0
        vm "$on" ./hostile frames 3000 "$seed" >out 2>err </dev/null || status=$?
        is "hostile/$on/frames/$seed" "$(cat out)/$status" "frames: survived/0"
    done
    for seed in 1 2 3; do
        status=0
        vm "$on" ./hostile calls 8000 "$seed" 6 >out 2>err </dev/null || status=$?
        # It may well hurt itself (139), or use up all memory (137) with files in memory: not with what is the kernel's own.
        # The kernel's failure is 122, a hang is 124.
        own=$(sed -n 's/^out of memory: KiB in .* heap \([0-9]*\), page tables \([0-9]*\), kernel stacks \([0-9]*\), network \([0-9]*\), pipes \([0-9]*\),.*/\1 + \2 + \3 + \4 + \5/p' err)
        if [ "$status" = 137 ] && { [ -z "$own" ] || [ $((own)) -gt 32768 ]; }; then status="137, the kernel's own: ${own:-not told} KiB"; fi
        case "$status" in
        0 | 1 | 134 | 135 | 137 | 139) ok "hostile/$on/calls/$seed" ;;
        *) not_ok "hostile/$on/calls/$seed" "status $status: $(grep -a -v '^system call' err | head -n 5)" ;;
        esac
    done
done
