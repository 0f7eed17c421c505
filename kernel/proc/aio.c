/*
 * aio.c - AIO contexts, their rings, polls under way.
 *
 * Invariants:
 *  1. The tail is the kernel's (ctx->tail) and only told in the ring; the head is the program's to move too, so it is
 *     read once for each decision and cut to the ring.
 *  2. active + events in the ring <= nr - 1: an event always finds a place. A program that moves the head wrongly
 *     overwrites its own events.
 *  3. A context is on the list from its making to aio_destroy; who looked it up holds a reference. Its pages are referenced
 *     until the last one goes, whatever the program does to the mapping.
 *
 * Locks: list_mutex (the list) > ctx->read_mtx (one reads events) ; ctx->lock (irq-safe spinlock: requests, ring) is a
 * leaf, taken from wake-ups of foreign wait queues. What can fail: memory, the program's addresses.
 */
#include "proc/aio.h"
#include "base/log.h"
#include "base/string.h"
#include "mm/heap.h"
#include "proc/event_files.h"
#include "proc/workers.h"
#include "sched/thread.h"
#include "vm/aspace.h"

#define AIO_MAGIC 0xa10a10a1u

struct lx_aio_ring {
	u32 id, nr, head, tail, magic, compat_features, incompat_features, header_length;
};
_Static_assert(sizeof(struct lx_aio_ring) == 32, "aio_ring");

struct aio_ctx {
	struct list link;            /* list_mutex */
	u32 refs;                    /* atomic */
	u64 id;
	u32 nr, charged;             /* events in the ring; what counts against AIO_MAX_EVENTS */
	struct vm_object *object;
	struct page **pages;
	u32 npages;
	struct mutex read_mtx;
	struct spinlock lock;
	u32 tail;                    /* L: lock */
	u32 active;                  /* L: requests without an event yet */
	struct list polls;           /* L: under way */
	bool dead;                   /* L */
	struct waitq waitq;          /* readers, and who destroys */
};

enum poll_state { POLL_OWNED, POLL_ARMED, POLL_QUEUED };

struct aio_wait {
	struct waitq_entry entry;
	struct aio_req *q;
};

struct aio_req {
	struct list link;            /* L: ctx->polls */
	struct aio_ctx *ctx;         /* a reference */
	u64 data, obj;
	struct file *eventfd;
	struct file *file;           /* polls */
	u32 events;
	enum poll_state state;       /* L */
	u32 key;                     /* what it was woken with: told whole, as Linux does; 0: the file is asked */
	bool fired, cancelled;       /* L */
	bool failed;
	unsigned nwaits;
	struct aio_wait waits[2];
	struct job job;
};

static struct mutex list_mutex = MUTEX_INIT(list_mutex);
static struct list contexts = LIST_INIT(contexts);
static u32 charged;                  /* list_mutex */

static void *ring_at(const struct aio_ctx *c, size_t off)
{
	return (u8 *)page_to_virt(c->pages[off >> PAGE_SHIFT]) + (off & (PAGE_SIZE - 1));
}
static struct lx_aio_ring *ring_head(const struct aio_ctx *c) { return ring_at(c, 0); }
static struct lx_io_event *ring_event(const struct aio_ctx *c, u32 i)
{
	return ring_at(c, sizeof(struct lx_aio_ring) + (size_t)i * sizeof(struct lx_io_event));
}

/* ---- Contexts ---- */

static void ctx_free(struct aio_ctx *c)
{
	for (u32 i = 0; c->pages && i < c->npages; i++)
		if (c->pages[i])
			page_put(c->pages[i]);
	heap_free(c->pages);
	if (c->object)
		vm_object_put(c->object);
	heap_free(c);
}

void aio_put(struct aio_ctx *c)
{
	if (__atomic_sub_fetch(&c->refs, 1, __ATOMIC_ACQ_REL) == 0)
		ctx_free(c);
}

static int ctx_map(struct aio_ctx *c)
{
	struct vm_map_request rq = { .len = c->npages * PAGE_SIZE, .prot = VM_PROT_READ | VM_PROT_WRITE, .max_prot = VM_PROT_READ | VM_PROT_WRITE,
				     .flags = VM_MAP_SHARED, .object = c->object, .name = "/[aio] (deleted)" };
	intptr_t at = vm_map(&rq);

	if (at < 0)
		return (int)at;
	c->id = (u64)at;
	return 0;
}

