#!/bin/sh
# lang_rust.sh - Rust: std's threads, locks, channels, TCP, UDP, unix sockets, files, panics.
. tests/apps/langs
example_copy
/usr/bin/rustc -O -o rust/server rust/main.rs
export expect_sum=adler32 expect_stop=143 expect_refused='spawn: PermissionDenied'
on_linux rust/server PORT
in_pith
