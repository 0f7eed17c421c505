/*
 * dcache.c - the name cache: (directory, name) -> vnode, or the knowledge that there is none.
 *
 * An entry is in one of these states:
 *   hashed   found by lookups; holds a reference of its directory and, if positive, of its vnode.
 *            That last reference is "idle": counted in vnode->idle_refs too.
 *   loose    not found by lookups, belongs to its vnode (vnode->dentry) and only says its name:
 *            vnodes of directories whose names come and go, unnamed files.
 *   dead     as loose, but the name is gone (unlinked while in use): paths show "(deleted)".
 *
 * Invariants:
 *  (D1) vnode->dentry is NULL or an entry whose vnode field is that vnode.
 *  (D2) A directory has at most one hashed positive entry, so its path is exact; a second one is
 *       the work of a broken image and refused.
 *  (D3) A hashed entry is evicted only while nobody uses its vnode (refs == idle_refs): open files
 *       and the directories above them keep their names. Directories are thus evicted leaf first.
 *  (D4) Entries of a directory change only with dir->lock held (eviction apart), so what the cache
 *       says is what the file system said.
 *
 * Locks: dcache_lock (spinlock) guards the hash table, the LRU list, vnode->dentry. References
 * are dropped after it is released, because the last one calls into the file system.
 * What can fail: memory for entries.
 */
#include "fs/internal.h"
#include "sched/random.h"

#define DCACHE_BUCKETS 512u
#define DCACHE_MAX     8192u         /* entries; more than that evicts the oldest */

enum dentry_state { DENTRY_HASHED, DENTRY_LOOSE, DENTRY_DEAD };

struct dentry {
	struct dentry *next, **pprev;  /* D: the bucket */
	struct list lru;               /* D: oldest first; self when not hashed */
	struct vnode *dir;             /* a reference; NULL: no directory at all */
	struct vnode *vnode;           /* NULL: negative */
	u32 hash;
	u8 state, used, len;
	char name[];
};

static struct spinlock dcache_lock;
static struct dentry *dcache_table[DCACHE_BUCKETS];
static struct list dcache_lru = LIST_INIT(dcache_lru);
static unsigned dcache_n;
static u32 dcache_secret;

COUNTER(fs_dir_alias);

static inline u32 hash_begin(const struct vnode *dir) { return (u32)((uintptr_t)dir >> 4) ^ dcache_secret; }
static inline u32 hash_add(u32 h, char c) { return (h ^ (u8)c) * 0x01000193u; }
static inline u32 hash_end(u32 h) { return h ^ h >> 15; }

static NOINLINE u32 dcache_hash(const struct vnode *dir, const char *name, size_t len)
{
	u32 h = hash_begin(dir);
	for (size_t i = 0; i < len; i++)
		h = hash_add(h, name[i]);
	return hash_end(h);
}

/* ---- Under dcache_lock ---- */

/* Names whose hashes are the same: nearly always they are too, and they are short. */
static inline bool same_name(const char *a, const char *b, size_t len)
{
	if (unlikely(len > 16))
		return memcmp(a, b, len) == 0;
	while (len && a[len - 1] == b[len - 1])
		len--;
	return !len;
}

static struct dentry *dcache_find_locked(const struct vnode *dir, const char *name, size_t len, u32 hash)
{
	for (struct dentry *d = dcache_table[hash % DCACHE_BUCKETS]; d; d = d->next)
		if (d->hash == hash && d->dir == dir && d->len == len && same_name(d->name, name, len))
			return d;
	return NULL;
}

static void dcache_hash_locked(struct dentry *d)
{
	struct dentry **b = &dcache_table[d->hash % DCACHE_BUCKETS];
	d->next = *b;
	d->pprev = b;
	if (*b)
		(*b)->pprev = &d->next;
	*b = d;
	d->state = DENTRY_HASHED;
	list_append(&dcache_lru, &d->lru);
	dcache_n++;
}

static void dcache_unhash_locked(struct dentry *d)
{
	*d->pprev = d->next;
	if (d->next)
		d->next->pprev = d->pprev;
	d->next = NULL;
	d->pprev = NULL;
	list_remove(&d->lru);
	dcache_n--;
}

/* What must be let go of after the lock is released. */
struct dcache_drop {
	struct dentry *dentry;
	struct vnode *dir, *vnode;
};

static NOINLINE void dcache_drop(struct dcache_drop *x)
{
	heap_free(x->dentry);
	if (x->vnode)
		vnode_put(x->vnode);
	if (x->dir)
		vnode_put(x->dir);
}

/* Give v the name d; a loose or dead entry that it had before is returned to be freed. */
static void dcache_name_locked(struct vnode *v, struct dentry *d, struct dcache_drop *old)
{
	struct dentry *o = v->dentry;
	v->dentry = d;
	if (o && o != d && o->state != DENTRY_HASHED)
		*old = (struct dcache_drop){ o, o->dir, NULL };
}