static int ctx_memory(struct aio_ctx *c, u32 nr)
{
	int r = 0;

	c->npages = (u32)DIV_ROUND_UP(sizeof(struct lx_aio_ring) + (size_t)nr * sizeof(struct lx_io_event), PAGE_SIZE);
	c->nr = (u32)((c->npages * PAGE_SIZE - sizeof(struct lx_aio_ring)) / sizeof(struct lx_io_event));
	c->pages = heap_alloc_array(c->npages, sizeof(*c->pages));
	c->object = vm_object_new_anon((u64)c->npages * PAGE_SIZE);
	if (!c->pages || !c->object)
		return -ENOMEM;
	for (u32 i = 0; i < c->npages && r == 0; i++)
		r = vm_object_grab_page(c->object, i, &c->pages[i]);
	if (r)
		return r;
	*ring_head(c) = (struct lx_aio_ring){ .id = ~0u, .nr = c->nr, .magic = AIO_MAGIC, .compat_features = 1, .header_length = sizeof(struct lx_aio_ring) };
	return ctx_map(c);
}

static int charge(u32 n)
{
	int r = 0;

	mutex_lock(&list_mutex);
	if (n > AIO_MAX_EVENTS || charged + n > AIO_MAX_EVENTS)
		r = -EAGAIN;
	else
		charged += n;
	mutex_unlock(&list_mutex);
	return r;
}

int aio_create(u32 nr, u64 *ret_id)
{
	u32 entries = MAX(nr, arch_cpu_count() * 4);
	struct aio_ctx *c;
	int r;

	if (entries * 2 > 0x10000000u / sizeof(struct lx_io_event)) /* as Linux: it may wrap, then there are too many anyway */
		return -EINVAL;
	r = charge(nr);
	if (r)
		return r;
	c = workers_start() == 0 ? heap_alloc(sizeof(*c)) : NULL;
	r = -ENOMEM;
	if (c) {
		c->refs = 1;
		c->charged = nr;
		mutex_init(&c->read_mtx);
		spin_init(&c->lock);
		list_init(&c->polls);
		list_init(&c->link);
		waitq_init(&c->waitq);
		r = ctx_memory(c, 2 * entries + 2);
	}
	mutex_lock(&list_mutex);
	if (r)
		charged -= nr;
	else
		list_append(&contexts, &c->link);
	mutex_unlock(&list_mutex);
	if (r && c)
		ctx_free(c);
	else if (r == 0)
		*ret_id = c->id;
	return r;
}

struct aio_ctx *aio_lookup(u64 id)
{
	struct aio_ctx *c, *found = NULL;

	mutex_lock(&list_mutex);
	list_for_each_entry(c, &contexts, link)
		if (c->id == id) {
			found = c;
			__atomic_fetch_add(&c->refs, 1, __ATOMIC_RELAXED);
			break;
		}
	mutex_unlock(&list_mutex);
	return found;
}

/* ---- Events ---- */

/* Events that the program has not taken. L held. */
static u32 ring_used_locked(const struct aio_ctx *c)
{
	u32 head = READ_ONCE(ring_head(c)->head) % c->nr;

	return c->tail >= head ? c->tail - head : c->tail + c->nr - head;
}

struct aio_req *aio_req_new(struct aio_ctx *c)
{
	struct aio_req *q = heap_alloc(sizeof(*q));

	if (!q)
		return NULL;
	irq_flags_t f = spin_lock_irqsave(&c->lock);
	bool ok = !c->dead && c->active + ring_used_locked(c) < c->nr - 1;
	c->active += ok;
	spin_unlock_irqrestore(&c->lock, f);
	if (!ok) {
		heap_free(q);
		return NULL;
	}
	__atomic_fetch_add(&c->refs, 1, __ATOMIC_RELAXED);
	q->ctx = c;
	list_init(&q->link);
	return q;
}

static void req_free(struct aio_req *q)
{
	if (q->eventfd)
		file_put(q->eventfd);
	if (q->file)
		file_put(q->file);
	aio_put(q->ctx);
	heap_free(q);
}

