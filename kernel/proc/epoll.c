/*
 * epoll.c - epoll sets: who watches what, and the list of what may be ready.
 *
 * A watched file's wait queue calls item_wake, which puts the item on the set's ready list and
 * wakes a waiter: no call ever scans the items. epoll_wait takes items off the ready list, asks each
 * one's file once, reports, and puts level-triggered items back at the end.
 *
 * Invariants:
 *  1. An item is in its set's tree and on its file's epoll_links, or in neither.
 *  2. An item off the ready list has had no wake since its file was last asked. Who takes items off, or asks those that
 *     are on it, holds set->mtx; wakes only append.
 *  3. An item holds no reference of its file: the file's end removes it (epoll_file_gone)
 *     before the file is released, so a file that is asked under set->mtx is whole.
 *  4. Sets inside sets form no cycle and are at most EPOLL_NESTS_MAX deep.
 *
 * Locks: links_mutex (membership: add, delete, end of a file or set) > set->mtx (items, asking;
 * an outer set's before an inner one's) > set->lock (spinlock, irq-safe: ready list).
 * item_wake runs under a foreign wait queue's lock and takes only set->lock, then
 * set->waitq's after releasing it. What can fail: memory.
 */
#include "proc/epoll.h"
#include "proc/epoll_impl.h"
#include "mm/heap.h"
#include "base/log.h"
#include "base/print.h"

#define ITEM_ALWAYS  (POLL_ERR | POLL_HUP)
#define ITEM_PRIVATE (LX_EPOLLWAKEUP | LX_EPOLLONESHOT | LX_EPOLLET | LX_EPOLLEXCLUSIVE)
#define BATCH        16u

static struct heap_cache item_cache = HEAP_CACHE(epoll_item);
struct mutex epoll_links_mutex = MUTEX_INIT(epoll_links_mutex);

/* ---- From wait queues ---- */

static bool item_wake(struct waitq_entry *e, u32 key)
{
	struct epoll_item *it = container_of(e, struct epoll_wait, entry)->item;
	struct epoll *ep = it->ep;
	u32 events = READ_ONCE(it->events);

	if (!(events & ~ITEM_PRIVATE) || (key && !(key & events)))
		return false;
	spin_lock(&ep->lock);            /* interrupts are masked: the queue's lock is held */
	it->woken = true;
	if (list_empty(&it->ready))
		list_append(&ep->ready, &it->ready);
	spin_unlock(&ep->lock);
	waitq_wake(&ep->waitq, POLL_IN | POLL_RDNORM, 1);
	return true;
}

struct item_poll_table {
	struct poll_table pt;
	struct epoll_item *item;
	bool failed;
};

static void item_add_queue(struct poll_table *pt, struct waitq *q)
{
	struct item_poll_table *ipt = container_of(pt, struct item_poll_table, pt);
	struct epoll_item *it = ipt->item;
	struct epoll_wait *w;

	if (it->nwaits == ARRAY_SIZE(it->waits)) {
		ipt->failed = true;
		return;
	}
	w = &it->waits[it->nwaits++];
	w->item = it;
	w->entry.key = it->events & ~ITEM_PRIVATE;
	w->entry.exclusive = it->events & LX_EPOLLEXCLUSIVE;
	w->entry.wake = item_wake;
	waitq_add(q, &w->entry);
}

/* ---- The ready list ---- */

static void ready_add(struct epoll *ep, struct epoll_item *it)
{
	irq_flags_t fl = spin_lock_irqsave(&ep->lock);

	if (list_empty(&it->ready))
		list_append(&ep->ready, &it->ready);
	spin_unlock_irqrestore(&ep->lock, fl);
}

/* Put back what was popped and is still to be told. */
static void ready_put_first(struct epoll *ep, struct epoll_item *it)
{
	irq_flags_t fl = spin_lock_irqsave(&ep->lock);

	if (list_empty(&it->ready))
		list_push(&ep->ready, &it->ready);
	spin_unlock_irqrestore(&ep->lock, fl);
}

