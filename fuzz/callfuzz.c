/*
 * callfuzz.c - random system calls, from inside a machine.
 *
 *   callfuzz SEED CALLS THREADS        CALLS calls in all; the same seed and one thread: the same calls
 *
 * The grammar is the kernel's own table (kernel/linux/syscalls.def): every call with the classes and names of its arguments, from which values are
 * chosen: descriptors that exist and others, paths, flags, sizes at the edges, structures by the name of the argument (times, vectors,
 * addresses, messages), addresses in good memory, at its end, in the kernel's half. What would only hurt the fuzzer itself is bent aside (bend).
 *
 * The calls are made in epochs. After each the threads meet, everything that they made is taken down, and what the kernel holds is
 * read from /proc/pith/counters: what grows from quarter to quarter of the run is a leak. A thread that makes no call for HANG_S seconds although it
 * is sent a signal every few milliseconds hangs. Lines: "epoch ...", "hang ...", "leak ...", "done ...". Status 0; 3: hang; 4: leak.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 16
#define HANG_S      (hang_s)
#define EPOCH_CALLS 4000u            /* of each thread */
#define FD_FIRST    10
#define FD_LIMIT    160
#define BUF_LEN     (64u << 10)
#define ARENA_LEN   (16u << 20)
#define WAKE        23

/* ---- The grammar ---- */

enum kind { FD, INT, UINT, LONG, ULONG, SIZE, OFF, PTR, STR };
enum level { FULL, PART, REFUSE, NONE };
struct arg {
	enum kind kind;
	const char *name;
};
struct call {
	int nr;
	const char *name;
	enum level level;
	int n;
	struct arg a[6];
};
#define A(k, n) { k, #n }
#define SYSCALL0(nr, name, lvl) { nr, #name, lvl, 0, { { 0, 0 } } },
#define SYSCALL1(nr, name, lvl, a, b) { nr, #name, lvl, 1, { A(a, b) } },
#define SYSCALL2(nr, name, lvl, a, b, c, d) { nr, #name, lvl, 2, { A(a, b), A(c, d) } },
#define SYSCALL3(nr, name, lvl, a, b, c, d, e, f) { nr, #name, lvl, 3, { A(a, b), A(c, d), A(e, f) } },
#define SYSCALL4(nr, name, lvl, a, b, c, d, e, f, g, h) { nr, #name, lvl, 4, { A(a, b), A(c, d), A(e, f), A(g, h) } },
#define SYSCALL5(nr, name, lvl, a, b, c, d, e, f, g, h, i, j) { nr, #name, lvl, 5, { A(a, b), A(c, d), A(e, f), A(g, h), A(i, j) } },
#define SYSCALL6(nr, name, lvl, a, b, c, d, e, f, g, h, i, j, k, l) { nr, #name, lvl, 6, { A(a, b), A(c, d), A(e, f), A(g, h), A(i, j), A(k, l) } },
static const struct call calls[] = {
#include "kernel/linux/syscalls.def"
};
#define NCALLS (sizeof(calls) / sizeof(calls[0]))

/* ---- A thread ---- */

static struct fuzzer {
	uint64_t rng;
	char *buf;                   /* BUF_LEN, nothing behind it */
	char *spare;                 /* a page of structures that nothing else writes */
	volatile unsigned long made; /* calls so far */
	const struct call *volatile now;
	uint64_t args[6];
	volatile int parked, tid;
	sigjmp_buf back;
	volatile int in_call;
	int ring;
	char *sq, *sqes;
	struct io_uring_params ring_params;
} fuzzers[THREADS_MAX];
static __thread struct fuzzer *me;
static char *arena;
static uint64_t safe_masks[8] __attribute__((aligned(64)));
static unsigned long quota;
static int nthreads, hang_s = 40;
static unsigned long faults;
static pthread_barrier_t meet;

static uint64_t rnd(void)
{
	uint64_t x = me->rng;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	me->rng = x;
	return x * 0x2545f4914f6cdd1dull >> 8;
}
static uint64_t below(uint64_t n) { return rnd() % n; }
static int one_in(unsigned n) { return below(n) == 0; }

/* ---- Values ---- */

static uint64_t number(void)
{
	switch (below(12)) {
	case 0: return 0;
	case 1: return 1;
	case 2: return ~0ull;
	case 3: return 1ull << below(64);
	case 4: return (1ull << below(64)) - 1;
	case 5: return below(8);
	case 6: return below(64);
	case 7: return below(4096);
	case 8: return 4096 * below(64);
	case 9: return below(1 << 20);
	case 10: return (uint32_t)rnd();
	default: return one_in(8) ? rnd() << 8 : below(256);
	}
}

