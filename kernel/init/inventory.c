/*
 * inventory.c - what this kernel contains, said in an ELF note that survives stripping.
 *
 * Owner "Pith", type 1, text lines "KIND NAME"; `pith inspect` reads them from an image. System calls
 * and drivers come from their tables, so that the note cannot say anything else than what is
 * linked. Some 5 KB of read-only data; nothing refers to it at run time.
 */
#include "base/types.h"

/* Calls that do something: a refused or unknown one is not a part of the kernel. */
#define LINE_FULL(name)   "syscall " #name "\n"
#define LINE_PART(name)   "syscall " #name "\n"
#define LINE_REFUSE(name)
#define LINE_NONE(name)
#define SYSCALL0(nr, name, level)      LINE_##level(name)
#define SYSCALL1(nr, name, level, ...) LINE_##level(name)
#define SYSCALL2(nr, name, level, ...) LINE_##level(name)
#define SYSCALL3(nr, name, level, ...) LINE_##level(name)
#define SYSCALL4(nr, name, level, ...) LINE_##level(name)
#define SYSCALL5(nr, name, level, ...) LINE_##level(name)
#define SYSCALL6(nr, name, level, ...) LINE_##level(name)
#define DRIVER(name, class, help)      "driver " #name "\n"

#define INVENTORY                                                                          \
	"filesystem erofs\nfilesystem tmpfs\nfilesystem devfs\nfilesystem procfs\nfilesystem sysfs\n" \
	"mitigation kernel-aslr\nmitigation user-aslr\nmitigation kernel-wx\nmitigation nx\n"     \
	"mitigation smep\nmitigation smap\nmitigation umip\nmitigation stack-canary\n"            \
	"mitigation stack-clash-protection\nmitigation zeroed-locals\nmitigation guard-pages\n"   \
	"mitigation one-process\n"

static const char inventory_text[] __attribute__((unused)) =
#include "linux/syscalls.def"
#include "drivers/drivers.def"
	INVENTORY;

struct inventory_note {
	u32 owner_len, text_len, type;
	char owner[8];                          /* padded to 4 bytes */
	char text[sizeof(inventory_text)];
};

static const struct inventory_note inventory __attribute__((section(".note.Pith"), used, aligned(4))) = {
	.owner_len = 5,
	.text_len = sizeof(inventory_text),
	.type = 1,
	.owner = "Pith",
	.text =
#include "linux/syscalls.def"
#include "drivers/drivers.def"
		INVENTORY,
};
