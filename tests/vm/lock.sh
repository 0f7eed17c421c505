#!/bin/sh
# lock.sh - departures from a manifest: every kind, every way to it, every policy; each is one event, and none is lost unsaid.
. tests/vm/lib
cc -O1 -static -D_GNU_SOURCE -pthread -I"$sources" -w -o depart "$sources/tests/vm/programs/depart.c" || { not_ok lock/build "depart.c does not build"; exit 1; }
echo secret >secret
echo mine >mine

# lock ON MANIFEST THING...: what depart says in out, on one line; the events as lines "event detail action" in told.
lock() {
    lock_on=$1 manifest=$2
    shift 2
    rm -f events
    status=0
    vm "$lock_on" -M "$manifest" --events events --add "$dir/secret:/srv/secret" --add "$dir/mine:/tmp/mine" ./depart "$@" >out.lines 2>err </dev/null || status=$?
    out=$(tr '\n' ';' <out.lines)
    touch events
    python3 -c '
import json
for line in open("events"):
    e = json.loads(line)
    assert e["time"] and isinstance(e["seq"], int) and isinstance(e["args"], list), e
    assert e["event"] == "dropped" or ("symbol" in e and e["pc"].startswith("0x") and isinstance(e["thread"], int)), e
    print(" ".join(filter(None, (e["event"], e["call"], e.get("detail"), e["action"]))))
' >told 2>&1
}
told() { is "$1" "$(cut -d ' ' -f "${3:-1-}" told | tr '\n' ';')" "$2"; }
# all NAME WHAT EVENT: each thing of the list failed with WHAT, and there are as many events, all EVENT.
all() {
    bad=$(grep -v ": $2\$" out.lines | tr '\n' ';')
    is "$1/errno" "$bad" ""
    is "$1/events" "$(cut -d ' ' -f "${4:-1,3,4}" told | sort | uniq -c | sed 's/^ *//' | tr '\n' ';')" "$(wc -l <out.lines) $3;"
}

