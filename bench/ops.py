"""ops - instructions of the kernel operations of programs/ops.c, in Pith and in the Linux guest.

The virtual clock is one nanosecond an instruction (-icount shift=0): timers are where they are in every run, on every host.
"""
import statistics
import guest, meter
from meter import CLEAN_CPU, finish, symbols, vmm

EXACT = ["-icount", "shift=0"]

def command(kind, out, linux=None):
    program = f"{meter.BUILD}/bench/ops"
    cmd = vmm(["--machine", "microvm", "--net", "none", "-m", "64M", "-a", f"{meter.TOP}/bench/programs/index.html:/srv/index.html"], program, out=out, cpu=CLEAN_CPU, series=symbols(program)["mark"])
    return (cmd if kind == "Pith" else guest.linux_words(cmd, linux, "")) + EXACT

def once(kind, tmp, linux=None):
    """{row: instructions an operation}: the kernel's half, or all of them where the row's name says whole; median of the rounds."""
    out = f"{tmp}/ops"
    r = finish(command(kind, out, linux), 300)
    names = [l.split(maxsplit=2) for l in r.stdout.decode(errors="replace").replace("\r", "").splitlines() if l[:2].strip().isdigit()]
    taken, got, i = meter.series(out), {}, 0
    if not names or len(taken) != sum(2 * int(k) for k, _, _ in names):
        raise SystemExit(f"ops: {kind}: {len(taken)} marks, {len(names)} names: {r.stdout[-200:]} {r.stderr[-400:]}")
    for rounds, times, name in names:
        each = []
        for a, b in zip(taken[i:i + 2 * int(rounds):2], taken[i + 1:i + 2 * int(rounds):2]):
            each.append(((b[1] - a[1]) + (b[0] - a[0] if "whole" in name else 0)) / int(times))
        got[name] = statistics.median(each)
        i += 2 * int(rounds)
    return got

def measure(kind, tmp, linux=None, runs=3):
    """The median of several starts: addresses are random anew in each."""
    each = [once(kind, tmp, linux) for _ in range(runs)]
    return {name: statistics.median(e[name] for e in each) for name in each[0]}