static uint64_t flags_value(void)
{
	uint64_t v = 0;

	if (one_in(3))
		return 0;
	for (uint64_t n = 1 + below(3); n; n--)
		v |= 1ull << below(one_in(8) ? 64 : 24);
	return v;
}

static uint64_t descriptor(void)
{
	if (one_in(24))
		return number();
	if (one_in(12))
		return 3 + below(7);
	if (one_in(40))
		return (uint32_t)-100;
	return FD_FIRST + below(one_in(2) ? 24 : FD_LIMIT - FD_FIRST);
}

static uint64_t address(void)
{
	switch (below(20)) {
	case 0: return 0;
	case 1: return number();
	case 2: return 0xffff800000000000ull + (below(1 << 20) << 12);
	case 3: return 0xffffff8000000000ull + (below(1 << 18) << 21);
	case 4: return 0x7ffffffff000ull - below(64);
	case 5: return 0x800000000000ull + below(4096);
	case 6: case 7: return (uintptr_t)me->buf + BUF_LEN - below(128);
	case 8: return (uintptr_t)arena + below(ARENA_LEN);
	case 9: return (uintptr_t)me->buf + below(BUF_LEN);
	default: return (uintptr_t)me->buf + 64 * below(BUF_LEN / 64);
	}
}

static uint64_t path(void)
{
	static const char *const names[] = { "/tmp/fz/a", "/tmp/fz/b", "/tmp/fz/c", "/tmp/fz/d", "/tmp/fz/d/e", "/tmp/fz/l", "/tmp/fz", "a", "b", "d", "../fz/a", "l", ".",
		"/", "/proc/self/maps", "/proc/self/fd", "/proc/self/status", "/dev/null", "/dev/zero", "/dev/urandom", "/proc/self/exe", "/sys", "", "/tmp/fz/s",
		"/dev/shm/x", "/tmp/fz/loop/loop/loop", "/proc/pith/counters", "/proc/self/fd/10", "/proc/self/fd/12", "/dev/full", "/proc/net/tcp", "/fz", "/proc/self/task" };
	char *p;

	if (one_in(16))
		return address();
	p = me->buf + 64 * below(BUF_LEN / 64 - 8);
	if (one_in(40)) {
		memset(p, 'x', 300);
		p[299] = 0;
	} else {
		strcpy(p, names[below(sizeof(names) / sizeof(names[0]))]);
	}
	return (uintptr_t)p;
}

static char *room(size_t len)
{
	return me->buf + (below(BUF_LEN - len) & ~7ull);
}

static uint64_t timespec(void)
{
	struct timespec *t = (void *)room(32);

	for (int i = 0; i < 2; i++) {
		t[i].tv_sec = one_in(8) ? (time_t)number() : 0;
		t[i].tv_nsec = one_in(8) ? (long)number() : (long)below(2000000);
	}
	return (uintptr_t)t;
}

static uint64_t sockaddr(void)
{
	char *p = room(128);

	memset(p, 0, 128);
	switch (below(6)) {
	case 0: *(struct sockaddr_un *)p = (struct sockaddr_un){ AF_UNIX, "/tmp/fz/s" }; break;
	case 1: *(struct sockaddr_un *)p = (struct sockaddr_un){ AF_UNIX, { 0, 'f', 'z', (char)below(3) } }; break;
	case 2: *(struct sockaddr_in6 *)p = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(5000 + below(8)), .sin6_addr = IN6ADDR_LOOPBACK_INIT }; break;
	case 3: *(struct sockaddr *)p = (struct sockaddr){ .sa_family = (sa_family_t)below(48) }; break;
	default: *(struct sockaddr_in *)p = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(5000 + below(8)), .sin_addr.s_addr = htonl(0x7f000001) };
	}
	return (uintptr_t)p;
}

static uint64_t vector(void)
{
	struct iovec *v = (void *)room(512);

	for (int i = 0; i < 8; i++)
		v[i] = (struct iovec){ (void *)address(), one_in(6) ? number() : below(8192) };
	return (uintptr_t)v;
}

