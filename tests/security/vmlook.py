"""vmlook - looks into a running machine from outside, through QEMU's monitor: registers, physical memory, page tables.

A Machine starts `pith run` with a VMM that has a monitor besides, waits until the program has printed "ready", stops the machine,
saves its memory and walks the page tables from CR3 as the CPU would. Nothing inside the machine takes part or knows.
"""
import json, os, re, socket, subprocess, sys, tempfile, time

PAGE = 4096
KERNEL_HALF = 0xffff800000000000
PITH = os.environ.get("PITH", "build/pith")
PTE_P, PTE_W, PTE_U, PTE_PS, PTE_NX, PTE_ADDR = 1, 2, 4, 128, 1 << 63, 0x000ffffffffff000


class Page:
    """One leaf: virtual and physical address, length, and what the whole way down to it allows."""
    __slots__ = ("va", "pa", "len", "w", "x", "u")

    def __init__(self, va, pa, length, w, x, u):
        self.va, self.pa, self.len, self.w, self.x, self.u = va, pa, length, w, x, u


def symbols():
    """Of the kernel at hand: name -> (offset, type); static ones of the same name: the last."""
    elf = os.environ.get("KERNEL_ELF") or os.path.join(os.path.dirname(os.path.abspath(PITH)), "pith.elf")
    out = subprocess.run(["nm", "-S", elf], check=True, capture_output=True, text=True).stdout
    found = []
    for line in out.splitlines():
        f = line.split()
        if len(f) == 4:
            found.append((f[3], int(f[0], 16), int(f[1], 16), f[2]))
        elif len(f) == 3:
            found.append((f[2], int(f[0], 16), 0, f[1]))
    return found


def connect(s, path, end):
    """A socket has its name a moment before it listens."""
    while True:
        try:
            return s.connect(path)
        except ConnectionRefusedError:
            if time.monotonic() > end:
                raise
        time.sleep(0.02)


