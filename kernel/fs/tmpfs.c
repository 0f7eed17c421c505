/*
 * tmpfs.c - the memory file system: mounts, inodes, attributes.
 *
 * Invariants:
 *  (T1) An inode's vnode has one reference for each entry that names it (idle, vnode.h), and a
 *       directory one for itself being there; the inode goes when the last user and the last name are gone.
 *  (T2) nlink: files, the number of names; directories, 2 + subdirectories, 0 when removed.
 *  (T3) used_pages is the sum of charged over all files, and a page for each long symbolic link, and at most max_pages;
 *       charged - pending is at least the file's pages (tmpfs_file.c).
 *  (T4) inodes is the sum of max(1, names) over all inodes. Programs cannot make more than max_inodes; what a directory begins with
 *       (tmpfs_lower.c) is counted and never refused.
 *
 * Locks: vnode->lock (fs/ takes it) for an inode's fields and a directory's entries; tmpfs.lock
 * (spinlock) for counts.
 * What can fail: memory, the size limit (-ENOSPC).
 */
#include "fs/tmpfs.h"

static void tmpfs_stamp_all(struct tmpfs_inode *i)
{
	fs_now(&i->mtime);
	i->atime = i->ctime = i->btime = i->mtime;
}

void tmpfs_inodes_add(struct tmpfs *t, s64 n)
{
	__atomic_fetch_add(&t->inodes, (u64)n, __ATOMIC_RELAXED);
}

struct tmpfs_inode *tmpfs_inode_new(struct tmpfs *t, u32 mode, u64 rdev)
{
	enum vnode_type type = fs_type_of_mode(mode);
	const struct vnode_ops *ops = type == VNODE_DIR ? &tmpfs_dir_ops : type == VNODE_REG ? &tmpfs_file_ops : type == VNODE_LINK ? &tmpfs_link_ops : &tmpfs_node_ops;
	struct tmpfs_inode *i;
	if (type == VNODE_REG) {
		struct tmpfs_file *f = heap_alloc(sizeof *f);
		i = f ? &f->i : NULL;
	} else {
		i = heap_alloc(sizeof *i);
	}
	if (!i)
		return NULL;
	vnode_init(&i->v, ops, type, &t->m, __atomic_add_fetch(&t->next_ino, 1, __ATOMIC_RELAXED));
	i->mode = mode;
	i->rdev = rdev;
	i->uid = fs_owner_uid;
	i->gid = fs_owner_gid;
	tmpfs_stamp_all(i);
	tmpfs_inodes_add(t, 1);
	if (type == VNODE_REG)
		tmpfs_file_init(container_of(i, struct tmpfs_file, i));
	return i;
}

void tmpfs_release(struct vnode *v)
{
	struct tmpfs_inode *i = tmpfs_inode(v);
	tmpfs_inodes_add(tmpfs_of(v), -1);
	if (i->lower)
		vnode_put(i->lower);
	tmpfs_xattrs_free(i);
	if (v->type == VNODE_REG) {
		tmpfs_file_release(i);
		return;
	}
	if (v->type == VNODE_LINK && i->target) {
		tmpfs_pages_give(tmpfs_of(v), tmpfs_link_pages(v->size));
		heap_free(i->target);
	}
	heap_free(i);
}

int tmpfs_getattr(struct vnode *v, struct vattr *ret)
{
	struct tmpfs_inode *i = tmpfs_inode(v);
	int r = v->type == VNODE_DIR ? tmpfs_dir_ready(i) : 0;
	if (r)
		return r;
	ret->mode = i->mode;
	ret->nlink = i->nlink;
	ret->uid = i->uid;
	ret->gid = i->gid;
	ret->rdev = i->rdev;
	ret->atime = i->atime;
	ret->mtime = i->mtime;
	ret->ctime = i->ctime;
	ret->btime = i->btime;
	if (v->type == VNODE_DIR)
		ret->size = 20 * (i->nentries + 2);  /* Linux counts 20 bytes an entry */
	if (v->type == VNODE_LINK)
		ret->blocks512 = tmpfs_link_pages(v->size) * (PAGE_SIZE / 512);
	if (v->type == VNODE_REG)
		ret->blocks512 = MAX(READ_ONCE(v->object->npages), DIV_ROUND_UP(i->lower_size, PAGE_SIZE)) * (PAGE_SIZE / 512);
	return 0;
}