static ALWAYS_INLINE void ready_remove(struct epoll *ep, struct epoll_item *it)
{
	irq_flags_t fl = spin_lock_irqsave(&ep->lock);

	list_remove(&it->ready);
	spin_unlock_irqrestore(&ep->lock, fl);
}

/*
 * Take the first item off. *last is the item that was at the end when the walk began (NULL on the
 * first call): after it NULL is returned, so that what is put back meanwhile is not seen again.
 */
static struct epoll_item *ready_pop(struct epoll *ep, struct list **last)
{
	struct epoll_item *it = NULL;
	irq_flags_t fl = spin_lock_irqsave(&ep->lock);
	struct list *l = ep->ready.next;

	if (!*last)
		*last = ep->ready.prev;
	if (l != &ep->ready && *last != &ep->ready) {
		it = list_entry(l, struct epoll_item, ready);
		if (l == *last)
			*last = &ep->ready;
		list_remove(l);
	}
	spin_unlock_irqrestore(&ep->lock, fl);
	return it;
}

static inline bool ready_any(const struct epoll *ep)
{
	return READ_ONCE(ep->ready.next) != &ep->ready;
}

/* ---- Waiting ---- */

struct batch {
	struct lx_epoll_event out[BATCH];
	struct epoll_item *items[BATCH];
	unsigned n;
};

/* Give the batch to the caller's buffer and settle each item. False: the buffer is bad, all stay ready. */
static bool batch_flush(struct epoll *ep, struct batch *b, struct uio *u)
{
	size_t len = b->n * sizeof(b->out[0]);
	bool ok = uio_put(u, b->out, len) == len;
	irq_flags_t fl = spin_lock_irqsave(&ep->lock);

	for (unsigned i = 0; i < b->n; i++) {
		struct epoll_item *it = b->items[i];
		if (!ok || !(it->events & (LX_EPOLLONESHOT | LX_EPOLLET))) {
			if (list_empty(&it->ready))
				list_append(&ep->ready, &it->ready);
		} else if (it->events & LX_EPOLLONESHOT) {
			WRITE_ONCE(it->events, it->events & ITEM_PRIVATE);
		}
	}
	spin_unlock_irqrestore(&ep->lock, fl);
	b->n = 0;
	return ok;
}

/* Is l, the first on the list, the only one? */
static ALWAYS_INLINE bool only_one(const struct epoll *ep, const struct list *l)
{
	return l != &ep->ready && READ_ONCE(l->next) == &ep->ready;
}

/* Ask it when it is level-triggered: it stays on the list while it is ready. EPOLL_ONE and its event, 0: it was not ready, and is off the list unless it was woken meanwhile. */
static ALWAYS_INLINE ssize_t ask_one(struct epoll *ep, struct epoll_item *it, struct lx_epoll_event *ret)
{
	WRITE_ONCE(it->woken, false);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);         /* a wake before this is seen by asking, one after it by woken */
	u32 ev = it->file->ops->poll(it->file, NULL) & it->events & ~ITEM_PRIVATE;

	if (likely(ev)) {
		*ret = (struct lx_epoll_event){ ev, it->data };
		return EPOLL_ONE;
	}
	irq_flags_t fl = spin_lock_irqsave(&ep->lock);

	if (!it->woken)
		list_remove(&it->ready);
	spin_unlock_irqrestore(&ep->lock, fl);
	return 0;
}

/* Ask it when it is edge-triggered: it leaves the list first, so that a wake from now on brings it back. Events told, 0 or 1; -EFAULT, and it is back. */
static NOINLINE ssize_t ask_edge(struct epoll *ep, struct epoll_item *it, struct uio *u)
{
	ready_remove(ep, it);
	struct lx_epoll_event out = { it->file->ops->poll(it->file, NULL) & it->events & ~ITEM_PRIVATE, it->data };

	if (unlikely(!out.events))
		return 0;
	if (likely(uio_put(u, &out, sizeof(out)) == sizeof(out)))
		return 1;
	ready_put_first(ep, it);
	return -EFAULT;
}