for on in ${LOCK_MACHINES:-microvm:1 q35:4}; do
    # Files.
    printf 'files: { read: ["/proc/", "/srv/other/", "/srv/*.html"], write: ["/tmp/link"] }\n' >files.yaml
    lock "$on" files.yaml open write openat openat2 ring_open ring_openat2 ring_worker dots proc_root proc_fd dev_fd mmap_file symlink
    all "lock/$on/files" EACCES "undeclared-file /srv/secret refused"
    lock "$on" files.yaml create mkdir mkfifo unlink rename link truncate unix
    is "lock/$on/names" "$out" "create: EACCES;mkdir: EACCES;mkfifo: EACCES;unlink: EACCES;rename: EACCES;link: EACCES;truncate: EACCES;unix: EACCES;"
    told "lock/$on/names-events" "/tmp/other;/tmp/dir;/tmp/fifo;/tmp/mine;/tmp/mine;/tmp/mine;/tmp/mine;/tmp/socket;" 3
    printf 'files: { read: ["/srv/"], write: ["/tmp/"] }\ndevices: [/dev/urandom]\n' >good.yaml
    lock "$on" good.yaml open openat ring_open symlink proc_fd create mkdir tmpfile truncate rename memfd device
    is "lock/$on/declared" "$out$(cat told)" "open: ok;openat: ok;ring_open: ok;symlink: ok;proc_fd: ok;create: ok;mkdir: ok;tmpfile: ok;truncate: ok;rename: ok;memfd: ok;device: ok;"
    printf 'files: { read: ["/srv/"], write: ["/tmp/in", "/tmp/in/", "/tmp/out"] }\n' >moved.yaml
    lock "$on" moved.yaml moved
    is "lock/$on/moved" "$out$(cut -d ' ' -f 1,3 told | tr '\n' ';')" "moved: EACCES;undeclared-file /tmp/out/z;"
    printf 'canary: [/srv/secret]\ndevices: [/dev/null]\nfiles: { read: [/], write: [/] }\n' >canary.yaml
    lock "$on" canary.yaml open openat openat2 ring_open ring_openat2 ring_worker symlink dots proc_root proc_fd dev_fd mmap_file
    all "lock/$on/canary" EACCES "canary-file /srv/secret refused"
    # What is not there: asking for a canary and trying to write tell, looking for something does not.
    printf 'canary: [/srv/none/bait]\nfiles: { read: [], write: [/tmp/] }\n' >absent.yaml
    lock "$on" absent.yaml absent absent_write absent_other
    is "lock/$on/absent" "$out$(cut -d ' ' -f 1,3 told | tr '\n' ';')" \
        "absent: ENOENT;absent_write: ENOENT;absent_other: ENOENT;canary-file /srv/none/bait;undeclared-file /srv/none/put;"
    lock "$on" canary.yaml device memfd
    is "lock/$on/device" "$out$(cat told)" "device: EACCES;memfd: ok;undeclared-device openat /dev/urandom refused"

    # Peers, ports, sockets.
    printf 'connect: ["127.0.0.1:53/udp", "10.0.2.2:9/tcp", "127.0.0.0/8:10"]\nlisten: [udp/53, tcp/80]\n' >net.yaml
    lock "$on" net.yaml connect connect_nonblock connect_any connect_mapped fastopen ring_connect
    all "lock/$on/tcp" EACCES "undeclared-connect 127.0.0.1:9/tcp refused"
    lock "$on" net.yaml connect_udp sendto sendto_unspec sendto6 sendto_cross sendmsg sendmmsg ring_sendmsg
    all "lock/$on/udp" EACCES "undeclared-connect 127.0.0.1:9/udp refused"
    lock "$on" net.yaml connect6 connect_udp6
    told "lock/$on/inet6" "[0:0:0:0:0:0:0:1]:9/tcp;[0:0:0:0:0:0:0:1]:9/udp;" 3
    lock "$on" net.yaml connect_good dissolve answer listen_good bind_any
    is "lock/$on/net-declared" "$out$(cat told)" "connect_good: ok;dissolve: ok;answer: ok;listen_good: ok;bind_any: ok;"
    lock "$on" net.yaml bind bind6 bind_udp listen_unbound listen_chosen
    is "lock/$on/listen" "$out" "bind: EACCES;bind6: EACCES;bind_udp: EACCES;listen_unbound: EACCES;listen_chosen: EACCES;"
    told "lock/$on/listen-events" "bind tcp/99;bind tcp/99;bind udp/99;listen tcp/0;listen tcp/0;" 2,3
    printf 'sockets: [inet/stream, unix/stream, netlink/sock_diag]\n' >sockets.yaml
    lock "$on" sockets.yaml listen_unbound socket ring_socket socketpair netlink
    is "lock/$on/sockets" "$out" "listen_unbound: ok;socket: EACCES;ring_socket: EACCES;socketpair: EACCES;netlink: EACCES;"
    told "lock/$on/sockets-events" "10/2;10/2;1/5;16/0;" 3

    # Calls and their arguments.
    printf 'syscalls: [read, write, fstat, newfstatat, brk, mmap, mprotect, munmap, close, io_uring_setup, io_uring_enter, execve, arch_prctl, set_tid_address, set_robust_list, rseq, prlimit64, readlink, readlinkat, getrandom]\nmmap: [rw-p, r--p]\n' >calls.yaml
    lock "$on" calls.yaml getcwd unknown ioctl fork execve mmap mprotect
    is "lock/$on/calls" "$out" "getcwd: ENOSYS;unknown: ENOSYS;ioctl: ENOSYS;fork: EPERM;execve: EPERM;mmap: EPERM;mprotect: EPERM;"
    told "lock/$on/calls-events" "absent-call getcwd;absent-call #511;absent-call ioctl;refused-call fork;refused-call execve;undeclared-argument mmap;undeclared-argument mprotect;" 1,2
    printf 'ioctls: [TCGETS]\nfcntl: [F_GETFL]\nprctl: []\nmmap: [rw-p, r--p, "---p", rw-s]\n' >arguments.yaml
    lock "$on" arguments.yaml ioctl fcntl prctl mmap mprotect mmap_shared
    is "lock/$on/arguments" "$out" "ioctl: EPERM;fcntl: EPERM;prctl: EPERM;mmap: EPERM;mprotect: EPERM;mmap_shared: ok;"
    printf 'syscalls: [read, write, fstat, newfstatat, brk, mmap, mprotect, munmap, close, io_uring_setup, io_uring_enter, arch_prctl, set_tid_address, set_robust_list, rseq, prlimit64, readlink, readlinkat, getrandom, socket]\npolicy: {syscall: refuse}\n' >ring.yaml
    lock "$on" ring.yaml ring_call ring_open ring_connect
    is "lock/$on/ring-calls" "$out" "ring_call: EPERM;ring_open: EPERM;ring_connect: EPERM;"

    # Always, without a manifest's lists.
    printf 'policy: {exec: refuse}\n' >none.yaml
    lock "$on" none.yaml execve fork clone setuid setgroups ptrace mount bpf module write_exec
    is "lock/$on/always" "$(printf '%s' "$out" | sed 's/: EPERM//g')" "execve;fork;clone;setuid;setgroups;ptrace;mount;bpf;module;write_exec: EACCES;"
    told "lock/$on/always-events" "refused-call execve refused;refused-call fork refused;refused-call clone refused;refused-identity setuid refused;refused-identity setresgid refused;refused-call ptrace refused;refused-call mount refused;refused-call bpf refused;refused-call init_module refused;refused-mapping mmap refused;"
    lock "$on" none.yaml probe_read probe_stat probe_futex probe_iov probe_touch
    is "lock/$on/probe" "$out" "probe_read: EFAULT;probe_stat: EFAULT;probe_futex: EFAULT;probe_iov: EFAULT;probe_touch: EFAULT;"
    told "lock/$on/probe-events" "kernel-address read logged;kernel-address stat logged;kernel-address futex logged;kernel-address writev logged;kernel-address fault touched logged;"
