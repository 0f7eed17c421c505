#!/bin/sh
# learn.sh - learn, then lock: a program runs under what was learned of it with every policy at "stop", with its normal load, and no event.
. tests/vm/lib
stop_all='policy: { syscall: stop, argument: stop, socket: stop, file: stop, device: stop, listen: stop, connect: stop }'

learn() { # NAME [OPTION...] PROGRAM...: NAME.yaml
    name=$1
    shift
    status=0
    timeout -k 5 "${VM_SECONDS:-120}" "$PITH" learn --accel tcg -o "$name.yaml" "$@" >"$name.out" 2>"$name.err" </dev/null || status=$?
    is "learn/$name/status" "$status" 0
    printf '\n%s\n' "$stop_all" >>"$name.yaml"
}
locked() { # NAME: runs under NAME.yaml as it was learned
    rm -f events
    status=0
    timeout -k 5 "${VM_SECONDS:-120}" "$PITH" run --accel tcg -M "$1.yaml" --events events >"$1.out" 2>"$1.err" </dev/null || status=$?
    touch events
}
# A server learned and locked, and stopped with status 0: server NAME LOAD OPTION... PROGRAM...; LOAD is a function that uses the
# port in $port and says yes. Inside, the server listens on $guest_port.
guest_port=80
server() {
    name=$1 load=$2
    shift 2
    port=$(free_port)
    timeout -k 5 240 "$PITH" learn --accel tcg -o "$name.yaml" -p "127.0.0.1:$port:$guest_port" "$@" >"$name.log" 2>&1 </dev/null &
    pid=$!
    pids="$pids $pid"
    wait_for 60 "$load"
    is "learn/$name/load" "$("$load" 2>&1)" yes
    stop
    is "learn/$name/status" "$status" 0
    printf '\n%s\n' "$stop_all" >>"$name.yaml"
    rm -f events
    timeout -k 5 240 "$PITH" run --accel tcg -M "$name.yaml" --events events >"$name.log" 2>&1 </dev/null &
    pid=$!
    pids="$pids $pid"
    wait_for 60 "$load"
    is "lock/$name/load" "$("$load" 2>&1)" yes
    stop
    touch events
    is "lock/$name/no-event" "$status $(head -n 1 events)" "0 "
}

# hello, static.
cc -O1 -static -o hello "$sources/tests/vm/programs/hello.c"
learn hello ./hello
locked hello
is lock/hello "$status $(cat events)" "0 "
is learn/hello/short "$(grep -c . hello.yaml | awk '{ print ($1 < 30) }')" 1

# merge: a second run adds, and what a person wrote stays.
echo one >one
echo two >two
learn merge -a "$dir/one:/srv/a/one" -a "$dir/two:/srv/b/two" /bin/cat /srv/a/one
sed -i 's,^# possible:.*,&,; s,^program:.*,& # mine,' merge.yaml
timeout -k 5 120 "$PITH" learn --accel tcg --merge -o merge.yaml -a "$dir/one:/srv/a/one" -a "$dir/two:/srv/b/two" /bin/cat -n /srv/b/two >out 2>err </dev/null
is learn/merge "$(cat out)$(grep -c 'srv/[ab]/' merge.yaml) $(grep -c '# mine$' merge.yaml) $(grep -c '^policy:' merge.yaml) $(grep -c '^syscalls:' merge.yaml) $(grep -c '^# possible:' merge.yaml)" "     1	two4 1 1 1 1"

# Two servers and a database program from Debian, with the same load while learning and locked.
sql='create table t(a integer primary key, b text); insert into t(b) values(hex(7)),(upper("x")); select a, b from t order by b;'
learn sqlite /usr/bin/sqlite3 :memory: "$sql"
locked sqlite
is lock/sqlite "$status $(tr '\n' ' ' <sqlite.out)$(head -n 1 events)" "0 1|37 2|X "

mkdir www
printf 'a page\n' >www/index.html
pages() {
    for page in 1 2 3; do
        [ "$(curl -sf --max-time 20 "http://127.0.0.1:$port/?$page")" = 'a page' ] || return 1
    done
    [ "$(curl -s -o missing -w '%{http_code}' --max-time 20 "http://127.0.0.1:$port/none")" = 404 ] && echo yes
}
server nginx pages -a "$sources/bench/programs/nginx.conf:/etc/nginx/nginx.conf" -a "$dir/www:/www" /usr/sbin/nginx -c /etc/nginx/nginx.conf

keys() {
    [ "$(printf 'set k v\nincr n\nrpush l 1 2 3\nlrange l 0 -1\nget k\ndel n l\n' | timeout 20 redis-cli -p "$port" | tr '\n' ' ')" = 'OK 1 3 1 2 3 v 2 ' ] && echo yes
}
guest_port=6379
server redis keys /usr/bin/redis-server --save '' --protected-mode no
