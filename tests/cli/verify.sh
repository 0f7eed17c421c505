#!/bin/sh
# Images that are checked: the hash tree as veritysetup sees it, signatures, one flipped bit anywhere.
. tests/cli/lib

openssl genpkey -algorithm ed25519 -out key.pem 2>/dev/null
openssl pkey -in key.pem -pubout -out pub.pem
openssl genpkey -algorithm ed25519 -out other.pem 2>/dev/null
openssl pkey -in other.pem -pubout -out other-pub.pem
openssl genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:2048 -out rsa.pem 2>/dev/null
openssl pkey -in rsa.pem -pubout -out rsa-pub.pem
openssl pkey -in key.pem -aes128 -passout pass:secret -out locked.pem

program=/usr/bin/sort
"$PITH" build -o plain.img $program -r
"$PITH" build --sign key.pem -o signed.img $program -r
"$PITH" build --sign key.pem -o again.img $program -r
check signed-same-bytes "two builds with one key differ" cmp signed.img again.img

# veritysetup reads the tree, and agrees about the root hash; so does the header that it prints.
python3 - plain.img <<'END'
import re, struct, sys
d = open(sys.argv[1], "rb").read()
for i in range(128):
    e = d[1024 + 128 * i:1152 + 128 * i]
    if any(e[:16]):
        first, last = struct.unpack_from("<QQ", e, 32)
        open(e[56:].decode("utf-16le").rstrip("\0"), "wb").write(d[first * 512:(last + 1) * 512])
conf = open("pith-config", "rb").read()
open("root-hash", "wb").write(re.search(rb"verity=\d+:([0-9a-f]{64}):", conf).group(1))
END
PATH=$PATH:/usr/sbin:/sbin
check veritysetup-verify "veritysetup does not accept tree and root hash" veritysetup verify pith-root pith-verity "$(cat root-hash)"
veritysetup dump pith-verity >dump 2>&1
check veritysetup-dump "the superblock is not read as meant" sh -c \
    'tr -d "[:blank:]" <dump >flat && grep -qx "Hashtype:1" flat && grep -qx "Hashalgorithm:sha256" flat && grep -q "^Datablocksize:4096" flat'
tr 0-9a-f 1-9a-f0 <root-hash >wrong-hash
check veritysetup-refuses "veritysetup takes another root hash" sh -c '! veritysetup verify pith-root pith-verity "$(cat wrong-hash)" 2>/dev/null'
# It makes the same tree from the same salt.
salt=$(sed -n 's/^Salt:[[:space:]]*//p' dump)
: >made
veritysetup format --salt="$salt" --data-blocks="$(sed -n 's/^Data blocks:[[:space:]]*//p' dump)" pith-root made >format 2>&1
check veritysetup-same-root "veritysetup makes another root hash" sh -c 'grep -q "Root hash:[[:space:]]*$(cat root-hash)" format'
# All but the superblock, which has a UUID of its own: the tree, byte for byte.
check veritysetup-same-tree "veritysetup makes another tree" cmp -n "$(($(stat -c %s made) - 4096))" -i 4096 made pith-verity

# Signatures and keys.
expect_ok verify-plain "$PITH" verify plain.img
check verify-says-root-hash "the root hash is not told" grep -q "$(cat root-hash)" "$dir/out"
expect_ok verify-signed "$PITH" verify signed.img
expect_ok verify-key "$PITH" verify --key pub.pem signed.img
expect verify-other-key 126 'another key' "$PITH" verify --key other-pub.pem signed.img
expect verify-not-signed 126 'not signed' "$PITH" verify --key pub.pem plain.img
expect run-other-key 126 'another key' "$PITH" run --require-signed other-pub.pem signed.img
expect run-not-signed 126 'not signed' "$PITH" run --require-signed pub.pem plain.img
expect run-signed-program 2 'programs are not signed' "$PITH" run --require-signed pub.pem $program
expect_ok run-signed "$PITH" run --dry-run --require-signed pub.pem signed.img
expect sign-rsa 2 'not an Ed25519 key' "$PITH" build --sign rsa.pem -o x.img $program
expect sign-locked 2 'encrypted' "$PITH" build --sign locked.pem -o x.img $program
expect sign-public 2 'public key' "$PITH" build --sign pub.pem -o x.img $program
echo text >text.pem
expect sign-no-key 2 'no private key in PEM form' "$PITH" build --sign text.pem -o x.img $program
expect sign-no-file 2 'No such file' "$PITH" build --sign none.pem -o x.img $program
expect key-private 2 'private key' "$PITH" verify --key key.pem signed.img
expect key-rsa 2 'not an Ed25519 key' "$PITH" verify --key rsa-pub.pem signed.img
expect key-no-file 2 'No such file' "$PITH" verify --key none.pem signed.img
check no-image-left "an image was written although it could not be signed" test ! -e x.img
expect verify-no-image 127 'No such file' "$PITH" verify none.img
expect verify-two 2 'give one image' "$PITH" verify plain.img signed.img

# One flipped bit: in each structure and at many places, refused each time, and the place is told.
cat >flip.py <<'END'
import os, random, re, struct, subprocess, sys
pith, image = os.environ["PITH"], "signed.img"
data = open(image, "rb").read()
parts = {}
for i in range(128):
    e = data[1024 + 128 * i:1152 + 128 * i]
    if any(e[:16]):
        first, last = struct.unpack_from("<QQ", e, 32)
        parts[e[56:].decode("utf-16le").rstrip("\0")] = (first * 512, (last + 1) * 512)
