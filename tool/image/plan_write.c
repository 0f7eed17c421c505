/*
 * plan_write.c - walking a finished plan: its key, its files, its tree on disk.
 *
 * (I1) The digest covers every name, kind, mode, link target and byte of
 *      contents, each with its length, in the order of the walk, and the times
 *      that are kept: two trees with the same digest are the same tree.
 * (I2) A Python source keeps its time when its compiled module lies beside it
 *      (__pycache__): that names the source's time and is ignored when it is another.
 *      All else has one time, the latest of those, or 0 where there are none.
 * (I3) SOURCE_DATE_EPOCH in the environment (reproducible-builds.org): files keep their times up to
 *      it, and what is made here has it. Web servers' ETag and Last-Modified come from these times.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/plan.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"

static void node_each_host_file(const struct plan_node *node, void (*visit)(void *, const char *), void *context)
{
	if (node->kind == PLAN_HOST_FILE)
		visit(context, node->source);
	for (size_t i = 0; i < node->count; i++)
		node_each_host_file(node->children[i], visit, context);
}

void plan_each_host_file(const struct plan *plan, void (*visit)(void *context, const char *source), void *context)
{
	node_each_host_file(plan->root, visit, context);
}

static void node_hash_head(struct hash *h, const struct plan_node *node)
{
	hash_add_str(h, node->name);
	hash_add_u64(h, node->kind == PLAN_TEXT ? PLAN_HOST_FILE : node->kind);
	hash_add_u64(h, node->mode);
	hash_add_u64(h, node->count);
	if (node->kind == PLAN_LINK)
		hash_add_str(h, node->source);
	if (node->kind == PLAN_TEXT) {
		hash_add_u64(h, node->text.len);
		hash_add(h, node->text.data, node->text.len);
	}
}

static int node_key(const struct plan_node *node, struct hash *h)
{
	struct stat st;
	int error = 0;

	node_hash_head(h, node);
	if (node->kind == PLAN_HOST_FILE) {
		if (stat(node->source, &st) < 0)
			return -errno;
		hash_add_str(h, node->source);
		hash_add_u64(h, (uint64_t)st.st_dev);
		hash_add_u64(h, (uint64_t)st.st_ino);
		hash_add_u64(h, (uint64_t)st.st_size);
		hash_add_u64(h, (uint64_t)st.st_mtim.tv_sec);
		hash_add_u64(h, (uint64_t)st.st_mtim.tv_nsec);
		hash_add_u64(h, (uint64_t)st.st_ctim.tv_sec);
		hash_add_u64(h, (uint64_t)st.st_ctim.tv_nsec);
	}
	for (size_t i = 0; i < node->count && !error; i++)
		error = node_key(node->children[i], h);
	return error;
}

int64_t plan_epoch(void)
{
	const char *text = getenv("SOURCE_DATE_EPOCH");
	char *end;
	long long seconds = text ? strtoll(text, &end, 10) : 0;

	return text && *text && !*end && seconds > 0 && seconds <= UINT32_MAX ? seconds : 0;
}

int plan_key(const struct plan *plan, uint8_t ret_digest[HASH_LEN])
{
	struct hash h;
	int error;

	hash_init(&h);
	hash_add_str(&h, "pith root 3");
	hash_add_u64(&h, (uint64_t)plan_epoch());
	error = node_key(plan->root, &h);
	hash_end(&h, ret_digest);
	return error;
}

/* What a walk that writes carries. */
struct writer {
	struct hash h;
	int64_t latest; /* the latest time kept, in seconds; 0: no times are kept */
	int64_t epoch;  /* (I3), or 0 */
};

/* The directory of compiled modules in a directory, or NULL. */
static const struct plan_node *compiled_in(const struct plan_node *directory)
{
	for (size_t i = 0; i < directory->count; i++) {
		if (!strcmp(directory->children[i]->name, "__pycache__"))
			return directory->children[i]->kind == PLAN_DIR ? directory->children[i] : NULL;
	}
	return NULL;
}