/* Take d out of the hash. Its vnode keeps it as a dead name if that is all it has. */
static void dcache_kill_locked(struct dentry *d, bool keep_name, struct dcache_drop *x)
{
	struct vnode *v = d->vnode;
	dcache_unhash_locked(d);
	*x = (struct dcache_drop){ d, d->dir, v };
	if (!v)
		return;
	__atomic_fetch_sub(&v->idle_refs, 1, __ATOMIC_RELAXED);
	if (v->dentry != d)
		return;
	if (keep_name) {
		d->state = DENTRY_DEAD;
		x->dentry = NULL;
		x->dir = NULL;
	} else {
		v->dentry = NULL;
	}
}

static bool dcache_is_idle(const struct dentry *d)
{
	struct vnode *v = d->vnode;
	return !v || (__atomic_load_n(&v->refs, __ATOMIC_ACQUIRE) == __atomic_load_n(&v->idle_refs, __ATOMIC_ACQUIRE) && !v->covered_by);
}

/* ---- Lookups ---- */

int dcache_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **ret)
{
	struct dcache_drop old_name = { 0 };
	u32 hash = dcache_hash(dir, name, len);
	int r = -EAGAIN;
	spin_lock(&dcache_lock);
	struct dentry *d = dcache_find_locked(dir, name, len, hash);
	if (d) {
		struct vnode *v = d->vnode;
		d->used = 1;
		r = -ENOENT;
		if (v) {
			vnode_get(v);
			if (unlikely(v->dentry != d))
				dcache_name_locked(v, d, &old_name);   /* a file of several names shows the last one used */
			*ret = v;
			r = 0;
		}
	}
	spin_unlock(&dcache_lock);
	if (unlikely(old_name.dentry))
		dcache_drop(&old_name);
	return r;
}

const char *dcache_descend(struct vnode **at, const char *p)
{
	struct vnode *v = *at;
	spin_lock(&dcache_lock);
	for (;;) {
		u32 h = hash_begin(v);
		const char *end = p;
		for (; *end && *end != '/'; end++)
			h = hash_add(h, *end);
		const char *next = end;
		while (*next == '/')
			next++;
		size_t len = (size_t)(end - p);
		if (!*next || fs_name_is_dot(p, len) || fs_name_is_dotdot(p, len))
			break;
		struct dentry *d = dcache_find_locked(v, p, len, hash_end(h));
		if (!d || !d->vnode || d->vnode->type != VNODE_DIR)
			break;
		d->used = 1;
		v = d->vnode;
		while (unlikely(v->covered_by != NULL))
			v = v->covered_by->root;
		p = next;
	}
	/* What the cache holds cannot go while the lock is held: one reference at the end is enough. */
	if (v != *at)
		vnode_get(v);
	spin_unlock(&dcache_lock);
	if (v != *at) {
		vnode_put(*at);
		*at = v;
	}
	return p;
}

struct vnode *dcache_resolve(struct vnode *v, const char *path)
{
	const char *p = path;
	spin_lock(&dcache_lock);
	for (;;) {
		while (*p == '/')
			p++;
		if (!*p)
			break;
		const char *name = p;
		u32 h = hash_begin(v);
		for (; *p && *p != '/'; p++)
			h = hash_add(h, *p);
		size_t len = (size_t)(p - name);
		struct dentry *d = unlikely(*name == '.') && (fs_name_is_dot(name, len) || fs_name_is_dotdot(name, len)) ? NULL :
			dcache_find_locked(v, name, len, hash_end(h));
		/* A file of several names is named anew by the one that is used. */
		if (!d || !d->vnode || d->vnode->dentry != d || d->vnode->type == VNODE_LINK || (*p && d->vnode->type != VNODE_DIR))
			goto miss;
		d->used = 1;
		v = d->vnode;
		while (unlikely(v->covered_by != NULL))
			v = v->covered_by->root;
	}
	if (unlikely(p - path >= FS_PATH_MAX))
		goto miss;
	vnode_get(v);
	spin_unlock(&dcache_lock);
	return v;
miss:
	spin_unlock(&dcache_lock);
	return NULL;
}

static struct dentry *dentry_new(const char *name, size_t len)
{
	struct dentry *d = heap_alloc(sizeof *d + len + 1);
	if (!d)
		return NULL;
	memcpy(d->name, name, len);
	d->len = (u8)len;
	d->state = DENTRY_LOOSE;
	list_init(&d->lru);
	return d;
}