static uint64_t message(void)
{
	struct mmsghdr *m = (void *)room(512);

	memset(m, 0, 512);
	for (int i = 0; i < 4; i++) {
		m[i].msg_hdr = (struct msghdr){ .msg_name = one_in(2) ? NULL : (void *)sockaddr(), .msg_namelen = one_in(6) ? (socklen_t)number() : 28,
						.msg_iov = (void *)vector(), .msg_iovlen = one_in(8) ? number() : 1 + below(4) };
		if (one_in(3)) {
			struct cmsghdr *c = (void *)room(128);
			*c = (struct cmsghdr){ one_in(6) ? number() : 16 + 4 * below(6), one_in(4) ? (int)below(8) : SOL_SOCKET, one_in(3) ? (int)below(32) : SCM_RIGHTS };
			for (int k = 0; k < 6; k++)
				((int *)(c + 1))[k] = (int)descriptor();
			m[i].msg_hdr.msg_control = c;
			m[i].msg_hdr.msg_controllen = one_in(6) ? number() : 16 + 4 * below(8);
		}
	}
	return (uintptr_t)m;
}

static uint64_t words(void)
{
	uint64_t *p = (void *)room(1024);

	for (int i = 0; i < 32; i++) {
		switch (below(6)) {
		case 0: p[i] = number(); break;
		case 1: p[i] = address(); break;
		case 2: p[i] = descriptor() | number() << 32; break;
		case 3: p[i] = flags_value(); break;
		default: p[i] = 0;
		}
	}
	return (uintptr_t)p;
}

static int is(const char *name, const char *list)
{
	size_t n = strlen(name);

	for (const char *p = list; (p = strstr(p, name)); p += n)
		if ((p == list || p[-1] == ' ') && (p[n] == ' ' || !p[n]))
			return 1;
	return 0;
}

/* A pointer argument by its name. */
static uint64_t pointer(const char *name)
{
	/* Masks leave the waking signal alone, or cannot be read. */
	if (is(name, "set sigmask"))
		return one_in(4) ? 0 : one_in(6) ? 0xffff800000000000ull + below(1 << 20) * 64 : (uintptr_t)&safe_masks[below(4)];
	if (one_in(10))
		return address();
	if (is(name, "timeout req rem tp value ovalue old new times tv utimes ts interval"))
		return one_in(6) ? 0 : timespec();
	if (is(name, "iov lvec rvec pages"))
		return vector();
	if (is(name, "addr"))
		return sockaddr();
	if (is(name, "msg msgs"))
		return message();
	if (is(name, "args attr how info params event fds arg ops iocbs waiters value act ss head"))
		return one_in(8) ? 0 : words();
	if (is(name, "uaddr uaddr2"))
		return (uintptr_t)me->buf + 8 * below(8);
	return one_in(8) ? 0 : one_in(4) ? words() : address();
}

static uint64_t value(const struct arg *a)
{
	switch (a->kind) {
	case FD: return descriptor();
	case PTR: return pointer(a->name);
	case STR: return path();
	case SIZE:
		if (is(a->name, "sigsetsize sizemask"))
			return one_in(12) ? number() : 8;
		return one_in(4) ? number() : below(5000);
	case OFF: return one_in(4) ? number() : below(1 << 16);
	default:
		if (is(a->name, "flags op cmd prot mode how kind type"))
			return one_in(2) ? below(48) : flags_value();
		if (is(a->name, "pid tid tgid who"))
			return one_in(3) ? number() : one_in(2) ? 0 : (uint64_t)(getpid() + (int)below(6));
		if (is(a->name, "len alen"))
			return one_in(4) ? number() : one_in(2) ? 16 : 28;
		if (is(a->name, "family"))
			return one_in(8) ? below(48) : (const uint8_t[]){ AF_UNIX, AF_INET, AF_INET6, AF_NETLINK }[below(4)];
		if (is(a->name, "sig"))
			return 1 + below(64);
		if (is(a->name, "timeout_ms"))
			return one_in(4) ? number() : below(3);
		return number();
	}
}

/* ---- What would only hurt ourselves ---- */

static uint64_t in_arena(uint64_t len_max, uint64_t *len)
{
	uint64_t at = below(ARENA_LEN / 4096) * 4096;

	if (*len > len_max)
		*len %= len_max;
	if (*len > ARENA_LEN - at)
		*len = ARENA_LEN - at;
	return (uintptr_t)arena + at;
}

static int fd_ok(uint64_t v) { return (int)v < 0 || (int)v >= FD_FIRST; }

/* Signals that end the program, or belong to the C library. */
static uint64_t sig_ok(uint64_t v) { return (int)v == SIGKILL || (int)v == 32 || (int)v == 33 || (int)v == 40 ? SIGUSR1 : v; }

