/*
 * tmpfs_dir.c - directories of the memory file system.
 *
 * Entries lie in two trees: by (hash, name) for lookups, and by the sequence number they got
 * when they were made for reading. The sequence number is the readdir cookie: entries that come
 * or go meanwhile never make a reader skip or repeat another.
 *
 * Locks: the directories' vnode locks, taken by fs/: shared to look, exclusively to change.
 * What can fail: -ENOMEM -ENOSPC -EEXIST -ENOENT -ENOTEMPTY -EMLINK.
 */
#include "fs/tmpfs.h"
#include "base/link.h"

#define TMPFS_FIRST_SEQ 3u           /* 0 is ".", 1 is ".."; cookies say "after" */
#define TMPFS_LINK_MAX  65000u

struct tmpfs_dirent {
	struct rb_node by_name, by_seq;
	u64 seq;
	struct tmpfs_inode *inode;   /* a reference, idle */
	u32 hash;
	u8 len;
	char name[];
};

static u32 name_hash(const char *name, size_t len)
{
	u32 h = 0x811c9dc5u;
	for (size_t k = 0; k < len; k++)
		h = (h ^ (u8)name[k]) * 0x01000193u;
	return h;
}

static int name_cmp(u32 hash, const char *name, size_t len, const struct tmpfs_dirent *e)
{
	if (hash != e->hash)
		return hash < e->hash ? -1 : 1;
	if (len != e->len)
		return len < e->len ? -1 : 1;
	return memcmp(name, e->name, len);
}

static struct tmpfs_dirent *tmpfs_find(struct tmpfs_inode *dir, const char *name, size_t len)
{
	u32 hash = name_hash(name, len);
	struct rb_node *n = dir->by_name.node;
	while (n) {
		struct tmpfs_dirent *e = rb_entry(n, struct tmpfs_dirent, by_name);
		int c = name_cmp(hash, name, len, e);
		if (!c)
			return e;
		n = c < 0 ? n->left : n->right;
	}
	return NULL;
}

static struct tmpfs_dirent *tmpfs_dirent_new(const char *name, size_t len)
{
	struct tmpfs_dirent *e = heap_alloc(sizeof *e + len);
	if (!e)
		return NULL;
	e->hash = name_hash(name, len);
	e->len = (u8)len;
	memcpy(e->name, name, len);
	return e;
}

static void tmpfs_link_entry(struct tmpfs_inode *dir, struct tmpfs_dirent *e)
{
	struct rb_node **link = &dir->by_name.node, *parent = NULL;
	while (*link) {
		parent = *link;
		link = name_cmp(e->hash, e->name, e->len, rb_entry(parent, struct tmpfs_dirent, by_name)) < 0 ? &parent->left : &parent->right;
	}
	rb_insert(&dir->by_name, &e->by_name, parent, link);
	e->seq = dir->next_seq < TMPFS_FIRST_SEQ ? TMPFS_FIRST_SEQ : dir->next_seq;
	dir->next_seq = e->seq + 1;
	parent = rb_last(&dir->by_seq);
	rb_insert(&dir->by_seq, &e->by_seq, parent, parent ? &parent->right : &dir->by_seq.node);
	dir->nentries++;
}

static void tmpfs_unlink_entry(struct tmpfs_inode *dir, struct tmpfs_dirent *e)
{
	rb_erase(&dir->by_name, &e->by_name);
	rb_erase(&dir->by_seq, &e->by_seq);
	dir->nentries--;
}

/* The tree's reference of an inode. */
static void tmpfs_hold(struct tmpfs_inode *i)
{
	vnode_get(&i->v);
	__atomic_fetch_add(&i->v.idle_refs, 1, __ATOMIC_RELAXED);
}
static void tmpfs_unhold(struct tmpfs_inode *i)
{
	__atomic_fetch_sub(&i->v.idle_refs, 1, __ATOMIC_RELAXED);
	vnode_put(&i->v);
}

static void tmpfs_touch(struct tmpfs_inode *dir)
{
	fs_now(&dir->mtime);
	dir->ctime = dir->mtime;
}

