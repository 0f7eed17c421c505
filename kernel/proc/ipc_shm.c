/*
 * ipc_shm.c - System V shared memory: segments of memory that the program attaches to its address space.
 *
 * A segment is a memory object; its pages come when they are touched and stay until it is destroyed. attached counts
 * the areas that show it (vm/ tells), and one more while an attach is under way.
 * Invariants: 1. A segment in the table holds one reference of its object, which is embedded: the object's release
 * frees it. 2. One with LX_SHM_DEST and attached == 0 is not in the table.
 * Locks: shm_ids.lock. It is taken without the address space lock (an area's end is told after that is released); its
 * beginning is told under it and only counts. What can fail: memory, LX_SHMMNI.
 */
#include "proc/ipc.h"
#include "base/print.h"
#include "mm/heap.h"
#include "vm/aspace.h"

struct shm_segment {
	struct ipc_object ipc;
	struct vm_object object;
	u64 size;                    /* bytes, as asked for */
	s64 atime, dtime, ctime;     /* L */
	int lpid;                    /* L */
	u32 attached;                /* atomic */
	char name[24];               /* in /proc/self/maps */
};

static struct ipc_ids shm_ids = { .lock = SPINLOCK_INIT, .max = LX_SHMMNI, .last_index = -1 };
static u64 shm_pages;                /* L: of all segments, whether there or not */

static struct shm_segment *segment_of(struct vm_object *o)
{
	return container_of(o, struct shm_segment, object);
}

static u64 segment_pages(const struct shm_segment *s)
{
	return DIV_ROUND_UP(s->size, PAGE_SIZE);
}

static void segment_release(struct vm_object *o)
{
	heap_free(segment_of(o));
}

static u64 segment_size(struct vm_object *o)
{
	return segment_pages(segment_of(o)) * PAGE_SIZE;
}

static void segment_mapped(struct vm_object *o)
{
	__atomic_fetch_add(&segment_of(o)->attached, 1, __ATOMIC_RELAXED);
}

/* One attachment less; true if the caller must drop the table's reference: the segment is out of it. L held. */
static bool let_go_locked(struct shm_segment *s)
{
	if (__atomic_sub_fetch(&s->attached, 1, __ATOMIC_ACQ_REL) || !(s->ipc.perm.mode & LX_SHM_DEST))
		return false;
	ipc_remove_locked(&shm_ids, &s->ipc);
	shm_pages -= segment_pages(s);
	return true;
}

static void segment_unmapped(struct vm_object *o)
{
	struct shm_segment *s = segment_of(o);

	spin_lock(&shm_ids.lock);
	s->dtime = ipc_now();
	s->lpid = PROC_PID;
	bool gone = let_go_locked(s);
	spin_unlock(&shm_ids.lock);
	if (gone)
		vm_object_put(o);
}

static const struct vm_object_ops segment_ops = {
	.size = segment_size, .release = segment_release, .mapped = segment_mapped, .unmapped = segment_unmapped,
};

static struct shm_segment *segment_new(s32 key, size_t size)
{
	struct shm_segment *s = heap_alloc(sizeof(*s));

	if (!s)
		return NULL;
	vm_object_init(&s->object, &segment_ops);
	s->size = size;
	s->ctime = ipc_now();
	fmt_buf(s->name, sizeof(s->name), "/SYSV%08x (deleted)", (u32)key);
	return s;
}

/* One with this key is there: may it be had? L held. */
static int check_existing(const struct shm_segment *s, size_t size, int flags)
{
	if ((flags & LX_IPC_CREAT) && (flags & LX_IPC_EXCL))
		return -EEXIST;
	return size > s->size ? -EINVAL : s->ipc.perm.id;
}

int ipc_shm_get(s32 key, size_t size, int flags)
{
	struct shm_segment *fresh = NULL, *s;
	int r;

	for (;;) {
		spin_lock(&shm_ids.lock);
		s = (struct shm_segment *)ipc_find_key_locked(&shm_ids, key);
		if (s) {
			r = check_existing(s, size, flags);
		} else if (key != LX_IPC_PRIVATE && !(flags & LX_IPC_CREAT)) {
			r = -ENOENT;
		} else if (size < 1 || size > LX_SHMMAX) {
			r = -EINVAL;
		} else if (DIV_ROUND_UP(size, PAGE_SIZE) > LX_SHMALL - shm_pages) {
			r = -ENOSPC;
		} else if (flags & LX_SHM_HUGETLB) {
			r = -EPERM;          /* for privileged processes, and there are no huge pages */
		} else if (fresh) {
			r = ipc_add_locked(&shm_ids, &fresh->ipc, key, flags);
			if (r >= 0) {
				shm_pages += segment_pages(fresh);
				fresh = NULL;
			}
		} else {
			r = -EAGAIN;
		}
		spin_unlock(&shm_ids.lock);
		if (r != -EAGAIN)
			break;
		fresh = segment_new(key, size);
		if (!fresh)
			return -ENOMEM;
	}
	if (fresh)
		vm_object_put(&fresh->object);
	return r;
}

