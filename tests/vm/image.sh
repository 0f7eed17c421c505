#!/bin/sh
# image.sh - images as machines, printed command lines, networks other than the usual one.
# shellcheck disable=SC2154
. tests/vm/lib

cat >args.c <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	char cwd[256];
	for (int i = 0; i < argc; i++)
		printf("[%s]", argv[i]);
	printf(" %s %s\n", getenv("COLOUR") ? getenv("COLOUR") : "-", getcwd(cwd, sizeof cwd));
	return argc;
}
END
cc -O2 -o args args.c
"$PITH" build -o args.img -e COLOUR=red -w /tmp ./args one 'two words'
status=0
out=$(vm microvm:1 args.img </dev/null) || status=$?
is image/status "$status" 3
is image/output "$out" "[./args][one][two words] red /tmp"
status=0
out=$(vm q35:1 -e COLOUR=blue -w / args.img other </dev/null) || status=$?
is image/replaced-status "$status" 2
is image/replaced-output "$out" "[./args][other] blue /"

# The files' times: one for all, or their own up to the one that is asked for.
echo old >old && touch -d @1500000000 old
echo new >new
file_times() { vm microvm:1 --net none -a old:/old -a new:/new /usr/bin/stat -c %Y /old /new /etc/passwd </dev/null | tr '\n' ' '; }
is image/times "$(unset SOURCE_DATE_EPOCH; file_times)" "0 0 0 "
is image/times-kept "$(export SOURCE_DATE_EPOCH=1600000000; file_times)" "1500000000 1600000000 1600000000 "

# The printed command line runs as it stands; QEMU itself is started by it.
for machine in microvm q35 pc; do
    line=$("$PITH" run --accel tcg --machine $machine --net none --dry-run ./args x)
    is "dry-run/$machine" "$(timeout -k 5 60 sh -c "$line" </dev/null 2>/dev/null | cat)" "[./args][x] - /"
done
line=$("$PITH" run --accel tcg --net none --dry-run /usr/bin/sort)
is dry-run/stdin "$(printf 'b\na\n' | timeout -k 5 60 sh -c "$line" 2>/dev/null | cat | tr '\n' ' ')" "a b "

# A tap interface in a network namespace of our own, with a fixed address.
cc -O2 -o httpd "$sources/examples/httpd/httpd.c"
cat >tap.sh <<'END'
ip link set lo up
ip tuntap add pithtap0 mode tap
ip addr add 10.77.0.1/24 dev pithtap0
ip link set pithtap0 up
timeout -k 5 60 "$PITH" run --accel tcg --machine "$1" --net tap=pithtap0 --ip 10.77.0.2/24 --gateway 10.77.0.1 ./httpd 80 </dev/null >tap.log 2>&1 &
pid=$!
tries=0
until curl -s --max-time 2 http://10.77.0.2/ >page; do
    tries=$((tries + 1))
    [ $tries -lt 60 ] && kill -0 $pid || break
    sleep 0.2
done
kill -TERM $pid
wait $pid
echo "status $?" >>page
END
# Root needs no user namespace for it (and cannot have one inside a chroot).
own="-rn"
[ "$(id -u)" -ne 0 ] || own="-n"
for machine in microvm q35; do
    PITH=$PITH timeout -k 5 120 unshare $own sh tap.sh $machine
    is "tap/$machine/page" "$(head -n 1 page | cut -c1-5)" Hello
    is "tap/$machine/stopped" "$(tail -n 1 page)" "status 0"
done

# The VM is told a fixed address on the user network too.
port=$(free_port)
start fixed microvm:1 --ip 10.0.2.15/24 --gateway 10.0.2.2 -p 127.0.0.1:$port:80 ./httpd 80
wait_for 30 curl -s -o page --max-time 2 "http://127.0.0.1:$port/"
is fixed-address "$(head -c 5 page)" Hello
kill -TERM $pid
wait $pid
is fixed-address/stopped "$?" 0