/* d becomes the hashed entry (dir, d->name) -> v, replacing what was there. */
static void dcache_insert_locked(struct dentry *d, struct vnode *dir, struct vnode *v, struct dcache_drop *old_name)
{
	vnode_get(dir);
	d->dir = dir;
	d->vnode = v;
	d->used = 1;
	if (v) {
		vnode_get(v);
		__atomic_fetch_add(&v->idle_refs, 1, __ATOMIC_RELAXED);
	}
	dcache_hash_locked(d);
	if (v)
		dcache_name_locked(v, d, old_name);
}

int dcache_enter(struct vnode *dir, const char *name, size_t len, struct vnode *v)
{
	struct dcache_drop replaced = { 0 }, old_name = { 0 };
	int r = 0;

	if (v && v->flags & VNODE_NOCACHE)
		return dcache_name_loose(v, dir, name, len, false);
	if (!v && dir->flags & VNODE_DEAD)
		return 0;
	if (unlikely(!dcache_secret)) {
		u32 s;
		random_bytes(&s, sizeof s);
		spin_lock(&dcache_lock);
		if (!dcache_n)
			dcache_secret = s | 1;
		spin_unlock(&dcache_lock);
	}
	struct dentry *fresh = dentry_new(name, len);
	if (!fresh)
		return v ? -ENOMEM : 0;
	fresh->hash = dcache_hash(dir, name, len);
	spin_lock(&dcache_lock);
	struct dentry *d = dcache_find_locked(dir, name, len, fresh->hash);
	if (d && d->vnode == v)
		goto out;                    /* another walker was quicker */
	if (v && v->type == VNODE_DIR &&
	    (v == v->mount->root || (v->dentry && v->dentry->state == DENTRY_HASHED && v->dentry != d))) {
		counter_bump(fs_dir_alias);
		r = -EUCLEAN;
		goto out;
	}
	if (d)
		dcache_kill_locked(d, false, &replaced);
	dcache_insert_locked(fresh, dir, v, &old_name);
	fresh = NULL;
out:
	spin_unlock(&dcache_lock);
	heap_free(fresh);
	dcache_drop(&replaced);
	dcache_drop(&old_name);
	if (unlikely(dcache_n > DCACHE_MAX))
		dcache_shrink(64);
	return r;
}

struct dentry *dcache_prepare(const char *name, size_t len)
{
	return dentry_new(name, MIN(len, (size_t)FS_NAME_MAX));   /* longer ones will not be used */
}

void dcache_discard_prepared(struct dentry *d)
{
	heap_free(d);
}

void dcache_enter_prepared(struct dentry *fresh, struct vnode *dir, struct vnode *v)
{
	struct dcache_drop replaced = { 0 }, old_name = { 0 };
	fresh->hash = dcache_hash(dir, fresh->name, fresh->len);
	spin_lock(&dcache_lock);
	struct dentry *d = dcache_find_locked(dir, fresh->name, fresh->len, fresh->hash);
	if (d)
		dcache_kill_locked(d, true, &replaced);
	dcache_insert_locked(fresh, dir, v, &old_name);
	spin_unlock(&dcache_lock);
	dcache_drop(&replaced);
	dcache_drop(&old_name);
	if (unlikely(dcache_n > DCACHE_MAX))
		dcache_shrink(64);
}

void dcache_forget(struct vnode *dir, const char *name, size_t len, const struct vnode *v)
{
	struct dcache_drop x = { 0 };
	spin_lock(&dcache_lock);
	struct dentry *d = v->dentry;        /* mostly it was just looked up */
	if (unlikely(!d || d->state != DENTRY_HASHED || d->dir != dir || d->len != len || !same_name(d->name, name, len)))
		d = dcache_find_locked(dir, name, len, dcache_hash(dir, name, len));
	if (d)
		dcache_kill_locked(d, true, &x);
	spin_unlock(&dcache_lock);
	dcache_drop(&x);
}

COLD void dcache_purge(struct vnode *dir)
{
	struct dentry *gone = NULL, *d, *next;

	spin_lock(&dcache_lock);
	list_for_each_entry_safe(d, next, &dcache_lru, lru) {
		if (d->dir == dir && !d->vnode) {
			dcache_unhash_locked(d);
			d->next = gone;
			gone = d;
		}
	}
	spin_unlock(&dcache_lock);
	while (gone) {
		struct dcache_drop x = { gone, dir, NULL };
		gone = gone->next;
		dcache_drop(&x);
	}
}

