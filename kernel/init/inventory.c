/*
 * inventory.c - what this kernel contains, said in an ELF note that survives stripping.
 *
 * Owner "Pith", type 1, text lines "KIND NAME"; `pith inspect` reads them from an image. The header of the note is made
 * by the link script (boot/kernel.lds), which picks the lines with what they speak of. System calls need no lines:
 * their table lies in a section of its own, .syscalls. Nothing refers to this at run time.
 */
#include "base/link.h"
#include "base/types.h"

#ifndef PITH_HOST
#define LINE(place, id, text) static const char line_##id[sizeof(text) - 1] __attribute__((used, section(place), aligned(1))) = text;

LINE(".note.always", always,
     "filesystem erofs\n"
     "mitigation kernel-aslr\nmitigation user-aslr\nmitigation kernel-wx\nmitigation nx\n"
     "mitigation smep\nmitigation smap\nmitigation umip\nmitigation stack-canary\n"
     "mitigation stack-clash-protection\nmitigation zeroed-locals\nmitigation guard-pages\n"
     "mitigation one-process\n")
LINE(".pick.note.mount.tmp", tmpfs, "filesystem tmpfs\n")
LINE(".pick.note.mount.dev", devfs, "filesystem devfs\n")
LINE(".pick.note.mount.proc", procfs, "filesystem procfs\n")
LINE(".pick.note.mount.sys", sysfs, "filesystem sysfs\n")
LINE(".pick.note.volume.ext4", ext4, "filesystem ext4\n")
LINE(".pick.note.tracer.strace", strace, "part strace\n")
LINE(".pick.note.slot.pci_scan", pci, "part pci\n")
#define DRIVER(name, class, help) LINE(".pick.note.driver." #name, driver_##name, "driver " #name "\n")
#include "drivers/drivers.def"
#endif
