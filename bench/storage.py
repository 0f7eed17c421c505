"""storage - the rows of `bench/run storage`: a volume under Pith and under the minimal Linux guest, in turn.

Both are the same microvm with the same EROFS root and a fresh copy of the same ext4 volume (mke2fs's defaults, journaled), one vCPU.
The rows of MariaDB are mariadb.py's.
Instructions are counted in one run of each, times in RUNS further ones in turn, of which the median stands in the table;
ratios are Linux's by Pith's.
"""
import os, re, shutil, subprocess, time
import guest, machine, mariadb, meter
from meter import CLEAN_CPU, counters, symbols, vmm

RUNS = int(os.environ.get("PITH_BENCH_RUNS", "11"))

# Beside the marks of programs/storage.c: name, operations.
ROWS = {0: ("sequential read, 64 KiB, not cached, a MB", 16), 1: ("random read, 4 KiB, not cached", 1000), 2: ("sequential read, 64 KiB, cached, a MB", 16),
        4: ("sequential write, 64 KiB, with fsync at the end, a MB", 16), 5: ("random write, 4 KiB, with fsync at the end", 1000),
        7: ("append 4 KiB and fsync", 100), 8: ("overwrite 4 KiB and fdatasync", 100),
        10: ("create, write 1 KiB, close", 1000), 11: ("unlink", 1000)}

def tick_ns():
    """Of the processor's counter, which TCG hands to the guest as it is. As near as /proc/cpuinfo tells: ratios do not need it."""
    with open("/proc/cpuinfo") as f:
        return 1000 / float(re.search(r"cpu MHz\s*: ([\d.]+)", f.read()).group(1))

NOW = "select cast((julianday('now') - 2440587.5) * 86400e6 as integer);"
SQLITE = {"SQLite: insert, each a transaction": (300, "create table t(a integer primary key, b text);" + NOW +
                                                 "".join(f"insert into t values({i}, hex({i * 7}));" for i in range(300)) + NOW),
          "SQLite: 10,000 inserts in a transaction, an index, a scan": (1, "create table t(a integer primary key, b text);" + NOW +
                                                 "with recursive c(x) as (select 1 union all select x+1 from c where x<10000) insert into t select x, hex(x*7) from c;"
                                                 "create index i on t(b); select count(*), sum(a), max(b) from t;" + NOW)}

def volume_make(tmp):
    """Files a and b of 16 MB, of bytes that are not all alike."""
    os.makedirs(f"{tmp}/from", exist_ok=True)
    block = bytes(range(256)) * 256
    for name in ("a", "b"):
        with open(f"{tmp}/from/{name}", "wb") as f:
            for _ in range(256):
                f.write(block)
    subprocess.run([f"{meter.BUILD}/pith", "volume", "create", "-s", "128M", "--from", f"{tmp}/from", f"{tmp}/plain.img"], check=True)

def command(kind, tmp, program, args, marks, out, linux):
    options = ["-a", f"{tmp}/load.sql:/srv/load.sql"] if os.path.exists(f"{tmp}/load.sql") else []
    shutil.copyfile(f"{tmp}/plain.img", f"{tmp}/volume.img")
    cmd = vmm(["--machine", "microvm", "-m", "128M", "--net", "none", "-v", f"{tmp}/volume.img:/data", *options], program, args, marks=marks, out=out, cpu=CLEAN_CPU)
    return cmd if kind == "Pith" else guest.linux_words(cmd, linux, "pith.volume=/data")

def run(cmd):
    r = subprocess.run(cmd, stdin=subprocess.DEVNULL, capture_output=True, timeout=600)
    return r.stdout.decode(errors="replace").replace("\r", "")

def measure(name, tmp, linux, program, args, marks, counted, timed):
    """{kind: {row: (instructions of the kernel, all, ns)}}; counted(counters of a run) and timed(its output) give rows."""
    got = {}
    for kind in ("Pith", "Linux"):
        m = marks(kind)
        text = run(command(kind, tmp, program, args, m, f"{tmp}/counts", linux))
        try:
            got[kind] = {r: [*v] for r, v in counted(*counters(f"{tmp}/counts")).items()}
            timed(text)
        except (KeyError, ValueError, IndexError):
            raise SystemExit(f"storage: {name} failed in {kind}: {text[-800:]}")
    times = {"Pith": {}, "Linux": {}}
    for _ in range(RUNS):
        for kind in times:
            for r, ns in timed(run(command(kind, tmp, program, args, None, None, linux))).items():
                times[kind].setdefault(r, []).append(ns)
    for kind in times:
        for r, ns in times[kind].items():
            got[kind][r].append(sorted(ns)[len(ns) // 2])
    return got

def plain(tmp, linux):
    program = f"{meter.BUILD}/bench/storage"
    marks = {n: a for n, a in symbols(program).items() if re.fullmatch(r"mk1\d\d", n)}
    def counted(_, m):
        return {r: [(m[f"mk{101 + r}"][h] - m[f"mk{100 + r}"][h]) / n for h in ("high", "total")] for r, (_, n) in ROWS.items()}
    def timed(text):
        ns = {int(l.split()[0]): int(l.split()[1]) for l in text.splitlines() if re.fullmatch(r"\d+ \d+", l)}
        return {r: ns[r] * tick_ns() / n for r, (_, n) in ROWS.items()}
    got = measure("storage", tmp, linux, program, [], lambda kind: marks, counted, timed)
    return {kind: {ROWS[r][0]: v for r, v in rows.items()} for kind, rows in got.items()}

def sqlite(tmp, linux, name):
    n, sql = SQLITE[name]
    def marks(kind):
        if kind == "Pith":
            return {"first": "syscall"}
        return {"exec": symbols(f"{linux}/init.symbols")["mk_exec"], "first": "after-exec"}
    def counted(now, m):
        return {name: [(now[h] - m["first"][h]) / n for h in ("high", "total")]}
    def timed(text):
        us = [int(l) for l in text.splitlines() if re.fullmatch(r"\d{16}", l)]
        return {name: (us[1] - us[0]) * 1000 / n}
    with open(f"{tmp}/load.sql", "w") as f:
        f.write(sql)
    return measure(name, tmp, linux, "/usr/bin/sqlite3", ["/data/t.db", ".read /srv/load.sql"], marks, counted, timed)

def bench(tmp):
    linux = machine.linux_folder()
    volume_make(tmp)
    for part in (plain, *(lambda t, l, name=name: sqlite(t, l, name) for name in SQLITE), lambda _, l: mariadb.rows(l)):
        got = part(tmp, linux)
        for name, (_, all_, ns) in got["Pith"].items():
            _, l_all, l_ns = got["Linux"][name]
            meter.row(name, all_, "instructions", None, l_all)
            meter.row(f"{name}: time", ns / 1000, "us", None, l_ns / 1000, None, 1.3)
