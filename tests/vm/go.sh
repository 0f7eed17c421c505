#!/bin/sh
# go.sh - a Go net/http server: handlers, a large body, a thousand goroutines.
. tests/vm/lib

mkdir -p www
printf '' >www/empty
printf 'hello from a file\n' >www/small
head -c 65536 /dev/urandom >www/64k
head -c 1000003 /dev/urandom >www/1m

get() { curl -s --max-time "${GET_SECONDS:-60}" "http://127.0.0.1:$port$1"; }

cat >server.go <<'G'
package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"sync"
)

func main() {
	http.HandleFunc("/hello", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "hello from go") })
	http.HandleFunc("/sum", func(w http.ResponseWriter, r *http.Request) {
		h := sha256.New()
		io.Copy(h, r.Body)
		fmt.Fprintf(w, "%x\n", h.Sum(nil))
	})
	http.HandleFunc("/goroutines", func(w http.ResponseWriter, r *http.Request) {
		var wg sync.WaitGroup
		sum := make(chan int, 1000)
		for i := 0; i < 1000; i++ {
			wg.Add(1)
			go func(i int) { defer wg.Done(); sum <- i }(i)
		}
		wg.Wait()
		close(sum)
		t := 0
		for v := range sum {
			t += v
		}
		fmt.Fprintln(w, t)
	})
	fmt.Println("ready")
	if err := http.ListenAndServe(":8080", nil); err != nil {
		panic(err)
	}
}
G
HOME=$dir GOCACHE=${GOCACHE:-$dir/go} GO111MODULE=off CGO_ENABLED=0 go build -o goserver server.go
for on in ${MACHINES_GO:-microvm:1 q35:4}; do
    port=$(free_port)
    start go "$on" -m 128M -p "127.0.0.1:$port:8080" ./goserver
    if wait_for 60 curl -sf --max-time 5 "http://127.0.0.1:$port/hello"; then
        is "go/$on/hello" "$(get /hello)" "hello from go"
        is "go/$on/post" "$(curl -s --max-time 30 --data-binary @www/1m "http://127.0.0.1:$port/sum")" "$(sha256sum <www/1m | cut -d' ' -f1)"
        is "go/$on/goroutines" "$(get /goroutines)" 499500
    else
        not_ok "go/$on" "no answer: $(tail -n 3 go.log)"
    fi
    stop
done
