/*
 * names.c - directories as fs/ sees them: looking names up, making, linking, renaming and removing them,
 * reading directories and symbolic links.
 *
 * Each change is one transaction: after a crash it happened or it did not.
 *
 * Locks: fs/ holds the directories' locks (exclusively for changes), and a victim's; M inside.
 * What can fail: -ENOSPC, -EMLINK, -ENOTEMPTY, -ENAMETOOLONG, -EIO, -ENOMEM, -EUCLEAN.
 */
#include "fs/ext4/htree.h"

/* ---- Looking up ---- */

static int ext4_lookup(struct vnode *v, const char *name, size_t len, struct vnode **ret)
{
	struct ext4_inode *dir = ext4_inode(v);
	struct ext4 *e = ext4_of(v);
	struct ext4_dirent *d;
	struct ext4_buf *b;
	u32 ino = 0;

	if (len > EXT4_NAME_MAX)
		return -ENAMETOOLONG;
	mutex_lock(&e->meta);
	int r = dir_find(dir, name, len, &b, &d);
	if (!r) {
		ino = d->ino;
		buf_put(e, b);
	}
	mutex_unlock(&e->meta);
	return r ? r : ext4_iget(e, ino, ret);
}

/* ---- Making ---- */

static int dir_touched(struct ext4_inode *dir)
{
	fs_now(&dir->mtime);
	dir->ctime = dir->mtime;
	return ext4_inode_store(dir, true);
}

/* A directory has more subdirectories than a link count can say: 1 stands for "many". */
static void links_inc(struct ext4_inode *dir)
{
	if (dir->nlink == 1)
		return;
	dir->nlink = dir->nlink + 1 >= EXT4_LINK_MAX && ext4_of(&dir->v)->ro_compat & EXT4_RO_DIR_NLINK ? 1 : dir->nlink + 1;
}
static void links_dec(struct ext4_inode *dir)
{
	if (dir->nlink > 2)
		dir->nlink--;
}
static bool links_full(const struct ext4_inode *dir)
{
	return dir->nlink >= EXT4_LINK_MAX && !(ext4_of(&dir->v)->ro_compat & EXT4_RO_DIR_NLINK);
}

/* The first block of a new directory. */
static int dir_fill(struct ext4_inode *i, struct ext4_inode *parent)
{
	struct ext4 *e = ext4_of(&i->v);
	struct ext4_buf *b;
	int r = dir_append_block(i, &b, NULL);

	if (r)
		return r;
	dir_block_init(i, b);
	(void)dir_add_in(i, b, ".", 1, (u32)i->v.ino, EXT4_FT_DIR);
	(void)dir_add_in(i, b, "..", 2, (u32)parent->v.ino, EXT4_FT_DIR);
	dir_block_changed(i, b);
	buf_put(e, b);
	return 0;
}

static int link_fill(struct ext4_inode *i, const char *target)
{
	struct ext4 *e = ext4_of(&i->v);
	size_t len = strlen(target);
	struct ext4_buf *b;

	if (len > e->block_size - 1)
		return -ENAMETOOLONG;
	i->v.size = i->disk_size = len;
	if (len < EXT4_FAST_LINK_MAX) {
		memcpy(i->block, target, len);
		return 0;
	}
	if (e->incompat & EXT4_INCOMPAT_EXTENTS)
		extent_root_init(i);
	int r = ext4_map_new_block(i, 0, &b);
	if (!r) {
		memcpy(b->data, target, len);
		buf_put(e, b);
	}
	return r;
}

/* What is new and could not be entered goes away again when its reference is dropped. */
static void unmake(struct ext4_inode *i)
{
	i->nlink = 0;
	if (ext4_orphan_add(i))
		(void)ext4_fail(ext4_of(&i->v), "an inode that could not be entered", -EIO);
}

