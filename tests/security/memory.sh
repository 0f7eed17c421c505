#!/bin/sh
# memory.sh - memory as it is in a running machine: what its page tables, registers and RAM show from outside (machine.py), and what a
# program can get from inside (memory.c): W^X, KASLR that stays secret, tables that are read-only, guards, canaries, first 64 KiB, UMIP; and what
# ends the machine when the kernel itself is led astray (tripwires.py).
. tests/security/lib
build sitter
build memory

for on in ${MACHINES_SECURITY:-microvm:1 q35:4}; do
    timeout -k 5 150 python3 "$security/machine.py" "$on" ./sitter 2>err || not_ok "security/$on/machine" "$(tail -n 2 err)"
    probe memory "$on" --net none ./memory
done
on_linux ./memory
for on in ${MACHINES_TRIPWIRE:-microvm:1 q35:1}; do
    timeout -k 5 150 python3 "$security/tripwires.py" "$on" ./sitter 2>err || not_ok "security/$on/tripwire" "$(tail -n 2 err)"
done

# How the kernel is compiled: canaries in its functions, no jump over a guard page, locals that begin as zero.
kernel=$(dirname "$PITH")/pith.elf
is security/kernel/canaries "$([ "$(objdump -d "$kernel" | grep -c '%gs:0x28')" -gt 300 ] && echo many)" many
# A frame of more than a page would be probed: none is that large, or each is.
large=$(objdump -d "$kernel" | awk '/sub +\$0x[0-9a-f]+,%rsp/ { v = $0; sub(/.*\$0x/, "", v); sub(/,.*/, "", v); if (v ~ /^fffffffff/) next; if (length(v) > 4 || (length(v) == 4 && v > "1000")) n++ } END { print n + 0 }')
is security/kernel/stack-clash "$large" 0
for flag in -fstack-protector-strong -fstack-clash-protection -ftrivial-auto-var-init=zero -mno-red-zone; do
    if grep -q -- "$flag" "$sources/Makefile"; then ok "security/kernel/compiled$flag"; else not_ok "security/kernel/compiled$flag" "not in the Makefile"; fi
done
is security/kernel/no-writable-text "$(readelf -lW "$kernel" | awk '$1 == "LOAD" && /W/ && /E/' | wc -l)" 0
