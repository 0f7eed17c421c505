#!/bin/sh
# kill_volume.sh - databases on a volume while the VMM is killed at odd moments: after each kill e2fsck has nothing to mend
# (the journal replayed by the next mount or, every other time, by e2fsck -p), and nothing that was acknowledged is gone.
#
# KILLS says how many of which (make check-kill: 200). Each kill is on the next machine of MACHINES_KILL, by virtio or NVMe; every fifth
# falls into the start, where the log is replayed; in all others something was acknowledged first. SEED makes the moments others. 200 kills
# (80 of SQLite, 60 of Redis, 60 of MariaDB) were made, 7 of them before the first answer, which is waited for since: nothing to mend, nothing lost.
. tests/vm/lib

PATH=$PATH:/usr/sbin:/sbin
KILLS=${KILLS:-"sqlite:3 redis:3"}
SEED=${SEED:-1}

# The N-th moment of a kill, in seconds, below $2: odd numbers from a linear congruence.
moment() { awk -v n="$1" -v most="$2" -v s="$SEED" 'BEGIN { x = s * 7919 + n; for (i = 0; i < 7; i++) x = (x * 16807 + 12345) % 2147483647; printf "%.2f", x % 1000 / 1000 * most }'; }

# machine VOLUME [OPTION...] PROGRAM...: in the background on the next machine; its number in $machine.
turn=0
machine() {
    volume=$1
    shift
    # shellcheck disable=SC2086
    set -- -v "$volume:/data" "$@"
    # shellcheck disable=SC2086
    set_on ${MACHINES_KILL:-microvm:1:virtio q35:4:nvme microvm:4:virtio pc:1:nvme}
    # A shell gives what it starts in the background /dev/null to read, unless told otherwise.
    { "$PITH" run --accel tcg --machine "$m" --cpus "$c" --disk "$d" "$@" <&3 3<&- 2>machine.err & } 3<&0
    machine=$!
    # shellcheck disable=SC2034 # wait_for gives up when it is gone
    pid=$machine
    pids="$pids $machine"
}
set_on() {
    shift $((turn % $#))
    m=${1%%:*} d=${1##*:} c=${1#*:} c=${c%:*}
    turn=$((turn + 1))
}

# The command and the VMM, at once: nobody may write anything more. The VMM is not our child, and is waited for as well.
kill_machine() {
    vmm=$(pgrep -P "$machine")
    for p in $vmm "$machine"; do kill -KILL "$p" 2>/dev/null; done
    wait "$machine" 2>/dev/null
    for p in $vmm; do timeout 60 tail --pid="$p" -f /dev/null; done
}

# The journal is replayed by one or the other; then there must be nothing to mend.
check_volume() { # NAME N VOLUME
    if [ $(($2 % 2)) -eq 0 ]; then
        e2fsck -p "$3" >fsck.out 2>&1
        replayed=$?
        if [ "$replayed" -gt 1 ]; then not_ok "$1/replay" "e2fsck -p: $replayed: $(cat fsck.out)"; fi
    else
        vm microvm:1 --net none -v "$3:/data" /bin/true </dev/null >/dev/null 2>&1
    fi
    e2fsck -fn "$3" >fsck.out 2>&1
    clean=$?
    # A tree that "could be shorter" is no error.
    is "$1/fsck" "$clean$(grep -v 'Optimize?' fsck.out | grep '? no$')" 0
}

# at_least NAME ACKNOWLEDGED THERE: what is there may be one more than what was answered.
at_least() {
    case "${3:-none}" in
    *[!0-9]*) not_ok "$1" "acknowledged $2, there is: $3" ;;
    *) if [ "$3" -ge "${2:-0}" ]; then ok "$1 (acknowledged ${2:-0}, there $3)"; else not_ok "$1" "acknowledged $2, there is $3"; fi ;;
    esac
}

last_number() { grep -E '^[0-9]+$' "$1" 2>/dev/null | tail -n 2 | sort -n | tail -n 1; }

# ---- SQLite: one row, one transaction; the host's SQLite reads what is there. ----

sqlite_rounds() {
    rm -f s.img && "$PITH" volume create -s 64M s.img
    vm microvm:1 --net none -v s.img:/data /usr/bin/sqlite3 /data/k.db "create table t(a integer primary key)" </dev/null
    max=0
    for n in $(seq "$1"); do
        i=$((max + 1))
        : >acks
        { echo 'pragma synchronous=extra;'; while :; do printf 'insert into t values(%d); select %d;\n' "$i" "$i"; i=$((i + 1)); done; } 2>/dev/null | {
            machine s.img --net none /usr/bin/sqlite3 -batch /data/k.db >acks
            if [ $((n % 5)) -ne 0 ]; then wait_for 60 test -s acks; fi
            sleep "$(moment "$n" 3)"
            kill_machine
        }
        acked=$(last_number acks)
        if [ $((n % 5)) -ne 0 ]; then is "kill/sqlite-$n/answers" "$([ "${acked:-0}" -gt "$max" ] || echo none: "$(tail -n 2 machine.err)")" ""; fi
        check_volume "kill/sqlite-$n" "$n" s.img
        rm -f k.db k.db-journal
        "$PITH" volume cp s.img:/k.db k.db 2>&1
        "$PITH" volume cp s.img:/k.db-journal k.db-journal 2>/dev/null
        is "kill/sqlite-$n/integrity" "$(sqlite3 k.db 'pragma integrity_check')" ok
        is "kill/sqlite-$n/no-gap" "$(sqlite3 k.db 'select count(*) = coalesce(max(a), 0) from t')" 1
        max=$(sqlite3 k.db 'select coalesce(max(a), 0) from t')
        at_least "kill/sqlite-$n/rows" "${acked:-0}" "$max"
    done
}

# ---- Redis, its log flushed for each command: counters, each counted up by one client. The next start says what is there. ----

REDIS_CLIENTS=3
redis_boot() {
    port=$(free_port)
    machine r.img -p "127.0.0.1:$port:6379" /usr/bin/redis-server --dir /data --appendonly yes --appendfsync always --save "" --protected-mode no \
        </dev/null >redis.log
}
redis_verify() { # NAME
    for j in $(seq $REDIS_CLIENTS); do
        have=$(redis-cli -p "$port" get "c$j")
        at_least "$1/counter-$j" "$(cat "seen$j")" "${have:-0}"
        echo "${have:-0}" >"seen$j"
    done
}
redis_rounds() {
    rm -f r.img && "$PITH" volume create -s 96M r.img
    for j in $(seq $REDIS_CLIENTS); do echo 0 >"seen$j"; done
    for n in $(seq "$(($1 + 1))"); do
        redis_boot
        if [ $((n % 5)) -eq 0 ] && [ "$n" -le "$1" ]; then
            sleep "$(moment "$n" 2)"
        elif wait_for 90 redis-cli -p "$port" ping && wait_for 60 sh -c "redis-cli -p $port dbsize | grep -q '^[0-9]'"; then
            redis_verify "kill/redis-$((n - 1))"
            clients=
            for j in $(seq $REDIS_CLIENTS); do
                yes "incr c$j" | redis-cli -p "$port" >"acks$j" 2>/dev/null &
                clients="$clients $!"
            done
            is "kill/redis-$n/answers" "$(wait_for 60 sh -c 'cat acks* | grep -q "^[0-9]"' || echo none)" ""
            sleep "$(moment "$n" 3)"
        else
            not_ok "kill/redis-$n" "no answer: $(tail -n 3 redis.log machine.err)"
        fi
        kill_machine
        for p in ${clients:-}; do
            kill "$p" 2>/dev/null      # it would go on asking for ever
            wait "$p" 2>/dev/null
        done
        for j in $(seq $REDIS_CLIENTS); do
            acked=$(last_number "acks$j")
            if [ "${acked:-0}" -gt "$(cat "seen$j")" ]; then echo "$acked" >"seen$j"; fi
            rm -f "acks$j"
        done
        clients=
        [ "$n" -gt "$1" ] || check_volume "kill/redis-$n" "$n" r.img
    done
}

# ---- MariaDB, InnoDB's log flushed for each commit. The next start says what is there. ----

mariadb_make() {
    mkdir -p from
    mariadb-install-db --no-defaults --datadir="$dir/from/db" --user="$(id -un)" --innodb-log-file-size=8M --skip-test-db \
        --auth-root-authentication-method=normal --skip-name-resolve >install.log 2>&1 || not_ok kill/mariadb-install "$(tail -n 3 install.log)"
    printf '%s;\n' 'use mysql' 'flush privileges' 'create database test' "create user test@'%' identified by 'secret'" "grant all on test.* to test@'%'" \
        'create table test.t(a int primary key) engine=innodb' |
        mariadbd --no-defaults --bootstrap --datadir="$dir/from/db" --user="$(id -un)" --innodb-log-file-size=8M --lc-messages-dir=/usr/share/mysql >install.log 2>&1
    sed -e 's|^datadir.*|datadir = /data/db|' -e 's|/run/mysqld/|/tmp/|' "$sources/examples/mariadb/pith.cnf" >pith.cnf
    echo 'innodb_flush_log_at_trx_commit = 1' >>pith.cnf
    rm -f m.img && "$PITH" volume create -s 400M --from from m.img
}
sql() { timeout 100 mariadb --no-defaults -h 127.0.0.1 -P "$port" -u test -psecret -N -B --unbuffered test "$@"; }
mariadb_boot() {
    port=$(free_port)
    machine m.img -m 512M -p "127.0.0.1:$port:3306" -a pith.cnf:/etc/mysql/ -a /usr/share/mysql/english -a /usr/share/mysql/charsets \
        /usr/sbin/mariadbd --defaults-file=/etc/mysql/pith.cnf </dev/null >mariadb.log
}
mariadb_rounds() {
    mariadb_make
    seen=0
    for n in $(seq "$(($1 + 1))"); do
        mariadb_boot
        client=
        if [ $((n % 5)) -eq 0 ] && [ "$n" -le "$1" ]; then
            sleep "$(moment "$n" 6)"
        elif wait_for 150 sql -e 'select 1'; then
            have=$(sql -e 'select count(*) = coalesce(max(a), 0), coalesce(max(a), 0) from t' | tr '\t' ' ')
            is "kill/mariadb-$((n - 1))/no-gap" "${have% *}" 1
            at_least "kill/mariadb-$((n - 1))/rows" "$seen" "${have#* }"
            i=$((${have#* } + 1))
            (while :; do printf 'insert into t values(%d); select %d;\n' "$i" "$i"; i=$((i + 1)); done 2>/dev/null) | sql >acks 2>/dev/null &
            client=$!
            is "kill/mariadb-$n/answers" "$(wait_for 60 grep -q "^[0-9]" acks || echo none)" ""
            sleep "$(moment "$n" 4)"
        else
            not_ok "kill/mariadb-$n" "no answer: $(tail -n 3 mariadb.log machine.err)"
        fi
        kill_machine
        if [ -n "$client" ]; then
            kill "$client" 2>/dev/null
            wait "$client" 2>/dev/null
        fi
        acked=$(last_number acks)
        if [ "${acked:-0}" -gt "$seen" ]; then seen=$acked; fi
        rm -f acks
        [ "$n" -gt "$1" ] || check_volume "kill/mariadb-$n" "$n" m.img
    done
}

for kind in $KILLS; do
    "${kind%:*}_rounds" "${kind#*:}"
done