static int make_once(struct vnode *v, const char *name, size_t len, u32 mode, u64 rdev, const char *target, struct vnode **ret)
{
	struct ext4_inode *dir = ext4_inode(v), *i = NULL;
	struct ext4 *e = ext4_of(v);
	bool is_dir = (mode & LX_S_IFMT) == LX_S_IFDIR;

	if (len > EXT4_NAME_MAX)
		return -ENAMETOOLONG;
	if (is_dir && links_full(dir))
		return -EMLINK;
	if (dir->mode & 02000 && is_dir)
		mode |= 02000;
	int r = ext4_begin(e);
	if (r)
		return r;
	r = ext4_inode_new(e, dir, mode, rdev, &i);
	if (!r) {
		i->nlink = is_dir ? 2 : 1;
		r = is_dir ? dir_fill(i, dir) : target ? link_fill(i, target) : 0;
		if (!r)
			r = ext4_inode_store(i, true);
		if (!r)
			r = dir_add(dir, name, len, (u32)i->v.ino, ext4_dir_type(mode));
		if (r)
			unmake(i);
		else if (is_dir)
			links_inc(dir);
		/* A failed try may have given the directory blocks: they are its own now. */
		int s = dir_touched(dir);
		r = r ? r : s;
	}
	ext4_end(e);
	if (r && i)
		vnode_put(&i->v);
	else if (!r)
		*ret = &i->v;
	return r;
}

static int make(struct vnode *dir, const char *name, size_t len, u32 mode, u64 rdev, const char *target, struct vnode **ret)
{
	int r = make_once(dir, name, len, mode, rdev, target, ret);

	if (r == -ENOSPC && !ext4_settle_space(ext4_of(dir)))
		r = make_once(dir, name, len, mode, rdev, target, ret);
	return r;
}

static int ext4_create(struct vnode *dir, const char *name, size_t len, u32 mode, u64 rdev, struct vnode **ret)
{
	return make(dir, name, len, mode, rdev, NULL, ret);
}

static int ext4_mkdir(struct vnode *dir, const char *name, size_t len, u32 mode, struct vnode **ret)
{
	return make(dir, name, len, mode, 0, NULL, ret);
}

static int ext4_symlink(struct vnode *dir, const char *name, size_t len, const char *target, struct vnode **ret)
{
	return make(dir, name, len, LX_S_IFLNK | 0777, 0, target, ret);
}

static int ext4_tmpfile(struct vnode *v, u32 mode, bool linkable, struct vnode **ret)
{
	struct ext4 *e = ext4_of(v);
	struct ext4_inode *i = NULL;
	int r = ext4_begin(e);

	if (r)
		return r;
	r = ext4_inode_new(e, ext4_inode(v), mode, 0, &i);
	if (!r) {
		i->linkable = linkable;
		r = ext4_orphan_add(i);
	}
	ext4_end(e);
	if (r && i)
		vnode_put(&i->v);
	else if (!r)
		*ret = &i->v;
	return r;
}

static int link_once(struct vnode *v, const char *name, size_t len, struct vnode *target)
{
	struct ext4_inode *dir = ext4_inode(v), *i = ext4_inode(target);
	struct ext4 *e = ext4_of(v);

	if (len > EXT4_NAME_MAX)
		return -ENAMETOOLONG;
	if (i->nlink >= EXT4_LINK_MAX)
		return -EMLINK;
	if (!i->nlink && !i->linkable)
		return -ENOENT;
	int r = ext4_begin(e);
	if (r)
		return r;
	r = dir_add(dir, name, len, (u32)target->ino, ext4_dir_type(i->mode));
	if (!r) {
		i->nlink++;
		fs_now(&i->ctime);
		r = i->orphan ? ext4_orphan_remove(i) : ext4_inode_store(i, true);
	}
	int s = dir_touched(dir);
	ext4_end(e);
	return r ? r : s;
}

static int ext4_link(struct vnode *v, const char *name, size_t len, struct vnode *target)
{
	int r = link_once(v, name, len, target);

	return r == -ENOSPC && !ext4_settle_space(ext4_of(v)) ? link_once(v, name, len, target) : r;
}

/* ---- Removing ---- */

/* A name of i is gone. */
static int name_gone(struct ext4_inode *i)
{
	fs_now(&i->ctime);
	i->nlink -= i->nlink > 0;
	return i->nlink ? ext4_inode_store(i, true) : ext4_orphan_add(i);
}

