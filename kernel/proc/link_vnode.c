/*
 * link_vnode.c - paths to open files without a path. Each walk makes its own vnode; it lives as
 * long as someone holds it and keeps the file.
 *
 * Locks: none of its own. What can fail: memory.
 */
#include "proc/link_vnode.h"
#include "proc/file_port.h"
#include "proc/pipe.h"
#include "mm/heap.h"

static int link_getattr(struct vnode *v, struct vattr *ret)
{
	return file_getattr(v->priv, ret);
}

static void link_release(struct vnode *v)
{
	file_put(v->priv);
	heap_free(v);
}

static const struct vnode_ops link_vnode_ops = {
	.getattr = link_getattr,
	.release = link_release,
};

int link_vnode_new(struct file *f, struct vnode **ret)
{
	struct vnode *v = heap_alloc(sizeof(*v));

	if (!v)
		return -ENOMEM;
	vnode_init(v, &link_vnode_ops, f->sock ? VNODE_SOCK : VNODE_FIFO, fs_anon_mount(), file_next_ino());
	v->flags |= VNODE_NOCACHE;
	file_get(f);
	v->priv = f;
	*ret = v;
	return 0;
}

struct file *link_vnode_file(const struct vnode *v)
{
	return v->ops == &link_vnode_ops ? v->priv : NULL;
}

int link_vnode_reopen(struct vnode *v, u32 flags, struct file **ret)
{
	struct file *f = link_vnode_file(v);

	if (f->ops == &pipe_file_ops)
		return pipe_reopen(f, flags, ret);
	if (f->ops == &port_file_ops)
		return file_from_port(port_file_number(f), flags, ret);
	return -ENXIO;
}