bool tmpfs_has_entry(struct tmpfs_inode *dir, const char *name, size_t len)
{
	return tmpfs_find(dir, name, len) != NULL;
}

static int add_entry(struct tmpfs_inode *dir, const char *name, size_t len, struct tmpfs_inode *i, const struct timespec64 *now)
{
	struct tmpfs_dirent *e = tmpfs_dirent_new(name, len);
	if (!e)
		return -ENOMEM;
	e->inode = i;
	tmpfs_hold(i);
	tmpfs_link_entry(dir, e);
	dir->mtime = dir->ctime = *now;
	if (i->v.type == VNODE_DIR) {
		i->nlink = 2;
		dir->nlink++;
	} else {
		i->nlink++;
	}
	return 0;
}

int tmpfs_add_entry(struct tmpfs_inode *dir, const char *name, size_t len, struct tmpfs_inode *i)
{
	struct timespec64 now;

	fs_now(&now);
	return add_entry(dir, name, len, i, &now);
}

/* ---- Operations ---- */

static int tmpfs_lookup(struct vnode *v, const char *name, size_t len, struct vnode **ret)
{
	int r = tmpfs_dir_ready(tmpfs_inode(v));
	if (r)
		return r;
	struct tmpfs_dirent *e = tmpfs_find(tmpfs_inode(v), name, len);
	if (!e)
		return -ENOENT;
	vnode_get(&e->inode->v);
	*ret = &e->inode->v;
	return 0;
}

int tmpfs_link_text(struct tmpfs_inode *i, const char *text)
{
	size_t len = strlen(text);
	int r = tmpfs_pages_take(tmpfs_of(&i->v), tmpfs_link_pages(len));
	if (r)
		return r;
	i->target = heap_strdup(text);
	if (!i->target)
		tmpfs_pages_give(tmpfs_of(&i->v), tmpfs_link_pages(len));
	i->v.size = len;
	return i->target ? 0 : -ENOMEM;
}

/* A new inode as an entry of dir, which has none of this name: fs/ has asked. target: of a symbolic link. */
static int tmpfs_make(struct vnode *v, const char *name, size_t len, u32 mode, u64 rdev, const char *target, struct vnode **ret)
{
	struct tmpfs_inode *dir = tmpfs_inode(v);
	int r = tmpfs_dir_ready(dir);
	if (r)
		return r;
	if (!dir->nlink)
		return -ENOENT;              /* removed, but somebody stands in it */
	if (!tmpfs_inodes_left(tmpfs_of(v)))
		return -ENOSPC;
	struct tmpfs_inode *i = tmpfs_inode_new(tmpfs_of(v), mode, rdev);
	if (!i)
		return -ENOMEM;
	if (target)
		r = tmpfs_link_text(i, target);
	/* A set-group-id directory hands its group on. */
	if (dir->mode & LX_S_ISGID) {
		i->gid = dir->gid;
		if (i->v.type == VNODE_DIR)
			i->mode |= LX_S_ISGID;
	}
	if (!r)
		r = add_entry(dir, name, len, i, &i->btime);
	if (r)
		vnode_put(&i->v);
	else
		*ret = &i->v;
	return r;
}

static int tmpfs_create(struct vnode *v, const char *name, size_t len, u32 mode, u64 rdev, struct vnode **ret)
{
	return tmpfs_make(v, name, len, mode, rdev, NULL, ret);
}

static int tmpfs_mkdir(struct vnode *v, const char *name, size_t len, u32 mode, struct vnode **ret)
{
	return tmpfs_make(v, name, len, (mode & 07777) | LX_S_IFDIR, 0, NULL, ret);
}

int tmpfs_symlink(struct vnode *v, const char *name, size_t len, const char *target, struct vnode **ret)
{
	return tmpfs_make(v, name, len, LX_S_IFLNK | 0777, 0, target, ret);
}

