#!/bin/sh
# make install: the installed command finds its kernel, runs a program, and its manual pages are there.
. tests/cli/lib
unset PITH_KERNEL
build=${PITH%/*}

# install NAME PREFIX DESTDIR: with the build that is there.
install_into() {
    if (cd "$sources" && make -s B="$build" CC="${CC:-gcc}" HOSTCC="${HOSTCC:-gcc}" -o all install PREFIX="$2" DESTDIR="$3") >make.log 2>&1; then ok "$1"; else not_ok "$1" "$(tail -n 3 make.log | tr '\n' ' ')"; fi
}
install_into install "$dir/here/usr" ''
for f in bin/pith lib/pith/kernel.elf lib/pith/pith.elf.debug share/man/man1/pith.1 share/man/man1/pith-run.1 share/man/man5/pith.yaml.5; do
    check "there-$f" "$f is not installed" test -s "usr/$f"
done
for f in "$sources"/docs/man/*; do
    name=${f##*/}
    check "page-$name" "$name is not installed" cmp -s "$f" "usr/share/man/man${name##*.}/$name"
done
check bin-executable "the command cannot be executed" test -x usr/bin/pith
expect_ok version usr/bin/pith --version
expect_ok doctor usr/bin/pith doctor
check doctor-kernel "doctor does not find the installed kernel" grep -qE "^kernel +ok .*usr/bin/../lib/pith/kernel.elf" "$dir/out"
cc -O2 -static -o hello "$sources/examples/hello/hello.c"
expect_ok runs usr/bin/pith run --accel tcg --net none ./hello
check runs-hello "not hello's words" sh -c './hello | cmp -s - "$1"' sh "$dir/out"

# Found by a link in PATH, from another place, and after the whole tree was moved.
mkdir links
ln -s ../usr/bin/pith links/pith
PATH=$dir/here/links:$PATH expect_ok by-link pith run --accel tcg --net none ./hello
mv usr moved
expect_ok moved moved/bin/pith run --accel tcg --net none ./hello
rm moved/lib/pith/kernel.elf
expect no-kernel 125 'the kernel: neither beside' moved/bin/pith run --accel tcg ./hello

# For packages: another root.
install_into destdir /usr "$dir/here/stage"
check destdir-bin "not below DESTDIR" test -x stage/usr/bin/pith
expect_ok destdir-runs stage/usr/bin/pith run --accel tcg --net none ./hello
