#!/usr/bin/env python3
"""network - the rows with a network: the same server under Pith and under the Linux guest, asked by the same load generator in turn.

Instructions: all that the guest executes between the first and the last of N operations, interrupts and acknowledgements included, by N;
median of three. Times: both machines are up at once, without the plugin, and each in turn does N operations, RUNS times: medians, the
ratio's too, of neighbouring runs. The processor time is what the VMM took, all its threads: a busy host adds less to it than to the time.
The clock is the host's, so instructions vary by about one per cent.

Run as a program (in a network namespace of its own, as root) it measures and prints a JSON object a line; measure() does that.
"""
import collections, json, os, re, statistics, subprocess, sys, tempfile, time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import machine, meter
from machine import KINDS, Machine, address, command
from meter import TOP, answers, counters

RUNS = int(os.environ.get("PITH_BENCH_RUNS", "5"))
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"

# ---- What is asked for ---------------------------------------------------------------------

# Name; operations counted; operations of a timed run; load(address, n): the generator's words; the goal of the instructions; a long one is done less often.
Row = collections.namedtuple("Row", "name counted timed load goal long", defaults=(None, False))

def http(connections, path="/", anew=()):
    return lambda to, n: [f"{meter.BUILD}/bench/load", "http", to, "80", str(connections), str(n), path, *anew]

def udp(window, length):
    return lambda to, n: [f"{meter.BUILD}/bench/load", "udp", to, "7", str(window), str(n), str(length)]

def redis(what, pipeline):
    return lambda to, n: ["redis-benchmark", "-h", to, "-t", what, "-P", str(pipeline), "-n", str(n), "-c", "50", "--csv"]

def bulk(*more):
    return lambda to, n: ["iperf3", "-c", to, "-n", str(n), "-J", *more]

MB = 1 << 20
FIRST = "microvm: reset to first HTTP answer"
HTTP = [Row("HTTP keep-alive, 1 connection, a request", 3000, 3000, http(1), 5500),
        Row("HTTP keep-alive, 32 connections, a request", 6000, 8000, http(32), 4500),
        Row("HTTP keep-alive, 256 connections, a request", 6000, 8000, http(256)),
        Row("HTTP connect, request, close", 1000, 1000, http(1, "/", ("new",)), 18000)]
SIZES = [Row(f"nginx, file of {size}, {c} connection{'s' * (c > 1)}, a request", max(n, c), max(n, c), http(c, f"/{size.replace(' ', '')}"), None, size == "10 MB")
         for size, n in (("1 kB", 2000), ("100 kB", 400), ("10 MB", 8)) for c in (1, 32, 256)]
NGINX = [Row("nginx, small file, 1 connection, a request", 2000, 2000, http(1), 22000),
         Row("nginx, file of 16 KiB by sendfile, 8 connections, a request", 2000, 3000, http(8, "/16k"), 24000),
         Row("nginx, file of 64 KiB, 1 connection, a request", 1000, 1000, http(1, "/64k"), 60000), *SIZES]
REDIS = [Row(f"redis {what.upper()}, 50 connections, {f'pipeline {p}' if p > 1 else 'no pipeline'}", n, n, redis(what, p), goal)
         for p, n, goals in ((1, 10000, (8000, 9500)), (16, 40000, (3850, 4950))) for what, goal in zip(("get", "set"), goals)]
UDP = [Row("UDP echo, 64 bytes, one under way, a packet", 3000, 3000, udp(1, 64)),
       Row("UDP echo, 64 bytes, 16 under way, a packet", 5000, 10000, udp(16, 64)),
       Row("UDP echo, 1400 bytes, 16 under way, a packet", 5000, 10000, udp(16, 1400))]
BULK = [Row("bulk TCP in (iperf3), a byte", 128 * MB, 256 * MB, bulk()), Row("bulk TCP out (iperf3 -R), a byte", 128 * MB, 256 * MB, bulk("-R"))]

# group: (rows, words of `pith run`, memory in MB, port, a first question)
SERVERS = {"http": (HTTP, ["{build}/bench/httpd", "80"], 64, 80, GET),
           "nginx": (NGINX, ["/usr/sbin/nginx", "-c", "/etc/nginx/nginx.conf"], 128, 80, GET),
           "redis": (REDIS, ["/usr/bin/redis-server", "--save", "", "--protected-mode", "no"], 128, 6379, b"PING\r\n"),
           "udp": (UDP, ["{build}/bench/udpecho", "7"], 64, None, None),
           "bulk": (BULK, ["/usr/bin/iperf3", "-s"], 64, 5201, b"a" * 36 + b"\0")}

