/*
 * table.c - the kernel's table of system calls: the same file that makes its dispatcher.
 */
#include "scan/table.h"

#include <stddef.h>
#include <string.h>

#include "scan/calls.h"

struct entry {
	const char *name;
	enum scan_level level;
};

#define SYSCALL0(nr, call, lvl, ...) [nr] = { #call, SCAN_##lvl },
#define SYSCALL1 SYSCALL0
#define SYSCALL2 SYSCALL0
#define SYSCALL3 SYSCALL0
#define SYSCALL4 SYSCALL0
#define SYSCALL5 SYSCALL0
#define SYSCALL6 SYSCALL0
static const struct entry entries[SCAN_CALLS_MAX] = {
#include "kernel/linux/syscalls.def"
};

#define SYSCALL_NOTE(call, words) { #call, words },
static const struct { const char *name, *text; } notes[] = {
#include "kernel/linux/syscalls_notes.def"
};

const char *scan_call_name(unsigned int number)
{
	return number < SCAN_CALLS_MAX ? entries[number].name : NULL;
}

enum scan_level scan_call_level(unsigned int number)
{
	return number < SCAN_CALLS_MAX ? entries[number].level : SCAN_UNKNOWN;
}

const char *scan_call_note(unsigned int number)
{
	const char *name = scan_call_name(number);

	for (size_t i = 0; name && i < sizeof notes / sizeof *notes; i++) {
		if (!strcmp(notes[i].name, name))
			return notes[i].text;
	}
	return NULL;
}
