#!/bin/sh
# dirty.sh - programs that write more than the machine has memory, through a mapping and by write(2): they wait for the disk, and
# all of it is there.
. tests/vm/lib

PATH=$PATH:/usr/sbin:/sbin
cc -O2 -static -o dirty "$sources/tests/vm/programs/dirty.c"
for how in map:microvm:1 write:q35:4; do
    rm -f v.img && "$PITH" volume create -s 128M v.img
    is "dirty/$how" "$(vm "${how#*:}" -m 32M --net none -v v.img:/data ./dirty "${how%%:*}" /data/f 64 2>&1 </dev/null)" "/data/f as it should be"
    e2fsck -fn v.img >fsck.out 2>&1
    is "dirty/$how/fsck" "$?" 0
done
