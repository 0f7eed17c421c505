#!/bin/sh
# volume.sh - ext4 volumes: what a program writes is there in the next machine, and e2fsck agrees. Machines that are killed: kill_volume.sh.
. tests/vm/lib

PATH=$PATH:/usr/sbin:/sbin

volume() { rm -f "$1" && "$PITH" volume create -s "$2" "$1"; }
fsck() { e2fsck -fn "$1" >fsck.out 2>&1; echo "$?"; }

for on in ${MACHINES_VOLUME:-microvm:1 q35:4 pc:1}; do
    volume v.img 64M
    echo "from the host" >h.txt
    is "volume/$on/cp-in" "$("$PITH" volume cp h.txt v.img:/h.txt 2>&1)" ""
    is "volume/$on/read" "$(vm "$on" --net none -v v.img:/data /bin/cat /data/h.txt 2>&1 </dev/null)" "from the host"
    sql="create table t(a integer primary key, b text); with recursive c(x) as (select 1 union all select x+1 from c where x<2000) insert into t select x, hex(x*7) from c; delete from t where a%3=0; select count(*), sum(a) from t;"
    is "volume/$on/sqlite" "$(vm "$on" --net none -v v.img:/data /usr/bin/sqlite3 /data/t.db "$sql" 2>&1 </dev/null)" "$(sqlite3 :memory: "$sql")"
    is "volume/$on/fsck" "$(fsck v.img)" 0
    is "volume/$on/cp-out" "$("$PITH" volume cp v.img:/t.db out.db 2>&1 && sqlite3 out.db 'pragma integrity_check; select count(*) from t')" "ok
1334"
    is "volume/$on/read-only" "$(vm "$on" --net none -v v.img:/data:ro /bin/cp /data/h.txt /data/x 2>&1 </dev/null)" \
        "/bin/cp: cannot create regular file '/data/x': Read-only file system"
done

# A larger file is a larger volume from the next start on.
truncate -s 200M v.img
is volume/grown "$(vm microvm:1 --net none -v v.img:/data /bin/df --output=size -m /data 2>&1 </dev/null | awk 'NR == 2 && $1 > 180 && $1 < 200 { print "yes" }')" yes
is volume/grown-fsck "$(fsck v.img)" 0
is volume/grown-read "$(vm microvm:1 --net none -v v.img:/data /bin/cat /data/h.txt 2>&1 </dev/null)" "from the host"

# With discard, what is deleted leaves the file, as far as the file system that it lies on can do that; without, it stays.
blocks() { sync "$1" && stat -c %b "$1"; }
smaller() { [ "$2" -lt $(($1 - 30000)) ] && echo smaller || echo not; }
head -c 20000000 /dev/urandom >big.bin
before=$(blocks big.bin)
can=$(fallocate -p -l 20000000 big.bin 2>/dev/null; smaller "$before" "$(blocks big.bin)")
head -c 20000000 /dev/urandom >big.bin
for on in microvm:1 q35:4; do
    for how in "" :discard; do
        volume t.img 64M
        "$PITH" volume cp big.bin t.img:/big.bin
        before=$(blocks t.img)
        vm "$on" --net none -v "t.img:/data$how" /bin/rm /data/big.bin >rm.out 2>&1 </dev/null
        is "volume/$on/deleted$how" "$(cat rm.out) $(smaller "$before" "$(blocks t.img)") $(fsck t.img)" " $([ "$how" ] && echo "$can" || echo not) 0"
    done
done
is volume/fstrim "$(vm microvm:1 --net none -v t.img:/data:discard /sbin/fstrim /data 2>&1 </dev/null)" "fstrim: /data: FITRIM ioctl failed: Operation not permitted"

# A full volume under a mapping; kinds of fallocate that are not there.
cc -O2 -static -D_GNU_SOURCE -o full "$sources/tests/vm/programs/full.c" || exit 1
for on in microvm:1 q35:4; do
    volume t.img 16M
    is "volume/$on/full" "$(vm "$on" --net none -v t.img:/data ./full /data 2>&1 </dev/null) $(fsck t.img)" "full: No space left on device
SIGBUS code 2, address right
read of the hole: 0
something deleted: 128 pages stored
msync: 0, read: 1
collapse: Operation not supported, as before
insert: Operation not supported, as before
unshare: Operation not supported, as before 0"
done

# One writer: a second machine is refused while the first one runs.
start first microvm:1 --net none -v v.img:/data /usr/bin/tail -f /data/h.txt
wait_for 60 grep -q host first.log
is volume/locked "$(vm microvm:1 --net none -v v.img:/data /bin/true 2>&1 </dev/null)" \
    "pith: v.img: the volume is in use by another machine; one at a time may write it"
stop

# Readers may share it; a writer is not let in beside them, nor a reader beside a writer.
start first microvm:1 --net none -v v.img:/data:ro /usr/bin/tail -f /data/h.txt
wait_for 60 grep -q host first.log
is volume/shared "$(vm microvm:1 --net none -v v.img:/data:ro /bin/cat /data/h.txt 2>&1 </dev/null)" "from the host"
is volume/locked-by-reader "$(vm microvm:1 --net none -v v.img:/data /bin/true 2>&1 </dev/null)" \
    "pith: v.img: the volume is in use by another machine; one at a time may write it"
stop

