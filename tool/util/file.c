/*
 * file.c - files: whole reads, atomic writes, copies, trees.
 *
 * (I1) A file written with file_atomic_* has its name only when it is complete;
 *      on any failure, and on SIGINT or SIGTERM, the temporary name is removed.
 */
#include "util/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/err.h"

int file_read(const char *path, size_t max, struct buf *ret_data)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char block[65536];
	ssize_t n;

	if (fd < 0)
		return -errno;
	*ret_data = (struct buf){ 0 };
	while ((n = read(fd, block, sizeof block)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || ret_data->len + (size_t)n > max) {
			int error = n < 0 ? -errno : -EFBIG;

			close(fd);
			buf_free(ret_data);
			return error;
		}
		buf_append(ret_data, block, (size_t)n);
	}
	close(fd);
	return 0;
}

int file_pwrite_all(int fd, const void *data, size_t len, uint64_t offset)
{
	const char *p = data;

	while (len) {
		ssize_t n = pwrite(fd, p, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

int file_pread_all(int fd, void *data, size_t len, uint64_t offset)
{
	char *p = data;

	while (len) {
		ssize_t n = pread(fd, p, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		p += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

static int copy_by_hand(int from, off_t from_offset, int to, off_t to_offset, uint64_t len)
{
	static char block[1 << 17];

	while (len) {
		size_t part = len < sizeof block ? (size_t)len : sizeof block;
		int error = file_pread_all(from, block, part, (uint64_t)from_offset);

		if (!error)
			error = file_pwrite_all(to, block, part, (uint64_t)to_offset);
		if (error)
			return error;
		from_offset += (off_t)part;
		to_offset += (off_t)part;
		len -= part;
	}
	return 0;
}

int file_copy_range(int from, uint64_t from_offset, int to, uint64_t to_offset, uint64_t len)
{
	off_t from_at = (off_t)from_offset, to_at = (off_t)to_offset;

	while (len) {
		ssize_t n = copy_file_range(from, &from_at, to, &to_at, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) /* another filesystem, or a file in /proc: copy by hand; a short file says -EIO there */
			return copy_by_hand(from, from_at, to, to_at, len);
		len -= (uint64_t)n;
	}
	return 0;
}

int file_mkdirs(const char *path)
{
	char *copy = xstrdup(path);
	int error = 0;

	for (char *p = copy + 1; ; p++) {
		char c = *p;

		if (c != '/' && c != '\0')
			continue;
		*p = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST) {
			error = -errno;
			break;
		}
		*p = c;
		if (!c)
			break;
	}
	free(copy);
	return error;
}

static void remove_tree_at(int dir_fd, const char *name)
{
	int fd;
	DIR *dir;
	struct dirent *entry;

	if (unlinkat(dir_fd, name, 0) == 0 || (errno != EISDIR && errno != EPERM))
		return;
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return;
	fchmod(fd, 0700);
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return;
	}
	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			remove_tree_at(fd, entry->d_name);
	}
	closedir(dir);
	unlinkat(dir_fd, name, AT_REMOVEDIR);
}

void file_remove_tree(const char *path)
{
	remove_tree_at(AT_FDCWD, path);
}

char *file_absolute(const char *path)
{
	struct buf out = { 0 };
	char *cwd = NULL;
	const char *parts[2] = { path, NULL };

	if (path[0] != '/') {
		cwd = getcwd(NULL, 0);
		parts[0] = cwd ? cwd : "/";
		parts[1] = path;
	}
	for (int i = 0; i < 2 && parts[i]; i++) {
		const char *p = parts[i];

		while (*p) {
			size_t len = strcspn(p, "/");

			if (len && !(len == 1 && p[0] == '.')) {
				buf_puts(&out, "/");
				buf_append(&out, p, len);
			}
			p += len + (p[len] == '/');
		}
	}
	if (!out.len)
		buf_puts(&out, "/");
	free(cwd);
	return out.data;
}

int file_atomic_open(struct file_atomic *f, const char *path)
{
	*f = (struct file_atomic){ .fd = -1, .path = xstrdup(path) };
	f->tmp_path = xasprintf("%s.%ld.tmp", path, (long)getpid());
	cleanup_add(f->tmp_path); /* before it exists: keeps (I1) under a signal */
	f->fd = open(f->tmp_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (f->fd < 0) {
		int error = errno;

		file_atomic_abort(f);
		return err_report(PITH_FAILED, path, "cannot write: %s; choose another place", strerror(error));
	}
	return 0;
}

int file_atomic_commit(struct file_atomic *f)
{
	int error = 0;

	if (close(f->fd) < 0)
		error = errno;
	f->fd = -1;
	if (!error && rename(f->tmp_path, f->path) < 0)
		error = errno;
	if (error) {
		err_report(PITH_FAILED, f->path, "cannot write: %s; choose another place", strerror(error));
		file_atomic_abort(f);
		return PITH_FAILED;
	}
	cleanup_forget(f->tmp_path);
	free(f->tmp_path);
	f->tmp_path = NULL;
	file_atomic_abort(f);
	return 0;
}

void file_atomic_abort(struct file_atomic *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
	if (f->tmp_path) {
		unlink(f->tmp_path);
		cleanup_forget(f->tmp_path);
	}
	free(f->tmp_path);
	free(f->path);
	f->path = f->tmp_path = NULL;
}

char *file_find_in_path(const char *name, const char *path_list)
{
	for (const char *p = path_list; p && *p; ) {
		size_t len = strcspn(p, ":");
		char *full = xasprintf("%.*s/%s", (int)len, p, name);
		struct stat st;

		if (len && access(full, X_OK) == 0 && stat(full, &st) == 0 && S_ISREG(st.st_mode))
			return full;
		free(full);
		p += len + (p[len] == ':');
	}
	return NULL;
}

int file_cache_dir(char **ret_path)
{
	const char *base = getenv("XDG_CACHE_HOME");
	const char *home = getenv("HOME");
	char *path;
	int error;

	if (base && base[0] == '/')
		path = xasprintf("%s/pith", base);
	else if (home && home[0] == '/')
		path = xasprintf("%s/.cache/pith", home);
	else
		return err_report(PITH_FAILED, "the cache", "neither XDG_CACHE_HOME nor HOME is set; set one of them");
	error = file_mkdirs(path);
	if (!error && access(path, W_OK | X_OK) < 0)
		error = -errno;
	if (error) {
		err_report(PITH_FAILED, path, "cannot use the cache: %s; set XDG_CACHE_HOME to a directory that can be written",
			   strerror(-error));
		free(path);
		return PITH_FAILED;
	}
	*ret_path = path;
	return 0;
}

int file_memfd(const char *name, const void *data, size_t len)
{
	int fd = memfd_create(name, 0);
	int error = fd < 0 ? -errno : file_pwrite_all(fd, data, len, 0);

	if (error) {
		if (fd >= 0)
			close(fd);
		err_report(PITH_FAILED, name, "cannot keep it in memory: %s", strerror(-error));
		return -1;
	}
	return fd;
}
