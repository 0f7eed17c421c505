#!/bin/sh
# chrony.sh - Debian's chronyd as an NTP server: its time is the host's.
. tests/apps/lib
cat >client.py <<'P'
import socket, struct, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(int(sys.argv[2]))
right, stratum, offsets = 0, set(), []
for i in range(20):
    token = struct.pack("!II", 0x12345678, i)
    s.sendto(b"\x23" + bytes(39) + token, ("127.0.0.1", int(sys.argv[1])))
    d = s.recv(100)
    t3 = struct.unpack("!II", d[40:48])
    offsets.append(t3[0] - 2208988800 + t3[1] / 2**32 - time.time())
    right += d[24:32] == token and d[0] & 7 == 4
    stratum.add(d[1])
print("answers", right)
print("stratum", *stratum)
print("offset", abs(min(offsets, key=abs)) < 1)
P
printf 'answers 20\nstratum 8\noffset True\n' >expected

for on in $MACHINES; do
    port=$(free_port)
    # chronyd wants a directory of its own that nobody else can write.
    cp -R "$example" example && chmod 750 example/state
    boot "$on" -p "127.0.0.1:$port:123/udp" "$PWD/example"
    if ready 60 python3 client.py "$port" 2; then
        timeout 100 python3 client.py "$port" 30 >got 2>client.err
        check_lines
    fi
    finish 0
    rm -rf example
done