static NOINLINE ssize_t collect_several(struct epoll *ep, struct uio *u, unsigned max)
{
	NO_AUTO_INIT struct batch b;
	struct list *last = NULL;
	unsigned done = 0, seen = 0;
	struct epoll_item *it;
	bool ok = true;

	b.n = 0;
	while (seen < max && ok && last != &ep->ready && (it = ready_pop(ep, &last))) {
		u32 ev = file_poll(it->file, NULL) & it->events & ~ITEM_PRIVATE;
		if (!ev)
			continue;
		b.out[b.n] = (struct lx_epoll_event){ ev, it->data };
		b.items[b.n++] = it;
		seen++;
		if (b.n == BATCH && (ok = batch_flush(ep, &b, u)))
			done = seen;
	}
	if (b.n && (ok = batch_flush(ep, &b, u)))
		done = seen;
	return done ? (ssize_t)done : ok ? 0 : -EFAULT;
}

/* ep->mtx is held. */
static NOINLINE ssize_t collect_others(struct epoll *ep, struct epoll_item *one, struct uio *u, unsigned max)
{
	return one && !(one->events & LX_EPOLLONESHOT) ? ask_edge(ep, one, u) : collect_several(ep, u, max);
}

static ALWAYS_INLINE ssize_t collect(struct epoll *ep, struct uio *u, unsigned max, struct lx_epoll_event *ret_one)
{
	mutex_lock_here(&ep->mtx);
	struct list *l = READ_ONCE(ep->ready.next);
	struct epoll_item *it = list_entry(l, struct epoll_item, ready);
	bool one = only_one(ep, l);
	ssize_t r = likely(one && !(it->events & (LX_EPOLLONESHOT | LX_EPOLLET))) ? ask_one(ep, it, ret_one) : collect_others(ep, one ? it : NULL, u, max);
	mutex_unlock_here(&ep->mtx);
	if (ready_any(ep))               /* left over, or still ready: the next waiter's */
		waitq_wake(&ep->waitq, POLL_IN | POLL_RDNORM, 1);
	return r;
}

/* Sleep until something may be ready: 1, 0 at the deadline (which is then 0: look once more), -EINTR. */
static NOINLINE int sleep_until_ready(struct epoll *ep, u64 *deadline_ns)
{
	NO_AUTO_INIT struct waiter w;
	int r = 0;

	waitq_prepare(&ep->waitq, &w, true);
	while (!ready_any(ep)) {
		r = waitq_block(&w, true, *deadline_ns);
		if (r)
			break;
	}
	waitq_finish(&w);
	if (r == -ETIMEDOUT)
		*deadline_ns = 0;
	else if (r)
		return -EINTR;
	return ready_any(ep);
}

static NOINLINE ssize_t wait_events(struct epoll *ep, struct uio *u, unsigned max, u64 deadline_ns, struct lx_epoll_event *ret_one)
{
	for (;;) {
		if (ready_any(ep)) {
			ssize_t n = collect(ep, u, max, ret_one);
			if (likely(n))
				return n;
		}
		if (!deadline_ns)
			return 0;
		int r = sleep_until_ready(ep, &deadline_ns);
		if (r <= 0)
			return r;
	}
}

ssize_t epoll_wait_events(struct file *f, struct uio *u, unsigned max, u64 deadline_ns, struct lx_epoll_event *ret_one)
{
	struct epoll *ep = f->priv;

	if (unlikely(!file_is_epoll(f)))
		return -EINVAL;
	return deadline_ns || ready_any(ep) ? wait_events(ep, u, max, deadline_ns, ret_one) : 0;
}

/* ---- Membership ---- */

static struct epoll_item *item_find(struct epoll *ep, const struct file *f, int fd, struct rb_node **ret_parent, struct rb_node ***ret_link)
{
	struct rb_node **link = &ep->items.node, *parent = NULL;

