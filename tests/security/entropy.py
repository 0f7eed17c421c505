#!/usr/bin/env python3
"""entropy.py N PROGRAM - how random are the addresses of N boots?

PROGRAM (calls facts) tells its own addresses; the kernel's come from the CPU's registers and page tables (vmlook.py). For each quantity, in
units of its step: the spread (log2 of the estimated range: the observed one times (N + 1) / (N - 1)), the bits below it that are balanced
(each within 5 standard deviations of one half, in the values and in the differences of successive values), and values seen twice against
what chance would give. The estimate is the smaller of spread and balanced bits: a lower bound for what N boots can show, no proof that the
source is good. Prints a table, and "ok NAME" or "not ok NAME: why" for each goal.
"""
import math, os, re, sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import vmlook
from concurrent.futures import ThreadPoolExecutor

boots, program = int(sys.argv[1]), sys.argv[2]
idt = next(value for name, value, _, _ in vmlook.symbols() if name == "idt")
# name: (step, goal in bits)
QUANTITIES = {"mmap": (4096, 28), "exe": (4096, 24), "heap": (4096, 24), "stack": (4096, 24), "vdso": (4096, 24), "kernel": (2 << 20, 16),
              "direct-map": (1 << 30, 14), "kernel-mappings": (2 << 20, 16)}


def top_entries(m, cr3):
    """Bases of direct map and mappings: the first entries of the kernel's half, two levels down."""
    def table(pa):
        path = os.path.join(m.dir, "table")
        m.command("pmemsave", val=pa & vmlook.PTE_ADDR, size=4096, filename=path)
        with open(path, "rb") as f:
            return memoryview(f.read()).cast("Q")
    pml4, found = table(cr3), []
    for i in range(256, 511):
        if pml4[i] & 1 and (not found or i >= 448 > found[0] >> 39 & 511):
            j, pdpt = next((j, e) for j, e in enumerate(table(pml4[i])) if e & 1)
            va = 0xffff << 48 | i << 39 | j << 30
            if i >= 448 and not pdpt & vmlook.PTE_PS:
                va |= next(k for k, e in enumerate(table(pdpt)) if e & 1) << 21
            found.append(va)
    return found[0], found[1]


def boot(_):
    m = vmlook.Machine([program, "facts"], "microvm:1", 48, ["--net", "none"])
    try:
        r = m.registers()[0]
        direct, maps = top_entries(m, r["cr3"])
    finally:
        m.kill()
    text = m.output().decode()
    facts = dict(re.findall(r"(\w[\w-]*)=([0-9a-f,]+)", text))
    values = {k: int(facts[k], 16) for k in ("mmap", "exe", "heap", "stack", "vdso")}
    values.update({"kernel": r["idt"] - idt, "direct-map": direct, "kernel-mappings": maps})
    return values, facts["random"], facts["getrandom"], facts["ports"]


def balanced(values, bits):
    n, good = len(values), 0
    for bit in range(bits):
        series = [v >> bit & 1 for v in values]
        changes = [a ^ b for a, b in zip(series, series[1:])]
        good += all(abs(2 * sum(s) - len(s)) <= 5 * math.sqrt(len(s)) for s in (series, changes)) and 0 < sum(series) < n
    return good


def verdict(name, good, why):
    print("ok security/entropy/%s" % name if good else "not ok security/entropy/%s: %s" % (name, why), flush=True)


with ThreadPoolExecutor(int(os.environ.get("ENTROPY_JOBS", "2"))) as pool:
    results = list(pool.map(boot, range(boots)))
print("# %d boots; of the bits of each base, by spread and by balance:" % boots)
print("# %-16s %8s %9s %10s %9s   %s" % ("base", "spread", "balanced", "collisions", "expected", "estimate"))
for name, (step, goal) in QUANTITIES.items():
    values = [r[0][name] // step for r in results]
    spread = (max(values) - min(values)) * (boots + 1) / (boots - 1)
    bits = math.log2(spread) if spread else 0
    low = balanced(values, int(bits + 0.5))
    twice = boots - len(set(values))
    chance = boots * boots / 2 / max(spread, 1)
    estimate = min(bits, low)
    print("# %-16s %8.2f %9d %10d %9.3f   %.2f" % (name, bits, low, twice, chance, estimate))
    # The spread of few boots is known to a tenth of a bit or so; of a thousand to a hundredth.
    verdict("%s-%d-bits" % (name, goal), estimate >= goal - 8 / boots - 0.02 and twice <= 5 * chance + 3, "%.2f bits" % estimate)
words = [r[1] for r in results] + [r[2] for r in results]
verdict("at-random-differs", len(set(words)) == len(words) and all(len(r[1]) == 32 for r in results), "the same bytes twice")
ones = sum(bin(int(r[1], 16)).count("1") for r in results)
verdict("at-random-balanced", abs(2 * ones - 128 * boots) < 5 * math.sqrt(128 * boots), "%d ones of %d" % (ones, 128 * boots))
ports = [[int(p) for p in r[3].split(",") if p] for r in results]
steps = [b - a for p in ports for a, b in zip(p, p[1:])]
verdict("ports-not-in-order", len(set(steps)) > 0.8 * len(steps) and len({p[0] for p in ports}) > 0.9 * boots, "%d steps of %d" % (len(set(steps)), len(steps)))
