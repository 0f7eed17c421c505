/*
 * cwd.c - the working directory and the file creation mask: one of each, they belong to the process.
 *
 * Locks: cwd_lock (spinlock, leaf); references are given back outside of it. Nothing fails.
 */
#include "proc/cwd.h"
#include "proc/file.h"

static struct spinlock cwd_lock = SPINLOCK_INIT;
static struct vnode *cwd;            /* a reference; NULL = the root */
static u32 creation_mask = 022;

struct vnode *cwd_get(void)
{
	struct vnode *v;

	spin_lock(&cwd_lock);
	v = cwd ? cwd : fs_root();
	vnode_get(v);
	spin_unlock(&cwd_lock);
	return v;
}

int cwd_set(struct vnode *v)
{
	struct vnode *old;

	if (v->type != VNODE_DIR)
		return -ENOTDIR;
	vnode_get(v);
	spin_lock(&cwd_lock);
	old = cwd;
	cwd = v;
	spin_unlock(&cwd_lock);
	if (old)
		vnode_put(old);
	return 0;
}

u32 umask_get(void)
{
	return __atomic_load_n(&creation_mask, __ATOMIC_RELAXED);
}

u32 umask_set(u32 mask)
{
	return __atomic_exchange_n(&creation_mask, mask & 0777, __ATOMIC_RELAXED);
}

int cwd_set_path(const char *path)
{
	struct vnode *v;
	int r = fs_namei(NULL, path, NAMEI_FOLLOW | NAMEI_DIRECTORY, &v);

	if (r < 0)
		return r;
	r = cwd_set(v);
	vnode_put(v);
	return r;
}