	while (*link) {
		struct epoll_item *it = rb_entry(*link, struct epoll_item, node);
		parent = *link;
		if (it->fd == fd && it->file == f)
			return it;
		bool left = fd != it->fd ? fd < it->fd : (uintptr_t)f < (uintptr_t)it->file;
		link = left ? &parent->left : &parent->right;
	}
	*ret_parent = parent;
	*ret_link = link;
	return NULL;
}

/* Off every queue and list; links_mutex and ep->mtx are held. */
static void item_drop_locked(struct epoll_item *it)
{
	struct epoll *ep = it->ep;

	for (unsigned i = 0; i < it->nwaits; i++)
		waitq_remove(&it->waits[i].entry);
	ready_remove(ep, it);
	rb_erase(&ep->items, &it->node);
	list_remove(&it->file_link);
	ep->nitems--;
	heap_cache_free(&item_cache, it);
}

static NOINLINE void item_is_ready(struct epoll_item *it)
{
	ready_add(it->ep, it);
	waitq_wake(&it->ep->waitq, POLL_IN | POLL_RDNORM, 1);
}

/* Ask the file for the first time (or after a change) and note that it is ready already. */
static ALWAYS_INLINE void item_check_now(struct epoll_item *it, struct poll_table *pt)
{
	if (it->file->ops->poll(it->file, pt) & it->events & ~ITEM_PRIVATE)
		item_is_ready(it);
}

static int item_add_locked(struct epoll *ep, struct file *f, int fd, const struct lx_epoll_event *ev)
{
	struct item_poll_table ipt = { .pt = { item_add_queue } };
	struct rb_node *parent, **link;
	struct epoll_item *it;

	if (item_find(ep, f, fd, &parent, &link))
		return -EEXIST;
	it = heap_cache_alloc(&item_cache);
	if (!it)
		return -ENOMEM;
	it->ep = ep;
	it->file = f;
	it->fd = fd;
	it->events = ev->events | ITEM_ALWAYS;
	it->data = ev->data;
	it->nwaits = 0;
	list_init(&it->ready);
	rb_insert(&ep->items, &it->node, parent, link);
	list_append(&f->epoll_links, &it->file_link);
	ep->nitems++;
	ipt.item = it;
	item_check_now(it, &ipt.pt);
	if (ipt.failed) {
		item_drop_locked(it);
		return -ENOMEM;
	}
	return 0;
}

/* Its queues wake it for other events from now on. */
static NOINLINE void item_change_keys(struct epoll_item *it)
{
	for (unsigned i = 0; i < it->nwaits; i++)
		waitq_change_key(&it->waits[i].entry, it->events & ~ITEM_PRIVATE);
}

static NOINLINE int item_modify(struct epoll *ep, struct file *f, int fd, const struct lx_epoll_event *ev)
{
	struct rb_node *parent, **link;
	struct epoll_item *it;
	int r = 0;

	mutex_lock_here(&ep->mtx);
	it = item_find(ep, f, fd, &parent, &link);
	if (!it) {
		r = -ENOENT;
	} else if (it->events & LX_EPOLLEXCLUSIVE) {
		r = -EINVAL;
	} else {
		u32 events = ev->events | ITEM_ALWAYS, before = it->events;
		it->data = ev->data;
		__atomic_store_n(&it->events, events, __ATOMIC_SEQ_CST); /* before the file is asked */
		if ((before ^ events) & ~ITEM_PRIVATE)
			item_change_keys(it);
		item_check_now(it, NULL);
	}
	mutex_unlock_here(&ep->mtx);
	return r;
}

static NOINLINE int item_delete(struct epoll *ep, struct file *f, int fd)
{
	struct rb_node *parent, **link;
	struct epoll_item *it;

	mutex_lock(&epoll_links_mutex);
	mutex_lock(&ep->mtx);
	it = item_find(ep, f, fd, &parent, &link);
	if (it)
		item_drop_locked(it);
	mutex_unlock(&ep->mtx);
	mutex_unlock(&epoll_links_mutex);
	return it ? 0 : -ENOENT;
}

