#!/bin/sh
# lang_perl.sh - Perl: IO::Socket, IO::Select, files, signals, alarms.
. tests/apps/langs
example_copy
export expect_refused='fork: Operation not permitted
system: Operation not permitted'
on_linux /usr/bin/perl perl/server.pl PORT
in_pith
