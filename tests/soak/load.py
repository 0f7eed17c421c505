#!/usr/bin/env python3
"""load.py ADDRESS SECONDS - a bounded load on tests/soak/server.c in rounds of everything that clients do to servers, then
the server's own counters compared with those after the first round. Ends with status 1 and a line for each thing that did not
come back. Needs root, for raw packets (connections that are begun and never finished)."""
import os, random, select, socket, struct, sys, time

host, seconds = sys.argv[1], float(sys.argv[2])
PORT = 7000
PATTERN = bytes(k % 251 for k in range(251 * 300))
rng = random.Random(1)
bad, done = [], {}

def connect(timeout=30):
    return socket.create_connection((host, PORT), timeout)

def count(what, n=1):
    done[what] = done.get(what, 0) + n

def take(s, n):
    """n bytes of an answer, checked."""
    at = 0
    while at < n:
        b = s.recv(min(65536, n - at))
        if not b:
            bad.append(f"answer ended after {at} of {n} bytes")
            return
        if b != PATTERN[at % 251:at % 251 + len(b)]:
            bad.append(f"wrong byte in {at}..{at + len(b)} of {n}")
            return
        at += len(b)

def ask(line, end):
    with connect(120) as s:
        s.sendall(line + b"\n")
        b = b""
        while not b.endswith(end):
            more = s.recv(65536)
            if not more:
                bad.append(f"no answer to {line}")
                break
            b += more
        return b

def short(n=150):
    for _ in range(n):
        with connect() as s:
            size = rng.choice((1, 100, 1448, 5000, 65536))
            s.sendall(b"%d\n" % size)
            take(s, size)
    count("short connections", n)

def kept(n=20, requests=10):
    socks = [connect() for _ in range(n)]
    for _ in range(requests):
        sizes = [rng.randrange(1, 20000) for _ in socks]
        for s, size in zip(socks, sizes):
            s.sendall(b"%d\n" % size)
        for s, size in zip(socks, sizes):
            take(s, size)
    for s in socks:
        s.close()
    count("requests on kept connections", n * requests)

def flood(n=300):
    socks = []
    for _ in range(n):
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex((host, PORT))
        socks.append(s)
    end = time.monotonic() + 3
    while time.monotonic() < end and len(select.select([], socks, [], 0.2)[1]) < n:
        pass
    for s in socks:
        s.close()
    count("connections in floods", n)

def checksum(b):
    if len(b) & 1:
        b += b"\0"
    t = sum(struct.unpack(f"!{len(b) // 2}H", b))
    while t >> 16:
        t = (t & 0xffff) + (t >> 16)
    return ~t & 0xffff

def half_open(n=200):
    """SYNs from neighbours that do not exist: the answers go nowhere."""
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    dst = socket.inet_aton(host)
    for _ in range(n):
        src = dst[:3] + bytes([rng.randrange(100, 250)])
        tcp = struct.pack("!HHIIBBHHH", rng.randrange(1024, 65535), PORT, rng.getrandbits(32), 0, 5 << 4, 2, 64240, 0, 0)
        c = checksum(src + dst + struct.pack("!BBH", 0, 6, len(tcp)) + tcp)
        tcp = tcp[:16] + struct.pack("!H", c) + tcp[18:]
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), rng.getrandbits(16), 0, 64, 6, 0) + src + dst
        raw.sendto(ip + tcp, (host, 0))
    raw.close()
    count("half-open connections", n)

def slow(n=10):
    """Readers that take a little, now and then, and leave."""
    socks = []
    for _ in range(n):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.settimeout(30)
        s.connect((host, PORT))
        s.sendall(b"3000000\n")
        socks.append(s)
    for _ in range(5):
        for s in socks:
            s.recv(1000)
        time.sleep(0.1)
    for s in socks:
        s.close()
    count("slow readers", n)

def resets(n=40):
    for _ in range(n):
        s = connect()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.sendall(b"1000000\n")
        if rng.random() < 0.7:
            s.recv(100)
        s.close()
    count("resets", n)

def storms():
    if ask(b"threads 200", b"ok\n") != b"ok\n" or ask(b"map 300", b"ok\n") != b"ok\n":
        bad.append("a storm ended badly")
    count("threads", 200)
    count("mappings", 300)

def counters():
    return {l.split()[0]: int(l.split()[1]) for l in ask(b"counters", b"end\n").decode().splitlines() if len(l.split()) == 2}

def quiet():
    """TIME-WAITs last 30 s, half-open connections less; then idle timers give memory back. What is there after that is meant to stay."""
    end = time.monotonic() + 150
    time.sleep(25)
    while time.monotonic() < end:
        c = counters()
        if c["tcp_connections"] <= 2 and c["tcp_time_waits"] == 0:
            time.sleep(60)  # the stack is idle 20 s after the last frame, and a neighbour may ask once more after some seconds
            return counters()
        time.sleep(5)
    return counters()

def compare(first, last):
    """What may differ: a few objects and pages that lie in caches."""
    slack = {"pages_slab": 96, "pages_net": 64, "pages_anon": 128, "pages_stacks": 72, "pages_tables": 16, "pages_file": None, "pages_free": None,
             "heap_used_bytes": 128 << 10, "heap_large_bytes": 64 << 10, "descriptors": 1}
    for k in sorted(last):
        gauge = k.startswith(("pages_", "objects_", "heap_", "tcp_"))
        allowed = slack.get(k, 64 if gauge else None)
        if allowed is not None and last[k] - first.get(k, 0) > allowed:
            bad.append(f"{k} grew from {first.get(k, 0)} to {last[k]}")
    for k in ("virtio_broken", "virtio_net_rx_bad", "irq_unhandled"):
        if last.get(k):
            bad.append(f"{k} is {last[k]}")

def round_of_everything():
    for what in (short, kept, flood, half_open, slow, resets, storms):
        begun = time.monotonic()
        try:
            what()
        except OSError as e:
            bad.append(f"{what.__name__}, after {time.monotonic() - begun:.1f} s: {e!r}")

round_of_everything()
first = quiet()
end, rounds = time.monotonic() + seconds, 1
while time.monotonic() < end and not bad:
    round_of_everything()
    rounds += 1
last = quiet()
compare(first, last)
print(f"{rounds} rounds: " + ", ".join(f"{v} {k}" for k, v in done.items()))
print("pages now and after the first round: " + ", ".join(f"{k[6:]} {last[k]} ({first[k]})" for k in sorted(last) if k.startswith("pages_")))
changed = [f"{k} {last[k]} ({first.get(k, 0)})" for k in sorted(last) if not k.startswith("pages_") and last[k] != first.get(k, 0)]
print("counters that changed: " + (", ".join(changed) or "none"))
for b in bad[:10]:
    print("bad: " + b)
sys.exit(1 if bad else 0)
