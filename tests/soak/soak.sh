#!/bin/sh
# soak.sh - a server under a bounded load for SOAK_SECONDS (default 1800, shared by the machines of MACHINES_SOAK), over a tap
# device in a network namespace of its own: no wrong byte, no kernel message, nothing that the kernel keeps. Needs root.
if [ -z "${PITH_SOAK_NS:-}" ]; then
    PITH_SOAK_NS=1 exec unshare -n sh "$0" "$@"
fi
. tests/vm/lib
ip link set lo up && ip tuntap add tap0 mode tap && ip addr add 10.9.0.1/24 dev tap0 && ip link set tap0 up || { not_ok soak/namespace "no tap device"; exit 1; }
cc -O1 -D_GNU_SOURCE -pthread -o server "$sources/tests/soak/server.c"

machines=${MACHINES_SOAK:-microvm:1 q35:4}
n=0
for on in $machines; do n=$((n + 1)); done
each=$((${SOAK_SECONDS:-1800} / n))
failed=0
for on in $machines; do
    export SERVER_SECONDS=$((each + 600))
    start server "$on" --verbose -m 128M --net tap=tap0 --ip 10.9.0.2/24 ./server
    if ! wait_for 60 grep -q '^ready' server.log; then
        not_ok "soak/$on" "no server: $(tail -n 3 server.log)"
        failed=1
        stop
        continue
    fi
    lines=$(wc -l <server.log)
    if python3 "$sources/tests/soak/load.py" 10.9.0.2 "$each" >load.out 2>&1; then
        ok "soak/$on/load"
    else
        not_ok "soak/$on/load" "$(tail -n 12 load.out)"
        failed=1
    fi
    sed "s/^/# /" load.out
    tail -n "+$((lines + 1))" server.log >after
    if [ -s after ]; then
        not_ok "soak/$on/messages" "$(head -n 5 after)"
        failed=1
    else
        ok "soak/$on/messages"
    fi
    stop
done
exit $failed
