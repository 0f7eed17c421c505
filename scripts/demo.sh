#!/bin/sh
# demo.sh - boot the example web server as a VM, fetch a page from it, stop it; both sides are shown.
# Called by `make run`, which has built everything.
set -eu
cd "$(dirname "$0")/.."
build=${B:-build}
cc=${HOSTCC:-gcc}
pith=$build/pith

mkdir -p "$build/examples"
"$cc" -O2 -Wall -Wextra -o "$build/examples/httpd" examples/httpd/httpd.c

# A free port for the host's side.
port=${PORT:-8080}
while curl -s -o /dev/null --max-time 2 "http://127.0.0.1:$port/"; do
    port=$((port + 1))
done

out=$(mktemp -d)
pid=
finish() {
    [ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null || :
    rm -rf "$out"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP

printf '$ pith run -p 127.0.0.1:%s:80 %s 80\n' "$port" "$build/examples/httpd"
"$pith" run -p "127.0.0.1:$port:80" "$build/examples/httpd" 80 >"$out/server" 2>&1 &
pid=$!

printf '$ curl http://127.0.0.1:%s/\n' "$port"
tries=0
until curl -s --max-time 1 -o "$out/page" "http://127.0.0.1:$port/"; do
    tries=$((tries + 1))
    if [ "$tries" -ge 120 ] || ! kill -0 "$pid" 2>/dev/null; then
        sed 's/^/  server | /' "$out/server"
        printf 'demo: the server did not answer\n' >&2
        exit 1
    fi
    sleep 0.1
done
sed 's/^/  client | /' "$out/page"

kill -TERM "$pid"
status=0
wait "$pid" || status=$?
pid=
sed 's/^/  server | /' "$out/server"
printf 'The VM ended with exit status %s.\n' "$status"
[ "$status" -eq 0 ]
