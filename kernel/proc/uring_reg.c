/*
 * uring_reg.c - what a ring keeps for its requests: files, buffers, an eventfd, personalities, restrictions.
 *
 * Registered buffers are remembered and charged (RLIMIT_MEMLOCK), not pinned: a request on one that was unmapped
 * meanwhile fails with -EFAULT.
 *
 * Invariants: 1. A registered file is never a ring, so rings do not hold each other. 2. Tables are exchanged whole, with
 * ring->lock held; what was taken out is released without it.
 * Locks: submit_mtx, held by the caller of everything that changes tables (linux/sys_uring.c, or the submission that
 * runs FILES_UPDATE); here ring->lock. What can fail: memory, descriptors.
 */
#include "proc/uring_impl.h"
#include "proc/event_files.h"
#include "proc/process.h"

/* ---- Files ---- */

static int file_for_ring(s32 fd, struct file **ret)
{
	*ret = NULL;
	if (fd == -1)
		return 0;
	struct file *f = fd_lookup(fd);
	if (!f)
		return -EBADF;
	if (file_uring(f)) {
		file_put(f);
		return -EBADF;
	}
	*ret = f;
	return 0;
}

static void files_put(struct file **files, u32 n)
{
	for (u32 i = 0; i < n; i++)
		if (files[i])
			file_put(files[i]);
	heap_free(files);
}

int uring_files_register(struct uring *r, const s32 *fds, u32 n)
{
	struct file **files;
	u32 done = 0;
	int e = 0;

	if (r->files)
		return -EBUSY;
	if (!n)
		return -EINVAL;
	if (n > URING_FILES_MAX || n > READ_ONCE(process_rlimits[RLIM_NOFILE].cur))
		return -EMFILE;
	files = heap_alloc_array(n, sizeof(*files));
	if (!files)
		return -ENOMEM;
	for (; fds && done < n && e == 0; done += e == 0)
		e = file_for_ring(fds[done], &files[done]);
	if (e) {
		files_put(files, n);
		return e;
	}
	irq_flags_t f = uring_lock(r);
	r->files = files;
	r->nfiles = n;
	r->alloc_first = r->files_hint = 0;
	r->alloc_end = n;
	uring_unlock(r, f);
	return 0;
}

int uring_files_unregister(struct uring *r)
{
	irq_flags_t f = uring_lock(r);
	struct file **files = r->files;
	u32 n = r->nfiles;

	r->files = NULL;
	r->nfiles = 0;
	uring_unlock(r, f);
	if (!files)
		return -ENXIO;
	files_put(files, n);
	return 0;
}

/* Exchange one place; the old file is the caller's. -ENXIO, -EINVAL. */
static int file_swap(struct uring *r, u32 index, struct file *new_file, struct file **ret_old)
{
	irq_flags_t f = uring_lock(r);
	int e = !r->files ? -ENXIO : index >= r->nfiles ? -EINVAL : 0;

	if (e == 0) {
		*ret_old = r->files[index];
		r->files[index] = new_file;
	}
	uring_unlock(r, f);
	return e;
}

long uring_files_update(struct uring *r, u32 off, const s32 *fds, u32 n)
{
	struct file *new_file, *old;
	u32 i, end;
	int e = 0;

	if (!r->files)
		return -ENXIO;
	if (__builtin_add_overflow(off, n, &end))
		return -EOVERFLOW;
	if (end > r->nfiles)
		return -EINVAL;
	for (i = 0; i < n; i++) {
		if (fds[i] == -2)
			continue;
		e = file_for_ring(fds[i], &new_file);
		if (e)
			break;
		e = file_swap(r, off + i, new_file, &old);
		if (e) {
			if (new_file)
				file_put(new_file);
			break;
		}
		if (old)
			file_put(old);
	}
	return i ? (long)i : e;
}

/* The lowest free place of the range for them. L held; -ENFILE. */
static long file_free_place_locked(struct uring *r)
{
	for (u32 i = r->alloc_first; i < r->alloc_end; i++)
		if (!r->files[i])
			return (long)i;
	return -ENFILE;
}

