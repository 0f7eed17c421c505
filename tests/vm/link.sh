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
# A flood of them: each is counted, although most are never looked at.
cat >flood.c <<'END'
#include <sys/syscall.h>
#include <unistd.h>
int main(void)
{
	char name[100];
	long known = 0;

	for (int i = 0; i < 3000; i++)
		known += syscall(i & 1 ? SYS_getcwd : 999, name, sizeof name) >= 0;
	return known != 0;
}
END
cc -O1 -static -o flood flood.c
sed 's/^program:.*/program: flood/' hello.yaml >flood.yaml
status=0
vm microvm:1 --events events -M flood.yaml >out 2>&1 || status=$?
is link/flood "$status $(python3 -c '
import json
events = [json.loads(l) for l in open("events")]
real = [e for e in events if e["event"] == "absent-call"]
print(len(real) + sum(e.get("dropped", 0) for e in events), len(real) >= 50)')" "0 3000 True"
# With all that files may need: /dev, /proc, /sys and /tmp are made at boot, before the program makes a call.
printf 'program: hello\nsyscalls: [%s, openat, read]\n' "$calls" >files.yaml
printf 'program: hello\nsyscalls: [%s, openat, read]\ndevices: [/dev/zero]\nfiles:\n  read: [/srv/]\n  write: []\n' "$calls" >device.yaml
printf 'program: hello\nsyscalls: [%s, socket]\n' "$calls" >sockets.yaml
for what in files device sockets; do
    for on in microvm:1 q35:4; do
        is "link/$on/hello-$what" "$(vm "$on" -M $what.yaml 2>&1)" "hello from a virtual machine"
    done
done
# For microvm only, and without what no list tells: no PCI, no registers and backtraces, no vDSO, no balloon.
cat hello.yaml - >tight.yaml <<'END'
machine: microvm
without: [crash-report, vdso, balloon]
files: { read: [], write: [] }
END
"$PITH" build -M tight.yaml -o tight.img
for on in microvm:1 microvm:4; do is "link/$on/tight" "$(vm "$on" tight.img 2>&1)" "hello from a virtual machine"; done
for on in q35:1 pc:4; do
    is "link/$on/tight" "$(vm "$on" tight.img 2>&1)" "pith: --machine: the image's kernel is linked without PCI; it is for microvm"
done
# A dynamic program, a script, one that dies, one that asks for the time: with what each needs, and without.
cc -O2 -o dynamic "$sources/examples/hello/hello.c"
printf '#!%s/hello\n' "$dir" >script
chmod +x script
cat >die.c <<'END'
int main(void) { return *(volatile int *)8; }
END
cat >clock.c <<'END'
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
int main(void)
{
	struct timespec t;
	int r = clock_gettime(CLOCK_REALTIME, &t);

	printf("clock: %s\n", r ? strerrorname_np(errno) : t.tv_sec > 1600000000 ? "now" : "wrong");
	return 0;
}
END
cc -O1 -static -o die die.c
cc -O1 -D_GNU_SOURCE -static -o clock clock.c
{ printf 'program: dynamic\nsyscalls: [%s, mmap, munmap, pread64, read, openat, close, fstat, access]\n' "$calls"; } >dynamic.yaml
for what in script die clock; do
    sed "s/^program:.*/program: $what/" hello.yaml >$what.yaml
    sed "s/^program:.*/program: $what/" tight.yaml >$what-tight.yaml
done
sed 's/write\]$/write, clock_gettime]/' clock-tight.yaml >clock-call.yaml
for on in microvm:1 q35:4; do
    is "link/$on/dynamic" "$(vm "$on" -M dynamic.yaml 2>&1)" "hello from a virtual machine"
    is "link/$on/script" "$(vm "$on" -M script.yaml 2>&1)" "hello from $dir/script"
    is "link/$on/clock" "$(vm "$on" -M clock.yaml 2>&1)" "clock: now"
    vm "$on" -M die.yaml >out 2>&1
    is "link/$on/die" "$? $(grep -c 'crash:  rip' out) $(grep -c 'crash:  #0 .* main+' out)" "139 1 1"
