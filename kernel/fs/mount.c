/*
 * mount.c - which file system lies where. Mounts are made at boot and stay.
 *
 * Invariants: a mounted-on directory has covered_by set and is pinned by the mount's reference;
 * every mount but the first covers a directory. The list grows only; readers need no lock.
 *
 * What can fail: the path does not lead to a directory; memory.
 */
#include "fs/internal.h"

static struct list mounts = LIST_INIT(mounts);
static struct spinlock mount_lock;
static struct mount *mount_root;
static u32 mount_next_dev = 1;

void mount_init(struct mount *m, const char *fstype)
{
	m->fstype = fstype;
	/* Major 0: no block device, as Linux numbers memory file systems. */
	m->dev = (u32)LX_MKDEV(0, __atomic_fetch_add(&mount_next_dev, 1, __ATOMIC_RELAXED));
	list_init(&m->link);
}

struct mount *fs_anon_mount(void)
{
	static struct mount anon = { .fstype = "anon" };
	if (!anon.dev)
		mount_init(&anon, "anon");
	return &anon;
}

/* Memory is short: names that nobody uses, and with them the vnodes and pages that only they kept. */
static unsigned fs_shrink(unsigned want_pages)
{
	u64 before = page_free_count();
	for (unsigned k = 0; k < 16; k++) {
		unsigned n = dcache_shrink(64);
		u64 now = page_free_count();
		if (n < 64 || now >= before + want_pages)
			break;
	}
	u64 now = page_free_count();
	return now > before ? (unsigned)(now - before) : 0;
}

int mount_attach(struct mount *m, const char *path)
{
	static bool registered;
	struct vnode *dir = NULL;
	if (!registered)
		page_reclaim_register(fs_shrink);
	registered = true;
	if (path) {
		int r = fs_namei(NULL, path, NAMEI_FOLLOW | NAMEI_DIRECTORY, &dir);
		if (r)
			return r;
		ssize_t n = fs_path_of(dir, m->path, sizeof m->path);
		if (n < 0) {
			vnode_put(dir);
			return n == -ERANGE ? -ENAMETOOLONG : (int)n;
		}
	} else {
		str_copy(m->path, "/", sizeof m->path);
	}
	spin_lock(&mount_lock);
	m->covers = dir;
	if (dir)
		dir->covered_by = m;
	else
		mount_root = m;
	list_append(&mounts, &m->link);
	spin_unlock(&mount_lock);
	return 0;
}

void mount_detach_root(struct mount *m)
{
	spin_lock(&mount_lock);
	list_remove(&m->link);
	if (mount_root == m)
		mount_root = NULL;
	spin_unlock(&mount_lock);
}

struct vnode *mount_enter(struct vnode *v)
{
	while (unlikely(v->covered_by != NULL)) {
		struct vnode *root = v->covered_by->root;
		vnode_get(root);
		vnode_put(v);
		v = root;
	}
	return v;
}

struct vnode *fs_root(void)
{
	struct vnode *v = mount_root ? mount_root->root : NULL;
	while (v && v->covered_by)
		v = v->covered_by->root;
	return v;
}

void fs_for_each_mount(bool (*fn)(struct mount *m, void *arg), void *arg)
{
	struct mount *m;
	list_for_each_entry(m, &mounts, link)
		if (!fn(m, arg))
			return;
}

int fs_statfs(struct vnode *v, struct fs_statfs *ret)
{
	memset(ret, 0, sizeof *ret);
	ret->bsize = PAGE_SIZE;
	ret->namelen = FS_NAME_MAX;
	ret->flags = LX_ST_VALID | LX_ST_NOSUID | LX_ST_NODEV | LX_ST_RELATIME | (v->mount->readonly ? LX_ST_RDONLY : 0);
	return v->mount->statfs ? v->mount->statfs(v->mount, ret) : 0;
}

void fs_finish_all(void)
{
	struct mount *m;
	list_for_each_entry(m, &mounts, link) {
		int r = m->finish ? m->finish(m) : m->sync ? m->sync(m) : 0;
		if (r)
			log_error("fs: %s could not be written back (%d)\n", m->path, r);
	}
}

void fs_sync_all(void)
{
	struct mount *m;
	list_for_each_entry(m, &mounts, link) {
		int r = m->sync ? m->sync(m) : 0;
		if (r)
			log_warn("fs: sync of %s failed (%d)\n", m->path, r);
	}
}
