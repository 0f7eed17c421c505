#!/bin/sh
# coturn.sh - Debian's coturn: STUN bindings over UDP and TCP, a TURN allocation.
. tests/apps/lib
cat >client.py <<'P'
import os, socket, struct, sys
port, seconds = int(sys.argv[1]), int(sys.argv[2])
def message(kind, body=b""):
    return struct.pack("!HHI", kind, len(body), 0x2112A442) + os.urandom(12) + body
def ask(s, data):
    s.settimeout(seconds)
    s.connect(("127.0.0.1", port))
    s.send(data)
    d = s.recv(2000)
    assert d[8:20] == data[8:20]
    kinds, at = {}, 20
    while at < len(d):
        t, n = struct.unpack("!HH", d[at:at + 4])
        kinds[t] = d[at + 4:at + 4 + n]
        at += 4 + (n + 3) // 4 * 4
    return struct.unpack("!H", d[:2])[0], kinds
def address(v):
    return socket.inet_ntoa(bytes(a ^ b for a, b in zip(v[4:8], b"\x21\x12\xa4\x42")))
for name, kind in (("udp", socket.SOCK_DGRAM), ("tcp", socket.SOCK_STREAM)):
    code, at = ask(socket.socket(socket.AF_INET, kind), message(1))
    print(name, hex(code), address(at[0x20]))
code, at = ask(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), message(3, struct.pack("!HHBxxx", 0x19, 4, 17)))
print("allocate", hex(code), address(at[0x16]) if 0x16 in at else at)
P
printf 'udp 0x101 10.0.2.2\ntcp 0x101 10.0.2.2\nallocate 0x103 10.0.2.15\n' >expected

for on in $MACHINES; do
    port=$(free_port)
    boot "$on" -p "127.0.0.1:$port:3478" -p "127.0.0.1:$port:3478/udp" "$example"
    if ready 60 python3 client.py "$port" 2; then
        timeout 100 python3 client.py "$port" 30 >got 2>client.err
        check_lines
    fi
    finish 0 143
done
