/*
 * locks.c - advisory locks on vnodes.
 *
 * There is one process: its POSIX locks never stand in their own way, but they do in the way
 * of locks owned by open files (OFD), and those in each other's. flock locks belong to open
 * files and meet only each other.
 *
 * Invariants:
 *  1. Ranges of one owner in x->posix do not overlap, stand together in order, and neighbours differ in type.
 *  2. Each lock counts as a user of the vnode_ext.
 *
 * Locks: locks_mutex > vnode_ext_mutex. Waiters sleep on x->waitq with neither held; a waiter
 * is a user of the vnode_ext. What can fail: memory; waiting can be interrupted.
 */
#include "proc/locks.h"
#include "proc/vnode_ext.h"
#include "mm/heap.h"

struct lock {
	struct list link;            /* on x->posix or x->flock */
	const struct file *owner;    /* NULL: the process */
	s16 type;
	s64 start, end;
};

static struct heap_cache lock_cache = HEAP_CACHE(lock);
static struct mutex locks_mutex = MUTEX_INIT(locks_mutex);

static struct vnode_ext *ext_get(struct vnode *v)
{
	mutex_lock(&vnode_ext_mutex);
	struct vnode_ext *x = vnode_ext_get_locked(v);
	mutex_unlock(&vnode_ext_mutex);
	return x;
}

static void ext_put(struct vnode *v)
{
	mutex_lock(&vnode_ext_mutex);
	vnode_ext_put_locked(v);
	mutex_unlock(&vnode_ext_mutex);
}

static struct lock *lock_new(struct vnode *v, const struct file *owner, s16 type, s64 start, s64 end)
{
	struct lock *l = heap_cache_alloc(&lock_cache);

	if (!l)
		return NULL;
	*l = (struct lock){ .owner = owner, .type = type, .start = start, .end = end };
	list_init(&l->link);
	mutex_lock(&vnode_ext_mutex);
	((struct vnode_ext *)v->locks)->users++;
	mutex_unlock(&vnode_ext_mutex);
	return l;
}

static void lock_free(struct vnode *v, struct lock *l)
{
	list_remove(&l->link);
	heap_cache_free(&lock_cache, l);
	ext_put(v);
}

static struct lock *conflict_locked(struct list *locks, const struct file *owner, const struct lock_range *r)
{
	struct lock *l;

	list_for_each_entry(l, locks, link) {
		if (l->owner == owner || l->start > r->end || l->end < r->start)
			continue;
		if (l->type == LX_F_WRLCK || r->type == LX_F_WRLCK)
			return l;
	}
	return NULL;
}

/* Make room: cut, split or drop the owner's locks inside [start, end]; `spare` is used for a split. */
static void carve_locked(struct vnode *v, struct list *locks, const struct file *owner, s64 start, s64 end, struct lock **spare)
{
	struct lock *l, *next;

	list_for_each_entry_safe(l, next, locks, link) {
		if (l->owner != owner || l->start > end || l->end < start)
			continue;
		if (l->start < start && l->end > end) {
			struct lock *tail = *spare;
			*spare = NULL;
			tail->owner = owner;
			tail->type = l->type;
			tail->start = end + 1;
			tail->end = l->end;
			l->end = start - 1;
			list_push(&l->link, &tail->link);
			return;
		}
		if (l->start < start)
			l->end = start - 1;
		else if (l->end > end)
			l->start = end + 1;
		else
			lock_free(v, l);
	}
}

/* Put l among its owner's, in order. */
static void insert_locked(struct list *locks, struct lock *fresh)
{
	struct list *after = locks->prev;
	struct lock *l;

	list_for_each_entry(l, locks, link) {
		if (l->owner != fresh->owner)
			continue;
		if (l->start > fresh->start) {
			after = l->link.prev;
			break;
		}
		after = &l->link;
	}
	list_push(after, &fresh->link);
}

/* Grow l over neighbours of the same owner and type. */
static void merge_locked(struct vnode *v, struct list *locks, struct lock *l)
{
	struct lock *o, *next;

	list_for_each_entry_safe(o, next, locks, link) {
		if (o == l || o->owner != l->owner || o->type != l->type)
			continue;
		if (l->start > 0 && o->end == l->start - 1)
			l->start = o->start;
		else if (l->end < LOCKS_TO_END && o->start == l->end + 1)
			l->end = o->end;
		else
			continue;
		lock_free(v, o);
	}
}

