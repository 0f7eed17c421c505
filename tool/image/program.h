/*
 * program.h - from the word PROGRAM to the file that the machine will run.
 */
#ifndef TOOL_IMAGE_PROGRAM_H
#define TOOL_IMAGE_PROGRAM_H

#include "image/elf_file.h"
#include "util/str.h"

enum program_kind { PROGRAM_ELF, PROGRAM_SCRIPT, PROGRAM_IMAGE };

/*
 * Finds the file: a word with a slash is a path; another is looked for here and
 * then in PATH. 0, or 126/127 after a line. The caller frees the path, which is
 * as the user would write it (not made absolute).
 */
int program_find(const char *word, char **ret_path);

/* What kind of file it is, by its first bytes. 0, or 126 after a line. */
int program_classify(const char *path, enum program_kind *ret_kind);

struct program {
	char *exec;              /* absolute path of the ELF file */
	struct strv args;        /* argv, argv[0] first */
	struct strv scripts;     /* absolute paths of the scripts that lead to it */
	struct elf_file elf;
};

/*
 * Follows "#!" lines as Linux does and checks that an x86-64 program stands at
 * the end. word is argv[0]; argv holds the arguments behind it. 0, or an exit
 * status after a line.
 */
int program_open(const char *word, const char *path, char **argv, int argc, const char *path_list, struct program *ret_program);
void program_free(struct program *program);

#endif
