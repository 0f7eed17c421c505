/*
 * poll_wait.c - one sleeper, many wait queues.
 *
 * Invariants:
 *  1. Every entry that was given out is on its queue until poll_wait_end.
 *  2. triggered is set before the sleeper is woken, and cleared before the files are asked again.
 *
 * Locks: entries are called with a foreign queue's lock held and take only pw->q's. What can
 * fail: memory for more than POLL_WAIT_INLINE entries.
 */
#include "proc/poll_wait.h"
#include "mm/heap.h"

static bool entry_wake(struct waitq_entry *e, u32 key)
{
	struct poll_wait *pw = container_of(e, struct poll_wait_entry, entry)->pw;

	__atomic_store_n(&pw->triggered, true, __ATOMIC_SEQ_CST);
	waitq_wake_all(&pw->q);
	return true;
}

static struct poll_wait_entry *entry_new(struct poll_wait *pw)
{
	struct poll_wait_chunk *c = pw->more;

	if (pw->used < POLL_WAIT_INLINE)
		return &pw->entries[pw->used++];
	if (!c || c->used == ARRAY_SIZE(c->entries)) {
		c = heap_alloc(sizeof(*c));
		if (!c)
			return NULL;
		c->next = pw->more;
		pw->more = c;
	}
	return &c->entries[c->used++];
}

static void add_queue(struct poll_table *pt, struct waitq *q)
{
	struct poll_wait *pw = container_of(pt, struct poll_wait, table);
	struct poll_wait_entry *e = entry_new(pw);

	if (!e) {
		pw->failed = true;
		return;
	}
	e->pw = pw;
	e->entry = (struct waitq_entry){ .wake = entry_wake, .key = pw->key };
	list_init(&e->entry.link);
	waitq_add(q, &e->entry);
}

void poll_wait_init(struct poll_wait *pw)
{
	pw->table.add = add_queue;
	waitq_init(&pw->q);
	pw->triggered = pw->failed = false;
	pw->used = pw->key = 0;
	pw->more = NULL;
}

int poll_wait_sleep(struct poll_wait *pw, u64 deadline_ns)
{
	int r = WAIT_EVENT_INTR(&pw->q, __atomic_load_n(&pw->triggered, __ATOMIC_SEQ_CST), deadline_ns);

	__atomic_store_n(&pw->triggered, false, __ATOMIC_SEQ_CST);
	return r;
}

void poll_wait_end(struct poll_wait *pw)
{
	for (unsigned i = 0; i < pw->used; i++)
		waitq_remove(&pw->entries[i].entry);
	while (pw->more) {
		struct poll_wait_chunk *c = pw->more;
		for (unsigned i = 0; i < c->used; i++)
			waitq_remove(&c->entries[i].entry);
		pw->more = c->next;
		heap_free(c);
	}
}
