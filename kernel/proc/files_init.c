/*
 * files_init.c - boot: the standard descriptors, where unix sockets find their nodes, and
 * /proc/self/fd.
 *
 * Locks: none of its own. What can fail: memory.
 */
#include "proc/file.h"
#include "base/log.h"
#include "base/print.h"
#include "fs/pseudo.h"
#include "proc/cwd.h"
#include "proc/fdinfo.h"
#include "proc/link_vnode.h"
#include "proc/task.h"
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

static const struct unix_fs_ops unix_ops = { unix_create, unix_lookup, unix_put };

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

	unix_fs_ops = &unix_ops;
	sock_identity = (struct sock_identity){ PROC_PID, PROC_UID, PROC_GID };
	if ((r = standard_fd(0, PITH_PORT_STDIN, LX_O_RDONLY)) < 0 ||
	    (r = standard_fd(1, PITH_PORT_STDOUT, LX_O_WRONLY)) < 0 ||
	    (r = standard_fd(2, PITH_PORT_STDERR, LX_O_WRONLY)) < 0)
		return r;
	r = pseudo_add_dir(PSEUDO_PROC, &fd_dir);
	return r < 0 ? r : fdinfo_init();
}