void aio_req_drop(struct aio_req *q)
{
	struct aio_ctx *c = q->ctx;

	irq_flags_t f = spin_lock_irqsave(&c->lock);
	c->active--;
	spin_unlock_irqrestore(&c->lock, f);
	waitq_wake_all(&c->waitq);
	req_free(q);
}

void aio_req_set(struct aio_req *q, u64 data, u64 obj, struct file *eventfd)
{
	q->data = data;
	q->obj = obj;
	q->eventfd = eventfd;
}

void aio_complete(struct aio_req *q, s64 res)
{
	struct aio_ctx *c = q->ctx;

	irq_flags_t f = spin_lock_irqsave(&c->lock);
	*ring_event(c, c->tail) = (struct lx_io_event){ q->data, q->obj, res, 0 };
	c->tail = (c->tail + 1) % c->nr;
	__atomic_store_n(&ring_head(c)->tail, c->tail, __ATOMIC_RELEASE);
	c->active--;
	list_remove(&q->link);
	spin_unlock_irqrestore(&c->lock, f);
	if (q->eventfd)
		eventfd_signal(q->eventfd, 1);
	waitq_wake_all(&c->waitq);
	req_free(q);
}

static u32 events_ready(struct aio_ctx *c)
{
	irq_flags_t f = spin_lock_irqsave(&c->lock);
	u32 n = ring_used_locked(c);

	spin_unlock_irqrestore(&c->lock, f);
	return n;
}

/* Copy events out and move the head. */
static long take_some(struct aio_ctx *c, long max, struct uio *u)
{
	long done = 0;

	mutex_lock(&c->read_mtx);
	u32 head = READ_ONCE(ring_head(c)->head) % c->nr, have = events_ready(c);
	while (done < max && have--) {
		struct lx_io_event e = *ring_event(c, head);
		if (uio_put(u, &e, sizeof(e)) != sizeof(e)) {
			done = done ? done : -EFAULT;
			break;
		}
		head = (head + 1) % c->nr;
		done++;
	}
	if (done > 0)
		__atomic_store_n(&ring_head(c)->head, head, __ATOMIC_RELEASE);
	mutex_unlock(&c->read_mtx);
	return done;
}

long aio_events(struct aio_ctx *c, long min, long max, struct uio *u, u64 deadline_ns)
{
	long done = 0, n;
	int r = 0;

	for (;;) {
		n = take_some(c, max - done, u);
		if (n < 0)
			return done ? done : n;
		done += n;
		if (done >= min || done >= max || r || !deadline_ns)
			break;
		r = WAIT_EVENT_INTR(&c->waitq, events_ready(c) || READ_ONCE(c->dead), deadline_ns);
		if (READ_ONCE(c->dead))
			r = -EINVAL;
	}
	return done || !r || r == -ETIMEDOUT ? done : r == -EINVAL ? r : -EINTR;
}

/* ---- Polls ---- */

static bool poll_wake(struct waitq_entry *e, u32 key)
{
	struct aio_req *q = container_of(e, struct aio_wait, entry)->q;
	struct aio_ctx *c = q->ctx;

	if (key && !(key & q->events))
		return false;
	irq_flags_t f = spin_lock_irqsave(&c->lock);
	bool mine = q->state == POLL_ARMED;
	q->fired = true;
	if (mine) {
		q->state = POLL_QUEUED;
		q->key = key;
	}
	spin_unlock_irqrestore(&c->lock, f);
	if (mine)
		workers_quick(&q->job);
	return true;
}

struct poll_hook {
	struct poll_table pt;
	struct aio_req *q;
};

static void poll_add_queue(struct poll_table *pt, struct waitq *wq)
{
	struct aio_req *q = container_of(pt, struct poll_hook, pt)->q;

	if (q->nwaits == ARRAY_SIZE(q->waits)) {
		q->failed = true;
		return;
	}
	struct aio_wait *w = &q->waits[q->nwaits++];
	w->q = q;
	w->entry = (struct waitq_entry){ .key = q->events, .wake = poll_wake };
	list_init(&w->entry.link);
	waitq_add(wq, &w->entry);
}

static void poll_off(struct aio_req *q)
{
	for (unsigned i = 0; i < q->nwaits; i++)
		waitq_remove(&q->waits[i].entry);
	q->nwaits = 0;
}

