#!/bin/sh
# lang_ocaml.sh - OCaml, native code: threads, events, Unix, stack overflow that becomes an exception.
. tests/apps/langs
example_copy
(cd ocaml && ocamlopt -I +threads unix.cmxa threads.cmxa server.ml -o server)
export expect_sum=adler32 expect_refused='fork: Operation not permitted
create_process: Operation not permitted'
on_linux ocaml/server PORT
in_pith
