/*
 * epoll.h - epoll sets. linux/sys_epoll.c checks arguments; here are the sets.
 */
#ifndef PROC_EPOLL_H
#define PROC_EPOLL_H

#include "proc/file.h"

#define LX_EPOLL_CTL_ADD 1
#define LX_EPOLL_CTL_DEL 2
#define LX_EPOLL_CTL_MOD 3
#define LX_EPOLLEXCLUSIVE (1u << 28)
#define LX_EPOLLWAKEUP    (1u << 29)
#define LX_EPOLLONESHOT   (1u << 30)
#define LX_EPOLLET        (1u << 31)
#define EPOLL_NESTS_MAX   4u         /* sets inside sets */

/* Linux's layout on x86-64. */
struct lx_epoll_event {
	u32 events;
	u64 data;
} PACKED;
_Static_assert(sizeof(struct lx_epoll_event) == 12, "epoll_event");

int epoll_create(struct file **ret) MUST_CHECK;
extern const struct file_ops epoll_file_ops;
static inline bool file_is_epoll(const struct file *f) { return f->ops == &epoll_file_ops; }
/* ep is an epoll file (caller's check). -EEXIST, -ENOENT, -ELOOP, -EPERM, -EINVAL, -ENOMEM. May sleep. */
int epoll_control(struct file *ep, struct file *f, int fd, const struct lx_epoll_event *ev, int op);
/*
 * Write up to max events into u; waits until deadline_ns (0: does not wait). The number of events, 0 at the deadline, -EINTR,
 * -EFAULT, -EINVAL: ep is no set. EPOLL_ONE: one event, in *ret_one and not in u; it stays ready.
 */
#define EPOLL_ONE INT32_MAX
ssize_t epoll_wait_events(struct file *ep, struct uio *u, unsigned max, u64 deadline_ns, struct lx_epoll_event *ret_one);
/* The last reference of f is gone: drop the items that watch it. */
void epoll_file_gone(struct file *f);

#endif
