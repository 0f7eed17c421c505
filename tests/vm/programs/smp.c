/*
 * smp.c - what several CPUs must agree on. Each mode prints "NAME ROUNDS errors N" and fails if N is not 0.
 *
 *   cow    a page that one CPU has read is replaced by the first stores to it: two CPUs store to it at once, and the one that
 *          only reads must see both stores in order with a flag in another page
 *   sleep  threads hand a token round by futexes, with no time-out that would hide a wake-up that was lost
 *   pipes  bytes through pipes, socket pairs and TCP over the loopback between threads, checked one by one
 *   spread threads that were held on one CPU and are let go: idle CPUs take them
 *   last   a byte that is written before the other end is closed comes before the end of file
 *   churn  threads map, fill, check and unmap while others' threads come and go
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PG 4096ul
#define RW (PROT_READ | PROT_WRITE)

static atomic_long errors;
static int rounds;

static void die(const char *what)
{
	perror(what);
	_exit(3);
}

static void start(pthread_t *t, void *(*f)(void *), long arg)
{
	if ((errno = pthread_create(t, NULL, f, (void *)arg)) != 0)
		die("pthread_create");
}

static void on_cpu(long cpu)
{
	cpu_set_t s;
	CPU_ZERO(&s);
	CPU_SET((size_t)cpu % (size_t)sysconf(_SC_NPROCESSORS_ONLN), &s);
	sched_setaffinity(0, sizeof(s), &s);
}

/* Wait for *v to reach want: a while by looking, then giving way, since there may be fewer CPUs than threads. */
static void wait_for(atomic_int *v, int want)
{
	for (int i = 0; atomic_load_explicit(v, memory_order_acquire) < want; i++)
		if (i > 2000)
			sched_yield();
}

/* ---- cow ---- */

#define COW_PAGES 64
static char *cow_at;
static atomic_int cow_ready, cow_flag, cow_first, cow_done;

static volatile int *cow_word(int i, int n) { return (volatile int *)(void *)(cow_at + (i % COW_PAGES) * PG + 128 * n); }

static void *cow_reader(void *arg)
{
	on_cpu(0);
	for (int i = 0; i < rounds; i++) {
		if (i % COW_PAGES == 0) {
			wait_for(&cow_done, 2 * i);
			if (cow_at)
				munmap(cow_at, COW_PAGES * PG);
			int fd = (i / COW_PAGES) & 1 ? open("/tmp/cow", O_RDONLY) : -1;
			cow_at = mmap(NULL, COW_PAGES * PG, RW, MAP_PRIVATE | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);
			if (cow_at == MAP_FAILED)
				die("mmap");
			if (fd >= 0)
				close(fd);
		}
		if (*cow_word(i, 1) != 0)
			errors++;
		atomic_store(&cow_ready, i + 1);
		while (atomic_load_explicit(&cow_flag, memory_order_acquire) <= i)
			;
		if (*cow_word(i, 1) != i + 1)
			errors++;
		wait_for(&cow_first, i + 1);
		if (*cow_word(i, 0) != i + 1)
			errors++;
	}
	return arg;
}

static void *cow_writer(void *arg)
{
	long me = (long)arg;

	on_cpu(1 + me);
	for (int i = 0; i < rounds; i++) {
		wait_for(&cow_ready, i + 1);
		*cow_word(i, (int)me) = i + 1;
		atomic_store(me ? &cow_flag : &cow_first, i + 1);
		atomic_fetch_add(&cow_done, 1);
	}
	return arg;
}

static void cow(void)
{
	pthread_t t[3];
	int fd = open("/tmp/cow", O_RDWR | O_CREAT, 0600);

	if (fd < 0 || ftruncate(fd, COW_PAGES * PG))
		die("/tmp/cow");
	close(fd);
	start(&t[0], cow_reader, 0);
	start(&t[1], cow_writer, 0);
	start(&t[2], cow_writer, 1);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
}

/* ---- sleep ---- */

#define RING 6
static atomic_int ring[RING];

