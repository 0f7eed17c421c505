#!/bin/sh
# pith doctor --program: the calls that real programs may make, found without running them.
. tests/cli/lib

# doctor NAME STATUS PROGRAM: the report in ./report, its exit status checked.
doctor() {
    status=0
    timeout -k 5 60 "$PITH" doctor --json --program "$3" >report 2>err || status=$?
    if [ "$status" -eq "$2" ] && [ ! -s err ]; then ok "$1"; else not_ok "$1" "exit status $status, not $2: $(head -n 1 err)"; fi
}
# ask NAME EXPRESSION: Python's truth about the report r; level(NAME) is a call's level or None.
ask() {
    if python3 - "$2" 2>ask.err <<'END'
import json, sys
r = json.load(open("report"))
calls = {c["name"]: c for c in r["calls"]}
level = lambda name: calls[name]["level"] if name in calls else None
sys.exit(0 if eval(sys.argv[1]) else 1)
END
    then ok "$1"; else not_ok "$1" "not so: $2: $(tail -n 1 ask.err) $(tr -d '\n ' <report | cut -c 1-200)"; fi
}

# A plain program misses nothing, however it is linked.
printf '#include <stdio.h>\nint main(void) { printf("hi %%d\\n", 3); return 0; }\n' >plain.c
cc -O2 -o dynamic plain.c
cc -O2 -static -o static plain.c
musl-gcc -O2 -static -o musl-static plain.c
musl-gcc -O2 -o musl-dynamic plain.c
for kind in dynamic static musl-static musl-dynamic; do
    doctor plain-$kind 0 ./$kind
    ask plain-$kind-calls 'r["ok"] and r["jit"] == "no" and not r["starts"] and not r["missing"] and level("exit_group") == "complete"'
done
doctor plain 0 ./musl-static
ask plain-musl 'level("writev") == "complete" and level("execve") is None'
doctor plain 0 ./dynamic
ask plain-few 'len(calls) < 60 and level("write") == "complete" and level("mmap") == "complete"'

# Numbers: in the instruction's own function, through the library's syscall(), through wrappers of one's own.
cat >numbers.c <<'END'
#include <sys/syscall.h>
#include <unistd.h>
static __attribute__((noinline)) long wrapper(long a, long number, long b)
{
	long result;
	__asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b) : "rcx", "r11", "memory");
	return result;
}
static __attribute__((noinline)) long outer(long x, long number) { return wrapper(x, number, 0) + 1; }
int main(int argc, char **argv)
{
	long result;
	__asm__ volatile("syscall" : "=a"(result) : "a"(312L), "D"(0L) : "rcx", "r11", "memory"); /* kcmp */
	return (int)(result + syscall(SYS_io_uring_setup, 1, 0) + outer(argc, SYS_lookup_dcookie) + wrapper(1, SYS_getpid, 2));
}
END
for options in '-O2' '-O0' '-O2 -static' '-O2 -fno-plt' '-O2 -no-pie -s'; do
    # shellcheck disable=SC2086
    cc $options -o numbers numbers.c
    doctor "numbers $options" 1 ./numbers
    ask "numbers $options: direct" 'level("kcmp")'
    ask "numbers $options: by syscall()" 'level("io_uring_setup")'
    ask "numbers $options: by wrappers" 'level("lookup_dcookie") and level("getpid") == "complete"'
done

# What starts others, and what makes code.
printf '#include <stdlib.h>\nint main(void) { return system("true"); }\n' >system.c
cc -O2 -o system system.c
doctor starts 1 ./system
ask starts-system 'r["starts"] == ["system"] and level("clone3") == "part" and any("one process" in h for h in r["hints"])'
cat >jit.c <<'END'
#include <sys/mman.h>
int main(void) { return mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED; }
END
cc -O2 -o jit jit.c
doctor jit 0 ./jit
ask jit-certain 'r["jit"] == "yes" and any("allow: [jit]" in h for h in r["hints"])'

