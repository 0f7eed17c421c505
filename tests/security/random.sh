#!/bin/sh
# random.sh - what is random: addresses of ENTROPY_BOOTS boots (24; `make entropy`: 1,000), the bytes that a program begins with, ports;
# a machine without a source of randomness, which must not start its program; and copies of a running machine.
. tests/security/lib
build calls

python3 "$security/entropy.py" "${ENTROPY_BOOTS:-24}" ./calls 2>err || not_ok security/entropy "$(tail -n 2 err)"

# No RDRAND, no RDSEED, no virtio-rng, no seed from the host.
cat >vmm <<'END'
#!/bin/sh
n=$#
while [ "$n" -gt 0 ]; do
    word=$1
    shift
    n=$((n - 1))
    case "$word" in
    max) word=max,-rdrand,-rdseed ;;
    virtio-rng*) word=virtio-keyboard-device ;;
    /dev/fd/*) LC_ALL=C sed "s/seed=[0-9a-f]*/seed=/" "$word" >"$0.conf"; word=$0.conf ;;
    esac
    set -- "$@" "$word"
done
exec qemu-system-x86_64 "$@"
END
chmod +x vmm
status=0
PITH_QEMU=$dir/vmm vm microvm:1 --net none ./calls facts >out 2>err </dev/null || status=$?
is security/entropy/none-no-start "$status $(grep -c 'no randomness' err) $(grep -c facts out)" "126 1 0"
# With one source it starts: the seed alone.
sed -i "/fd/d" vmm
is security/entropy/seed-alone "$(PITH_QEMU=$dir/vmm vm microvm:1 --net none ./calls facts 2>err </dev/null | grep -c facts)" 1

# Copies of a machine that was saved while it ran.
build twin
timeout -k 5 150 python3 "$security/twins.py" q35:1 ./twin 2>err || not_ok security/q35:1/clone "$(tail -n 2 err)"
