/*
 * inotify.c - watches on vnodes and queues of what happened.
 *
 * Events come from the calls that cause them: those on open files through notify_vnode, those
 * on names from linux/ (notify_name, notify_self), so only while a watch exists does anybody pay.
 *
 * Invariants:
 *  1. A watch is on its instance's list and on all_watches; it holds a reference of its vnode.
 *  2. notify_watches is the number of watches.
 *  3. An instance queues at most QUEUE_MAX events; the one after them is LX_IN_Q_OVERFLOW.
 *
 * Locks: notify_mutex (all of this). Waiters sleep on the instance's queue with it dropped.
 * What can fail: memory (an event is then lost as an overflow).
 */
#include "proc/notify.h"
#include "base/link.h"
#include "base/print.h"
#include "base/string.h"
#include "mm/heap.h"

#define QUEUE_MAX 16384u

struct lx_inotify_event {
	s32 wd;
	u32 mask, cookie, len;
};

struct event {
	struct list link;
	struct lx_inotify_event head;
	char name[];
};

struct inotify {
	struct list watches, events; /* N: notify_mutex */
	unsigned nevents;            /* N */
	int last_wd;                 /* N */
	struct waitq waitq;
};

struct watch {
	struct list link, all;       /* N */
	struct inotify *in;
	struct vnode *vnode;
	u32 mask;                    /* N */
	int wd;
};

u32 notify_watches;
static struct mutex notify_mutex = MUTEX_INIT(notify_mutex);
static struct list all_watches = LIST_INIT(all_watches);
static struct list dropped = LIST_INIT(dropped);   /* N: watches to be given back without the lock */
static bool dropping;                /* N: somebody is at it */
static u32 last_cookie;

/* ---- Queueing ---- */

static bool same_as_last(const struct inotify *in, const struct lx_inotify_event *h, const char *name)
{
	const struct event *e;

	if (list_empty(&in->events))
		return false;
	e = list_entry(in->events.prev, struct event, link);
	return e->head.wd == h->wd && e->head.mask == h->mask && e->head.cookie == h->cookie && e->head.len == h->len &&
	       (!h->len || strcmp(e->name, name) == 0);
}

static void queue_locked(struct inotify *in, int wd, u32 mask, u32 cookie, const char *name)
{
	size_t len = name ? ROUND_UP(strlen(name) + 1, sizeof(struct lx_inotify_event)) : 0;
	struct lx_inotify_event h = { wd, mask, cookie, (u32)len };
	struct event *e;

	if (in->nevents > QUEUE_MAX || same_as_last(in, &h, name))
		return;
	if (in->nevents == QUEUE_MAX) {
		h = (struct lx_inotify_event){ -1, LX_IN_Q_OVERFLOW, 0, 0 };
		len = 0;
	}
	e = heap_alloc(sizeof(*e) + len);
	if (!e)
		return;
	e->head = h;
	if (len)
		str_copy(e->name, name, len);
	list_append(&in->events, &e->link);
	in->nevents++;
	waitq_wake(&in->waitq, POLL_IN | POLL_RDNORM, ~0u);
}

static void watch_drop_locked(struct watch *w, bool tell)
{
	if (tell)
		queue_locked(w->in, w->wd, LX_IN_IGNORED, 0, NULL);
	list_remove(&w->link);
	list_remove(&w->all);
	__atomic_fetch_sub(&notify_watches, 1, __ATOMIC_RELAXED);
	list_append(&dropped, &w->all);
}

/*
 * Unlock, and give back what was dropped. The last reference of a vnode may be that of another instance (through /proc/self/fd), whose
 * release comes here again: it leaves its own to who is at it already, so the stack does not grow with the chain.
 */
static void notify_unlock(void)
{
	struct list *l;

	while (!dropping && (l = list_pop(&dropped))) {
		struct watch *w = list_entry(l, struct watch, all);
		dropping = true;
		mutex_unlock(&notify_mutex);
		vnode_put(w->vnode);
		heap_free(w);
		mutex_lock(&notify_mutex);
		dropping = false;
	}
	mutex_unlock(&notify_mutex);
}

