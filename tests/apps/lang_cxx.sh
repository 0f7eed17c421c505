#!/bin/sh
# lang_cxx.sh - C++17: threads, futures, shared locks, exceptions across threads, streams, filesystem.
. tests/apps/langs
example_copy
g++ -std=c++17 -O2 -pthread -o cxx/server cxx/server.cc
export expect_sum=adler32 expect_refused='spawn: Operation not permitted
system: exit status 127'
on_linux cxx/server PORT
in_pith