done
is link/clock-without "$(vm microvm:1 -M clock-tight.yaml 2>&1)" "clock: ENOSYS"
is link/clock-call "$(vm microvm:1 -M clock-call.yaml 2>&1)" "clock: now"
vm microvm:1 --events events -M die-tight.yaml >out 2>&1
is link/die-tight "$? $(grep -c 'crash: SIGSEGV (11) killed' out) $(grep -c 'crash:  rip' out) $(grep -c '"event":"program-fault".*address 0x8 (a null pointer)' events)" "139 1 0 1"
is link/script-tight "$(vm microvm:1 -M script-tight.yaml 2>&1)" "hello from $dir/script"
is link/run-trace "$(vm microvm:1 --trace -M hello.yaml 2>&1 >/dev/null | grep -c 'exit_group(0)')" 1

# Files and sockets by io_uring alone: with the calls that do the same named, with all calls, and with no others than io_uring's own.
cc -std=gnu17 -O2 -D_GNU_SOURCE -static -pthread -I"$sources/tests/abi" -o ringfiles "$sources/tests/vm/programs/ringfiles.c"
ring="read, write, fstat, newfstatat, brk, mmap, mprotect, munmap, io_uring_setup, io_uring_enter, arch_prctl, set_tid_address, set_robust_list, rseq,
  prlimit64, readlink, readlinkat, getrandom"
printf 'program: ringfiles\nsyscalls: [%s, mkdirat, openat, pwrite64, symlinkat, linkat, renameat2, fallocate, statx, fsetxattr, fgetxattr, unlinkat,
  pread64, fsync, socket, connect, accept4]\nsockets: [inet/stream]\n' "$ring" >ring-calls.yaml
printf 'program: ringfiles\nsockets: [inet/stream]\n' >ring-any.yaml
printf 'program: ringfiles\nsyscalls: [%s]\nsockets: [inet/stream]\n' "$ring" >ring-only.yaml
all="mkdirat openat write symlinkat linkat renameat fallocate statx fsetxattr fgetxattr tmpfile unlinkat read fsync"
for what in calls any; do
    is "link/ring-$what" "$(vm microvm:1 -M ring-$what.yaml 2>&1 | tr '\n' ' ')" \
        "$(echo "$all close socket " | sed 's/ /: ok /g; s/fsetxattr/size: 8192 fsetxattr/')connect: ECONNREFUSED accept: EINVAL "
done
is link/ring-only "$(vm microvm:1 --events events -M ring-only.yaml 2>&1 | tr '\n' ' ')" \
    "$(echo "$all " | sed 's/ /: EPERM /g; s/fsetxattr/size: 0 fsetxattr/')close: EBADF socket: EPERM connect: EPERM accept: EPERM "
is link/ring-only-events "$(grep -c '"event":"undeclared-call","call":"io_uring_enter"' events)" 17

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
    for on in $serve_on; do
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
serve_on="microvm:1 q35:4"
serve httpd 'unmodified Linux program' -M httpd.yaml
serve nginx 'Pith' nginx
# For microvm only, and without what no list tells.
cat httpd.yaml - >httpd-tight.yaml <<'END'
machine: microvm
without: [crash-report, vdso, balloon]
files: { read: [], write: [] }
END
serve_on="microvm:1 microvm:4"
serve httpd-tight 'unmodified Linux program' -M httpd-tight.yaml
# How large the kernels are; another compiler than gcc 12 may need HTTPD_BYTES and NGINX_BYTES.
size() { # NAME BYTES WHAT...
    "$PITH" build -o "$1.img" $3 && "$PITH" inspect --json "$1.img" >"$1.json"
    bytes=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["kernel_bytes"])' "$1.json")
    if [ "$bytes" -le "$2" ]; then ok "link/$1-bytes"; else not_ok "link/$1-bytes" "$bytes, for $2"; fi
}
size hello "${HELLO_BYTES:-163840}" "-M hello.yaml"
size tight "${TIGHT_BYTES:-141312}" "-M tight.yaml"
size httpd "${HTTPD_BYTES:-294912}" "-M httpd.yaml"
size httpd-tight "${HTTPD_TIGHT_BYTES:-276480}" "-M httpd-tight.yaml"
size nginx "${NGINX_BYTES:-376832}" nginx
