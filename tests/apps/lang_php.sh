#!/bin/sh
# lang_php.sh - PHP's built-in server: files, streams, sockets, hashes, regular expressions without and with PCRE's compiler.
. tests/apps/langs
example_copy
export closes=yes expect_stop=143 expect_refused='proc_open: proc_open(): Fork failed: Operation not permitted'
on_linux php8.2 -d pcre.jit=0 -S 127.0.0.1:PORT php/index.php
in_pith
sed -i 's/-d, pcre.jit=0, //; $a allow: [jit]' php/pith.yaml
in_pith jit
