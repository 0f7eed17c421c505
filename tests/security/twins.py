#!/usr/bin/env python3
"""twins.py MACHINE PROGRAM - a machine is saved while its program waits, and started again several times, as a VMM clones one.

Copies with a generation of their own (QEMU's vmgenid) must not have the randomness of each other or of the one they come from. Two
copies that are told nothing have the same: that shows that the test would see it. "ok NAME" or "not ok NAME: why".
"""
import os, re, socket, sys, tempfile, time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import vmlook

on, program = sys.argv[1], sys.argv[2]
state = os.path.join(tempfile.mkdtemp(dir=os.environ.get("TMPDIR")), "state")
ONE, TWO, THREE = ("11111111-2222-3333-4444-55555555555%d" % n for n in (1, 2, 3))


def start(generation, incoming):
    """Without a generator in the CPU and in the machine's devices there is nothing else that would tell copies apart."""
    edit = "for w; do shift; case $w in max) w=max,-rdrand,-rdseed ;; esac; set -- \"$@\" \"$w\"; done\n"
    edit += "set -- \"$@\" -device vmgenid,guid=%s\n" % generation
    if incoming:
        edit += "for n in 9 8 7 6 5 4; do [ -e /proc/$$/fd/$n ] || break; done\neval \"exec $n<%s\"\nset -- \"$@\" -incoming fd:$n\n" % state
    return vmlook.Machine([program], on, options=["--net", "none"], edit=edit, ready="" if incoming else "ready")


def wait_for(m, wanted):
    for _ in range(600):
        s = m.command("query-status")["status"]
        if s in wanted:
            return
        time.sleep(0.05)
    raise RuntimeError("the machine is " + s)


def save(m):
    with open(state, "wb") as f:
        m.monitor.sendmsg([b'{"execute": "getfd", "arguments": {"fdname": "state"}}\n'],
                          [(socket.SOL_SOCKET, socket.SCM_RIGHTS, f.fileno().to_bytes(4, "little"))])
        while "return" not in m.stream.readline():
            pass
        m.command("migrate", uri="fd:state")
        wait_for(m, ("postmigrate",))


def ask(m):
    """What the program prints when it goes on."""
    m.run.stdin.write(b"go on\n")
    m.run.stdin.flush()
    m.end()
    found = re.search(rb"random ([0-9a-f]{32})\nrandom_reseeds (\d+)", m.output())
    if not found:
        raise RuntimeError("it says " + m.output().decode(errors="replace")[-300:])
    return found.group(1), int(found.group(2))


def copies():
    first = start(ONE, False)
    save(first)
    first.go_on()
    yield ask(first)
    for generation in (ONE, ONE, TWO, THREE):
        m = start(generation, True)
        wait_for(m, ("running",))
        yield ask(m)


try:
    origin, same, again, two, three = copies()
    plain = len({origin[0], same[0], again[0]}) == 1 and origin[1] == same[1] == again[1] == 0
    print("ok security/%s/clone/told-nothing-is-a-twin" % on if plain else "not ok security/%s/clone/told-nothing-is-a-twin: %s" % (on, [origin, same, again]))
    apart = len({origin[0], two[0], three[0]}) == 3 and two[1] == three[1] == 1
    print("ok security/%s/clone/reseeded" % on if apart else "not ok security/%s/clone/reseeded: %s" % (on, [origin, two, three]))
except Exception as e:
    print("not ok security/%s/clone: %s: %s" % (on, type(e).__name__, str(e).replace("\n", "|")))
