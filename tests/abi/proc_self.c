/* proc_self.c - /proc/self: names, tasks, the shape of stat and status. */
#include "abi.h"
#include <fcntl.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static char buf[65536];

static long slurp(const char *path)
{
	int fd = open(path, O_RDONLY);
	long n = 0, r;

	if (fd < 0)
		return -1;
	while ((r = read(fd, buf + n, sizeof(buf) - 1 - n)) > 0)
		n += r;
	close(fd);
	buf[n] = 0;
	return n;
}

static void has(const char *path, const char *key)
{
	long n = slurp(path);
	char name[100];

	snprintf(name, sizeof(name), "%s has %s", path, key);
	for (char *p = name; *p; p++)
		if (*p == '\n' || *p == '\t')
			*p = '_';
	NOTE(name, "%d", n > 0 && strstr(buf, key) != NULL);
}

static pthread_barrier_t bar;

static void *other(void *arg)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%ld/comm", (long)syscall(SYS_gettid));
	fd = open(path, O_RDWR);
	CHECK("write comm", write(fd, "worker-1", 8));
	close(fd);
	slurp(path);
	NOTE("comm", "%.8s", buf);
	slurp("/proc/thread-self/comm");
	NOTE("thread-self comm", "%.8s", buf);
	pthread_barrier_wait(&bar);
	pthread_barrier_wait(&bar);
	return arg;
}

int main(int argc, char **argv)
{
	pthread_t t;
	char link[64], want[64];
	long n;

	(void)argc;
	n = readlink("/proc/self", link, sizeof(link) - 1);
	link[n < 0 ? 0 : n] = 0;
	snprintf(want, sizeof(want), "%d", getpid());
	NOTE("/proc/self is pid", "%d", strcmp(link, want) == 0);
	n = readlink("/proc/thread-self", link, sizeof(link) - 1);
	link[n < 0 ? 0 : n] = 0;
	snprintf(want, sizeof(want), "%d/task/%d", getpid(), getpid());
	NOTE("/proc/thread-self", "%d", strcmp(link, want) == 0);
	prctl(PR_SET_NAME, "main-thread");
	slurp("/proc/self/comm");
	NOTE("comm", "%.11s", buf);
	n = slurp("/proc/self/cmdline");
	NOTE("cmdline", "%d", n > 0 && strcmp(buf, argv[0]) == 0 && buf[n - 1] == 0);
	has("/proc/self/status", "Name:\tmain-thread\n");
	has("/proc/self/status", "\nThreads:\t1\n");
	has("/proc/self/status", "\nSigBlk:\t0000000000000000\n");
	has("/proc/self/status", "\nVmRSS:\t");
	has("/proc/self/status", "\nCpus_allowed_list:\t");
	has("/proc/self/status", "\nTracerPid:\t0\n");
	has("/proc/self/stat", " (main-thread) R ");
	int fields = 1;
	slurp("/proc/self/stat");
	for (char *p = buf; *p; p++)
		fields += *p == ' ';
	NOTE("stat fields", "%d", fields);
	slurp("/proc/self/statm");
	fields = 1;
	for (char *p = buf; *p; p++)
		fields += *p == ' ';
	NOTE("statm fields", "%d", fields);
	has("/proc/self/maps", "[stack]");
	has("/proc/self/maps", "[vdso]");
	has("/proc/self/maps", "r-xp ");
	has("/proc/self/limits", "Max open files            ");
	has("/proc/self/oom_score_adj", "0");
	has("/proc/self/cgroup", ":/");
	slurp("/proc/self/auxv");
	NOTE("auxv", "%d", *(unsigned long *)buf != 0);
	pthread_barrier_init(&bar, NULL, 2);
	pthread_create(&t, NULL, other, NULL);
	pthread_barrier_wait(&bar);
	has("/proc/self/status", "\nThreads:\t2\n");
	slurp("/proc/self/comm");
	NOTE("main comm", "%.11s", buf);
	pthread_barrier_wait(&bar);
	pthread_join(t, NULL);
	CHECK("open task nobody", open("/proc/self/task/4194303/comm", O_RDONLY));
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/status", getpid());
	CHECK_OK("open /proc/PID/status", open(path, O_RDONLY));
	CHECK("open /proc/0/status", open("/proc/0/status", O_RDONLY));
	return 0;
}