done

# Secrets: what a file or a variable holds does not leave by a socket, in whatever call, 23 bytes of it in a row are enough; 22 may be too few.
head -c 900 /dev/urandom | base64 >key
printf 'add: ["key:/srv/key"]\nenv: { TOKEN: a-token-of-17-byt }\nsecret: [/srv/key, "env:TOKEN"]\n' >secret.yaml
for on in ${LOCK_MACHINES:-microvm:1 q35:4}; do
    lock "$on" secret.yaml secret secret_run secret_pieces secret_seam2 secret_udp secret_sendfile secret_ring
    all "lock/$on/secret" EACCES "secret-sent /srv/key refused" 1,4,5
    is "lock/$on/secret-peer" "$(cut -d ' ' -f 3 told | sort | uniq -c | sed 's/^ *//' | tr '\n' ';')" "6 127.0.0.1:7000/tcp;1 127.0.0.1:9/udp;"
    lock "$on" secret.yaml secret_seam
    is "lock/$on/secret-seam" "$out$(cut -d ' ' -f 1,4 told)" "secret_seam: EACCES;secret-sent /srv/key"
    lock "$on" secret.yaml secret_behind
    is "lock/$on/secret-behind" "$out$(cut -d ' ' -f 1,4 told)" "secret_behind: ok;secret-sent /srv/key"
    lock "$on" secret.yaml secret_variable
    is "lock/$on/secret-variable" "$out$(cut -d ' ' -f 1,4 told)" "secret_variable: EACCES;secret-sent env:TOKEN"
    lock "$on" secret.yaml secret_short secret_large secret_unix
    is "lock/$on/secret-others" "$out$(cat told)" "secret_short: ok;secret_large: ok;secret_unix: ok;"
done
on=microvm:1
printf 'secret: [/srv/none]\n' >none-secret.yaml
lock "$on" none-secret.yaml secret
is lock/secret-none "$status $(grep -c 'secret /srv/none: it must be there' err)" "126 1"
printf 'add: ["key:/srv/key"]\nsecret: [/srv/key]\npolicy: { secret: log }\n' >secret-log.yaml
lock "$on" secret-log.yaml secret
is lock/secret-log "$out$(cut -d ' ' -f 1,4,5 told)" "secret: ok;secret-sent /srv/key logged"

# Limits and faults: once a second, and the end; what was caught and ran what may not run.
printf 'policy: {exec: refuse}\n' >none.yaml
lock "$on" none.yaml descriptors threads
is lock/limits "$out$(tr '\n' ';' <told)" "descriptors: EMFILE;threads: EAGAIN;limit-reached dup descriptors refused;limit-reached clone3 threads refused;"
lock "$on" none.yaml memory
is lock/memory "$status $(cat told)" "137 limit-reached fault memory refused"
lock "$on" none.yaml fault
is lock/fault "$status $(cat told)" "139 program-fault fault SIGSEGV, address 0x10008 (not mapped) logged"
lock "$on" none.yaml wild
is lock/wild "$status $(sed 's/0x[0-9a-f]*/PLACE/' told)" "139 program-fault fault SIGSEGV, address PLACE (writable memory) logged"
lock "$on" none.yaml caught
is lock/caught "$status $out$(cat told)" "0 caught: EFAULT;program-fault fault caught: it ran what may not run logged"

