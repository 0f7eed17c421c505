#!/bin/sh
# posix_shm.sh - POSIX shared memory and named semaphores in /dev/shm: what Linux answers, written down here, since not every
# host that tests has a /dev/shm.
. tests/vm/lib
cc -O1 -pthread -o posix_shm "$sources/tests/vm/programs/posix_shm.c"
cat >want <<'W'
made: yes
made again: EEXIST
absent: ENOENT
a directory in it: EINVAL
long name: EINVAL
closed on exec: yes
sized: yes
mapped: yes
one's stores are the other's: yes
written: yes
a write is in the mapping: yes
write through what was opened to read: EACCES
size: yes
removed: yes
removed again: ENOENT
links: yes
lives on in mappings: yes
and without descriptors: yes
a new one is empty: yes
semaphore: yes
exclusive: yes
absent: yes
taken: yes
taken twice: EAGAIN
in time: ETIMEDOUT
given by a thread: yes
removed: yes
removed again: ENOENT
W

for on in microvm:1 q35:4; do
    vm "$on" --net none ./posix_shm </dev/null >got 2>err || not_ok "posix_shm/$on" "$(tail -n 2 err)"
    awk -v at="posix_shm/$on" '
        NR == FNR { want[++n] = $0; next }
        { have[++m] = $0 }
        END {
            for (i = 1; i <= n; i++) {
                key = want[i]; sub(/: .*/, "", key)
                if (have[i] == want[i]) print "ok " at "/" key; else print "not ok " at "/" key ": \"" have[i] "\", not \"" want[i] "\""
            }
            if (m != n) print "not ok " at "/lines: " m ", not " n
        }' want got
done
