/*
 * erofs.c - making a root with mkfs.erofs, keeping it, and reading its superblock.
 *
 * (I1) The same plan gives the same bytes: fixed times, owner and order, no
 *      extended attributes, and a UUID made from the contents.
 */
#include "image/erofs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/cache.h"
#include "image/root.h"
#include "util/child.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"

#define SUPERBLOCK_AT 1024
#define EROFS_MAGIC   0xe0f5e1e2u

static uint32_t get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Fields: magic at 0, block size bits at 12, inodes at 16 (64 bit), blocks at 36. */
bool erofs_facts_read(int fd, uint64_t offset, struct erofs_facts *ret_facts)
{
	uint8_t block[64];

	if (file_pread_all(fd, block, sizeof block, offset + SUPERBLOCK_AT) < 0 || get_u32(block) != EROFS_MAGIC || block[12] < 9 ||
	    block[12] > 16)
		return false;
	ret_facts->inodes = (uint64_t)get_u32(block + 20) << 32 | get_u32(block + 16);
	ret_facts->len = (uint64_t)get_u32(block + 36) << block[12];
	return true;
}

/* The first line that mkfs.erofs marks as an error, or its last. */
static const char *complaint(struct buf *output)
{
	char *line = output->data ? strstr(output->data, "<E>") : NULL;

	if (!line)
		return "it says nothing";
	line[strcspn(line, "\n")] = '\0';
	return line;
}

/* With a latest time mkfs.erofs keeps the files' times up to it (and is told so by the environment alone). */
static int mkfs_run(const char *path, const char *directory, const uint8_t digest[HASH_LEN], int64_t latest)
{
	char hex[HASH_HEX_LEN], seconds[24], *uuid;
	struct buf output;
	int status;

	hash_hex(digest, hex);
	uuid = xasprintf("-U%.8s-%.4s-8%.3s-8%.3s-%.12s", hex, hex + 8, hex + 13, hex + 17, hex + 20); /* keeps (I1) */
	snprintf(seconds, sizeof seconds, "%lld", (long long)latest);
	setenv("SOURCE_DATE_EPOCH", seconds, 1);
	status = child_run((char *[]){ "mkfs.erofs", latest ? "-x-1" : "-T0", uuid, "--all-root", "-x-1", (char *)path, (char *)directory, NULL },
			   &output);
	free(uuid);
	if (status == -ENOENT)
		status = err_report(PITH_FAILED, "mkfs.erofs", "not found in PATH; install it: apt-get install erofs-utils");
	else if (status)
		status = err_report(PITH_FAILED, "mkfs.erofs", "failed to make the root (%s); look for a full disk under %s", complaint(&output), path);
	buf_free(&output);
	return status;
}

/* Makes an EROFS file from a plan, under a name that does not exist yet. */
static int root_make(const struct plan *plan, const char *path)
{
	uint8_t digest[HASH_LEN];
	int64_t latest = 0;
	char *cache, *stage;
	int status = file_cache_dir(&cache);

	if (status)
		return status;
	stage = xasprintf("%s/stage-%ld", cache, (long)getpid());
	cleanup_add(stage);
	file_remove_tree(stage);
	err_progress("making the root");
	if (mkdir(stage, 0700) < 0)
		status = err_report(PITH_FAILED, stage, "cannot make it: %s; check the cache directory", strerror(errno));
	if (!status)
		status = plan_write(plan, stage, digest, &latest);
	if (!status)
		status = mkfs_run(path, stage, digest, latest);
	err_progress(NULL);
	file_remove_tree(stage);
	cleanup_forget(stage);
	cleanup_check();
	free(stage);
	free(cache);
	return status;
}

/* A root that is whole: its file is as long as its superblock says. */
static bool root_is_good(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct erofs_facts facts;
	struct stat st;
	bool good;

	if (fd < 0)
		return false;
	good = fstat(fd, &st) == 0 && erofs_facts_read(fd, 0, &facts) && (uint64_t)st.st_size >= facts.len;
	if (good)
		futimens(fd, NULL); /* used now: see cache_prune */
	close(fd);
	return good;
}

int root_cached(const struct plan *plan, char **ret_path)
{
	uint8_t digest[HASH_LEN];
	char hex[HASH_HEX_LEN], *cache, *path, *tmp;
	int error = plan_key(plan, digest), status;

	if (error)
		return err_report(PITH_FAILED, "the root", "a file changed or went away: %s; try again", strerror(-error));
	status = file_cache_dir(&cache);
	if (status)
		return status;
	hash_hex(digest, hex);
	path = xasprintf("%s/root-%s.erofs", cache, hex);
	if (!root_is_good(path)) {
		tmp = xasprintf("%s.%ld", path, (long)getpid());
		cleanup_add(tmp);
		cache_prune(cache);
		status = root_make(plan, tmp);
		if (!status && rename(tmp, path) < 0)
			status = err_report(PITH_FAILED, path, "cannot keep the root: %s; check the cache directory", strerror(errno));
		if (status)
			unlink(tmp);
		cleanup_forget(tmp);
		free(tmp);
	}
	free(cache);
	if (status)
		free(path);
	else
		*ret_path = path;
	return status;
}