/* False: leave it. */
static int bend(const struct call *c, uint64_t *a)
{
	/* Our own streams and first files stay as they are, whatever writes, closes or changes descriptors. */
	for (int i = 0; i < c->n; i++)
		if (c->a[i].kind == FD && !fd_ok(a[i]) && ((int)a[i] < 3 || (c->nr != SYS_read && c->nr != SYS_fstat && c->nr != SYS_openat && c->nr != SYS_mmap)))
			a[i] = FD_FIRST + a[i];
	switch (c->nr) {
	case SYS_exit: case SYS_exit_group: case SYS_rt_sigreturn: case SYS_reboot: case SYS_seccomp: case SYS_set_robust_list: case SYS_set_tid_address: case SYS_rseq:
	case SYS_io_uring_register:
		return c->nr == SYS_io_uring_register;
	case SYS_mmap:
		a[0] = in_arena(1 << 20, &a[1]);
		a[3] = (a[3] & ~0x100000ull) | MAP_FIXED;
		return 1;
	case SYS_munmap: case SYS_mprotect: case SYS_pkey_mprotect: case SYS_madvise: case SYS_mlock: case SYS_mlock2: case SYS_munlock: case SYS_msync:
	case SYS_mbind: case SYS_remap_file_pages: case SYS_set_mempolicy_home_node: case SYS_mincore:
		a[0] = in_arena(1 << 20, &a[1]) + (one_in(10) ? below(4096) : 0);
		return 1;
	case SYS_mremap:
		a[0] = in_arena(1 << 20, &a[1]);
		a[4] = in_arena(1 << 20, &a[2]);
		a[3] = one_in(2) ? (a[3] & 4) | 3 : 0;
		return 1;
	case SYS_shmat:
		a[1] = (uintptr_t)arena + below(ARENA_LEN / 2 / 4096) * 4096;
		a[2] |= 040000;
		return 1;
	case SYS_shmdt:
		a[0] = (uintptr_t)arena + below(ARENA_LEN / 4096) * 4096;
		return 1;
	case SYS_shmget: a[1] %= 1 << 20; return 1;
	case SYS_brk: a[0] = 0; return 1;
	case SYS_process_madvise: a[3] = a[3] == 4 || a[3] == 8 ? 3 : a[3]; return 1;
	case SYS_process_vm_writev: a[3] = 0; return 1;
	case SYS_clone: a[0] &= ~0x10100ull; return 1;
	case SYS_clone3:
		memset(me->spare, 0, 88);
		*(uint64_t *)me->spare = flags_value() & ~0x10000ull;
		a[0] = one_in(4) ? (uint64_t)-4096 : (uintptr_t)me->spare;
		return 1;
	case SYS_kill: case SYS_tkill: case SYS_rt_sigqueueinfo: case SYS_pidfd_send_signal:
		a[1] = sig_ok(a[1]);
		return 1;
	case SYS_tgkill: case SYS_rt_tgsigqueueinfo:
		a[2] = sig_ok(a[2]);
		return 1;
	case SYS_rt_sigaction: a[0] = one_in(4) ? a[0] & ~127ull : 40; return 1;
	case SYS_sigaltstack: return 1;
	case SYS_setrlimit: case SYS_prlimit64: {
		static const uint8_t harmless[] = { 4, 5, 10, 11, 12, 13, 14, 15, 99 };
		a[c->nr == SYS_prlimit64] = harmless[below(sizeof(harmless))];
		return 1;
	}
	case SYS_arch_prctl: a[0] = a[0] == 0x1001 || a[0] == 0x1002 ? 0x1003 : a[0]; return 1;
	case SYS_prctl: a[0] = a[0] == 22 || a[0] == 26 || a[0] == 59 ? 1 : a[0]; return 1;
	case SYS_close_range: a[0] = FD_FIRST + below(FD_LIMIT); return 1;
	case SYS_dup2: case SYS_dup3: a[1] = FD_FIRST + below(FD_LIMIT - FD_FIRST); return 1;
	case SYS_close: return fd_ok(a[0]);
	case SYS_fallocate: a[3] %= 1 << 20; a[2] %= 1 << 20; return 1;
	case SYS_ioctl: a[1] = one_in(2) ? 0x5400 + below(0x60) : one_in(2) ? 0x8900 + below(0x60) : a[1]; return 1;
	case SYS_setsockopt: case SYS_getsockopt: a[1] = (const uint16_t[]){ 0, 1, 6, 17, 41, 270 }[below(6)]; a[2] = below(80); return 1;
	case SYS_fcntl: a[1] = one_in(2) ? below(20) : 1024 + below(20); if (a[1] == F_SETSIG) a[2] = WAKE; return 1;
	case SYS_timer_create: *(uint64_t *)me->spare = 0; *(int *)(me->spare + 8) = WAKE; *(int *)(me->spare + 12) = (int)below(5); a[1] = one_in(4) ? a[1] & 7 : (uintptr_t)me->spare; return 1;
	case SYS_futex:                            /* those of priority inheritance are restarted after a signal, for ever: they get a time */
		if ((a[1] & 0x7f) == 6 || (a[1] & 0x7f) == 11 || (a[1] & 0x7f) == 13) {
			*(struct timespec *)(me->spare + 256) = (struct timespec){ 1, 0 };
			a[3] = (uintptr_t)me->spare + 256;
		}
		return 1;
	case SYS_io_uring_enter: a[3] &= ~8ull; a[4] = a[4] % 2 ? 0 : (uintptr_t)&safe_masks[1]; return 1;    /* no mask of its own in the argument */
	case SYS_mq_notify: a[1] = 0; return 1;
	case SYS_io_setup:                         /* a context that nobody knows the name of would stay */
		a[0] %= 64;
		a[1] = one_in(4) ? a[1] & 7 : (uintptr_t)room(8);
		return 1;
	}
	return 1;
}

