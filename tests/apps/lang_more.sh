#!/bin/sh
# lang_more.sh - languages with a small program each: what they print on this host is what they must print in Pith. Those that
# make code at run time are also run without leave to do so: each does without, or ends with a line that says what to write.
. tests/apps/lib

# same NAME PROGRAM-WORDS -- OPTION...: the words run here and in Pith on each machine.
same() {
    name=$1 words=
    shift
    while [ "$1" != -- ]; do
        words="$words $1"
        shift
    done
    shift
    # shellcheck disable=SC2086
    timeout 60 $words </dev/null >want 2>want.err || not_ok "apps/$app/$name" "on the host: $(tail -n 3 want.err)"
    for on in $MACHINES; do
        # shellcheck disable=SC2086
        VM_SECONDS=200 vm "$on" --net none -m 256M "$@" $words </dev/null >got 2>got.err || not_ok "apps/$app/$on/$name/status" "$? $(tail -n 3 got.err)"
        is "apps/$app/$on/$name" "$(cat got)" "$(cat want)"
    done
}

# refused NAME PROGRAM-WORDS -- OPTION...: without leave the line says what to write.
refused() {
    name=$1 words=
    shift
    while [ "$1" != -- ]; do
        words="$words $1"
        shift
    done
    shift
    # shellcheck disable=SC2086
    VM_SECONDS=200 vm microvm:1 --net none -m 256M "$@" $words </dev/null >got 2>&1
    has "apps/$app/microvm:1/$name/says" "$(cat got)" 'write --allow jit, or allow: \[jit\] in pith.yaml'
}

mkdir /tmp/pith-more.$$ || exit 1
work=/tmp/pith-more.$$
trap 'cleanup; rm -rf "$work"' EXIT

cat >$work/t.tcl <<'T'
set s [socket -server {apply {{c a p} {puts $c hello; close $c}}} 0]
set c [socket 127.0.0.1 [lindex [fconfigure $s -sockname] 2]]
after 100 {set done 1}
vwait done
puts [gets $c]
set f [open /tmp/more.txt w]; puts $f text; close $f
puts [file size /tmp/more.txt]
file delete /tmp/more.txt
T
same tcl /usr/bin/tclsh8.6 $work/t.tcl -- --package libtcl8.6 -a $work:$work

cat >$work/t.awk <<'T'
BEGIN {
    n = split("pear apple fig", a); asort(a)
    for (i = 1; i <= n; i++) print a[i]
    print strftime("%Y-%m-%d", 0, 1), gensub(/(.)p/, "<\\1>", "g", "apple")
    print "x" > "/tmp/more.txt"; close("/tmp/more.txt"); getline y < "/tmp/more.txt"; print y
}
T
same gawk /usr/bin/gawk -f $work/t.awk -- -a $work:$work

cat >$work/t.lua <<'T'
local ffi = require 'ffi'
ffi.cdef 'int abs(int);'
local sum = 0
for i = 1, 1e6 do sum = sum + i % 7 end
print(sum, ffi.C.abs(-42))
T
same luajit /usr/bin/luajit $work/t.lua -- --allow jit -a $work:$work
same luajit-joff /usr/bin/luajit -joff $work/t.lua -- -a $work:$work
refused luajit /usr/bin/luajit $work/t.lua -- -a $work:$work

cat >$work/t.scm <<'T'
(use-modules (ice-9 threads) (ice-9 rdelim))
(display (par-map (lambda (x) (* x x)) '(1 2 3 4))) (newline)
(call-with-output-file "/tmp/more.txt" (lambda (p) (display "text" p)))
(display (call-with-input-file "/tmp/more.txt" read-line)) (newline)
T
gconv=/usr/lib/x86_64-linux-gnu/gconv
same guile /usr/bin/guile --no-auto-compile $work/t.scm -- --allow jit --package guile-3.0-libs -a $gconv/ISO8859-1.so -a $gconv/gconv-modules -a $work:$work
same guile-interpreted /usr/bin/guile --no-auto-compile $work/t.scm -- -e GUILE_JIT_THRESHOLD=-1 --package guile-3.0-libs -a $gconv/ISO8859-1.so \
    -a $gconv/gconv-modules -a $work:$work

cat >$work/t.lisp <<'T'
(format t "~a~%" (loop for i below 100 sum i))
(format t "~a~%" (sb-thread:join-thread (sb-thread:make-thread (lambda () 42))))
(with-open-file (f "/tmp/more.txt" :direction :output :if-exists :supersede) (write 'text :stream f))
(with-open-file (f "/tmp/more.txt") (format t "~a~%" (read f)))
(dotimes (i 200) (make-array 100000))
(sb-ext:gc :full t)
(format t "done~%")
T
same sbcl /usr/bin/sbcl --script $work/t.lisp -- --allow jit --package sbcl -a $work:$work
refused sbcl /usr/bin/sbcl --script $work/t.lisp -- --package sbcl -a $work:$work

cat >$work/t.fs <<'T'
: sq dup * ;
7 sq . cr
bye
T
same gforth /usr/bin/gforth-fast $work/t.fs -- --package gforth-lib --package gforth-common -a $work:$work

# R's packages ask uname(1) when they are loaded: R_PROFILE has the answer.
cat >$work/t.R <<'T'
print(solve(matrix(c(2, 1, 1, 3), 2)))
print(summary(lm(dist ~ speed, data.frame(speed = 1:10, dist = (1:10)^2)))$r.squared)
cat(nchar("h\u00e9llo"), sum(as.numeric(1:1e6)), sd(c(1, 2, 3)), "\n")
T
cat >$work/profile.R <<'T'
local({
    unlockBinding("system", baseenv())
    assign("system", function(command, intern = FALSE, ...) if (intern) "Linux" else 127L, baseenv())
})
T
export R_HOME=/usr/lib/R
same R /usr/lib/R/bin/exec/R --no-save --no-restore --no-echo -f $work/t.R -- --package r-base-core -a /etc/R -a $work:$work \
    -e R_HOME=$R_HOME -e R_PROFILE=$work/profile.R

# Erlang's emulator starts a helper before anything else.
erts=$(echo /usr/lib/erlang/erts-*/bin)
VM_SECONDS=200 vm microvm:1 --net none -m 256M --allow jit --package erlang-base -e "BINDIR=$erts" -e ROOTDIR=/usr/lib/erlang -e EMU=beam \
    "$erts/beam.smp" -- -root /usr/lib/erlang -bindir "$erts" -progname erl -- -home /tmp -- -noshell </dev/null >got 2>&1
has "apps/$app/microvm:1/erlang/says" "$(cat got)" '^pith: beam.smp: a second process \([a-z0-9]+\) is refused at [A-Za-z_.0-9+-]+.*; it always starts erl_child_setup, so it cannot run'
rm -f /tmp/more.txt
