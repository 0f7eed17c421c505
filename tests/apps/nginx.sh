#!/bin/sh
# nginx.sh - the matrix's entry of tests/vm/nginx.sh.
MACHINES_NGINX=${MACHINES:-microvm:1 microvm:4} tests/vm/nginx.sh | sed -E 's,^(ok|not ok) ,\1 apps/,'
