#!/usr/bin/env python3
"""steady.py FOLDER MB REQUESTS - does a server with little memory go on as it began?

The manifest of FOLDER on microvm with one vCPU and MB of memory is asked for /hello REQUESTS times, one after the other over a kept
connection. The guest's instructions are counted (bench/plugin/count.c), for each hundred of requests: what a busy host does not
change. Prints `WHAT ok|bad FIGURES`:

answers   each is the same and has status 200
kernel    the kernel's half, mean of the last quarter of the requests beside that of the first: at most 1.25 times
all       the same of all instructions, a compiler's and a collector's among them: these make a request of a quarter differ by a half
          whatever the memory is, and the first quarter has the compiler's beginning
disk      what the VMM read after the first quarter, the root's pages among it: at most 4 MB
"""
import http.client, os, statistics, subprocess, sys, time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../bench"))
import meter

folder, mb, requests = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
meter.BUILD = os.environ.get("B", meter.BUILD)
os.makedirs(f"{meter.BUILD}/bench", exist_ok=True)
meter.compile_c(f"{meter.BUILD}/bench/count.so", f"{meter.TOP}/bench/plugin/count.c", "-Wall", "-shared", "-fPIC")
port, out = meter.free_port(), os.path.abspath("steady.counts")

def say(what, good, figures):
    print(what, "ok" if good else "bad", figures, flush=True)

def connect(machine, end):
    """A connection with its first answer, which is what all answers must be."""
    while machine.poll() is None and time.monotonic() < end:
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        try:
            c.request("GET", "/hello")
            r = c.getresponse()
            return c, (r.status, r.read())
        except (OSError, http.client.HTTPException):
            c.close()
            time.sleep(0.5)
    raise SystemExit(f"steady: no answer, status {machine.poll()}")

def counted():
    now = meter.counters(out)[0]
    return now["high"], now["total"]

def bytes_read(machine):
    with open(f"/proc/{machine.pid}/io") as f:
        return int(f.readline().split()[1])

def ask(machine):
    """Instructions of a request, (kernel's half, all), for each hundred; how many answers were wrong; what was read after the first quarter."""
    c, want = connect(machine, time.monotonic() + 900)
    costs, wrong, read = [], want[0] != 200, 0
    for n in range(requests // 100):
        if n == requests // 400:
            read = bytes_read(machine)
        before = counted()
        for _ in range(100):
            c.request("GET", "/hello")
            r = c.getresponse()
            wrong += (r.status, r.read()) != want
        costs.append([(a - b) // 100 for a, b in zip(counted(), before)])
    return costs, wrong, bytes_read(machine) - read

cmd = meter.vmm(["--machine", "microvm", "-m", f"{mb}M", "-p", f"127.0.0.1:{port}:8080"], folder, out=out, cpu=meter.CLEAN_CPU)
with open("steady.log", "wb") as log:
    machine = subprocess.Popen(cmd, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
try:
    costs, wrong, read = ask(machine)
finally:
    machine.kill()
    machine.wait()
print("# hundreds, thousand instructions:", *(f"{k // 1000}/{a // 1000}" for k, a in costs), file=sys.stderr)
say("answers", not wrong, f"{requests} requests, {wrong} wrong")
quarter = len(costs) // 4
for k, name in enumerate(("kernel", "all")):
    first, last = (statistics.mean(c[k] for c in part) for part in (costs[:quarter], costs[-quarter:]))
    say(name, last <= 1.25 * first, f"{last:.0f} instructions a request after {first:.0f}")
say("disk", read <= 4e6, f"{read / 1e6:.2f} MB read")
