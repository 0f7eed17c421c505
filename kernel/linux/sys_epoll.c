/* sys_epoll.c - the calls of epoll; the sets are in proc/epoll.c. Checks in Linux's order. */
#include "linux/filecalls.h"
#include "linux/polltime.h"
#include "proc/epoll.h"

static long create(bool cloexec)
{
	struct file *f;
	int r = epoll_create(&f);

	return r < 0 ? r : install_file(f, cloexec);
}

COLD long sys_epoll_create(int size)
{
	return size <= 0 ? -EINVAL : create(false);
}

COLD long sys_epoll_create1(int flags)
{
	return (u32)flags & ~LX_O_CLOEXEC ? -EINVAL : create((u32)flags & LX_O_CLOEXEC);
}

#define EXCLUSIVE_OK (POLL_IN | POLL_OUT | POLL_ERR | POLL_HUP | LX_EPOLLWAKEUP | LX_EPOLLET | LX_EPOLLEXCLUSIVE)

static int exclusive_check(int op, struct file *f, u32 events)
{
	if (op == LX_EPOLL_CTL_MOD)
		return -EINVAL;
	if (op == LX_EPOLL_CTL_ADD && (file_is_epoll(f) || events & ~EXCLUSIVE_OK))
		return -EINVAL;
	return 0;
}

/* Why f cannot be a member of ep, in Linux's order. */
static COLD NOINLINE int refused(const struct file *ep, const struct file *f)
{
	if ((file_flags(ep) | file_flags(f)) & LX_O_PATH)
		return -EBADF;
	return f->ops->poll ? -EINVAL : -EPERM;
}

/* Files of O_PATH are no sets and cannot be polled. */
static ALWAYS_INLINE int control(struct file *ep, int op, struct file *f, int fd, const struct lx_epoll_event *ev)
{
	if (unlikely(!f->ops->poll || f == ep || !file_is_epoll(ep)))
		return refused(ep, f);
	if (unlikely(ev->events & LX_EPOLLEXCLUSIVE)) {
		int r = exclusive_check(op, f, ev->events);
		if (r < 0)
			return r;
	}
	return epoll_control(ep, f, fd, ev, op);
}

/* The event is the kernel's if ev is not NULL, else the program's. */
static NOINLINE long ctl(int epfd, int op, int fd, struct uaddr event, const struct lx_epoll_event *ev)
{
	NO_AUTO_INIT struct lx_epoll_event copy;
	struct file *ep, *f;
	long r = -EBADF;

	if (likely(!ev)) {
		ev = &copy;
		if (unlikely(op == LX_EPOLL_CTL_DEL))
			copy.events = 0;                 /* none is given when a file is taken out */
		else if (copy_from_user(&copy, event, sizeof(copy)) < 0)
			return -EFAULT;
	}
	ep = fd_lookup_any(epfd);
	if (unlikely(!ep))
		return r;
	f = fd_lookup_any(fd);
	if (likely(f)) {
		r = control(ep, op, f, fd, ev);
		file_put(f);
	}
	file_put(ep);
	return r;
}

int epoll_ctl_call(int epfd, int op, int fd, const struct lx_epoll_event *ev)
{
	return (int)ctl(epfd, op, fd, uaddr_make(0), ev);
}

long sys_epoll_ctl(int epfd, int op, int fd, struct uaddr event)
{
	return ctl(epfd, op, fd, event, NULL);
}

static NOINLINE long wait_call(int epfd, struct uaddr events, int max, u64 deadline_ns)
{
	struct file *ep = fd_lookup(epfd);
	NO_AUTO_INIT struct lx_epoll_event one;
	NO_AUTO_INIT struct uio u;
	long r;

	if (unlikely(!ep))
		return -EBADF;
	if (unlikely(max <= 0 || (u32)max > INT32_MAX / sizeof(one))) {
		r = -EINVAL;
	} else if (unlikely(!user_range_ok(events, (size_t)max * sizeof(one)))) {
		r = -EFAULT;
	} else {
		uio_init_user_one(&u, events, (size_t)max * sizeof(one));
		r = epoll_wait_events(ep, &u, (unsigned)max, deadline_ns, &one);
		if (likely(r == EPOLL_ONE))
			r = copy_to_user(events, &one, sizeof(one)) ? -EFAULT : 1;
	}
	file_put(ep);
	return r;
}

long sys_epoll_wait(int epfd, struct uaddr events, int maxevents, int timeout_ms)
{
	return wait_call(epfd, events, maxevents, deadline_after_ms(timeout_ms));
}

static long wait_masked(int epfd, struct uaddr events, int max, u64 deadline_ns, struct uaddr mask, size_t size)
{
	bool pushed;
	long r = mask_push(mask, size, &pushed);

	if (r < 0)
		return r;
	r = wait_call(epfd, events, max, deadline_ns);
	if (pushed)
		signal_pop_mask(r == -EINTR);
	return r;
}

long sys_epoll_pwait(int epfd, struct uaddr events, int maxevents, int timeout_ms, struct uaddr sigmask, size_t sigsetsize)
{
	return wait_masked(epfd, events, maxevents, deadline_after_ms(timeout_ms), sigmask, sigsetsize);
}

long sys_epoll_pwait2(int epfd, struct uaddr events, int maxevents, struct uaddr timeout, struct uaddr sigmask, size_t sigsetsize)
{
	u64 deadline_ns;
	int r = deadline_from_ts(timeout, &deadline_ns);

	return r < 0 ? r : wait_masked(epfd, events, maxevents, deadline_ns, sigmask, sigsetsize);
}
