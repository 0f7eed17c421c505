#!/bin/sh
# ends.sh - how programs end: statuses, signals, crash reports, graceful stop, refused calls.
. tests/vm/lib
cc -O1 -g -D_GNU_SOURCE -fno-omit-frame-pointer -pthread -o ends "$sources/tests/vm/programs/ends.c"

ends() { # NAME STATUS ARG...
    name=$1 want=$2
    shift 2
    status=0
    vm microvm:1 ./ends "$@" >out 2>err </dev/null || status=$?
    is "ends/$name" "$status" "$want"
}
ends zero 0
ends status-255 255 exit 255
ends thread 9 thread
ends segv 139 segv
for word in SIGSEGV 0x10 rip fall main; do
    if grep -q -- "$word" err; then ok "ends/segv-report/$word"; else not_ok "ends/segv-report/$word" "$(cat err)"; fi
done
ends abort 134 abort
ends kill 137 kill
ends pipe 141 pipe
ends fpe 136 fpe
ends illegal 132 illegal
ends fork 0 fork
is ends/fork-answer "$(cut -d' ' -f1,2 out)" "fork: -1"
ends exec 0 exec
is ends/exec-answer "$(cut -d' ' -f1,2 out)" "exec: -1"
ends system 0 system
is ends/system-answer "$(cat out)" "system: refused"

# A graceful stop reaches the program's handler; a program that ignores it is ended after the time-out.
start term microvm:1 ./ends wait
wait_for 30 grep -q ready term.log
stop
is ends/stop-status "$status" 7
is ends/stop-output "$(tail -n 1 term.log)" TERM
start stubborn microvm:1 --stop-timeout 1 ./ends ignore
wait_for 30 grep -q ready stubborn.log
t0=$(date +%s)
stop
if [ $(($(date +%s) - t0)) -le 8 ]; then ok ends/stop-timeout; else not_ok ends/stop-timeout "too slow"; fi
