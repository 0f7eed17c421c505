#!/bin/sh
# lang_python.sh - CPython: http.server, threads, asyncio, sqlite3, ssl, urllib, concurrent.futures.
. tests/apps/langs
example_copy
make_certificate python
export expect_refused='fork: PermissionError Operation not permitted
subprocess: PermissionError Operation not permitted
multiprocessing: PermissionError Operation not permitted'
on_linux /usr/bin/python3 python/server.py PORT
in_pith
