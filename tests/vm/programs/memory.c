/* memory.c - memory in a machine: a stress of many threads, exhaustion, random placement, refusals. */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#define PG 4096ul
#define RW (PROT_READ | PROT_WRITE)

static atomic_long errors, *shared;
static int fd, rounds;

static char *anon(size_t len, int prot) { return mmap(NULL, len, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }
static void expect(char *p, unsigned n, unsigned s)
{
	for (unsigned i = 0; i < n; i++)
		if (*(unsigned *)(p + i * PG) != s + i)
			errors++;
}

static void *stress_thread(void *arg)
{
	unsigned s = (unsigned)(uintptr_t)arg * 7919 + 1;

	for (int it = 0; it < rounds; it++) {
		s = s * 1103515245 + 12345;
		unsigned n = 1 + (s >> 16) % 48;
		char *p = anon(n * PG, RW);
		for (unsigned i = 0; i < n; i++) {
			if (p[i * PG])
				errors++;
			*(unsigned *)(p + i * PG) = s + i;
		}
		if (s & 0x100) {
			mprotect(p, n * PG, PROT_NONE);
			mprotect(p, n * PG, RW);
			expect(p, n, s);
		}
		if (s & 0x200) {
			char *q = mremap(p, n * PG, 2 * n * PG, MREMAP_MAYMOVE);
			expect(q, n, s);
			if (q[n * PG])
				errors++;
			munmap(q + n * PG, n * PG);
			p = q;
		}
		if (s & 0x400) {
			madvise(p, n * PG, MADV_DONTNEED);
			for (unsigned i = 0; i < n; i++)
				if (p[i * PG])
					errors++;
		}
		if (s & 0x800) {
			char *f = mmap(NULL, 16 * PG, RW, s & 0x1000 ? MAP_PRIVATE : MAP_SHARED, fd, 0);
			for (int i = 0; i < 16; i++) {
				if (f[i * PG] != 'a' + i)
					errors++;
				if (s & 0x1000)
					f[i * PG] = 'z';
			}
			munmap(f, 16 * PG);
		}
		atomic_fetch_add(shared, 1);
		munmap(p, n * PG);
	}
	return NULL;
}

static int stress(int nthreads)
{
	pthread_t t[32];
	char page[PG];

	fd = open("/tmp/memory", O_RDWR | O_CREAT | O_TRUNC, 0600);
	for (int i = 0; i < 16; i++) {
		memset(page, 'a' + i, PG);
		if (write(fd, page, PG) != (ssize_t)PG)
			return 2;
	}
	shared = mmap(NULL, PG, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < nthreads; i++)
		pthread_create(&t[i], NULL, stress_thread, (void *)(uintptr_t)(i + 1));
	for (int i = 0; i < nthreads; i++)
		pthread_join(t[i], NULL);
	printf("rounds %ld errors %ld\n", (long)*shared, (long)errors);
	return errors != 0;
}

/* Touch more memory than there is, after having filled the page cache. */
static void exhaust(void)
{
	char *p = anon(1ul << 32, RW);

	for (size_t at = 0; at < 1ul << 32; at += PG)
		p[at] = 1;
	puts("there was enough");
}

static int deep(int n)
{
	volatile char frame[1000];

	frame[0] = (char)n;
	return deep(n + 1) + frame[0];
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "stress")) {
		rounds = atoi(argv[3]);
		return stress(atoi(argv[2]));
	} else if (!strcmp(what, "exhaust")) {
		exhaust();
	} else if (!strcmp(what, "overflow")) {
		return deep(0);
	} else if (!strcmp(what, "where")) {
		int local;
		printf("%lx %lx %lx %lx %lx %lx\n", (unsigned long)main, (unsigned long)sbrk(0), (unsigned long)anon(PG, RW),
		       (unsigned long)&local, getauxval(AT_SYSINFO_EHDR), getauxval(AT_BASE));
	} else if (!strcmp(what, "wx")) {
		char *p = anon(PG, RW);
		p[0] = (char)0xc3;
		printf("both %d\n", anon(PG, RW | PROT_EXEC) == MAP_FAILED);
		printf("after %d\n", mprotect(p, PG, PROT_READ | PROT_EXEC));
		int f = open("/tmp/code", O_RDWR | O_CREAT, 0700);
		if (write(f, p, PG) != (ssize_t)PG)
			return 2;
		printf("written file %d\n", mmap(NULL, PG, PROT_READ | PROT_EXEC, MAP_PRIVATE, f, 0) == MAP_FAILED);
		printf("null page %d\n", mmap(NULL, PG, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED);
		printf("last of the first 64 KiB %d\n", mmap((void *)0xf000, PG, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED);
	} else if (!strcmp(what, "reserve")) {
		char *p = mmap(NULL, 8ul << 40, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		p[5ul << 40] = 3;
		printf("reserve %d\n", p[5ul << 40]);
	}
	return 0;
}