static int apply_locked(struct vnode *v, struct vnode_ext *x, const struct file *owner, const struct lock_range *r)
{
	struct lock *spare = lock_new(v, owner, r->type, 0, 0);
	struct lock *fresh = r->type == LX_F_UNLCK ? NULL : lock_new(v, owner, r->type, r->start, r->end);
	int ret = 0;

	if (!spare || (r->type != LX_F_UNLCK && !fresh)) {
		ret = -ENOMEM;
	} else {
		carve_locked(v, &x->posix, owner, r->start, r->end, &spare);
		if (fresh) {
			insert_locked(&x->posix, fresh);
			merge_locked(v, &x->posix, fresh);
			fresh = NULL;
		}
	}
	if (spare)
		lock_free(v, spare);
	if (fresh)
		lock_free(v, fresh);
	return ret;
}

/* Sleep until something changed; the caller tries again. locks_mutex is dropped meanwhile. */
static int wait_locked(struct vnode_ext *x)
{
	struct waiter w;
	int r;

	waitq_prepare(&x->waitq, &w, false);
	mutex_unlock(&locks_mutex);
	r = waitq_block(&w, true, WAIT_FOREVER);
	waitq_finish(&w);
	mutex_lock(&locks_mutex);
	return r;
}

int locks_set(struct file *f, const struct lock_range *r, bool wait)
{
	const struct file *owner = r->ofd ? f : NULL;
	struct vnode_ext *x = ext_get(f->vnode);
	int ret = 0;

	if (!x)
		return -ENOMEM;
	mutex_lock(&locks_mutex);
	while (ret == 0 && r->type != LX_F_UNLCK && conflict_locked(&x->posix, owner, r))
		ret = wait ? wait_locked(x) : -EAGAIN;
	if (ret == 0)
		ret = apply_locked(f->vnode, x, owner, r);
	mutex_unlock(&locks_mutex);
	waitq_wake_all(&x->waitq);
	ext_put(f->vnode);
	return ret;
}

void locks_test(struct file *f, const struct lock_range *r, struct lock_range *ret)
{
	struct vnode_ext *x;
	struct lock *l = NULL;

	*ret = *r;
	ret->type = LX_F_UNLCK;
	mutex_lock(&locks_mutex);
	mutex_lock(&vnode_ext_mutex);
	x = f->vnode->locks;
	if (x)
		l = conflict_locked(&x->posix, r->ofd ? f : NULL, r);
	if (l)
		*ret = (struct lock_range){ l->type, l->start, l->end, l->owner != NULL };
	mutex_unlock(&vnode_ext_mutex);
	mutex_unlock(&locks_mutex);
}

int locks_flock(struct file *f, int type, bool wait)
{
	struct lock_range all = { (s16)type, 0, LOCKS_TO_END, true };
	struct vnode_ext *x = ext_get(f->vnode);
	struct lock *fresh = NULL, *l, *next;
	int r = 0;

	if (!x)
		return -ENOMEM;
	mutex_lock(&locks_mutex);
	if (type != LX_F_UNLCK)
		fresh = lock_new(f->vnode, f, (s16)type, 0, LOCKS_TO_END);
	if (type != LX_F_UNLCK && !fresh)
		r = -ENOMEM;
	if (r == 0) {                    /* a conversion gives the old lock up first, as Linux does */
		list_for_each_entry_safe(l, next, &x->flock, link)
			if (l->owner == f && (type == LX_F_UNLCK || l->type != type))
				lock_free(f->vnode, l);
			else if (l->owner == f) {
				lock_free(f->vnode, fresh);
				fresh = NULL;
			}
		waitq_wake_all(&x->waitq);
	}
	while (r == 0 && fresh && conflict_locked(&x->flock, f, &all))
		r = wait ? wait_locked(x) : -EAGAIN;
	if (fresh && r == 0)
		list_append(&x->flock, &fresh->link);
	else if (fresh)
		lock_free(f->vnode, fresh);
	mutex_unlock(&locks_mutex);
	ext_put(f->vnode);
	return r;
}

static void drop_owner(struct vnode *v, const struct file *owner, bool flock)
{
	struct lock *l, *next;

	mutex_lock(&vnode_ext_mutex);
	struct vnode_ext *x = v->locks;
	if (x)
		x->users++;
	mutex_unlock(&vnode_ext_mutex);
	if (!x)
		return;
	mutex_lock(&locks_mutex);
	list_for_each_entry_safe(l, next, &x->posix, link)
		if (l->owner == owner)
			lock_free(v, l);
	if (flock)
		list_for_each_entry_safe(l, next, &x->flock, link)
			if (l->owner == owner)
				lock_free(v, l);
	mutex_unlock(&locks_mutex);
	waitq_wake_all(&x->waitq);
	ext_put(v);
}

void locks_close(struct file *f) { drop_owner(f->vnode, NULL, false); }
void locks_file_gone(struct file *f) { drop_owner(f->vnode, f, true); }
