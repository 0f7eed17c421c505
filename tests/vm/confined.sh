#!/bin/sh
# confined.sh - the VMM runs confined, with the shortest list of devices: its arguments, and the process as Linux sees it.
# shellcheck disable=SC2154
. tests/vm/lib

# The command line: no defaults, no monitor, no display, no firmware for the network; system calls filtered.
for on in microvm:4 q35:6; do
    machine=${on%:*}
    line=$("$PITH" run --accel tcg --machine $machine --dry-run /bin/true)
    for words in '-nodefaults' '-no-user-config' '-display none' \
        '-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'; do
        is "confined/$machine/arguments $words" "$(printf '%s\n' "$line" | grep -c -e " $words")" 1
    done
    is "confined/$machine/no-other-interfaces" "$(printf '%s\n' "$line" | grep -oE -e ' -(monitor|mon|qmp|gdb|s|vnc|spice|serial|parallel|usb|audiodev|vga|hda|drive|cdrom|virtfs|fsdev) ')" ""
    bus=$([ $machine = microvm ] && echo device || echo pci)
    is "confined/$machine/devices" "$(printf '%s\n' "$line" | grep -oE -e '-device [a-z0-9-]+' | sed 's/-device //' | sort | uniq -c | tr -s ' \n' ' ')" \
        " 1 isa-debugcon 1 virtio-balloon-$bus 1 virtio-blk-$bus 1 virtio-net-$bus 1 virtio-rng-$bus 1 virtio-serial-$bus 5 virtserialport "
    line=$("$PITH" run --accel tcg --machine $machine --net none --dry-run /bin/true)
    is "confined/$machine/no-network" "$(printf '%s\n' "$line" | grep -oE -e '-(netdev|nic|net) |virtio-net')" ""
done

# The process of a machine that runs: a filter on each thread, no way back to more rights, no child.
cat >waiter.c <<'END'
#include <stdio.h>
int main(void) { puts("ready"); fflush(stdout); return getchar() == 'x' ? 7 : 8; }
END
cc -O2 -static -o waiter waiter.c
for machine in microvm q35; do
    mkfifo in
    PITH_TEST_CONFINED=$$-$machine timeout -k 5 60 "$PITH" run --accel tcg --machine $machine ./waiter <in >out 2>err &
    pid=$!
    exec 5>in
    wait_for 30 grep -q ready out
    # The VMM is the one whose command line names our cache's root.
    vmm=
    for process in /proc/[0-9]*; do
        if tr '\0' ' ' 2>/dev/null <"$process/cmdline" | grep -q "^[^ ]*qemu-system.*$XDG_CACHE_HOME/pith/root-" &&
            tr '\0' '\n' 2>/dev/null <"$process/environ" | grep -qxF "PITH_TEST_CONFINED=$$-$machine"; then vmm=$process; fi
    done
    # shellcheck disable=SC2086
    is "confined/$machine/seccomp" "$(cat $vmm/task/*/status | sed -n 's/^Seccomp:[[:space:]]*//p' | sort -u)" 2
    is "confined/$machine/no-new-privileges" "$(sed -n 's/^NoNewPrivs:[[:space:]]*//p' $vmm/status)" 1
    is "confined/$machine/no-children" "$(cat $vmm/task/*/children | tr -d ' ')" ""
    printf x >&5
    exec 5>&-
    status=0
    wait $pid || status=$?
    rm in
    is "confined/$machine/works" "$status" 7
done
