#!/bin/sh
# mariadb.sh - Debian's MariaDB: its client over TCP: transactions, 10,000 rows, an index, several connections at once.
. tests/apps/lib
own_example
sql() { timeout 200 mariadb --no-defaults -h 127.0.0.1 -P "$port" -u test -psecret -N -B test "$@" 2>sql.err; }
rows=10000
cat >load.sql <<Q
create table t (id int primary key auto_increment, name varchar(40), n int, key (n)) engine=innodb;
insert into t (name, n) select concat('row ', seq), seq * 7 % 1000 from seq_1_to_$rows;
create table m (k varchar(20), v blob) engine=aria;
insert into m values ('blob', repeat('x', 60000));
Q

for on in $MACHINES; do
    port=$(free_port)
    boot "$on" -p "127.0.0.1:$port:3306" "$example"
    if ready 120 sql -e 'select 1'; then
        sql <load.sql
        is "$at/load" "$(cat sql.err)" ''
        is "$at/count" "$(sql -e 'select count(*), sum(n), max(name) from t')" "$rows	$(seq 1 $rows | awk '{ s += $1 * 7 % 1000 } END { printf "%d", s }')	row 9999"
        is "$at/index" "$(sql -e 'select count(*) from t where n = 7')" $((rows / 1000))
        is "$at/rollback" "$(sql -e 'begin; delete from t; select count(*) from t; rollback; select count(*) from t' | tr '\n' ' ')" "0 $rows "
        is "$at/blob" "$(sql -e "select md5(v) from m")" "$(printf '%60000s' '' | tr ' ' x | md5sum | cut -d' ' -f1)"
        has "$at/error" "$(sql -e 'select nothing from t'; cat sql.err)" "ERROR 1054 .*Unknown column 'nothing'"
        for i in 1 2 3 4; do
            (for j in $(seq 1 25); do echo "update t set n = n + 1 where id = $j; insert into t (name, n) values ('new $i $j', 5000);"; done | sql) &
            workers="${workers:-} $!"
        done
        # shellcheck disable=SC2086
        wait $workers
        workers=
        is "$at/four-at-once" "$(sql -e 'select count(*) from t where n = 5000')" 100
        is "$at/updates" "$(sql -e "select sum(n) from t where id <= 25")" $(($(seq 1 25 | awk '{ s += $1 * 7 % 1000 } END { print s }') + 100))
        has "$at/check" "$(sql -e 'check table t, m' | tr '\t' ' ')" '^test.t check status OK$'
    fi
    finish 0
done
