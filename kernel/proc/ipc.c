/*
 * ipc.c - what the families of IPC objects share: tables and numbers, memory, messages, waiting.
 *
 * Numbers are made as Linux makes them: index + sequence * 32768, the index going round, so that the number of a
 * removed object is not another one's soon. Invariants: 1. slots[i] != NULL iff an object has the index i; used counts
 * them. 2. charged is the sum of all ipc_charge not given back. 3. A sleeper that is undecided is on a list.
 * Locks: the family's (ipc.h). What can fail: memory, the family's maximum.
 */
#include "proc/ipc.h"
#include "mm/heap.h"

#define IPC_SEQ_SHIFT 15u
#define IPC_SEQ_MAX   65534u
#define IPC_TABLE_MIN 64u

static u64 charged;                  /* atomic */

s64 ipc_now(void)
{
	return (s64)((arch_clock_mono_ns() + arch_clock_real_offset_ns()) / NSEC_PER_SEC);
}

/* ---- Memory ---- */

bool ipc_charge(size_t bytes)
{
	u64 max = page_total_count() * PAGE_SIZE / IPC_MEMORY_SHARE;

	if (__atomic_add_fetch(&charged, bytes, __ATOMIC_RELAXED) <= max)
		return true;
	ipc_uncharge(bytes);
	return false;
}

void ipc_uncharge(size_t bytes)
{
	__atomic_fetch_sub(&charged, bytes, __ATOMIC_RELAXED);
}

struct ipc_msg *ipc_msg_new(size_t len)
{
	size_t size = sizeof(struct ipc_msg) + len;

	if (!ipc_charge(size))
		return NULL;
	struct ipc_msg *m = heap_alloc(size);
	if (!m) {
		ipc_uncharge(size);
		return NULL;
	}
	list_init(&m->link);
	m->len = len;
	return m;
}

void ipc_msg_free(struct ipc_msg *m)
{
	if (!m)
		return;
	ipc_uncharge(sizeof(*m) + m->len);
	heap_free(m);
}

/* ---- Tables ---- */

/* A free place: from the one after the last on, then from the start. The table doubles when it is full. */
static int find_place_locked(struct ipc_ids *ids)
{
	if (ids->used >= ids->max)
		return -ENOSPC;
	if (ids->used == ids->nslots) {
		unsigned n = ids->nslots ? MIN(ids->nslots * 2, ids->max) : IPC_TABLE_MIN;
		struct ipc_object **slots = heap_realloc(ids->slots, n * sizeof(*slots));
		if (!slots)
			return -ENOMEM;
		ids->slots = slots;
		ids->nslots = n;
	}
	unsigned at = (unsigned)(ids->last_index + 1) % ids->nslots;
	while (ids->slots[at])
		at = (at + 1) % ids->nslots;
	return (int)at;
}

int ipc_add_locked(struct ipc_ids *ids, struct ipc_object *o, s32 key, int flags)
{
	int at = find_place_locked(ids);

	if (at < 0)
		return at;
	if (at <= ids->last_index)
		ids->seq = ids->seq >= IPC_SEQ_MAX ? 0 : (u16)(ids->seq + 1);
	ids->last_index = at;
	ids->slots[at] = o;
	ids->used++;
	o->perm = (struct ipc_perm){
		.key = key, .uid = PROC_UID, .gid = PROC_GID, .cuid = PROC_UID, .cgid = PROC_GID, .mode = (u32)flags & 0777, .seq = ids->seq,
		.id = (int)((u32)ids->seq << IPC_SEQ_SHIFT | (u32)at),
	};
	return o->perm.id;
}

static unsigned index_of(int id)
{
	return (u32)id & ((1u << IPC_SEQ_SHIFT) - 1);
}

void ipc_remove_locked(struct ipc_ids *ids, struct ipc_object *o)
{
	ids->slots[index_of(o->perm.id)] = NULL;
	ids->used--;
}

struct ipc_object *ipc_at_locked(struct ipc_ids *ids, int index)
{
	return index >= 0 && (unsigned)index < ids->nslots ? ids->slots[index] : NULL;
}

struct ipc_object *ipc_find_locked(struct ipc_ids *ids, int id)
{
	struct ipc_object *o = id < 0 ? NULL : ipc_at_locked(ids, (int)index_of(id));

	return o && o->perm.id == id ? o : NULL;
}

struct ipc_object *ipc_find_key_locked(struct ipc_ids *ids, s32 key)
{
	if (key == LX_IPC_PRIVATE)
		return NULL;
	for (unsigned i = 0; i < ids->nslots; i++)
		if (ids->slots[i] && ids->slots[i]->perm.key == key)
			return ids->slots[i];
	return NULL;
}

int ipc_last_index_locked(const struct ipc_ids *ids)
{
	for (unsigned i = ids->nslots; i-- > 0;)
		if (ids->slots[i])
			return (int)i;
	return 0;
}

void ipc_perm_set(struct ipc_perm *p, u32 uid, u32 gid, u32 mode)
{
	p->uid = uid;
	p->gid = gid;
	p->mode = (p->mode & ~0777u) | (mode & 0777);
}

/* ---- Waiting ---- */

void ipc_sleep_prepare_locked(struct ipc_sleeper *s, struct list *on)
{
	waitq_init(&s->q);
	s->result = IPC_UNDECIDED;
	list_append(on, &s->link);
}

void ipc_decide_locked(struct ipc_sleeper *s, int result)
{
	list_remove(&s->link);
	__atomic_store_n(&s->result, result, __ATOMIC_SEQ_CST);
	/* It takes the lock before it leaves, so s is still there. */
	waitq_wake_all(&s->q);
}

void ipc_decide_all_locked(struct list *on, int result)
{
	while (!list_empty(on))
		ipc_decide_locked(list_entry(list_first(on), struct ipc_sleeper, link), result);
}

int ipc_sleep(struct ipc_sleeper *s, struct spinlock *lock, u64 deadline_ns)
{
	int r = WAIT_EVENT_INTR(&s->q, __atomic_load_n(&s->result, __ATOMIC_SEQ_CST) != IPC_UNDECIDED, deadline_ns);

	spin_lock(lock);
	if (s->result == IPC_UNDECIDED)
		list_remove(&s->link);
	else
		r = s->result;
	spin_unlock(lock);
	return r;
}
