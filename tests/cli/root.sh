#!/bin/sh
# What goes into a root: links, libraries by the loader's rules, scripts, added files.
. tests/cli/lib

cc -O2 -o fake-vmm "$sources/tests/cli/fake_vmm.c"
PITH_QEMU=$dir/here/fake-vmm
FAKE_VMM=config
export PITH_QEMU FAKE_VMM

# unpack NAME OPTIONS...: builds the root as run would and unpacks it into ./NAME.
unpack() {
    name=$1
    shift
    "$PITH" run --accel tcg --dry-run "$@" >line 2>err || { not_ok "$name" "$(cat err)"; return 1; }
    root=$(sed 's/.*file.filename=\([^ ]*\).*/\1/' line)
    rm -rf "$name"
    mkdir "$name"
    fsck.erofs --extract="$name" "$root" >/dev/null 2>&1
    # fsck.erofs 1.5 leaves symbolic links as they are in the image.
}
has() { check "$1" "$3 is not in the root" test -e "$2/$3" -o -L "$2/$3"; }
hasnt() { check "$1" "$3 is in the root" test ! -e "$2/$3"; }

unpack sort /usr/bin/sort
has program sort usr/bin/sort
has interpreter sort lib64/ld-linux-x86-64.so.2
for d in dev proc sys tmp run var/tmp var/run etc/passwd etc/group etc/hosts etc/nsswitch.conf etc/resolv.conf etc/ld.so.cache; do has "base-$d" sort $d; done
if [ "$(id -u)" -eq 0 ]; then
    check runs-in-chroot "the root does not hold what the program needs" sh -c 'printf "b\na\n" | chroot sort /usr/bin/sort | head -n 1 | grep -qx a'
    check ld-cache-is-valid "ldconfig does not read the cache" sh -c 'ldconfig -p -C sort/etc/ld.so.cache | grep -q "libc.so.6 (libc6,x86-64)"'
fi

# Modes of what is added, directories too: some programs insist on theirs.
mkdir -p kept/open
echo x >kept/file
chmod 640 kept/file
chmod 700 kept
chmod 777 kept/open
unpack modes -a kept:/data/kept /bin/true
for pair in data/kept:0700 data/kept/open:0777 data/kept/file:0640 data:0755; do
    check "mode-${pair%:*}" "$(dump.erofs --path="/${pair%:*}" "$root" 2>&1 | grep Access)" sh -c 'dump.erofs --path="/$1" "$2" | grep -q "Access: $3/"' sh "${pair%:*}" "$root" "${pair#*:}"
done

cat >lib.c <<'END'
int value(void) { return 7; }
END
cat >main.c <<'END'
int value(void);
int main(void) { return value() - 7; }
END
mkdir -p app/lib other
cc -shared -fPIC -Wl,-soname,libpithvalue.so.1 -o app/lib/libpithvalue.so.1 lib.c
cc -o app/origin main.c app/lib/libpithvalue.so.1 -Wl,-rpath,'$ORIGIN/lib' -Wl,--enable-new-dtags
cc -o app/old main.c app/lib/libpithvalue.so.1 -Wl,-rpath,'$ORIGIN/lib' -Wl,--disable-new-dtags
cc -o app/plain main.c app/lib/libpithvalue.so.1
cp app/lib/libpithvalue.so.1 other/
unpack runpath-origin app/origin
has runpath-origin-library runpath-origin "$dir/here/app/lib/libpithvalue.so.1"
unpack rpath-origin app/old
has rpath-origin-library rpath-origin "$dir/here/app/lib/libpithvalue.so.1"
unpack by-environment -e LD_LIBRARY_PATH="$dir/here/other" app/plain
has by-environment-library by-environment "$dir/here/other/libpithvalue.so.1"
cc -static -o app/static -x c - <<'END'
int main(void) { return 0; }
END
unpack static app/static
hasnt static-no-libc static lib64
check static-one-program "more than the program is there" sh -c '[ "$(find static -type f -size +20k | wc -l)" -eq 1 ]'
cat >cancel.c <<'END'
#include <pthread.h>
int main(void) { pthread_exit(0); }
END
cc -o app/cancel cancel.c
unpack unwinder app/cancel
check unwinder-library "libgcc_s is not in the root" sh -c 'find unwinder -name libgcc_s.so.1 | grep -q .'
printf '#include <dlfcn.h>\nint main(void) { return !dlopen("libpthread.so.0", RTLD_NOW); }\n' >opens.c
cc -o app/opens opens.c
unpack opens app/opens
check opens-library "libpthread.so.0 is not in the root" sh -c 'find opens -name libpthread.so.0 | grep -q .'
check opens-unwinder "libgcc_s is not in the root" sh -c 'find opens -name libgcc_s.so.1 | grep -q .'
check opens-no-other "librt.so.1 is in the root" sh -c '! find opens -name librt.so.1 | grep -q .'
if command -v musl-gcc >/dev/null; then
    musl-gcc -o app/musl -x c - <<'END'