static NOINLINE int item_add(struct epoll *ep, struct file *f, int fd, const struct lx_epoll_event *ev)
{
	int r = 0;

	mutex_lock(&epoll_links_mutex);
	if (file_is_epoll(f))
		r = epoll_nesting_check(ep, f->priv);
	if (r == 0) {
		mutex_lock(&ep->mtx);
		r = item_add_locked(ep, f, fd, ev);
		mutex_unlock(&ep->mtx);
	}
	mutex_unlock(&epoll_links_mutex);
	return r;
}

int epoll_control(struct file *epf, struct file *f, int fd, const struct lx_epoll_event *ev, int op)
{
	struct epoll *ep = epf->priv;

	if (likely(op == LX_EPOLL_CTL_MOD))
		return item_modify(ep, f, fd, ev);
	if (op == LX_EPOLL_CTL_ADD)
		return item_add(ep, f, fd, ev);
	return op == LX_EPOLL_CTL_DEL ? item_delete(ep, f, fd) : -EINVAL;
}

void epoll_file_gone(struct file *f)
{
	struct list *l;

	mutex_lock(&epoll_links_mutex);
	while ((l = list_first(&f->epoll_links))) {
		struct epoll_item *it = list_entry(l, struct epoll_item, file_link);
		struct epoll *ep = it->ep;
		mutex_lock(&ep->mtx);
		item_drop_locked(it);
		mutex_unlock(&ep->mtx);
	}
	mutex_unlock(&epoll_links_mutex);
}

/* ---- The set as a file ---- */

static u32 epoll_poll(struct file *f, struct poll_table *pt)
{
	struct epoll *ep = f->priv;
	struct list *last = NULL;
	struct epoll_item *it;
	bool ready = false;

	poll_add(pt, &ep->waitq);
	if (!ready_any(ep))
		return 0;
	mutex_lock(&ep->mtx);
	while (!ready && (it = ready_pop(ep, &last))) {
		ready = file_poll(it->file, NULL) & it->events & ~ITEM_PRIVATE;
		if (ready)
			ready_put_first(ep, it);
	}
	mutex_unlock(&ep->mtx);
	return ready ? POLL_IN | POLL_RDNORM : 0;
}

static void epoll_release(struct file *f)
{
	struct epoll *ep = f->priv;
	struct rb_node *n;

	mutex_lock(&epoll_links_mutex);
	mutex_lock(&ep->mtx);
	while ((n = rb_first(&ep->items)))
		item_drop_locked(rb_entry(n, struct epoll_item, node));
	mutex_unlock(&ep->mtx);
	mutex_unlock(&epoll_links_mutex);
	heap_free(ep);
}

static COLD ssize_t epoll_fdinfo(struct file *f, char *buf, size_t size)
{
	struct epoll *ep = f->priv;
	size_t at = 0;

	mutex_lock(&ep->mtx);
	for (struct rb_node *n = rb_first(&ep->items); n && at < size; n = rb_next(n)) {
		struct epoll_item *it = rb_entry(n, struct epoll_item, node);
		at += (size_t)fmt_buf(buf + at, size - at, "tfd: %8d events: %8x data: %16llx\n", it->fd,
				      it->events, (unsigned long long)it->data);
	}
	mutex_unlock(&ep->mtx);
	return (ssize_t)MIN(at, size);
}

const struct file_ops epoll_file_ops = {
	.kind = "eventpoll",
	.poll = epoll_poll,
	.fdinfo = epoll_fdinfo,
	.release = epoll_release,
};


int epoll_create(struct file **ret)
{
	struct epoll *ep = heap_alloc(sizeof(*ep));
	struct file *f = file_alloc(&epoll_file_ops, LX_O_RDWR);

	if (!ep || !f) {
		heap_free(ep);
		file_discard(f);
		return -ENOMEM;
	}
	mutex_init(&ep->mtx);
	list_init(&ep->ready);
	waitq_init(&ep->waitq);
	ep->file = f;
	f->priv = ep;
	*ret = f;
	return 0;
}
