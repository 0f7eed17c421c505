#!/bin/sh
# Every bad input: one line, the right exit status, nothing left behind.
. tests/cli/lib

# Programs that are none.
expect no-such-file 127 'no such file' "$PITH" run ./nothing
expect no-such-command 127 'no such file here or in PATH' "$PITH" run nothing-of-this-name
expect empty-name 127 'empty' "$PITH" run ''
printf 'plain text, no program\n' >text
chmod +x text
expect no-elf 126 'neither an ELF program' "$PITH" run ./text
expect no-elf-build 126 'neither an ELF program' "$PITH" build -o out.img ./text
: >empty
chmod +x empty
expect empty-file 126 'the file is empty' "$PITH" run ./empty
expect directory 126 'a directory' "$PITH" run .
expect device 126 'a special file' "$PITH" run /dev/null
ln -s nowhere dangling
expect dangling-link 127 'no such file' "$PITH" run ./dangling
cp /bin/true noexec
chmod 644 noexec
expect not-executable 126 'chmod \+x' "$PITH" run ./noexec
if [ "$(id -u)" -ne 0 ]; then
    cp /bin/true unreadable
    chmod 111 unreadable
    expect unreadable 126 'Permission denied' "$PITH" run ./unreadable
else
    ln -s loop-b loop-a
    ln -s loop-a loop-b
    expect unreadable 126 'cannot open: Too many levels' "$PITH" run ./loop-a
fi

# ELF files that cannot run here. e_machine is at 18, e_type at 16, the class at 4.
patch_byte() { printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null; }
cp /bin/true arm
patch_byte arm 18 '\267'
expect other-machine 126 'built for aarch64' "$PITH" run ./arm
cp /bin/true bits32
patch_byte bits32 4 '\001'
patch_byte bits32 18 '\003'
expect other-class 126 '32-bit|damaged' "$PITH" run ./bits32
cp /bin/true object
patch_byte object 16 '\001'
expect object-file 126 'object file' "$PITH" run ./object
head -c 40 /bin/true >short
chmod +x short
expect cut-elf 126 'damaged' "$PITH" run ./short
head -c 4000 /bin/true >short2
chmod +x short2
expect cut-elf-later 126 'damaged' "$PITH" run ./short2

# Libraries and interpreters that are missing.
cat >lib.c <<'END'
int f(void) { return 0; }
END
cat >main.c <<'END'
int f(void);
int main(void) { return f(); }
END
cc -shared -fPIC -Wl,-soname,libpithmissing.so.7 -o libpithmissing.so lib.c
cc -o needs main.c -L. -lpithmissing
expect missing-library 126 'needs the library libpithmissing.so.7' "$PITH" run ./needs
expect missing-library-build 126 'needs the library libpithmissing.so.7' "$PITH" build -o out.img ./needs
cc -o nointerp lib.c main.c -Wl,--dynamic-linker=/nowhere/ld.so
expect missing-interpreter 126 'interpreter /nowhere/ld.so is not on this host' "$PITH" run ./nointerp
cc -o badinterp lib.c main.c -Wl,--dynamic-linker=/etc/passwd
expect interpreter-no-elf 126 'interpreter /etc/passwd is no x86-64 ELF' "$PITH" run ./badinterp
printf '#!/nowhere/python\n' >script
chmod +x script
expect missing-script-interpreter 126 'interpreter /nowhere/python is not on this host' "$PITH" run ./script
printf '#!\n' >script-empty
chmod +x script-empty
expect script-without-interpreter 126 'names no interpreter' "$PITH" run ./script-empty
printf '#!%s/loop\n' "$dir/here" >loop
chmod +x loop
expect script-loop 126 'without end' "$PITH" run ./loop

# The host.
expect bad-kernel-path 125 'PITH_KERNEL' env PITH_KERNEL=/nowhere "$PITH" run /bin/true
expect kernel-no-elf 125 'no x86-64 kernel' env PITH_KERNEL=/etc/passwd "$PITH" run /bin/true
mkdir bin
ln -s "$(command -v mkfs.erofs)" bin/mkfs.erofs
expect no-qemu 125 'qemu-system-x86_64: not found in PATH; install it' env PATH="$dir/here/bin" "$PITH" run /bin/true
rm bin/mkfs.erofs
expect no-mkfs 125 'mkfs.erofs: not found in PATH; install it' env PATH="$dir/here/bin" "$PITH" build -o out.img /bin/false
expect too-little-memory 125 'too little' "$PITH" run -m 1M /bin/true
expect no-such-tap 125 'no tap interface pithnothere' "$PITH" run --accel tcg --net tap=pithnothere /bin/true
expect cache-not-writable 125 'cache' env XDG_CACHE_HOME=/dev/null "$PITH" run /bin/true
expect output-not-writable 125 'cannot' "$PITH" build -o /nowhere/out.img /bin/true

