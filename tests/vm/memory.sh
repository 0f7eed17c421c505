#!/bin/sh
# memory.sh - memory in machines: threads that map and unmap at once, exhaustion, random places, W^X.
. tests/vm/lib
cc -O1 -D_GNU_SOURCE -pthread -o memory "$sources/tests/vm/programs/memory.c" 2>/dev/null
cc -O1 -D_GNU_SOURCE -pthread -static -o memory-static "$sources/tests/vm/programs/memory.c" 2>/dev/null

memory() { # NAME STATUS MACHINE OPTION... PROGRAM ARG...
    name=$1 want=$2
    shift 2
    status=0
    vm "$@" >out 2>err </dev/null || status=$?
    is "memory/$name" "$status" "$want"
}
for on in $MACHINES; do
    rounds=60
    [ "${on#*:}" = 1 ] || rounds=12
    VM_SECONDS=200 memory "stress/$on" 0 "$on" ./memory stress 6 $rounds
    is "memory/stress-result/$on" "$(cat out)" "rounds $((6 * rounds)) errors 0"
done

memory exhaust 137 microvm:1 -m 48M ./memory exhaust
if grep -q 'out of memory' err; then ok memory/exhaust-is-told; else not_ok memory/exhaust-is-told "$(cat err)"; fi
memory overflow 139 microvm:1 ./memory overflow
if grep -q overflow err; then ok memory/overflow-is-told; else not_ok memory/overflow-is-told "$(cat err)"; fi
memory reserve 0 microvm:1 -m 64M ./memory reserve
is memory/reserve-8-TiB "$(cat out)" "reserve 3"

memory wx 0 microvm:1 ./memory wx
for line in "both 1" "after -1" "written file 1" "null page 1" "last of the first 64 KiB 1"; do
    if grep -qx "$line" out; then ok "memory/wx/$line"; else not_ok "memory/wx/$line" "$(cat out)"; fi
done

# Places of text, heap, mappings, stack, vDSO and interpreter over twelve starts: no value twice.
for program in memory memory-static; do
    : >places
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do
        vm microvm:1 ./$program where 2>/dev/null </dev/null >>places
    done
    column=0
    for what in text heap mapping stack vdso interpreter; do
        column=$((column + 1))
        case $program:$what in memory-static:text | memory-static:interpreter) continue ;; esac
        is "memory/random/$program/$what" "$(cut -d' ' -f$column places | sort -u | wc -l)" 12
    done
done
