/*
 * xattr.c - extended attributes: in the room behind the inode and in one block that files may share.
 *
 * A list is an area: entries grow from its start (four zero bytes end them), values from its end. A change makes the
 * whole area anew beside the old one, then puts it in its place: what does not fit leaves everything as it was. New
 * attributes go behind the inode if there is room, else into the block. A block that other files share is left to them,
 * and the file gets one of its own. The program sees and changes user.*; what Linux left of other kinds stays.
 *
 * Invariants: entries of a block are sorted and have hashes, those behind an inode neither; an area is checked
 * (area_check) before it is walked.
 *
 * Under M, changes in a transaction; fs/ holds v->lock. What can fail: -ENODATA, -EEXIST, -ERANGE, -ENOSPC, -EIO,
 * -ENOMEM, -EUCLEAN.
 */
#include "fs/ext4/ext4.h"

#define USER_PREFIX "user."
#define USER_INDEX  1u
#define HEADER      ((u32)sizeof(struct ext4_xattr_header))

struct area {
	u8 *base;                            /* offsets of values count from here; NULL: there is no such area */
	u32 first, end;                      /* of the entries; both from base */
	bool block, empty;
};

struct attr {
	const char *name;                    /* without its prefix */
	u32 name_len, size;
	const void *value;                   /* NULL: to be removed */
};

static struct ext4_xattr_entry *entry_at(const struct area *a, u32 at) { return (struct ext4_xattr_entry *)(void *)(a->base + at); }
static u32 entry_bytes(u32 name_len) { return (u32)(sizeof(struct ext4_xattr_entry) + ROUND_UP(name_len, 4u)); }
static u32 value_bytes(u32 size) { return ROUND_UP(size, 4u); }

static bool last_at(const struct area *a, u32 at)
{
	u32 word;

	memcpy(&word, a->base + at, 4);
	return !word;
}

#define FOR_EACH(a, at, x) \
	for (u32 at = (a)->first; !(a)->empty && !last_at(a, at) && (x = entry_at(a, at)); at += entry_bytes(x->name_len))

/* Entries and values lie within the area and do not overlap. */
static bool area_check(const struct area *a)
{
	u32 at = a->first, lowest = a->end;

	for (; !a->empty; at += entry_bytes(entry_at(a, at)->name_len)) {
		if (at + 4 > a->end)
			return false;
		if (last_at(a, at))
			return at + 4 <= lowest;
		const struct ext4_xattr_entry *x = entry_at(a, at);
		if (at + entry_bytes(0) > a->end || at + entry_bytes(x->name_len) + 4 > a->end || x->value_inum)
			return false;
		if (x->value_size) {
			if (x->value_offs > a->end || x->value_size > a->end - x->value_offs || value_bytes(x->value_size) > a->end - x->value_offs)
				return false;
			lowest = MIN(lowest, (u32)x->value_offs);
		}
	}
	return true;
}

/* ---- Finding the areas ---- */

static u32 block_csum(const struct ext4 *e, u64 block, u8 *data)
{
	struct ext4_xattr_header *h = (struct ext4_xattr_header *)(void *)data;
	u32 was = h->checksum, crc;

	h->checksum = 0;
	crc = ext4_crc32c(e->csum_seed, &block, 8);
	crc = ext4_crc32c(crc, data, e->block_size);
	h->checksum = was;
	return crc;
}

static void block_changed(struct ext4 *e, struct ext4_buf *b)
{
	if (e->csum)
		((struct ext4_xattr_header *)(void *)b->data)->checksum = block_csum(e, b->block, b->data);
	buf_dirty(e, b);
}

/* The room behind the inode, which lies in *ret_buf (a reference). */
static int area_of_inode(struct ext4_inode *i, struct ext4_buf **ret_buf, struct area *ret)
{
	struct ext4 *e = ext4_of(&i->v);
	struct ext4_dinode *d;
	u32 magic, at = 128u + i->extra_isize;
	int r = ext4_inode_table_read(e, (u32)i->v.ino, ret_buf, &d);

	*ret = (struct area){ .empty = true };
	if (r || !i->extra_isize || i->extra_isize % 4 || at + 8 > e->inode_size)
		return r;
	ret->base = (u8 *)d + at + 4;
	ret->end = e->inode_size - at - 4;
	memcpy(&magic, (u8 *)d + at, 4);
	ret->empty = magic != EXT4_XATTR_MAGIC;
	if (area_check(ret))
		return 0;
	buf_put(e, *ret_buf);
	return ext4_corrupted(e, i->v.ino, "attributes in an inode");
}