static void *ring_member(void *arg)
{
	long me = (long)arg;
	atomic_int *mine = &ring[me], *next = &ring[(me + 1) % RING];

	for (int i = 0; i < rounds; i++) {
		while (atomic_load(mine) != i + 1)
			syscall(SYS_futex, mine, FUTEX_WAIT_PRIVATE, i, NULL);
		if (me == RING - 1 && i == rounds - 1)
			break;
		atomic_store(next, i + 1 + (me == RING - 1));
		syscall(SYS_futex, next, FUTEX_WAKE_PRIVATE, 1);
	}
	return arg;
}

static void rings(void)
{
	pthread_t t[RING];

	for (long i = 0; i < RING; i++)
		start(&t[i], ring_member, i);
	atomic_store(&ring[0], 1);
	syscall(SYS_futex, &ring[0], FUTEX_WAKE_PRIVATE, 1);
	for (int i = 0; i < RING; i++)
		pthread_join(t[i], NULL);
}

/* ---- pipes ---- */

static int ends[3][2];
static uint32_t mix(uint32_t x) { return (x ^ x >> 15) * 0x2c1b3c6du + 0x9e3779b9u; }

static void *pipe_writer(void *arg)
{
	static __thread uint32_t buf[8192];
	uint32_t n = 0;

	for (int i = 0; i < rounds; i++) {
		size_t words = 1 + mix((uint32_t)i) % 8192, done = 0;
		for (size_t k = 0; k < words; k++)
			buf[k] = mix(n++);
		while (done < 4 * words) {
			ssize_t r = write(ends[(long)arg][1], (char *)buf + done, 4 * words - done);
			if (r <= 0)
				die("write");
			done += (size_t)r;
		}
	}
	shutdown(ends[(long)arg][1], SHUT_WR);
	close(ends[(long)arg][1]);
	return arg;
}

static void *pipe_reader(void *arg)
{
	static __thread unsigned char buf[20000];
	uint32_t n = 0, total = 0;
	size_t at = 0;
	ssize_t r;

	while ((r = read(ends[(long)arg][0], buf + at, 4 + mix(n) % (sizeof(buf) - 8))) > 0) {
		size_t have = at + (size_t)r, k;
		for (k = 0; k + 4 <= have; k += 4) {
			uint32_t v;
			memcpy(&v, buf + k, 4);
			if (v != mix(n++))
				errors++;
		}
		at = have - k;
		memmove(buf, buf + k, at);
	}
	for (int i = 0; i < rounds; i++)
		total += 1 + mix((uint32_t)i) % 8192;
	if (r < 0 || at || n != total)
		errors++;
	return arg;
}

static void connect_loopback(int e[2])
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int l = socket(AF_INET, SOCK_STREAM, 0);

	if (l < 0 || bind(l, (void *)&a, sizeof(a)) || listen(l, 1) || getsockname(l, (void *)&a, &len))
		die("listen");
	e[1] = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(e[1], (void *)&a, sizeof(a)) || (e[0] = accept(l, NULL, NULL)) < 0)
		die("connect");
	close(l);
}

static void pipes(void)
{
	pthread_t t[6];

	if (pipe(ends[0]) || socketpair(AF_UNIX, SOCK_STREAM, 0, ends[1]))
		die("pipe");
	connect_loopback(ends[2]);
	for (long i = 0; i < 3; i++) {
		start(&t[2 * i], pipe_reader, i);
		start(&t[2 * i + 1], pipe_writer, i);
	}
	for (int i = 0; i < 6; i++)
		pthread_join(t[i], NULL);
}

/* ---- last ---- */

#define LAST_PAIRS 4
static struct last {
	int end[2];
	atomic_int turn, done;
} lasts[LAST_PAIRS];

static void *last_writer(void *arg)
{
	struct last *l = arg;

	for (int i = 0; i < rounds; i++) {
		wait_for(&l->turn, i + 1);
		if (write(l->end[1], "x", 1) != 1 || close(l->end[1]))
			errors++;
		atomic_store(&l->done, i + 1);
	}
	return arg;
}

