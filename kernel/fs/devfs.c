/*
 * devfs.c - /dev: a tmpfs with the machine's character devices in it.
 *
 * A memory file system, so that a program can make sockets and files there as it can in a
 * container. Devices registered before and after the mount appear alike.
 *
 * Locks: devfs_lock (mutex) for the list of what was registered.
 * What can fail: memory.
 */
#include "fs/pseudo_node.h"
#include "fs/tmpfs.h"
#include "sched/random.h"
#include "sched/thread.h"

struct devfs_entry {
	struct list link;
	const struct pseudo_dev *dev;    /* one of them */
	const struct pseudo_link *sym;
	struct vnode_ops ops;            /* dev's, and tmpfs's for attributes */
};

static struct mutex devfs_lock = MUTEX_INIT(devfs_lock);
static struct list devfs_entries = LIST_INIT(devfs_entries);
static struct tmpfs *devfs;

static const char *entry_path(const struct devfs_entry *e)
{
	return e->dev ? e->dev->path : e->sym->path;
}

/* The directory of an entry's path below /dev, made as needed; *ret_name is the last component. */
static int devfs_parent(const char *path, struct tmpfs_inode **ret_dir, const char **ret_name)
{
	struct vnode *dir = devfs->m.root;
	const char *end;
	for (; (end = strchr(path, '/')); path = end + 1) {
		size_t len = (size_t)(end - path);
		struct vnode *v;
		int r = tmpfs_dir_ops.lookup(dir, path, len, &v);
		if (r == -ENOENT)
			r = tmpfs_dir_ops.mkdir(dir, path, len, 0755, &v);
		if (r)
			return r;
		vnode_put(v);                /* its entry holds it */
		if (v->type != VNODE_DIR)
			return -ENOTDIR;
		dir = v;
	}
	*ret_dir = tmpfs_inode(dir);
	*ret_name = path;
	return 0;
}

static int devfs_make_locked(struct devfs_entry *e)
{
	struct tmpfs_inode *dir;
	struct vnode *v;
	const char *name;
	int r = devfs_parent(entry_path(e), &dir, &name);
	if (r)
		return r;
	if (e->sym) {
		char target[256];
		ssize_t n = e->sym->target(target, sizeof target, e->sym->arg);
		if (n < 0 || (size_t)n >= sizeof target)
			return n < 0 ? (int)n : -ENAMETOOLONG;
		target[n] = '\0';
		r = tmpfs_symlink(&dir->v, name, strlen(name), target, &v);
		if (!r)
			vnode_put(v);
		return r;
	}
	r = tmpfs_dir_ops.create(&dir->v, name, strlen(name), LX_S_IFCHR | (e->dev->mode & 07777), e->dev->rdev, &v);
	if (r)
		return r;
	v->ops = &e->ops;
	v->priv = e->dev->priv;
	tmpfs_inode(v)->uid = tmpfs_inode(v)->gid = 0;
	vnode_put(v);
	return 0;
}

static int devfs_add(const struct pseudo_dev *dev, const struct pseudo_link *sym)
{
	struct devfs_entry *e = heap_alloc(sizeof *e);
	int r = 0;
	if (!e)
		return -ENOMEM;
	e->dev = dev;
	e->sym = sym;
	if (dev) {
		e->ops = *dev->ops;
		e->ops.getattr = tmpfs_getattr;
		e->ops.setattr = tmpfs_setattr;
		e->ops.release = tmpfs_release;
	}
	mutex_lock(&devfs_lock);
	list_append(&devfs_entries, &e->link);
	if (devfs)
		r = devfs_make_locked(e);
	if (r) {
		list_remove(&e->link);
		heap_free(e);
	}
	mutex_unlock(&devfs_lock);
	return r;
}

int pseudo_add_dev(const struct pseudo_dev *d) { return devfs_add(d, NULL); }
int devfs_add_link(const struct pseudo_link *l) { return devfs_add(NULL, l); }

/* ---- The devices every Linux has ---- */

static ssize_t null_read(struct vnode *v, struct uio *u, u64 off, bool nonblock) { return 0; }
static ssize_t null_write(struct vnode *v, struct uio *u, u64 off, bool nonblock)
{
	size_t n = u->resid;

	u->resid = 0;                    /* all is taken, wherever it is */
	return (ssize_t)n;
}

#define ZERO_STEP (16 * PAGE_SIZE)   /* cleared at once; then others may run, and a signal ends it */

static ssize_t zero_read(struct vnode *v, struct uio *u, u64 off, bool nonblock)
{
	size_t done = uio_put_zero(u, MIN(u->resid, ZERO_STEP));

	while (unlikely(u->resid) && !u->fault && !thread_interrupted()) {
		sched_poll();
		done += uio_put_zero(u, MIN(u->resid, ZERO_STEP));
	}
	return uio_result(u, done);
}

static ssize_t full_write(struct vnode *v, struct uio *u, u64 off, bool nonblock) { return -ENOSPC; }

