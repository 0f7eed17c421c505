/*
 * uring.c - rings: made, mapped, polled, given up.
 *
 * Invariants:
 *  1. The pages of a ring are referenced for as long as it lives: what the program does to its mapping (unmap, punch)
 *     takes them away from the program, never from the kernel.
 *  2. The kernel's positions (sq_head, cq_tail) live in struct uring; the ring memory is only told.
 *  3. The file holds a reference of the ring, the ring none of its file: when the last descriptor goes, what is under
 *     way is cancelled, and the last request frees the ring.
 *
 * Unlike Linux's, a mapping does not keep the ring alive.
 * Locks: uring_impl.h. What can fail: memory, and the bounds of uring.h.
 */
#include "proc/uring_impl.h"
#include "vm/aspace.h"
#include "base/print.h"

RO_AFTER_INIT int (*uring_op_guard)(u8 opcode);
static u32 pages_used;               /* atomic */

/* ---- Memory ---- */

static int pages_charge(u32 n)
{
	u32 max = (u32)MIN((u64)URING_PAGES_MAX, page_total_count() / 8);

	if (__atomic_add_fetch(&pages_used, n, __ATOMIC_RELAXED) <= max)
		return 0;
	__atomic_fetch_sub(&pages_used, n, __ATOMIC_RELAXED);
	return -ENOMEM;
}

static void pages_drop(struct vm_object *o, struct page **pages, u32 n)
{
	u32 had = 0;

	for (u32 i = 0; pages && i < n; i++)
		if (pages[i])
			page_put(pages[i]);
	had = pages ? n : 0;
	__atomic_fetch_sub(&pages_used, had, __ATOMIC_RELAXED);
	heap_free(pages);
	if (o)
		vm_object_put(o);
}

/* An object of n pages, all there. After an error pages_drop is still due. */
static int pages_make(u32 n, struct vm_object **ret_object, struct page ***ret_pages)
{
	int r = pages_charge(n);

	if (r)
		return r;
	*ret_pages = heap_alloc_array(n, sizeof(**ret_pages));
	*ret_object = vm_object_new_anon((u64)n * PAGE_SIZE);
	if (!*ret_pages)
		__atomic_fetch_sub(&pages_used, n, __ATOMIC_RELAXED);
	if (!*ret_pages || !*ret_object)
		return -ENOMEM;
	for (u32 i = 0; i < n && r == 0; i++)
		r = vm_object_grab_page(*ret_object, i, &(*ret_pages)[i]);
	return r;
}

static int memory_make(struct uring *r)
{
	u32 array = (u32)ROUND_UP(sizeof(struct lx_rings) + ((u64)r->cq_entries << r->cqe_shift), 64);
	int e;

	r->sq_array_off = array;
	r->nring_pages = (u32)DIV_ROUND_UP(array + (u64)r->sq_entries * sizeof(u32), PAGE_SIZE);
	r->nsqe_pages = (u32)DIV_ROUND_UP((u64)r->sq_entries << r->sqe_shift, PAGE_SIZE);
	e = pages_make(r->nring_pages, &r->rings_object, &r->ring_pages);
	if (e == 0)
		e = pages_make(r->nsqe_pages, &r->sqes_object, &r->sqe_pages);
	if (e)
		return e;
	struct lx_rings *s = uring_shared(r);
	s->sq_mask = r->sq_entries - 1;
	s->cq_mask = r->cq_entries - 1;
	s->sq_entries = r->sq_entries;
	s->cq_entries = r->cq_entries;
	return 0;
}

static void uring_free(struct uring *r)
{
	uring_overflow_free(r);
	uring_registered_free(r);
	uring_groups_free(r);
	pages_drop(r->rings_object, r->ring_pages, r->nring_pages);
	pages_drop(r->sqes_object, r->sqe_pages, r->nsqe_pages);
	heap_free(r);
}

void uring_put(struct uring *r)
{
	if (__atomic_sub_fetch(&r->refs, 1, __ATOMIC_ACQ_REL) == 0)
		uring_free(r);
}

void uring_offsets(const struct uring *r, struct lx_uring_params *p)
{
	p->sq_entries = r->sq_entries;
	p->cq_entries = r->cq_entries;
	p->sq = (struct lx_sq_offsets){
		.head = offsetof(struct lx_rings, sq_head), .tail = offsetof(struct lx_rings, sq_tail),
		.mask = offsetof(struct lx_rings, sq_mask), .entries = offsetof(struct lx_rings, sq_entries),
		.flags = offsetof(struct lx_rings, sq_flags), .dropped = offsetof(struct lx_rings, sq_dropped), .array = r->sq_array_off,
	};
	p->cq = (struct lx_cq_offsets){
		.head = offsetof(struct lx_rings, cq_head), .tail = offsetof(struct lx_rings, cq_tail),
		.mask = offsetof(struct lx_rings, cq_mask), .entries = offsetof(struct lx_rings, cq_entries),
		.overflow = offsetof(struct lx_rings, cq_overflow), .cqes = sizeof(struct lx_rings), .flags = offsetof(struct lx_rings, cq_flags),
	};
}

/* ---- The file ---- */