long uring_file_place(struct uring *r, struct file *file, u32 index)
{
	struct file *old = NULL;
	long at = index;

	if (file_uring(file))
		return -EBADF;
	irq_flags_t f = uring_lock(r);
	if (!r->files)
		at = index == ~0u ? -ENFILE : -ENXIO;
	else if (index == ~0u)
		at = file_free_place_locked(r);
	else if (index >= r->nfiles)
		at = -EINVAL;
	if (at >= 0) {
		old = r->files[at];
		r->files[at] = file;
	}
	uring_unlock(r, f);
	if (old)
		file_put(old);
	return at;
}

int uring_file_remove(struct uring *r, u32 index)
{
	struct file *old = NULL;
	int e = file_swap(r, index, NULL, &old);

	if (e)
		return e;
	if (!old)
		return -EBADF;
	file_put(old);
	return 0;
}

int uring_file_alloc_range(struct uring *r, u32 off, u32 len)
{
	u32 end;

	if (__builtin_add_overflow(off, len, &end))
		return -EOVERFLOW;
	irq_flags_t f = uring_lock(r);
	int e = end > r->nfiles ? -EINVAL : 0;
	if (e == 0) {
		r->alloc_first = off;
		r->alloc_end = end;
	}
	uring_unlock(r, f);
	return e;
}

struct file *uring_file_get(struct uring *r, u32 index)
{
	irq_flags_t f = uring_lock(r);
	struct file *file = index < r->nfiles ? r->files[index] : NULL;

	if (file)
		file_get(file);
	uring_unlock(r, f);
	return file;
}

/* ---- Buffers ---- */

static u64 buf_pages(const struct uring_buf *b)
{
	return b->len ? (ROUND_UP(b->base + b->len, PAGE_SIZE) - (b->base & PAGE_MASK)) >> PAGE_SHIFT : 0;
}

static u64 locked_pages_all;         /* atomic: of all rings */

static int pages_lock(struct uring *r, u64 n)
{
	u64 max = READ_ONCE(process_rlimits[RLIM_MEMLOCK].cur) >> PAGE_SHIFT;

	if (__atomic_add_fetch(&locked_pages_all, n, __ATOMIC_RELAXED) > max) {
		__atomic_fetch_sub(&locked_pages_all, n, __ATOMIC_RELAXED);
		return -ENOMEM;
	}
	r->locked_pages += n;
	return 0;
}

static void pages_unlock(struct uring *r, u64 n)
{
	r->locked_pages -= n;
	__atomic_fetch_sub(&locked_pages_all, n, __ATOMIC_RELAXED);
}

int uring_bufs_register(struct uring *r, struct uring_buf *bufs, u32 n)
{
	u64 pages = 0;
	int e;

	if (r->bufs)
		return -EBUSY;
	for (u32 i = 0; i < n; i++)
		pages += buf_pages(&bufs[i]);
	e = pages_lock(r, pages);
	if (e)
		return e;
	irq_flags_t f = uring_lock(r);
	r->bufs = bufs;
	r->nbufs = n;
	uring_unlock(r, f);
	return 0;
}

int uring_bufs_unregister(struct uring *r)
{
	irq_flags_t f = uring_lock(r);
	struct uring_buf *bufs = r->bufs;

	r->bufs = NULL;
	r->nbufs = 0;
	uring_unlock(r, f);
	if (!bufs)
		return -ENXIO;
	pages_unlock(r, r->locked_pages);
	heap_free(bufs);
	return 0;
}

int uring_buf_set(struct uring *r, u32 index, const struct uring_buf *b)
{
	if (!r->bufs)
		return -ENXIO;
	if (index >= r->nbufs)
		return -EINVAL;
	int e = pages_lock(r, buf_pages(b));
	if (e)
		return e;
	pages_unlock(r, buf_pages(&r->bufs[index]));
	irq_flags_t f = uring_lock(r);
	r->bufs[index] = *b;
	uring_unlock(r, f);
	return 0;
}

int uring_buf_get(struct uring *r, u32 index, struct uring_buf *ret)
{
	irq_flags_t f = uring_lock(r);
	int e = index < r->nbufs ? 0 : -EFAULT;

	if (e == 0)
		*ret = r->bufs[index];
	uring_unlock(r, f);
	return e;
}

/* ---- Rings of a task ---- */

