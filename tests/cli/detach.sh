#!/bin/sh
# Machines in the background: run -d, ps, logs, events, stats, stop, rm; and what is left when something dies.
. tests/cli/lib

cc -O2 -o fake-vmm "$sources/tests/cli/fake_vmm.c"
PITH_QEMU=$dir/here/fake-vmm
XDG_RUNTIME_DIR=$dir/runtime
export PITH_QEMU XDG_RUNTIME_DIR
mkdir -m 700 "$XDG_RUNTIME_DIR"
is() { if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "\"$2\", not \"$3\""; fi; }

# detach MODE [OPTION...]: starts the stand-in in the background; the name in $instance.
detach() {
    mode=$1
    shift
    status=0
    instance=$(FAKE_VMM=$mode timeout -k 5 30 "$PITH" run --accel tcg --net none -d "$@" /bin/true 2>"$dir/err" </dev/null) || status=$?
}
# state NAME: what ps says of it.
state() { "$PITH" ps -a --json | python3 -c 'import json, sys; print(*[i["state"] + (" %d" % i["status"] if "status" in i else "") for i in json.load(sys.stdin) if i["name"] == sys.argv[1]])' "$1"; }
# Until the words are true: half a minute, which a busy host may need.
await() {
    tries=300
    while [ $((tries -= 1)) -gt 0 ]; do
        "$@" && return 0
        sleep 0.1
    done
    return 1
}
is_state() { [ "$(state "$1")" = "$2" ]; }
until_state() { await is_state "$@"; }
info() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$XDG_RUNTIME_DIR/pith/$1/info.json" "$2"; }
# As expect, while a machine runs: one line, the status.
refuses() { # NAME STATUS PATTERN COMMAND...
    what=$1 want=$2 pattern=$3
    shift 3
    status=0
    timeout -k 5 30 "$@" </dev/null >"$dir/out" 2>"$dir/err" || status=$?
    if [ "$status" -eq "$want" ] && [ "$(wc -l <"$dir/err")" -eq 1 ] && grep -qE -e "^pith: .*$pattern" "$dir/err"; then ok "$what"; else not_ok "$what" "status $status: $(cat "$dir/err")"; fi
}
nothing_left() { if processes; then not_ok "$1" "a VMM process is still there"; else ok "$1"; fi; }

# The life of one.
detach forward --name web
is starts "$status $instance" '0 web'
is no-words "$(cat "$dir/err")" ''
is running "$(state web)" running
check ps "ps does not show it" sh -c '"$1" ps | grep -qE "^web +up .*/bin/true$"' sh "$PITH"
says_ready() { [ "$("$PITH" logs web)" = ready ]; }
await says_ready
is logs "$("$PITH" logs web)" ready
check stats "stats has no figures" sh -c '"$1" stats --json web | grep -q "\"memory_bytes\": [1-9]"' sh "$PITH"
check stats-text "stats shows nothing" sh -c '"$1" stats | grep -q "^web .* MiB of"' sh "$PITH"
refuses same-name 125 'an instance of this name runs; .*pith stop web' "$PITH" run --accel tcg -d --name web /bin/true
refuses rm-running 125 'it runs; pith stop web first' "$PITH" rm web
"$PITH" logs -f web >followed 2>err </dev/null &
follower=$!
expect_ok stop "$PITH" stop web
wait "$follower"
is logs-follow-ends "$? $(tail -n 1 followed)" '0 stop'
is ended "$(state web)" 'ended 0'
nothing_left stop-leaves-nothing
check ps-hides-ended "ps shows what ended" sh -c '! "$1" ps | grep -q web' sh "$PITH"
expect_ok stop-again "$PITH" stop web
expect stats-ended 125 'it does not run' "$PITH" stats web
expect same-name-ended 125 'ended and was not removed; .*pith rm web' "$PITH" run --accel tcg -d --name web /bin/true
expect_ok rm "$PITH" rm web
is rm-gone "$(state web)" ''
expect rm-again 125 'no such instance' "$PITH" rm web

# Names are made up where none is given; streams stay apart; the status is kept.
detach status
is made-up "$status $(printf %s "$instance" | sed 's/-.....$//')" '0 true'
check status-kept "not the program's status: $(state "$instance")" until_state "$instance" 'ended 42'
"$PITH" logs "$instance" >out 2>err
is logs-apart "$(cat out) $(cat err)" 'out err'
expect_ok rm-made-up "$PITH" rm "$instance"

