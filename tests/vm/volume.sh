#!/bin/sh
# volume.sh - ext4 volumes: what a program writes is there in the next machine, and e2fsck agrees, also when the machine is
# killed in the middle: what SQLite and Redis had acknowledged is not lost.
. tests/vm/lib

PATH=$PATH:/usr/sbin:/sbin
KILLS=${KILLS:-4}

volume() { rm -f "$1" && "$PITH" volume create -s "$2" "$1"; }
fsck() { e2fsck -fn "$1" >fsck.out 2>&1; echo "$?"; }
# After a kill the journal is replayed, as the next mount would do; then there must be nothing to mend.
recovered() {
    vm microvm:1 --net none -v "$1:/data" /bin/true </dev/null >/dev/null 2>&1
    fsck "$1"
}

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

# One writer: a second machine is refused while the first one runs.
vm microvm:1 --net none -v v.img:/data /bin/sleep 20 </dev/null >/dev/null 2>&1 &
first=$!
pids="$pids $first"
sleep 1
is volume/locked "$(vm microvm:1 --net none -v v.img:/data /bin/true 2>&1 </dev/null)" \
    "pith: v.img: the volume is in use by another machine; one at a time may write it"
kill -TERM "$first"
wait "$first"

# Bad volumes: one clear line each.
head -c 1000000 /dev/zero >zero.img
is volume/none "$(vm microvm:1 --net none -v nothing.img:/data /bin/true 2>&1 </dev/null)" \
    "pith: nothing.img: no such volume; pith volume create -s SIZE nothing.img makes one"
is volume/zero "$(vm microvm:1 --net none -v zero.img:/data /bin/true 2>&1 </dev/null)" \
    "pith: zero.img: no ext4 volume; pith volume create -s SIZE zero.img makes one"

# Volumes of other makes: without a journal, and ext3 with its block maps.
for kind in "-t ext4 -O ^has_journal" "-t ext3" "-t ext4 -b 1024 -I 128"; do
    rm -f k.img && truncate -s 32M k.img
    # shellcheck disable=SC2086
    mke2fs -q -F $kind k.img
    is "volume/kind $kind" "$(vm microvm:1 --net none -v k.img:/data /usr/bin/sqlite3 /data/t.db "$sql" 2>&1 </dev/null) $(fsck k.img)" \
        "$(sqlite3 :memory: "$sql") 0"
done

# Killed at odd moments: each row whose insertion was answered is there afterwards.
volume s.img 64M
vm microvm:1 --net none -v s.img:/data /usr/bin/sqlite3 /data/k.db "create table t(a integer primary key)" </dev/null
last=0
for n in $(seq "$KILLS"); do
    i=$((last + 1))
    { echo 'pragma synchronous=extra;'; while :; do printf 'insert into t values(%d); select %d;\n' "$i" "$i"; i=$((i + 1)); done; } 2>/dev/null |
        "$PITH" run --accel tcg --net none -v s.img:/data /usr/bin/sqlite3 -batch /data/k.db >acks 2>/dev/null &
    machine=$!
    pids="$pids $machine"
    # shellcheck disable=SC2034 # wait_for gives up when this one is gone
    pid=$machine
    wait_for 60 test -s acks
    sleep "$((n % 3)).$((n * 37 % 10))"
    # The command and the VMM, at once: nobody may write anything more, and the VMM, which is not our child, is waited for as well.
    vmm=$(pgrep -P "$machine")
    for p in $vmm "$machine"; do kill -KILL "$p"; done
    wait "$machine" 2>/dev/null
    for p in $vmm; do timeout 60 tail --pid="$p" -f /dev/null; done
    acked=$(tail -n 2 acks | grep -E '^[0-9]+$' | sort -n | tail -n 1)
    is "volume/kill-$n/fsck" "$(recovered s.img)" 0
    have=$("$PITH" volume cp s.img:/k.db k.db 2>&1; rm -f k.db-journal; "$PITH" volume cp s.img:/k.db-journal k.db-journal 2>/dev/null; sqlite3 k.db 'pragma integrity_check; select max(a) from t')
    max=$(printf '%s' "$have" | tail -n 1)
    if [ "$(printf '%s' "$have" | head -n 1)" = ok ] && [ -n "$max" ] && [ "$max" -ge "${acked:-0}" ]; then
        ok "volume/kill-$n/rows"
    else
        not_ok "volume/kill-$n/rows" "acknowledged $acked, there are: $have"
    fi
    last=${max:-$last}
    rm -f k.db
done
