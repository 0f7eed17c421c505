#!/bin/sh
# nvme.sh - root and volume on NVMe disks, on both machines with PCI: what is written is there in the next machine, and e2fsck agrees.
. tests/vm/lib

PATH=$PATH:/usr/sbin:/sbin
sql="create table t(a integer primary key, b text); with recursive c(x) as (select 1 union all select x+1 from c where x<2000) insert into t select x, hex(x*7) from c; delete from t where a%3=0; select count(*), sum(a) from t;"
for on in ${MACHINES_NVME:-q35:1 q35:4 pc:1 pc:4}; do
    rm -f v.img && "$PITH" volume create -s 64M v.img
    is "nvme/$on/sqlite" "$(vm "$on" --disk nvme --net none -v v.img:/data /usr/bin/sqlite3 /data/t.db "$sql" 2>&1 </dev/null)" "$(sqlite3 :memory: "$sql")"
    e2fsck -fn v.img >fsck.out 2>&1
    is "nvme/$on/fsck" "$?" 0
    is "nvme/$on/again" "$(vm "$on" --disk nvme --net none -v v.img:/data:ro /usr/bin/sqlite3 'file:/data/t.db?immutable=1' "pragma integrity_check; select count(*) from t" 2>&1 </dev/null)" "ok
1334"
done
# The other driver reads what this one wrote.
is nvme/virtio "$(vm microvm:1 --net none -v v.img:/data /usr/bin/sqlite3 /data/t.db "select count(*) from t" 2>&1 </dev/null)" 1334
