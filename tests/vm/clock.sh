#!/bin/sh
# clock.sh - the command tells the kernel how fast this host's time-stamp counter runs. A machine whose counter runs at another rate
# (here: one nanosecond an instruction, QEMU's -icount) must find that out: its command line came from somewhere else.
. tests/vm/lib
cc -O2 -static -o turns "$sources/tests/vm/programs/turns.c" || exit 1

for m in microvm q35; do
    "$PITH" run --accel tcg --machine "$m" --net none --dry-run ./turns >line || exit 1
    is "clock/$m/counted" "$(timeout -k 5 120 sh -c "$(cat line) -icount shift=0" 2>err </dev/null)" "1.0 ns"
done
