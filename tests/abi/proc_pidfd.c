/* proc_pidfd.c - the process by a descriptor: pidfd_open and what takes one; kcmp; waiting for oneself. */
#include "abi.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

static volatile int seen, seen_code, seen_value;
static void on(int sig, siginfo_t *si, void *u)
{
	(void)u;
	seen = sig;
	seen_code = si->si_code;
	seen_value = si->si_value.sival_int;
}

static int thread_tid;
static void *thread(void *arg)
{
	thread_tid = gettid();
	while (!*(volatile int *)arg)
		usleep(1000);
	return NULL;
}

static void opening(int fd)
{
	char text[256], path[64];
	struct stat st;
	int done = 0;
	pthread_t t;

	NOTE("opened", "%d cloexec %d", fd >= 0, fcntl(fd, F_GETFD));
	CHECK("flags", syscall(SYS_pidfd_open, getpid(), 1));
	CHECK_OK("nonblock", syscall(SYS_pidfd_open, getpid(), O_NONBLOCK));
	CHECK("pid 0", syscall(SYS_pidfd_open, 0, 0));
	CHECK("pid -1", syscall(SYS_pidfd_open, -1, 0));
	CHECK("nobody", syscall(SYS_pidfd_open, 4000000, 0));
	pthread_create(&t, NULL, thread, &done);
	while (!__atomic_load_n(&thread_tid, __ATOMIC_SEQ_CST))
		usleep(1000);
	errno = 0;
	long r = syscall(SYS_pidfd_open, thread_tid, 0);
	NOTE("a thread", "%d %d", r == -1, errno == EINVAL || errno == ENOENT);
	done = 1;
	pthread_join(t, NULL);
	struct pollfd p = { fd, POLLIN, 0 };
	CHECK("poll", poll(&p, 1, 10));
	int e = epoll_create1(0);
	struct epoll_event ev = { .events = EPOLLIN };
	CHECK("epoll", epoll_ctl(e, EPOLL_CTL_ADD, fd, &ev));
	CHECK("read", read(fd, text, 1));
	CHECK("write", write(fd, text, 1));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	FILE *f = fopen(path, "r");
	int pid = 0;
	while (f && fgets(text, sizeof(text), f))
		sscanf(text, "Pid: %d", &pid);
	NOTE("fdinfo", "%d", pid == getpid());
	CHECK("fstat", fstat(fd, &st));
	close(e);
}

static void sending(int fd)
{
	struct sigaction sa = { .sa_sigaction = on, .sa_flags = SA_SIGINFO };
	siginfo_t si = { .si_signo = SIGUSR1, .si_code = SI_QUEUE };

	sigaction(SIGUSR1, &sa, NULL);
	CHECK("send", syscall(SYS_pidfd_send_signal, fd, SIGUSR1, NULL, 0));
	NOTE("seen", "%d %d", seen == SIGUSR1, seen_code);
	seen = 0;
	si.si_value.sival_int = 77;
	CHECK("send with", syscall(SYS_pidfd_send_signal, fd, SIGUSR1, &si, 0));
	NOTE("seen", "%d %d %d", seen == SIGUSR1, seen_code, seen_value);
	si.si_code = SI_USER;
	CHECK("claiming to be kill", syscall(SYS_pidfd_send_signal, fd, SIGUSR1, &si, 0));
	si.si_signo = SIGUSR2;
	CHECK("another number", syscall(SYS_pidfd_send_signal, fd, SIGUSR1, &si, 0));
	CHECK("signal 0", syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0));
	CHECK("signal 65", syscall(SYS_pidfd_send_signal, fd, 65, NULL, 0));
	CHECK("bad info", syscall(SYS_pidfd_send_signal, fd, SIGUSR1, (void *)8, 0));
	CHECK("bad flags", syscall(SYS_pidfd_send_signal, fd, SIGUSR1, NULL, 0x1000));
	CHECK("not a pidfd", syscall(SYS_pidfd_send_signal, 1, SIGUSR1, NULL, 0));
	CHECK("closed", syscall(SYS_pidfd_send_signal, 77, SIGUSR1, NULL, 0));
}