# A port that something listens on.
port=18471
cat >listen.c <<'END'
#include <arpa/inet.h>
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(atoi(argv[argc - 1])) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	return bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 1) || write(1, "x", 1) != 1 || pause();
}
END
cc -o listen listen.c
./listen $port >ready &
listener=$!
while [ ! -s ready ] && kill -0 $listener 2>/dev/null; do sleep 0.05; done
expect port-in-use 125 "port $port is in use" "$PITH" run -p $port:80 /bin/true
expect port-in-use-address 125 "port $port is in use" "$PITH" run -p 127.0.0.1:$port:80 /bin/true
kill $listener
wait $listener 2>/dev/null

# The words.
expect no-program 2 'no program' "$PITH" run
expect no-image-name 2 'no image' "$PITH" build /bin/true
expect no-such-subcommand 2 'no such command' "$PITH" fly
expect learn-no-file 2 'no file is named; pith learn' "$PITH" learn /bin/true
expect learn-there 2 'it is there already; give --merge' "$PITH" learn -o /etc/hosts /bin/true
expect learn-no-program 2 'no program is named; pith learn' "$PITH" learn -o x.yaml
expect learn-events 2 'no such option' "$PITH" learn --events x -o x.yaml /bin/true
expect events-nowhere 125 'cannot write events there' "$PITH" run --accel tcg --events /nonexistent/x /bin/true
expect events-no-path 2 'no path of a socket' "$PITH" run --accel tcg --events unix: /bin/true
expect profile-nowhere 125 '/nonexistent' "$PITH" run --accel tcg --profile /nonexistent/x /bin/true
expect profile-detached 2 'leave -d out' "$PITH" run -d --profile x /bin/true
expect profile-printed 2 'leave --dry-run out' "$PITH" run --dry-run --profile x /bin/true
expect bad-option 2 'no such option' "$PITH" run --fast /bin/true
expect bad-letter 2 'no such option' "$PITH" run -Z /bin/true
expect option-without-value 2 'needs a value' "$PITH" run --memory
expect flag-with-value 2 'takes no value' "$PITH" run --trace=1 /bin/true
expect bad-memory 2 'no size' "$PITH" run -m lots /bin/true
expect bad-cpus 2 'no number' "$PITH" run -c 0 /bin/true
expect bad-machine 2 'choose one of' "$PITH" run --machine toaster /bin/true
expect bad-disk 2 'choose one of' "$PITH" run --accel tcg --disk floppy /bin/true
expect nvme-microvm 2 'microvm has no PCI' "$PITH" run --accel tcg --machine microvm --disk nvme /bin/true
expect bad-accel 2 'choose one of' "$PITH" run --accel warp /bin/true
expect bad-net 2 'choose one of' "$PITH" run --net carrier /bin/true
expect bad-publish 2 'names no ports' "$PITH" run -p 80 /bin/true
expect bad-publish-range 2 'names no ports' "$PITH" run -p 70000:80 /bin/true
expect publish-without-net 2 'only with --net user' "$PITH" run --net none -p 80:80 /bin/true
expect bad-ip 2 'no address' "$PITH" run --ip 10.0.0.300/24 /bin/true
expect bad-ip6 2 'no address' "$PITH" run --ip fd00::1/129 /bin/true
expect bad-ip6-tail 2 'no address' "$PITH" run --ip ::1.2.3.4/64 /bin/true
expect two-ips-of-a-family 2 'one of IPv6' "$PITH" run --ip fd00::1/64 --ip fd00::2/64 /bin/true
expect bad-gateway6 2 'no IP address' "$PITH" run --ip fd00::1/64 --gateway fd00::g /bin/true
expect bad-dns6 2 'no IP address' "$PITH" run --dns fe80::1%eth0 /bin/true
expect bad-env 2 'no variable' "$PITH" run -e =x /bin/true
expect bad-workdir 2 'not absolute' "$PITH" run -w tmp /bin/true
expect add-missing 125 'cannot add it' "$PITH" run -a /nowhere/file /bin/true
expect add-relative 2 'absolute place' "$PITH" run -a /etc/passwd:etc/passwd /bin/true
expect env-file-missing 125 'cannot read' "$PITH" run --env-file /nowhere/env /bin/true
expect inspect-nothing 2 'give one image' "$PITH" inspect
expect inspect-missing 127 'cannot open' "$PITH" inspect ./nothing.img
expect inspect-no-image 126 'no good image' "$PITH" inspect /bin/true
long=$(printf 'line\nbreak')
expect name-with-newline 127 'line\?break' "$PITH" run "./$long"
