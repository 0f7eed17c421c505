/*
 * sys_uring.c - io_uring_setup and io_uring_enter: checks in the order of Linux 6.1; the rings are in proc/.
 */
#include "linux/uring_ops.h"
#include "linux/polltime.h"
#include "proc/process.h"
#include "proc/timers.h"

/* What is true of this implementation; RSRC_TAGS is not. */
#define FEATURES (LX_FEAT_SINGLE_MMAP | LX_FEAT_NODROP | LX_FEAT_SUBMIT_STABLE | LX_FEAT_RW_CUR_POS | LX_FEAT_CUR_PERSONALITY |  \
		  LX_FEAT_FAST_POLL | LX_FEAT_POLL_32BITS | LX_FEAT_SQPOLL_NONFIXED | LX_FEAT_EXT_ARG | LX_FEAT_NATIVE_WORKERS | \
		  LX_FEAT_CQE_SKIP | LX_FEAT_LINKED_FILE)

static u32 power_of_two(u32 n)
{
	u32 p = 1;

	while (p < n)
		p *= 2;
	return p;
}

static int flags_check(u32 flags)
{
	if (flags & ~(u32)LX_SETUP_ALL)
		return -EINVAL;
	if (flags & LX_SETUP_SQPOLL && flags & (LX_SETUP_COOP_TASKRUN | LX_SETUP_TASKRUN_FLAG | LX_SETUP_DEFER_TASKRUN))
		return -EINVAL;
	if (flags & LX_SETUP_TASKRUN_FLAG && !(flags & (LX_SETUP_COOP_TASKRUN | LX_SETUP_DEFER_TASKRUN)))
		return -EINVAL;
	if (flags & LX_SETUP_DEFER_TASKRUN && !(flags & LX_SETUP_SINGLE_ISSUER))
		return -EINVAL;
	if (flags & LX_SETUP_SQ_AFF && !(flags & LX_SETUP_SQPOLL))
		return -EINVAL;
	return 0;
}

static int sizes(u32 entries, const struct lx_uring_params *p, struct uring_config *c)
{
	bool clamp = p->flags & LX_SETUP_CLAMP;

	if (!entries || (entries > LX_URING_ENTRIES_MAX && !clamp))
		return -EINVAL;
	c->sq_entries = power_of_two(MIN(entries, LX_URING_ENTRIES_MAX));
	c->cq_entries = 2 * c->sq_entries;
	if (!(p->flags & LX_SETUP_CQSIZE))
		return 0;
	if (!p->cq_entries || (p->cq_entries > 2 * LX_URING_ENTRIES_MAX && !clamp))
		return -EINVAL;
	c->cq_entries = power_of_two(MIN(p->cq_entries, 2 * LX_URING_ENTRIES_MAX));
	return c->cq_entries < c->sq_entries ? -EINVAL : 0;
}

/* ATTACH_WQ: there is one pool of workers, which every ring shares; only the descriptor is looked at. */
static int attach_check(const struct lx_uring_params *p)
{
	struct file *f;
	int r;

	if (!(p->flags & LX_SETUP_ATTACH_WQ))
		return 0;
	f = fd_lookup((int)p->wq_fd);
	if (!f)
		return -ENXIO;
	r = file_uring(f) ? 0 : -EINVAL;
	file_put(f);
	return r;
}

long sys_io_uring_setup(unsigned entries, struct uaddr uparams)
{
	struct lx_uring_params p;
	struct uring_config c = { .cpu = -1 };
	struct file *f;
	int r;

	if (copy_from_user(&p, uparams, sizeof(p)) < 0)
		return -EFAULT;
	if (p.resv[0] || p.resv[1] || p.resv[2])
		return -EINVAL;
	r = flags_check(p.flags);
	if (r == 0)
		r = sizes(entries, &p, &c);
	if (r == 0)
		r = attach_check(&p);
	if (r == 0 && p.flags & LX_SETUP_SQ_AFF && p.sq_thread_cpu >= arch_cpu_count())
		r = -EINVAL;
	if (r)
		return r;
	c.flags = p.flags;
	c.idle_ms = p.sq_thread_idle;
	if (p.flags & LX_SETUP_SQ_AFF)
		c.cpu = (s32)p.sq_thread_cpu;
	r = uring_create(&c, &f);
	if (r)
		return r;
	uring_offsets(file_uring(f), &p);
	p.features = FEATURES;
	if (copy_to_user(uparams, &p, sizeof(p)) < 0) {
		file_put(f);
		return -EFAULT;
	}
	return install_file(f, true);
}