/* ---- io_uring: entries that another call then submits ---- */

static void ring_open(void)
{
	me->ring_params = (struct io_uring_params){ 0 };
	me->ring = (int)syscall(SYS_io_uring_setup, 32, &me->ring_params);
	if (me->ring < 0)
		return;
	me->sq = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, me->ring, IORING_OFF_SQ_RING);
	me->sqes = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, me->ring, IORING_OFF_SQES);
}

static void ring_close(void)
{
	if (me->ring < 0)
		return;
	munmap(me->sq, 4096);
	munmap(me->sqes, 4096);
	close(me->ring);
	me->ring = -1;
}

static void ring_turn(void)
{
	struct io_uring_params *p = &me->ring_params;

	if (me->ring < 0 || me->sq == MAP_FAILED || me->sqes == MAP_FAILED)
		return;
	unsigned *tail = (unsigned *)(me->sq + p->sq_off.tail), n = 1 + (unsigned)below(4);
	for (unsigned i = 0; i < n; i++) {
		struct io_uring_sqe *s = (struct io_uring_sqe *)me->sqes + (*tail + i) % 32;
		memset(s, 0, sizeof(*s));
		s->opcode = (uint8_t)below(one_in(20) ? 256 : 50);
		s->flags = one_in(3) ? (uint8_t)flags_value() : 0;
		s->fd = (int)(FD_FIRST + below(40));
		s->addr = one_in(3) ? vector() : one_in(2) ? path() : one_in(2) ? message() : one_in(2) ? timespec() : words();
		s->off = one_in(3) ? words() : number();
		s->len = one_in(4) ? (uint32_t)number() : (uint32_t)below(4096);
		s->rw_flags = one_in(3) ? (int)flags_value() : 0;
		s->user_data = below(8);
		s->buf_index = one_in(4) ? (uint16_t)number() : 0;
		if (s->opcode == IORING_OP_MADVISE)
			s->addr = (uintptr_t)arena + below(ARENA_LEN);
		((unsigned *)(me->sq + p->sq_off.array))[(*tail + i) % 32] = (*tail + i) % 32;
	}
	__atomic_store_n(tail, *tail + n, __ATOMIC_RELEASE);
	syscall(SYS_io_uring_enter, me->ring, n, 0, IORING_ENTER_GETEVENTS, NULL, 0);
	__atomic_store_n((unsigned *)(me->sq + p->cq_off.head), *(volatile unsigned *)(me->sq + p->cq_off.tail), __ATOMIC_RELEASE);
}

/* ---- Epochs ---- */

/*
 * What the kernel holds: every line of /proc/pith/counters that counts objects of the heap, bytes of it or pages, and how many descriptors
 * and threads there are. low: the least of it after an epoch, in the second, third and last quarter of the run.
 */
#define KEPT_MAX 160
static struct kept {
	char name[48];
	long now, low[3];
} kept[KEPT_MAX];
static unsigned nkept;

static void kept_set(const char *name, long v)
{
	unsigned k;

	for (k = 0; k < nkept && strcmp(kept[k].name, name); k++)
		;
	if (k == KEPT_MAX)
		return;
	if (k == nkept)
		snprintf(kept[nkept++].name, sizeof(kept[0].name), "%s", name);
	kept[k].now = v;
}