/* The block, with a reference; none: *ret_buf NULL and an empty area. */
static int area_of_block(struct ext4_inode *i, struct ext4_buf **ret_buf, struct area *ret)
{
	struct ext4 *e = ext4_of(&i->v);
	struct ext4_buf *b;

	*ret_buf = NULL;
	*ret = (struct area){ .first = HEADER, .end = e->block_size, .block = true, .empty = true };
	if (!i->file_acl)
		return 0;
	int r = buf_read(e, i->file_acl, &b);
	if (r)
		return r;
	const struct ext4_xattr_header *h = (const struct ext4_xattr_header *)(const void *)b->data;
	ret->base = b->data;
	ret->empty = false;
	if (h->magic != EXT4_XATTR_MAGIC || !h->refcount || h->blocks != 1 || (e->csum && h->checksum != block_csum(e, b->block, b->data)) || !area_check(ret)) {
		buf_put(e, b);
		return ext4_corrupted(e, i->v.ino, "attributes");
	}
	*ret_buf = b;
	return 0;
}

struct areas {
	struct ext4_buf *ibuf, *bbuf;        /* bbuf: NULL without a block */
	struct area in, out;
};

static int areas_get(struct ext4_inode *i, struct areas *x)
{
	int r = area_of_inode(i, &x->ibuf, &x->in);

	if (r)
		return r;
	r = area_of_block(i, &x->bbuf, &x->out);
	if (r)
		buf_put(ext4_of(&i->v), x->ibuf);
	return r;
}

static void areas_put(struct ext4_inode *i, struct areas *x)
{
	buf_put(ext4_of(&i->v), x->ibuf);
	if (x->bbuf)
		buf_put(ext4_of(&i->v), x->bbuf);
}

static bool is_attr(const struct ext4_xattr_entry *x, const struct attr *t)
{
	return x->name_index == USER_INDEX && x->name_len == t->name_len && !memcmp(x->name, t->name, t->name_len);
}

static const struct ext4_xattr_entry *area_find(const struct area *a, const struct attr *t)
{
	const struct ext4_xattr_entry *x;

	FOR_EACH(a, at, x)
		if (is_attr(x, t))
			return x;
	return NULL;
}

/* ---- Reading ---- */

static void attr_init(struct attr *t, const char *name)
{
	*t = (struct attr){ .name = name + sizeof USER_PREFIX - 1 };
	t->name_len = (u32)strlen(t->name);
}

static ssize_t value_copy(const struct area *a, const struct ext4_xattr_entry *x, void *buf, size_t size)
{
	if (size && x->value_size > size)
		return -ERANGE;
	if (size)
		memcpy(buf, a->base + x->value_offs, x->value_size);
	return (ssize_t)x->value_size;
}

ssize_t ext4_getxattr(struct vnode *v, const char *name, void *buf, size_t size)
{
	struct ext4_inode *i = ext4_inode(v);
	struct ext4 *e = ext4_of(v);
	const struct ext4_xattr_entry *x;
	struct areas s;
	struct attr t;

	if (!str_has_prefix(name, USER_PREFIX))
		return -ENODATA;
	attr_init(&t, name);
	mutex_lock(&e->meta);
	ssize_t n = areas_get(i, &s);
	if (!n) {
		if ((x = area_find(&s.in, &t)))
			n = value_copy(&s.in, x, buf, size);
		else if ((x = area_find(&s.out, &t)))
			n = value_copy(&s.out, x, buf, size);
		else
			n = -ENODATA;
		areas_put(i, &s);
	}
	mutex_unlock(&e->meta);
	return n;
}

static ssize_t area_list(const struct area *a, char *buf, size_t size, size_t n)
{
	const struct ext4_xattr_entry *x;
	const size_t prefix = sizeof USER_PREFIX - 1;

	FOR_EACH(a, at, x) {
		if (x->name_index != USER_INDEX)
			continue;
		if (size && prefix + x->name_len + 1 > size - n)
			return -ERANGE;
		if (size) {
			memcpy(buf + n, USER_PREFIX, prefix);
			memcpy(buf + n + prefix, x->name, x->name_len);
			buf[n + prefix + x->name_len] = 0;
		}
		n += prefix + x->name_len + 1;
	}
	return (ssize_t)n;
}

ssize_t ext4_listxattr(struct vnode *v, char *buf, size_t size)
{
	struct ext4_inode *i = ext4_inode(v);
	struct ext4 *e = ext4_of(v);
	struct areas s;

	mutex_lock(&e->meta);
	ssize_t n = areas_get(i, &s);
	if (!n) {
		n = area_list(&s.in, buf, size, 0);
		if (n >= 0)
			n = area_list(&s.out, buf, size, (size_t)n);
		areas_put(i, &s);
	}
	mutex_unlock(&e->meta);
	return n;
}

/* ---- Making an area anew ---- */

