/*
 * bind.c - a memory file system over a directory of the root whose entries stay visible.
 *
 * Each entry gets a place holder of its kind in the memory file system, covered by the root's own vnode. The
 * vnode keeps its mount and its parent: its path, climbed through the covered directory, is the one
 * that it is reached by, and ".." enters the memory file system again.
 *
 * Locks: none held across calls; boot only, before the program runs. What can fail: memory; names that are too long.
 */
#include "base/log.h"
#include "base/print.h"
#include "fs/bind.h"
#include "fs/internal.h"
#include "mm/heap.h"

struct bind_name {
	struct list link;
	char name[];
};

/* readdir holds the directory's lock: only the names are taken there. */
static bool bind_collect(void *arg, const char *name, size_t len, u64 ino, enum vnode_type type, u64 next_off)
{
	struct bind_name *n;

	if (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')))
		return true;
	n = heap_alloc(sizeof *n + len + 1);
	if (!n)
		return false;
	memcpy(n->name, name, len);
	list_append(arg, &n->link);
	return true;
}

/* Covers place holder `on` by `what`. Takes both references when it succeeds. */
static int bind_cover(struct vnode *on, struct vnode *what)
{
	struct mount *m = heap_alloc(sizeof *m);

	if (!m)
		return -ENOMEM;
	m->fstype = what->mount->fstype;
	m->root = what;
	m->covers = on;
	m->readonly = what->mount->readonly;
	m->dev = what->mount->dev;
	on->covered_by = m;
	return 0;
}

static int bind_object(const char *path, struct vnode *what)
{
	struct vnode *on = NULL;
	int r;

	if (what->type == VNODE_DIR) {
		r = fs_mkdir(NULL, path, 0755);
		if (!r)
			r = fs_namei(NULL, path, 0, &on);
	} else {
		r = fs_mknod(NULL, path, LX_S_IFREG | 0644, 0, &on);
	}
	if (!r)
		r = bind_cover(on, what);
	if (r && on)
		vnode_put(on);
	return r;
}

static int bind_link(const char *path, struct vnode *link)
{
	char *target = heap_alloc(FS_PATH_MAX);
	ssize_t n = target ? fs_readlink(link, target, FS_PATH_MAX - 1) : -ENOMEM;
	int r = n < 0 ? (int)n : 0;

	if (!r) {
		target[n] = '\0';
		r = fs_symlink(NULL, path, target);
	}
	heap_free(target);
	return r;
}

static int bind_entry(struct vnode *under, const char *dir, const char *name)
{
	char path[FS_NAME_MAX + 64];
	struct vnode *v = NULL;
	int r = fs_namei(under, name, 0, &v);

	if (r)
		return r;
	if ((size_t)fmt_buf(path, sizeof path, "%s/%s", dir, name) >= sizeof path)
		r = -ENAMETOOLONG;
	else if (v->type == VNODE_LINK)
		r = bind_link(path, v);
	else
		r = bind_object(path, v);
	if (r || v->type == VNODE_LINK)
		vnode_put(v);
	return r;
}

int fs_mount_tmpfs_over(const char *path, u32 mode, u64 max_bytes)
{
	struct list names = LIST_INIT(names);
	struct vnode *under = NULL;
	struct bind_name *n, *next;
	int r = fs_namei(NULL, path, NAMEI_FOLLOW | NAMEI_DIRECTORY, &under);

	if (r)
		return r;
	r = fs_readdir(under, 0, bind_collect, &names);
	if (!r)
		r = fs_mount_tmpfs(path, mode, max_bytes);
	list_for_each_entry_safe(n, next, &names, link) {
		int error = r ? r : bind_entry(under, path, n->name);

		if (error)
			log_warn("fs: %s/%s of the root is not visible (error %d)\n", path, n->name, -error);
		list_remove(&n->link);
		heap_free(n);
	}
	vnode_put(under);
	return r;
}
