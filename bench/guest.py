"""guest - the Linux guest of the comparisons: the same machine with another kernel."""
import re

def boot_records(path):
    with open(path, "rb") as f:
        block = f.read()
    return [r.decode().split("=", 1) for r in block[block.index(b"\n") + 1:].split(b"\0") if r]

def quoted(text):
    return re.sub(r"[^A-Za-z0-9_./:=,+@-]", lambda m: "".join(f"%{b:02x}" for b in m.group().encode()), text)

TUNED = "console=hvc0 quiet reboot=t panic=-1 no_timer_check nolapic_timer lpj=5000000"
ALONE = ("-nodefaults", "-no-user-config", "-no-reboot")     # options without a value

def linux_words(cmd, linux, more):
    """Pith's command line for microvm with Linux's kernel, initramfs and words; more: what else the kernel is told."""
    words, i, pith = [], 0, ""
    while i < len(cmd):
        option, value = cmd[i], cmd[i + 1] if i + 1 < len(cmd) else ""
        if option == "-machine":
            value = "microvm,acpi=off"
        elif option == "-kernel":
            value = f"{linux}/vmlinux"
        elif option == "-initrd":
            keys = {"exec": "exec", "cwd": "cwd", "arg": "arg", "env": "env"}
            pith = " ".join(f"pith.{keys[k]}={quoted(v)}" for k, v in boot_records(value) if k in keys)
            value = f"{linux}/initrd.cpio"
        if option == "-append":
            value = f"{TUNED} {more} {pith}"
        if not (option == "-device" and value.startswith("virtserialport")):
            words += [option] if not value or option in ALONE or i == 0 else [option, value]
        i += 1 if i == 0 or option in ALONE else 2
    return words + ["-device", "virtconsole,bus=ports.0,chardev=stdout"]
