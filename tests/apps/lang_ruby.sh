#!/bin/sh
# lang_ruby.sh - Ruby: WEBrick, threads, fibers, ractors, openssl, Net::HTTP, signals, deep recursion.
. tests/apps/langs
example_copy
export expect_refused='fork: Errno::EPERM
spawn: Errno::EPERM
backtick: Errno::EPERM'
on_linux /usr/bin/ruby3.1 ruby/server.rb PORT
in_pith