static int ext4_unlink(struct vnode *v, const char *name, size_t len, struct vnode *victim)
{
	struct ext4 *e = ext4_of(v);
	int r = ext4_begin(e);

	if (r)
		return r;
	r = dir_remove(ext4_inode(v), name, len);
	if (!r)
		r = name_gone(ext4_inode(victim));
	if (!r)
		r = dir_touched(ext4_inode(v));
	ext4_end(e);
	return r;
}

static int dir_gone(struct ext4_inode *dir, struct ext4_inode *victim)
{
	victim->nlink = 1;
	links_dec(dir);
	return name_gone(victim);
}

static int ext4_rmdir(struct vnode *v, const char *name, size_t len, struct vnode *victim)
{
	struct ext4 *e = ext4_of(v);
	bool empty = false;
	int r = ext4_begin(e);

	if (r)
		return r;
	r = dir_is_empty(ext4_inode(victim), &empty);
	if (!r && !empty)
		r = -ENOTEMPTY;
	if (!r)
		r = dir_remove(ext4_inode(v), name, len);
	if (!r)
		r = dir_gone(ext4_inode(v), ext4_inode(victim));
	if (!r)
		r = dir_touched(ext4_inode(v));
	ext4_end(e);
	return r;
}

/* ---- Renaming ---- */

struct rename_args {
	struct ext4_inode *odir, *ndir, *i, *victim;
	const char *oname, *nname;
	size_t olen, nlen;
};

/* i, a directory, moved: its ".." and the link counts of both parents. */
static int moved(struct ext4_inode *i, struct ext4_inode *from, struct ext4_inode *to)
{
	if (i->v.type != VNODE_DIR || from == to)
		return 0;
	links_dec(from);
	links_inc(to);
	return dir_set(i, "..", 2, (u32)to->v.ino, EXT4_FT_DIR);
}

static int rename_exchange(struct rename_args *a)
{
	int r = dir_set(a->ndir, a->nname, a->nlen, (u32)a->i->v.ino, ext4_dir_type(a->i->mode));

	if (!r)
		r = dir_set(a->odir, a->oname, a->olen, (u32)a->victim->v.ino, ext4_dir_type(a->victim->mode));
	if (!r)
		r = moved(a->i, a->odir, a->ndir);
	if (!r)
		r = moved(a->victim, a->ndir, a->odir);
	if (!r) {
		fs_now(&a->victim->ctime);
		r = ext4_inode_store(a->victim, true);
	}
	return r;
}

static int rename_replace(struct rename_args *a)
{
	bool dir = a->i->v.type == VNODE_DIR, empty = true;
	int r = 0;

	if (a->victim && dir) {
		r = dir_is_empty(a->victim, &empty);
		if (r || !empty)
			return r ? r : -ENOTEMPTY;
	}
	if (dir && a->odir != a->ndir && !a->victim && links_full(a->ndir))
		return -EMLINK;
	if (a->victim)
		r = dir_set(a->ndir, a->nname, a->nlen, (u32)a->i->v.ino, ext4_dir_type(a->i->mode));
	else
		r = dir_add(a->ndir, a->nname, a->nlen, (u32)a->i->v.ino, ext4_dir_type(a->i->mode));
	if (!r)
		r = dir_remove(a->odir, a->oname, a->olen);
	if (!r)
		r = moved(a->i, a->odir, a->ndir);
	if (!r && a->victim)
		r = dir ? dir_gone(a->ndir, a->victim) : name_gone(a->victim);
	return r;
}

static int rename_once(struct rename_args *a, u32 flags)
{
	struct ext4 *e = ext4_of(&a->odir->v);
	int r = ext4_begin(e);

	if (r)
		return r;
	r = flags & LX_RENAME_EXCHANGE ? rename_exchange(a) : rename_replace(a);
	if (!r) {
		fs_now(&a->i->ctime);
		r = ext4_inode_store(a->i, true);
	}
	int s = dir_touched(a->odir), t = dir_touched(a->ndir);
	r = r ? r : s ? s : t;
	ext4_end(e);
	return r;
}

