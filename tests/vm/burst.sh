#!/bin/sh
# burst.sh - many connections to a published port at the same moment, to a server that speaks first: none may have to try again.
. tests/vm/lib
cc -O1 -static -o greeter "$sources/tests/vm/programs/greeter.c" 2>/dev/null
cat >client.py <<'P'
import socket, sys, threading, time
port, many, greeted = int(sys.argv[1]), int(sys.argv[2]), []
gate = threading.Barrier(many)
def one():
    gate.wait()
    with socket.create_connection(("127.0.0.1", port), 30) as s:
        s.settimeout(3)      # a try that was dropped is repeated after 1, 3, 7 s
        try:
            hello = s.recv(6)
        except TimeoutError:
            hello = b""
        if hello == b"hello\n":
            greeted.append(1)
        gate.wait(60)
threads = [threading.Thread(target=one) for _ in range(many)]
for t in threads: t.start()
for t in threads: t.join()
print(len(greeted))
P

for on in microvm:1 microvm:4; do
    port=$(free_port)
    start greeter "$on" --net user -p "127.0.0.1:$port:80" ./greeter
    if wait_for 30 sh -c "python3 client.py $port 1 | grep -qx 1"; then
        is "burst/$on" "$(timeout 100 python3 client.py "$port" 24 2>client.err)" 24
    else
        not_ok "burst/$on" "no answer: $(tail -n 3 greeter.log)"
    fi
    stop
done
