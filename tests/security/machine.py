#!/usr/bin/env python3
"""machine.py MACHINE:CPUS PROGRAM - a running machine seen from outside: page tables, control registers, what lies in memory.

Prints "ok NAME" or "not ok NAME: why" for each check; see vmlook.py for how it looks.
"""
import os, shutil, sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import vmlook
from vmlook import PAGE, KERNEL_HALF

on, program = sys.argv[1], sys.argv[2]


def verdict(name, bad):
    print("not ok security/%s/%s: %s" % (on, name, bad) if bad else "ok security/%s/%s" % (on, name), flush=True)


def some(items, show):
    items = list(items)
    return "; ".join(show(i) for i in items[:4]) + (" and %d more" % (len(items) - 4) if len(items) > 4 else "")


def at(p):
    return "%#x%s%s" % (p.va, " W" if p.w else "", " X" if p.x else "")


# The VMM is given a copy of the boot configuration to keep: the seed in it must be nowhere in the machine later.
keep = os.path.join(os.environ.get("TMPDIR", "/tmp"), "conf.%d" % os.getpid())
edit = "want=\nfor w; do [ -z \"$want\" ] || cp \"$w\" %s; want=; [ \"$w\" != -initrd ] || want=1; done\n" % keep
m = vmlook.Machine([program], on, edit=edit)
try:
    cpus = m.registers()
    m.save()
finally:
    m.kill()
conf = open(keep, "rb").read()
os.unlink(keep)
symbols = vmlook.symbols()
offset = {name: value for name, value, _, _ in symbols}
pages = m.pages(cpus[0]["cr3"])
kernel = [p for p in pages if p.va >= KERNEL_HALF]
user = [p for p in pages if p.va < KERNEL_HALF]
image, direct, maps = m.layout(pages)
image_va = cpus[0]["idt"] - offset["idt"]
image_pa = next(p.pa for p in image if p.va <= cpus[0]["idt"] < p.va + p.len) + (cpus[0]["idt"] & 0xfff) - offset["idt"]
image_end = image_va + offset["__kernel_end"]
direct_base = direct[0].va - direct[0].pa
map_base = min(p.va for p in maps) & ~0x1fffff
if len(kernel) < 20 or len(user) < 20 or image_va % 0x200000:
    sys.exit("the page tables cannot be read: %d, %d pages, image at %#x" % (len(kernel), len(user), image_va))


def page_of(va):
    return next((p for p in pages if p.va <= va < p.va + p.len), None)


def word(name, add=0):
    return m.words(image_pa + offset[name] + add, 1)[0]


# ---- Control registers (SDM 3A 2.5, 2.2.1) ----
bits = {"WP": ("cr0", 16), "SMEP": ("cr4", 20), "SMAP": ("cr4", 21), "UMIP": ("cr4", 11), "NXE": ("efer", 11)}
for name, (register, bit) in bits.items():
    verdict("register-" + name.lower(), some([i for i, c in enumerate(cpus) if not c[register] >> bit & 1], lambda i: "CPU %d is without" % i))
verdict("register-every-cpu", "" if len(cpus) >= int(on.split(":")[1]) and len({c["cr3"] for c in cpus[:int(on.split(":")[1])]}) == 1
        else "CPUs on different tables")

# ---- Kernel W^X, direct map, what is read-only after the boot ----
verdict("kernel-w-xor-x", some([p for p in kernel if p.w and p.x], at))
verdict("kernel-not-for-user", some([p for p in kernel if p.u], at))
verdict("direct-map-not-executable", some([p for p in direct if p.x], at))
verdict("direct-map-without-image", some([p for p in direct if p.pa < image_pa + offset["__kernel_end"] and p.pa + p.len > image_pa], at))
text = [p for p in image if p.x]
verdict("text-only-executable", some([p for p in kernel if p.x and not image_va + offset["__boot_text_end"] <= p.va < image_va + offset["__text_end"]], at)
        or ("" if len(text) > 50 else "only %d pages of text" % len(text)))
verdict("image-mapped-once", some([p for p in kernel if p.w and not image_va <= p.va < image_end
                                   and p.pa < image_pa + offset["__kernel_end"] and p.pa + p.len > image_pa], at))