int main(void) { return 0; }
END
    unpack musl app/musl
    has musl-loader musl lib/ld-musl-x86_64.so.1
    hasnt musl-no-cache musl etc/ld.so.cache
fi

# Links on the way: the chain is reproduced.
mkdir real
cp /bin/true real/prog
ln -s real via
ln -s via/prog first
unpack links ./first
has links-first links "$dir/here/first"
has links-via links "$dir/here/via"
has links-real links "$dir/here/real/prog"
"$PITH" run --accel tcg --net none ./first </dev/null >out 2>err
check links-argv0 "argv[0] is not as typed" grep -aqxF arg=./first out

# Scripts.
printf '#!/bin/sh -e  \necho hi\n' >script
chmod +x script
"$PITH" run --accel tcg --net none ./script one </dev/null >out 2>err
check script-exec "the interpreter is not what runs" grep -aqE '^exec=/(usr/)?bin/(sh|dash)$' out
check script-args "the arguments are not Linux's" sh -c 'grep -a "^arg=" out | tr "\n" " " | grep -qF "arg=/bin/sh arg=-e arg='"$dir"'/here/script arg=one"'
unpack script ./script
has script-itself script "$dir/here/script"
printf '#!/usr/bin/env sort\n' >env-script
chmod +x env-script
"$PITH" run --accel tcg --net none ./env-script </dev/null >out 2>err
check script-env "env is not resolved" grep -aqxF exec=/usr/bin/sort out

# A source that has a compiled form beside it keeps its time, since that form names it.
time_of() { dump.erofs --path="$2" "$1" 2>err | sed -n 's/^Timestamp: //p'; }
mkdir -p py/__pycache__
echo 'x = 1' >py/mod.py
echo 'x = 1' >py/alone.py
echo compiled >py/__pycache__/mod.cpython-311.pyc
touch -d 2021-02-03T04:05:06Z py/mod.py py/alone.py
unpack compiled -a py:/py /bin/true
check compiled-time-kept "its time is $(time_of "$root" /py/mod.py)" test "$(TZ=UTC time_of "$root" /py/mod.py | cut -d. -f1)" = "2021-02-03 04:05:06"
cp -a py py2
sleep 1
cp py/mod.py py2/again && mv py2/again py2/alone.py
first=$root
unpack compiled-again -a py2:/py /bin/true
check compiled-same-bytes "the time of a source that is not compiled shows" cmp "$first" "$root"

# Added files.
mkdir -p tree/sub
echo data >tree/sub/file
ln -s sub/file tree/link
mkfifo tree/fifo
echo one >single
unpack added -a tree:/data -a single:/etc/ -a single:/lib/deep/name -a "$dir/here/single" /bin/true
check added-notice "the fifo is left out without a word" grep -q 'fifo: left out' err
has added-tree added data/sub/file
has added-link added data/link
hasnt added-no-fifo added data/fifo
has added-into-directory added etc/single
has added-through-link added usr/lib/deep/name
has added-same-path added "$dir/here/single"
echo mine >passwd
unpack replaced -a passwd:/etc/passwd /bin/true
check added-replaces "the made file wins over the user's" grep -qx mine replaced/etc/passwd
expect add-over-directory 125 'choose another place' "$PITH" run --accel tcg -a single:/etc /bin/true
unpack escape -a single:/../../../outside /bin/true
has added-stays-inside escape outside

# Files that are younger than the time asked for have that one (tests/vm/image.sh sees the times).
echo old >old && touch -d @1500000000 old
echo new >new
(export SOURCE_DATE_EPOCH=1600000000 && "$PITH" build -o t1.img -a old:/old -a new:/new /bin/true && touch new && "$PITH" build -o t2.img -a old:/old -a new:/new /bin/true)
check times-same-bytes "a file touched after the time asked for makes another image" cmp t1.img t2.img

# The cache: the second run makes nothing new; a changed input does.
cp /bin/true changing
"$PITH" run --accel tcg --dry-run ./changing >line1
"$PITH" run --accel tcg --dry-run ./changing >line2
check cache-second-run "the second run differs" cmp line1 line2
cp /bin/false changing
"$PITH" run --accel tcg --dry-run ./changing >line3
check cache-changed-input "a changed program is not noticed" sh -c '! cmp -s line1 line3'