# Policies: log lets it happen; stop ends the machine with 121 at the first, and says so.
on=microvm:1
printf 'files: {}\nconnect: []\nlisten: []\nsockets: []\nioctls: []\ndevices: []\nsyscalls: []\npolicy: {file: log, connect: log, listen: log, socket: log, argument: log, device: log, syscall: log}\n' >log.yaml
lock "$on" log.yaml open connect bind_udp ioctl device getcwd
is lock/log "$out" "open: ok;connect: ECONNREFUSED;bind_udp: ok;ioctl: ok;device: ok;getcwd: ok;"
is lock/log-kinds "$(cut -d ' ' -f 1 told | sort -u | tr '\n' ';')" "undeclared-argument;undeclared-call;undeclared-connect;undeclared-device;undeclared-file;undeclared-listen;undeclared-socket;"
is lock/log-action "$(sed 's/.* //' told | sort -u)" logged
printf 'files: {}\nconnect: []\nlisten: []\nsockets: [inet/stream, inet/dgram]\nioctls: []\ndevices: []\ncanary: [/srv/secret]\n' >base.yaml
for pair in file:write:undeclared-file canary:ring_worker:canary-file device:device:undeclared-device connect:ring_connect:undeclared-connect \
    listen:bind:undeclared-listen socket:socketpair:undeclared-socket argument:ioctl:undeclared-argument exec:execve:refused-call refused:mount:refused-call \
    identity:setuid:refused-identity mapping:write_exec:refused-mapping probe:probe_read:kernel-address probe:probe_touch:kernel-address smash:smash:stack-smash \
    limit:descriptors:limit-reached crash:wild:program-fault crash:caught:program-fault; do
    kind=${pair%%:*} event=${pair##*:} thing=${pair#*:}
    thing=${thing%:*}
    case $thing in write) without=canary ;; device) without=sockets ;; *) without=none ;; esac # a kernel that is linked without devices has none
    grep -v "^$without" base.yaml >stop.yaml
    printf 'policy: {%s: stop}\n' "$kind" >>stop.yaml
    lock "$on" stop.yaml "$thing" flood
    is "lock/stop/$thing" "$status $(grep ' stopped$' told | cut -d ' ' -f 1) stopped $(grep -c '^pith: stopped by policy: ' err)" "121 $event stopped 1"
done
printf 'syscalls: []\npolicy: {syscall: stop}\n' >stop.yaml
lock "$on" stop.yaml getcwd
is lock/stop/call "$status" 121

# The C library's check, as a report; a flood: all counted, none lost unsaid.
lock "$on" none.yaml smash
is lock/smash "$status $(cut -d ' ' -f 1,3 told | sed 's/+.*//')" "134 stack-smash do_smash"
lock "$on" none.yaml flood
is lock/flood "$(python3 -c '
import json
events = [json.loads(l) for l in open("events")]
real = [e for e in events if e["event"] != "dropped"]
print(len(real) + sum(e.get("dropped", 0) for e in events), 50 <= len(real) <= 200, any(e["event"] == "dropped" for e in events))')" "500 True True"

# To a socket that somebody listens on; nobody listens.
python3 -c '
import socket
s = socket.socket(socket.AF_UNIX)
s.bind("sock")
s.listen()
print("ready", flush=True)
s.settimeout(60)
c = s.accept()[0]
open("got", "wb").write(b"".join(iter(lambda: c.recv(4096), b"")))
' >ready &
reader=$!
pids="$pids $reader"
tries=300
while [ ! -s ready ] && [ $((tries -= 1)) -gt 0 ]; do sleep 0.1; done
vm "$on" --events unix:sock ./depart fork >/dev/null 2>&1 </dev/null
wait "$reader"
is lock/socket "$(python3 -c 'import json; print(json.load(open("got"))["call"])' 2>&1)" fork
rm -f sock
status=0
"$PITH" run --accel tcg --events unix:sock ./depart fork >/dev/null 2>err </dev/null || status=$?
is lock/socket-nobody "$status $(grep -c 'sock: cannot send events there' err)" "125 1"