/* Tell all watches on v. */
static void tell_locked(const struct vnode *v, u32 mask, u32 cookie, const char *name, bool is_dir)
{
	struct watch *w, *next;

	list_for_each_entry_safe(w, next, &all_watches, all) {
		if (w->vnode != v || !(w->mask & mask & LX_IN_ALL))
			continue;
		queue_locked(w->in, w->wd, mask | (is_dir ? LX_IN_ISDIR : 0), cookie, name);
		if (w->mask & LX_IN_ONESHOT)
			watch_drop_locked(w, true);
	}
}

/* ---- What happened ---- */

void notify_name(struct vnode *dir, const char *name, u32 mask, u32 cookie, bool is_dir)
{
	mutex_lock(&notify_mutex);
	tell_locked(dir, mask, cookie, name, is_dir);
	notify_unlock();
}

void notify_self(struct vnode *v, u32 mask)
{
	struct watch *w, *next;

	mutex_lock(&notify_mutex);
	tell_locked(v, mask, 0, NULL, v->type == VNODE_DIR && !(mask & (LX_IN_DELETE_SELF | LX_IN_MOVE_SELF)));
	if (mask & LX_IN_DELETE_SELF)
		list_for_each_entry_safe(w, next, &all_watches, all)
			if (w->vnode == v)
				watch_drop_locked(w, true);
	notify_unlock();
}

u32 notify_cookie(void)
{
	return __atomic_add_fetch(&last_cookie, 1, __ATOMIC_RELAXED);
}

/* The directory and the name by which v was last found; NULL if it has none. */
static struct vnode *parent_of(struct vnode *v, char *path, const char **ret_name)
{
	struct vnode *dir;
	ssize_t n = fs_path_of(v, path, FS_PATH_MAX);
	char *slash = n > 1 ? strrchr(path, '/') : NULL;

	if (!slash || !slash[1])
		return NULL;
	*ret_name = slash + 1;
	*slash = '\0';
	return fs_namei(NULL, path[0] ? path : "/", NAMEI_FOLLOW, &dir) == 0 ? dir : NULL;
}

void notify_vnode_slow(struct vnode *v, u32 mask)
{
	char *path = heap_alloc(FS_PATH_MAX);
	const char *name;
	struct vnode *dir = path ? parent_of(v, path, &name) : NULL;

	if (dir) {
		notify_name(dir, name, mask, 0, v->type == VNODE_DIR);
		vnode_put(dir);
	}
	notify_self(v, mask);
	heap_free(path);
}

LINK_SLOT_OF(notify_vnode_slow);
__typeof__(&notify_vnode_slow) const volatile notify_vnode_hook RO_AFTER_INIT = LINK_SLOT(notify_vnode_slow);

/* ---- The instance as a file ---- */

static ssize_t take_locked(struct inotify *in, struct uio *u)
{
	size_t done = 0;

	while (!list_empty(&in->events)) {
		struct event *e = list_entry(in->events.next, struct event, link);
		size_t len = sizeof(e->head) + e->head.len;
		if (len > u->resid)
			return done ? (ssize_t)done : -EINVAL;
		if (uio_put(u, &e->head, sizeof(e->head)) + uio_put(u, e->name, e->head.len) != len)
			return done ? (ssize_t)done : -EFAULT;
		done += len;
		list_remove(&e->link);
		in->nevents--;
		heap_free(e);
	}
	return (ssize_t)done;
}

static ssize_t inotify_read(struct file *f, struct uio *u, u64 off, bool nonblock)
{
	struct inotify *in = f->priv;
	ssize_t n;
	int r;

	for (;;) {
		mutex_lock(&notify_mutex);
		n = take_locked(in, u);
		notify_unlock();
		if (n)
			return n;
		if (nonblock)
			return -EAGAIN;
		r = WAIT_EVENT_INTR(&in->waitq, !list_empty(&in->events), WAIT_FOREVER);
		if (r)
			return r;
	}
}