# Programs of the distribution.
doctor nginx 1 "$(command -v nginx || echo /usr/sbin/nginx)"
ask nginx-calls 'level("execve") == "refused" and level("epoll_wait") == "complete" and level("accept4") == "complete" and "fork" in r["starts"]'
ask nginx-hint 'any("master_process off" in h for h in r["hints"]) and not r["missing"]'
doctor redis 1 /usr/bin/redis-server
ask redis-hint 'any("--save" in h for h in r["hints"]) and "fork" in r["starts"]'
doctor bash 1 /bin/bash
ask bash-calls 'level("execve") == "refused" and "fork" in r["starts"] and r["jit"] == "no"'
doctor python 1 "$(readlink -f /usr/bin/python3)"
ask python-calls 'level("vfork") == "refused" and level("chroot") == "refused" and level("getpid") == "complete" and calls["chroot"]["note"]'
cat >main.go <<'END'
package main

import (
	"fmt"
	"syscall"
)

func main() {
	r, _, _ := syscall.Syscall(syscall.SYS_LOOKUP_DCOOKIE, 0, 0, 0)
	fmt.Println(r)
}
END
GOCACHE=$dir/go GO111MODULE=off CGO_ENABLED=0 go build -ldflags='-s -w' -o go-stripped main.go 2>go.err || not_ok go-builds "$(head -n 1 go.err)"
doctor go 1 ./go-stripped
ask go-calls 'level("lookup_dcookie") and level("futex") == "complete" and level("epoll_pwait") == "complete" and level("execve") is None'

# Files that are added count, by options and by a manifest.
cc -shared -fPIC -o plugin.so -x c - <<'END'
#include <sys/socket.h>
int plug(void) { return listen(3, 1); }
END
printf '#include <dlfcn.h>\nint main(void) { return !dlopen("./plugin.so", RTLD_NOW); }\n' >loads.c
cc -O2 -o loads loads.c
doctor loads 0 ./loads
ask loads-says 'level("listen") is None and any("dlopen" in h for h in r["hints"])'
printf 'program: ./loads\nadd: ["plugin.so:/app/"]\n' >pith.yaml
"$PITH" doctor --json -M pith.yaml >report 2>err
ask manifest-adds 'level("listen") == "complete" and r["program"].endswith("/loads")'
"$PITH" doctor --json --program ./loads -a plugin.so:/app/ >report 2>err
ask option-adds 'level("listen") == "complete"'
"$PITH" doctor --json . >report 2>err
ask directory-adds 'level("listen") == "complete"'
expect nobody 2 'no program is named' "$PITH" doctor -a plugin.so:/app/
rm pith.yaml

# What is missing around it.
cc -shared -fPIC -Wl,-soname,libpithgone.so.3 -o libpithgone.so -x c - <<'END'
int value(void) { return 7; }
END
printf 'int value(void);\nint main(void) { return value() - 7; }\n' >needs.c
cc -o needs needs.c ./libpithgone.so
rm libpithgone.so
doctor missing-library 1 ./needs
ask missing-library-named 'len(r["missing"]) == 1 and "libpithgone.so.3" in r["missing"][0]'
cc -o no-interpreter plain.c -Wl,--dynamic-linker=/lib/ld-pith-none.so.1
doctor missing-interpreter 1 ./no-interpreter
ask missing-interpreter-named 'any("ld-pith-none" in h for h in r["hints"]) and not r["ok"]'
printf '#!/bin/bash\nls\n' >script
chmod +x script
doctor script 1 ./script
ask script-interpreter 'r["program"].endswith("/bash")'
expect text 126 'neither an ELF' "$PITH" doctor --program ./plain.c
expect gone 127 'no such file' "$PITH" doctor --program ./gone
expect argument 2 'takes no argument' "$PITH" doctor ./dynamic
check text-form "the text form does not show what is refused" sh -c '"$1" doctor --program /bin/bash | grep -q "execve .*one program"' sh "$PITH"

# Damaged files end with a word, not with a crash.
for cut in 64 200 800 4000 9000; do
    head -c "$cut" dynamic >short
    chmod +x short
    status=0
    timeout -k 5 20 "$PITH" doctor --program ./short >out 2>&1 || status=$?
    case "$status" in 0 | 1 | 126) ok "cut-$cut" ;; *) not_ok "cut-$cut" "exit status $status" ;; esac
done
