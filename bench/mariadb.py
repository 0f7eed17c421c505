#!/usr/bin/env python3
"""mariadb - the rows of `bench/run storage` in which MariaDB works on a volume, asked by sysbench over the network.

Both machines get a fresh copy of one volume with sysbench's tables in it, the log flushed for each commit, and the same tap device
of a network namespace of their own. Instructions are all that the guest executes between the first and the last of a load's
transactions, in one run of each machine; times are sysbench's own, the median of RUNS further runs in turn.

Run as a program (in that namespace, as root) it measures and prints one JSON object; rows() does that.
"""
import json, os, re, shlex, shutil, subprocess, sys, tempfile, time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import guest, meter
from meter import CLEAN_CPU, TOP, counters, vmm

GUEST, ADDRESS = "10.9.0.2", "ip=10.9.0.2::10.9.0.1:255.255.255.0:pith:eth0:off"
SETUP = "ip link set lo up; ip tuntap add tap0 mode tap; ip addr add 10.9.0.1/24 dev tap0; ip link set tap0 up; exec "
RUNS = int(os.environ.get("PITH_BENCH_RUNS", "11"))
TABLES = ["--tables=2", "--table-size=10000"]
USER = ["--mysql-user=test", "--mysql-password=secret", "--mysql-db=test"]

# Row: sysbench's script, connections, transactions. In one run of a machine, one after the other.
LOADS = {"MariaDB: sysbench oltp_read_write, 1 connection": ("oltp_read_write", 1, 200),
         "MariaDB: sysbench oltp_read_write, 8 connections": ("oltp_read_write", 8, 400),
         "MariaDB: sysbench oltp_write_only, 1 connection": ("oltp_write_only", 1, 400),
         "MariaDB: sysbench oltp_read_only, 1 connection": ("oltp_read_only", 1, 200)}

def rows(linux):
    """{kind: {row: (instructions of the kernel, all, ns)}}, measured in a child that has a network of its own."""
    for tool in ("sysbench", "mariadbd", "mariadb-install-db"):
        if not shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin"):
            raise SystemExit(f"mariadb: {tool} is not there; scripts/setup apps bench installs it")
    own = shlex.join([sys.executable, os.path.abspath(__file__), meter.BUILD, linux])
    r = subprocess.run(["unshare", "-n", "sh", "-c", SETUP + own], stdout=subprocess.PIPE, text=True)
    if r.returncode:
        raise SystemExit("mariadb: no figures")
    return json.loads(r.stdout)