static int ext4_rename(struct vnode *odir, const char *oname, size_t olen, struct vnode *ndir, const char *nname, size_t nlen, struct vnode *victim, u32 flags)
{
	struct rename_args a = { .odir = ext4_inode(odir), .ndir = ext4_inode(ndir), .oname = oname, .nname = nname, .olen = olen, .nlen = nlen,
				 .victim = victim ? ext4_inode(victim) : NULL };
	struct vnode *v;

	if (nlen > EXT4_NAME_MAX)
		return -ENAMETOOLONG;
	int r = ext4_lookup(odir, oname, olen, &v);
	if (r)
		return r;
	a.i = ext4_inode(v);
	r = rename_once(&a, flags);
	if (r == -ENOSPC && !ext4_settle_space(ext4_of(odir)))
		r = rename_once(&a, flags);
	vnode_put(v);
	return r;
}

/* ---- Reading directories ---- */

static enum vnode_type entry_type(const struct ext4 *e, const struct ext4_dirent *d)
{
	return e->incompat & EXT4_INCOMPAT_FILETYPE ? ext4_vnode_type(d->file_type) : 0;
}

/* By place: the cookie is the byte behind the entry. A place that is no entry's any more leads to the next one. */
static int readdir_linear(struct ext4_inode *dir, u64 off, vnode_dirent_fn fn, void *arg, u8 *data)
{
	struct ext4 *e = ext4_of(&dir->v);
	bool room = true;

	while (room && off < dir->disk_size) {
		u64 lblk = off >> e->block_bits, base = lblk << e->block_bits;
		struct ext4_buf *b;
		mutex_lock(&e->meta);
		int r = dir_block(dir, lblk, &b);
		if (!r) {
			memcpy(data, b->data, e->block_size);
			buf_put(e, b);
		}
		mutex_unlock(&e->meta);
		if (r)
			return r;
		for (u32 at = 0; at < dir_space(e) && room;) {
			const struct ext4_dirent *d = (const struct ext4_dirent *)(const void *)(data + at);
			u32 next = at + dirent_rec(e, d);
			if (base + at >= off && d->ino)
				room = fn(arg, d->name, d->name_len, d->ino, entry_type(e, d), next >= dir_space(e) ? base + e->block_size : base + next);
			at = next;
		}
		off = base + e->block_size;
	}
	return 0;
}

struct place {
	u64 pos;
	u16 at;
};

static void places_sort(struct place *x, unsigned n)
{
	for (unsigned gap = n / 2; gap; gap /= 2)
		for (unsigned k = gap; k < n; k++) {
			struct place v = x[k];
			unsigned at = k;
			for (; at >= gap && x[at - gap].pos > v.pos; at -= gap)
				x[at] = x[at - gap];
			x[at] = v;
		}
}

#define POS_DOT 1u
#define POS_DOTDOT 2u

/* Where an entry stands in the order of hashes; above those of the dots. */
static u64 pos_of(const struct ext4 *e, u8 version, const struct ext4_dirent *d)
{
	struct ext4_hash h;

	ext4_dirhash(e, version, d->name, d->name_len, &h);
	u64 pos = (u64)(h.major >> 1) << 32 | h.minor;
	return MAX(pos, (u64)POS_DOTDOT + 1);
}