COLD void dcache_move(struct vnode *odir, const char *oname, size_t olen, struct vnode *ndir, struct dentry *fresh, struct vnode *v)
{
	struct dcache_drop old = { 0 }, victim = { 0 }, old_name = { 0 };
	fresh->hash = dcache_hash(ndir, fresh->name, fresh->len);
	spin_lock(&dcache_lock);
	struct dentry *d = dcache_find_locked(odir, oname, olen, dcache_hash(odir, oname, olen));
	if (d && d->vnode == v)
		dcache_kill_locked(d, false, &old);
	d = dcache_find_locked(ndir, fresh->name, fresh->len, fresh->hash);
	if (d)
		dcache_kill_locked(d, true, &victim);
	dcache_insert_locked(fresh, ndir, v, &old_name);
	spin_unlock(&dcache_lock);
	dcache_drop(&old);
	dcache_drop(&victim);
	dcache_drop(&old_name);
}

COLD int dcache_name_loose(struct vnode *v, struct vnode *dir, const char *name, size_t len, bool deleted)
{
	struct dcache_drop old = { 0 };
	struct dentry *d = dentry_new(name, len);
	if (!d)
		return -ENOMEM;
	if (dir)
		vnode_get(dir);
	d->dir = dir;
	d->vnode = v;
	d->state = deleted ? DENTRY_DEAD : DENTRY_LOOSE;
	spin_lock(&dcache_lock);
	if (v->dentry) {
		old = (struct dcache_drop){ d, dir, NULL };   /* it has a name already */
	} else {
		v->dentry = d;
	}
	spin_unlock(&dcache_lock);
	dcache_drop(&old);
	return 0;
}

struct vnode *dcache_detach(struct vnode *v)
{
	struct dentry *d = v->dentry;
	struct vnode *dir = NULL;
	if (!d)
		return NULL;
	ASSERT(d->state != DENTRY_HASHED);   /* a hashed entry holds a reference */
	v->dentry = NULL;
	dir = d->dir;
	heap_free(d);
	return dir;
}

/* ---- Upwards ---- */

struct vnode *dcache_parent(struct vnode *v)
{
	struct vnode *dir = NULL;
	spin_lock(&dcache_lock);
	if (v->dentry && v->dentry->dir) {
		dir = v->dentry->dir;
		vnode_get(dir);
	}
	spin_unlock(&dcache_lock);
	return dir;
}

COLD bool dcache_is_ancestor(struct vnode *a, struct vnode *b)
{
	bool yes = false;
	spin_lock(&dcache_lock);
	for (struct vnode *v = b; v && !yes; v = v->dentry ? v->dentry->dir : NULL)
		yes = v == a;
	spin_unlock(&dcache_lock);
	return yes;
}

COLD ssize_t dcache_path(struct vnode *v, char *buf, size_t size, bool *ret_deleted)
{
	size_t at = size;
	ssize_t r = -ERANGE;
	*ret_deleted = false;
	spin_lock(&dcache_lock);
	for (;;) {
		struct dentry *d = v->dentry;
		if (v == v->mount->root) {
			if (!v->mount->covers)
				break;               /* the top */
			v = v->mount->covers;
			continue;
		}
		if (!d) {
			r = -ENOENT;
			goto out;
		}
		*ret_deleted |= d->state == DENTRY_DEAD;
		if (at < (size_t)d->len + 1)
			goto out;
		at -= d->len;
		memcpy(buf + at, d->name, d->len);
		buf[--at] = '/';
		if (!d->dir)
			break;
		v = d->dir;
	}
	if (at == size) {
		if (!at)
			goto out;
		buf[--at] = '/';
	}
	r = (ssize_t)(size - at);
	memmove(buf, buf + at, (size_t)r);
out:
	spin_unlock(&dcache_lock);
	return r;
}

/* ---- Giving memory back ---- */

unsigned dcache_count(void)
{
	return READ_ONCE(dcache_n);
}

static u64 read_names(void) { return dcache_count(); }
GAUGE(fs_names, read_names);

/* Unhash one idle entry, the oldest that was not used since it was last looked at. False: none, or *budget looks are used up. */
static bool dcache_evict_one(struct dcache_drop *x, unsigned *budget)
{
	bool found = false;
	spin_lock(&dcache_lock);
	while (!found && *budget && !list_empty(&dcache_lru)) {
		struct dentry *d = list_entry(list_first(&dcache_lru), struct dentry, lru);
		--*budget;
		if (!d->used && dcache_is_idle(d)) {
			dcache_kill_locked(d, false, x);
			found = true;
		} else {
			d->used = 0;
			list_remove(&d->lru);
			list_append(&dcache_lru, &d->lru);
		}
	}
	spin_unlock(&dcache_lock);
	return found;
}

COLD unsigned dcache_shrink(unsigned want)
{
	/* The first round over all of them may only clear the used marks. */
	unsigned n = 0, budget = 2 * dcache_count() + 1;
	struct dcache_drop x;
	while (n < want) {
		x = (struct dcache_drop){ 0 };
		if (!dcache_evict_one(&x, &budget))
			break;
		dcache_drop(&x);
		n++;
	}
	return n;
}