def quiet(*words, **more):
    r = subprocess.run(words, stdin=more.pop("stdin", subprocess.DEVNULL), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
    if r.returncode:
        raise SystemExit(f"mariadb: {words[0]}: {r.stdout[-800:]}")
    return r.stdout

def sysbench(where, script, *words):
    return ["sysbench", script, "--db-driver=mysql", *where, *USER, *TABLES, *words]

def tables_make(data, tmp):
    """sysbench fills its tables in a server of the host, which then goes down in order."""
    log = open(f"{tmp}/server.log", "wb")
    server = subprocess.Popen(["mariadbd", "--no-defaults", f"--datadir={data}", "--user=root", "--innodb-log-file-size=8M",
                               "--skip-networking", f"--socket={tmp}/socket", f"--pid-file={tmp}/pid"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        end = time.monotonic() + 60
        while not os.path.exists(f"{tmp}/socket") and server.poll() is None and time.monotonic() < end:
            time.sleep(0.1)
        quiet(*sysbench([f"--mysql-socket={tmp}/socket"], "oltp_read_write", "prepare"))
    finally:
        server.terminate()
        server.wait()
    if server.returncode:
        raise SystemExit(f"mariadb: the server that made the tables ended with {server.returncode}: {open(f'{tmp}/server.log', errors='replace').read()[-800:]}")

def volume_make(tmp):
    """plain.img: a data directory that anybody may use (Linux asks, Pith does not); pith.cnf: that of examples/mariadb, on the volume."""
    os.makedirs(f"{tmp}/from")
    for name in ("prepare", "pith.cnf"):
        shutil.copy(f"{TOP}/examples/mariadb/{name}", f"{tmp}/from/{name}")
    quiet("sh", f"{tmp}/from/prepare")
    tables_make(f"{tmp}/from/data", tmp)
    with open(f"{tmp}/from/pith.cnf") as f:
        text = re.sub(r"(?m)^datadir.*", "datadir = /data/data", f.read()).replace("/run/mysqld/", "/tmp/")
    with open(f"{tmp}/pith.cnf", "w") as f:
        f.write(text + "innodb_flush_log_at_trx_commit = 1\n")
    quiet("chmod", "-R", "a+rwX", f"{tmp}/from", f"{tmp}/pith.cnf")
    quiet(f"{meter.BUILD}/pith", "volume", "create", "-s", "400M", "--from", f"{tmp}/from", f"{tmp}/plain.img")

def machine(kind, tmp, linux, out):
    shutil.copyfile(f"{tmp}/plain.img", f"{tmp}/volume.img")
    options = ["--machine", "microvm", "-m", "256M", "--net", "tap=tap0", "--ip", f"{GUEST}/24", "-v", f"{tmp}/volume.img:/data",
               "-a", f"{tmp}/pith.cnf:/etc/mysql/", "-a", "/usr/share/mysql/english", "-a", "/usr/share/mysql/charsets"]
    cmd = vmm(options, "/usr/sbin/mariadbd", ["--defaults-file=/etc/mysql/pith.cnf"], out=out, cpu=CLEAN_CPU)
    return cmd if kind == "Pith" else guest.linux_words(cmd, linux, f"{ADDRESS} pith.volume=/data")

def answers(process):
    end = time.monotonic() + 200
    while time.monotonic() < end and process.poll() is None:
        r = subprocess.run(sysbench([f"--mysql-host={GUEST}"], "oltp_point_select", "--events=1", "--time=0", "run"),
                           stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        if r.returncode == 0:
            return True
        time.sleep(0.2)
    return False

def load(name):
    """One load; ns for a transaction."""
    script, connections, n = LOADS[name]
    text = quiet(*sysbench([f"--mysql-host={GUEST}"], script, "--rand-seed=1", f"--threads={connections}", f"--events={n}", "--time=0", "run"), timeout=600)
    done = int(re.search(r"transactions:\s+(\d+)", text).group(1))
    if done != n:
        raise SystemExit(f"mariadb: {name}: {done} of {n} transactions: {text[-800:]}")
    return float(re.search(r"total time:\s+([\d.]+)s", text).group(1)) * 1e9 / n

def once(kind, tmp, linux, counted):
    """{row: (instructions of the kernel, all)} or {row: ns} of one run of a machine."""
    out, got = f"{tmp}/counts" if counted else None, {}
    with open(f"{tmp}/log", "wb") as log:
        process = subprocess.Popen(machine(kind, tmp, linux, out), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            if not answers(process):
                raise SystemExit(f"mariadb: {kind} does not answer: {open(f'{tmp}/log', errors='replace').read()[-800:]}")
            for name, (_, _, n) in LOADS.items():
                before = counters(out)[0] if counted else None
                ns = load(name)
                time.sleep(0.3)
                after = counters(out)[0] if counted else None
                got[name] = [(after[h] - before[h]) / n for h in ("high", "total")] if counted else ns
        finally:
            process.kill()
            process.wait()
    quiet("e2fsck", "-p", f"{tmp}/volume.img")
    return got

def measure(tmp, linux):
    volume_make(tmp)
    kinds = ("Pith", "Linux")
    counts = {kind: once(kind, tmp, linux, True) for kind in kinds}
    times = {kind: [] for kind in kinds}
    for _ in range(RUNS):
        for kind in kinds:
            times[kind].append(once(kind, tmp, linux, False))
    return {kind: {name: [*counts[kind][name], sorted(t[name] for t in times[kind])[RUNS // 2]] for name in LOADS} for kind in kinds}

if __name__ == "__main__":
    meter.BUILD = sys.argv[1]
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    with tempfile.TemporaryDirectory() as tmp:
        print(json.dumps(measure(tmp, sys.argv[2])))
