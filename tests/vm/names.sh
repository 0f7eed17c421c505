#!/bin/sh
# names.sh - users, the machine's name and the time zone, as a C library sees them.
. tests/vm/lib
programs=$sources/tests/vm/programs

cc -O2 -o glibc "$programs/names.c"
cc -O2 -static -o static "$programs/names.c" 2>/dev/null
musl-gcc -O2 -static -o musl "$programs/names.c"

# asked KIND OPTION...: what the program prints, as one line.
asked() {
    kind=$1
    shift
    vm microvm:1 --net none "$@" "./$kind" 2>&1 </dev/null | tr '\n' ';'
}
for kind in glibc static musl; do
    is "names/$kind/default" "$(asked $kind)" \
        "user: pith /;group: pith;nobody: 65534;hostname: pith;file: pith;localhost: 127.0.0.1;pith: 127.0.0.1;time: 22:13 UTC;"
done
for kind in glibc musl; do
    is "names/$kind/given" "$(asked $kind --hostname web.example.org -e TZ=Europe/Berlin)" \
        "user: pith /;group: pith;nobody: 65534;hostname: web.example.org;file: web.example.org;localhost: 127.0.0.1;web.example.org: 127.0.0.1;time: 23:13 CET;"
done
is names/rule "$(asked glibc -e TZ=XYZ-3 | grep -o 'time: .*')" "time: 01:13 XYZ;"

# The user's own files win.
printf 'me:x:1000:1000::/home/me:/bin/false\n' >passwd
printf '10.9.8.7 pith\n' >hosts
is names/own "$(asked glibc -a passwd:/etc/passwd -a hosts:/etc/hosts | tr ';' '\n' | grep -E '^(user|pith):' | tr '\n' ';')" "user: me /home/me;pith: 10.9.8.7;"