/* Is this NAME.py, and is there a NAME.SOMETHING among the compiled modules? Their names are sorted. */
static bool is_compiled(const struct plan_node *node, const struct plan_node *compiled)
{
	size_t len = strlen(node->name), low = 0, high = compiled ? compiled->count : 0;

	if (node->kind != PLAN_HOST_FILE || len <= 3 || strcmp(node->name + len - 3, ".py"))
		return false;
	len -= 2; /* with the dot */
	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strncmp(compiled->children[middle]->name, node->name, len);

		if (!order)
			return true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

/* The latest of the times that are kept (I2) below a directory. */
static int64_t latest_time(const struct plan_node *directory)
{
	const struct plan_node *compiled = compiled_in(directory);
	int64_t latest = 0;

	for (size_t i = 0; i < directory->count; i++) {
		const struct plan_node *node = directory->children[i];
		int64_t own = 0;
		struct stat st;

		if (node->kind == PLAN_DIR)
			own = latest_time(node);
		else if (is_compiled(node, compiled) && stat(node->source, &st) == 0)
			own = st.st_mtim.tv_sec;
		if (own > latest)
			latest = own;
	}
	return latest;
}

/* Gives what was written its time; keep: the host file's, if not 0. */
static int time_set(const struct writer *w, int dir_fd, const char *name, int64_t keep)
{
	struct timespec times[2] = { { .tv_sec = keep ? keep : w->latest }, { .tv_sec = keep ? keep : w->latest } };

	if (!w->latest)
		return 0;
	return utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

/* Copies one host file and hashes what was copied. */
static int host_file_write(const struct plan_node *node, int dir_fd, bool keep_time, struct writer *w)
{
	struct hash *h = &w->h;
	int from = open(node->source, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int to = -1, error = 0;
	struct stat st;

	if (from < 0 || fstat(from, &st) < 0)
		error = -errno;
	else if (!S_ISREG(st.st_mode))
		error = -EINVAL;
	if (!error) {
		to = openat(dir_fd, node->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		error = to < 0 ? -errno : file_copy_range(from, 0, to, 0, (uint64_t)st.st_size);
	}
	if (!error) {
		hash_add_u64(h, (uint64_t)st.st_size);
		error = hash_add_file(h, to, 0, (uint64_t)st.st_size);
	}
	if (!error && fchmod(to, node->mode) < 0)
		error = -errno;
	if (from >= 0)
		close(from);
	if (to >= 0)
		close(to);
	if (!error) {
		int64_t kept = st.st_mtim.tv_sec > 0 && (keep_time || st.st_mtim.tv_sec < w->epoch) ? st.st_mtim.tv_sec : 0;

		hash_add_u64(h, (uint64_t)kept);
		error = time_set(w, dir_fd, node->name, kept);
	}
	if (error)
		return err_report(PITH_FAILED, node->source, "cannot copy it into the root: %s; check the file and the room in the cache",
				  strerror(-error));
	return 0;
}

static int text_write(const struct plan_node *node, int dir_fd)
{
	int fd = openat(dir_fd, node->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int error = fd < 0 ? -errno : file_pwrite_all(fd, node->text.data, node->text.len, 0);

	if (!error && fchmod(fd, node->mode) < 0)
		error = -errno;
	if (fd >= 0)
		close(fd);
	return error;
}

/* compiled: the directory of compiled modules beside it, or NULL. */
static int node_write(const struct plan_node *node, int parent_fd, const struct plan_node *compiled, struct writer *w)
{
	int fd, error = 0, status = 0;

	cleanup_check();
	node_hash_head(&w->h, node);
	if (node->kind == PLAN_HOST_FILE)
		return host_file_write(node, parent_fd, is_compiled(node, compiled), w);
	if (node->kind == PLAN_TEXT)
		error = text_write(node, parent_fd);
	else if (node->kind == PLAN_LINK)
		error = symlinkat(node->source, parent_fd, node->name) < 0 ? -errno : 0;
	else if (*node->name && mkdirat(parent_fd, node->name, 0700) < 0)
		error = -errno;
	if (!error && node->kind != PLAN_DIR)
		error = time_set(w, parent_fd, node->name, 0);
	if (error)
		return err_report(PITH_FAILED, node->name, "cannot write it into the cache: %s; free some room there", strerror(-error));
	if (node->kind != PLAN_DIR)
		return 0;
	fd = *node->name ? openat(parent_fd, node->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : dup(parent_fd);
	if (fd < 0)
		return err_report(PITH_FAILED, node->name, "cannot open the directory in the cache: %s", strerror(errno));
	compiled = compiled_in(node);
	for (size_t i = 0; i < node->count && !status; i++)
		status = node_write(node->children[i], fd, compiled, w);
	fchmod(fd, node->mode);
	time_set(w, fd, ".", 0);
	close(fd);
	return status;
}

int plan_write(const struct plan *plan, const char *directory, uint8_t ret_digest[HASH_LEN], int64_t *ret_time)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct writer w = { .latest = latest_time(plan->root), .epoch = plan_epoch() };
	int status;

	if (w.latest < w.epoch)
		w.latest = w.epoch;
	if (fd < 0)
		return err_report(PITH_FAILED, directory, "cannot open: %s", strerror(errno));
	hash_init(&w.h);
	hash_add_u64(&w.h, (uint64_t)w.latest);
	status = node_write(plan->root, fd, NULL, &w);
	hash_end(&w.h, ret_digest);
	*ret_time = w.latest;
	close(fd);
	return status;
}
