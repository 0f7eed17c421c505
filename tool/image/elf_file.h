/*
 * elf_file.h - what an ELF file asks of its surroundings, read without running it.
 *
 * The file is untrusted: every offset and string is checked against the file's
 * length; what does not fit reads as "not there" or as -ENOEXEC.
 */
#ifndef TOOL_IMAGE_ELF_FILE_H
#define TOOL_IMAGE_ELF_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "util/str.h"

struct elf_file {
	unsigned int elf_class;  /* ELFCLASS64, ELFCLASS32 */
	unsigned int encoding;   /* ELFDATA2LSB, ELFDATA2MSB */
	unsigned int machine;    /* EM_* */
	unsigned int type;       /* ET_* */
	uint64_t entry;
	uint64_t load_len;       /* bytes that the PT_LOAD segments take in memory */
	char *interp;            /* PT_INTERP, NULL when static */
	char *soname;
	char *rpath;             /* DT_RPATH, NULL when absent or overruled by DT_RUNPATH */
	char *runpath;
	struct strv needed;      /* DT_NEEDED in order */
	bool unwinds_threads;    /* imports pthread_exit or pthread_cancel: glibc then loads libgcc_s at run time */
	bool opens_libraries;    /* imports dlopen */
};

/* 0, -ENOEXEC (no ELF file or a broken one), or another negative errno from reading. Prints nothing. */
int elf_file_read(const char *path, struct elf_file *ret_file);
void elf_file_free(struct elf_file *file);

/* Does the file hold this text, as a string that ends in NUL? False when it cannot be read. */
bool elf_file_holds(const char *path, const char *text);

/* Can the kernel run this machine type? (x86-64, 64 bit, little endian) */
bool elf_file_is_native(const struct elf_file *file);

/* "aarch64", "32-bit x86", ... for messages */
const char *elf_machine_name(const struct elf_file *file);

#endif