intptr_t ipc_shm_attach(int id, uintptr_t addr, bool fixed, bool replace, u32 prot)
{
	struct vm_map_request rq = {
		.addr = addr, .prot = prot, .max_prot = VM_PROT_READ | (prot & VM_PROT_WRITE),
		.flags = VM_MAP_SHARED | (fixed ? VM_MAP_FIXED : 0) | (fixed && !replace ? VM_MAP_NOREPLACE : 0),
	};

	if (vm_policy_allow_jit)
		rq.max_prot |= VM_PROT_EXEC;
	else if (prot & VM_PROT_EXEC)
		return -EACCES;
	spin_lock(&shm_ids.lock);
	struct shm_segment *s = (struct shm_segment *)ipc_find_locked(&shm_ids, id);
	if (s) {
		segment_mapped(&s->object);  /* so that nobody destroys it meanwhile */
		vm_object_get(&s->object);
		s->atime = ipc_now();
		s->lpid = PROC_PID;
	}
	spin_unlock(&shm_ids.lock);
	if (!s)
		return -EINVAL;
	rq.len = s->size;
	rq.object = &s->object;
	rq.name = s->name;
	intptr_t at = fixed && !replace && addr + s->size < addr ? -EINVAL : vm_map(&rq);
	spin_lock(&shm_ids.lock);
	bool gone = let_go_locked(s);
	spin_unlock(&shm_ids.lock);
	if (gone)
		vm_object_put(&s->object);
	vm_object_put(&s->object);
	return at == -EEXIST || at == -EPERM ? -EINVAL : at;
}

int ipc_shm_detach(uintptr_t addr)
{
	return vm_detach(addr, &segment_ops);
}

static void fill_stat_locked(const struct shm_segment *s, struct shm_stat *ret)
{
	*ret = (struct shm_stat){
		.perm = s->ipc.perm, .size = s->size, .resident_pages = READ_ONCE(s->object.npages), .atime = s->atime, .dtime = s->dtime,
		.ctime = s->ctime, .cpid = PROC_PID, .lpid = s->lpid, .nattch = __atomic_load_n(&s->attached, __ATOMIC_RELAXED),
	};
}

int ipc_shm_stat(int id, bool by_index, struct shm_stat *ret)
{
	int r = -EINVAL;

	spin_lock(&shm_ids.lock);
	struct ipc_object *o = by_index ? ipc_at_locked(&shm_ids, id) : ipc_find_locked(&shm_ids, id);
	if (o) {
		fill_stat_locked((struct shm_segment *)o, ret);
		r = o->perm.id;
	}
	spin_unlock(&shm_ids.lock);
	return r;
}

int ipc_shm_set(int id, u32 uid, u32 gid, u32 mode)
{
	int r = -EINVAL;

	spin_lock(&shm_ids.lock);
	struct shm_segment *s = (struct shm_segment *)ipc_find_locked(&shm_ids, id);
	if (s) {
		ipc_perm_set(&s->ipc.perm, uid, gid, mode);
		s->ctime = ipc_now();
		r = 0;
	}
	spin_unlock(&shm_ids.lock);
	return r;
}

int ipc_shm_remove(int id)
{
	bool gone = false;

	spin_lock(&shm_ids.lock);
	struct shm_segment *s = (struct shm_segment *)ipc_find_locked(&shm_ids, id);
	if (s) {
		/* Nobody finds it by its key any more; it goes with its last attachment. */
		s->ipc.perm.mode |= LX_SHM_DEST;
		s->ipc.perm.key = LX_IPC_PRIVATE;
		segment_mapped(&s->object);
		gone = let_go_locked(s);
	}
	spin_unlock(&shm_ids.lock);
	if (gone)
		vm_object_put(&s->object);
	return s ? 0 : -EINVAL;
}

int ipc_shm_lock(int id, bool lock)
{
	spin_lock(&shm_ids.lock);
	struct ipc_object *o = ipc_find_locked(&shm_ids, id);
	/* Its pages never leave memory anyway. */
	if (o && lock)
		o->perm.mode |= LX_SHM_LOCKED;
	else if (o)
		o->perm.mode &= ~(u32)LX_SHM_LOCKED;
	spin_unlock(&shm_ids.lock);
	return o ? 0 : -EINVAL;
}

void ipc_shm_info(struct shm_info *ret)
{
	spin_lock(&shm_ids.lock);
	*ret = (struct shm_info){ .used = (int)shm_ids.used, .last_index = ipc_last_index_locked(&shm_ids), .total_pages = shm_pages };
	for (unsigned i = 0; i < shm_ids.nslots; i++)
		if (shm_ids.slots[i])
			ret->resident_pages += READ_ONCE(((struct shm_segment *)shm_ids.slots[i])->object.npages);
	spin_unlock(&shm_ids.lock);
}
