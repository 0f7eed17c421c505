#!/bin/sh
# sqlite.sh - Debian's sqlite3 on /tmp; the host's answer is the expected one.
. tests/vm/lib

sql="create table t(a integer primary key, b text); with recursive c(x) as (select 1 union all select x+1 from c where x<3000) insert into t select x, hex(x*7) from c; create index i on t(b); delete from t where a%3=0; select count(*), sum(a), max(b) from t; pragma integrity_check;"
for on in microvm:1 q35:4; do
    is "sqlite/$on" "$(vm $on /usr/bin/sqlite3 /tmp/t.db "$sql" 2>&1 </dev/null)" "$(sqlite3 ./t.db "$sql")"
    rm -f t.db
done
