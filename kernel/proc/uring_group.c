/*
 * uring_group.c - groups of buffers: a request takes one when it has data for it.
 *
 * A group is a queue of ranges given with PROVIDE_BUFFERS (a range is n equal buffers in a row), or a ring of entries
 * in the program's memory (PBUF_RING), of which only the place to read next is kept here.
 *
 * Invariants: 1. A range has n > 0. 2. Of all groups in the machine there are at most RANGES_MAX ranges.
 * Locks: submit_mtx is not needed; ring->lock guards the table and the queues; the program's memory is read without it.
 * What can fail: memory; -ENOBUFS.
 */
#include "proc/uring_impl.h"

#define RANGES_MAX 65536u
#define BUCKETS    64u

struct range {
	struct list link;
	u64 base;
	u32 len, n;
	u16 first_id;
};

struct uring_group {
	struct uring_group *next;
	u16 number;
	bool is_ring;
	struct list ranges;
	u64 ring_addr;
	u32 mask;
	u16 head;
};

static u32 ranges_alive;             /* atomic: groups count too */

static void *counted_alloc(size_t size)
{
	void *p = __atomic_add_fetch(&ranges_alive, 1, __ATOMIC_RELAXED) <= RANGES_MAX ? heap_alloc(size) : NULL;

	if (!p)
		__atomic_fetch_sub(&ranges_alive, 1, __ATOMIC_RELAXED);
	return p;
}

static void counted_free(void *p)
{
	if (p)
		__atomic_fetch_sub(&ranges_alive, 1, __ATOMIC_RELAXED);
	heap_free(p);
}

/* L held. */
static struct uring_group **group_slot_locked(struct uring *r, u16 number)
{
	struct uring_group **g = &r->groups[number % BUCKETS];

	while (*g && (*g)->number != number)
		g = &(*g)->next;
	return g;
}

static struct uring_group *group_find_locked(struct uring *r, u16 number)
{
	return r->groups ? *group_slot_locked(r, number) : NULL;
}

static int table_make(struct uring *r)
{
	if (READ_ONCE(r->groups))
		return 0;
	struct uring_group **t = heap_alloc_array(BUCKETS, sizeof(*t));
	if (!t)
		return -ENOMEM;
	irq_flags_t f = uring_lock(r);
	bool mine = !r->groups;
	if (mine)
		r->groups = t;
	uring_unlock(r, f);
	if (!mine)
		heap_free(t);
	return 0;
}

static struct uring_group *group_new(u16 number)
{
	struct uring_group *g = counted_alloc(sizeof(*g));

	if (g) {
		g->number = number;
		list_init(&g->ranges);
	}
	return g;
}

int uring_group_provide(struct uring *r, u16 number, u64 base, u32 len, u32 n, u16 first_id)
{
	struct range *range = counted_alloc(sizeof(*range));
	struct uring_group *fresh = group_new(number), *g;
	int e = range && fresh ? table_make(r) : -ENOMEM;

	if (e) {
		counted_free(range);
		counted_free(fresh);
		return e;
	}
	*range = (struct range){ .base = base, .len = len, .n = n, .first_id = first_id };
	irq_flags_t f = uring_lock(r);
	struct uring_group **slot = group_slot_locked(r, number);
	if (!*slot) {
		*slot = fresh;
		fresh = NULL;
	}
	g = *slot;
	if (g->is_ring) {
		e = -EINVAL;
	} else {
		list_append(&g->ranges, &range->link);
		range = NULL;
	}
	uring_unlock(r, f);
	counted_free(range);
	counted_free(fresh);
	return e;
}

int uring_group_remove(struct uring *r, u16 number, u32 n)
{
	struct list gone = LIST_INIT(gone);
	struct list *l;
	u32 done = 0;

	irq_flags_t f = uring_lock(r);
	struct uring_group *g = group_find_locked(r, number);
	int e = !g ? -ENOENT : g->is_ring ? -EINVAL : 0;
	while (e == 0 && done < n && (l = list_first(&g->ranges))) {
		struct range *range = list_entry(l, struct range, link);
		u32 k = MIN(range->n, n - done);
		done += k;
		range->n -= k;
		range->base += (u64)k * range->len;
		range->first_id = (u16)(range->first_id + k);
		if (!range->n) {
			list_remove(l);
			list_append(&gone, l);
		}
	}
	uring_unlock(r, f);
	while ((l = list_pop(&gone)))
		counted_free(list_entry(l, struct range, link));
	return e ? e : (int)done;
}

/* ---- Rings of entries ---- */

