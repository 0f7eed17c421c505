/*
 * policy_guard.c - the watch over files: what fs/ asks before it opens or names one for the program; and the start of that over sockets.
 *
 * Invariants: 1. A file is judged by the path of what was found, not by what was written: links, /proc/self/fd and the like
 * lead to the same answer. What has no name (any more) is the program's own and not judged. 2. A vnode that was allowed
 * is marked and not judged again: it stays the same file whatever its name becomes, and giving it a name is judged
 * as writing. Departures are not marked. 3. A directory below which every name may be made is marked too; that is forgotten, for
 * all of them, when a directory is moved (fs_guard_moved).
 *
 * Locks: none. May sleep. What can fail: memory (-ENOMEM), and what departs: -EACCES.
 */
#include "proc/policy.h"
#include "base/errno.h"
#include "base/link.h"
#include "base/string.h"
#include "fs/vnode.h"
#include "mm/heap.h"

/* ---- Files ---- */

static bool any_fits(enum policy_list list, const char *path)
{
	unsigned n;
	const char *const *texts = policy_texts(list, &n);

	for (unsigned i = 0; i < n; i++)
		if (policy_path_fits(texts[i], path))
			return true;
	return false;
}

static bool path_allowed(const char *path, bool device, bool write)
{
	enum policy_list list = write ? POLICY_LIST_WRITE : POLICY_LIST_READ;

	if (policy_learning) {
		(void)policy_learn(device ? POLICY_LIST_DEVICES : list, path);
		return true;
	}
	if (any_fits(POLICY_LIST_CANARY, path))
		return policy_depart(POLICY_CANARY, path);
	if (device)
		return !policy_given(POLICY_LIST_DEVICES) || any_fits(POLICY_LIST_DEVICES, path) || policy_depart(POLICY_DEVICE, path);
	return !policy_given(list) || any_fits(POLICY_LIST_WRITE, path) || (!write && any_fits(POLICY_LIST_READ, path)) ||
	       policy_depart(POLICY_FILE, path);
}

/* The path of v. -ENOENT: it is the program's own and has no name. */
static int path_find(struct vnode *v, char *path)
{
	struct vattr a;

	if (fs_path_show(v, path, FS_PATH_MAX) < 0) {    /* found without a name, or the name is forgotten */
		if (!fs_getattr(v, &a) && !a.nlink)
			return -ENOENT;
		str_copy(path, "?", FS_PATH_MAX);
		return 0;
	}
	return fs_path_of(v, path, FS_PATH_MAX) < 0 ? -ENOENT : 0;
}

static int guard_file(struct vnode *v, bool write)
{
	u8 mark = write ? FS_GUARD_READ | FS_GUARD_WRITE : FS_GUARD_READ;
	char *path = heap_alloc(FS_PATH_MAX);
	int r;

	if (!path)
		return -ENOMEM;
	r = path_find(v, path);
	if (r == -ENOENT)
		r = 0;
	else if (!path_allowed(path, v->type == VNODE_CHR, write))
		r = -EACCES;
	else
		__atomic_fetch_or(&v->guarded, mark, __ATOMIC_RELAXED);
	heap_free(path);
	return r;
}

static int guard_open(struct vnode *v, bool write)
{
	return READ_ONCE(v->guarded) & (write ? FS_GUARD_WRITE : FS_GUARD_READ) ? 0 : guard_file(v, write);
}

/* The path of name in dir, to be freed: NULL if there is no memory, "" if dir has no name. */
static char *path_below(struct vnode *dir, const char *name, size_t len)
{
	char *path = heap_alloc(FS_PATH_MAX + len + 2);
	ssize_t n;

	if (!path)
		return NULL;
	n = fs_path_of(dir, path, FS_PATH_MAX);
	if (n < 0) {
		path[0] = 0;
		return path;
	}
	if (n > 1)
		path[n++] = '/';
	memcpy(path + n, name, len);
	path[(size_t)n + len] = 0;
	return path;
}

/*
 * May every name be made directly below the directory that path, with a slash at its end, names? A pattern that fits it so ends there
 * with a slash or a star, and fits whatever name follows. Where there are canaries each name is looked at.
 */
static bool all_allowed(const char *path)
{
	unsigned ncanaries;

	(void)policy_texts(POLICY_LIST_CANARY, &ncanaries);
	return !policy_learning && !ncanaries && (!policy_given(POLICY_LIST_WRITE) || any_fits(POLICY_LIST_WRITE, path));
}

static int guard_name(struct vnode *dir, const char *name, size_t len)
{
	char *path = path_below(dir, name, len);
	int r = !path ? -ENOMEM : !*path || path_allowed(path, false, true) ? 0 : -EACCES;

	if (r == 0 && *path) {
		path[strlen(path) - len] = 0;
		if (all_allowed(path))
			__atomic_fetch_or(&dir->guarded, FS_GUARD_NAMES, __ATOMIC_RELAXED);
	}
	heap_free(path);
	return r;
}

/* Programs look for much that is not there: only who wants to write, or asks for a canary, is judged. */
static void guard_absent(struct vnode *dir, const char *name, bool write)
{
	char *path = path_below(dir, name, strlen(name));

	if (path && *path && (write || (!policy_learning && any_fits(POLICY_LIST_CANARY, path))))
		(void)path_allowed(path, false, write);
	heap_free(path);
}

static const struct fs_guard file_guard = { .open = guard_open, .name = guard_name, .absent = guard_absent };

void policy_guard_files(void) { fs_guard = &file_guard; }

/* Who opens nothing and changes no names has no use for it. */
LINK_SLOT_OF(policy_guard_files);
static __typeof__(&policy_guard_files) const volatile guard_files RO_AFTER_INIT = LINK_SLOT(policy_guard_files);

LINK_TABLE(policy_guard_fn, guard);

int policy_guards_init(bool files, bool sockets)
{
	const policy_guard_fn *init = LINK_FIRST(guard);

	if (files && guard_files)
		guard_files();
	return sockets && init ? (*init)() : 0;
}
