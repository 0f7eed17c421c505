/*
 * erofs_inode.c - EROFS: inodes, in the image and in memory.
 *
 * Invariants:
 *  (E1) An inode number has at most one living vnode; the hash finds it without holding it
 *       (vnode_tryget decides whether it still lives).
 *  (E2) An inode in memory has been checked: its type is one of Linux's, flat data lies inside the
 *       image, an inline tail inside one block, a chunk map inside the image.
 *
 * Locks: erofs.lock (spinlock) for the hash.
 * What can fail: -EUCLEAN (damaged), -EOPNOTSUPP (compressed file), -EIO, -ENOMEM.
 */
#include "fs/erofs.h"
#include "base/link.h"

static const struct vnode_ops erofs_dir_ops, erofs_file_ops, erofs_link_ops, erofs_node_ops;

/* ---- From the image ---- */

/* Where the inode's data is, from its layout; pos: the first byte after the inode and its attributes. */
static int erofs_check_layout(struct erofs *e, struct erofs_inode *i, u32 u, u64 pos)
{
	u64 size = i->v.size;
	if (size > e->size && i->layout != EROFS_CHUNKED)
		return erofs_corrupt(e, i->nid, "larger than the image");
	switch (i->layout) {
	case EROFS_FLAT:
		i->data_pa = (u64)u * EROFS_BLOCK;
		if (size && (i->data_pa >= e->size || size > e->size - i->data_pa))
			return erofs_corrupt(e, i->nid, "data outside the image");
		return 0;
	case EROFS_INLINE: {
		u64 tail = size % EROFS_BLOCK, whole = size - tail;
		i->data_pa = (u64)u * EROFS_BLOCK;
		i->inline_pa = pos;
		if (whole && (i->data_pa >= e->size || whole > e->size - i->data_pa))
			return erofs_corrupt(e, i->nid, "data outside the image");
		if (tail && (pos >= e->size || pos % EROFS_BLOCK + tail > EROFS_BLOCK))
			return erofs_corrupt(e, i->nid, "inline data crosses a block");
		return 0;
	}
	case EROFS_CHUNKED: {
		i->chunk_bits = (u8)(EROFS_BLOCK_BITS + (u & EROFS_CHUNK_BITS));
		i->chunk_entry = u & EROFS_CHUNK_INDEXES ? 8 : 4;
		i->inline_pa = ROUND_UP(pos, i->chunk_entry);
		u64 chunks = size ? ((size - 1) >> i->chunk_bits) + 1 : 0;
		if (u & 0xffff & ~(EROFS_CHUNK_BITS | EROFS_CHUNK_INDEXES))
			return erofs_corrupt(e, i->nid, "unknown chunk format");
		if (size > (u64)INT64_MAX || i->inline_pa > e->size || chunks > (e->size - i->inline_pa) / i->chunk_entry)
			return erofs_corrupt(e, i->nid, "chunk map outside the image");
		return 0;
	}
	case EROFS_COMPRESSED_FULL:
	case EROFS_COMPRESSED:
		log_error("erofs: inode %llu is compressed, which this kernel cannot read\n", (unsigned long long)i->nid);
		return -EOPNOTSUPP;
	default:
		return erofs_corrupt(e, i->nid, "unknown data layout");
	}
}

/* Read inode nid from the image into i (type, size, attributes, layout). */
static int erofs_read_inode(struct erofs *e, u64 nid, struct erofs_inode *i)
{
	struct erofs_disk_inode_extended x;
	struct erofs_disk_inode_compact c;
	if (nid > e->size / EROFS_SLOT)
		return erofs_corrupt(e, nid, "no such inode");
	u64 pa = e->meta_pa + nid * EROFS_SLOT, pos;
	int r = erofs_meta_read(e, pa, &c, sizeof c);
	if (r)
		return r == -EUCLEAN ? erofs_corrupt(e, nid, "outside the image") : r;
	u32 u;
	i->nid = nid;
	i->mode = c.mode;
	i->layout = (u8)(c.format >> 1 & 7);
	if (c.format & 1) {
		r = erofs_meta_read(e, pa, &x, sizeof x);
		if (r)
			return r == -EUCLEAN ? erofs_corrupt(e, nid, "outside the image") : r;
		i->v.size = x.size;
		i->nlink = x.nlink;
		i->uid = x.uid;
		i->gid = x.gid;
		i->mtime = (struct timespec64){ (s64)x.mtime, x.mtime_nsec };
		u = x.u;
		pos = pa + sizeof x;
	} else {
		i->v.size = c.size;
		i->nlink = c.nlink;
		i->uid = c.uid;
		i->gid = c.gid;
		i->mtime = e->build_time;
		u = c.u;
		pos = pa + sizeof c;
	}
	if (c.format & ~0xfu || i->mtime.nsec >= NSEC_PER_SEC || !fs_type_of_mode(i->mode))
		return erofs_corrupt(e, nid, "bad inode");
	if (c.xattr_count)
		pos += 12 + (c.xattr_count - 1u) * 4u;
	switch (fs_type_of_mode(i->mode)) {
	case VNODE_REG:
	case VNODE_DIR:
	case VNODE_LINK:
		return erofs_check_layout(e, i, u, pos);
	case VNODE_CHR:
	case VNODE_BLK:
		i->rdev = LX_MKDEV((u >> 8) & 0xfffu, (u & 0xffu) | (u >> 12 & 0xfff00u));
		break;
	default:
		break;
	}
	i->v.size = 0;
	return 0;
}

