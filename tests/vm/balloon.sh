#!/bin/sh
# balloon.sh - memory that the program gives back goes back to the host, is zero when it comes again, and what is in use stays whole;
# --keep-memory; an idle machine holds little.
# shellcheck disable=SC2154
. tests/vm/lib
cc -O2 -Wall -static -o holder "$sources/tests/vm/programs/holder.c"

# The process of the VMM below process $1.
vmm_below() {
    for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do
        if tr '\0' ' ' <"/proc/$child/cmdline" | grep -q '^[^ ]*qemu-system'; then
            echo "$child"
        else
            vmm_below "$child"
        fi
    done
}
# MB of the guest's RAM, of $2 MB, that the host holds for process $1.
held() {
    awk -v size=$(($2 * 1024)) '/^Size:/ { this = $2 } /^Rss:/ && this == size && $2 > most { most = $2 } END { print int(most / 1024) }' "/proc/$1/smaps"
}
at_most() { [ "$(held "$1" 128)" -le "$2" ]; }
said() { [ "$(grep -c "$1" out)" = "$2" ]; }

holder() { # ON OPTION...: holder with its input on descriptor 5; the VMM's process in $vmm
    on=$1
    shift
    rm -f in
    mkfifo in
    VM_SECONDS=120 vm "$on" -m 128M --net none "$@" ./holder <in >out 2>err &
    pid=$!
    pids="$pids $pid"
    exec 5>in
    wait_for 60 said taken 1
    vmm=$(vmm_below $pid)
}
ends() {
    status=0
    wait $pid || status=$?
    exec 5>&-
}

for on in microvm:1 q35:4; do
    holder $on
    is "balloon/$on/holds" "$([ "$(held "$vmm" 128)" -ge 64 ] && echo yes)" yes
    echo >&5
    if wait_for 60 at_most "$vmm" 32; then ok "balloon/$on/goes-back"; else not_ok "balloon/$on/goes-back" "$(held "$vmm" 128) MB"; fi
    echo >&5
    wait_for 60 said taken 2
    is "balloon/$on/zero-and-held-again" "$(grep -c 'taken, 0 bytes' out) $([ "$(held "$vmm" 128)" -ge 64 ] && echo yes)" "2 yes"
    echo >&5
    if wait_for 60 at_most "$vmm" 32; then ok "balloon/$on/goes-back-again"; else not_ok "balloon/$on/goes-back-again" "$(held "$vmm" 128) MB"; fi
    echo >&5
    ends
    is "balloon/$on/whole" "$status" 0
done

holder microvm:1 --keep-memory
echo >&5
wait_for 30 said 'given back' 1
sleep 5
is balloon/keep-memory "$([ "$(held "$vmm" 128)" -ge 64 ] && echo yes)" yes
printf '\n\n\n' >&5
ends
