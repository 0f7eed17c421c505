/*
 * futex.c - futex queues: hashed buckets with a lock each.
 *
 * Invariants: 1. A waiter with bucket != NULL is on that bucket's list. 2. Only the holder of the bucket's lock
 * writes key and bucket of a waiter on it. 3. Who takes a waiter off wakes its thread after bucket = NULL was
 * written, and does not touch the waiter again: it is on its owner's stack.
 * Locks: one bucket, or two in address order; never from interrupts. Cannot fail.
 */
#include "proc/futex.h"
#include "sched/random.h"

#define FUTEX_BUCKETS 256u

struct futex_bucket {
	struct spinlock lock;
	u32 seq;                     /* B: counts arrivals */
	struct list waiters;         /* B: oldest first */
} ALIGNED(32);

static struct futex_bucket buckets[FUTEX_BUCKETS];
static u64 hash_secret RO_AFTER_INIT;

void futex_init(void)
{
	for (unsigned i = 0; i < FUTEX_BUCKETS; i++) {
		spin_init(&buckets[i].lock);
		list_init(&buckets[i].waiters);
	}
	hash_secret = random_u64() | 1;
}

static struct futex_bucket *bucket_of(const u64 key[2])
{
	u64 h = (key[0] ^ (key[1] << 1 | key[1] >> 63)) * 0x9e3779b97f4a7c15ull;

	h = (h ^ hash_secret) * 0xd6e8feb86659fd93ull;
	return &buckets[h >> 56];
}

static bool key_is(const struct futex_waiter *w, const u64 key[2])
{
	return w->key[0] == key[0] && w->key[1] == key[1];
}

static ALWAYS_INLINE void enqueue(struct futex_waiter *w, const u64 key[2], u32 bitset, void **held)
{
	struct futex_bucket *b = bucket_of(key);

	w->key[0] = key[0];
	w->key[1] = key[1];
	w->bitset = bitset;
	w->held = held;
	w->thread = thread_current();
	spin_lock(&b->lock);
	w->bucket = b;
	b->seq++;
	list_append(&b->waiters, &w->link);
	spin_unlock(&b->lock);
	/* The word is read after this; the wakers' side has its barrier in futex_wake. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void futex_enqueue(struct futex_waiter *w, const u64 key[2], u32 bitset)
{
	enqueue(w, key, bitset, NULL);
}

void futex_enqueue_any(struct futex_waiter *ws, unsigned i, const u64 key[2])
{
	if (i == 0)
		ws[0].any = ws;
	enqueue(&ws[i], key, FUTEX_MATCH_ANY, &ws[0].any);
}

/* Off whichever bucket it is on now (it may be moved meanwhile); false if a wake was quicker. */
static bool dequeue(struct futex_waiter *w)
{
	struct futex_bucket *b;

	while ((b = __atomic_load_n(&w->bucket, __ATOMIC_ACQUIRE)) != NULL) {
		spin_lock(&b->lock);
		if (w->bucket == b) {
			list_remove(&w->link);
			w->bucket = NULL;
			spin_unlock(&b->lock);
			return true;
		}
		spin_unlock(&b->lock);
	}
	return false;
}

bool futex_cancel(struct futex_waiter *w)
{
	if (dequeue(w))
		return false;
	futex_wake(w->key, 1, w->bitset);
	return true;
}

int futex_block(struct futex_waiter *w, u64 deadline_ns)
{
	int r = sched_sleep_while((void *const *)&w->bucket, true, deadline_ns);

	return r && dequeue(w) ? r : 0;
}

/* A wake makes `any` NULL and then the bucket, with the bucket's lock held: dequeue waits for that lock and sees both. */
int futex_cancel_any(struct futex_waiter *ws, unsigned n)
{
	int woken = -1;

	for (unsigned i = 0; i < n; i++)
		if (!dequeue(&ws[i]))
			woken = (int)i;
	return woken;
}

int futex_block_any(struct futex_waiter *ws, unsigned n, u64 deadline_ns)
{
	int r = sched_sleep_while(&ws[0].any, true, deadline_ns);
	int woken = futex_cancel_any(ws, n);

	return woken >= 0 ? woken : r;
}

/* Around the lock of a bucket in which threads are woken: who wakes wants that lock soon, so other CPUs hear of it after. */
static irq_flags_t wakes_begin(void)
{
	irq_flags_t f = arch_irq_save();

	sched_hold_kicks();
	return f;
}
static void wakes_end(irq_flags_t f)
{
	sched_send_kicks();
	arch_irq_restore(f);
}

/* Take w off and wake its thread; the bucket's lock is held. */
static ALWAYS_INLINE void wake_locked(struct futex_waiter *w)
{
	struct thread *t = w->thread;

	list_remove(&w->link);
	thread_get(t);
	if (unlikely(w->held))
		__atomic_store_n(w->held, NULL, __ATOMIC_SEQ_CST);
	__atomic_store_n(&w->bucket, NULL, __ATOMIC_SEQ_CST);    /* keeps 3 */
	thread_wake_irq(t);
	thread_put(t);
}

int futex_wake(const u64 key[2], int max, u32 bitset)
{
	struct futex_bucket *b = bucket_of(key);
	struct futex_waiter *w, *tmp;
	int n = 0;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (list_empty(&b->waiters))
		return 0;
	irq_flags_t f = wakes_begin();
	spin_lock(&b->lock);
	list_for_each_entry_safe(w, tmp, &b->waiters, link) {
		if (!key_is(w, key) || !(w->bitset & bitset))
			continue;
		wake_locked(w);
		if (++n >= max)
			break;
	}
	spin_unlock(&b->lock);
	wakes_end(f);
	return n;
}

u32 futex_seq(const u64 key[2])
{
	u32 seq = __atomic_load_n(&bucket_of(key)->seq, __ATOMIC_SEQ_CST);

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return seq;
}

static void lock_two(struct futex_bucket *a, struct futex_bucket *b)
{
	if (a > b) {
		struct futex_bucket *t = a;
		a = b;
		b = t;
	}
	spin_lock(&a->lock);
	if (b != a)
		spin_lock(&b->lock);
}

static void move_locked(struct futex_waiter *w, struct futex_bucket *to, const u64 key2[2])
{
	list_remove(&w->link);
	w->key[0] = key2[0];
	w->key[1] = key2[1];
	__atomic_store_n(&w->bucket, to, __ATOMIC_RELEASE);
	list_append(&to->waiters, &w->link);
}

COLD int futex_requeue(const u64 key[2], const u64 key2[2], int nwake, int nmove, const u32 *seq, int *ret_woken)
{
	struct futex_bucket *b = bucket_of(key), *b2 = bucket_of(key2);
	struct futex_waiter *w, *tmp;
	bool same = key[0] == key2[0] && key[1] == key2[1];
	int woken = 0, moved = 0;

	irq_flags_t f = wakes_begin();
	lock_two(b, b2);
	if (seq && *seq != b->seq) {
		spin_unlock(&b->lock);
		if (b2 != b)
			spin_unlock(&b2->lock);
		wakes_end(f);
		return -EAGAIN;
	}
	list_for_each_entry_safe(w, tmp, &b->waiters, link) {
		if (!key_is(w, key))
			continue;
		if (woken < nwake) {
			wake_locked(w);
			woken++;
		} else if (moved < nmove) {
			if (!same)
				move_locked(w, b2, key2);
			moved++;
		} else {
			break;
		}
	}
	if (moved)
		b2->seq++;
	spin_unlock(&b->lock);
	if (b2 != b)
		spin_unlock(&b2->lock);
	wakes_end(f);
	*ret_woken = woken;
	return woken + moved;
}
