#!/bin/sh
# prometheus.sh - Debian's prometheus (Go): it scrapes itself; queries through its API.
. tests/apps/lib
query() { fetch -G "http://127.0.0.1:$port/api/v1/query" --data-urlencode "query=$1"; }
up() { query up | grep -q '"value":\[[0-9.]*,"1"\]'; }

for on in $MACHINES; do
    port=$(free_port)
    boot "$on" -p "127.0.0.1:$port:9090" "$example"
    if ready 90 curl -sf --max-time 5 "http://127.0.0.1:$port/-/ready"; then
        if wait_for 60 up; then ok "$at/scrapes"; else not_ok "$at/scrapes" "$(query up)"; fi
        has "$at/arithmetic" "$(query '6 * 7')" '"result":\[[0-9.]*,"42"\]'
        has "$at/samples" "$(query 'count(scrape_samples_scraped > 100)')" '"1"\]'
        has "$at/targets" "$(fetch "http://127.0.0.1:$port/api/v1/targets")" '"health":"up"'
        has "$at/bad-query" "$(query 'sum(')" '"errorType":"bad_data"'
        has "$at/metrics" "$(fetch "http://127.0.0.1:$port/metrics")" '^prometheus_build_info'
    fi
    finish 0
done