# In the background: the lock is the keeper's, goes with it however it ends, and what was written stays.
XDG_RUNTIME_DIR=$dir/instances
mkdir -m 700 "$XDG_RUNTIME_DIR"
export XDG_RUNTIME_DIR
redis_in_background() {
    port=$(free_port)
    "$PITH" run --accel tcg -d --name kept -p "127.0.0.1:$port:6379" -v v.img:/data /usr/bin/redis-server --dir /data --appendonly yes \
        --appendfsync always --save "" --protected-mode no >start.out 2>&1 </dev/null
    end=$(($(date +%s) + 60))
    until [ "$(redis-cli -p "$port" ping 2>&1)" = PONG ] || [ "$(date +%s)" -ge "$end" ]; do sleep 0.1; done
}
redis_in_background
is volume/background/set "$(redis-cli -p "$port" set key kept)" OK
is volume/background/locked "$(vm microvm:1 --net none -v v.img:/data /bin/true 2>&1 </dev/null)" \
    "pith: v.img: the volume is in use by another machine; one at a time may write it"
"$PITH" stop kept >/dev/null && "$PITH" rm kept >/dev/null
is volume/background/fsck "$(fsck v.img)" 0
redis_in_background
is volume/background/get "$(redis-cli -p "$port" get key)" kept
"$PITH" rm --force kept >/dev/null
# The VMM may take a moment to be gone.
n=0
until flock -n v.img true || [ "$n" -ge 300 ]; do
    n=$((n + 1))
    sleep 0.1
done
is volume/background/free "$(vm microvm:1 --net none -v v.img:/data /bin/cat /data/h.txt 2>&1 </dev/null)" "from the host"
is volume/background/fsck-again "$(fsck v.img)" 0

# Bad volumes: one clear line each.
head -c 1000000 /dev/zero >zero.img
is volume/none "$(vm microvm:1 --net none -v nothing.img:/data /bin/true 2>&1 </dev/null)" \
    "pith: nothing.img: no such volume; pith volume create -s SIZE nothing.img makes one"
is volume/zero "$(vm microvm:1 --net none -v zero.img:/data /bin/true 2>&1 </dev/null)" \
    "pith: zero.img: no ext4 volume; pith volume create -s SIZE zero.img makes one"

# What cannot be used is said by name; what cannot be written is read.
refused() { # OPTIONS WHAT
    rm -f k.img && truncate -s 32M k.img
    # shellcheck disable=SC2086
    mke2fs -q -F -t ext4 $1 k.img 2>/dev/null
    is "volume/refused $2" "$(vm microvm:1 --net none -v k.img:/data /bin/true 2>&1 </dev/null | grep -v '^ext4: ')" "pith: /bin/true: volume for /data: it uses $2, which is not supported"
}
refused "-O inline_data" inline_data
refused "-b 65536" "blocks of more than 4 KiB"
refused "-b 1024 -O bigalloc" "bigalloc with blocks of 1 KiB"
mkdir from && cp h.txt from/h.txt && rm -f k.img && truncate -s 32M k.img && mke2fs -q -F -t ext4 -b 4096 -O bigalloc -C 16384 -d from k.img 2>/dev/null
is volume/bigalloc "$(vm microvm:1 --net none -v k.img:/data /bin/cp /data/h.txt /data/x 2>&1 </dev/null | grep -v '^ext4: ') $(vm microvm:1 --net none -v k.img:/data /bin/cat /data/h.txt 2>&1 </dev/null | grep -v '^ext4: ') $(fsck k.img)" \
    "/bin/cp: cannot create regular file '/data/x': Read-only file system from the host 0"

# A journal with something in it is not passed by, and a volume that may not be written is not written.
volume k.img 32M
start first microvm:1 --net none -v k.img:/data /usr/bin/perl -e 'open F, ">/data/x"; print F "there"; close F; syscall(162); $| = 1; print "synced\n"; sleep 600'
wait_for 60 grep -q synced first.log
cp k.img j.img
stop
is volume/to-be-replayed "$(vm microvm:1 --net none -v j.img:/data:ro /bin/cat /data/x 2>&1 </dev/null | grep -v '^ext4: ')" \
    "pith: /bin/cat: volume for /data: its journal has to be replayed first: start it once without :ro"
is volume/replayed "$(vm microvm:1 --net none -v j.img:/data /bin/cat /data/x 2>&1 </dev/null) $(fsck j.img)" "there 0"

# What does not fit is not half there.
head -c 20000000 /dev/zero >large.bin
volume k.img 16M
is volume/cp-too-large "$("$PITH" volume cp large.bin k.img:/large 2>&1) $("$PITH" volume ls k.img | grep -c large) $(fsck k.img)" \
    "pith: /large: cannot be written: Could not allocate block in ext2 filesystem 0 0"

# Volumes of other makes: without a journal, and ext3 with its block maps.
for kind in "-t ext4 -O ^has_journal" "-t ext3" "-t ext4 -b 1024 -I 128"; do
    rm -f k.img && truncate -s 32M k.img
    # shellcheck disable=SC2086
    mke2fs -q -F $kind k.img
    is "volume/kind $kind" "$(vm microvm:1 --net none -v k.img:/data /usr/bin/sqlite3 /data/t.db "$sql" 2>&1 </dev/null) $(fsck k.img)" \
        "$(sqlite3 :memory: "$sql") 0"
done
