/* epoll_impl.h - the inside of epoll sets, shared by epoll.c and epoll_nest.c. Locks: see epoll.c. */
#ifndef PROC_EPOLL_IMPL_H
#define PROC_EPOLL_IMPL_H

#include "base/rbtree.h"
#include "proc/file.h"

struct epoll_item;

struct epoll_wait {
	struct waitq_entry entry;
	struct epoll_item *item;
};

struct epoll_item {
	struct rb_node node;         /* M: set->mtx; by (fd, file) */
	struct list ready;           /* L: set->lock */
	struct list file_link;       /* links_mutex */
	struct epoll *ep;
	struct file *file;           /* borrowed: invariant 3 of epoll.c */
	int fd;
	u32 events;                  /* M; item_wake reads it without */
	u64 data;                    /* M */
	unsigned nwaits;
	bool woken;                  /* L; set by each wake */
	struct epoll_wait waits[2];
};

struct epoll {
	struct mutex mtx;
	struct spinlock lock;
	struct list ready;           /* L */
	struct rb_root items;        /* M */
	unsigned nitems;             /* M */
	struct waitq waitq;          /* waiters (exclusive) and those that poll the set */
	struct file *file;
};

extern struct mutex epoll_links_mutex;
/* May inner become a member of outer? 0 or -ELOOP. links_mutex is held. */
int epoll_nesting_check(struct epoll *outer, struct epoll *inner);

#endif
