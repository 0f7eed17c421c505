#!/bin/sh
# nats.sh - Debian's nats-server (Go): subscribe, publish, requests, a queue group, large messages, its HTTP monitor.
. tests/apps/lib
cat >client.py <<'P'
import hashlib, json, os, socket, sys

class Client:
    def __init__(self, port):
        self.f = socket.create_connection(("127.0.0.1", port), 60).makefile("rwb")
        word, info = self.f.readline().split(b" ", 1)
        self.info = json.loads(info)
        self.send(b'CONNECT {"verbose":false,"pedantic":true,"name":"test"}')
        self.sync()
    def send(self, *lines):
        self.f.write(b"".join(l + b"\r\n" for l in lines))
        self.f.flush()
    def sync(self):
        self.send(b"PING")
        while (head := self.f.readline()) != b"PONG\r\n":     # messages that were under way
            assert head.startswith(b"MSG "), head
            self.f.read(int(head.split()[-1]) + 2)
    def message(self):
        head = self.f.readline().split()
        assert head[0] == b"MSG", head
        return head[1].decode(), self.f.read(int(head[-1]) + 2)[:-2]

def pub(c, subject, data, reply=b""):
    c.send(b"PUB %s %s %d" % (subject, reply, len(data)), data)

port, many = int(sys.argv[1]), int(sys.argv[2])
a, b = Client(port), Client(port)
print("info", a.info["max_payload"])
a.send(b"SUB greet.* 1"); a.sync()
pub(b, b"greet.en", b"hello")
print("message", *[x if isinstance(x, str) else x.decode() for x in a.message()])
big = os.urandom(900000)
pub(b, b"greet.big", big)
print("large", a.message()[1] == big)
a.send(b"SUB numbers 2"); a.sync()
for i in range(many):
    pub(b, b"numbers", b"%d" % i)
print("order", [a.message()[1] for _ in range(many)] == [b"%d" % i for i in range(many)])
a.send(b"SUB ask 4"); a.send(b"SUB work pool 3"); b.send(b"SUB work pool 3"); a.sync(); b.sync()
c = Client(port)
for i in range(100):
    pub(c, b"work", b"x")
c.sync()
c.send(b"SUB inbox 9"); c.sync()
pub(c, b"ask", b"question", b"inbox")
got = 0
while True:
    subject, data = a.message()
    if subject == "ask":
        break
    got += 1
pub(a, b"inbox", b"answer")
print("request", c.message()[1].decode())
print("queue", 0 < got < 100)
P
printf 'info 1048576\nmessage greet.en hello\nlarge True\norder True\nrequest answer\nqueue True\n' >expected

for on in $MACHINES; do
    port=$(free_port)
    http=$(free_port 2)
    boot "$on" -p "127.0.0.1:$port:4222" -p "127.0.0.1:$http:8222" "$example"
    if ready 60 curl -sf --max-time 5 "http://127.0.0.1:$http/healthz"; then
        timeout 200 python3 client.py "$port" 500 >got 2>client.err
        check_lines
        has "$at/monitor" "$(fetch "http://127.0.0.1:$http/varz")" '"in_msgs": [1-9]'
    fi
    finish 0 1    # it is a race on Linux, too: the handler of SIGTERM ends with 1, the main thread with 0
done
