#!/bin/sh
# iperf3.sh - Debian's iperf3 as a server: both directions, several streams, UDP; a server between runs.
. tests/apps/lib
bytes=20M
if quick; then bytes=5M; fi
# transfer NAME PERCENT ARG...: the receiving side counted at least so much of what was sent. Upwards the VMM's user network holds
# megabytes that were sent and have not arrived when the client says that it is done, so a time is given there. Downwards the client ends
# when it has enough; what is under way then was sent.
transfer() {
    name=$1 percent=$2
    shift 2
    timeout 200 iperf3 -c 127.0.0.1 -p "$port" -J "$@" >result.json 2>&1
    is "$at/$name" "$(python3 -c '
import json
end = json.load(open("result.json"))["end"]
sent, got = end["sum_sent"]["bytes"], end["sum_received"]["bytes"]
print("complete" if sent > 390000 and got > 200000 and got >= sent * '"$percent"' / 100 else f"{got} of {sent} bytes")' 2>&1 | tail -n 1)" complete
}

for on in $MACHINES; do
    port=$(free_port)
    boot "$on" -p "127.0.0.1:$port:5201" -p "127.0.0.1:$port:5201/udp" "$example"
    if ready 60 grep -q 'Server listening' "$app.log"; then
        transfer up 1 -t 4
        transfer down 99 -R -n $bytes
        transfer four-streams 95 -R -P 4 -n 4M
        transfer udp 95 -u -b 1M -l 1000 -n 400K
        has "$at/serves-on" "$(tail -n 3 "$app.log")" 'Server listening on 5201 .test #5'
    fi
    finish 0 1
done
