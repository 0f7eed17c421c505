"""A small web server in Python: a thread for each connection, and a page of checks of the standard library.

GET /hello          a line of text
POST /sum           SHA-256 of the body
GET /check          what the standard library does here, a line for each part
GET /refused        what a machine of one process refuses
"""
import asyncio
import concurrent.futures
import hashlib
import http.server
import json
import os
import pathlib
import queue
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import urllib.request
import zlib

HERE = pathlib.Path(__file__).resolve().parent


def check_threads():
    work, done = queue.Queue(), []
    lock = threading.Lock()

    def worker():
        while (n := work.get()) is not None:
            with lock:
                done.append(n * n)

    threads = [threading.Thread(target=worker) for _ in range(8)]
    for t in threads:
        t.start()
    for n in range(1000):
        work.put(n)
    for _ in threads:
        work.put(None)
    for t in threads:
        t.join()
    return sum(done)


def check_pool():
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return sum(pool.map(lambda n: zlib.crc32(b"%d" % n), range(200)))


def check_sqlite():
    with tempfile.TemporaryDirectory() as d:
        db = sqlite3.connect(os.path.join(d, "t.db"))
        db.execute("pragma journal_mode=wal")
        db.execute("create table t(a integer primary key, b text)")
        with db:
            db.executemany("insert into t(b) values(?)", (("row %d" % n,) for n in range(500)))
        row = db.execute("select count(*), sum(a), max(b) from t").fetchone()
        db.close()
        return row


def check_asyncio():
    async def echo(reader, writer):
        while line := await reader.readline():
            writer.write(line.upper())
            await writer.drain()
        writer.close()

    async def client(port, n):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"line %d\n" % n)
        line = await reader.readline()
        writer.close()
        return line

    async def run():
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        lines = await asyncio.gather(*(client(port, n) for n in range(20)))
        in_thread = await asyncio.to_thread(sum, range(1000))
        server.close()
        return len(lines), lines[7].decode().strip(), in_thread

    return asyncio.run(run())


def check_tls():
    """A TLS server and a client in one process, with a certificate that the client checks."""
    inner = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    inner.load_cert_chain(HERE / "cert.pem", HERE / "key.pem")
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        with listener.accept()[0] as raw, inner.wrap_socket(raw, server_side=True) as s:
            s.sendall(s.recv(100)[::-1])

    t = threading.Thread(target=serve)
    t.start()
    outer = ssl.create_default_context(cafile=HERE / "cert.pem")
    with socket.create_connection(listener.getsockname()) as raw, outer.wrap_socket(raw, server_hostname="localhost") as s:
        s.sendall(b"drawer")
        answer = s.recv(100).decode(), s.version()
    t.join()
    listener.close()
    return answer


def check_urllib():
    with urllib.request.urlopen("http://127.0.0.1:%d/hello" % PORT, timeout=20) as r:
        return r.status, r.read().decode().strip()


def check_files():
    with tempfile.TemporaryDirectory() as d:
        p = pathlib.Path(d, "a", "b")
        p.mkdir(parents=True)
        (p / "one").write_bytes(bytes(range(256)) * 300)
        (p / "two").symlink_to("one")
        os.rename(p / "one", p / "three")
        (p / "one").hardlink_to(p / "three")
        with open(p / "two", "rb") as f:
            f.seek(-3, os.SEEK_END)
            tail = list(f.read())
        return sorted(x.name for x in p.iterdir()), os.stat(p / "three").st_nlink, tail


def check_signal():
    seen = []
    if threading.current_thread() is not threading.main_thread():
        signal.raise_signal(signal.SIGUSR1)
        USR1.wait(10)
        return USR1.is_set()
    return seen


def check_time():
    event = threading.Event()
    return event.wait(0.05)


def refused(what):
    try:
        what()
        return "done"
    except OSError as e:
        return type(e).__name__ + " " + (e.strerror or str(e))
    except Exception as e:
        return type(e).__name__ + " " + str(e)


def check_all():
    parts = {k[6:]: v for k, v in globals().items() if k.startswith("check_") and k != "check_all"}
    for name, part in sorted(parts.items()):
        try:
            yield "%s: %s" % (name, json.dumps(part()))
        except Exception as e:
            yield "%s: FAILED %r" % (name, e)


def refused_all():
    import multiprocessing

    yield "fork: " + refused(os.fork)
    yield "subprocess: " + refused(lambda: subprocess.run(["/bin/true"]))
    yield "multiprocessing: " + refused(lambda: multiprocessing.get_context("fork").Process(target=print).start())


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, text, status=200):
        body = (text + "\n").encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/hello":
            self.answer("hello from Python")
        elif self.path == "/check":
            self.answer("\n".join(check_all()))
        elif self.path == "/refused":
            self.answer("\n".join(refused_all()))
        else:
            self.answer("nothing here", 404)

    def do_POST(self):
        left, digest = int(self.headers.get("Content-Length", 0)), hashlib.sha256()
        while left > 0 and (piece := self.rfile.read(min(left, 65536))):
            digest.update(piece)
            left -= len(piece)
        self.answer(digest.hexdigest())

    def log_message(self, *args):
        pass


PORT = int(sys.argv[1]) if len(sys.argv) > 1 else 8080
USR1 = threading.Event()
signal.signal(signal.SIGUSR1, lambda *a: USR1.set())


def main():
    server = http.server.ThreadingHTTPServer(("", PORT), Handler)
    server.daemon_threads = True
    signal.signal(signal.SIGTERM, lambda *a: threading.Thread(target=server.shutdown).start())
    print("ready", flush=True)
    server.serve_forever()
    print("stopped", flush=True)


main()