static int uring_mmap_object(struct file *f, struct vm_map_request *rq, bool shared)
{
	struct uring *r = f->priv;
	struct vm_object *o;
	u64 size;

	switch (rq->object_off) {
	case LX_URING_OFF_SQ_RING:
	case LX_URING_OFF_CQ_RING:
		o = r->rings_object;
		size = (u64)r->nring_pages * PAGE_SIZE;
		break;
	case LX_URING_OFF_SQES:
		o = r->sqes_object;
		size = (u64)r->nsqe_pages * PAGE_SIZE;
		break;
	default:
		return -EINVAL;
	}
	/* Linux allocates a power of two of pages and lets all of it be mapped. */
	u64 room = PAGE_SIZE;
	while (room < size)
		room *= 2;
	if (rq->len > room)
		return -EINVAL;
	rq->object_off = 0;
	rq->max_prot &= ~VM_PROT_EXEC;
	vm_object_get(o);
	rq->object = o;
	return 0;
}

static u32 uring_file_poll(struct file *f, struct poll_table *pt)
{
	struct uring *r = f->priv;
	struct lx_rings *s = uring_shared(r);
	u32 ev = 0;

	poll_add(pt, &r->poll_waitq);
	if (READ_ONCE(s->sq_tail) - READ_ONCE(r->sq_head) < r->sq_entries)
		ev |= POLL_OUT | POLL_WRNORM;
	if (uring_cq_ready(r) || READ_ONCE(r->overflow.next) != &r->overflow || (uring_is_deferring(r) && READ_ONCE(r->ready.next) != &r->ready))
		ev |= POLL_IN | POLL_RDNORM;
	return ev;
}

static ssize_t uring_fdinfo(struct file *f, char *buf, size_t size)
{
	struct uring *r = f->priv;
	struct lx_rings *s = uring_shared(r);

	return fmt_buf(buf, size, "SqMask:\t0x%x\nSqHead:\t%u\nSqTail:\t%u\nCachedSqHead:\t%u\nCqMask:\t0x%x\nCqHead:\t%u\nCqTail:\t%u\n"
		       "CachedCqTail:\t%u\nUserFiles:\t%u\nUserBufs:\t%u\n", r->sq_entries - 1, READ_ONCE(s->sq_head), READ_ONCE(s->sq_tail),
		       r->sq_head, r->cq_entries - 1, READ_ONCE(s->cq_head), READ_ONCE(s->cq_tail), r->cq_tail, r->nfiles, r->nbufs);
}

static void uring_release(struct file *f)
{
	struct uring *r = f->priv;

	irq_flags_t fl = uring_lock(r);
	r->dying = true;
	uring_unlock(r, fl);
	uring_cancel_all(r);
	waitq_wake_all(&r->enter_waitq);
	uring_kick(r);
	uring_put(r);
}

static const struct file_ops uring_file_ops = {
	.kind = "io_uring",
	.poll = uring_file_poll,
	.mmap_object = uring_mmap_object,
	.fdinfo = uring_fdinfo,
	.release = uring_release,
	.unsendable = true,
};

struct uring *file_uring(const struct file *f)
{
	return f->ops == &uring_file_ops ? f->priv : NULL;
}

/* ---- Making ---- */

static struct uring *uring_new(const struct uring_config *c)
{
	struct uring *r = heap_alloc(sizeof(*r));

	if (!r)
		return NULL;
	r->refs = 1;
	r->flags = c->flags;
	mutex_init(&r->submit_mtx);
	spin_init(&r->lock);
	r->sq_entries = c->sq_entries;
	r->cq_entries = c->cq_entries;
	r->sqe_shift = c->flags & LX_SETUP_SQE128 ? 7 : 6;
	r->cqe_shift = c->flags & LX_SETUP_CQE32 ? 5 : 4;
	list_init(&r->overflow);
	list_init(&r->reqs);
	list_init(&r->ready);
	list_init(&r->deferred);
	list_init(&r->counting);
	waitq_init(&r->enter_waitq);
	waitq_init(&r->poll_waitq);
	job_init(&r->ready_job, uring_ready_job);
	r->personality_next = 1;
	if (memory_make(r)) {
		uring_free(r);
		return NULL;
	}
	return r;
}

int uring_create(const struct uring_config *c, struct file **ret)
{
	struct file *f = file_alloc(&uring_file_ops, LX_O_RDWR);
	struct uring *r = f && workers_start() == 0 ? uring_new(c) : NULL;

	if (!r) {
		file_discard(f);
		return -ENOMEM;
	}
	if ((c->flags & (LX_SETUP_SINGLE_ISSUER | LX_SETUP_R_DISABLED)) == LX_SETUP_SINGLE_ISSUER)
		r->owner = thread_current();
	if (c->flags & LX_SETUP_SQPOLL && uring_sq_thread_start(r, c->idle_ms, c->cpu)) {
		uring_put(r);
		file_discard(f);
		return -ENOMEM;
	}
	f->priv = r;
	*ret = f;
	return 0;
}

u32 uring_flags(const struct uring *r) { return READ_ONCE(r->flags); }
bool uring_is_disabled(const struct uring *r) { return READ_ONCE(r->flags) & LX_SETUP_R_DISABLED; }

int uring_may_submit(struct uring *r)
{
	if (uring_is_disabled(r))
		return -EBADFD;
	return r->owner && r->owner != thread_current() ? -EEXIST : 0;
}

int uring_enable(struct uring *r)
{
	if (!uring_is_disabled(r))
		return -EBADFD;
	/* submit_mtx is held: uring_register_begin. */
	if (r->flags & LX_SETUP_SINGLE_ISSUER && !r->owner)
		r->owner = thread_current();
	__atomic_store_n(&r->flags, r->flags & ~(u32)LX_SETUP_R_DISABLED, __ATOMIC_RELEASE);
	uring_sq_wake(r);
	return 0;
}
