#!/bin/sh
# lang_node.sh - Node.js: http, fs, streams, timers, worker_threads, crypto, tls, fetch, WebAssembly; and without a compiler.
. tests/apps/langs
example_copy
make_certificate node
export expect_refused='spawn: EPERM
execSync: EPERM
fork: EPERM'
on_linux /usr/bin/node node/server.js PORT
in_pith
sed -i '/^allow:/d; s,\[/app,[--jitless\, /app,' node/pith.yaml
on_linux /usr/bin/node --jitless node/server.js PORT
in_pith jitless