int uring_group_ring(struct uring *r, u16 number, u64 ring_addr, u32 entries)
{
	struct uring_group *fresh = group_new(number);
	int e = fresh ? table_make(r) : -ENOMEM;

	if (e == 0) {
		irq_flags_t f = uring_lock(r);
		struct uring_group **slot = group_slot_locked(r, number), *g = *slot;
		if (g && (g->is_ring || !list_empty(&g->ranges))) {
			e = -EEXIST;
		} else {
			if (!g) {
				g = *slot = fresh;
				fresh = NULL;
			}
			g->is_ring = true;
			g->ring_addr = ring_addr;
			g->mask = entries - 1;
			g->head = 0;
		}
		uring_unlock(r, f);
	}
	counted_free(fresh);
	return e;
}

int uring_group_ring_remove(struct uring *r, u16 number)
{
	struct uring_group *g = NULL;
	int e = -ENOENT;

	irq_flags_t f = uring_lock(r);
	if (r->groups) {
		struct uring_group **slot = group_slot_locked(r, number);
		g = *slot;
		e = !g ? -ENOENT : g->is_ring ? 0 : -EINVAL;
		if (e == 0)
			*slot = g->next;
	}
	uring_unlock(r, f);
	if (e == 0)
		counted_free(g);
	return e;
}

/* ---- Taking and giving back ---- */

/* From the first range; an emptied one goes to *ret_empty. L held. */
static int range_pick_locked(struct uring_group *g, struct uring_picked *ret, struct range **ret_empty)
{
	struct list *l = list_first(&g->ranges);

	if (!l)
		return -ENOBUFS;
	struct range *range = list_entry(l, struct range, link);
	*ret = (struct uring_picked){ range->base, range->len, range->first_id, 0 };
	range->base += range->len;
	range->first_id++;
	if (!--range->n) {
		list_remove(l);
		*ret_empty = range;
	}
	return 0;
}

/* From the program's ring: one place is claimed before it is read. */
static int ring_pick(struct uring *r, u16 number, u64 addr, u32 mask, u16 at, struct uring_picked *ret)
{
	int e = uring_group_ops->fetch(addr, mask, at, ret);

	ret->at = at;
	if (!e)
		return 0;
	irq_flags_t f = uring_lock(r);
	struct uring_group *g = group_find_locked(r, number);
	if (g && g->is_ring && g->head == (u16)(at + 1))
		g->head = at;
	uring_unlock(r, f);
	return e;
}

int uring_group_pick(struct uring_req *rq, struct uring_picked *ret)
{
	struct uring *r = rq->ring;
	struct range *empty = NULL;
	u64 addr = 0;
	u32 mask = 0;
	u16 at = 0;
	int e;

	irq_flags_t f = uring_lock(r);
	struct uring_group *g = group_find_locked(r, rq->buf_index);
	bool is_ring = g && g->is_ring;
	if (is_ring) {
		addr = g->ring_addr;
		mask = g->mask;
		at = g->head++;
		e = 0;
	} else {
		e = g ? range_pick_locked(g, ret, &empty) : -ENOBUFS;
	}
	uring_unlock(r, f);
	counted_free(empty);
	if (is_ring)
		e = ring_pick(r, rq->buf_index, addr, mask, at, ret);
	if (e == 0) {
		rq->flags |= URING_F_BUFFER;
		rq->buf_id = ret->id;
	}
	return e;
}

void uring_group_return(struct uring_req *rq, const struct uring_picked *p)
{
	struct uring *r = rq->ring;
	struct range *range = counted_alloc(sizeof(*range));
	bool back = false;

	irq_flags_t f = uring_lock(r);
	struct uring_group *g = group_find_locked(r, rq->buf_index);
	if (g && g->is_ring) {
		back = g->head == (u16)(p->at + 1);
		g->head -= back;
	} else if (g && range) {
		*range = (struct range){ .base = p->base, .len = p->len, .n = 1, .first_id = p->id };
		list_push(&g->ranges, &range->link);
		range = NULL;
		back = true;
	}
	uring_unlock(r, f);
	counted_free(range);
	if (back)
		rq->flags &= ~(u32)URING_F_BUFFER;
}

void uring_groups_free(struct uring *r)
{
	for (u32 i = 0; r->groups && i < BUCKETS; i++) {
		while (r->groups[i]) {
			struct uring_group *g = r->groups[i];
			struct list *l;
			while ((l = list_pop(&g->ranges)))
				counted_free(list_entry(l, struct range, link));
			r->groups[i] = g->next;
			counted_free(g);
		}
	}
	heap_free(r->groups);
}
