#!/bin/sh
# streams.sh - Debian's own filters as machines: standard input and output are byte-clean.
. tests/vm/lib

head -c 1000000 /dev/urandom >random
base64 random >text
for on in microvm:1 q35:4; do
    vm $on /usr/bin/sort <text >sorted 2>err
    LC_ALL=C sort text >want
    if cmp -s sorted want; then ok "streams/sort/$on"; else not_ok "streams/sort/$on" "differs: $(head -c 200 err)"; fi
    is "streams/sha256sum/$on" "$(vm $on /usr/bin/sha256sum <random 2>&1)" "$(sha256sum <random)"
    vm $on /usr/bin/gzip -c <random 2>err | gunzip -c >back
    if cmp -s random back; then ok "streams/gzip/$on"; else not_ok "streams/gzip/$on" "differs: $(head -c 200 err)"; fi
done
is streams/empty-stdin "$(vm microvm:1 /usr/bin/wc -c </dev/null 2>&1)" 0
is streams/slow-reader "$(vm microvm:1 /usr/bin/cat <random 2>/dev/null | { sleep 2; sha256sum; })" "$(sha256sum <random)"
is streams/pipe-stdin "$(cat random | vm microvm:1 /usr/bin/sha256sum 2>&1)" "$(sha256sum <random)"
is streams/reader-gone "$(vm microvm:1 /usr/bin/cat <random 2>/dev/null | head -c 10 | wc -c)" 10