/* By hash: the cookie is the entry's own place, so that splits between two calls neither hide nor repeat names. */
static int readdir_indexed(struct ext4_inode *dir, u64 off, vnode_dirent_fn fn, void *arg, u8 *data, struct place *x)
{
	struct ext4 *e = ext4_of(&dir->v);
	u32 from = (u32)(off >> 32) << 1;
	struct ext4_dirent *d;
	struct ext4_buf *b;

	for (unsigned dot = POS_DOT; dot <= POS_DOTDOT; dot++) {
		u32 ino;
		if (off >= dot)
			continue;
		mutex_lock(&e->meta);
		int r = dir_find(dir, "..", dot, &b, &d);
		if (!r) {
			ino = d->ino;
			buf_put(e, b);
		}
		mutex_unlock(&e->meta);
		if (r || !fn(arg, "..", dot, ino, VNODE_DIR, dot))
			return r;
	}
	for (u64 walked = 0; from != 0xffffffff && walked <= dir->disk_size >> e->block_bits; walked++) {
		unsigned n = 0;
		u8 version;
		mutex_lock(&e->meta);
		int r = htree_leaf_copy(dir, from, data, &from, &version);
		mutex_unlock(&e->meta);
		if (r)
			return r;
		for (u32 at = 0; at < dir_space(e); at += dirent_rec(e, (const struct ext4_dirent *)(const void *)(data + at))) {
			const struct ext4_dirent *y = (const struct ext4_dirent *)(const void *)(data + at);
			u64 pos = y->ino ? pos_of(e, version, y) : 0;
			if (pos > off)
				x[n++] = (struct place){ pos, (u16)at };
		}
		places_sort(x, n);
		for (unsigned k = 0; k < n; k++) {
			const struct ext4_dirent *y = (const struct ext4_dirent *)(const void *)(data + x[k].at);
			if (!fn(arg, y->name, y->name_len, y->ino, entry_type(e, y), x[k].pos))
				return 0;
		}
	}
	return 0;
}

static int ext4_readdir(struct vnode *v, u64 off, vnode_dirent_fn fn, void *arg)
{
	struct ext4_inode *dir = ext4_inode(v);
	struct ext4 *e = ext4_of(v);
	bool indexed = dir->flags & EXT4_FL_INDEX && e->compat & EXT4_COMPAT_DIR_INDEX;
	u8 *data = heap_alloc(e->block_size);
	struct place *x = indexed ? heap_alloc_array(e->block_size / 12 + 1, sizeof *x) : NULL;
	int r = data && (x || !indexed) ? 0 : -ENOMEM;

	if (!r)
		r = indexed ? readdir_indexed(dir, off, fn, arg, data, x) : readdir_linear(dir, off, fn, arg, data);
	heap_free(data);
	heap_free(x);
	return r;
}

static int ext4_dir_fsync(struct vnode *v, bool data_only)
{
	return v->mount->readonly && !ext4_of(v)->failed ? 0 : ext4_file_sync(ext4_inode(v), data_only);
}

/* ---- Symbolic links ---- */

static ssize_t ext4_readlink(struct vnode *v, char *buf, size_t size)
{
	struct ext4_inode *i = ext4_inode(v);
	struct ext4 *e = ext4_of(v);
	size_t len = MIN(v->size, (u64)e->block_size), n = MIN(size, len);
	struct ext4_map m;
	struct ext4_buf *b;

	if (v->size < EXT4_FAST_LINK_MAX) {
		memcpy(buf, i->block, n);
		return (ssize_t)n;
	}
	mutex_lock(&e->meta);
	int r = ext4_map(i, 0, &m);
	if (!r && (!m.block || m.unwritten || v->size > e->block_size))
		r = ext4_corrupted(e, v->ino, "symbolic link");
	if (!r)
		r = buf_read(e, m.block, &b);
	if (!r) {
		memcpy(buf, b->data, n);
		buf_put(e, b);
	}
	mutex_unlock(&e->meta);
	return r ? r : (ssize_t)n;
}

const struct vnode_ops ext4_dir_ops = {
	.lookup = ext4_lookup, .create = ext4_create, .mkdir = ext4_mkdir, .symlink = ext4_symlink, .link = ext4_link, .unlink = ext4_unlink,
	.rmdir = ext4_rmdir, .rename = ext4_rename, .readdir = ext4_readdir, .getattr = ext4_getattr, .setattr = ext4_setattr, .fsync = ext4_dir_fsync,
	.release = ext4_release, .tmpfile = ext4_tmpfile, .getxattr = ext4_getxattr, .setxattr = ext4_setxattr, .listxattr = ext4_listxattr,
};
const struct vnode_ops ext4_link_ops = {
	.readlink = ext4_readlink, .getattr = ext4_getattr, .setattr = ext4_setattr, .release = ext4_release,
};
const struct vnode_ops ext4_node_ops = {
	.getattr = ext4_getattr, .setattr = ext4_setattr, .release = ext4_release,
};
