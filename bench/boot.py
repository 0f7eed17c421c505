"""boot - instructions from the kernel's entry to the program's first one, and from there to what the program writes."""
import guest, meter
from meter import counters, entry, finish, load_address, symbols, vmm
from ops import EXACT

def once(machine, tmp, more=()):
    """{row: instructions} of one start of programs/hello.c; waiting loops are counted in full."""
    kernel, hello, out = f"{meter.BUILD}/pith.elf", f"{meter.BUILD}/bench/hello", f"{tmp}/boot"
    sy = symbols(hello)
    marks = {"kernel": symbols(kernel)["boot_pvh_entry"] + load_address(kernel), "entry": entry(hello), "done": sy["mk_done"]}
    r = finish(vmm(["--machine", machine, "--net", "none"], hello, marks=marks, out=out) + list(more))
    m = {k: v for k, v in counters(out)[1].items() if v["hits"]}
    if len(m) != len(marks):
        raise SystemExit(f"boot: {machine}: not reached: {', '.join(set(marks) - set(m))}: {r.stderr[-400:]}")
    return {f"{machine}: kernel entry to first user instruction, hello": m["entry"]["total"] - m["kernel"]["total"],
            f"{machine}: first user instruction to hello's write": m["done"]["total"] - m["entry"]["total"]}

def linux(tmp, folder):
    """The same rows of the Linux guest; counted from the reset, as its kernel has no other mark (QEMU's firmware takes some thousands)."""
    hello, out = f"{meter.BUILD}/bench/hello", f"{tmp}/boot"
    cmd = vmm(["--machine", "microvm", "--net", "none"], hello, marks={"entry": entry(hello), "done": symbols(hello)["mk_done"]}, out=out)
    finish(guest.linux_words(cmd, folder, "") + EXACT)
    m = counters(out)[1]
    return {"microvm: kernel entry to first user instruction, hello": m["entry"]["total"],
            "microvm: first user instruction to hello's write": m["done"]["total"] - m["entry"]["total"]}
