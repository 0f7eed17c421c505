#!/bin/sh
# redis.sh - the matrix's entry of tests/vm/redis.sh.
MACHINES_REDIS=${MACHINES:-microvm:1 microvm:4} tests/vm/redis.sh | sed -E 's,^(ok|not ok) ,\1 apps/,'
