#!/bin/sh
# detach.sh - a real machine in the background: it serves, its figures and logs are there, it ends when asked, and it dies with its keeper.
. tests/vm/lib
cc -O2 -o httpd "$sources/examples/httpd/httpd.c"
XDG_RUNTIME_DIR=$dir/runtime
export XDG_RUNTIME_DIR
mkdir -m 700 runtime
forget() { "$PITH" rm -f web >/dev/null 2>&1; cleanup; }
trap forget EXIT

for on in microvm:1 q35:2; do
    port=$(free_port)
    is "detach/$on/name" "$("$PITH" run --accel tcg --machine "${on%:*}" --cpus "${on#*:}" -d --name web -p "127.0.0.1:$port:80" ./httpd 80 2>&1)" web
    # shellcheck disable=SC2034 # wait_for looks at it
    pid=$(sed -n 's/^ "pid": \([0-9]*\),*$/\1/p' runtime/pith/web/info.json)
    if wait_for 60 curl -sf -o page "http://127.0.0.1:$port/"; then ok "detach/$on/serves"; else not_ok "detach/$on/serves" "$("$PITH" logs web 2>&1 | tail -n 3)"; fi
    is "detach/$on/log" "$("$PITH" logs web | head -n 1)" "listening on port 80"
    is "detach/$on/stats" "$("$PITH" stats --json web | grep -cE '"(cpu_s|memory_bytes)": [0-9.]*[1-9]')" 2
    is "detach/$on/stop" "$("$PITH" stop web 2>&1; "$PITH" ps -a --json | sed -n 's/.*"status": \([0-9]*\).*/\1/p')" 0
    is "detach/$on/rm" "$("$PITH" rm web 2>&1; "$PITH" ps -a | wc -l)" 1
done

# A keeper that is killed takes its machine along.
is detach/again "$("$PITH" run --accel tcg --net none -d --name web ./httpd 80 2>&1)" web
keeper=$(sed -n 's/^ "pid": \([0-9]*\),*$/\1/p' runtime/pith/web/info.json)
vmm=$(sed -n 's/^ "vmm_pid": \([0-9]*\),*$/\1/p' runtime/pith/web/info.json)
kill -KILL "$keeper"
n=0
while kill -0 "$vmm" 2>/dev/null && [ "$n" -lt 50 ]; do
    n=$((n + 1))
    sleep 0.1
done
if kill -0 "$vmm" 2>/dev/null; then not_ok detach/keeper-killed "the VMM is still there"; else ok detach/keeper-killed; fi
is detach/lost "$("$PITH" ps -a --json | sed -n 's/.*"state": "\([a-z]*\)".*/\1/p')" lost