static u32 inotify_poll(struct file *f, struct poll_table *pt)
{
	struct inotify *in = f->priv;

	poll_add(pt, &in->waitq);
	return READ_ONCE(in->nevents) ? POLL_IN | POLL_RDNORM : 0;
}

static int inotify_ioctl(struct file *f, u32 cmd, void *kbuf)
{
	struct inotify *in = f->priv;
	struct event *e;
	size_t sum = 0;

	if (cmd != 0x541b) /* FIONREAD */
		return -ENOTTY;
	mutex_lock(&notify_mutex);
	list_for_each_entry(e, &in->events, link)
		sum += sizeof(e->head) + e->head.len;
	notify_unlock();
	*(int *)kbuf = (int)sum;
	return 0;
}

static void inotify_release(struct file *f)
{
	struct inotify *in = f->priv;
	struct watch *w, *next;
	struct list *l;

	mutex_lock(&notify_mutex);
	list_for_each_entry_safe(w, next, &in->watches, link)
		watch_drop_locked(w, false);
	while ((l = list_pop(&in->events)))
		heap_free(list_entry(l, struct event, link));
	notify_unlock();
	heap_free(in);
}

static ssize_t inotify_describe(struct file *f, char *buf, size_t size)
{
	return fmt_buf(buf, size, "anon_inode:inotify");
}

static const struct file_ops inotify_file_ops = {
	.kind = "inotify",
	.read = inotify_read,
	.poll = inotify_poll,
	.ioctl = inotify_ioctl,
	.describe = inotify_describe,
	.release = inotify_release,
};

bool file_is_inotify(const struct file *f)
{
	return f->ops == &inotify_file_ops;
}

int inotify_create(struct file **ret)
{
	struct inotify *in = heap_alloc(sizeof(*in));
	struct file *f = file_alloc(&inotify_file_ops, LX_O_RDONLY);

	if (!in || !f) {
		heap_free(in);
		file_discard(f);
		return -ENOMEM;
	}
	list_init(&in->watches);
	list_init(&in->events);
	waitq_init(&in->waitq);
	f->priv = in;
	*ret = f;
	return 0;
}

/* ---- Watches ---- */

static struct watch *watch_new_locked(struct inotify *in, struct vnode *v)
{
	struct watch *w = heap_alloc(sizeof(*w));

	if (!w)
		return NULL;
	vnode_get(v);
	w->in = in;
	w->vnode = v;
	w->wd = ++in->last_wd;
	list_append(&in->watches, &w->link);
	list_append(&all_watches, &w->all);
	__atomic_fetch_add(&notify_watches, 1, __ATOMIC_RELAXED);
	return w;
}

int inotify_add_watch(struct file *f, struct vnode *v, u32 mask)
{
	struct inotify *in = f->priv;
	struct watch *w, *found = NULL;
	u32 keep = mask & (LX_IN_ALL | LX_IN_ONESHOT | LX_IN_EXCL_UNLINK);
	int r;

	mutex_lock(&notify_mutex);
	list_for_each_entry(w, &in->watches, link)
		if (w->vnode == v)
			found = w;
	if (found && mask & LX_IN_MASK_CREATE) {
		r = -EEXIST;
	} else {
		if (!found)
			found = watch_new_locked(in, v);
		else if (mask & LX_IN_MASK_ADD)
			keep |= found->mask;
		if (found)
			found->mask = keep;
		r = found ? found->wd : -ENOMEM;
	}
	notify_unlock();
	return r;
}

int inotify_remove_watch(struct file *f, int wd)
{
	struct inotify *in = f->priv;
	struct watch *w, *next;
	int r = -EINVAL;

	mutex_lock(&notify_mutex);
	list_for_each_entry_safe(w, next, &in->watches, link)
		if (w->wd == wd) {
			watch_drop_locked(w, true);
			r = 0;
		}
	notify_unlock();
	return r;
}
