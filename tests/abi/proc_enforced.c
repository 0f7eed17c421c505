/* proc_enforced.c - limits that bite: descriptors, threads, address space, data, stack, file size, locked memory, signals. */
#include "abi.h"
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define MB (1024ul * 1024)

static volatile int caught;
static void on(int s) { caught = s; }

static void limit(int what, unsigned long cur)
{
	struct rlimit r;

	getrlimit(what, &r);
	r.rlim_cur = cur;
	if (setrlimit(what, &r))
		NOTE("setrlimit", "%s", strerrorname_np(errno));
}

static void unlimit(int what)
{
	struct rlimit r;

	getrlimit(what, &r);
	r.rlim_cur = r.rlim_max;
	setrlimit(what, &r);
}

static void descriptors(void)
{
	int fd, p[2];

	limit(RLIMIT_NOFILE, 10);
	for (fd = 0; fd >= 0 && fd < 20;)
		fd = dup(1);
	NOTE("dup", "%s", strerrorname_np(errno));
	CHECK("open", open("/dev/null", O_RDONLY));
	CHECK("pipe", pipe(p));
	CHECK("F_DUPFD", fcntl(1, F_DUPFD, 10));
	CHECK("dup2", dup2(1, 10));
	CHECK("dup2 in", dup2(1, 9));
	CHECK("memfd", memfd_create("x", 0));
	limit(RLIMIT_NOFILE, 100);
	CHECK("dup2 again", dup2(1, 10));
	CHECK("beyond", dup2(1, 100));
	limit(RLIMIT_NOFILE, 5);
	CHECK("what is open stays", write(10, "", 0));
	CHECK("poll of more", syscall(SYS_poll, NULL, 6, 0));
	limit(RLIMIT_NOFILE, 100);
	for (fd = 3; fd < 11; fd++)
		close(fd);
}

static void sizes(void)
{
	int fd = open("limited", O_RDWR | O_CREAT | O_TRUNC, 0600);
	char page[4096] = "";

	signal(SIGXFSZ, on);
	limit(RLIMIT_FSIZE, 6000);
	CHECK("write 4096", write(fd, page, sizeof(page)));
	CHECK("write partly", write(fd, page, sizeof(page)));
	NOTE("no signal yet", "%d", caught);
	CHECK("write beyond", write(fd, page, sizeof(page)));
	NOTE("SIGXFSZ", "%d", caught == SIGXFSZ);
	caught = 0;
	CHECK("ftruncate", ftruncate(fd, 6001));
	NOTE("SIGXFSZ", "%d", caught == SIGXFSZ);
	caught = 0;
	CHECK("ftruncate within", ftruncate(fd, 6000));
	CHECK("fallocate", fallocate(fd, 0, 0, 7000));
	NOTE("SIGXFSZ", "%d", caught == SIGXFSZ);
	caught = 0;
	CHECK("pwrite", pwrite(fd, page, 1, 6000));
	NOTE("SIGXFSZ", "%d", caught == SIGXFSZ);
	CHECK("write nothing", write(fd, page, 0));
	unlimit(RLIMIT_FSIZE);
	CHECK("pwrite now", pwrite(fd, page, 1, 6000));
	close(fd);
	unlink("limited");
}

static void space(void)
{
	void *p;

	limit(RLIMIT_AS, 1024 * MB);
	p = mmap(NULL, 2048 * MB, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	NOTE("address space", "%s", p == MAP_FAILED ? strerrorname_np(errno) : "mapped");
	p = mmap(NULL, 256 * MB, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	NOTE("within", "%d", p != MAP_FAILED);
	CHECK("mremap", (long)mremap(p, 256 * MB, 1024 * MB, MREMAP_MAYMOVE));
	munmap(p, 256 * MB);
	unlimit(RLIMIT_AS);
	limit(RLIMIT_DATA, 64 * MB);
	p = mmap(NULL, 128 * MB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	NOTE("data", "%s", p == MAP_FAILED ? strerrorname_np(errno) : "mapped");
	p = mmap(NULL, 128 * MB, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	NOTE("read only", "%d", p != MAP_FAILED);
	CHECK("made writable", mprotect(p, 128 * MB, PROT_READ | PROT_WRITE));
	munmap(p, 128 * MB);
	char *end = sbrk(0);
	NOTE("brk", "%d", sbrk(128 * MB) == (void *)-1);
	NOTE("brk stays", "%d", sbrk(0) == (void *)end);
	unlimit(RLIMIT_DATA);
}

static void locked(void)
{
	char *p = mmap(NULL, 64 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	limit(RLIMIT_MEMLOCK, 8 * 4096);
	CHECK("mlock 8", mlock(p, 8 * 4096));
	CHECK("mlock 9th", mlock(p + 8 * 4096, 4096));
	CHECK("mlock again", mlock(p, 8 * 4096));
	CHECK("mlock2", mlock2(p + 16 * 4096, 4096, MLOCK_ONFAULT));
	void *q = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);
	NOTE("MAP_LOCKED", "%s", q == MAP_FAILED ? strerrorname_np(errno) : "mapped");
	CHECK("mlockall", mlockall(MCL_CURRENT));
	CHECK("munlock", munlock(p, 8 * 4096));
	CHECK("mlock elsewhere", mlock(p + 8 * 4096, 4 * 4096));
	munlock(p, 64 * 4096);
	limit(RLIMIT_MEMLOCK, 0);
	CHECK("mlock nothing allowed", mlock(p, 4096));
	CHECK("munlock always", munlock(p, 4096));
	unlimit(RLIMIT_MEMLOCK);
	CHECK("MCL_ONFAULT alone", mlockall(MCL_ONFAULT));
	CHECK("mlockall flags", mlockall(64));
	CHECK("mlock2 flags", mlock2(p, 4096, 8));
	munmap(p, 64 * 4096);
}

/* Signals that wait for all processes of this user: the limit is for them together. */
static int signals_queued(void)
{
	char line[128];
	int n = 0;
	FILE *f = fopen("/proc/self/status", "r");

	while (f && fgets(line, sizeof(line), f) && sscanf(line, "SigQ: %d", &n) != 1)
		;
	if (f)
		fclose(f);
	return n;
}

static void signals(void)
{
	sigset_t s;
	union sigval v = { 0 };
	int n;

	sigemptyset(&s);
	sigaddset(&s, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &s, NULL);
	limit(RLIMIT_SIGPENDING, (rlim_t)(5 + signals_queued()));
	for (n = 0; n < 10 && sigqueue(getpid(), SIGRTMIN, v) == 0; n++)
		;
	NOTE("queued", "%d %s", n, strerrorname_np(errno));
	struct timespec now = { 0, 0 };
	while (sigtimedwait(&s, NULL, &now) > 0)
		;
	unlimit(RLIMIT_SIGPENDING);
}

int main(void)
{
	if (geteuid() == 0 && (chmod(".", 0777) || setgroups(0, NULL) || setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000)))
		return 1;
	descriptors();
	sizes();
	space();
	locked();
	signals();
	return 0;
}