static void *last_reader(void *arg)
{
	struct last *l = arg;
	char c;

	for (int i = 0; i < rounds; i++) {
		int kind = i % 4;
		if (kind == 3 && i % 64 == 3)
			connect_loopback(l->end);
		else if (kind == 2 ? pipe(l->end) : socketpair(AF_UNIX, kind ? SOCK_SEQPACKET : SOCK_STREAM, 0, l->end))
			die("a pair");
		atomic_store(&l->turn, i + 1);
		if (read(l->end[0], &c, 1) != 1 || read(l->end[0], &c, 1) != 0)
			errors++;
		wait_for(&l->done, i + 1);
		close(l->end[0]);
	}
	return arg;
}

static void last(void)
{
	pthread_t t[2 * LAST_PAIRS];

	for (long i = 0; i < LAST_PAIRS; i++) {
		start(&t[2 * i], last_reader, (long)&lasts[i]);
		start(&t[2 * i + 1], last_writer, (long)&lasts[i]);
	}
	for (int i = 0; i < 2 * LAST_PAIRS; i++)
		pthread_join(t[i], NULL);
}

/* ---- spread ---- */

static atomic_int spread_stop;
static atomic_long spread_cpus;

static void *spread_thread(void *arg)
{
	on_cpu(0);
	for (int i = 0; i < 1000; i++)
		sched_yield();
	cpu_set_t s;
	memset(&s, 0xff, sizeof(s));
	sched_setaffinity(0, sizeof(s), &s);
	while (!atomic_load(&spread_stop)) {
		unsigned cpu;
		syscall(SYS_getcpu, &cpu, NULL, NULL);
		atomic_fetch_or(&spread_cpus, 1l << cpu);
		for (volatile int i = 0; i < 100000; i++)
			;
	}
	return arg;
}

/* As many threads as CPUs: soon each CPU has run some of them. */
static void spread(void)
{
	pthread_t t[64];
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	on_cpu(0);
	for (long i = 0; i < n; i++)
		start(&t[i], spread_thread, i);
	for (int i = 0; i < 200 && atomic_load(&spread_cpus) != (1l << n) - 1; i++)
		usleep(50000);
	atomic_store(&spread_stop, 1);
	if (atomic_load(&spread_cpus) != (1l << n) - 1)
		errors++;
	for (long i = 0; i < n; i++)
		pthread_join(t[i], NULL);
}

/* ---- churn ---- */

static void *churn_child(void *arg)
{
	long *p = arg;
	*p += 1;
	return NULL;
}

static void *churn_thread(void *arg)
{
	uint32_t s = mix((uint32_t)(long)arg);

	for (int i = 0; i < rounds; i++) {
		s = mix(s);
		size_t n = 1 + s % 40;
		char *p = mmap(NULL, n * PG, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			die("mmap");
		for (size_t k = 0; k < n; k++)
			*(uint32_t *)(void *)(p + k * PG) = s + (uint32_t)k;
		if (i % 8 == 0) {
			pthread_t t;
			long seen = 0;
			start(&t, churn_child, (long)&seen);
			pthread_join(t, NULL);
			if (seen != 1)
				errors++;
		}
		for (size_t k = 0; k < n; k++)
			if (*(uint32_t *)(void *)(p + k * PG) != s + (uint32_t)k)
				errors++;
		munmap(p, n * PG);
	}
	return NULL;
}

static void churn(void)
{
	pthread_t t[6];

	for (long i = 0; i < 6; i++)
		start(&t[i], churn_thread, i);
	for (int i = 0; i < 6; i++)
		pthread_join(t[i], NULL);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} modes[] = { { "cow", cow }, { "sleep", rings }, { "pipes", pipes }, { "last", last }, { "spread", spread }, { "churn", churn } };

	rounds = argc > 2 ? atoi(argv[2]) : 1000;
	for (size_t i = 0; argc > 1 && i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(argv[1], modes[i].name) != 0)
			continue;
		modes[i].run();
		printf("%s %d errors %ld\n", argv[1], rounds, (long)errors);
		return errors != 0;
	}
	fprintf(stderr, "usage: smp cow|sleep|pipes|last|spread|churn ROUNDS\n");
	return 2;
}
