#!/bin/sh
# verity.sh - an image's root is altered while the machine runs: the pages that changed cannot be read, the others can, and
# the host hears of it.
# shellcheck disable=SC2154
. tests/vm/lib

cat >reader.c <<'END'
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#define LEN (1 << 20)
static sigjmp_buf out;
static void on_bus(int signo, siginfo_t *info, void *context) { siglongjmp(out, info->si_code); }
static void show(int fd, int block)
{
	static char page[4096];
	ssize_t n = pread(fd, page, sizeof page, block * 4096L);
	char *map = mmap(NULL, LEN, PROT_READ, MAP_SHARED, fd, 0);
	int code;

	printf("block %d: read %s, ", block, n < 0 ? strerrorname_np(errno) : n == 4096 ? "good" : "short");
	code = sigsetjmp(out, 1);
	if (code == 0)
		printf("mapped %d\n", map[block * 4096L] == page[0]);
	else
		printf("SIGBUS code %d\n", code);
	munmap(map, LEN);
}
int main(void)
{
	struct sigaction sa = { .sa_sigaction = on_bus, .sa_flags = SA_SIGINFO };
	int fd = open("/data", O_RDONLY);

	sigaction(SIGBUS, &sa, NULL);
	puts("ready");
	fflush(stdout);
	getchar();
	for (int block = 99; block <= 101; block++)
		show(fd, block);
	show(fd, 200);
	return 0;
}
END
cc -O2 -D_GNU_SOURCE -static -o reader reader.c
python3 -c 'open("data", "wb").write(b"".join(b"block %d of the data\n" % i + bytes(4096 - len(b"block %d of the data\n" % i)) for i in range(256)))'
"$PITH" build -o reader.img -a data:/data ./reader
# Flip one bit of the data's block 100 and one of its block 200, by the texts that stand there.
flip() {
    python3 - "$@" <<'END'
import sys
d = open(sys.argv[1], "r+b")
whole = d.read()
for n in sys.argv[2:]:
    at = whole.index(b"block %s of the data" % n.encode())
    d.seek(at + 3000)
    d.write(b"\x04")
END
}
for machine in "microvm 1" "q35 4"; do
    cp reader.img run.img
    mkfifo in
    timeout -k 5 60 "$PITH" run --accel tcg --verbose --net none --machine ${machine% *} -c ${machine#* } run.img <in >out 2>err &
    pid=$!
    exec 5>in
    wait_for 30 grep -q ready out
    flip run.img 100 200
    echo go >&5
    exec 5>&-
    status=0
    wait $pid || status=$?
    rm in
    name=verity/${machine% *}
    is "$name/status" "$status" 0
    is "$name/neighbours" "$(grep -E '^block (99|101):' out | tr '\n' ' ')" "block 99: read good, mapped 1 block 101: read good, mapped 1 "
    is "$name/altered" "$(grep -E '^block (100|200):' out | tr '\n' ' ')" "block 100: read EIO, SIGBUS code 2 block 200: read EIO, SIGBUS code 2 "
    # One event for each block, with the place in the root and in the file.
    is "$name/events" "$(sed -n 's/^event .*"event":"altered-root".*"file_offset":\([0-9]*\).*"action":"refused".*/\1/p' err | tr '\n' ' ')" "409600 819200 "
done

# By policy the machine ends.
cat >m.yaml <<'END'
program: ./reader
add:
  - data:/data
policy:
  root: stop
END
"$PITH" build -M m.yaml -o run.img
mkfifo in
timeout -k 5 60 "$PITH" run --accel tcg --verbose --net none run.img <in >out 2>err &
pid=$!
exec 5>in
wait_for 30 grep -q ready out
flip run.img 100
echo go >&5
exec 5>&-
status=0
wait $pid || status=$?
rm in
is verity/stop/status "$status" 121
is verity/stop/says "$(grep -c 'stopped by policy: the root was altered: its block [0-9]* does not match' err)" 1
is verity/stop/event "$(grep -c '^event .*"event":"altered-root".*"action":"stopped"' err)" 1
is verity/stop/no-further "$(grep -c 'block 100' out)" 0

# A root whose first block was altered is not mounted. (The command would refuse it: its line for the VMM is used.)
cp reader.img run.img
line=$("$PITH" run --accel tcg --verbose --net none --dry-run run.img)
python3 -c '
d = open("run.img", "r+b")
whole = d.read()
d.seek(next(at for at in range(1 << 20, len(whole), 1 << 20) if whole[at + 1024:at + 1028] == b"\xe2\xe1\xf5\xe0") + 3000)
d.write(b"\x55")'
timeout -k 5 60 sh -c "$line" </dev/null >out 2>&1
is verity/not-mounted "$(grep -c 'cannot run: the root file system was altered: its block 0' out)" 1
is verity/not-started "$(grep -c ready out)" 0
