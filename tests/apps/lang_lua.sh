#!/bin/sh
# lang_lua.sh - Lua with LuaSocket: one loop of coroutines, files, UDP, time-outs.
. tests/apps/langs
example_copy
export expect_sum=adler32 expect_stop=143
on_linux lua5.4 lua/server.lua PORT
in_pith