verdict("boot-code-gone", some([p for p in image if p.va < image_va + offset["__boot_text_end"]], at))
fixed = [s for s in symbols if s[3] in "dDbBrR" and (s[0].endswith(("_ops", "_table_start", "_hooks")) or s[0] in
         ("idt", "handlers", "driver_table", "vm_policy_allow_jit", "vm_policy_event", "cpu_features", "arch_layout", "log_panic_handler", "arch_cpus"))]
verdict("tables-read-only", some([s for s in fixed if (page_of(image_va + s[1]) or p).w], lambda s: s[0]) or ("" if len(fixed) > 60 else "few tables"))

# A pointer to code in static data that can be written is a way to run something. There is none but in objects that change at run
# time and carry their function: timers, the threads that the boot began with, lwIP's interfaces, an element of a list.
CARRIERS = {"one_shot", "cpu_limit", "itimers", "boot_thread", "idle_threads", "inet_eth", "inet_lo", "watch", "balloon"}
lo, hi = image_va + offset["__boot_text_end"], image_va + offset["__text_end"]
objects = sorted((s for s in symbols if s[3] in "dDbB" and s[2]), key=lambda s: s[1])
writable = []
for p in image:
    if p.w:
        for i, v in enumerate(m.words(p.pa)):
            if lo <= v < hi:
                off = p.va - image_va + 8 * i
                name = [s[0] for s in objects if s[1] <= off and (s[1] + s[2] > off)]
                if not name or name[-1] not in CARRIERS:
                    writable.append("%s (%#x)" % (name[-1] if name else "?", off))
verdict("no-writable-code-pointer", some(writable, str))

# ---- The program's half ----
verdict("user-w-xor-x", some([p for p in user if p.w and p.x], at))
verdict("user-only-for-user", some([p for p in user if not p.u], at))
verdict("user-first-64k-empty", some([p for p in user if p.va < 0x10000], at))
owned = [p for p in user if p.u and p.w and image_pa <= p.pa < image_pa + offset["__kernel_end"] or p.pa in m.tables]
verdict("user-owns-no-kernel-page", some(owned, at))

# ---- Guards: in the region of mappings every run of pages ends at a hole, and no run is longer than one stack ----
runs = []
for p in sorted((p for p in maps if p.pa < len(m.ram)), key=lambda p: p.va):
    if runs and runs[-1][1] == p.va:
        runs[-1][1] = p.va + p.len
    else:
        runs.append([p.va, p.va + p.len])
tops = [word("arch_layout", 56 + 8 * i) for i in range(4)]
verdict("guard-below-each-stack", some([r for r in runs if r[1] - r[0] > 0x4000], lambda r: "%#x long at %#x" % (r[1] - r[0], r[0]))
        or some([t for t in tops if not any(r[1] == t for r in runs)], lambda t: "no stack ends at %#x" % t) or ("" if len(runs) >= 5 else "few stacks"))
cpu_pa = [image_pa + offset["arch_cpu0"]]
for i in range(1, int(on.split(":")[1])):
    cpu_pa.append(word("arch_cpus", 8 * i) - direct_base)
canaries = [m.words(pa + 40, 1)[0] for pa in cpu_pa]
verdict("canaries", "" if all(c >> 32 and not c & 0xff for c in canaries) and len(set(canaries)) == len(canaries) else "%s" % canaries)
rsp0 = [int.from_bytes(m.ram[pa + 8:pa + 16], "little") for pa in cpu_pa]
verdict("stack-of-each-cpu", some([s for s in rsp0 if not any(r[1] == s for r in runs)], hex))

# ---- What lies in memory ----
seed = next(r[5:] for r in conf.split(b"\0") if r.startswith(b"seed="))
raw = bytes.fromhex(seed.decode())
verdict("seed-wiped", "the seed is in memory" if seed in m.ram or raw in m.ram or raw[:16] in m.ram or len(raw) < 32 else "")
leaks = []
for p in user:
    if p.pa + p.len > len(m.ram):
        continue
    for i, v in enumerate(m.words(p.pa, p.len // 8)):
        if v >= KERNEL_HALF and (image_va <= v < image_end or direct_base <= v < direct_base + len(m.ram) or map_base <= v < map_base + (1 << 24)):
            leaks.append((p.va + 8 * i, v))
verdict("no-kernel-pointer-in-user-memory", some(leaks, lambda l: "%#x at %#x" % (l[1], l[0])))
text = m.output()
known = [b"%x" % (b >> 16) for b in (image_va, direct_base, map_base)]
verdict("no-kernel-pointer-in-output", some([k for k in known if k in text.lower()], str))
