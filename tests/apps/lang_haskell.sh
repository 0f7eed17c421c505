#!/bin/sh
# lang_haskell.sh - Haskell, GHC's threaded runtime and the other one: threads, STM, time-outs, network, files, signals.
. tests/apps/langs
example_copy
export expect_sum=adler32
export expect_refused='process: /bin/true: readCreateProcess: posix_spawnp: permission denied (Operation not permitted)'
for threaded in -threaded ''; do
    rm -rf hs && mkdir hs
    # shellcheck disable=SC2086
    ghc -v0 -O $threaded -rtsopts -outputdir hs -o haskell/server haskell/Server.hs
    on_linux haskell/server PORT
    in_pith "ghc$threaded"
done
