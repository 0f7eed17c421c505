#!/bin/sh
# jit.sh - code made at run time: refused by default with one line that says what to do, allowed with --allow jit.
. tests/vm/lib
cc -O1 -D_GNU_SOURCE -o jit "$sources/tests/vm/programs/jit.c"

is jit/refused "$(vm microvm:1 --net none ./jit 2>err </dev/null)" "mprotect: EACCES"
is jit/says-what-to-do "$(grep -c 'allow jit' err)" 1
is jit/allowed "$(vm microvm:1 --net none --allow jit ./jit 2>&1 </dev/null | tr '\n' '|')" "made code says 42|writable and executable: mapped|"
"$PITH" build --net none --allow jit -o jit.img ./jit >err 2>&1 || cat err
is jit/in-an-image "$(vm microvm:1 jit.img 2>&1 </dev/null | head -n 1)" "made code says 42"
is jit/no-such-thing "$("$PITH" run --allow all ./jit 2>&1)" 'pith: --allow: "all" is no such thing; there is jit'
