#!/bin/sh
# differential.sh - the same random operations on Linux's ext4 and on Pith's: every answer and the trees that they leave
# are compared, the volumes change hands in between, and each recovers a journal that the other left. e2fsck judges after each step.
# `make check-fs`; needs root and loop devices. OPS: rounds for each kind of volume (a round is 2.5 operations on average).
. tests/vm/lib

PATH=$PATH:/usr/sbin:/sbin
OPS=${OPS:-400000}
half=$((OPS / 2))
cc -O2 -static -Wall -D_GNU_SOURCE -o fsops "$sources/tests/vm/programs/fsops.c" || exit 1
mkdir mnt || exit 1
trap 'umount mnt 2>/dev/null; cleanup' EXIT

fsck() { e2fsck -fn "$1" >fsck.out 2>&1; echo "$?"; }
linux() { # IMAGE ARGUMENT...
    image=$1
    shift
    mount -o loop "$image" mnt || { echo "no loop mount"; return 1; }
    ./fsops mnt "$@"
    umount mnt
}
pith() { # IMAGE ARGUMENT...
    image=$1
    shift
    VM_SECONDS=7200 vm microvm:1 --net none -v "$image:/data" ./fsops /data "$@" </dev/null 2>pith.err
}
same() { # NAME: what both said
    is "fs/$1" "$(diff linux.out pith.out | head -n 5)" ""
    is "fs/$1/lines" "$([ "$(wc -l <linux.out)" -gt "${2:-20}" ] && echo enough)" enough
}

for kind in ${KINDS:-4096 1024 ext3}; do
    case $kind in ext3) options="-t ext3" ;; *) options="-t ext4 -b $kind" ;; esac
    for image in a.img b.img; do
        rm -f "$image" && truncate -s 128M "$image"
        # shellcheck disable=SC2086
        mke2fs -q -F $options "$image"
    done
    linux a.img 1 "$half" >linux.out
    pith b.img 1 "$half" >pith.out
    same "$kind/first"
    is "fs/$kind/first/fsck" "$(fsck a.img) $(fsck b.img)" "0 0"

    # Each goes on with what the other wrote.
    linux b.img 2 "$half" >linux.out
    pith a.img 2 "$half" >pith.out
    same "$kind/swapped"
    is "fs/$kind/swapped/fsck" "$(fsck a.img) $(fsck b.img)" "0 0"

    # Linux leaves a journal: the image is copied while it is mounted, behind a sync.
    mount -o loop a.img mnt || exit 1
    ./fsops mnt 3 1000 >linux.out
    sync -f mnt
    cp --sparse=always a.img c.img
    umount mnt
    is "fs/$kind/left by Linux" "$(dumpe2fs -h c.img 2>/dev/null | grep -c needs_recovery)" 1
    grep -v '^[0-9]*: ' linux.out >tree && mv tree linux.out
    pith c.img >pith.out
    same "$kind/recovered by Pith"
    is "fs/$kind/recovered by Pith/fsck" "$(fsck c.img)" 0

    # Pith leaves one: the VMM is killed behind a sync.
    "$PITH" run --accel tcg --net none -v b.img:/data ./fsops /data 4 1000 hold </dev/null >held.out 2>pith.err &
    machine=$!
    pids="$pids $machine"
    until grep -q "^held" held.out || ! kill -0 "$machine" 2>/dev/null; do sleep 0.2; done
    for p in $(pgrep -P "$machine"); do kill -KILL "$p"; done
    kill -KILL "$machine"
    wait "$machine" 2>/dev/null
    is "fs/$kind/left by Pith" "$(dumpe2fs -h b.img 2>/dev/null | grep -c needs_recovery)" 1
    grep -v -e '^[0-9]*: ' -e '^held' held.out >pith.out
    linux b.img >linux.out
    same "$kind/recovered by Linux"
    is "fs/$kind/recovered by Linux/fsck" "$(fsck b.img)" 0
done