static u32 mode_without_ids(u32 mode)
{
	return mode & ~(LX_S_ISUID | (mode & 0010 ? LX_S_ISGID : 0u));
}

void tmpfs_drop_ids(struct tmpfs_inode *i)
{
	if (unlikely(i->mode & (LX_S_ISUID | LX_S_ISGID)) && fs_owner_uid)
		i->mode = mode_without_ids(i->mode);
}

int tmpfs_setattr(struct vnode *v, const struct vattr *a, u32 which)
{
	struct tmpfs_inode *i = tmpfs_inode(v);
	struct timespec64 now;
	fs_now(&now);
	if (which & VATTR_SIZE) {
		int r = v->type == VNODE_REG ? tmpfs_truncate(i, a->size) : -EINVAL;
		if (r)
			return r;
		tmpfs_drop_ids(i);
		i->mtime = now;
	}
	if (which & VATTR_MODE)
		i->mode = (i->mode & LX_S_IFMT) | (a->mode & 07777);
	if (which & VATTR_UID)
		i->uid = a->uid;
	if (which & VATTR_GID)
		i->gid = a->gid;
	if (which & (VATTR_UID | VATTR_GID) && v->type != VNODE_DIR)
		i->mode = mode_without_ids(i->mode);
	if (which & (VATTR_ATIME | VATTR_ATIME_NOW))
		i->atime = which & VATTR_ATIME_NOW ? now : a->atime;
	if (which & (VATTR_MTIME | VATTR_MTIME_NOW))
		i->mtime = which & VATTR_MTIME_NOW ? now : a->mtime;
	i->ctime = now;
	tmpfs_times_changed(i);
	return 0;
}

/* ---- Symbolic links and nodes without contents here (fifos, sockets) ---- */

static ssize_t tmpfs_readlink(struct vnode *v, char *buf, size_t size)
{
	size_t n = MIN((size_t)v->size, size);
	memcpy(buf, tmpfs_inode(v)->target, n);
	return (ssize_t)n;
}

const struct vnode_ops tmpfs_link_ops = {
	.readlink = tmpfs_readlink, .getattr = tmpfs_getattr, .setattr = tmpfs_setattr, .release = tmpfs_release,
};
const struct vnode_ops tmpfs_node_ops = { .getattr = tmpfs_getattr, .setattr = tmpfs_setattr, .release = tmpfs_release };

/* ---- Mounts ---- */

static int tmpfs_statfs(struct mount *m, struct fs_statfs *ret)
{
	struct tmpfs *t = container_of(m, struct tmpfs, m);
	u64 total = t->max_pages ? t->max_pages : page_total_count();
	u64 used = READ_ONCE(t->used_pages);
	ret->type = LX_TMPFS_MAGIC;
	ret->blocks = total;
	ret->bfree = ret->bavail = total > used ? total - used : 0;
	used = READ_ONCE(t->inodes);
	ret->files = t->max_inodes;
	ret->ffree = t->max_inodes > used ? t->max_inodes - used : 0;
	return 0;
}

int tmpfs_new(const char *fstype, u64 max_bytes, u32 root_mode, struct tmpfs **ret)
{
	struct tmpfs *t = heap_alloc(sizeof *t);
	if (!t)
		return -ENOMEM;
	mount_init(&t->m, fstype);
	t->m.statfs = tmpfs_statfs;
	t->max_pages = max_bytes / PAGE_SIZE;
	t->max_inodes = page_total_count() / 2;
	struct tmpfs_inode *root = tmpfs_inode_new(t, LX_S_IFDIR | (root_mode & 07777), 0);
	if (!root) {
		heap_free(t);
		return -ENOMEM;
	}
	root->nlink = 2;
	root->uid = root->gid = 0;
	t->m.root = &root->v;
	*ret = t;
	return 0;
}

int fs_mount_tmpfs(const char *path, u32 mode, u64 max_bytes)
{
	struct tmpfs *t;
	int r = tmpfs_new("tmpfs", max_bytes, mode, &t);
	if (r)
		return r;
	r = mount_attach(&t->m, path);
	if (r) {
		vnode_put(t->m.root);
		heap_free(t);
	}
	return r;
}
