/*
 * sys_uring_reg.c - io_uring_register: one function for each of its operations, arguments fetched once.
 *
 * Not here (-EINVAL): tags of registered files and buffers (the features word does not promise them), affinities of
 * workers. Worker limits are kept and have no effect: there is one pool (proc/workers.h).
 */
#include "linux/uring_ops.h"
#include "mm/heap.h"
#include "vm/aspace.h"

/* ---- Files ---- */

static long files_register(struct uring *r, u64 fds, u32 n)
{
	s32 *copy;
	long e;

	if (!n)
		return -EINVAL;
	if (n > URING_FILES_MAX)
		return -EMFILE;
	if (!fds)
		return uring_files_register(r, NULL, n);
	copy = heap_alloc_array(n, sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	e = copy_from_user(copy, uaddr_make(fds), n * sizeof(*copy));
	if (e == 0)
		e = uring_files_register(r, copy, n);
	heap_free(copy);
	return e;
}

static long files_update(struct uring *r, u32 off, u64 fds, u32 n)
{
	s32 *copy;
	long e;

	if (!n || n > URING_FILES_MAX)
		return -EINVAL;
	copy = heap_alloc_array(n, sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	e = copy_from_user(copy, uaddr_make(fds), n * sizeof(*copy));
	if (e == 0)
		e = uring_files_update(r, off, copy, n);
	heap_free(copy);
	return e;
}

struct lx_files_update {
	u32 offset, resv;
	u64 fds;
};

static long files_update_old(struct uring *r, struct uaddr arg, u32 n)
{
	struct lx_files_update u;

	if (!n)
		return -EINVAL;
	if (copy_from_user(&u, arg, sizeof(u)) < 0)
		return -EFAULT;
	return u.resv ? -EINVAL : files_update(r, u.offset, u.fds, n);
}

struct lx_rsrc_register {
	u32 nr, flags;
	u64 resv2, data, tags;
};
struct lx_rsrc_update2 {
	u32 offset, resv;
	u64 data, tags;
	u32 nr, resv2;
};

/* ---- Buffers ---- */

#define BUF_MAX (1ull << 30)

/* A range that can be read and written now; empty places are {0, 0}. */
static int buffer_check(const struct uring_buf *b)
{
	u64 end;

	if (!b->base)
		return b->len ? -EFAULT : 0;
	if (!b->len)
		return -EFAULT;
	if (b->len > BUF_MAX)
		return -EFAULT;
	if (__builtin_add_overflow(b->base, ROUND_UP(b->len, PAGE_SIZE), &end))
		return -EOVERFLOW;
	if (!user_range_ok(uaddr_make(b->base), b->len))
		return -EFAULT;
	struct vm_area a;
	for (u64 at = b->base; at < b->base + b->len; at = a.end) {
		if (!vm_find_area((uintptr_t)at, &a) || !(a.prot & VM_PROT_WRITE))
			return -EFAULT;
		if (a.file)
			return -EOPNOTSUPP;
	}
	uintptr_t first = (uintptr_t)(b->base & PAGE_MASK);
	return vm_populate(first, (size_t)(ROUND_UP(b->base + b->len, PAGE_SIZE) - first)) ? -EFAULT : 0;
}

static long buffers_register(struct uring *r, u64 iov, u32 n)
{
	struct uring_buf *bufs;
	long e = 0;

	if (!n || n > URING_BUFS_MAX)
		return -EINVAL;
	bufs = heap_alloc_array(n, sizeof(*bufs));
	if (!bufs)
		return -ENOMEM;
	if (iov)
		e = copy_from_user(bufs, uaddr_make(iov), n * sizeof(*bufs));
	for (u32 i = 0; i < n && e == 0; i++)
		e = buffer_check(&bufs[i]);
	if (e == 0)
		e = uring_bufs_register(r, bufs, n);
	if (e)
		heap_free(bufs);
	return e;
}

static long buffers_update(struct uring *r, u32 off, u64 iov, u32 n)
{
	u32 done = 0;
	long e = 0;

	for (; done < n && e == 0; done += e == 0) {
		struct uring_buf b;
		e = copy_from_user(&b, uaddr_make(iov + done * sizeof(b)), sizeof(b));
		if (e == 0)
			e = buffer_check(&b);
		if (e == 0)
			e = off + done < off ? -EOVERFLOW : uring_buf_set(r, off + done, &b);
	}
	return done ? (long)done : e;
}

#define RSRC_SPARSE 1u

static long rsrc_register(struct uring *r, struct uaddr arg, u32 size, bool files)
{
	struct lx_rsrc_register x;

	if (size != sizeof(x))
		return -EINVAL;
	if (copy_from_user(&x, arg, sizeof(x)) < 0)
		return -EFAULT;
	if (!x.nr || x.resv2 || x.flags & ~RSRC_SPARSE || x.tags)
		return -EINVAL;
	if (x.flags & RSRC_SPARSE && x.data)
		return -EINVAL;
	return files ? files_register(r, x.data, x.nr) : buffers_register(r, x.data, x.nr);
}

static long rsrc_update(struct uring *r, struct uaddr arg, u32 size, bool files)
{
	struct lx_rsrc_update2 x;

	if (size != sizeof(x))
		return -EINVAL;
	if (copy_from_user(&x, arg, sizeof(x)) < 0)
		return -EFAULT;
	if (!x.nr || x.resv || x.resv2 || x.tags)
		return -EINVAL;
	return files ? files_update(r, x.offset, x.data, x.nr) : buffers_update(r, x.offset, x.data, x.nr);
}

/* ---- Probe, restrictions, rings of a task ---- */

struct lx_probe {
	u8 last_op, ops_len;
	u16 resv;
	u32 resv2[3];
};
struct lx_probe_op {
	u8 op, resv;
	u16 flags;
	u32 resv2;
};

static long probe(struct uaddr arg, u32 n)
{
	struct { struct lx_probe p; struct lx_probe_op ops[256]; } *x;
	size_t size;
	long e;

	if (n > 256)
		n = 256;
	size = sizeof(x->p) + n * sizeof(x->ops[0]);
	x = heap_alloc(sizeof(*x));
	if (!x)
		return -ENOMEM;
	e = copy_from_user(x, arg, size);
	for (size_t i = 0; i < size && e == 0; i++)
		if (((const u8 *)x)[i])
			e = -EINVAL;
	if (e == 0) {
		x->p.last_op = LX_OP_COUNT - 1;
		n = MIN(n, (u32)LX_OP_COUNT);
		x->p.ops_len = (u8)n;
		for (u32 i = 0; i < n; i++) {
			x->ops[i].op = (u8)i;
			x->ops[i].flags = uring_ops[i].flags & URING_OP_KNOWN ? 1 : 0;
		}
		e = copy_to_user(arg, x, size);
	}
	heap_free(x);
	return e;
}

struct lx_restriction {
	u16 opcode;
	u8 op, resv;
	u32 resv2[3];
};

static int restriction_add(struct uring_restrictions *x, const struct lx_restriction *l)
{
	switch (l->opcode) {
	case LX_RESTRICT_REGISTER_OP:
		if (l->op >= LX_REGISTER_COUNT)
			return -EINVAL;
		x->register_ops |= 1ull << l->op;
		return 0;
	case LX_RESTRICT_SQE_OP:
		if (l->op >= LX_OP_COUNT)
			return -EINVAL;
		x->sqe_ops |= 1ull << l->op;
		return 0;
	case LX_RESTRICT_SQE_FLAGS_ALLOWED:
		x->flags_allowed = l->op;
		return 0;
	case LX_RESTRICT_SQE_FLAGS_REQUIRED:
		x->flags_required = l->op;
		return 0;
	}
	return -EINVAL;
}

static long restrictions(struct uring *r, struct uaddr arg, u32 n)
{
	struct uring_restrictions x = { 0 };
	struct lx_restriction l;
	int e;

	if (!uring_is_disabled(r))
		return -EBADFD;
	if (uaddr_is_null(arg) || n > LX_REGISTER_COUNT + LX_OP_COUNT + 2)
		return -EINVAL;
	for (u32 i = 0; i < n; i++) {
		if (copy_from_user(&l, uaddr_add(arg, i * sizeof(l)), sizeof(l)) < 0)
			return -EFAULT;
		e = restriction_add(&x, &l);
		if (e)
			return e;
	}
	return uring_restrict(r, &x);
}

static int task_ring_one(struct lx_files_update *u)
{
	struct file *f;
	int at;

	if (u->resv)
		return -EINVAL;
	f = fd_lookup((int)u->fds);
	if (!f)
		return -EBADF;
	at = file_uring(f) ? uring_task_ring_add(f, u->offset == ~0u ? -1 : (s32)u->offset) : -EOPNOTSUPP;
	if (at < 0) {
		file_put(f);
		return at;
	}
	u->offset = (u32)at;
	return 0;
}

static long task_rings(struct uaddr arg, u32 n, bool add)
{
	struct lx_files_update u;
	u32 i;
	int e = 0;

	if (!n || n > URING_TASK_RINGS)
		return -EINVAL;
	for (i = 0; i < n; i++) {
		struct uaddr at = uaddr_add(arg, i * sizeof(u));
		e = copy_from_user(&u, at, sizeof(u));
		if (e == 0 && !add && (u.resv || u.fds || u.offset >= URING_TASK_RINGS))
			e = -EINVAL;
		if (e)
			break;
		if (!add) {
			uring_task_ring_remove(u.offset);
			continue;
		}
		e = task_ring_one(&u);
		if (e)
			break;
		if (copy_to_user(at, &u, sizeof(u)) < 0) {
			uring_task_ring_remove(u.offset);
			e = -EFAULT;
			break;
		}
	}
	return i ? (long)i : e;
}

/* ---- Groups in the program's memory, worker limits, cancelling ---- */

struct lx_buf_reg {
	u64 ring_addr;
	u32 ring_entries;
	u16 bgid, pad;
	u64 resv[3];
};

static long buf_ring(struct uring *r, struct uaddr arg, bool add)
{
	struct lx_buf_reg x;

	if (copy_from_user(&x, arg, sizeof(x)) < 0)
		return -EFAULT;
	if (x.pad || x.resv[0] || x.resv[1] || x.resv[2])
		return -EINVAL;
	if (!add)
		return uring_group_ring_remove(r, x.bgid);
	if (!x.ring_addr)
		return -EFAULT;
	if (x.ring_addr & (PAGE_SIZE - 1) || !x.ring_entries || x.ring_entries & (x.ring_entries - 1) || x.ring_entries >= 65536)
		return -EINVAL;
	/* All of it must be there, as where pages are pinned; whether it stays is the program's business. */
	for (u64 at = 0; at < x.ring_entries * 16ul; at += PAGE_SIZE) {
		u8 byte;
		if (copy_from_user(&byte, uaddr_make(x.ring_addr + at), 1) < 0)
			return -EFAULT;
	}
	return uring_group_ring(r, x.bgid, x.ring_addr, x.ring_entries);
}

static long max_workers(struct uring *r, struct uaddr arg, u32 n)
{
	u32 w[2];

	if (uaddr_is_null(arg) || n != 2)
		return -EINVAL;
	if (copy_from_user(w, arg, sizeof(w)) < 0)
		return -EFAULT;
	if (w[0] > INT32_MAX || w[1] > INT32_MAX)
		return -EINVAL;
	uring_max_workers(r, &w[0], &w[1]);
	return copy_to_user(arg, w, sizeof(w));
}

struct lx_sync_cancel {
	u64 addr;
	s32 fd;
	u32 flags;
	s64 sec, nsec;
	u64 pad[4];
};

static long sync_cancel(struct uring *r, struct uaddr arg, u32 n)
{
	struct lx_sync_cancel x;
	struct uring_match m;
	long e;

	if (uaddr_is_null(arg) || n != 1)
		return -EINVAL;
	if (copy_from_user(&x, arg, sizeof(x)) < 0)
		return -EFAULT;
	if (x.pad[0] || x.pad[1] || x.pad[2] || x.pad[3])
		return -EINVAL;
	if (x.flags & ~(u32)(LX_CANCEL_ALL | LX_CANCEL_FD | LX_CANCEL_ANY | LX_CANCEL_FD_FIXED))
		return -EINVAL;
	m = (struct uring_match){ .user_data = x.addr, .flags = x.flags };
	if (x.flags & LX_CANCEL_FD) {
		m.file = x.flags & LX_CANCEL_FD_FIXED ? uring_file_get(r, (u32)x.fd) : fd_lookup(x.fd);
		if (!m.file)
			return -EBADF;
	}
	e = uring_cancel(r, &m, NULL);
	if (m.file)
		file_put(m.file);
	return e > 0 ? 0 : e;
}

struct lx_file_range {
	u32 off, len;
	u64 resv;
};

static long file_range(struct uring *r, struct uaddr arg)
{
	struct lx_file_range x;

	if (copy_from_user(&x, arg, sizeof(x)) < 0)
		return -EFAULT;
	return x.resv ? -EINVAL : uring_file_alloc_range(r, x.off, x.len);
}

static long eventfd(struct uring *r, struct uaddr arg, u32 n, bool async_only)
{
	s32 fd;

	if (n != 1)
		return -EINVAL;
	return copy_from_user(&fd, arg, sizeof(fd)) < 0 ? -EFAULT : uring_eventfd_register(r, fd, async_only);
}

static long register_op(struct uring *r, unsigned op, struct uaddr arg, u32 n)
{
	bool none = uaddr_is_null(arg) && !n;

	switch (op) {
	case LX_REGISTER_BUFFERS: return uaddr_is_null(arg) ? -EFAULT : buffers_register(r, arg.va, n);
	case LX_UNREGISTER_BUFFERS: return none ? uring_bufs_unregister(r) : -EINVAL;
	case LX_REGISTER_FILES: return uaddr_is_null(arg) ? -EFAULT : files_register(r, arg.va, n);
	case LX_UNREGISTER_FILES: return none ? uring_files_unregister(r) : -EINVAL;
	case LX_REGISTER_FILES_UPDATE: return files_update_old(r, arg, n);
	case LX_REGISTER_EVENTFD: return eventfd(r, arg, n, false);
	case LX_REGISTER_EVENTFD_ASYNC: return eventfd(r, arg, n, true);
	case LX_UNREGISTER_EVENTFD: return none ? uring_eventfd_unregister(r) : -EINVAL;
	case LX_REGISTER_PROBE: return uaddr_is_null(arg) ? -EINVAL : probe(arg, n);
	case LX_REGISTER_PERSONALITY: return none ? uring_personality_add(r) : -EINVAL;
	case LX_UNREGISTER_PERSONALITY: return uaddr_is_null(arg) ? uring_personality_remove(r, n) : -EINVAL;
	case LX_REGISTER_RESTRICTIONS: return restrictions(r, arg, n);
	case LX_REGISTER_ENABLE_RINGS: return none ? uring_enable(r) : -EINVAL;
	case LX_REGISTER_FILES2: return rsrc_register(r, arg, n, true);
	case LX_REGISTER_FILES_UPDATE2: return rsrc_update(r, arg, n, true);
	case LX_REGISTER_BUFFERS2: return rsrc_register(r, arg, n, false);
	case LX_REGISTER_BUFFERS_UPDATE: return rsrc_update(r, arg, n, false);
	case LX_REGISTER_IOWQ_MAX_WORKERS: return max_workers(r, arg, n);
	case LX_REGISTER_RING_FDS: return task_rings(arg, n, true);
	case LX_UNREGISTER_RING_FDS: return task_rings(arg, n, false);
	case LX_REGISTER_PBUF_RING: return uaddr_is_null(arg) || n != 1 ? -EINVAL : buf_ring(r, arg, true);
	case LX_UNREGISTER_PBUF_RING: return uaddr_is_null(arg) || n != 1 ? -EINVAL : buf_ring(r, arg, false);
	case LX_REGISTER_SYNC_CANCEL: return sync_cancel(r, arg, n);
	case LX_REGISTER_FILE_ALLOC_RANGE: return uaddr_is_null(arg) || n ? -EINVAL : file_range(r, arg);
	}
	return -EINVAL;
}

long sys_io_uring_register(int fd, unsigned op, struct uaddr arg, unsigned n)
{
	struct file *f;
	struct uring *r;
	long e;

	if (op >= LX_REGISTER_COUNT)
		return -EINVAL;
	f = fd_lookup(fd);
	if (!f)
		return -EBADF;
	r = file_uring(f);
	e = !r ? -EOPNOTSUPP : 0;
	if (e == 0 && !uring_is_disabled(r))
		e = uring_may_submit(r);
	if (e == 0) {
		uring_register_begin(r);
		e = uring_register_allowed(r, op);
		if (e == 0)
			e = register_op(r, op, arg, n);
		uring_register_end(r);
	}
	file_put(f);
	return e;
}
