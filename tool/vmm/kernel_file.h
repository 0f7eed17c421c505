/*
 * kernel_file.h - which kernel file the command boots.
 */
#ifndef TOOL_VMM_KERNEL_FILE_H
#define TOOL_VMM_KERNEL_FILE_H

#include <stdint.h>

/*
 * $PITH_KERNEL, or pith.elf.stripped beside the command, or
 * ../lib/pith/kernel.elf from there: an installed tree can be moved. 0 or 125 after a line.
 */
int kernel_file_find(char **ret_path);

/* The same without a line: NULL when there is none. */
char *kernel_file_locate(void);

/* The same kernel with symbols, for crash reports; NULL when there is none. */
char *kernel_file_find_debug(void);

/*
 * One of the files that kernels are linked from, kernel.ld, kernel.a and so on, beside the command or in ../lib/pith from
 * there ($PITH_KERNEL does not matter). 0 or 125 after a line. ld's map of the whole kernel; NULL.
 */
int kernel_file_find_part(const char *name, char **ret_path);
char *kernel_file_find_map(void);

/* The table of its functions (scripts/kernel-lines), which lies beside it; NULL when there is none. */
char *kernel_file_find_lines(void);

/* The end of the memory that a kernel takes when it is loaded, from its program headers; 0 when it is no kernel. */
uint64_t kernel_file_load_end(int fd, uint64_t offset);

#endif
