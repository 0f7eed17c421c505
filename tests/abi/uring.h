/*
 * uring.h - io_uring for the ABI tests, straight on the system calls: a ring, submissions, completions in a fixed order.
 */
#ifndef TESTS_ABI_URING_H
#define TESTS_ABI_URING_H

#include <fcntl.h>
#include <linux/io_uring.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include "abi.h"

struct ring {
	int fd;
	struct io_uring_params p;
	unsigned char *mem;
	size_t mem_len;
	struct io_uring_sqe *sqes;
	unsigned *sq_head, *sq_tail, *sq_flags, *sq_dropped, *array, sq_mask;
	unsigned *cq_head, *cq_tail, *cq_overflow, cq_mask;
	struct io_uring_cqe *cqes;
	unsigned queued;
};

static inline long ring_setup(unsigned entries, struct io_uring_params *p) { return syscall(SYS_io_uring_setup, entries, p); }
static inline long ring_enter(int fd, unsigned submit, unsigned wait, unsigned flags, const void *arg, size_t size)
{
	return syscall(SYS_io_uring_enter, fd, submit, wait, flags, arg, size);
}
static inline long ring_register(int fd, unsigned op, const void *arg, unsigned n)
{
	return syscall(SYS_io_uring_register, fd, op, arg, n);
}

/* A ring with everything mapped; ends the test if there is none. */
static inline void ring_open_params(struct ring *r, unsigned entries)
{
	r->fd = (int)ring_setup(entries, &r->p);
	if (r->fd < 0) {
		perror("io_uring_setup");
		exit(1);
	}
	size_t sq = r->p.sq_off.array + r->p.sq_entries * sizeof(unsigned);
	size_t cq = r->p.cq_off.cqes + r->p.cq_entries * sizeof(struct io_uring_cqe);
	r->mem_len = sq > cq ? sq : cq;
	r->mem = mmap(NULL, r->mem_len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_SQ_RING);
	r->sqes = mmap(NULL, r->p.sq_entries * sizeof(*r->sqes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_SQES);
	if (r->mem == MAP_FAILED || (void *)r->sqes == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	r->sq_head = (unsigned *)(r->mem + r->p.sq_off.head);
	r->sq_tail = (unsigned *)(r->mem + r->p.sq_off.tail);
	r->sq_flags = (unsigned *)(r->mem + r->p.sq_off.flags);
	r->sq_dropped = (unsigned *)(r->mem + r->p.sq_off.dropped);
	r->array = (unsigned *)(r->mem + r->p.sq_off.array);
	r->sq_mask = *(unsigned *)(r->mem + r->p.sq_off.ring_mask);
	r->cq_head = (unsigned *)(r->mem + r->p.cq_off.head);
	r->cq_tail = (unsigned *)(r->mem + r->p.cq_off.tail);
	r->cq_overflow = (unsigned *)(r->mem + r->p.cq_off.overflow);
	r->cq_mask = *(unsigned *)(r->mem + r->p.cq_off.ring_mask);
	r->cqes = (struct io_uring_cqe *)(r->mem + r->p.cq_off.cqes);
}

static inline void ring_open(struct ring *r, unsigned entries, unsigned flags)
{
	memset(r, 0, sizeof(*r));
	r->p.flags = flags;
	ring_open_params(r, entries);
}

static inline void ring_close(struct ring *r)
{
	munmap(r->mem, r->mem_len);
	munmap(r->sqes, r->p.sq_entries * sizeof(*r->sqes));
	close(r->fd);
}

/* The next submission, cleared; its user_data is given. */
static inline struct io_uring_sqe *ring_sqe(struct ring *r, int op, int fd, const void *addr, unsigned len, unsigned long long off,
					    unsigned long long user_data)
{
	unsigned tail = *r->sq_tail, i = tail & r->sq_mask;
	struct io_uring_sqe *s = &r->sqes[i];

	memset(s, 0, sizeof(*s));
	s->opcode = (unsigned char)op;
	s->fd = fd;
	s->addr = (unsigned long long)(unsigned long)addr;
	s->len = len;
	s->off = off;
	s->user_data = user_data;
	r->array[i] = i;
	__atomic_store_n(r->sq_tail, tail + 1, __ATOMIC_RELEASE);
	r->queued++;
	return s;
}

/* Submit what was queued and wait for n completions. */
static inline long ring_go(struct ring *r, unsigned wait)
{
	unsigned n = r->queued;

	r->queued = 0;
	return ring_enter(r->fd, n, wait, wait ? IORING_ENTER_GETEVENTS : 0, NULL, 0);
}

static inline unsigned ring_ready(struct ring *r)
{
	return __atomic_load_n(r->cq_tail, __ATOMIC_ACQUIRE) - *r->cq_head;
}

/* Take one completion; 0 if there is none. */
static inline int ring_take(struct ring *r, struct io_uring_cqe *c)
{
	unsigned head = *r->cq_head;

	if (head == __atomic_load_n(r->cq_tail, __ATOMIC_ACQUIRE))
		return 0;
	*c = r->cqes[head & r->cq_mask];
	__atomic_store_n(r->cq_head, head + 1, __ATOMIC_RELEASE);
	return 1;
}

static inline const char *res_name(int res)
{
	static char buf[4][32];
	static int i;
	char *b = buf[i++ & 3];

	if (res < 0 && strerrorname_np(-res))
		return strerrorname_np(-res);
	snprintf(b, sizeof(buf[0]), "%d", res);
	return b;
}

/* Wait until n completions are there, then print them in the order of their user_data (and of their arrival). */
static inline void ring_print(struct ring *r, const char *name, unsigned n)
{
	struct io_uring_cqe c[64];
	unsigned k = 0;
	struct timespec ts = { 5, 0 };
	struct io_uring_getevents_arg arg = { .ts = (unsigned long long)(unsigned long)&ts };

	while (ring_ready(r) < n)
		if (ring_enter(r->fd, 0, n, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &arg, sizeof(arg)) < 0)
			break;
	while (k < 64 && ring_take(r, &c[k]))
		k++;
	for (unsigned i = 1; i < k; i++)
		for (unsigned j = i; j > 0 && c[j].user_data < c[j - 1].user_data; j--) {
			struct io_uring_cqe t = c[j];
			c[j] = c[j - 1];
			c[j - 1] = t;
		}
	printf("%s:", name);
	for (unsigned i = 0; i < k; i++) {
		/* IORING_CQE_F_SOCK_NONEMPTY is a hint. */
		unsigned flags = c[i].flags & ~IORING_CQE_F_SOCK_NONEMPTY;
		printf(" %llu=%s", (unsigned long long)c[i].user_data, res_name(c[i].res));
		if (flags)
			printf("/%x", flags);
	}
	if (k < n)
		printf(" (%u missing)", n - k);
	printf("\n");
	fflush(stdout);
}

/* Submit what was queued, wait for n completions, print. */
static inline void ring_run(struct ring *r, const char *name, unsigned n)
{
	unsigned want = r->queued;
	long s = ring_go(r, n);

	if (s != (long)want)
		NOTE("submitted", "%s: %ld of %u %s", name, s, want, s < 0 ? strerrorname_np(errno) : "");
	ring_print(r, name, n);
}

#endif
