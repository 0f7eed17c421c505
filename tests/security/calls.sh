#!/bin/sh
# calls.sh - the system call interface as an enemy uses it: pointers into the kernel, arguments that change while they are read, recursion,
# calls for a second program or another identity (refused, each with its event), and what the machine says and listens to by itself.
. tests/security/lib
build pointers -static -no-pie
build calls

for on in ${MACHINES_SECURITY:-microvm:1 q35:4}; do
    probe pointers "$on" --net none ./pointers
    probe recursion "$on" --net none ./calls recursion
    probe races "$on" --net none -m 128M ./calls races "${RACE_SECONDS:-3}"
done
probe quiet microvm:1 ./calls quiet

# Each refusal of the list is an event; the log carries them.
vm microvm:1 --net none --verbose ./calls refused >out 2>err </dev/null || not_ok security/refused "$(tail -n 2 err)"
sed -n 's,^\(not ok\|ok\) ,\1 security/,p' out
sed -n 's/^event //p' err >events
is security/refused/events "$(python3 -c '
import json, re
calls = re.findall(r"^ok refused/(\w+)", open("out").read(), re.M)
told = [json.loads(line)["call"] for line in open("events")]
print(len(calls) >= 38, [c for c in calls if c not in told])')" "True []"

# Nothing that the machine says about itself holds an address of the kernel, the log and the trace included.
vm microvm:1 --verbose ./calls output >out 2>&1 </dev/null || not_ok security/output "$(tail -n 2 out)"
vm microvm:1 --net none --trace ./calls facts >>out 2>&1 </dev/null || not_ok security/output/trace "$(tail -n 2 out)"
is security/output/large-enough "$([ "$(wc -l <out)" -gt 1500 ] && echo yes)" yes
is security/output/no-kernel-address "$(grep -a -ciE '(0x|[^0-9a-f])ffff[89a-f][0-9a-f]{11}([^0-9a-f]|$)' out)" 0
