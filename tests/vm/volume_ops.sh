#!/bin/sh
# volume_ops.sh - ten thousand random operations on a volume (programs/fsops.c): every answer and the tree that they leave are those
# of Linux's ext4, recorded as a checksum, and after a restart the tree is still the same. tests/fs/differential.sh does it
# side by side with Linux, for longer, and shows where they differ.
. tests/vm/lib

PATH=$PATH:/usr/sbin:/sbin
LINUX="2199388904 13923"
cc -O2 -static -D_GNU_SOURCE -o fsops "$sources/tests/vm/programs/fsops.c" || exit 1
"$PITH" volume create -s 128M v.img
VM_SECONDS=200 vm microvm:1 --net none -v v.img:/data ./fsops /data 5 4000 </dev/null >first 2>&1
is volume_ops/answers "$(cksum <first)" "$LINUX"
is volume_ops/fsck "$(e2fsck -fn v.img >fsck.out 2>&1; echo "$?")" 0
vm microvm:1 --net none -v v.img:/data ./fsops /data </dev/null >second 2>&1
is volume_ops/restart "$(grep -v '^[0-9]*: ' first | diff - second)" ""