int tmpfs_link(struct vnode *v, const char *name, size_t len, struct vnode *target)
{
	struct tmpfs_inode *dir = tmpfs_inode(v), *i = tmpfs_inode(target);
	if (!dir->nlink || (!i->nlink && !(target->type == VNODE_REG && i->linkable)))
		return -ENOENT;
	if (i->nlink >= TMPFS_LINK_MAX)
		return -EMLINK;
	bool further = i->nlink;
	if (further && !tmpfs_inodes_left(tmpfs_of(v)))
		return -ENOSPC;
	int r = tmpfs_dir_ready(dir);
	if (!r)
		r = tmpfs_add_entry(dir, name, len, i);
	if (r)
		return r;
	tmpfs_inodes_add(tmpfs_of(v), further);
	fs_now(&i->ctime);
	return 0;
}

/* Take e out of dir: its inode loses a name. */
static void tmpfs_drop_entry(struct tmpfs_inode *dir, struct tmpfs_dirent *e)
{
	struct tmpfs_inode *i = e->inode;
	tmpfs_unlink_entry(dir, e);
	tmpfs_touch(dir);
	i->ctime = dir->ctime;
	tmpfs_times_changed(i);
	if (i->v.type == VNODE_DIR) {
		i->nlink = 0;
		dir->nlink--;
	} else if (--i->nlink) {
		tmpfs_inodes_add(tmpfs_of(&dir->v), -1);
	}
	heap_free(e);
	tmpfs_unhold(i);                     /* the caller has a reference of its own */
}

static int tmpfs_unlink(struct vnode *v, const char *name, size_t len, struct vnode *victim)
{
	struct tmpfs_dirent *e = tmpfs_find(tmpfs_inode(v), name, len);
	if (!e || &e->inode->v != victim)
		return -ENOENT;
	tmpfs_drop_entry(tmpfs_inode(v), e);
	return 0;
}

static int tmpfs_rmdir(struct vnode *v, const char *name, size_t len, struct vnode *victim)
{
	int r = tmpfs_dir_ready(tmpfs_inode(victim));
	if (r)
		return r;
	if (tmpfs_inode(victim)->nentries)
		return -ENOTEMPTY;
	return tmpfs_unlink(v, name, len, victim);
}

/* Both entries stay where they are and swap their inodes. */
static void tmpfs_exchange(struct tmpfs_inode *od, struct tmpfs_dirent *oe, struct tmpfs_inode *nd, struct tmpfs_dirent *ne)
{
	struct tmpfs_inode *i = oe->inode;
	int moved = (i->v.type == VNODE_DIR) - (ne->inode->v.type == VNODE_DIR);
	oe->inode = ne->inode;
	ne->inode = i;
	od->nlink -= (u32)moved;
	nd->nlink += (u32)moved;
	tmpfs_touch(od);
	tmpfs_touch(nd);
	oe->inode->ctime = ne->inode->ctime = nd->ctime;
	tmpfs_times_changed(oe->inode);
	tmpfs_times_changed(ne->inode);
}

int tmpfs_rename(struct vnode *ov, const char *oname, size_t olen, struct vnode *nv, const char *nname, size_t nlen, struct vnode *victim, u32 flags)
{
	struct tmpfs_inode *od = tmpfs_inode(ov), *nd = tmpfs_inode(nv);
	int r = tmpfs_dir_ready(nd);
	if (!r && victim && victim->type == VNODE_DIR)
		r = tmpfs_dir_ready(tmpfs_inode(victim));
	if (r)
		return r;
	struct tmpfs_dirent *oe = tmpfs_find(od, oname, olen), *ne = tmpfs_find(nd, nname, nlen);
	if (!oe || !nd->nlink || (victim && !ne))
		return -ENOENT;
	if (flags & LX_RENAME_EXCHANGE) {
		tmpfs_exchange(od, oe, nd, ne);
		return 0;
	}
	if (ne && ne->inode->v.type == VNODE_DIR && ne->inode->nentries)
		return -ENOTEMPTY;
	struct tmpfs_dirent *fresh = tmpfs_dirent_new(nname, nlen);
	if (!fresh)
		return -ENOMEM;
	if (ne)
		tmpfs_drop_entry(nd, ne);
	fresh->inode = oe->inode;            /* with its reference */
	tmpfs_unlink_entry(od, oe);
	heap_free(oe);
	tmpfs_link_entry(nd, fresh);
	if (fresh->inode->v.type == VNODE_DIR) {
		od->nlink--;
		nd->nlink++;
	}
	tmpfs_touch(od);
	tmpfs_touch(nd);
	fresh->inode->ctime = nd->ctime;
	tmpfs_times_changed(fresh->inode);
	return 0;
}

