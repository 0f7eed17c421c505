#!/bin/sh
# syscalls.sh SECONDS - fuzz/callfuzz.c in machines of 1 and of 4 vCPUs by turns, a seed each, until the time is over; a panic, a hang or a
# leak ends it with status 1 and the line that repeats it. FUZZ_SEED=N: that seed only; FUZZ_CALLS: calls a machine (100,000).
set -u
cd "$(dirname "$0")/.." || exit 1
PITH=${PITH:-$PWD/build/pith}
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM HUP
cc -std=gnu17 -O2 -w -I. -static -pthread -o "$dir/callfuzz" fuzz/callfuzz.c || exit 1
end=$(($(date +%s) + ${1:-60}))
seed=${FUZZ_SEED:-$(date +%s)}
calls=${FUZZ_CALLS:-100000}
total=0
cpus=1
while :; do
    status=0
    timeout -k 5 "${FUZZ_TIMEOUT:-600}" "$PITH" run --accel tcg --net none -c "$cpus" -m 512M "$dir/callfuzz" "$seed" "$calls" "$cpus" 60 </dev/null >"$dir/out" 2>"$dir/err" || status=$?
    printf '%s vCPU, seed %s: status %s, %s\n' "$cpus" "$seed" "$status" "$(grep -E '^(done|hang|leak)' "$dir/out" | tr '\n' ' ')"
    if [ "$status" -ne 0 ]; then
        grep -a -v '^system call' "$dir/err" | tail -n 25
        echo "again: FUZZ_SEED=$seed FUZZ_CALLS=$calls fuzz/syscalls.sh 1"
        exit 1
    fi
    total=$((total + calls))
    cpus=$((5 - cpus))
    [ "$(date +%s)" -lt "$end" ] || break
    [ -n "${FUZZ_SEED:-}" ] && [ "$cpus" -eq 4 ] && continue
    seed=$((seed + 1))
done
echo "$total calls without a finding"
