#!/bin/sh
# memcached.sh - Debian's memcached: its text protocol by a client of our own, small and large values, several connections.
. tests/apps/lib
cat >client.py <<'P'
import hashlib, os, socket, sys

class Client:
    def __init__(self, port):
        self.f = socket.create_connection(("127.0.0.1", port), 60).makefile("rwb")
    def line(self, text, data=None):
        self.f.write(text.encode() + b"\r\n" + (data + b"\r\n" if data is not None else b""))
        self.f.flush()
        return self.f.readline().decode().rstrip("\r\n")
    def set(self, key, data, verb="set"):
        return self.line(f"{verb} {key} 7 0 {len(data)}", data)
    def get(self, key):
        head = self.line(f"get {key}").split()
        if head[0] == "END":
            return None
        data = self.f.read(int(head[3]) + 2)[:-2]
        assert self.f.readline() == b"END\r\n" and head[2] == "7"
        return data

port, many = int(sys.argv[1]), int(sys.argv[2])
c = Client(port)
print("version", c.line("version").split()[0])
print("set", c.set("key", b"a value"), c.get("key").decode())
print("add", c.set("key", b"other", "add"))
print("absent", c.get("nothing"))
print("counter", c.set("n", b"41"), c.line("incr n 1"), c.line("decr n 12"))
big = os.urandom(1000000)
print("big", c.set("big", big), hashlib.sha256(c.get("big")).digest() == hashlib.sha256(big).digest())
print("too-big", c.set("huge", bytes(2000000)).split()[0])
others = [Client(port) for _ in range(8)]
print("stored", sum(others[i % 8].set(f"k{i}", b"%d" % i * 50) == "STORED" for i in range(many)) == many)
print("read", sum(others[(i + 3) % 8].get(f"k{i}") == b"%d" % i * 50 for i in range(many)) == many)
print("delete", c.line("delete key"), c.get("key"))
print("flush", c.line("flush_all"), c.get("n"))
P
cat >expected <<'T'
version VERSION
set STORED a value
add NOT_STORED
absent None
counter STORED 42 30
big STORED True
too-big SERVER_ERROR
stored True
read True
delete DELETED None
flush OK None
T
many=1000
if quick; then many=200; fi
for on in $MACHINES; do
    port=$(free_port)
    boot "$on" -p "127.0.0.1:$port:11211" "$example"
    if ready 60 python3 -c "import socket; s = socket.create_connection(('127.0.0.1', $port), 3); s.settimeout(3); s.sendall(b'version\r\n'); assert s.recv(99)"; then
        timeout 200 python3 client.py "$port" $many >got 2>client.err
        check_lines
    fi
    finish 0
done
