/*
 * pointers.c - addresses that are not the program's, given to every call that takes one.
 *
 * A row is a call that works with good pointers; K stands for the bad one. Each row is made with each bad address: in the kernel's half, not
 * canonical, and good ones whose end lies beyond the program's top. The call must fail; EFAULT, or another error where Linux checks
 * something else first. Then the ways in which a pointer is kept and used later, sizes that go past a structure's end, and times
 * given by pointers. What the kernel does wrong here is a panic or a success; both are seen from outside.
 */
#include "probe.h"
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>

#define K 0x4b4b4b4b4b4bul
static const uintptr_t bad[] = { 0xffff800000000000, 0xffff888000100000, 0xffffff8000100000, 0xffffffff81000000, 0x800000000000, 0xdeadbeefdeadbeef,
				 0x7ffffffffff0, 0x7fffffffeffc };
#define NBAD (sizeof(bad) / sizeof(bad[0]))

static int fd, zero, null, tcp, udp, pair[2], pipes[2], ep, tfd, efd, dir;
static char *good;

struct row {
	const char *name;
	long nr, a[6];
};

static int fails(const struct row *r, uintptr_t k)
{
	long a[6];

	for (int i = 0; i < 6; i++)
		a[i] = r->a[i] == (long)K ? (long)k : r->a[i];
	long n = syscall(r->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	return n < 0;
}

#define ROW(call, ...) { #call, SYS_##call, { __VA_ARGS__ } }

static void every_call(void)
{
	long g = (long)good, cwd = AT_FDCWD, path = (long)"/";
	const struct row rows[] = {
		ROW(read, zero, K, 64), ROW(write, pair[0], K, 64), ROW(pread64, fd, K, 64, 0), ROW(pwrite64, fd, K, 64, 0), ROW(open, K, 0),
		ROW(openat, cwd, K, 0), ROW(stat, K, g), ROW(stat, path, K), ROW(fstat, fd, K), ROW(lstat, path, K), ROW(newfstatat, cwd, path, K, 0),
		ROW(statx, cwd, path, 0, 0x7ff, K), ROW(poll, K, 1, 0), ROW(ppoll, K, 1, 0, 0, 8), ROW(select, 3, K, 0, 0, 0), ROW(readv, zero, K, 2),
		ROW(writev, null, K, 2), ROW(preadv, fd, K, 2, 0, 0), ROW(access, K, 0), ROW(faccessat, cwd, K, 0), ROW(pipe, K), ROW(pipe2, K, 0),
		ROW(nanosleep, K, 0), ROW(clock_nanosleep, 0, 0, K, 0), ROW(getitimer, 0, K), ROW(setitimer, 0, K, 0), ROW(connect, tcp, K, 16), ROW(bind, udp, K, 16),
		ROW(getsockname, tcp, K, g), ROW(getsockname, tcp, g, K), ROW(sendto, pair[0], K, 8, 0, 0, 0), ROW(sendmsg, pair[0], K, 0), ROW(recvmsg, pair[1], K, 0x40),
		ROW(setsockopt, tcp, SOL_SOCKET, SO_KEEPALIVE, K, 4), ROW(getsockopt, tcp, SOL_SOCKET, SO_TYPE, K, g + 512), ROW(getsockopt, tcp, SOL_SOCKET, SO_TYPE, g, K),
		ROW(socketpair, AF_UNIX, SOCK_STREAM, 0, K), ROW(uname, K), ROW(getcwd, K, 4096), ROW(chdir, K), ROW(mkdir, K, 0700), ROW(rename, K, path), ROW(unlink, K),
		ROW(readlink, (long)"/proc/self/exe", K, 64), ROW(readlink, K, g, 64), ROW(gettimeofday, K, 0), ROW(getrlimit, 0, K), ROW(prlimit64, 0, 0, 0, K), ROW(prlimit64, 0, 0, K, 0),
		ROW(getrusage, 0, K), ROW(sysinfo, K), ROW(times, K), ROW(getgroups, 8, K), ROW(getresuid, K, g, g), ROW(getresgid, g, g, K), ROW(rt_sigaction, SIGUSR2, K, 0, 8),
		ROW(rt_sigaction, SIGUSR2, 0, K, 8), ROW(rt_sigprocmask, 0, K, 0, 8), ROW(rt_sigprocmask, 0, 0, K, 8), ROW(rt_sigpending, K, 8), ROW(rt_sigtimedwait, K, 0, 0, 8),
		ROW(sigaltstack, K, 0), ROW(sigaltstack, 0, K), ROW(statfs, path, K), ROW(fstatfs, fd, K), ROW(sched_getparam, 0, K), ROW(sched_setaffinity, 0, 128, K),
		ROW(sched_getaffinity, 0, 128, K), ROW(sched_rr_get_interval, 0, K), ROW(futex, K, FUTEX_WAKE, 1, 0, 0, 0), ROW(futex, K, FUTEX_WAIT, 0, 0, 0, 0),
		ROW(futex, g, FUTEX_WAIT, 0, K, 0, 0), ROW(futex, g, FUTEX_CMP_REQUEUE, 1, 1, K, 0), ROW(futex, K, FUTEX_LOCK_PI, 0, 0, 0, 0), ROW(futex, g, FUTEX_WAKE_OP, 1, 1, K, 0),
		ROW(epoll_ctl, ep, EPOLL_CTL_ADD, pipes[0], K), ROW(epoll_wait, ep, K, 4, 0), ROW(epoll_pwait, ep, g, 4, 0, K, 8),
		ROW(getdents64, dir, K, 4096), ROW(timer_create, 0, 0, K), ROW(clock_gettime, 0, K), ROW(clock_getres, 0, K), ROW(timerfd_settime, tfd, 0, K, 0),
		ROW(timerfd_gettime, tfd, K), ROW(signalfd4, -1, K, 8, 0), ROW(inotify_add_watch, fd, K, 1), ROW(getrandom, K, 16, 0), ROW(memfd_create, K, 0),
		ROW(pselect6, 3, 0, 0, 0, K, 0), ROW(ppoll, g, 1, K, 0, 8), ROW(epoll_pwait2, ep, g, 4, K, 0, 8), ROW(futex_waitv, K, 1, 0, 0, 0), ROW(futex_waitv, g, 1, 0, K, 0),
		ROW(io_uring_setup, 8, K), ROW(io_setup, 8, K), ROW(io_submit, 0, 1, K), ROW(io_getevents, 0, 1, 1, K, 0), ROW(sendfile, null, fd, K, 16), ROW(splice, fd, K, pipes[1], 0, 16, 0),
		ROW(copy_file_range, fd, K, fd, 0, 16, 0), ROW(vmsplice, pipes[1], K, 1, 0), ROW(process_vm_readv, getpid(), K, 1, K, 1, 0), ROW(process_vm_writev, getpid(), K, 1, K, 1, 0),
		ROW(recvmmsg, pair[1], K, 1, 0x40, 0), ROW(sendmmsg, pair[0], K, 1, 0), ROW(recvmmsg, pair[1], g, 1, 0x40, K), ROW(shmctl, 0, 3, K), ROW(msgsnd, 0, K, 8, 0),
		ROW(semop, 0, K, 1), ROW(capget, K, g), ROW(getcpu, K, 0), ROW(rseq, K, 32, 0, 0x53053053), ROW(arch_prctl, 0x1003, K),
		 ROW(prctl, 15, K), ROW(prctl, 16, K), ROW(mincore, g & -4096, 4096, K), ROW(mincore, K, 4096, g), ROW(madvise, K & -4096ul, 4096, 4),
		ROW(utimensat, cwd, path, K, 0), ROW(name_to_handle_at, cwd, path, K, g, 0), ROW(clone3, K, 88), ROW(openat2, cwd, path, K, 24), ROW(get_robust_list, 0, K, g),
		ROW(sched_setattr, 0, K, 0), ROW(sched_getattr, 0, K, 56, 0), ROW(get_mempolicy, K, 0, 0, 0, 0), ROW(set_mempolicy, 2, K, 64), ROW(mq_open, K, 0, 0, 0), ROW(setxattr, path, K, g, 1, 0),
		ROW(getxattr, path, (long)"user.a", K, 64), ROW(ioctl, pipes[0], 0x541b, K), ROW(ioctl, tcp, 0x8912, K), ROW(fcntl, fd, F_GETLK, K), ROW(wait4, -1, K, 0, K), ROW(waitid, 0, 0, K, 4, K),
		ROW(accept4, tcp, K, K, 0), ROW(accept, tcp, g, K), ROW(recvfrom, pair[1], K, 8, 0x40, 0, 0), ROW(adjtimex, K), ROW(syslog, 3, K, 64), ROW(timer_settime, 0, 0, K, 0),
		ROW(pidfd_send_signal, fd, 0, K, 0), ROW(process_madvise, fd, K, 1, 4, 0), ROW(move_pages, 0, 1, K, 0, g, 0), ROW(mbind, g & -4096, 4096, 2, K, 64, 0),
	};
	char which[160] = "";
	int wrong = 0;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (unsigned b = 0; b < NBAD; b++)
			if (!fails(&rows[i], bad[b])) {
				wrong++;
				snprintf(which, sizeof(which), "%s at %lx", rows[i].name, (unsigned long)bad[b]);
			}
	/* The program's own bases may be anything of the program's, and nothing else. */
	for (unsigned b = 0; b < NBAD; b++)
		if (bad[b] >= 0x7ffffffff000)
			wrong += syscall(SYS_arch_prctl, 0x1001, bad[b]) == 0 || syscall(SYS_arch_prctl, 0x1002, bad[b]) == 0;
	printf("# %zu rows of calls, %zu addresses\n", sizeof(rows) / sizeof(rows[0]), NBAD);
	verdict("pointers/every-call", wrong == 0, "%d successes, one by %s", wrong, which);
}

/* One good element, one bad: of vectors, and of messages. */
static void vectors(void)
{
	int wrong = 0;

	for (unsigned b = 0; b < NBAD; b++) {
		struct iovec v[2] = { { good, 16 }, { (void *)bad[b], 64 } };
		struct msghdr m = { .msg_iov = v + 1, .msg_iovlen = 1 };
		wrong += readv(zero, v + 1, 1) >= 0;
		wrong += readv(zero, v, 2) > 16;
		wrong += writev(pipes[1], v + 1, 1) >= 0;
		wrong += sendmsg(pair[0], &m, MSG_DONTWAIT) >= 0;
		m = (struct msghdr){ .msg_name = (void *)bad[b], .msg_namelen = 16, .msg_iov = v, .msg_iovlen = 1 };
		wrong += sendmsg(udp, &m, MSG_DONTWAIT) >= 0;
		m = (struct msghdr){ .msg_control = (void *)bad[b], .msg_controllen = 64, .msg_iov = v, .msg_iovlen = 1 };
		wrong += sendmsg(pair[0], &m, MSG_DONTWAIT) >= 0;
		struct iovec remote = { (void *)bad[b], 16 };
		wrong += process_vm_readv(getpid(), v, 1, &remote, 1, 0) > 0;
		wrong += process_vm_writev(getpid(), v, 1, &remote, 1, 0) > 0;
	}
	verdict("pointers/vectors", wrong == 0, "%d successes", wrong);
}

/* mremap, mmap, munmap, mprotect, brk and the rest of mm with addresses that are not the program's. */
static void mappings(void)
{
	char *p = pages(2);
	int wrong = 0;

	for (unsigned b = 0; b < NBAD - 1; b++) {        /* the last one is in a page that may be the program's */
		uintptr_t at = bad[b] & -PAGE;
		wrong += mremap(p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at) != MAP_FAILED;
		wrong += mremap((void *)at, PAGE, 2 * PAGE, MREMAP_MAYMOVE) != MAP_FAILED;
		wrong += mmap((void *)at, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
		wrong += mprotect((void *)at, PAGE, PROT_READ) == 0;
		wrong += munmap((void *)at, 2 * PAGE) == 0;
		wrong += madvise((void *)at, 2 * PAGE, MADV_DONTNEED) == 0;
		wrong += msync((void *)at, 2 * PAGE, MS_SYNC) == 0;
		wrong += mlock((void *)at, 2 * PAGE) == 0;
		wrong += (uintptr_t)syscall(SYS_brk, at) == at;
	}
	wrong += mremap(p, -PAGE, PAGE, MREMAP_MAYMOVE) != MAP_FAILED;
	wrong += mremap(p, PAGE, -PAGE, MREMAP_MAYMOVE) != MAP_FAILED;
	wrong += mremap(p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, -PAGE) != MAP_FAILED;
	wrong += munmap(p, -PAGE) == 0;
	wrong += mmap(NULL, -PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
	verdict("pointers/mremap-and-mappings", wrong == 0, "%d successes", wrong);
}

/* Times by pointer: futex, ppoll, io_uring (a classic: used without a check). */
static void times_by_pointer(void)
{
	struct io_uring_params q = { 0 };
	struct pollfd pf = { pipes[0], POLLIN, 0 };
	struct futex_waitv w = { .uaddr = (uintptr_t)good, .flags = FUTEX_32 };
	int wrong = 0, ring = (int)syscall(SYS_io_uring_setup, 8, &q);

	memset(good, 0, 64);
	for (unsigned b = 0; b < NBAD; b++) {
		void *t = (void *)bad[b];
		wrong += syscall(SYS_futex, good, FUTEX_WAIT, 0, t, 0, 0) == 0 || errno != EFAULT;
		wrong += syscall(SYS_futex, good, FUTEX_WAIT_BITSET, 0, t, 0, ~0) == 0 || errno != EFAULT;
		wrong += syscall(SYS_ppoll, &pf, 1, t, NULL, 8) >= 0 || errno != EFAULT;
		wrong += syscall(SYS_pselect6, 1, NULL, NULL, NULL, t, NULL) >= 0 || errno != EFAULT;
		wrong += syscall(SYS_epoll_pwait2, ep, good + 64, 4, t, NULL, 8) >= 0 || errno != EFAULT;
		wrong += syscall(SYS_futex_waitv, &w, 1, 0, t, CLOCK_MONOTONIC) >= 0 || errno != EFAULT;
		if (ring >= 0) {
			struct io_uring_getevents_arg arg = { .sigmask = 0, .sigmask_sz = 8, .ts = bad[b] };
			wrong += syscall(SYS_io_uring_enter, ring, 0, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &arg, sizeof(arg)) >= 0 || errno != EFAULT;
			wrong += syscall(SYS_io_uring_enter, ring, 0, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, t, sizeof(arg)) >= 0 || errno != EFAULT;
		}
	}
	verdict("pointers/times", wrong == 0, "%d not EFAULT", wrong);
	/* The same in a submission. */
	if (ring < 0) {
		verdict("pointers/uring", errno == EPERM || errno == ENOSYS, "%s", strerror(errno));
		return;
	}
	char *sq = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
	struct io_uring_sqe *sqe = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
	static const struct { uint8_t op; uint32_t len; } ops[] = { { IORING_OP_TIMEOUT, 1 }, { IORING_OP_READ, 64 }, { IORING_OP_WRITE, 64 }, { IORING_OP_READV, 2 },
		{ IORING_OP_WRITEV, 2 }, { IORING_OP_SENDMSG, 1 }, { IORING_OP_RECVMSG, 1 }, { IORING_OP_CONNECT, 16 }, { IORING_OP_OPENAT, 0 }, { IORING_OP_STATX, 0x7ff },
		{ IORING_OP_EPOLL_CTL, 1 } };
	wrong = 0;
	for (unsigned i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		for (unsigned b = 0; b < NBAD; b++) {
			unsigned tail = *(volatile unsigned *)(sq + q.sq_off.tail), mask = *(unsigned *)(sq + q.sq_off.ring_mask);
			sqe[tail & mask] = (struct io_uring_sqe){ .opcode = ops[i].op, .fd = ops[i].op == IORING_OP_READ || ops[i].op == IORING_OP_READV ? zero : pair[0],
								  .addr = bad[b], .addr2 = bad[b], .len = ops[i].len, .user_data = 7 };
			((unsigned *)(sq + q.sq_off.array))[tail & mask] = tail & mask;
			__atomic_store_n((unsigned *)(sq + q.sq_off.tail), tail + 1, __ATOMIC_RELEASE);
			syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0);
			unsigned *head = (unsigned *)(sq + q.cq_off.head);
			struct io_uring_cqe *cqes = (void *)(sq + q.cq_off.cqes);
			while (*head != *(volatile unsigned *)(sq + q.cq_off.tail)) {
				wrong += cqes[*head & *(unsigned *)(sq + q.cq_off.ring_mask)].res >= 0;
				++*head;
			}
		}
	close(ring);
	verdict("pointers/uring", wrong == 0, "%d successes", wrong);
}

/* Pointers that are kept and used when the thread ends: a word to clear, a list of mutexes to hand on. */
struct life {
	unsigned *lock;              /* a mutex that it holds, or NULL */
	void *clear;
	struct { void *next; long offset; void *pending; } head;
	int tid;
};
static void *life(void *arg)
{
	struct life *l = arg;

	l->tid = (int)syscall(SYS_gettid);
	if (l->lock)
		*l->lock = (unsigned)l->tid;
	syscall(SYS_set_robust_list, &l->head, 24);
	syscall(SYS_set_tid_address, l->clear);
	return NULL;
}

/* True when the thread is gone: nobody clears the word that its joiner would wait for. */
static int lived(struct life *l)
{
	pthread_t t;

	l->tid = 0;
	if (pthread_create(&t, NULL, life, l))
		return 0;
	pthread_detach(t);
	for (int i = 0; i < 2000; i++) {
		int tid = *(volatile int *)&l->tid;
		if (tid && syscall(SYS_tgkill, getpid(), tid, 0) < 0 && errno == ESRCH)
			return 1;
		usleep(1000);
	}
	return 0;
}

/* Each thread ends, bad pointers or not, and what is good in its list is still handed on: the word of a mutex says that its owner died. */
static void kept(void)
{
	static struct { void *next; unsigned word; } mutex;
	int ended = 0, handed = 0, cleared = 0;

	for (unsigned b = 0; b < NBAD; b++) {
		static int word;
		struct life *l = calloc(1, sizeof(*l));    /* nobody knows when the C library is through with a detached thread's */
		l->clear = (void *)bad[b];
		l->head.next = (void *)bad[b];
		l->head.offset = (long)bad[(b + 1) % NBAD];
		l->head.pending = (void *)bad[(b + 2) % NBAD];
		ended += lived(l);
		/* A good mutex before the bad one. */
		l = calloc(1, sizeof(*l));
		word = 1;
		l->clear = &word;
		l->head.next = &mutex;
		l->head.offset = offsetof(__typeof__(mutex), word) - offsetof(__typeof__(mutex), next);
		mutex.next = (void *)bad[b];
		l->head.pending = (void *)bad[b];
		l->lock = &mutex.word;
		ended += lived(l);
		handed += *(volatile unsigned *)&mutex.word >> 30 & 1;    /* FUTEX_OWNER_DIED */
		cleared += *(volatile int *)&word == 0;
	}
	verdict("pointers/kept-until-the-end-of-a-thread", ended == 2 * NBAD && handed == NBAD && cleared == NBAD, "of %d threads %d ended; %d mutexes, %d words of %d",
		2 * (int)NBAD, ended, handed, cleared, (int)NBAD);
}

/* What the kernel does not fill it does not touch, and nothing of it looks like an address of its own. */
static void masks(void)
{
	unsigned char *m = (unsigned char *)good;
	long n;

	memset(m, 0xaa, 4096);
	n = syscall(SYS_sched_getaffinity, 0, 4096, m);
	int clean = n >= 8 && n <= 1024;
	for (long i = n > 0 ? n : 0; i < 4096; i++)
		clean &= m[i] == 0xaa;
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	for (long i = (cpus + 7) / 8; i < n; i++)
		clean &= m[i] == 0 || n > 128;
	verdict("masks/affinity", clean, "%ld bytes said, others written or odd", n);
	for (int step = 8; step <= 64; step += 8) {
		memset(m, 0xaa, 4096);
		n = syscall(SYS_sched_getaffinity, 0, step, m);
		for (int i = 0; i + 8 <= 64; i += 8) {
			uint64_t v;
			memcpy(&v, m + i, 8);
			clean &= v >> 47 != 0x1ffff || v == ~0ull;
		}
		for (int i = step; i < 64; i++)
			clean &= m[i] == 0xaa;
	}
	verdict("masks/sizes", clean, "more than was asked for");
}

int main(void)
{
	setbuf(stdout, NULL);
	signal(SIGPIPE, SIG_IGN);
	good = pages(4);
	fd = open("/tmp/pointers", O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (write(fd, good, 4096) != 4096)
		return 3;
	zero = open("/dev/zero", O_RDWR);
	null = open("/dev/null", O_RDWR);
	dir = open("/", O_RDONLY | O_DIRECTORY);
	tcp = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	ep = epoll_create1(0);
	tfd = timerfd_create(CLOCK_MONOTONIC, 0);
	efd = eventfd(1, EFD_NONBLOCK);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) || pipe2(pipes, O_NONBLOCK) || write(pair[0], "abcdefgh", 8) != 8 || write(pipes[1], "abcd", 4) != 4)
		return 3;
	struct epoll_event e = { .events = EPOLLIN };
	epoll_ctl(ep, EPOLL_CTL_ADD, efd, &e);
	memset(good, 0, 4096);
	*(unsigned *)(good + 512) = 16;
	*(unsigned *)good = 16;
	every_call();
	memset(good, 0, 4096);
	vectors();
	mappings();
	times_by_pointer();
	kept();
	masks();
	return 0;
}