static ssize_t random_read(struct vnode *v, struct uio *u, u64 off, bool nonblock)
{
	u8 buf[256];
	size_t done = 0;
	while (u->resid) {
		size_t len = MIN(u->resid, sizeof buf);
		random_bytes(buf, len);
		size_t n = uio_put(u, buf, len);
		done += n;
		if (n < len)
			break;
		if (thread_interrupted())
			break;
		sched_poll();
	}
	memset(buf, 0, sizeof buf);
	barrier();
	return uio_result(u, done);
}

/* What the program writes stirs the generator, without credit. */
static ssize_t random_write(struct vnode *v, struct uio *u, u64 off, bool nonblock)
{
	u8 buf[256];
	size_t done = 0;
	while (u->resid) {
		size_t len = MIN(u->resid, sizeof buf), n = uio_get(u, buf, len);
		random_mix(buf, n, 0);
		done += n;
		if (n < len || thread_interrupted())
			break;
	}
	return uio_result(u, done);
}

/* A controlling terminal: there is none. */
static int tty_open(struct vnode *v, void **ret_handle) { return -ENXIO; }

/* Pages of /dev/zero, for private mappings; a shared one gets memory of its own each time. */
static int zero_read_pages(struct vm_object *o, struct page **pages, unsigned npages)
{
	for (unsigned k = 0; k < npages; k++)
		memset(page_to_virt(pages[k]), 0, PAGE_SIZE);
	return 0;
}
static const struct vm_object_ops zero_object_ops = { .read_pages = zero_read_pages };
static struct vm_object zero_object;

static int zero_mmap_object(struct vnode *v, bool shared, struct vm_object **ret)
{
	if (shared) {
		*ret = vm_object_new_anon(ARCH_USER_TOP);
		return *ret ? 0 : -ENOMEM;
	}
	vm_object_get(&zero_object);
	*ret = &zero_object;
	return 0;
}

static const struct vnode_ops null_ops = { .read = null_read, .write = null_write };
static const struct vnode_ops zero_ops = { .read = zero_read, .write = null_write, .mmap_object = zero_mmap_object };
static const struct vnode_ops full_ops = { .read = zero_read, .write = full_write };
static const struct vnode_ops random_ops = { .read = random_read, .write = random_write };
static const struct vnode_ops tty_ops = { .open = tty_open };

static const struct pseudo_dev devices[] = {
	{ .path = "null", .rdev = LX_MKDEV(1, 3), .mode = 0666, .ops = &null_ops },
	{ .path = "zero", .rdev = LX_MKDEV(1, 5), .mode = 0666, .ops = &zero_ops },
	{ .path = "full", .rdev = LX_MKDEV(1, 7), .mode = 0666, .ops = &full_ops },
	{ .path = "random", .rdev = LX_MKDEV(1, 8), .mode = 0666, .ops = &random_ops },
	{ .path = "urandom", .rdev = LX_MKDEV(1, 9), .mode = 0666, .ops = &random_ops },
	{ .path = "tty", .rdev = LX_MKDEV(5, 0), .mode = 0666, .ops = &tty_ops },
};

static const char *const link_targets[] = { "/proc/self/fd", "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2" };
static ssize_t dev_link_target(char *buf, size_t size, u64 arg)
{
	return (ssize_t)str_copy(buf, link_targets[arg], size);
}
static const struct pseudo_link links[] = {
	{ .path = "fd", .target = dev_link_target, .arg = 0 },
	{ .path = "stdin", .target = dev_link_target, .arg = 1 },
	{ .path = "stdout", .target = dev_link_target, .arg = 2 },
	{ .path = "stderr", .target = dev_link_target, .arg = 3 },
};

/* Shared memory objects: a file system of its own, as programs expect from statfs. */
static int devfs_mount_shm(const char *dev_path)
{
	char path[64];
	int n = fmt_buf(path, sizeof path, "%s/shm", dev_path);
	if (n < 0 || (size_t)n >= sizeof path)
		return -ENAMETOOLONG;
	int r = fs_mkdir(NULL, path, 0755);
	return r ? r : fs_mount_tmpfs(path, 01777, page_total_count() / 2 * PAGE_SIZE);
}

int fs_mount_devfs(const char *path)
{
	struct devfs_entry *e;
	struct tmpfs *t;
	int r = 0;
	vm_object_init(&zero_object, &zero_object_ops);
	zero_object.reclaimable = 1;
	for (unsigned k = 0; k < ARRAY_SIZE(devices) && !r; k++)
		r = pseudo_add_dev(&devices[k]);
	for (unsigned k = 0; k < ARRAY_SIZE(links) && !r; k++)
		r = devfs_add_link(&links[k]);
	if (!r)
		r = tmpfs_new("devtmpfs", 0, 0755, &t);
	if (r)
		return r;
	mutex_lock(&devfs_lock);
	devfs = t;
	t->m.root->flags |= VNODE_VOLATILE;
	list_for_each_entry(e, &devfs_entries, link) {
		r = devfs_make_locked(e);
		if (r)
			break;
	}
	mutex_unlock(&devfs_lock);
	if (r)
		return r;
	r = mount_attach(&t->m, path);
	return r ? r : devfs_mount_shm(path);
}
