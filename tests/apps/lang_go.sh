#!/bin/sh
# lang_go.sh - Go: net/http, TLS and HTTP/2, goroutines on all processors, preemption by signals, interfaces, both resolvers;
# linked to the C library (cgo) and not.
. tests/apps/langs
example_copy
export HOME="$dir" GOCACHE="${GOCACHE:-$dir/go-cache}" GO111MODULE=off
export expect_refused='exec: fork/exec /bin/true: operation not permitted'
for cgo in 1 0; do
    CGO_ENABLED=$cgo go build -o go/server go/main.go
    on_linux go/server PORT
    in_pith "cgo-$cgo"
done
