/*
 * cache.c - the user's cache directory.
 *
 * Whatever is in it can be made again, and several commands may use it at once:
 * files appear by rename, and a missing file is never an error.
 */
#include "image/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "util/file.h"
#include "util/hash.h"

#define UNUSED_MAX_S  (7 * 24 * 3600)
#define ENTRIES_MAX   64u
#define TOTAL_MAX     (2ull << 30) /* bytes on disk */
#define FACT_LEN_MAX  4096

struct entry {
	char *name;
	time_t used;
	uint64_t len; /* on disk */
};

static int entry_compare_newest(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return x->used < y->used ? 1 : x->used > y->used ? -1 : 0;
}

static bool is_dead_stage(const char *name)
{
	uint64_t pid;

	return str_starts(name, "stage-") && str_number(name + 6, 1, INT32_MAX, &pid) && kill((pid_t)pid, 0) < 0 && errno == ESRCH;
}

static bool is_entry(const char *name)
{
	return str_starts(name, "root-") || str_starts(name, "good-") || str_starts(name, "boot-") || str_starts(name, "kernel-");
}

void cache_prune(const char *directory)
{
	DIR *dir = opendir(directory);
	struct entry *entries = NULL;
	size_t count = 0;
	uint64_t total = 0;
	struct dirent *d;
	struct stat st;

	if (!dir)
		return;
	while ((d = readdir(dir))) {
		char *path = xasprintf("%s/%s", directory, d->d_name);

		if (is_dead_stage(d->d_name)) {
			file_remove_tree(path);
		} else if (is_entry(d->d_name) && stat(path, &st) == 0) {
			entries = xrealloc(entries, (count + 1) * sizeof *entries);
			entries[count++] = (struct entry){ .name = xstrdup(path), .used = st.st_mtime, .len = (uint64_t)st.st_blocks * 512 };
		}
		free(path);
	}
	closedir(dir);
	if (count)
		qsort(entries, count, sizeof *entries, entry_compare_newest);
	for (size_t i = 0; i < count; i++) {
		total += entries[i].len;
		if (i >= ENTRIES_MAX || total > TOTAL_MAX || time(NULL) - entries[i].used > UNUSED_MAX_S)
			unlink(entries[i].name);
		free(entries[i].name);
	}
	free(entries);
}

/* The host's boot: its random id, or what can be had instead. */
static void boot_id(struct buf *ret_id)
{
	if (file_read("/proc/sys/kernel/random/boot_id", 128, ret_id) < 0)
		buf_puts(ret_id, "unknown\n");
}

static char *fact_path(const char *name)
{
	char *directory, *path;

	if (file_cache_dir(&directory))
		return NULL;
	path = xasprintf("%s/fact-%s", directory, name);
	free(directory);
	return path;
}

bool cache_fact_get(const char *name, struct buf *ret_text)
{
	char *path = fact_path(name);
	struct buf id = { 0 }, text = { 0 };
	bool known;

	known = path && file_read(path, FACT_LEN_MAX, &text) == 0 && text.data;
	free(path);
	if (!known)
		return false;
	boot_id(&id);
	known = str_starts(text.data, id.data);
	if (known) {
		buf_drop_front(&text, id.len);
		*ret_text = text;
	} else {
		buf_free(&text);
	}
	buf_free(&id);
	return known;
}

void cache_fact_put(const char *name, const char *text)
{
	char *path = fact_path(name), *tmp;
	struct buf all = { 0 };
	int fd;

	if (!path)
		return;
	boot_id(&all);
	buf_puts(&all, text);
	tmp = xasprintf("%s.%ld", path, (long)getpid());
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd >= 0) {
		bool good = file_pwrite_all(fd, all.data, all.len, 0) == 0;

		close(fd);
		if (!good || rename(tmp, path) < 0)
			unlink(tmp);
	}
	buf_free(&all);
	free(tmp);
	free(path);
}

void cache_file_key(const struct stat *st, char ret_key[65])
{
	uint8_t digest[HASH_LEN];
	struct hash h;

	hash_init(&h);
	hash_add_u64(&h, (uint64_t)st->st_dev);
	hash_add_u64(&h, (uint64_t)st->st_ino);
	hash_add_u64(&h, (uint64_t)st->st_size);
	hash_add_u64(&h, (uint64_t)st->st_mtim.tv_sec);
	hash_add_u64(&h, (uint64_t)st->st_mtim.tv_nsec);
	hash_add_u64(&h, (uint64_t)st->st_ctim.tv_sec);
	hash_add_u64(&h, (uint64_t)st->st_ctim.tv_nsec);
	hash_end(&h, digest);
	hash_hex(digest, ret_key);
}