struct making {
	struct area a;
	u32 at, values;                      /* the next entry's place; the lowest value's */
};

static u32 entry_hash(const struct ext4_xattr_entry *x, const u8 *value)
{
	u32 hash = 0, word;

	for (u32 k = 0; k < x->name_len; k++)
		hash = hash << 5 ^ hash >> 27 ^ (u8)x->name[k];
	for (u32 k = 0; k < x->value_size; k += 4) {
		memcpy(&word, value + k, 4);
		hash = hash << 16 ^ hash >> 16 ^ word;
	}
	return hash;
}

/* The target is zeroed: paddings are. */
static int making_put(struct making *m, u8 index, const char *name, u32 name_len, const void *value, u32 size)
{
	if (value_bytes(size) > m->values || m->at + entry_bytes(name_len) + 4 > m->values - value_bytes(size))
		return -ENOSPC;
	struct ext4_xattr_entry *x = entry_at(&m->a, m->at);
	m->values -= value_bytes(size);
	x->name_index = index;
	x->name_len = (u8)name_len;
	x->value_size = size;
	x->value_offs = size ? (u16)m->values : 0;
	memcpy(x->name, name, name_len);
	if (size)
		memcpy(m->a.base + m->values, value, size);
	x->hash = m->a.block ? entry_hash(x, m->a.base + m->values) : 0;
	m->at += entry_bytes(name_len);
	m->a.empty = false;
	return 0;
}

/* Does t come before x in a block? */
static bool sorts_before(const struct attr *t, const struct ext4_xattr_entry *x)
{
	int cmp = (int)USER_INDEX - x->name_index;

	if (!cmp)
		cmp = (int)t->name_len - x->name_len;
	return cmp ? cmp < 0 : memcmp(t->name, x->name, t->name_len) < 0;
}

/* a with t set, or without it, into `to` (end bytes, zeroed). -ENOSPC. */
static int area_make(const struct area *a, const struct attr *t, u8 *to, struct making *m)
{
	const struct ext4_xattr_entry *x;
	bool done = !t->value;
	int r = 0;

	*m = (struct making){ .a = { to, a->first, a->end, a->block, true }, .at = a->first, .values = a->end };
	FOR_EACH(a, at, x) {
		bool same = is_attr(x, t);
		if (!done && (same || (a->block && sorts_before(t, x)))) {
			r = making_put(m, USER_INDEX, t->name, t->name_len, t->value, t->size);
			done = true;
		}
		if (!r && !same)
			r = making_put(m, x->name_index, x->name, x->name_len, a->base + x->value_offs, x->value_size);
		if (r)
			return r;
	}
	return done ? 0 : making_put(m, USER_INDEX, t->name, t->name_len, t->value, t->size);
}

/* ---- Putting it into its place ---- */

/* One user less of i's block of attributes. */
static int block_leave(struct ext4_inode *i, struct ext4_buf *b)
{
	struct ext4 *e = ext4_of(&i->v);
	struct ext4_xattr_header *h = (struct ext4_xattr_header *)(void *)b->data;

	i->file_acl = 0;
	i->sectors -= MIN(i->sectors, (u64)1 << (e->block_bits - 9));
	if (h->refcount == 1)
		return ext4_free_blocks(e, b->block, 1, true);
	h->refcount--;
	block_changed(e, b);
	return 0;
}

static int block_own(struct ext4_inode *i, struct ext4_buf *old, struct ext4_buf **ret)
{
	struct ext4 *e = ext4_of(&i->v);
	u32 n = 1;
	u64 block;
	int r = ext4_alloc_blocks(e, ext4_group_first(e, (u32)((i->v.ino - 1) / e->inodes_per_group)), 0, &n, &block);

	if (r)
		return r;
	r = buf_new(e, block, ret);
	if (!r && old)
		r = block_leave(i, old);
	if (r) {
		int f = ext4_free_blocks(e, block, 1, true);
		return f ? f : r;
	}
	i->file_acl = block;
	i->sectors += 1u << (e->block_bits - 9);
	if (!(e->compat & EXT4_COMPAT_EXT_ATTR)) {
		e->compat |= EXT4_COMPAT_EXT_ATTR;
		e->super->feature_compat |= EXT4_COMPAT_EXT_ATTR;
		ext4_super_store(e);
	}
	return 0;
}

static u32 all_hashes(const struct area *a)
{
	const struct ext4_xattr_entry *x;
	u32 hash = 0;

	FOR_EACH(a, at, x) {
		if (!x->hash)
			return 0;            /* 0 says: not to be shared */
		hash = hash << 16 ^ hash >> 16 ^ x->hash;
	}
	return hash;
}