/* Before there were pidfds a directory of /proc stood for its process; only pidfd_send_signal still takes one. */
static void directories(void)
{
	static const struct {
		const char *path;
		int flags;
	} dirs[] = { { "/proc/self", 0 }, { NULL, 0 }, { "/proc/self", O_PATH }, { "/proc/thread-self", 0 }, { "/proc/self/task", 0 },
		     { "/proc/self/fd", 0 }, { "/proc", 0 }, { "/proc/self/status", 0 }, { ".", 0 } };
	char own[64], name[64];
	siginfo_t si;

	snprintf(own, sizeof(own), "/proc/%d", getpid());
	for (unsigned i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		int fd = open(dirs[i].path ? dirs[i].path : own, O_RDONLY | dirs[i].flags);
		snprintf(name, sizeof(name), "signal to %s%s", dirs[i].path ? dirs[i].path : "/proc/PID", dirs[i].flags ? " O_PATH" : "");
		seen = 0;
		CHECK(name, syscall(SYS_pidfd_send_signal, fd, SIGUSR1, NULL, 0));
		NOTE("seen", "%d", seen == SIGUSR1);
		close(fd);
	}
	int fd = open("/proc/self", O_RDONLY);
	CHECK("signal 0 to it", syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0));
	CHECK("signal 65 to it", syscall(SYS_pidfd_send_signal, fd, 65, NULL, 0));
	CHECK("getfd from it", syscall(SYS_pidfd_getfd, fd, 1, 0));
	CHECK("advice to it", syscall(SYS_process_madvise, fd, &(struct iovec){ name, 1 }, 1, 20, 0));
	CHECK("release it", syscall(448, fd, 0));
	CHECK("wait for it", waitid(P_PIDFD, fd, &si, WEXITED));
	close(fd);
}

static void taking(int fd)
{
	int p[2];
	char c = 0;

	pipe(p);
	int q = (int)syscall(SYS_pidfd_getfd, fd, p[1], 0);
	NOTE("getfd", "%d cloexec %d", q >= 0 && q != p[1], fcntl(q, F_GETFD));
	CHECK("same file", syscall(SYS_kcmp, getpid(), getpid(), 0, p[1], q));
	write(q, "x", 1);
	read(p[0], &c, 1);
	NOTE("works", "%c", c);
	CHECK("getfd flags", syscall(SYS_pidfd_getfd, fd, p[1], 1));
	CHECK("getfd closed", syscall(SYS_pidfd_getfd, fd, 77, 0));
	CHECK("getfd of no pidfd", syscall(SYS_pidfd_getfd, p[0], p[1], 0));
	NOTE("different", "%d", syscall(SYS_kcmp, getpid(), getpid(), 0, p[0], p[1]) > 0);
	CHECK("kcmp closed", syscall(SYS_kcmp, getpid(), getpid(), 0, p[0], 77));
	for (int type = 1; type <= 6; type++) {
		static const char *const names[] = { "", "vm", "files", "fs", "sighand", "io", "sysvsem" };
		CHECK(names[type], syscall(SYS_kcmp, getpid(), getpid(), type, 0, 0));
	}
	CHECK("kcmp unknown", syscall(SYS_kcmp, getpid(), getpid(), 99, 0, 0));
	CHECK("kcmp nobody", syscall(SYS_kcmp, getpid(), 4000000, 0, 0, 0));
}

static void advising(int fd)
{
	char *p = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec v[2] = { { p, 4096 }, { p + 8192, 8192 } };

	p[0] = 1;
	CHECK("cold", syscall(SYS_process_madvise, fd, v, 2, 20, 0));
	CHECK("willneed", syscall(SYS_process_madvise, fd, v, 2, 3, 0));
	CHECK("unknown advice", syscall(SYS_process_madvise, fd, v, 2, 77, 0));
	CHECK("advice flags", syscall(SYS_process_madvise, fd, v, 2, 20, 1));
	CHECK("advice to nobody", syscall(SYS_process_madvise, 1, v, 2, 20, 0));
	CHECK("bad list", syscall(SYS_process_madvise, fd, (void *)8, 2, 20, 0));
	v[1].iov_base = (void *)65536;
	CHECK("half", syscall(SYS_process_madvise, fd, v, 2, 20, 0));
	CHECK("nothing of it", syscall(SYS_process_madvise, fd, v + 1, 1, 20, 0));
	CHECK("release flags", syscall(448, fd, 1));
	CHECK("release", syscall(448, fd, 0));
	CHECK("release nobody", syscall(448, 1, 0));
}

int main(void)
{
	int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	siginfo_t si;

	opening(fd);
	sending(fd);
	directories();
	taking(fd);
	advising(fd);
	CHECK("wait for oneself", waitid(P_PIDFD, fd, &si, WEXITED));
	CHECK("wait for no pidfd", waitid(P_PIDFD, 1, &si, WEXITED));
	CHECK("wait for -1", waitid(P_PIDFD, -1, &si, WEXITED));
	CHECK("close", close(fd));
	return 0;
}
