#!/bin/sh
# volume_abi.sh - what the programs of tests/abi that work with files print on Linux, they print with an ext4 volume as
# their working directory; e2fsck is content with what they leave.
. tests/vm/lib

PATH=$PATH:/usr/sbin:/sbin
for program in ${ABI_VOLUME:-dir_names file_open file_rw file_stat file_lock file_special mm_file xattr_basic fs_threads}; do
    rm -rf v.img work && "$PITH" volume create -s 64M v.img && mkdir work
    (cd work && timeout -k 5 60 "$B/abi/$program" </dev/null >../linux 2>/dev/null)
    vm microvm:1 --net none -v v.img:/data -w /data "$B/abi/$program" </dev/null >pith 2>/dev/null
    is "volume_abi/$program" "$(diff linux pith)" ""
    is "volume_abi/$program/fsck" "$(e2fsck -fn v.img >fsck.out 2>&1; echo "$?")" 0
done
