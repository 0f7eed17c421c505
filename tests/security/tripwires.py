#!/usr/bin/env python3
"""tripwires.py MACHINE PROGRAM - what must end the machine when the kernel itself is led astray, provoked through the debugger's port.

The program waits in a read; the kernel is made to run a page of the program (SMEP), to read one (SMAP), or its sleeping thread's
stack is overwritten (canary). Each is a report, an event and exit status 122. "ok NAME" or "not ok NAME: why".
"""
import json, os, sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import vmlook
from vmlook import KERNEL_HALF

on, program = sys.argv[1], sys.argv[2]
RDI, RIP = 5, 16


def run_user_page(m, cpu, pages):
    """The idle kernel goes on in the program's code."""
    m.set_register(RIP, next(p.va for p in pages if p.va < KERNEL_HALF and p.u and p.x))


def read_user_page(m, cpu, pages):
    """The idle kernel goes on in strlen, of the program's memory."""
    strlen = next(s[1] for s in vmlook.symbols() if s[0] == "strlen")
    idt = next(s[1] for s in vmlook.symbols() if s[0] == "idt")
    m.set_register(RDI, next(p.va for p in pages if p.va < KERNEL_HALF and p.u and p.w))
    m.set_register(RIP, cpu["idt"] - idt + strlen)


def overwrite_canaries(m, cpu, pages):
    """On each stack but the running one: words that are a canary, which is no address, ends in a zero byte and is there more than once."""
    changed = 0
    for p in m.layout(pages)[2]:
        if p.pa + p.len > len(m.ram) or not p.w or p.va <= cpu["rsp"] < p.va + p.len:
            continue
        words = list(m.words(p.pa, p.len // 8))
        for i, v in enumerate(words):
            if not v & 0xff and 0 < v >> 48 < 0xffff and words.count(v) > 1:
                m.poke(p.va + 8 * i, v ^ 0x4100)
                changed += 1
    if not changed:
        raise RuntimeError("no canary is found")


def provoke(name, act, said):
    events = os.path.join(os.environ.get("TMPDIR", "/tmp"), "events.%s.%s" % (on, name))
    m = vmlook.Machine([program], on, options=["--net", "none", "--events", events], debug=True)
    try:
        cpu = m.save_idle()
        act(m, cpu, m.pages(cpu["cr3"]))
        m.go_on()
        m.run.stdin.write(b"go on\n")
        m.run.stdin.flush()
        status = m.end()
    except Exception:
        m.kill()
        raise
    report = m.output().decode(errors="replace")
    told = [json.loads(line) for line in open(events)] if os.path.exists(events) else []
    failed = [e for e in told if e["event"] == "kernel-failed"]
    if status != 122:
        return "exit status %d: %s" % (status, report[-300:])
    if "the kernel failed: " + said not in report:
        return "the report is " + report[-300:]
    if len(failed) != 1 or not failed[0]["detail"].startswith(said) or failed[0]["action"] != "stopped":
        return "events: %s" % told
    return ""


for name, act, said in (("smep", run_user_page, "SMEP: exception 14"), ("smap", read_user_page, "SMAP: exception 14"),
                        ("kernel-canary", overwrite_canaries, "stack canary changed")):
    try:
        bad = provoke(name, act, said)
    except Exception as e:
        bad = "%s: %s" % (type(e).__name__, e)
    print("not ok security/%s/tripwire/%s: %s" % (on, name, bad.replace("\n", "|")) if bad else "ok security/%s/tripwire/%s" % (on, name), flush=True)