# Events.
detach events --name tripped
three_events() { [ "$("$PITH" events tripped | wc -l)" = 3 ]; }
await three_events
is events "$("$PITH" events tripped | grep -c '"refused-call"')" 2
check events-hint "the hint is not in the log" sh -c '"$1" logs tripped 2>&1 >/dev/null | grep -q "pith: true: a second process (fork) is refused at f"' sh "$PITH"
expect_ok events-stop "$PITH" stop tripped
expect_ok events-rm "$PITH" rm tripped

# A program that does not end when asked.
detach hang --name stubborn --stop-timeout 1
expect_ok stop-stubborn "$PITH" stop stubborn
is stubborn-ended "$(state stubborn)" 'ended 137'
expect_ok rm-stubborn "$PITH" rm stubborn
detach hang --name stubborn
start=$(date +%s)
expect_ok stop-timeout "$PITH" stop --stop-timeout 1 stubborn
check stop-timeout-soon "it took too long" test $(($(date +%s) - start)) -le 6
expect_ok rm-stubborn-again "$PITH" rm stubborn
detach hang --name forced
expect_ok rm-force "$PITH" rm -f forced
nothing_left rm-force-leaves-nothing

# Whoever is killed: the VMM goes with its keeper, and ps tells.
detach hang --name orphan
kill -KILL "$(info orphan pid)"
check keeper-killed "not lost: $(state orphan)" until_state orphan lost
no_processes() { ! processes; }
await no_processes
nothing_left keeper-killed-leaves-nothing
expect_ok stop-lost "$PITH" stop orphan
expect_ok rm-lost "$PITH" rm orphan
detach hang --name victim
kill -KILL "$(info victim vmm_pid)"
check vmm-killed "not told: $(state victim)" until_state victim 'ended 125'
check vmm-killed-why "the log does not say why" sh -c '"$1" logs victim 2>&1 | grep -q "killed by signal 9"' sh "$PITH"
expect_ok rm-victim "$PITH" rm victim

# What goes wrong before it runs is said at once, and nothing is left.
expect no-program 127 'no such file' "$PITH" run -d --name early ./nothing
expect bad-name 2 'is no name for an instance' "$PITH" run -d --name ../up /bin/true
expect name-alone 2 'give -d too' "$PITH" run --name x /bin/true
PITH_QEMU=$dir/here/none expect no-vmm 125 . "$PITH" run --accel tcg -d --name early /bin/true
is early-gone "$(state early)" ''
mkdir "$XDG_RUNTIME_DIR/pith/half" && : >"$XDG_RUNTIME_DIR/pith/half/lock"
detach forward --name half
is half-made "$status $instance" '0 half'
expect_ok half-stop "$PITH" stop half
expect_ok half-rm "$PITH" rm half
for i in 1 2 3 4 5 6; do
    FAKE_VMM=hang "$PITH" run --accel tcg --net none -d --name race /bin/true >"race.$i" 2>/dev/null </dev/null &
done
wait
is race "$(cat race.? | wc -l)" 1
expect_ok race-rm "$PITH" rm --force race

# A log does not grow without end, and nothing of its newer half is lost.
detach long --name talker
check long-ends "does not end: $(state talker)" until_state talker 'ended 0'
size=$(du -sk "$XDG_RUNTIME_DIR/pith/talker" | cut -f 1)
check long-bounded "$size KiB" test "$size" -le 20000
is long-tail "$("$PITH" logs talker | tail -n 1)" "$(printf '%015x' $(((20 << 20) - 16)))"
expect_ok long-rm "$PITH" rm talker

# Places.
mkdir -m 500 "$dir/closed"
if [ "$(id -u)" -ne 0 ]; then
    XDG_RUNTIME_DIR=$dir/closed expect closed-directory 125 'cannot keep instances there' "$PITH" ps
else
    ln -s "$dir/here" "$dir/closed/pith"
    XDG_RUNTIME_DIR=$dir/closed expect closed-directory 125 'cannot keep instances there' "$PITH" ps
fi
expect ps-argument 2 'ps takes no argument' "$PITH" ps x
expect stop-nobody 2 'no instance is named' "$PITH" stop
expect logs-two 2 'one instance is to be named' "$PITH" logs a b
expect logs-unknown 125 'no such instance' "$PITH" logs a
expect logs-escape 125 'no instance can have this name' "$PITH" logs ../x
is all-gone "$("$PITH" ps -a | wc -l)" 1
