#!/bin/sh
# lang_lua.sh - Lua with LuaSocket: one loop of coroutines, files, UDP, time-outs.
. tests/apps/langs
example_copy
export expect_sum=adler32 expect_stop=143
export expect_refused='execute: Operation not permitted 1
popen: nil'
on_linux lua5.4 lua/server.lua PORT
in_pith