def www(tmp):
    """nginx's files, of bytes that are not all alike, and a configuration for 512 connections."""
    os.makedirs(f"{tmp}/www", exist_ok=True)
    with open(f"{TOP}/bench/programs/index.html", "rb") as f:
        files = {"index.html": f.read()}
    block = bytes(range(256))
    for name, size in (("1kB", 1000), ("16k", 16384), ("64k", 65536), ("100kB", 100000), ("10MB", 10000000)):
        files[name] = (block * (size // 256 + 1))[:size]
    for name, content in files.items():
        with open(f"{tmp}/www/{name}", "wb") as f:
            f.write(content)
    with open(f"{TOP}/bench/programs/nginx.conf") as f, open(f"{tmp}/nginx.conf", "w") as to:
        to.write(f.read().replace("worker_connections 128", "worker_connections 512"))
    subprocess.run(["chmod", "-R", "a+rX", tmp], check=True)
    return ["-a", f"{tmp}/nginx.conf:/etc/nginx/nginx.conf", "-a", f"{tmp}/www:/www"]

# ---- Measuring -----------------------------------------------------------------------------

def load(row, kind, n):
    """Seconds for n operations, by the generator's own clock."""
    words = row.load(address(kind), n)
    for attempt in range(5):
        r = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
        if words[0] != "iperf3":
            break
        end = json.loads(r.stdout or "{}").get("end", {}).get("sum_received", {})
        if end.get("seconds"):
            return n / end["bytes"] * end["seconds"]
        time.sleep(1)                          # its server may still be busy with its last client
    if r.returncode or words[0] == "iperf3":
        raise SystemExit(f"network: {row.name}: {kind}: {(r.stderr or r.stdout).strip()[-400:]}")
    if words[0] == "redis-benchmark":
        return n / float(r.stdout.splitlines()[1].split(",")[1].strip('"'))
    return float(r.stdout.split()[0])

def up(kind, m, port, ask):
    """Until it answers."""
    if port is None:
        subprocess.run([f"{meter.BUILD}/bench/load", "udp", address(kind), "7", "1", "1", "64"], capture_output=True)
        for _ in range(100):
            if subprocess.run([f"{meter.BUILD}/bench/load", "udp", address(kind), "7", "1", "1", "64"], capture_output=True).returncode == 0:
                return
            time.sleep(0.1)
    elif answers(port, ask, 60, m.process, address(kind)):
        return
    raise SystemExit(f"network: {kind}: no answer: {m.said()}")

def counted(rows, kind, cmd, tmp, port, ask):
    """{name: instructions an operation}"""
    with Machine(cmd, f"{tmp}/{kind}.log") as m:
        up(kind, m, port, ask)
        got = {FIRST: counters(f"{tmp}/counts")[0]["total"]} if rows is HTTP else {}
        time.sleep(0.5)
        for row in rows:
            load(row, kind, max(1, row.counted // 10))
            each = []
            for _ in range(1 if row.long else 3):
                time.sleep(0.3)
                before = counters(f"{tmp}/counts")[0]["total"]
                load(row, kind, row.counted)
                time.sleep(0.3)
                each.append((counters(f"{tmp}/counts")[0]["total"] - before) / row.counted)
            got[row.name] = statistics.median(each)
    return got

def timed(rows, commands, tmp, port, ask):
    """{name: [(Pith's, Linux's, Linux's by Pith's) of the time and of the VMM's processor time]}, us an operation, the kinds in turn."""
    got = {}
    with Machine(commands["Pith"], f"{tmp}/Pith.log") as a, Machine(commands["Linux"], f"{tmp}/Linux.log") as b:
        both = {"Pith": a, "Linux": b}
        for kind in KINDS:
            up(kind, both[kind], port, ask)
            time.sleep(0.5)
            for row in rows:                   # warms up
                load(row, kind, max(1, row.timed // 10))
        for row in rows:
            each = {kind: [] for kind in KINDS}
            for _ in range(min(RUNS, 2) if row.long else RUNS):
                for kind in KINDS:
                    before = both[kind].processor_seconds()
                    seconds = load(row, kind, row.timed)
                    each[kind].append([1e6 * t / row.timed for t in (seconds, both[kind].processor_seconds() - before)])
            got[row.name] = [(*(statistics.median(e[i] for e in each[k]) for k in KINDS),
                              statistics.median(l[i] / p[i] for p, l in zip(each["Pith"], each["Linux"]))) for i in (0, 1)]
    return got

def own_namespace(group, linux):
    rows, words, mb, port, ask = SERVERS[group]
    kinds = KINDS if linux else KINDS[:1]
    with tempfile.TemporaryDirectory() as tmp:
        words = [w.format(build=meter.BUILD) for w in words]
        options = www(tmp) if group == "nginx" else []
        def commands(out):
            return {k: command(k, words, mb, out, options, linux) for k in kinds}
        counts = {k: counted(rows, k, c, tmp, port, ask) for k, c in commands(f"{tmp}/counts").items()}
        print(json.dumps([counts, timed(rows, commands(None), tmp, port, ask) if linux else {}]))

def measure(group, linux=None):
    """({kind: {row: instructions}}, what timed() gives) of an operation; without linux Pith's instructions alone."""
    own = [sys.executable, os.path.abspath(__file__), meter.BUILD, group, linux or ""]
    r = subprocess.run(machine.in_namespace(own), stdout=subprocess.PIPE, text=True)
    if r.returncode:
        raise SystemExit(f"network: {group}: failed")
    return json.loads(r.stdout)

def bench(group, _):
    counts, times = measure(group, machine.linux_folder())
    if FIRST in counts["Pith"]:
        meter.row(FIRST, counts["Pith"][FIRST], "instructions", 1500000, counts["Linux"][FIRST])
    for r in SERVERS[group][0]:
        meter.row(r.name, counts["Pith"][r.name], "instructions", r.goal, counts["Linux"][r.name], None, 1 / 0.8 if group == "bulk" else None)
        for what, (p, l, ratio) in zip(("time", "processor time of the VMM"), times[r.name]):
            meter.row(f"{r.name}: {what}", p, "us", None, l, ratio, 1.3)

if __name__ == "__main__":
    meter.BUILD = sys.argv[1]
    own_namespace(sys.argv[2], sys.argv[3] or None)