static int block_store(struct ext4_inode *i, struct areas *s, struct making *m)
{
	struct ext4 *e = ext4_of(&i->v);
	struct ext4_buf *b = s->bbuf, *own = NULL;
	int r = 0;

	if (m->a.empty)
		return b ? block_leave(i, b) : 0;
	if (!b || ((struct ext4_xattr_header *)(void *)b->data)->refcount > 1) {
		r = block_own(i, b, &own);
		b = own;
	}
	if (r)
		return r;
	memcpy(b->data, m->a.base, e->block_size);
	*(struct ext4_xattr_header *)(void *)b->data = (struct ext4_xattr_header){
		.magic = EXT4_XATTR_MAGIC, .refcount = 1, .blocks = 1, .hash = all_hashes(&m->a) };
	block_changed(e, b);
	if (own)
		buf_put(e, own);
	return 0;
}

static void inode_area_store(struct ext4 *e, struct areas *s, const struct making *m)
{
	u32 magic = m->a.empty ? 0 : EXT4_XATTR_MAGIC;

	memcpy(s->in.base - 4, &magic, 4);
	memcpy(s->in.base, m->a.base, m->a.end);
	buf_dirty(e, s->ibuf);
}

/* t goes where it fits and away where it was. scratch: a block for each area. */
static int attr_place(struct ext4_inode *i, struct areas *s, const struct attr *t, u8 *const scratch[2])
{
	struct attr gone = *t;
	struct making in, out;
	bool was_in = area_find(&s->in, t), was_out = area_find(&s->out, t);
	int r = !t->value ? 0 : s->in.base ? area_make(&s->in, t, scratch[0], &in) : -ENOSPC;

	gone.value = NULL;
	if (!t->value || r == -ENOSPC) {
		memset(scratch[0], 0, ext4_of(&i->v)->block_size);
		r = t->value ? area_make(&s->out, t, scratch[1], &out) : was_out ? area_make(&s->out, &gone, scratch[1], &out) : 0;
		if (!r && was_in)
			r = area_make(&s->in, &gone, scratch[0], &in);
		/* The block first: it can fail, the rest cannot. */
		if (!r && (t->value || was_out))
			r = block_store(i, s, &out);
		if (!r && was_in)
			inode_area_store(ext4_of(&i->v), s, &in);
		return r;
	}
	if (!r && was_out) {
		r = area_make(&s->out, &gone, scratch[1], &out);
		if (!r)
			r = block_store(i, s, &out);
	}
	if (!r)
		inode_area_store(ext4_of(&i->v), s, &in);
	return r;
}

static int attr_set_once(struct ext4_inode *i, const struct attr *t, u32 flags, u8 *const scratch[2])
{
	struct ext4 *e = ext4_of(&i->v);
	struct areas s;
	int r = ext4_begin(e);

	if (r)
		return r;
	r = areas_get(i, &s);
	if (!r) {
		bool was = area_find(&s.in, t) || area_find(&s.out, t);
		if (was && flags & FS_XATTR_CREATE)
			r = -EEXIST;
		else if (!was && flags & (FS_XATTR_REPLACE | FS_XATTR_REMOVE))
			r = -ENODATA;
		else
			r = attr_place(i, &s, t, scratch);
		areas_put(i, &s);
	}
	if (!r) {
		fs_now(&i->ctime);
		r = ext4_inode_store(i, false);
	}
	ext4_end(e);
	return r;
}

int ext4_setxattr(struct vnode *v, const char *name, const void *value, size_t size, u32 flags)
{
	struct ext4_inode *i = ext4_inode(v);
	struct ext4 *e = ext4_of(v);
	u8 *scratch[2] = { ext4_block_new(), ext4_block_new() };
	struct attr t;
	int r = !str_has_prefix(name, USER_PREFIX) ? -EPERM : scratch[0] && scratch[1] ? 0 : -ENOMEM;

	attr_init(&t, name);
	t.size = (u32)size;
	t.value = flags & FS_XATTR_REMOVE ? NULL : size ? value : "";
	if (!r)
		r = attr_set_once(i, &t, flags, scratch);
	/* Room in the volume may be on its way; room in a block is not. */
	if (r == -ENOSPC && e->free_blocks <= e->reserved && !ext4_settle_space(e)) {
		memset(scratch[0], 0, e->block_size);
		memset(scratch[1], 0, e->block_size);
		r = attr_set_once(i, &t, flags, scratch);
	}
	ext4_block_free(scratch[0]);
	ext4_block_free(scratch[1]);
	return r;
}

/* The inode goes. */
int ext4_xattrs_free(struct ext4_inode *i)
{
	struct ext4_buf *b;
	struct area a;
	int r = area_of_block(i, &b, &a);

	if (r || !b)
		return r;
	r = block_leave(i, b);
	buf_put(ext4_of(&i->v), b);
	return r;
}