int tmpfs_tmpfile(struct vnode *dir, u32 mode, bool linkable, struct vnode **ret)
{
	char name[24];
	if (!tmpfs_inodes_left(tmpfs_of(dir)))
		return -ENOSPC;
	struct tmpfs_inode *i = tmpfs_inode_new(tmpfs_of(dir), mode, 0);
	if (!i)
		return -ENOMEM;
	i->linkable = linkable;
	int n = fmt_buf(name, sizeof name, "#%llu", (unsigned long long)i->v.ino);
	int r = dcache_name_loose(&i->v, dir, name, (size_t)n, true);
	if (r)
		vnode_put(&i->v);
	else
		*ret = &i->v;
	return r;
}

/* The first entry with seq >= from. */
static struct tmpfs_dirent *tmpfs_first_from(struct tmpfs_inode *dir, u64 from)
{
	struct tmpfs_dirent *best = NULL;
	struct rb_node *n = dir->by_seq.node;
	while (n) {
		struct tmpfs_dirent *e = rb_entry(n, struct tmpfs_dirent, by_seq);
		if (e->seq >= from) {
			best = e;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return best;
}

int tmpfs_readdir(struct vnode *v, u64 off, vnode_dirent_fn fn, void *arg)
{
	struct tmpfs_inode *dir = tmpfs_inode(v);
	int r = tmpfs_dir_ready(dir);
	if (r)
		return r;
	if (!dir->nlink)
		return -ENOENT;
	if (off == 0) {
		if (!fn(arg, ".", 1, v->ino, VNODE_DIR, 1))
			return 0;
		off = 1;
	}
	if (off == 1) {
		struct vnode *p = dcache_parent(v);
		u64 ino = p ? p->ino : v->ino;
		if (p)
			vnode_put(p);
		if (!fn(arg, "..", 2, ino, VNODE_DIR, TMPFS_FIRST_SEQ))
			return 0;
		off = TMPFS_FIRST_SEQ;
	}
	struct tmpfs_dirent *e = tmpfs_first_from(dir, off);
	while (e) {
		if (!fn(arg, e->name, e->len, e->inode->v.ino, e->inode->v.type, e->seq + 1))
			break;
		struct rb_node *n = rb_next(&e->by_seq);
		e = n ? rb_entry(n, struct tmpfs_dirent, by_seq) : NULL;
	}
	return 0;
}

LINK_SLOT_OF(tmpfs_symlink);
LINK_SLOT_OF(tmpfs_link);
LINK_SLOT_OF(tmpfs_rename);
LINK_SLOT_OF(tmpfs_tmpfile);
LINK_SLOT_OF(tmpfs_readdir);
LINK_SLOT_OF(tmpfs_getxattr);
LINK_SLOT_OF(tmpfs_setxattr);
LINK_SLOT_OF(tmpfs_listxattr);
const struct vnode_ops tmpfs_dir_ops = {
	.getxattr = LINK_SLOT(tmpfs_getxattr), .setxattr = LINK_SLOT(tmpfs_setxattr), .listxattr = LINK_SLOT(tmpfs_listxattr),
	.lookup = tmpfs_lookup, .create = tmpfs_create, .mkdir = tmpfs_mkdir, .symlink = LINK_SLOT(tmpfs_symlink), .link = LINK_SLOT(tmpfs_link),
	.unlink = tmpfs_unlink, .rmdir = tmpfs_rmdir, .rename = LINK_SLOT(tmpfs_rename), .readdir = LINK_SLOT(tmpfs_readdir),
	.tmpfile = LINK_SLOT(tmpfs_tmpfile),
	.getattr = tmpfs_getattr, .setattr = tmpfs_setattr, .release = tmpfs_release,
};
