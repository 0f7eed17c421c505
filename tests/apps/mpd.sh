#!/bin/sh
# mpd.sh - Debian's Music Player Daemon: finds a sound file, plays it, tells where it is.
. tests/apps/lib
mkdir music
python3 - <<'P'
import math, struct, wave
w = wave.open("music/tone.wav", "wb")
w.setparams((1, 2, 8000, 0, "NONE", ""))
w.writeframes(b"".join(struct.pack("<h", int(9000 * math.sin(i / 3))) for i in range(80000)))
P
cat >client.py <<'P'
import socket, sys, time
f = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 30).makefile("rwb")
print("greeting", f.readline().decode().split()[1])
def ask(line):
    f.write(line.encode() + b"\n")
    f.flush()
    got = []
    while (l := f.readline().decode().rstrip("\n")) != "OK":
        if not l or l.startswith("ACK"):
            raise SystemExit(f"{line}: {l}")
        got.append(l)
    return got
ask("update")
for _ in range(300):
    songs = [l for l in ask("listall") if l.startswith("file: ")]
    if songs: break
    time.sleep(0.1)
print("found", *songs)
ask('add "tone.wav"'); ask("play")
time.sleep(3)
status = dict(l.split(": ", 1) for l in ask("status"))
print("state", status["state"], status["audio"], float(status["elapsed"]) > 0.5)
print("song", *[l for l in ask("currentsong") if l.startswith("duration")])
P
printf 'greeting MPD\nfound file: tone.wav\nstate play 8000:16:1 True\nsong duration: 10.000\n' >expected

for on in $MACHINES; do
    port=$(free_port)
    boot "$on" -p "127.0.0.1:$port:6600" -a music:/music "$example"
    if ready 60 python3 -c "import socket; s = socket.create_connection(('127.0.0.1', $port), 3); s.settimeout(3); assert s.recv(9)"; then
        timeout 120 python3 client.py "$port" >got 2>client.err
        check_lines
    fi
    finish 0
done
