#!/bin/sh
# languages.sh - the JVM and Go on 4 vCPUs under bounded load for SOAK_SECONDS each (600), both at once: no hang, no wrong answer.
# With a NAME (java, go, or another of tests/soak/languages.py) only that one.
. tests/vm/lib
SERVER_SECONDS=$((${SOAK_SECONDS:=600} + 400))
export SERVER_SECONDS
cp -r "$sources/examples/java" "$sources/examples/go" .
(cd java && javac -d classes Server.java)
(cd go && HOME=$dir GOCACHE=${GOCACHE:-$dir/go-cache} GO111MODULE=off go build -o server main.go)
soaks=
for language in ${1:-java go}; do
    port=$(free_port)
    start "$language" microvm:4 -p "127.0.0.1:$port:8080" -M "$language/pith.yaml"
    server=$pid
    if ! wait_for 300 curl -sf --max-time 10 "http://127.0.0.1:$port/hello"; then
        not_ok "soak/$language" "no answer: $(tail -n 3 "$language.log")"
        continue
    fi
    python3 "$sources/tests/soak/languages.py" "$port" "$SOAK_SECONDS" >"$language.soak" 2>&1 &
    pids="$pids $!"
    soaks="$soaks $language:$server:$!"
done
for soak in $soaks; do
    language=${soak%%:*} pid=${soak#*:} status=0
    wait "${pid#*:}" || status=$?
    pid=${pid%:*}
    if [ "$status" = 0 ]; then
        ok "soak/$language ($(tail -n 1 "$language.soak"))"
    else
        not_ok "soak/$language" "$(tail -n 5 "$language.soak") $(tail -n 3 "$language.log")"
    fi
    stop
done