/* q is owned and on its queues: complete it, or let it wait on. */
static void poll_look(struct aio_req *q, u32 mask)
{
	struct aio_ctx *c = q->ctx;

	for (;;) {
		mask &= q->events;
		irq_flags_t f = spin_lock_irqsave(&c->lock);
		bool done = mask || q->cancelled, again = q->fired;
		q->fired = false;
		if (!done && !again)
			q->state = POLL_ARMED;
		spin_unlock_irqrestore(&c->lock, f);
		if (done) {
			poll_off(q);
			aio_complete(q, (s64)mask);
			return;
		}
		if (!again)
			return;
		mask = file_poll(q->file, NULL);
	}
}

static void poll_job(struct job *j)
{
	struct aio_req *q = container_of(j, struct aio_req, job);
	struct aio_ctx *c = q->ctx;

	irq_flags_t f = spin_lock_irqsave(&c->lock);
	q->state = POLL_OWNED;
	u32 key = q->cancelled ? 0 : q->key;
	spin_unlock_irqrestore(&c->lock, f);
	if (key) {
		poll_off(q);
		aio_complete(q, (s64)key);
	} else {
		poll_look(q, file_poll(q->file, NULL));
	}
}

int aio_poll(struct aio_req *q, struct file *file, u32 events)
{
	struct poll_hook h = { .pt = { poll_add_queue }, .q = q };
	struct aio_ctx *c = q->ctx;

	q->file = file;
	q->events = events | POLL_ERR | POLL_HUP;
	q->state = POLL_OWNED;
	job_init(&q->job, poll_job);
	u32 mask = file_poll(file, &h.pt);
	if (q->failed || (!q->nwaits && !(mask & q->events))) {
		poll_off(q);
		q->file = NULL;
		return q->failed ? -ENOMEM : -EINVAL;
	}
	irq_flags_t f = spin_lock_irqsave(&c->lock);
	list_append(&c->polls, &q->link);
	spin_unlock_irqrestore(&c->lock, f);
	poll_look(q, mask);
	return 0;
}

/* L held: true if its job is to be given to a worker. */
static bool poll_cancel_locked(struct aio_req *q)
{
	q->cancelled = true;
	if (q->state != POLL_ARMED)
		return false;
	q->state = POLL_QUEUED;
	return true;
}

int aio_cancel(struct aio_ctx *c, u64 obj)
{
	struct aio_req *q, *found = NULL;

	irq_flags_t f = spin_lock_irqsave(&c->lock);
	list_for_each_entry(q, &c->polls, link)
		if (q->obj == obj && !q->cancelled) {
			found = q;
			break;
		}
	bool mine = found && poll_cancel_locked(found);
	spin_unlock_irqrestore(&c->lock, f);
	if (mine)
		workers_quick(&found->job);
	return found ? 0 : -EINVAL;
}

/* ---- The end of a context ---- */

static void polls_cancel(struct aio_ctx *c)
{
	for (;;) {
		struct aio_req *q, *found = NULL;
		irq_flags_t f = spin_lock_irqsave(&c->lock);
		list_for_each_entry(q, &c->polls, link)
			if (!q->cancelled) {
				found = q;
				break;
			}
		bool mine = found && poll_cancel_locked(found);
		spin_unlock_irqrestore(&c->lock, f);
		if (!found)
			return;
		if (mine)
			workers_quick(&found->job);
	}
}

int aio_destroy(struct aio_ctx *c)
{
	struct vm_area a;
	bool mine;

	mutex_lock(&list_mutex);
	mine = !list_empty(&c->link);
	list_remove(&c->link);
	charged -= mine ? c->charged : 0;
	mutex_unlock(&list_mutex);
	if (!mine)
		return -EINVAL;
	irq_flags_t f = spin_lock_irqsave(&c->lock);
	c->dead = true;
	spin_unlock_irqrestore(&c->lock, f);
	polls_cancel(c);
	waitq_wake_all(&c->waitq);
	WAIT_EVENT(&c->waitq, READ_ONCE(c->active) == 0);
	/* Its mapping, if it is still there. */
	if (vm_find_area((uintptr_t)c->id, &a) && a.object == c->object)
		(void)vm_unmap((uintptr_t)c->id, c->npages * PAGE_SIZE);
	aio_put(c);
	return 0;
}
