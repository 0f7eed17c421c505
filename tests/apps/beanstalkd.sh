#!/bin/sh
# beanstalkd.sh - Debian's beanstalkd: jobs put, reserved, delayed, buried and deleted by a client of our own.
. tests/apps/lib
cat >client.py <<'P'
import socket, sys, time

class Client:
    def __init__(self, port):
        self.f = socket.create_connection(("127.0.0.1", port), 60).makefile("rwb")
    def ask(self, line, data=None):
        self.f.write(line.encode() + b"\r\n" + (data + b"\r\n" if data is not None else b""))
        self.f.flush()
        return self.f.readline().decode().split()
    def put(self, data, priority=0, delay=0):
        return self.ask(f"put {priority} {delay} 60 {len(data)}", data)
    def reserve(self, seconds=30):
        word = self.ask(f"reserve-with-timeout {seconds}")
        return (word[1], self.f.read(int(word[2]) + 2)[:-2]) if word[0] == "RESERVED" else word[0]

c, w = Client(int(sys.argv[1])), Client(int(sys.argv[1]))
print("put", c.put(b"a job")[0])
job, data = w.reserve()
print("reserve", data.decode(), w.ask(f"delete {job}")[0])
for i in range(200):
    c.put(b"%d" % i, priority=200 - i)
print("order", [w.reserve()[1] for _ in range(200)] == [b"%d" % i for i in range(199, -1, -1)])
start = time.monotonic()
c.put(b"later", delay=2)
print("delay", w.reserve()[1].decode(), time.monotonic() - start >= 1.9)
print("timeout", w.reserve(1))
print("large", c.put(bytes(65535))[0], c.put(bytes(65536))[0])
P
printf 'put INSERTED\nreserve a job DELETED\norder True\ndelay later True\ntimeout TIMED_OUT\nlarge INSERTED JOB_TOO_BIG\n' >expected

for on in $MACHINES; do
    port=$(free_port)
    boot "$on" -p "127.0.0.1:$port:11300" "$example"
    if ready 60 python3 -c "import socket; s = socket.create_connection(('127.0.0.1', $port), 3); s.settimeout(3); s.sendall(b'stats\r\n'); assert s.recv(9)"; then
        timeout 120 python3 client.py "$port" >got 2>client.err
        check_lines
    fi
    # It has no handler for SIGTERM: 128 + 15.
    finish 143
done