/* ---- In memory ---- */

static struct list *erofs_bucket(struct erofs *e, u64 nid)
{
	return &e->hash[(nid ^ nid >> 7) % EROFS_HASH];
}

static struct vnode *erofs_find_locked(struct erofs *e, u64 nid)
{
	struct vnode *v;
	list_for_each_entry(v, erofs_bucket(e, nid), cache_link)
		if (v->ino == nid && vnode_tryget(v))
			return v;
	return NULL;
}

static void erofs_object_setup(struct erofs_inode *i)
{
	struct erofs_file *f = container_of(i, struct erofs_file, i);
	vm_object_init(&f->obj, &erofs_object_ops);
	f->obj.reclaimable = 1;
	f->obj.readahead = erofs_readahead(erofs_of(&i->v), 16);
	i->v.object = &f->obj;
}

int erofs_iget(struct erofs *e, u64 nid, struct vnode **ret)
{
	struct erofs_inode seen = { 0 };
	spin_lock(&e->lock);
	struct vnode *v = erofs_find_locked(e, nid);
	spin_unlock(&e->lock);
	if (v) {
		*ret = v;
		return 0;
	}
	int r = erofs_read_inode(e, nid, &seen);
	if (r)
		return r;
	enum vnode_type type = fs_type_of_mode(seen.mode);
	struct erofs_inode *i = heap_alloc(type == VNODE_REG ? sizeof(struct erofs_file) : sizeof *i);
	if (!i)
		return -ENOMEM;
	*i = seen;
	vnode_init(&i->v, type == VNODE_DIR ? &erofs_dir_ops : type == VNODE_REG ? &erofs_file_ops : type == VNODE_LINK ? &erofs_link_ops : &erofs_node_ops,
		   type, &e->m, nid);
	if (type == VNODE_REG)
		erofs_object_setup(i);
	spin_lock(&e->lock);
	v = erofs_find_locked(e, nid);
	if (!v)
		list_push(erofs_bucket(e, nid), &i->v.cache_link);
	spin_unlock(&e->lock);
	if (v)
		vnode_put(&i->v);            /* another walker was quicker */
	*ret = v ? v : &i->v;
	return 0;
}

static void erofs_release(struct vnode *v)
{
	struct erofs *e = erofs_of(v);
	spin_lock(&e->lock);
	list_remove(&v->cache_link);
	spin_unlock(&e->lock);
	if (v->object)
		vm_object_put(v->object);    /* frees the inode when no mapping is left */
	else
		heap_free(erofs_inode(v));
}

static int erofs_getattr(struct vnode *v, struct vattr *ret)
{
	struct erofs_inode *i = erofs_inode(v);
	ret->mode = i->mode;
	ret->nlink = i->nlink;
	ret->uid = i->uid;
	ret->gid = i->gid;
	ret->rdev = i->rdev;
	ret->blocks512 = ROUND_UP(v->size, EROFS_BLOCK) / 512;
	ret->atime = ret->mtime = ret->ctime = i->mtime;
	return 0;
}

LINK_SLOT_OF(erofs_readdir);
static const struct vnode_ops erofs_dir_ops = {
	.lookup = erofs_lookup, .readdir = LINK_SLOT(erofs_readdir), .getattr = erofs_getattr, .release = erofs_release,
};
static const struct vnode_ops erofs_file_ops = { .getattr = erofs_getattr, .release = erofs_release };
static const struct vnode_ops erofs_link_ops = { .readlink = erofs_readlink, .getattr = erofs_getattr, .release = erofs_release };
static const struct vnode_ops erofs_node_ops = { .getattr = erofs_getattr, .release = erofs_release };
