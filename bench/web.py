#!/usr/bin/env python3
"""web - the HTTP rows: instructions a request of programs/httpd.c over a tap device, one vCPU.

Run as a program (in a network namespace of its own, as root) it measures and prints one JSON object; rows() does that.
All guest instructions between the first and the last of N requests count, interrupts and acknowledgements included; median of three.
The clock is the host's, so that these rows vary by about one per cent.
"""
import json, os, select, shlex, socket, subprocess, sys, tempfile, time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import meter
from meter import counters, vmm

ASK = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
SETUP = "ip link set lo up; ip tuntap add tap0 mode tap; ip addr add 10.9.0.1/24 dev tap0; ip link set tap0 up; exec "

def rows():
    """{row: instructions}, measured in a child that has a network of its own."""
    own = shlex.join([sys.executable, os.path.abspath(__file__), meter.BUILD])
    r = subprocess.run(["unshare", "-n", "sh", "-c", SETUP + own], capture_output=True, text=True)
    if r.returncode:
        raise SystemExit(f"web: {r.stderr.strip()[-800:]}")
    return json.loads(r.stdout)

def connect(seconds=5.0):
    s = socket.create_connection(("10.9.0.2", 80), seconds)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.settimeout(10)
    return s

def keepalive(n, c, size):
    ss = [connect() for _ in range(c)]
    by, po, sent, done = {s.fileno(): [s, 0] for s in ss}, select.epoll(), 0, 0
    for s in ss:
        po.register(s, select.EPOLLIN)
        s.sendall(ASK)
        sent += 1
    while done < n:
        ready = po.poll(10)
        if not ready:
            raise SystemExit(f"http: stalled after {done} of {n}")
        for fd, _ in ready:
            e = by[fd]
            e[1] += len(e[0].recv(65536))
            if e[1] >= size:
                e[1] -= size
                done += 1
                if sent < n:
                    e[0].sendall(ASK)
                    sent += 1
    for s in ss:
        s.close()

def once_each(n, size):
    for _ in range(n):
        with connect() as s:
            s.sendall(ASK)
            got = 0
            while got < size:
                d = s.recv(65536)
                if not d:
                    break
                got += len(d)

def first_answer(out):
    """Asks every few milliseconds; the answer's length, and the instructions until it was there."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            with connect(0.02) as s:
                s.sendall(ASK)
                size = len(s.recv(65536))
                return size, counters(out)[0]["total"]
        except OSError:
            time.sleep(0.005)
    raise SystemExit("http: no answer")

def measure(tmp):
    out, got = f"{tmp}/http", {}
    cmd = vmm(["--machine", "microvm", "-m", "64M", "--net", "tap=tap0", "--ip", "10.9.0.2/24"], f"{meter.BUILD}/bench/httpd", ["80"], out=out)
    q = subprocess.Popen(cmd, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        size, got["microvm: reset to first HTTP answer"] = first_answer(out)
        for name, n, run in (("HTTP keep-alive, 1 connection, a request", 3000, lambda n: keepalive(n, 1, size)),
                             ("HTTP keep-alive, 32 connections, a request", 6000, lambda n: keepalive(n, 32, size)),
                             ("HTTP connect, request, close", 1000, lambda n: once_each(n, size))):
            run(n // 10)
            time.sleep(0.5)
            each = []
            for _ in range(3):
                a = counters(out)[0]["total"]
                run(n)
                time.sleep(0.3)
                each.append((counters(out)[0]["total"] - a) / n)
            got[name] = sorted(each)[1]
        return got
    finally:
        q.kill()
        q.wait()

if __name__ == "__main__":
    meter.BUILD = sys.argv[1]
    with tempfile.TemporaryDirectory() as tmp:
        print(json.dumps(measure(tmp)))
