#!/bin/sh
# profile.sh - run --profile names the functions of the program and of the kernel that take the time, with their callers.
. tests/vm/lib
cc -O1 -fno-omit-frame-pointer -pthread -o busy "$sources/tests/vm/programs/busy.c"
cc -O1 -fno-omit-frame-pointer -pthread -static -o busy_static "$sources/tests/vm/programs/busy.c"

# seen FILE REGEX: how many samples have a stack like this.
seen() { awk -v like="$2" '$0 ~ like { n += $NF } END { print n + 0 }' "$1"; }
check_seen() { # NAME FILE REGEX
    if [ "$(seen "$2" "$3")" -ge 3 ]; then ok "$1"; else not_ok "$1" "$(sort -n -k 2 "$2" | tail -n 5)"; fi
}

for what in microvm:1/busy_static q35:2/busy; do
    on=${what%/*} program=${what#*/}
    status=0
    VM_SECONDS=120 vm "$on" --net none --profile "folded" "./$program" 3 </dev/null >out 2>err || status=$?
    is "profile/$what/status" "$status $(cat out)" "7 done"
    is "profile/$what/lines" "$(grep -cvE "^$program(;[^; ]+)+ [0-9]+\$" folded)" 0
    check_seen "profile/$what/program" folded ';main;busy_turn;busy_add [0-9]+$'
    check_seen "profile/$what/kernel" folded ';main;.*;syscall_entry;sys_read;.*zero_read'
done
if grep -q 'arch_cpu_idle [0-9]*$' folded; then ok profile/idle; else not_ok profile/idle "$(head -n 5 folded)"; fi

# An image: its kernel has no names here, its program has.
"$PITH" build -o busy.img ./busy >out 2>&1
VM_SECONDS=120 vm microvm:1 --net none --profile folded busy.img 2 </dev/null >out 2>err
check_seen profile/image folded ';busy_turn;busy_add [0-9]+$'
