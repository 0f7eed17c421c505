#!/bin/sh
# link.sh - kernels of one program's calls run it; a call that is not in them is ENOSYS and an event with its name.
. tests/vm/lib
unset PITH_KERNEL

calls="brk, arch_prctl, set_tid_address, set_robust_list, rseq, prlimit64, readlink, getrandom, mprotect, newfstatat, write"
cc -O2 -static -o hello "$sources/examples/hello/hello.c"
cc -O2 -static -o absent "$sources/tests/vm/programs/absent.c"
printf 'program: hello\nsyscalls: [%s]\n' "$calls" >hello.yaml
printf 'program: absent\nsyscalls: [%s]\n' "$calls" >absent.yaml

"$PITH" build -M hello.yaml -o hello.img
for on in $MACHINES; do
    is "link/$on/hello" "$(vm "$on" hello.img 2>&1)" "hello from a virtual machine"
    status=0
    vm "$on" --verbose -M absent.yaml >out 2>err || status=$?
    is "link/$on/absent-status" "$status" 0
    is "link/$on/absent" "$(tr '\n' ' ' <out)" "getcwd: ENOSYS socket: ENOSYS write: ok "
    for call in getcwd socket; do
        grep -q "event .*\"call\":\"$call\"" err && ok "link/$on/event-$call" || not_ok "link/$on/event-$call" "$(grep event err | head -n 3)"
    done
done
is link/run-trace "$(vm microvm:1 --trace -M hello.yaml 2>&1 >/dev/null | grep -c 'exit_group(0)')" 1