/* ---- enter ---- */

struct lx_getevents_arg {
	u64 sigmask;
	u32 sigmask_len, pad;
	u64 ts;
};

struct wait_arg {
	struct uaddr mask, ts;
	size_t mask_len;
};

static int wait_arg_get(unsigned flags, struct uaddr arg, size_t size, struct wait_arg *w)
{
	struct lx_getevents_arg a;

	*w = (struct wait_arg){ .mask = arg, .mask_len = size };
	if (!(flags & LX_ENTER_EXT_ARG))
		return 0;
	if (size != sizeof(a))
		return -EINVAL;
	if (copy_from_user(&a, arg, sizeof(a)) < 0)
		return -EFAULT;
	if (a.pad)
		return -EINVAL;
	*w = (struct wait_arg){ uaddr_make(a.sigmask), uaddr_make(a.ts), a.sigmask_len };
	return 0;
}

static int wait_call(struct uring *r, unsigned min, unsigned flags, struct uaddr arg, size_t size)
{
	struct wait_arg w;
	bool pushed = false;
	u64 ns, deadline_ns = WAIT_FOREVER;
	int e = wait_arg_get(flags, arg, size, &w);

	if (e)
		return e;
	if (!uaddr_is_null(w.ts)) {
		e = uring_time_get(w.ts, &ns);
		if (e)
			return e;
		deadline_ns = proc_deadline_after(ns);
	}
	e = mask_push(w.mask, w.mask_len, &pushed);
	if (e)
		return e;
	e = uring_wait(r, min, deadline_ns);
	if (pushed)
		signal_pop_mask(e == -EINTR);
	return e;
}

static long enter_ring(struct uring *r, unsigned submit, unsigned complete, unsigned flags, struct uaddr arg, size_t size)
{
	long done = 0;
	int e;

	if (uring_is_disabled(r))
		return -EBADFD;
	if (uring_flags(r) & LX_SETUP_SQPOLL) {
		if (flags & LX_ENTER_SQ_WAKEUP)
			uring_sq_wake(r);
		if (flags & LX_ENTER_SQ_WAIT) {
			e = uring_sq_wait(r);
			if (e)
				return e;
		}
		done = submit;
	} else if (submit) {
		e = uring_may_submit(r);
		if (e)
			return e;
		done = uring_submit(r, submit);
		if (done != (long)submit)
			return done;
	}
	if (flags & LX_ENTER_GETEVENTS) {
		if (uring_flags(r) & LX_SETUP_DEFER_TASKRUN && (e = uring_may_submit(r)))
			return done ? done : e;
		e = wait_call(r, complete, flags, arg, size);
		if (!done)
			done = e;
	}
	return done;
}

long sys_io_uring_enter(int fd, unsigned submit, unsigned complete, unsigned flags, struct uaddr arg, size_t size)
{
	struct file *f;
	long r;

	if (flags & ~(unsigned)LX_ENTER_ALL)
		return -EINVAL;
	f = flags & LX_ENTER_REGISTERED_RING ? uring_registered_ring(fd) : fd_lookup(fd);
	if (IS_ERR(f))
		return PTR_ERR(f);
	if (!f)
		return -EBADF;
	r = file_uring(f) ? enter_ring(file_uring(f), submit, complete, flags, arg, size) : -EOPNOTSUPP;
	file_put(f);
	return r;
}