seal = parts["pith-seal"][0]
text = data[seal:seal + 4096].split(b"\0")[0]
tables = len(data) - 33 * 512
places = {                       # name: byte
    "mbr-code": 0, "mbr-partition": 450, "mbr-signature": 511, "header-magic": 512, "header-crc": 528, "header-reserved": 512 + 100,
    "header-disk-guid": 568, "entry-type": 1024, "entry-guid": 1040, "entry-first": 1056, "entry-attributes": 1072, "entry-name": 1080,
    "entry-unused": 1024 + 127 * 128, "gap": 40000, "second-entries": tables + 40, "second-header": len(data) - 500,
    "second-reserved": len(data) - 1, "gap-before-second": tables - 1000,
    "kernel": parts["pith-kernel"][0] + 300000, "kernel-padding": parts["pith-kernel"][1] - 1,
    "config": parts["pith-config"][0] + 20, "config-padding": parts["pith-config"][1] - 5, "root-super": parts["pith-root"][0] + 1030,
    "root-data": parts["pith-root"][0] + 200000, "root-padding": parts["pith-root"][1] - 1, "verity-super": parts["pith-verity"][0] + 90,
    "verity-top": parts["pith-verity"][0] + 4096 + 3, "verity-low": parts["pith-verity"][0] + 8192 + 700,
    "verity-padding": parts["pith-verity"][1] - 1, "meta": parts["pith-meta"][0] + 1, "meta-padding": parts["pith-meta"][1] - 1,
    "seal-magic": seal, "seal-digest": seal + text.index(b"pith-root") + 90, "seal-key": seal + text.index(b"\nkey ") + 10,
    "seal-signature": seal + text.index(b"\nsignature ") + 30, "seal-text-padding": seal + 4000, "seal-blocks": seal + 4096 + 1000,
    "seal-padding": parts["pith-seal"][1] - 1,
}
random.seed(6)
for i in range(25):
    places[f"random-{i}"] = random.randrange(len(data))
for name, (start, end) in parts.items():
    for i in range(3):
        places[f"random-{name}-{i}"] = random.randrange(start, end)
fd = os.open(image, os.O_RDWR)
bad = []
for name, at in places.items():
    flipped = bytes([data[at] ^ 1 << random.randrange(8)])
    os.pwrite(fd, flipped, at)
    r = subprocess.run([pith, "verify", "--key", "pub.pem", image], capture_output=True, text=True)
    m = re.search(r"byte (\d+)", r.stderr)
    part = [n for n, (s, e) in parts.items() if s <= at < e]
    near = m and (int(m.group(1)) <= at < int(m.group(1)) + 4096 if part else int(m.group(1)) == at)
    if r.returncode != 126 or r.stderr.count("\n") != 1 or not near or (part and part[0] not in r.stderr):
        bad.append(f"{name} at {at}: {r.returncode} {r.stderr.strip() or r.stdout.strip()}")
    os.pwrite(fd, data[at:at + 1], at)
print(f"{len(places)} bits, {len(bad)} not refused as they should be")
for line in bad[:5]:
    print(line)
sys.exit(bool(bad))
END
if python3 flip.py >flips 2>&1; then ok "flipped-bits ($(head -n 1 flips))"; else not_ok flipped-bits "$(tail -n 5 flips | tr '\n' '|')"; fi
expect_ok verify-after-all "$PITH" verify --key pub.pem signed.img
# What a liar would do: other contents with tables, digests and seal to match. Only the signature tells.
"$PITH" build --sign other.pem -o forged.img $program -n
python3 - <<'END'
# The signature and key of the good image in the seal of the false one, and its GUIDs and checksums made right.
import hashlib, struct, zlib
good, d = open("signed.img", "rb").read(), bytearray(open("forged.img", "rb").read())
def parts(d):
    for i in range(128):
        at = 1024 + 128 * i
        if any(d[at:at + 16]):
            first, last = struct.unpack_from("<QQ", d, at + 32)
            yield at, bytes(d[at + 56:at + 128]).decode("utf-16le").rstrip("\0"), first * 512, (last + 1) * 512
def guid(digest):
    g = bytearray(digest[:16]); g[7] = g[7] & 0x0f | 0x80; g[8] = g[8] & 0x3f | 0x80
    return g
def seal(d):
    return next(s for _, n, s, _ in parts(d) if n == "pith-seal")
tail = good[seal(good):seal(good) + 4096].split(b"\nkey ")[1].split(b"\0")[0]
text = bytes(d[seal(d):seal(d) + 4096])
begin = text.index(b"\nkey ") + 5
d[seal(d) + begin:seal(d) + begin + len(tail)] = tail
everything = hashlib.sha256()
for at, name, s, e in parts(d):
    digest = hashlib.sha256(d[s:e]).digest()
    d[at + 16:at + 32] = guid(digest)
    everything.update(digest)
entries = bytes(d[1024:1024 + 16384])
last = len(d) - 512
d[last - 16384:last] = entries
for at in (512, last):
    d[at + 56:at + 72] = guid(everything.digest())
    struct.pack_into("<I", d, at + 88, zlib.crc32(entries))
    struct.pack_into("<I", d, at + 16, 0)
    struct.pack_into("<I", d, at + 16, zlib.crc32(bytes(d[at:at + 92])))
open("forged.img", "wb").write(d)
END
expect forged-verify 126 'signature is false' "$PITH" verify --key pub.pem forged.img
expect forged-verify-no-key 126 'signature is false' "$PITH" verify forged.img
expect forged-run 126 'signature is false' "$PITH" run --require-signed pub.pem forged.img
