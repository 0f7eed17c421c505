#!/bin/sh
# spawn.sh - programs that start others: clean errors, what languages make of them, and one line that says what helps.
. tests/vm/lib
cc -O2 -o spawn "$sources/tests/vm/programs/spawn.c"

for on in $MACHINES; do
    is "spawn/$on/answers" "$(vm "$on" --net none ./spawn 2>err </dev/null | tr '\n' ';')" "posix_spawn: EPERM;fork: EPERM;vfork: EPERM;clone: EPERM;clone for a thread's memory: EPERM;popen: NULL;system: status 127;execve: EPERM;execlp: EPERM;fexecve: EPERM;wait: ECHILD;daemon: EPERM;"
done
is spawn/one-line "$(wc -l <err)" 1
is spawn/the-line "$(cat err)" "pith: spawn: a second process (clone3) is refused at libc.so.6+0x$(sed 's/.*libc.so.6+0x\([0-9a-f]*\).*/\1/' err), called from start_helper+0x$(sed 's/.*start_helper+0x\([0-9a-f]*\).*/\1/' err) (spawn); look for an option that keeps it in one process, in the foreground"
vm microvm:1 --net none ./spawn again >out 2>err </dev/null
is spawn/many "$(tail -n 1 out)" "many forks: EPERM"
is spawn/many-one-line "$(wc -l <err)" 1

# Each event names the place; what is dropped is counted; every line is JSON.
vm microvm:1 --net none --verbose ./spawn again >out 2>err </dev/null
sed -n 's/^event //p' err >events
is spawn/events "$(python3 -c '
import json
events = [e for e in map(json.loads, open("events")) if e["event"] != "dropped"]
first, last = events[0], events[-1]
print(all(e["event"] == "refused-call" and e["action"] == "refused" and e["pc"].startswith("0x") for e in events),
      first["call"], first["symbol"].split("+")[0], first["caller"].split("+")[0],
      events[1]["call"], events[1]["symbol"].split("+")[0], events[1]["symbol"].split()[1], events[1]["caller"].split("+")[0],
      40 <= len(events) < 120, [e["seq"] for e in events] == sorted(e["seq"] for e in events))
' 2>&1)" "True clone3 libc.so.6 start_helper clone _Fork (libc.so.6) main True True"

# Known programs: the option that avoids it.
nginx=$(command -v nginx || echo /usr/sbin/nginx)
cat >nginx.conf <<'END'
pid /tmp/nginx.pid;
error_log stderr;
events { worker_connections 64; }
http {
    access_log off;
    client_body_temp_path /tmp/a; proxy_temp_path /tmp/b; fastcgi_temp_path /tmp/c; uwsgi_temp_path /tmp/d; scgi_temp_path /tmp/e;
    server { listen 80; return 200; }
}
END
timeout -k 5 60 "$PITH" run --accel tcg -a "$PWD/nginx.conf:/etc/nginx/nginx.conf" -a /usr/lib/nginx/modules -a /etc/nginx/modules-enabled "$nginx" >out 2>&1 </dev/null &
pid=$!
pids="$pids $pid"
wait_for 40 grep -q 'pith: nginx: ' out
stop
case "$(grep 'pith: nginx: ' out)" in
*"a second process (clone) is refused at _Fork"*"master_process off"*) ok spawn/nginx-hint ;;
*) not_ok spawn/nginx-hint "$(tail -n 3 out)" ;;
esac

# What languages make of it.
python='import os, subprocess, multiprocessing
def told(name, f):
    try: f()
    except OSError as e: print(name, type(e).__name__, e.errno)
told("fork", os.fork)
told("run", lambda: subprocess.run(["/bin/true"]))
told("posix_spawn", lambda: os.posix_spawn("/bin/true", ["true"], {}))
told("process", lambda: multiprocessing.get_context("spawn").Process(target=print).start())
told("execv", lambda: os.execv("/bin/true", ["true"]))'
is spawn/python "$(VM_SECONDS=120 vm microvm:1 --net none --package libpython3.11-stdlib --package libpython3.11-minimal --package python3.11-minimal "$(readlink -f /usr/bin/python3)" -c "$python" 2>err </dev/null | tr '\n' ';')" \
    "fork PermissionError 1;run PermissionError 1;posix_spawn PermissionError 1;process PermissionError 1;execv PermissionError 1;"
is spawn/python-line "$(grep -c 'pith: python3.11: .*threads and asyncio can' err)" 1
# shellcheck disable=SC2016
is spawn/perl "$(vm microvm:1 --net none "$(readlink -f /usr/bin/perl)" -e '
    print "fork ", (defined(fork()) ? "a child" : 0 + $!), ";"; print "system ", system("/bin/true"), " ", 0 + $!, ";";
    print "backtick ", (defined(`true`) ? "text" : 0 + $!), ";"; print "open ", (open(my $f, "-|", "true") ? "a stream" : 0 + $!), ";"' 2>err </dev/null)" \
    "fork 1;system -1 1;backtick 1;open 1;"
cat >main.go <<'END'
package main

import (
	"errors"
	"fmt"
	"os/exec"
	"syscall"
)

func main() {
	err := exec.Command("/bin/true").Run()
	fmt.Println(errors.Is(err, syscall.EPERM), err)
	fmt.Println(syscall.Exec("/bin/true", []string{"true"}, nil))
}
END
GOCACHE=$dir/go GO111MODULE=off CGO_ENABLED=0 go build -o go-spawn main.go 2>go.err || not_ok spawn/go-builds "$(head -n 1 go.err)"
is spawn/go "$(vm microvm:1 --net none ./go-spawn 2>err </dev/null | tr '\n' ';')" "true fork/exec /bin/true: operation not permitted;operation not permitted;"
