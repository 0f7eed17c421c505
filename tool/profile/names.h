/*
 * names.h - which function lies at an address of a running machine.
 *
 * Nothing inside the machine says where files are mapped: the code itself is looked up. The bytes around a program's address
 * are compared with those of all ELF files of the root, at the same place within a page; the kernel's with its own file.
 */
#ifndef TOOL_PROFILE_NAMES_H
#define TOOL_PROFILE_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct names;

/* Reads len bytes of the machine's memory. False: nothing is there. */
typedef bool names_read(void *context, uint64_t address, void *ret_bytes, size_t len);

/*
 * Reads the root (an EROFS at root_offset) and the kernel's file; symbols is the same kernel with symbols, or NULL. What cannot be
 * read has no names. Never NULL.
 */
struct names *names_open(int root_fd, uint64_t root_offset, uint64_t root_len, const char *kernel, const char *symbols);

/* The function's name, or the file's in brackets, or [kernel], or [unknown]; valid until names_close. Never NULL. */
const char *names_find(struct names *names, uint64_t address, names_read *read, void *context);

/*
 * Can an address of the kernel be where the function that pc lies in returns to? It is if a call of that function ends there, or
 * a call by a pointer. False as long as the kernel has not been found in the machine (names_find).
 */
bool names_returns(const struct names *names, uint64_t address, uint64_t pc);

void names_close(struct names *names);

#endif
