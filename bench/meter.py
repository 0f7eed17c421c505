"""meter - what the measuring scripts share: the counter plugin, the VMM's command line, rows of a table."""
import os, re, shlex, socket, struct, subprocess, time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(TOP, "build")
NAMES = ["low", "high", "rep_low", "rep_high", "syscall", "hlt", "c6", "c7"]
CLEAN_CPU = "max,-erms,-fsrm"      # a page clear is 512 iterations, not 4096
rows = []                          # (name, unit, Pith's, Linux's, ratio, goal, goal of the ratio)

def shown(v):
    return "-" if v is None else f"{v:,.0f}" if v >= 100 else f"{v:.3g}"

def row(name, value, unit="", goal=None, linux=None, ratio=None, ratio_goal=None):
    """A row of the table: less is better. goal: at most so much; ratio: Linux's by Pith's; ratio_goal: at least so much."""
    ratio = ratio or (linux / value if linux and value else None)
    rows.append((name, unit, value, linux, ratio, goal, ratio_goal))
    asked = []
    if goal is not None:
        asked.append((f"goal {goal:,g}", value is not None and value <= goal))
    if ratio_goal:
        asked.append((f"goal {ratio_goal:.3g} x", ratio is not None and ratio >= ratio_goal))
    wanted = "  ".join(f"{what}  {'ok' if met else 'OVER'}" for what, met in asked)
    print(f"{name:62s} {shown(value):>12s} {shown(linux):>12s} {unit:14s} {'' if ratio is None else f'{ratio:.2f} x':>8s}  {wanted}", flush=True)

def counters(path):
    """What bench/plugin/count.c keeps: the counters now, and those at each mark."""
    b = open(path, "rb").read()
    magic, nc, nm, _ = struct.unpack_from("<4Q", b)
    assert magic == 0x746e756f63, "not a counter file"
    def named(off):
        d = dict(zip(NAMES, struct.unpack_from("<8Q", b, off)))
        d["total"] = d["low"] + d["high"]
        return d
    marks, off = {}, 32 + 64
    for _ in range(nm):
        name = b[off:off + 16].split(b"\0")[0].decode()
        hits = struct.unpack_from("<Q", b, off + 24)[0]
        marks[name] = dict(named(off + 32), hits=hits)
        off += 32 + 64
    return named(32), marks

def series(path):
    """[(low, high)] at each execution of the series' address."""
    b = open(path, "rb").read()
    taken, first = struct.unpack_from("<Q", b, 24)[0], 32 + 64 + 64 * 96
    return [struct.unpack_from("<2Q", b, first + 64 * i) for i in range(taken)]

def sh(*cmd, **kw):
    return subprocess.run(cmd, check=True, capture_output=True, text=True, **kw).stdout

def compile_c(out, source, *options):
    """In one step: another measurement may be using the old one."""
    sh("gcc", "-O2", *options, "-o", f"{out}.{os.getpid()}", source)
    os.replace(f"{out}.{os.getpid()}", out)

def build():
    os.makedirs(f"{BUILD}/bench", exist_ok=True)
    compile_c(f"{BUILD}/bench/count.so", f"{TOP}/bench/plugin/count.c", "-Wall", "-shared", "-fPIC")
    # Not where the Linux guest's init lies, which would run through the marks.
    for p in ("storage", "ops", "hello"):
        compile_c(f"{BUILD}/bench/{p}", f"{TOP}/bench/programs/{p}.c", "-static", "-pthread", "-D_GNU_SOURCE", "-Wl,-Ttext-segment=0x8000000")
    for p in ("httpd", "scale", "udpecho", "load"):
        compile_c(f"{BUILD}/bench/{p}", f"{TOP}/bench/programs/{p}.c", "-static", "-pthread", "-D_GNU_SOURCE")

def symbols(path):
    return {l.split()[2]: int(l.split()[0], 16) for l in sh("nm", path).splitlines() if len(l.split()) == 3}

def entry(path):
    return int(re.search(r"Entry point address:\s+(0x[0-9a-f]+)", sh("readelf", "-h", path)).group(1), 16)

def load_address(path):
    """Where the kernel's first byte lies in physical memory, less its link address."""
    for l in sh("readelf", "-lW", path).splitlines():
        f = l.split()
        if f[:1] == ["LOAD"]:
            return int(f[3], 16) - int(f[2], 16)

def counter_plugin(out, marks=None):
    """QEMU's -plugin value; marks: name to address, "syscall" or "after-OTHER" (bench/plugin/count.c)."""
    return f"{BUILD}/bench/count.so,out={out}" + "".join(f",mark={n}:{a if isinstance(a, str) else hex(a)}" for n, a in (marks or {}).items())

def vmm(options, program, args=(), marks=None, out=None, cpu=None, series=None):
    """The VMM's command line for a program, with the counter plugin; series: an address."""
    more = shlex.split(os.environ.get("PITH_BENCH_MORE", ""))
    line = sh(f"{BUILD}/pith", "run", "--dry-run", "--accel", "tcg", *more, *options, program, *args)
    cmd = shlex.split(line)
    if cpu:
        cmd[cmd.index("-cpu") + 1] = cpu
    if out:
        spec = counter_plugin(out, marks) + (f",series={series:#x}" if series else "")
        cmd += ["-plugin", spec]
    return cmd

def finish(cmd, seconds=120):
    return subprocess.run(cmd, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds)

def free_port():
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    p = s.getsockname()[1]
    s.close()
    return p

def answers(port, ask, seconds, process, address="127.0.0.1"):
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            with socket.create_connection((address, port), 2) as s:
                s.settimeout(3)
                s.sendall(ask)
                if s.recv(64):
                    return True
        except OSError:
            pass
        time.sleep(0.1)
    return False