static long entries(const char *dir)
{
	DIR *d = opendir(dir);
	long n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

static void kept_read(void)
{
	char line[256], name[128];
	unsigned long long v;
	FILE *f = fopen("/proc/pith/counters", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%127s %llu", name, &v) == 2 && (!strncmp(name, "objects_", 8) || !strncmp(name, "pages_", 6) || !strcmp(name, "heap_used_bytes") || !strcmp(name, "fs_names")))
			kept_set(name, (long)v);
	if (f)
		fclose(f);
	kept_set("descriptors", entries("/proc/self/fd"));
	kept_set("threads", entries("/proc/self/task"));
}

/* After epoch of epochs: take the least of each quarter down. */
static void kept_note(unsigned long epoch, unsigned long epochs)
{
	unsigned long quarter = epoch * 4 / epochs;

	for (unsigned k = 0; k < nkept && quarter > 0; k++) {
		long *low = &kept[k].low[quarter - 1];
		if ((epoch - 1) * 4 / epochs != quarter || kept[k].now < *low)
			*low = kept[k].now;
	}
}

/*
 * What is held more of in each quarter than in the one before is a leak, unless it is a cache by its nature: files come from a pool that
 * never shrinks (kernel/proc/file.c), which the number of descriptors stands for; names that were looked for are remembered, 8,192 at most.
 */
static int kept_judge(void)
{
	long names = 0;
	int leaks = 0;

	for (unsigned k = 0; k < nkept; k++)
		if (!strcmp(kept[k].name, "fs_names"))
			names = kept[k].low[2] - kept[k].low[0];
	names = names > 0 ? names : 0;
	for (unsigned k = 0; k < nkept; k++) {
		const struct kept *p = &kept[k];
		long slack = !strncmp(p->name, "pages_", 6) ? 64 + names / 16 : !strcmp(p->name, "heap_used_bytes") ? (16 << 10) + 128 * names : strncmp(p->name, "objects_", 8) ? 0 : 12 + names;
		int grows = p->low[1] > p->low[0] && p->low[2] > p->low[1] && p->low[2] - p->low[0] > slack;
		if (!strcmp(p->name, "objects_file") || !strcmp(p->name, "pages_free") || !strcmp(p->name, "fs_names"))
			continue;
		if (grows || (!slack && p->now != p->low[0])) {
			printf("leak %s: at least %ld, %ld, %ld by quarters, %ld at the end\n", p->name, p->low[0], p->low[1], p->low[2], p->now);
			leaks++;
		}
	}
	return leaks;
}

static void begin(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001), .sin_port = htons(5000) };
	int fds[2], s;

	mkdir("/tmp/fz", 0700);
	mkdir("/tmp/fz/d", 0700);
	chdir("/tmp/fz");
	symlink(".", "/tmp/fz/loop");
	open("/tmp/fz/a", O_RDWR | O_CREAT, 0600);
	open("/tmp/fz/b", O_RDWR | O_CREAT | O_APPEND, 0600);
	open("/tmp/fz", O_RDONLY | O_DIRECTORY);
	pipe2(fds, O_NONBLOCK);
	socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds);
	socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds);
	s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	bind(s, (struct sockaddr *)&any, sizeof(any));
	listen(s, 8);
	connect(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), (struct sockaddr *)&any, sizeof(any));
	socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, 0);
	epoll_create1(0);
	syscall(SYS_eventfd2, 1, O_NONBLOCK);
	syscall(SYS_timerfd_create, 1, O_NONBLOCK);
	syscall(SYS_signalfd4, -1, &safe_masks[1], 8, O_NONBLOCK);
	syscall(SYS_inotify_init1, O_NONBLOCK);
	syscall(SYS_memfd_create, "m", 2);
	syscall(SYS_pidfd_open, getpid(), 0);
}

