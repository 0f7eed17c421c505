#!/bin/sh
# postgres.sh - Debian's PostgreSQL 15 as a single-user backend: SQL on standard input, answers and errors checked.
. tests/apps/lib
own_example
cat >in.sql <<'Q'
create table t (id int primary key, name text, n numeric);
insert into t select i, 'row ' || i, i * 1.5 from generate_series(1, 5000) i;
create index on t (n);
analyze t;
select count(*) as count, sum(n) as sum, md5(string_agg(name, ',' order by id)) as digest from t;
begin; delete from t where id > 10; rollback;
select count(*) as rolled from t where n between 15 and 30;
select 1 / 0 as zero;
create function fib(i int) returns int language plpgsql as $$ begin if i < 2 then return i; end if; return fib(i - 1) + fib(i - 2); end $$;
select fib(12) as fib;
select name as last from t order by id desc limit 1;
vacuum full t;
checkpoint;
select pg_size_pretty(0::bigint) as size, (select count(*) from pg_class where relname = 't') as class;
Q
digest=$(seq -s, -f 'row %.0f' 1 5000 | tr -d '\n' | md5sum | cut -d' ' -f1)

for on in $MACHINES; do
    at=apps/$app/$on
    status=0
    VM_SECONDS=300 vm "$on" "$example" >out 2>err <in.sql || status=$?
    is "$at/status" "$status" 0
    value() { sed -n "s/.* $1 = \"\([^\"]*\)\".*/\1/p" out | head -n 1; }
    is "$at/count" "$(value count)" 5000
    is "$at/sum" "$(value sum)" 18753750.0
    is "$at/digest" "$(value digest)" "$digest"
    is "$at/rolled-back" "$(value rolled)" 11
    has "$at/error" "$(cat err)" 'ERROR:  division by zero'
    is "$at/function" "$(value fib)" 144
    is "$at/order" "$(value last)" 'row 5000'
    is "$at/after-vacuum" "$(value class)" 1
done

# Its server wants a process for each connection, and for each of its helpers: the line names the call, where it is made, and what works.
for on in $MACHINES; do
    vm "$on" --stop-timeout 5 -M "$example/pith.yaml" /usr/lib/postgresql/15/bin/postgres -D /run/postgresql/data </dev/null >got 2>&1
    has "apps/$app/$on/server/says" "$(cat got)" '^pith: postgres: a second process \([a-z0-9]+\) is refused at [A-Za-z_.0-9+-]+.*postgres.*; its server needs a process for each connection; only --single works'
done
