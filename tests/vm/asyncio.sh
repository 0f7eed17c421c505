#!/bin/sh
# asyncio.sh - an unmodified program that lives by asynchronous I/O: fio with each engine writes at random, reads back, and
# verifies what it finds. Its jobs are threads, since a second process is refused.
. tests/vm/lib
MACHINES=${ASYNC_MACHINES:-"microvm:1 q35:4"}
if ! command -v fio >/dev/null 2>&1; then
    not_ok asyncio "fio is missing: apt-get install fio (scripts/packages)"
    exit 0
fi
fio=$(command -v fio)

# job MACHINE NAME OPTION...: a job of 4 MiB in a memory file, and what must hold of it.
job() {
    on=$1 name=asyncio/$1/$2
    shift 2
    status=0
    VM_SECONDS=120 vm "$on" --net none -m 512M -w /tmp "$fio" --name=t --thread --filename=/tmp/data --size=4m --rw=randwrite --verify=crc32c \
        --do_verify=1 --verify_fatal=1 --output-format=terse --terse-version=3 "$@" </dev/null >out 2>err || status=$?
    is "$name/status" "$status" 0
    # Terse fields: 5 is the error, 6 KiB read (by the verification), 47 KiB written.
    is "$name/verified" "$(awk -F ';' '$1 == 3 { print "error " $5 ", read " $6 ", written " $47 }' out)" "error 0, read 4096, written 4096"
}

for machine in $MACHINES; do
    job "$machine" io_uring --ioengine=io_uring --bs=4k --iodepth=32
    job "$machine" io_uring-batches --ioengine=io_uring --bs=2k --iodepth=64 --iodepth_batch_submit=16 --iodepth_batch_complete_min=8
    job "$machine" io_uring-fixed --ioengine=io_uring --bs=16k --iodepth=8 --fixedbufs=1 --registerfiles=1
    job "$machine" io_uring-sqpoll --ioengine=io_uring --bs=16k --iodepth=8 --sqthread_poll=1
    job "$machine" libaio --ioengine=libaio --bs=4k --iodepth=32
    job "$machine" libaio-userspace --ioengine=libaio --bs=4k --iodepth=32 --userspace_reap
done
