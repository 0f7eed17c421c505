/*
 * file.h - files: whole reads, atomic writes, copies, trees.
 *
 * Functions return 0 or an exit status after a line (see util/err.h), unless
 * their comment says otherwise.
 */
#ifndef TOOL_UTIL_FILE_H
#define TOOL_UTIL_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/str.h"

/* Reads a whole file of at most max bytes. Returns a negative errno without a line (-EFBIG: too long). */
int file_read(const char *path, size_t max, struct buf *ret_data);

/* Writes or reads all bytes at an offset; negative errno without a line (-EIO: end of file met). */
int file_pwrite_all(int fd, const void *data, size_t len, uint64_t offset);
int file_pread_all(int fd, void *data, size_t len, uint64_t offset);

/* Copies len bytes between files, sharing blocks where the filesystem can; negative errno. */
int file_copy_range(int from, uint64_t from_offset, int to, uint64_t to_offset, uint64_t len);

/* Creates a directory and its parents with mode 0755; negative errno. */
int file_mkdirs(const char *path);

/* Removes a tree; what cannot be removed stays. Never follows symbolic links. */
void file_remove_tree(const char *path);

/* Makes an absolute path without "." and "//" parts; ".." is kept, since it may follow a symbolic link. */
char *file_absolute(const char *path);

/*
 * A file that appears under its name only when complete (I1): the bytes go to a
 * temporary name beside it.
 */
struct file_atomic {
	int fd;
	char *path;
	char *tmp_path;
};
int file_atomic_open(struct file_atomic *f, const char *path);
int file_atomic_commit(struct file_atomic *f);
void file_atomic_abort(struct file_atomic *f); /* harmless after commit */

/* Finds an executable file in a PATH-like list. NULL when it is not there. The caller frees it. */
char *file_find_in_path(const char *name, const char *path_list);

/* The directory of this user's cache, created: $XDG_CACHE_HOME/pith or ~/.cache/pith. */
int file_cache_dir(char **ret_path);

/* An anonymous file in memory that holds the bytes; -1 after a line. */
int file_memfd(const char *name, const void *data, size_t len);

#endif
