/*
 * files_init.c - boot: the standard descriptors, where unix sockets find their nodes, and
 * /proc/self/fd.
 *
 * Locks: none of its own. What can fail: memory.
 */
#include "proc/file.h"
#include "base/link.h"
#include "base/log.h"
#include "base/print.h"
#include "fs/pseudo.h"
#include "proc/cwd.h"
#include "proc/link_vnode.h"
#include "proc/task.h"
#include "mm/heap.h"
#include "shared/bootconf.h"

/* ---- /proc/self/fd ---- */

static ssize_t fd_link_target(char *buf, size_t size, u64 fd)
{
	struct file *f = fd_lookup_any((int)fd);
	ssize_t n;

	if (!f)
		return -ENOENT;
	n = file_describe(f, buf, size);
	file_put(f);
	return n;
}

static int fd_link_resolve(u64 fd, struct vnode **ret)
{
	struct file *f = fd_lookup_any((int)fd);
	int r = 0;

	if (!f)
		return -ENOENT;
	if (f->vnode) {
		vnode_get(f->vnode);
		*ret = f->vnode;
	} else {
		r = link_vnode_new(f, ret);
	}
	file_put(f);
	return r;
}

static const struct pseudo_link fd_link = { .target = fd_link_target, .resolve = fd_link_resolve };
static const struct pseudo_dir fd_dir = { .path = "self/fd", .next = fd_next_used, .link = &fd_link };
static int fd_dir_init(void) { return pseudo_add_dir(PSEUDO_PROC, &fd_dir); }
LINK_INIT(proc_fd, fd_dir_init);

/* ---- Unix sockets with a path ---- */

static int unix_create(const char *path, void **ret_node)
{
	struct vnode *cwd = cwd_get(), *v;
	int r = fs_mknod(cwd, path, LX_S_IFSOCK | (0777 & ~umask_get()), 0, &v);

	vnode_put(cwd);
	if (r == 0)
		*ret_node = v;
	return r == -EEXIST ? -EADDRINUSE : r;
}

static int unix_lookup(const char *path, void **ret_node)
{
	struct vnode *cwd = cwd_get(), *v;
	int r = fs_namei(cwd, path, NAMEI_FOLLOW, &v);

	vnode_put(cwd);
	if (r < 0)
		return r;
	if (v->type != VNODE_SOCK) {
		vnode_put(v);
		return -ECONNREFUSED;
	}
	*ret_node = v;
	return 0;
}

static void unix_put(void *node)
{
	vnode_put(node);
}

static int unix_init(void)
{
	static const struct unix_fs_ops ops = { unix_create, unix_lookup, unix_put };

	unix_fs_ops = &ops;
	return 0;
}
LINK_INIT(unix_files, unix_init);

/* ---- All sockets ---- */

/* Which files were seen: a set of pointers, open addressing. */
struct seen {
	const void **slots;
	size_t mask, used;
};

/* True if it was not in the set. Without memory everything is new: a file with two descriptors shows twice. */
static bool seen_add(struct seen *s, const void *p)
{
	if (2 * (s->used + 1) > s->mask + 1 || !s->slots) {
		struct seen more = { .mask = s->slots ? 2 * s->mask + 1 : 255 };
		more.slots = heap_alloc((more.mask + 1) * sizeof(more.slots[0]));
		if (!more.slots)
			return true;
		for (size_t i = 0; s->slots && i <= s->mask; i++)
			if (s->slots[i])
				(void)seen_add(&more, s->slots[i]);
		heap_free(s->slots);
		*s = more;
	}
	size_t at = ((uintptr_t)p >> 6) & s->mask;
	for (; s->slots[at]; at = (at + 1) & s->mask)
		if (s->slots[at] == p)
			return false;
	s->slots[at] = p;
	s->used++;
	return true;
}

static void each_socket(bool (*fn)(struct socket *s, void *arg), void *arg)
{
	struct seen seen = { 0 };
	bool more = true;

	for (s64 fd = fd_next_used(0); fd >= 0 && more; fd = fd_next_used((u64)fd + 1)) {
		struct file *f = fd_lookup((int)fd);
		if (!f)
			continue;
		if (f->sock && seen_add(&seen, f))
			more = fn(f->sock, arg);
		file_put(f);
	}
	heap_free(seen.slots);
}

static int sockets_init(void)
{
	sock_for_each = each_socket;
	sock_identity = (struct sock_identity){ PROC_PID, PROC_UID, PROC_GID };
	return 0;
}
LINK_INIT(sockets, sockets_init);

/* ---- Boot ---- */

static int standard_fd(int fd, unsigned port, u32 flags)
{
	struct file *f;
	int r = file_from_port(port, flags, &f);

	if (r < 0)
		return r;
	r = fd_install(f, false, fd);
	ASSERT(r < 0 || r == fd);
	return r < 0 ? r : 0;
}

int files_init(void)
{
	int r;

	if ((r = standard_fd(0, PITH_PORT_STDIN, LX_O_RDONLY)) < 0 ||
	    (r = standard_fd(1, PITH_PORT_STDOUT, LX_O_WRONLY)) < 0 ||
	    (r = standard_fd(2, PITH_PORT_STDERR, LX_O_WRONLY)) < 0)
		return r;
	return 0;
}