class Machine:
    def __init__(self, program, on="microvm:1", memory_mib=64, options=(), ready="ready", edit=None, wait_s=60, debug=False):
        self.dir = tempfile.mkdtemp(dir=os.environ.get("TMPDIR"))
        vmm = os.path.join(self.dir, "vmm")
        with open(vmm, "w") as f:
            f.write("#!/bin/sh\n%sexec qemu-system-x86_64 \"$@\" -qmp unix:%s/qmp,server=on,wait=off%s\n"
                    % (edit or "", self.dir, " -gdb unix:%s/gdb,server=on,wait=off" % self.dir if debug else ""))
        os.chmod(vmm, 0o755)
        machine, cpus = on.split(":")
        self.memory = memory_mib << 20
        self.log = open(os.path.join(self.dir, "log"), "w+b")
        self.run = subprocess.Popen(
            ["timeout", "-k", "5", str(2 * wait_s), PITH, "run", "--accel", "tcg", "--machine", machine, "--cpus", cpus, "-m", "%dM" % memory_mib,
             *options, *program], stdin=subprocess.PIPE, stdout=self.log, stderr=subprocess.STDOUT, env={**os.environ, "PITH_QEMU": vmm})
        end = time.monotonic() + wait_s
        while ready.encode() not in self.output() or not os.path.exists(os.path.join(self.dir, "qmp")):
            if self.run.poll() is not None or time.monotonic() > end:
                raise RuntimeError("the machine does not get ready: " + self.output().decode(errors="replace")[-500:])
            time.sleep(0.02)
        self.monitor = socket.socket(socket.AF_UNIX)
        self.monitor.settimeout(wait_s)
        connect(self.monitor, os.path.join(self.dir, "qmp"), end)
        self.stream = self.monitor.makefile("rw")
        self.stream.readline()
        self.command("qmp_capabilities")
        self.ram = b""
        self.gdb = None

    def output(self):
        with open(self.log.name, "rb") as f:
            return f.read()

    def command(self, name, **arguments):
        self.stream.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
        self.stream.flush()
        while True:
            answer = json.loads(self.stream.readline())
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise RuntimeError("%s: %s" % (name, answer["error"]["desc"]))

    def hmp(self, line):
        return self.command("human-monitor-command", **{"command-line": line})

    def registers(self):
        """One dictionary for each CPU: cr0, cr3, cr4, efer, idt, gdt, rip ..."""
        cpus = []
        for part in re.split(r"CPU#\d+", self.hmp("info registers -a"))[1:]:
            r = {k.lower(): int(v, 16) for k, v in re.findall(r"\b(CR[0-4]|EFER|RIP|RSP)=([0-9a-f]+)", part)}
            for k, base in re.findall(r"\b(GDT|IDT)=\s+([0-9a-f]+)", part):
                r[k.lower()] = int(base, 16)
            cpus.append(r)
        return cpus

    def save(self):
        """Stop the machine and take its memory."""
        self.command("stop")
        path = os.path.join(self.dir, "ram")
        self.command("pmemsave", val=0, size=self.memory, filename=path)
        with open(path, "rb") as f:
            self.ram = f.read()
        os.unlink(path)

    def save_idle(self):
        """The same when the first CPU is in the kernel and waits; its registers."""
        for _ in range(50):
            self.save()
            cpu = self.registers()[0]
            if cpu["rip"] >= KERNEL_HALF:
                return cpu
            self.go_on()
            time.sleep(0.1)
        raise RuntimeError("the machine does not get idle")

    def go_on(self):
        self.command("cont")

    def end(self):
        """The program may finish; its status."""
        if self.run.stdin:
            self.run.stdin.close()
        try:
            return self.run.wait(60)
        except subprocess.TimeoutExpired:
            self.run.kill()
            return 124

    def kill(self):
        try:
            self.command("quit")
        except Exception:
            pass
        self.run.stdin.close()
        self.run.wait()

    # ---- the debugger's port: memory and registers of a machine that stands still ----

    def ask(self, text):
        """One packet of GDB's remote protocol and its answer."""
        if not self.gdb:
            self.gdb = socket.socket(socket.AF_UNIX)
            connect(self.gdb, os.path.join(self.dir, "gdb"), time.monotonic() + 20)
            self.gdb.settimeout(0.5)
            try:
                self.gdb.recv(4096)          # it may say that it stands
            except OSError:
                pass
            self.gdb.settimeout(20)
        self.gdb.sendall(b"$%s#%02x" % (text.encode(), sum(text.encode()) & 255))
        got = b""
        while not re.search(rb"\$[^#]*#..", got):
            got += self.gdb.recv(4096)
        self.gdb.sendall(b"+")
        return got.split(b"$")[-1].split(b"#")[0].decode()

    def set_register(self, number, value):
        """GDB's numbers: 5 is RDI, 16 RIP."""
        all = self.ask("g")
        if self.ask("G" + all[:16 * number] + value.to_bytes(8, "little").hex() + all[16 * number + 16:]) != "OK":
            raise RuntimeError("register %d is not taken" % number)

    def poke(self, va, value):
        if self.ask("M%x,8:%s" % (va, value.to_bytes(8, "little").hex())) != "OK":
            raise RuntimeError("memory at %#x is not taken" % va)

    # ---- page tables ----

    def words(self, pa, count=512):
        if pa + 8 * count > len(self.ram):
            raise RuntimeError("a table outside of memory: %#x" % pa)
        return memoryview(self.ram)[pa:pa + 8 * count].cast("Q")

    def pages(self, cr3):
        """Every leaf that the CPU can reach from cr3."""
        found = []
        self.tables = {cr3 & PTE_ADDR}

        def walk(table, shift, base, w, x, u):
            for i, e in enumerate(self.words(table)):
                if not e & PTE_P:
                    continue
                va = base | i << shift
                if shift == 39 and i >= 256:
                    va |= 0xffff << 48
                w1, x1, u1 = w and bool(e & PTE_W), x and not e & PTE_NX, u and bool(e & PTE_U)
                if shift == 12 or (shift < 39 and e & PTE_PS):
                    size = 1 << shift
                    found.append(Page(va, e & PTE_ADDR & ~(size - 1), size, w1, x1, u1))
                else:
                    self.tables.add(e & PTE_ADDR)
                    walk(e & PTE_ADDR, shift - 9, va, w1, x1, u1)

        walk(cr3 & PTE_ADDR, 39, 0, True, True, True)
        return found

    def layout(self, pages):
        """Where the kernel chose to lie: image, direct map, mappings."""
        image = [p for p in pages if p.va >= 0xffffff8000000000]
        direct = [p for p in pages if KERNEL_HALF <= p.va < 0xffffe00000000000]
        maps = [p for p in pages if 0xffffe00000000000 <= p.va < 0xffffff8000000000]
        return image, direct, maps
