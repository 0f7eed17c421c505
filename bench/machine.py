"""machine - a machine under test, Pith's or the Linux guest's, each on a tap device of its own in a network namespace without others.

Both are the same microvm with the same root, program and processor (-cpu max,-erms,-fsrm); only the kernel differs (guest.py).
"""
import os, subprocess
import guest, meter
from meter import CLEAN_CPU, vmm

KINDS = ("Pith", "Linux")
TAPS = {"Pith": ("tap0", "10.9.0"), "Linux": ("tap1", "10.9.1")}
SETUP = "ip link set lo up; " + "".join(f"ip tuntap add {t} mode tap; ip addr add {net}.1/24 dev {t}; ip link set {t} up; " for t, net in TAPS.values()) + 'exec "$@"'

def in_namespace(words):
    """The command line that runs words where the tap devices are; needs root."""
    return ["unshare", "-n", "sh", "-c", SETUP, "sh", *words]

def linux_folder():
    """Where the Linux guest is, made if it is not there (bench/linux/build; PITH_BENCH_LINUX names another one)."""
    linux = os.environ.get("PITH_BENCH_LINUX", f"{meter.BUILD}/linux")
    subprocess.run([f"{meter.TOP}/bench/linux/build", linux], check=True)
    return linux

def address(kind):
    return TAPS[kind][1] + ".2"

def command(kind, words, mb, out=None, options=(), linux=None, marks=None):
    """words: as after `pith run`, options first; out: the counters' file, None for none."""
    tap, net = TAPS[kind]
    cmd = vmm(["--machine", "microvm", "-m", f"{mb}M", "--net", f"tap={tap}", "--ip", f"{net}.2/24", *options], words[0], words[1:], marks=marks, out=out, cpu=CLEAN_CPU)
    return cmd if kind == "Pith" else guest.linux_words(cmd, linux, f"ip={net}.2::{net}.1:255.255.255.0:pith:eth0:off")

class Machine:
    """A VMM that is killed at the end of the block; its output is in log."""
    def __init__(self, cmd, log):
        self.log, self.cmd = log, cmd
    def __enter__(self):
        with open(self.log, "wb") as f:
            self.process = subprocess.Popen(self.cmd, stdin=subprocess.DEVNULL, stdout=f, stderr=subprocess.STDOUT)
        return self
    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
    def processor_seconds(self):
        """Of all its threads."""
        return sum(int(open(f"{t.path}/schedstat").read().split()[0]) for t in os.scandir(f"/proc/{self.process.pid}/task")) / 1e9
    def said(self):
        with open(self.log, errors="replace") as f:
            return f.read()[-600:]
