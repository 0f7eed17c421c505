#!/bin/sh
# link.sh - kernels of one program's calls run it; a call that is not in them is ENOSYS and an event with its name.
. tests/vm/lib
unset PITH_KERNEL

calls="brk, arch_prctl, set_tid_address, set_robust_list, rseq, prlimit64, readlink, getrandom, mprotect, newfstatat, write"
cc -O2 -static -o hello "$sources/examples/hello/hello.c"
cc -O2 -static -o absent "$sources/tests/vm/programs/absent.c"
printf 'program: hello\nsyscalls: [%s]\n' "$calls" >hello.yaml
printf 'program: absent\nsyscalls: [%s]\n' "$calls" >absent.yaml

"$PITH" build -M hello.yaml -o hello.img
for on in $MACHINES; do
    is "link/$on/hello" "$(vm "$on" hello.img 2>&1)" "hello from a virtual machine"
    status=0
    vm "$on" --verbose -M absent.yaml >out 2>err || status=$?
    is "link/$on/absent-status" "$status" 0
    is "link/$on/absent" "$(tr '\n' ' ' <out)" "getcwd: ENOSYS socket: ENOSYS write: ok "
    for call in getcwd socket; do
        grep -q "event .*\"call\":\"$call\"" err && ok "link/$on/event-$call" || not_ok "link/$on/event-$call" "$(grep event err | head -n 3)"
    done
done
# With all that files may need: /dev, /proc, /sys and /tmp are made at boot, before the program makes a call.
printf 'program: hello\nsyscalls: [%s, openat, read]\n' "$calls" >files.yaml
printf 'program: hello\nsyscalls: [%s, openat, read]\ndevices: [/dev/zero]\nfiles:\n  read: [/srv/]\n  write: []\n' "$calls" >device.yaml
printf 'program: hello\nsyscalls: [%s, socket]\n' "$calls" >sockets.yaml
for what in files device sockets; do
    for on in microvm:1 q35:4; do
        is "link/$on/hello-$what" "$(vm "$on" -M $what.yaml 2>&1)" "hello from a virtual machine"
    done
done
is link/run-trace "$(vm microvm:1 --trace -M hello.yaml 2>&1 >/dev/null | grep -c 'exit_group(0)')" 1

# Servers with kernels for IPv4 and TCP only.
cc -O2 -static -o httpd "$sources/examples/httpd/httpd.c"
cat >httpd.yaml <<'END'
program: httpd
syscalls: [accept4, arch_prctl, bind, brk, close, epoll_create1, epoll_ctl, epoll_wait, getpid, getrandom, listen, mprotect, newfstatat,
  prlimit64, readlink, recvfrom, rseq, rt_sigprocmask, sendto, set_robust_list, set_tid_address, setsockopt, signalfd4, socket, uname, write]
sockets: [inet/stream]
END
mkdir nginx
cp -r "$sources/examples/nginx/." nginx/
cat >>nginx/pith.yaml <<'END'
syscalls: [accept4, access, arch_prctl, bind, brk, close, connect, dup2, epoll_create, epoll_ctl, epoll_wait, eventfd2, fcntl, fstat, futex, geteuid,
  getegid, getgid, getuid, getpid, getppid, getrandom, gettid, ioctl, io_setup, io_destroy, listen, lseek, lstat, mkdir, mmap, mprotect, munmap,
  newfstatat, open, openat, pread64, prlimit64, pwrite64, read, readlink, recvfrom, rseq, rt_sigaction, rt_sigprocmask, rt_sigsuspend, sendfile,
  set_robust_list, set_tid_address, setitimer, setsockopt, socket, socketpair, stat, statfs, sysinfo, uname, unlink, write, writev]
sockets: [inet/stream, unix/stream]
files:
  read: [/etc/, /lib/, /lib64/, /usr/, /www/, /var/, /sys/devices/system/cpu/online]
  write: [/run/nginx.pid, /tmp/]
END
serve() { # NAME TEXT WHAT...
    server=$1 text=$2
    shift 2
    for on in microvm:1 q35:4; do
        port=$(free_port)
        start "$server" "$on" -p "127.0.0.1:$port:80" "$@"
        wait_for 60 curl -sf --max-time 5 "http://127.0.0.1:$port/"
        if curl -s --max-time 20 "http://127.0.0.1:$port/" | grep -q "$text"; then ok "link/$on/$server"; else not_ok "link/$on/$server" "$(tail -n 3 "$server.log")"; fi
        kill -TERM "$pid"
        status=0
        wait "$pid" || status=$?
        is "link/$on/$server-stop" "$status" 0
    done
}
serve httpd 'unmodified Linux program' -M httpd.yaml
serve nginx 'Pith' nginx
# How large the kernels are; another compiler than gcc 12 may need HTTPD_BYTES and NGINX_BYTES.
size() { # NAME BYTES WHAT...
    "$PITH" build -o "$1.img" $3 && "$PITH" inspect --json "$1.img" >"$1.json"
    bytes=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["kernel_bytes"])' "$1.json")
    if [ "$bytes" -le "$2" ]; then ok "link/$1-bytes"; else not_ok "link/$1-bytes" "$bytes, for $2"; fi
}
size httpd "${HTTPD_BYTES:-294912}" "-M httpd.yaml"
size nginx "${NGINX_BYTES:-376832}" nginx
