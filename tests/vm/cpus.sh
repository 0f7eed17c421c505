#!/bin/sh
# cpus.sh - the same program on CPUs that can do less and more: every model on every machine, by the printed command line.
. tests/vm/lib
programs=$sources/tests/vm/programs
cc -O2 -static -o hello "$programs/hello.c"
cc -O2 -pthread -static -o threads64 "$programs/threads64.c"
cc -O2 -o httpd "$sources/examples/httpd/httpd.c"

# qemu64: no SMEP, SMAP, XSAVE, RDRAND. Nehalem: SSE4.2. Haswell: AVX2. max: all that TCG has, then without some of it.
models='qemu64 Nehalem Haswell max max,-xsave,-avx,-avx2 max,-smep,-smap,-umip max,-rdrand,-fsgsbase max,-pdpe1gb,-la57 max,-erms,-pge'

# line MODEL MACHINE CPUS [OPTION...] PROGRAM...: the command line with another CPU, to be run by a shell.
line() {
    model=$1 machine=$2 cpus=$3
    shift 3
    "$PITH" run --accel tcg --machine "$machine" --cpus "$cpus" --dry-run "$@" | sed "s/ -cpu [^ ]* / -cpu $model /"
}
for machine in microvm q35 pc; do
    for model in $models; do
        case "$(line "$model" "$machine" 1 --net none ./hello 0 "$model")" in *" -cpu $model "*) ;; *) not_ok "cpus/$machine/$model/line" "no such option in the line" ;; esac
        is "cpus/$machine/$model/hello" "$(timeout -k 5 60 sh -c "$(line "$model" "$machine" 1 --net none ./hello 0 "$model")" 2>err </dev/null | cat)" "hello, $model"
    done
    for model in qemu64 max; do
        is "cpus/$machine/$model/threads" "$(timeout -k 5 120 sh -c "$(line "$model" "$machine" 2 --net none ./threads64)" 2>err </dev/null | cat)" \
            "counter 12800, thread-local 12800, turns 64"
    done
done

# A small server.
for model in qemu64 max; do
    port=$(free_port)
    line "$model" q35 2 -p "127.0.0.1:$port:80" ./httpd 80 >server.sh
    timeout -k 5 120 sh -c "exec $(cat server.sh)" >server.log 2>&1 </dev/null &
    pid=$!
    pids="$pids $pid"
    if wait_for 60 curl -sf -o page "http://127.0.0.1:$port/"; then
        ok "cpus/$model/server"
    else
        not_ok "cpus/$model/server" "no page: $(tail -n 2 server.log)"
    fi
    kill "$pid"
    wait "$pid" || :
done
