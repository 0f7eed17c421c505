#!/bin/sh
# Images: the same bytes from the same inputs, true reports, and damage is noticed.
. tests/cli/lib

program=/usr/bin/sort
expect_ok build "$PITH" build -o a.img $program -r
expect_ok build-again "$PITH" build -o b.img $program -r
check same-bytes "two builds differ" cmp a.img b.img
# Another cache, another directory, another order of creation.
mkdir other
(cd other && XDG_CACHE_HOME=$dir/cache2 "$PITH" build -o ../c.img $program -r)
check same-bytes-elsewhere "a build with another cache differs" cmp a.img c.img
if [ -d /dev/shm ] && [ -w /dev/shm ]; then
    XDG_CACHE_HOME=/dev/shm/pith-test-$$ "$PITH" build -o d.img $program -r
    rm -rf "/dev/shm/pith-test-$$"
    check same-bytes-other-filesystem "a build on another filesystem differs" cmp a.img d.img
fi
# Another umask, locale, time zone, home and user; the command and its kernel lie somewhere else.
mkdir -m 755 bin far
chmod 755 "$dir" "$dir/here"
mkdir -m 777 free
cp "$PITH" "$PITH_KERNEL" bin/
cp "${PITH_KERNEL%/*}/pith.lines" bin/
if [ "$(id -u)" -eq 0 ]; then other='setpriv --reuid=65534 --regid=65534 --clear-groups'; else other='unshare --user --map-root-user'; fi
$other true 2>/dev/null || other= # a sandbox with one user
# shellcheck disable=SC2016
$other env -i PATH="$PATH" HOME=/nonexistent XDG_CACHE_HOME="$dir/here/free/cache" LC_ALL=tr_TR.UTF-8 LANG=de_DE TZ=Pacific/Kiritimati \
    sh -c 'umask 077; cd "$1/far" && "$1/bin/pith" build -o "$1/free/f.img" /usr/bin/sort -r' sh "$dir/here" >far.log 2>&1
check same-bytes-as-another-user "a build by another user, with another umask, locale and time zone differs: $(head -n 1 far.log)" cmp a.img free/f.img
openssl genpkey -algorithm ed25519 -out key.pem 2>/dev/null
"$PITH" build --sign key.pem -o s1.img $program -r
(umask 077; cd other && TZ=Asia/Tokyo LC_ALL=C XDG_CACHE_HOME=$dir/cache3 "$PITH" build --sign ../key.pem -o ../s2.img $program -r)
check same-bytes-signed "two signed builds differ" cmp s1.img s2.img
rm -rf bin far free far.log key.pem s1.img s2.img
"$PITH" build -o e.img $program
check other-arguments-other-bytes "an argument changed nothing" sh -c '! cmp -s a.img e.img'
check no-temporary-file "a temporary file is left" sh -c '[ -z "$(ls -A | grep -E "tmp|root")" ]'

# The report.
"$PITH" inspect --json a.img >report.json
check inspect-json-keys "a key is missing" python3 - <<'END'
import json
r = json.load(open("report.json"))
for key in "syscalls kernel_bytes root_bytes drivers filesystems ports packages mitigations digest".split():
    assert key in r, key
END
check inspect-digest "the digest is not the file's SHA-256" sh -c \
    'grep -q "\"sha256:$(sha256sum a.img | cut -c1-64)\"" report.json'
check inspect-kernel-bytes "kernel_bytes is not the kernel's length" sh -c \
    'grep -q "\"kernel_bytes\": $(stat -L -c %s "$PITH_KERNEL")," report.json'
if command -v dpkg-query >/dev/null; then
    check inspect-packages "coreutils and libc6 are not in it" sh -c 'grep -q coreutils report.json && grep -q libc6 report.json'
fi
expect_ok inspect-text "$PITH" inspect a.img
check inspect-text-program "the program is not named" grep -q "^program *$program" "$dir/out"
if command -v sgdisk >/dev/null; then
    check gpt-is-valid "sgdisk finds problems" sh -c 'sgdisk -v a.img | grep -q "No problems found"'
fi

# Damage, in every part. Offsets: header at 512, entries at 1024, kernel at 1 MiB.
damage() { # NAME OFFSET PATTERN
    cp a.img bad.img
    printf 'X' | dd of=bad.img bs=1 seek="$2" conv=notrunc 2>/dev/null
    expect "altered-$1" 126 "$3" "$PITH" inspect bad.img
    expect "altered-$1-run" 126 "$3" "$PITH" run bad.img
    rm -f bad.img
}
damage signature 512 'no good image|neither'
damage header 560 'partition table is damaged'
damage entries 1030 'partition table is damaged'
damage kernel 1050000 'contents were altered'
damage config 2097160 'contents were altered'
damage root 3146900 'contents were altered'
damage disk-guid 568 'partition table is damaged'
for len in 0 300 700 20000 1500000 4000000; do
    head -c $len a.img >cut.img
    expect "truncated-$len" 126 'cut off|neither|empty|no good image' "$PITH" run cut.img
done
head -c -512 a.img >cut.img
expect truncated-by-a-sector 126 'cut off' "$PITH" inspect cut.img
rm -f cut.img
# An image that was good once and is changed in place is noticed.
cp a.img turn.img
"$PITH" inspect turn.img >/dev/null
printf 'X' | dd of=turn.img bs=1 seek=3146900 conv=notrunc 2>/dev/null
expect altered-after-a-look 126 'contents were altered' "$PITH" inspect turn.img
rm -f turn.img
expect build-from-image 2 'an image already' "$PITH" build -o x.img ./a.img
