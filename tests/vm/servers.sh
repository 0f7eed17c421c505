#!/bin/sh
# servers.sh - Debian's servers, unchanged, driven from the host by real clients with checked answers.
#
# nginx serves files of 0 bytes to 100 MB with right checksums; redis answers redis-benchmark; Python's
# http.server and a Go net/http server answer curl; sqlite3 works on /tmp. Networking is the VMM's
# user mode with a forwarded port; loads stay below 30 connections there.
. tests/vm/lib

mkdir -p www
printf '' >www/empty
printf 'hello from a file\n' >www/small
head -c 65536 /dev/urandom >www/64k
head -c 1000003 /dev/urandom >www/1m
head -c 104857600 /dev/urandom >www/100m
cat >nginx.conf <<'C'
daemon off;
master_process off;
worker_processes 1;
error_log stderr;
pid /run/nginx.pid;
events { worker_connections 512; }
http {
    access_log off;
    sendfile on;
    keepalive_requests 100000;
    client_body_temp_path /tmp/b; proxy_temp_path /tmp/p; fastcgi_temp_path /tmp/f; uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s;
    server { listen 80; root /www; }
}
C
get() { curl -s --max-time "${GET_SECONDS:-60}" "http://127.0.0.1:$port$1"; }

for on in ${NGINX_MACHINES:-microvm:1 q35:4 pc:1}; do
    port=$(free_port)
    start nginx "$on" -m 256M -p "127.0.0.1:$port:80" -a nginx.conf:/etc/nginx/nginx.conf -a www:/www /usr/sbin/nginx -c /etc/nginx/nginx.conf
    if wait_for 60 curl -sf --max-time 5 "http://127.0.0.1:$port/small"; then
        for f in empty small 64k 1m 100m; do
            is "servers/nginx/$on/$f" "$(get /$f | sha256sum)" "$(sha256sum <www/$f)"
        done
        is "servers/nginx/$on/404" "$(curl -s -o /dev/null -w '%{http_code}' --max-time 10 "http://127.0.0.1:$port/nothing")" 404
        is "servers/nginx/$on/range" "$(curl -s --max-time 20 -r 1000-1999 "http://127.0.0.1:$port/1m" | sha256sum)" "$(tail -c +1001 www/1m | head -c 1000 | sha256sum)"
        wrk -t1 -c16 -d3s "http://127.0.0.1:$port/64k" >wrk.out 2>&1
        if grep -q 'Requests/sec' wrk.out && ! grep -qE 'Non-2xx|Socket errors: connect [^0]' wrk.out; then
            ok "servers/nginx/$on/wrk"
        else
            not_ok "servers/nginx/$on/wrk" "$(cat wrk.out)"
        fi
    else
        not_ok "servers/nginx/$on" "no answer: $(tail -n 3 nginx.log)"
    fi
    stop
    is "servers/nginx/$on/stop" "$status" 0
done

for on in ${REDIS_MACHINES:-microvm:1 q35:4}; do
    port=$(free_port)
    start redis "$on" -m 128M -p "127.0.0.1:$port:6379" /usr/bin/redis-server --save '' --appendonly no --protected-mode no --bind 0.0.0.0
    if wait_for 60 redis-cli -p "$port" ping; then
        is "servers/redis/$on/set" "$(redis-cli -p "$port" set key 'a value')" OK
        is "servers/redis/$on/get" "$(redis-cli -p "$port" get key)" 'a value'
        is "servers/redis/$on/big" "$(head -c 300000 www/1m | base64 -w0 | redis-cli -p "$port" -x set big)/$(redis-cli -p "$port" strlen big)" "OK/400000"
        timeout 100 redis-benchmark -p "$port" -c 10 -n 2000 -t set,get,incr,lpush,rpush,sadd,hset -P 4 --csv >bench.csv 2>bench.err
        is "servers/redis/$on/benchmark" "$(grep -c '^"' bench.csv)" 8
        is "servers/redis/$on/incr" "$(redis-cli -p "$port" get counter:__rand_int__)" 2000
    else
        not_ok "servers/redis/$on" "no answer: $(tail -n 3 redis.log)"
    fi
    stop
    is "servers/redis/$on/stop" "$status" 0
done

for on in ${PYTHON_MACHINES:-microvm:1 pc:4}; do
    port=$(free_port)
    rm -rf pywww && mkdir pywww && cp www/small www/64k pywww
    start python "$on" -m 256M -p "127.0.0.1:$port:8000" -a pywww:/www -a /usr/lib/python3.11 -a /usr/lib/python3 -w /www /usr/bin/python3 -m http.server 8000
    if wait_for 90 curl -sf --max-time 5 "http://127.0.0.1:$port/small"; then
        is "servers/python/$on/small" "$(get /small)" "hello from a file"
        is "servers/python/$on/64k" "$(get /64k | sha256sum)" "$(sha256sum <www/64k)"
        is "servers/python/$on/list" "$(get / | grep -c 'href="64k"')" 1
    else
        not_ok "servers/python/$on" "no answer: $(tail -n 3 python.log)"
    fi
    stop
done

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
for on in ${GO_MACHINES:-microvm:1 q35:4}; do
    port=$(free_port)
    start go "$on" -m 128M -p "127.0.0.1:$port:8080" ./goserver
    if wait_for 60 curl -sf --max-time 5 "http://127.0.0.1:$port/hello"; then
        is "servers/go/$on/hello" "$(get /hello)" "hello from go"
        is "servers/go/$on/post" "$(curl -s --max-time 30 --data-binary @www/1m "http://127.0.0.1:$port/sum")" "$(sha256sum <www/1m | cut -d' ' -f1)"
        is "servers/go/$on/goroutines" "$(get /goroutines)" 499500
    else
        not_ok "servers/go/$on" "no answer: $(tail -n 3 go.log)"
    fi
    stop
done

sql="create table t(a integer primary key, b text); with recursive c(x) as (select 1 union all select x+1 from c where x<3000) insert into t select x, hex(x*7) from c; create index i on t(b); delete from t where a%3=0; select count(*), sum(a), max(b) from t; pragma integrity_check;"
for on in microvm:1 q35:4; do
    is "servers/sqlite/$on" "$(vm $on /usr/bin/sqlite3 /tmp/t.db "$sql" 2>&1 </dev/null)" "$(sqlite3 ./t.db "$sql")"
    rm -f t.db
done
