#!/bin/sh
# ngircd.sh - Debian's ngIRCd: two clients of our own in one channel.
. tests/apps/lib
cat >client.py <<'P'
import socket, sys

class Client:
    def __init__(self, port, nick):
        self.f = socket.create_connection(("127.0.0.1", port), 60).makefile("rwb")
        self.send(f"NICK {nick}", f"USER {nick} 0 * :{nick}")
    def send(self, *lines):
        self.f.write("".join(l + "\r\n" for l in lines).encode())
        self.f.flush()
    def until(self, word):
        while True:
            line = self.f.readline().decode().rstrip("\r\n")
            if not line:
                raise SystemExit(f"closed before {word}")
            if line.startswith("PING"):
                self.send("PONG" + line[4:])
            if f" {word} " in line + " ":
                return line.split(" :", 1)[-1]

port = int(sys.argv[1])
a, b = Client(port, "anna"), Client(port, "bert")
print("welcome", a.until("001").split(" Network ")[0])
b.until("001")
a.send("JOIN #room"); a.until("366")
b.send("JOIN #room", "TOPIC #room :unikernels")
print("names", " ".join(sorted(b.until("353").split())))
print("topic", a.until("TOPIC"))
b.send(*[f"PRIVMSG #room :message {i}" for i in range(20)])
print("messages", [a.until("PRIVMSG") for _ in range(20)] == [f"message {i}" for i in range(20)])
b.send("NICK carl"); a.until("NICK")
a.send("WHOIS carl")
print("whois", a.until("311"))
b.send("QUIT :bye")
print("quit", a.until("QUIT"))
P
printf 'welcome Welcome to the Internet Relay\nnames @anna bert\ntopic unikernels\nmessages True\nwhois bert\nquit "bye"\n' >expected

for on in $MACHINES; do
    port=$(free_port)
    boot "$on" -p "127.0.0.1:$port:6667" "$example"
    if ready 60 grep -q ready "$app.log"; then
        timeout 120 python3 client.py "$port" >got 2>client.err
        check_lines
    fi
    finish 0
done
