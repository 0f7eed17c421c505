#!/bin/sh
# hello.sh - every kind of executable, on every machine: output, exit status, both streams apart.
. tests/vm/lib
programs=$sources/tests/vm/programs

cc -O2 -static -o glibc-static "$programs/hello.c"
cc -O2 -static-pie -o glibc-static-pie "$programs/hello.c"
cc -O2 -pie -fPIE -o glibc-dynamic "$programs/hello.c"
cc -O2 -no-pie -fno-pie -o glibc-non-pie "$programs/hello.c"
musl-gcc -O2 -static -o musl-static "$programs/hello.c"
musl-gcc -O2 -o musl-dynamic "$programs/hello.c"
c++ -O2 -pthread -o cxx "$programs/throws.cc"
cc -O2 -pthread -o threads64 "$programs/threads64.c"

for kind in glibc-static glibc-static-pie glibc-dynamic glibc-non-pie musl-static musl-dynamic; do
    for on in microvm:1 q35:1; do
        status=0
        vm $on ./$kind 42 "$kind" >out 2>err </dev/null || status=$?
        is "hello/$kind/$on/stdout" "$(cat out)" "hello, $kind"
        is "hello/$kind/$on/stderr" "$(cat err)" "and a word on standard error"
        is "hello/$kind/$on/status" "$status" 42
    done
done
for on in $MACHINES; do
    is "hello/machine/$on" "$(vm $on ./glibc-static 2>/dev/null </dev/null)" "hello, world"
    is "cxx/$on" "$(vm $on ./cxx 2>&1 </dev/null)" "$(./cxx)"
    is "threads64/$on" "$(vm $on ./threads64 2>&1 </dev/null)" "counter 12800, thread-local 12800, turns 64"
done
