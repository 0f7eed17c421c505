#!/bin/sh
# Streams, ends and signals of an attached machine, with a stand-in for QEMU.
. tests/cli/lib

cc -O2 -o fake-vmm "$sources/tests/cli/fake_vmm.c"
PITH_QEMU=$dir/here/fake-vmm
export PITH_QEMU

run() { # MODE [OPTION...]: runs with the stand-in, standard streams as they are
    mode=$1
    shift
    FAKE_VMM=$mode timeout -k 5 60 "$PITH" run --accel tcg --net none "$@" /bin/true
}
status_of() {
    status=0
    "$@" || status=$?
    echo $status
}
is() { if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "\"$2\", not \"$3\""; fi; }

is exit-status "$(status_of run status 2>&1 >/dev/null </dev/null | tail -n 1; :)" err
is exit-status-number "$(run status </dev/null >out 2>err; echo $?)" 42
is stdout-apart "$(cat out)" out
is stderr-apart "$(cat err)" err
is killed-by-signal "$(run signal </dev/null >out 2>err; echo $?)" 139
is panic "$(run panic </dev/null >out 2>err; echo $?)" 122
check panic-line "no line about the kernel" grep -q '^pith: the kernel failed: page fault' err
is policy "$(run policy </dev/null >out 2>err; echo $?)" 121
is cannot-run "$(run cannot </dev/null >out 2>err; echo $?)" 126
is cannot-run-line "$(cat err)" "pith: /bin/true: its headers overlap"
is mute "$(run mute </dev/null >out 2>err; echo $?)" 122
check mute-line "no line about a reset" grep -q '^pith: the kernel failed: the virtual CPU was reset without a word from it; run' err
is vmm-ended "$(run terminated </dev/null >out 2>err; echo $?)" 125
is vmm-ended-line "$(tail -n 1 err)" "pith: QEMU: terminating on signal 15 from pid 1 (init): somebody on the host ended it"
is last-words "$(run words </dev/null >out 2>err; echo $?)" 122
check last-words-line "the words are missing" grep -q '^pith: the kernel failed: a reason; please report' err
check last-words-report "the report is missing" grep -q '^  rax 0x1$' err
is vmm-stuck "$(run stuck </dev/null >out 2>err; echo $?)" 125
is vmm-stuck-line "$(cat err)" "pith: QEMU: KVM internal error. Suberror: 1; its VM was ended"
is vmm-fails "$(run fail </dev/null >out 2>err; echo $?)" 125
is vmm-fails-one-line "$(wc -l <err)" 1
check vmm-fails-says-why "QEMU's words are missing" grep -q 'cannot set up guest memory' err
is garbage-on-control "$(run garbage </dev/null >out 2>err; echo $?)" 5
is status-before-output "$(run late </dev/null 2>err | wc -c)" 1048576
is lingering-vmm "$(run linger </dev/null >out 2>err; echo $?)" 4

# Bytes: every value, large, through pipes and files, with a slow reader, with end of file.
head -c 3000000 /dev/urandom >random
run echo <random >copy
check stdin-file-binary-clean "bytes changed" cmp random copy
cat random | run echo | cat >copy
check stdin-pipe-binary-clean "bytes changed" cmp random copy
run echo </dev/null >copy
is stdin-empty "$(wc -c <copy)" 0
run echo <&- >copy 2>err
is stdin-closed "$(wc -c <copy)" 0
run flood </dev/null | { sleep 1; sha256sum; } >slow
run flood </dev/null | sha256sum >fast
check slow-reader "a slow reader got other bytes" cmp slow fast
run flood </dev/null >flooded
is to-file "$(wc -c <flooded)" 8388608
is reader-goes-away "$({ run pipe </dev/null 2>err; echo $? >code; } | head -c 10 | wc -c; cat code)" "10
141"
run flood </dev/null >/dev/full 2>err
check full-disk "it hangs or crashes" [ $? -lt 128 ]

# Signals.
start() { # MODE [OPTION...]: in the background, until it is ready
    mode=$1
    shift
    rm -f out
    FAKE_VMM=$mode "$PITH" run --accel tcg --net none "$@" /bin/true </dev/null >out 2>err &
    pid=$!
    tries=0
    while [ ! -s out ] && [ "$mode" != stop ] && [ $tries -lt 100 ]; do sleep 0.05; tries=$((tries + 1)); done
    [ "$mode" != stop ] || sleep 0.5
}
finish() {
    code=0
    wait $pid || code=$?
    echo $code
}
start stop
kill -TERM $pid
wait $pid
is term-is-a-stop "$?" 7
is stop-line "$(cat out)" stop
start stop
kill -INT $pid
wait $pid
is int-is-a-stop "$?" 7
start forward
kill -USR1 $pid
wait $pid
is usr1-forwarded "$(sed 1d out)" "signal 10"
start stop
kill -TERM $pid
kill -TERM $pid
wait $pid
is doubled-stop-is-one "$?" 7
start hang --stop-timeout 1
kill -TERM $pid
wait $pid
is stop-timeout "$?" 137
is stop-timeout-one-line "$(wc -l <err)" 1
start hang
kill -TERM $pid
sleep 0.7
kill -TERM $pid
wait $pid
is second-stop-is-at-once "$?" 137
start hang
kill -KILL $pid
wait $pid 2>/dev/null
sleep 0.3
if processes; then not_ok no-orphan "the VMM outlived the command"; else ok no-orphan; fi

# What the machine is told.
FAKE_VMM=config "$PITH" run --accel tcg --ip 10.9.8.7/24 --ip fd09::7/64 --gateway 10.9.8.1 --gateway fd09::1 --dns 10.9.8.2 --dns fd09::2 -e A=b -e PATH=/x -w /tmp --trace /bin/echo one 'two words' '' >out </dev/null
for line in exec=/bin/echo arg=/bin/echo arg=one 'arg=two words' arg= env=A=b env=PATH=/x cwd=/tmp net=10.9.8.7/24 net=fd09::7/64 gateway=10.9.8.1 gateway=fd09::1 dns=10.9.8.2 dns=fd09::2 trace=1; do
    check "config-$line" "not in the configuration" grep -aqxF -e "$line" out
done
check config-seed "no seed of 32 bytes" grep -aqE '^seed=[0-9a-f]{64}$' out
FAKE_VMM=config "$PITH" run --accel tcg --net none /bin/true >out </dev/null
check config-no-net "net is not none" grep -aqxF net=none out
printf 'B=from file\n# comment\nC=\n' >envfile
B_HERE=here FAKE_VMM=config "$PITH" run --accel tcg --net none --env-file envfile -e B_HERE /bin/true >out </dev/null
for line in 'env=B=from file' env=C= env=B_HERE=here; do
    check "config-$line" "not in the configuration" grep -aqxF -e "$line" out
done
expect_ok image-build "$PITH" build -o e.img -e A=image /bin/echo given
FAKE_VMM=config "$PITH" run --accel tcg e.img >out </dev/null
check image-arguments "the image's own argument is missing" grep -aqxF arg=given out
check image-environment "the image's variable is missing" grep -aqxF env=A=image out
FAKE_VMM=config "$PITH" run --accel tcg -e A=run e.img other >out </dev/null
check image-arguments-replaced "the given argument is missing" grep -aqxF arg=other out
check image-arguments-replaced-all "the image's argument is still there" sh -c '! grep -aqxF arg=given out'
check image-environment-replaced "the variable is not replaced" grep -aqxF env=A=run out
