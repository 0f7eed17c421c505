#!/bin/sh
# kvm.sh - Pith under KVM on a host that has none: a Debian kernel with kvm_amd runs in QEMU's TCG, and in it
# `pith run` starts machines by QEMU's KVM. See kvm.md. One line a check: "ok NAME" or "not ok NAME: why".
#
#   tests/beds/kvm.sh [--build DIR]     the bed's console stays in DIR/beds/kvm/console
#
# Needs: apt-get (downloads two packages, installs nothing), dpkg-deb, cpio, qemu-system-x86, a C compiler. Three minutes.
set -eu
cd "$(dirname "$0")/../.."
B=build
[ "${1:-}" != --build ] || { B=$2; shift 2; }
case $B in /*) ;; *) B=$PWD/$B ;; esac
bed=$B/beds/kvm
seconds=${KVM_BED_SECONDS:-480}

die() { printf 'not ok kvm/bed: %s\n' "$*"; exit 1; }
if [ ! -x "$B/pith" ] || [ ! -f "$B/pith.elf.stripped" ]; then die "nothing built in $B; run make"; fi
for tool in apt-get apt-cache dpkg-deb cpio ldd mkfs.erofs qemu-system-x86_64; do
    command -v $tool >/dev/null || die "$tool is not here"
done

# ---- Packages: Debian's kernel and a static busybox, unpacked, not installed ----

mkdir -p "$bed"
if [ ! -d "$bed/packages/lib/modules" ]; then
    rm -rf "$bed/get" "$bed/packages"
    mkdir -p "$bed/get"
    linux=$(apt-cache depends linux-image-amd64 | awk '/Depends: linux-image/ { print $2; exit }')
    [ -n "$linux" ] || die "apt knows no linux-image-amd64; run apt-get update"
    (cd "$bed/get" && apt-get -q -o APT::Sandbox::User= download busybox-static "$linux") >"$bed/log" 2>&1 ||
        die "download failed: $(tail -n 1 "$bed/log")"
    for package in "$bed"/get/*.deb; do
        dpkg-deb -x "$package" "$bed/packages.new"
    done
    rm -rf "$bed/get"
    mv "$bed/packages.new" "$bed/packages"
fi
vmlinuz=$(echo "$bed"/packages/boot/vmlinuz-*)

# ---- The bed's root: an initramfs with busybox, the modules, QEMU and Pith ----

root=$bed/root
rm -rf "$root"
mkdir -p "$root/bin" "$root/dev" "$root/proc" "$root/sys" "$root/tmp" "$root/run" "$root/modules" "$root/test"
cp "$bed/packages/bin/busybox" "$root/bin/"

for module in irqbypass kvm ccp kvm-amd; do
    find "$bed/packages/lib/modules" -name "$module.ko" -exec cp {} "$root/modules/" \;
    [ -f "$root/modules/$module.ko" ] || die "the kernel package has no module $module"
done

# A program with the libraries it names, at the same paths.
with_libraries() { # PROGRAM DESTINATION
    cp -L "$1" "$2"
    ldd "$1" | awk '{ for (i = 1; i <= NF; i++) if ($i ~ /^\//) print $i }' | while read -r library; do
        mkdir -p "$root${library%/*}"
        [ -f "$root$library" ] || cp -L "$library" "$root$library"
    done
}
mkdir -p "$root/usr/bin" "$root/usr/share/qemu" "$root/usr/share/seabios"
with_libraries "$(command -v qemu-system-x86_64)" "$root/usr/bin/qemu"    # it looks for its firmware in ../share
with_libraries "$(command -v mkfs.erofs)" "$root/bin/mkfs.erofs"
with_libraries "$B/pith" "$root/bin/pith"
cp "$B/pith.elf.stripped" "$root/pith.elf"
for firmware in bios-microvm.bin bios-256k.bin qboot.rom pvh.bin kvmvapic.bin; do
    for place in /usr/share/qemu /usr/share/seabios; do
        [ ! -e $place/$firmware ] || cp -L $place/$firmware "$root$place/"
    done
done

# In the bed `pith` finds this in place of QEMU. It puts KVM in TCG's place (`pith` itself measures that this KVM is too slow
# and refuses it). TCG's nested guests lose XCR0, so they get no XSAVE, as the bed's Linux (noxsave). A clock chip that says 2001 shows whether the wall
# clock is KVM's.
cat >"$root/usr/bin/qemu-system-x86_64" <<'END'
#!/bin/sh
n=$#
while [ "$n" -gt 0 ]; do
    word=$1
    shift
    case ${last:-} in
    -accel) word=kvm ;;
    -cpu) word=host,-avx,-avx2,-xsave ;;
    esac
    last=$word
    set -- "$@" "$word"
    n=$((n - 1))
done
exec /usr/bin/qemu "$@" -rtc base=2001-01-01
END
chmod 755 "$root/usr/bin/qemu-system-x86_64"

# ---- The tests: programs, and what they must say ----

cc=${HOSTCC:-gcc}
$cc -O2 -static -o "$root/test/hello" tests/vm/programs/hello.c
$cc -O2 -static -pthread -o "$root/test/threads64" tests/vm/programs/threads64.c
$cc -O2 -static -pthread -o "$root/test/facts" tests/beds/programs/facts.c
for program in ${KVM_BED_ABI:-time_clock time_timer thread_basic signal_frame futex_basic}; do
    [ -x "$B/abi/$program" ] || die "no $B/abi/$program; run make abi"
    cp "$B/abi/$program" "$root/test/abi_$program"
done
cp tests/beds/kvm-init "$root/init"
chmod 755 "$root/init"
(cd "$root" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet) >"$bed/initrd"

# ---- The run ----

# One CPU: with two, Linux sometimes stands still for good while nested guests run (QEMU 7.2).
rm -f "$bed/console.raw"
ended=0
timeout -k 10 "$seconds" qemu-system-x86_64 -accel tcg -cpu max,+svm,+npt -machine q35 -m 2048 -smp 1 \
    -nodefaults -no-user-config -display none -serial "file:$bed/console.raw" -no-reboot -kernel "$vmlinuz" -initrd "$bed/initrd" \
    -append "console=ttyS0 mitigations=off nokaslr noxsave quiet panic=-1 machines=${KVM_BED_MACHINES:-microvm:1,microvm:4,q35:1,q35:4}" \
    </dev/null >"$bed/log" 2>&1 || ended=$?
[ -f "$bed/console.raw" ] || die "QEMU did not start: $(tail -n 1 "$bed/log")"
tr -d '\r' <"$bed/console.raw" >"$bed/console"
sed -n -e '/^ok /p' -e '/^not ok /p' -e '/^# /p' "$bed/console"
grep -q '^# bed: done' "$bed/console" || die "it did not come to its end (QEMU: $ended): $(tail -n 2 "$bed/console" | tr '\n' '|')"
! grep -q '^not ok ' "$bed/console"
