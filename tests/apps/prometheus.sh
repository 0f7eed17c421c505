#!/bin/sh
# prometheus.sh - Debian's prometheus (Go): it scrapes itself; queries through its API.
. tests/apps/lib
query() { fetch -G "http://127.0.0.1:$port/api/v1/query" --data-urlencode "query=$1"; }
up() { query up | grep -q '"value":\[[0-9.]*,"1"\]'; }
samples() { query 'scrape_samples_scraped > 100' | grep -q '"value"'; }
healthy() { fetch "http://127.0.0.1:$port/api/v1/targets" | grep -q '"health":"up"'; }
# A busy host may be late for one scrape: what counts is that they come.
comes() { if wait_for 200 "$2"; then ok "$at/$1"; else not_ok "$at/$1" "$(query up) $(query scrape_duration_seconds)"; fi; }

for on in $MACHINES; do
    port=$(free_port)
    boot "$on" -p "127.0.0.1:$port:9090" "$example"
    if ready 90 curl -sf --max-time 5 "http://127.0.0.1:$port/-/ready"; then
        comes scrapes up
        has "$at/arithmetic" "$(query '6 * 7')" '"result":\[[0-9.]*,"42"\]'
        comes samples samples
        comes targets healthy
        has "$at/bad-query" "$(query 'sum(')" '"errorType":"bad_data"'
        has "$at/metrics" "$(fetch "http://127.0.0.1:$port/metrics")" '^prometheus_build_info'
    fi
    finish 0
done