/* Remove what is in a directory, however deep and whatever its names. */
static void names_drop(int at, const char *dir)
{
	char b[4096];
	int d = openat(at, dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	long n;

	while (d >= 0 && (n = syscall(SYS_getdents64, d, b, sizeof(b))) > 0)
		for (long k = 0; k < n; k += *(unsigned short *)(b + k + 16)) {
			const char *name = b + k + 19;
			if (!strcmp(name, ".") || !strcmp(name, ".."))
				continue;
			if (unlinkat(d, name, 0) < 0 && errno == EISDIR) {
				names_drop(d, name);
				unlinkat(d, name, AT_REMOVEDIR);
			}
		}
	if (d >= 0)
		close(d);
}

static unsigned long aio[4096];
static unsigned naio;

/* Take down what the epoch made. */
static void end(void)
{
	static const char *const devices[] = { "/dev/null", "/dev/zero", "/dev/full", "/dev/urandom" };
	struct itimerval off = { { 0, 0 }, { 0, 0 } };
	struct stat st;

	for (int i = 0; i < 3; i++)
		setitimer(i, &off, NULL);
	for (long i = 0; i < 4096; i++)
		syscall(SYS_timer_delete, i);
	syscall(SYS_close_range, FD_FIRST, ~0u, 0);
	for (unsigned i = 0; i < naio && i < 4096; i++)
		syscall(SYS_io_destroy, aio[i]);
	naio = 0;
	syscall(SYS_munlockall);
	arena = mmap(arena, ARENA_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	chdir("/");
	names_drop(AT_FDCWD, "/tmp");
	names_drop(AT_FDCWD, "/run");
	names_drop(AT_FDCWD, "/var/tmp");
	names_drop(AT_FDCWD, "/dev/shm");
	for (unsigned i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {    /* what took the place of a device */
		names_drop(AT_FDCWD, devices[i]);
		rmdir(devices[i]);
		if (lstat(devices[i], &st) == 0 && !S_ISCHR(st.st_mode))
			unlink(devices[i]);
	}
	for (int i = 0; i < 400; i++) {
		shmctl(i, IPC_RMID, NULL);
		shmctl(i | 32768, IPC_RMID, NULL);
	}
	FILE *f;
	static const char *const lists[] = { "/proc/sysvipc/shm", "/proc/sysvipc/sem", "/proc/sysvipc/msg" };
	for (int k = 0; k < 3; k++) {
		char line[512];
		int key, id;
		f = fopen(lists[k], "r");
		while (f && fgets(line, sizeof(line), f))
			if (sscanf(line, "%d %d", &key, &id) == 2)
				k == 0 ? shmctl(id, IPC_RMID, NULL) : k == 1 ? semctl(id, 0, IPC_RMID) : msgctl(id, IPC_RMID, NULL);
		if (f)
			fclose(f);
	}
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &safe_masks[0], NULL, 8);
	syscall(SYS_mq_unlink, "a");
	for (int i = 0; i < 64; i++) {             /* connections end, deferred work is done */
		usleep(2000);
	}
}

static void on_signal(int s, siginfo_t *i, void *context)
{
	(void)context;
	if ((s == SIGSEGV || s == SIGBUS || s == SIGILL || s == SIGTRAP || s == SIGFPE) && i->si_code > 0 && me) {
		faults++;
		siglongjmp(me->back, 1);
	}
}

static void make_one(void)
{
	const struct call *c = &calls[below(NCALLS)];
	struct call unknown = { 0, "?", NONE, 6, { { 0, 0 } } };
	uint64_t a[6] = { 0 };

	if (c->level >= REFUSE && !one_in(12))
		return;
	if (one_in(400)) {
		unknown.nr = (int)(one_in(2) ? 335 + below(300) : number());
		if (unknown.nr < 460 && unknown.nr >= 0)
			return;
		c = &unknown;
	}
	for (int i = 0; i < c->n; i++)
		a[i] = value(&c->a[i]);
	if (!bend(c, a))
		return;
	memcpy(me->args, a, sizeof(a));
	me->now = c == &unknown ? NULL : c;
	long r = syscall(c->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	me->now = NULL;
	if (c->nr == SYS_io_setup && r == 0)
		aio[__atomic_fetch_add(&naio, 1, __ATOMIC_RELAXED) % 4096] = *(unsigned long *)(a[1]);
}

static void *fuzzer(void *arg)
{
	unsigned long index = (unsigned long)arg;

	me = &fuzzers[index];
	me->tid = (int)syscall(SYS_gettid);
	for (volatile unsigned long epoch = 0; epoch * EPOCH_CALLS < quota; epoch++) {
		if (index == 0)
			begin();
		me->parked = 1;
		pthread_barrier_wait(&meet);
		ring_open();
		me->parked = 0;
		volatile unsigned long i = 0;
		sigsetjmp(me->back, 1);
		for (; i < EPOCH_CALLS; i++) {
			me->made++;
			if (one_in(16))
				ring_turn();
			else
				make_one();
			if (i % 64 == 63)
				syscall(SYS_rt_sigprocmask, SIG_SETMASK, &safe_masks[0], NULL, 8);
		}
		me->parked = 1;
		ring_close();
		pthread_barrier_wait(&meet);
		if (index == 0) {
			end();
			kept_read();
			kept_note(epoch, (quota + EPOCH_CALLS - 1) / EPOCH_CALLS);
			if (epoch % 8 == 0) {
				printf("epoch %lu: calls %lu faults %lu", epoch, (epoch + 1) * EPOCH_CALLS * (unsigned long)nthreads, faults);
				for (unsigned k = 0; k < nkept; k++)
					if (strncmp(kept[k].name, "objects_", 8))
						printf(" %s %ld", kept[k].name, kept[k].now);
				putchar('\n');
				fflush(stdout);
			}
		}
		pthread_barrier_wait(&meet);
	}
	return NULL;
}

/* Wakes whoever sleeps in a call; finds out who cannot be woken. */
static void *monitor(void *arg)
{
	unsigned long seen[THREADS_MAX] = { 0 };
	time_t since[THREADS_MAX];

	(void)arg;
	for (int i = 0; i < nthreads; i++)
		since[i] = time(NULL);
	for (;;) {
		struct timespec t = { 0, 4000000 }, now;
		clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
		clock_gettime(CLOCK_MONOTONIC, &now);
		for (int i = 0; i < nthreads; i++) {
			struct fuzzer *f = &fuzzers[i];
			if (f->parked || f->made != seen[i]) {
				seen[i] = f->made;
				since[i] = now.tv_sec;
				continue;
			}
			syscall(SYS_tgkill, getpid(), f->tid, WAKE);
			if (now.tv_sec - since[i] > HANG_S && since[i] && since[i] < now.tv_sec) {
				const struct call *c = f->now;
				printf("hang thread %d after %lu calls: %s(%lx, %lx, %lx, %lx, %lx, %lx)\n", i, f->made, c ? c->name : "?", (long)f->args[0], (long)f->args[1],
				       (long)f->args[2], (long)f->args[3], (long)f->args[4], (long)f->args[5]);
				fflush(stdout);
				_exit(3);
			}
		}
	}
}

static void prepare(unsigned long seed)
{
	struct sigaction a = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	struct rlimit files = { FD_LIMIT, FD_LIMIT }, size = { 2 << 20, 2 << 20 };
	static const char *const first[] = { "/dev/null", "/dev/zero", "/tmp", "/", "/proc/self/maps", "/dev/urandom", "/dev/null" };

	for (int s = 1; s <= 64; s++)
		if (s != SIGKILL && s != SIGSTOP && s != 32 && s != 33)
			sigaction(s, &a, NULL);
	setrlimit(RLIMIT_NOFILE, &files);
	setrlimit(RLIMIT_FSIZE, &size);            /* files in memory do not take all of it */
	for (int i = 0; i < 7; i++) {
		int fd = open(first[i], i < 2 ? O_RDWR : O_RDONLY);
		if (fd != 3 + i)
			dup2(fd, 3 + i);
	}
	/* Masks that leave the waking signal alone. */
	safe_masks[1] = 1ull << (SIGUSR1 - 1);
	safe_masks[2] = ~(1ull << (WAKE - 1) | 1ull << (SIGSEGV - 1) | 1ull << (SIGBUS - 1));
	safe_masks[3] = 0xffull << 40;
	arena = mmap(NULL, ARENA_LEN + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	mprotect(arena + ARENA_LEN, 4096, PROT_NONE);
	for (int i = 0; i < nthreads; i++) {
		struct fuzzer *f = &fuzzers[i];
		f->buf = mmap(NULL, BUF_LEN + 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		mprotect(f->buf + BUF_LEN, 4096, PROT_NONE);
		f->spare = f->buf + BUF_LEN + 4096;
		f->rng = (seed * 0x9e3779b97f4a7c15ull + (uint64_t)i * 0xd1b54a32d192ed03ull) | 1;
		f->ring = -1;
		f->parked = 1;
	}
}

int main(int argc, char **argv)
{
	pthread_t t[THREADS_MAX], watch;
	int leaks;

	if (argc < 4)
		return 2;
	nthreads = atoi(argv[3]);
	if (nthreads < 1 || nthreads > THREADS_MAX)
		return 2;
	quota = strtoul(argv[2], NULL, 0) / (unsigned long)nthreads;
	if (argc > 4)
		hang_s = atoi(argv[4]);
	prepare(strtoul(argv[1], NULL, 0));
	pthread_barrier_init(&meet, NULL, (unsigned)nthreads);
	pthread_create(&watch, NULL, monitor, NULL);
	for (long i = 0; i < nthreads; i++)
		pthread_create(&t[i], NULL, fuzzer, (void *)i);
	for (int i = 0; i < nthreads; i++)
		pthread_join(t[i], NULL);
	unsigned long made = 0;
	for (int i = 0; i < nthreads; i++)
		made += fuzzers[i].made;
	leaks = quota >= 16 * EPOCH_CALLS ? kept_judge() : 0;    /* shorter, and quarters say nothing */
	printf("done: %lu calls, %lu faults\n", made, faults);
	fflush(stdout);
	_exit(leaks ? 4 : 0);
}