int uring_task_ring_add(struct file *f, s32 index)
{
	struct task *t = task_current();

	if (index >= (s32)URING_TASK_RINGS)
		return -EINVAL;
	if (!t->rings)
		t->rings = heap_alloc_array(URING_TASK_RINGS, sizeof(*t->rings));
	if (!t->rings)
		return -ENOMEM;
	u32 first = index < 0 ? 0 : (u32)index, end = index < 0 ? URING_TASK_RINGS : (u32)index + 1;
	for (u32 i = first; i < end; i++) {
		if (t->rings[i])
			continue;
		t->rings[i] = f;
		return (int)i;
	}
	return -EBUSY;
}

void uring_task_ring_remove(u32 index)
{
	struct task *t = task_current();

	if (!t->rings || !t->rings[index])
		return;
	file_put(t->rings[index]);
	t->rings[index] = NULL;
}

struct file *uring_registered_ring(int index)
{
	struct task *t = task_current();

	if (!t->rings || (u32)index >= URING_TASK_RINGS)
		return ERR_PTR(-EINVAL);
	if (t->rings[index])
		file_get(t->rings[index]);
	return t->rings[index];
}

void uring_task_leave(struct task *t)
{
	for (u32 i = 0; t->rings && i < URING_TASK_RINGS; i++)
		if (t->rings[i])
			file_put(t->rings[i]);
	heap_free(t->rings);
	t->rings = NULL;
}

/* ---- The rest ---- */

void uring_register_begin(struct uring *r) { mutex_lock(&r->submit_mtx); }
void uring_register_end(struct uring *r) { mutex_unlock(&r->submit_mtx); }

int uring_eventfd_register(struct uring *r, int fd, bool async_only)
{
	struct file *e;

	if (r->eventfd)
		return -EBUSY;
	e = fd_lookup(fd);
	if (!e)
		return -EBADF;
	if (!file_is_eventfd(e)) {
		file_put(e);
		return -EINVAL;
	}
	irq_flags_t f = uring_lock(r);
	r->eventfd = e;
	r->eventfd_async = async_only;
	uring_unlock(r, f);
	return 0;
}

int uring_eventfd_unregister(struct uring *r)
{
	irq_flags_t f = uring_lock(r);
	struct file *e = r->eventfd;

	r->eventfd = NULL;
	uring_unlock(r, f);
	if (!e)
		return -ENXIO;
	file_put(e);
	return 0;
}

#define PERSONALITIES 65536u

int uring_personality_add(struct uring *r)
{
	if (!r->personalities)
		r->personalities = heap_alloc_array(PERSONALITIES / 64, sizeof(u64));
	if (!r->personalities)
		return -ENOMEM;
	for (u32 i = 0; i < PERSONALITIES - 1; i++) {
		u32 id = 1 + (r->personality_next - 1 + i) % (PERSONALITIES - 1);
		if (r->personalities[id / 64] >> id % 64 & 1)
			continue;
		r->personalities[id / 64] |= 1ull << id % 64;
		r->personality_next = 1 + id % (PERSONALITIES - 1);
		return (int)id;
	}
	return -EBUSY;
}

int uring_personality_remove(struct uring *r, u32 id)
{
	if (!id || id >= PERSONALITIES || !r->personalities || !(r->personalities[id / 64] >> id % 64 & 1))
		return -EINVAL;
	r->personalities[id / 64] &= ~(1ull << id % 64);
	return 0;
}

int uring_restrict(struct uring *r, const struct uring_restrictions *x)
{
	if (!uring_is_disabled(r))
		return -EBADFD;
	if (r->restrict_to.registered)
		return -EBUSY;
	r->restrict_to = *x;
	r->restrict_to.registered = true;
	r->restricted = true;
	return 0;
}

void uring_max_workers(struct uring *r, u32 *bounded, u32 *unbounded)
{
	u32 old[2] = { r->workers[0] ? r->workers[0] : WORKERS_PATIENT, r->workers[1] ? r->workers[1] : WORKERS_PATIENT };

	if (*bounded)
		r->workers[0] = MIN(*bounded, WORKERS_PATIENT);
	if (*unbounded)
		r->workers[1] = MIN(*unbounded, WORKERS_PATIENT);
	*bounded = old[0];
	*unbounded = old[1];
}

void uring_registered_free(struct uring *r)
{
	(void)uring_files_unregister(r);
	(void)uring_bufs_unregister(r);
	(void)uring_eventfd_unregister(r);
	heap_free(r->personalities);
}
