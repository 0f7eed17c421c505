/* eventfd, timerfd, signalfd, inotify, memfd. */
#include "abi.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

static int events(int fd)
{
	struct pollfd f = { fd, POLLIN | POLLOUT, 0 };

	poll(&f, 1, 0);
	return f.revents;
}

static void eventfds(void)
{
	uint64_t v = 3;
	int e = eventfd(0, EFD_NONBLOCK), s = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
	char small[4];

	CHECK("bad flag", eventfd(0, 0x10));
	CHECK("read empty", read(e, &v, 8));
	NOTE("empty", "%x", events(e));
	v = 3;
	CHECK("write", write(e, &v, 8));
	CHECK("write again", write(e, &v, 8));
	NOTE("ready", "%x", events(e));
	CHECK("read short", read(e, small, 4));
	CHECK("write short", write(e, small, 4));
	CHECK("read long", read(e, (uint64_t[2]){ 0 }, 16));
	v = UINT64_MAX;
	CHECK("write all ones", write(e, &v, 8));
	v = UINT64_MAX - 1;
	CHECK("write maximum", write(e, &v, 8));
	NOTE("full", "%x", events(e));
	v = 1;
	CHECK("write when full", write(e, &v, 8));
	CHECK("read", read(e, &v, 8));
	NOTE("value", "%llx", (unsigned long long)v);
	CHECK("semaphore", read(s, &v, 8));
	NOTE("value", "%llu", (unsigned long long)v);
	CHECK("semaphore", read(s, &v, 8));
	CHECK("semaphore empty", read(s, &v, 8));
	CHECK("bad buffer", syscall(SYS_write, e, 8, 8));
	CHECK("F_GETFL", fcntl(e, F_GETFL));
	CHECK("cloexec", fcntl(eventfd(0, EFD_CLOEXEC), F_GETFD));
}

static void timerfds(void)
{
	struct itimerspec its = { { 0, 0 }, { 0, 500000000 } }, old = { 0 };
	uint64_t n = 0;
	int t = timerfd_create(CLOCK_MONOTONIC, 0), nb = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
	struct timespec now;

	CHECK("bad clock", timerfd_create(77, 0));
	CHECK("cpu clock", timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0));
	CHECK("bad flag", timerfd_create(CLOCK_MONOTONIC, 1));
	CHECK("disarmed", read(nb, &n, 8));
	CHECK("settime", timerfd_settime(t, 0, &its, NULL));
	NOTE("not yet", "%x", events(t));
	CHECK("read", read(t, &n, 8));
	NOTE("ticks", "%llu", (unsigned long long)n);
	CHECK("gettime", timerfd_gettime(t, &old));
	NOTE("disarmed", "%ld %ld", (long)old.it_value.tv_sec, old.it_value.tv_nsec);
	its = (struct itimerspec){ { 0, 10000000 }, { 0, 10000000 } };
	CHECK("periodic", timerfd_settime(t, 0, &its, &old));
	usleep(55000);
	NOTE("ready", "%x", events(t));
	CHECK("read", read(t, &n, 8));
	NOTE("several", "%d", n >= 5 && n < 500);
	CHECK("old", timerfd_settime(t, 0, &(struct itimerspec){ 0 }, &old));
	NOTE("old interval", "%ld %ld, value set: %d", (long)old.it_interval.tv_sec, old.it_interval.tv_nsec,
	     old.it_value.tv_sec == 0 && old.it_value.tv_nsec > 0);
	clock_gettime(CLOCK_MONOTONIC, &now);
	its = (struct itimerspec){ { 0, 0 }, now };
	CHECK("absolute, past", timerfd_settime(t, TFD_TIMER_ABSTIME, &its, NULL));
	CHECK("read", read(t, &n, 8));
	its.it_value.tv_nsec = 1000000000;
	CHECK("bad time", timerfd_settime(t, 0, &its, NULL));
	CHECK("bad flag", timerfd_settime(t, 8, &(struct itimerspec){ 0 }, NULL));
	CHECK("not a timer", timerfd_settime(0, 0, &(struct itimerspec){ 0 }, NULL));
	CHECK("closed", timerfd_gettime(99, &old));
	CHECK("bad pointer", syscall(SYS_timerfd_settime, t, 0, 8, NULL));
	CHECK("short read", read(t, &n, 4));
	CHECK("write", write(t, &n, 8));
	CHECK("cancel on set", timerfd_settime(nb, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &(struct itimerspec){ { 0, 0 }, { 1, 0 } }, NULL));
	CHECK("read", read(nb, &n, 8));
}

static void signalfds(void)
{
	struct signalfd_siginfo si;
	union sigval val = { .sival_int = 42 };
	sigset_t set;
	int s;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s = signalfd(-1, &set, SFD_NONBLOCK);
	CHECK("bad flag", signalfd(-1, &set, 1));
	CHECK("bad size", syscall(SYS_signalfd4, -1, &set, 4, 0));
	CHECK("closed", signalfd(99, &set, 0));
	CHECK("not one", signalfd(0, &set, 0));
	CHECK("empty", read(s, &si, sizeof(si)));
	CHECK("short", read(s, &si, 100));
	kill(getpid(), SIGUSR2);
	kill(getpid(), SIGUSR1);
	NOTE("ready", "%x", events(s));
	CHECK("read", read(s, &si, sizeof(si)));
	NOTE("first", "%u code %d pid %d", si.ssi_signo, si.ssi_code, si.ssi_pid == (unsigned)getpid());
	CHECK("read", read(s, &si, sizeof(si)));
	NOTE("second", "%u", si.ssi_signo);
	NOTE("none left", "%x", events(s));
	sigqueue(getpid(), SIGRTMIN, val);
	CHECK("queued", read(s, &si, sizeof(si)));
	NOTE("value", "%d code %d", si.ssi_int, si.ssi_code);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK("change the mask", signalfd(s, &set, 0) == s);
	raise(SIGUSR2);
	CHECK("not in the mask", read(s, &si, sizeof(si)));
	raise(SIGUSR1);
	CHECK("in the mask", read(s, &si, sizeof(si)));
}

static void drain(const char *name, int in)
{
	_Alignas(8) char b[4096];
	char out[1024] = "";
	int n = read(in, b, sizeof(b));

	for (int at = 0; at < n;) {
		struct inotify_event *e = (struct inotify_event *)(b + at);
		sprintf(out + strlen(out), " %d:%x%s%s", e->wd, e->mask, e->len ? "=" : "", e->len ? e->name : "");
		at += sizeof(*e) + e->len;
	}
	NOTE(name, "%s", n < 0 ? strerrorname_np(errno) : out);
}

/* Instances that are kept by watches of others only: the last close lets all of them go. */
static void inotify_chain(void)
{
	int last = inotify_init1(IN_NONBLOCK), made = 0, kept = 0;
	char path[64];

	for (int i = 0; i < 60 && last >= 0; i++) {
		int next = inotify_init1(IN_NONBLOCK);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", last);
		made += next >= 0;
		kept += inotify_add_watch(next, path, IN_ALL_EVENTS) > 0 || errno == EACCES;     /* Linux: root's files, whoever made them */
		close(last);
		last = next;
	}
	NOTE("chain", "%d %d", made, kept);
	CHECK("chain closed", close(last));
}

static void inotifies(void)
{
	int in = inotify_init1(IN_NONBLOCK), fd, n = 0;
	char b[64];

	inotify_chain();
	mkdir("watch", 0755);
	CHECK("bad flag", inotify_init1(1));
	CHECK("add", inotify_add_watch(in, "watch", IN_ALL_EVENTS));
	CHECK("add again", inotify_add_watch(in, "watch", IN_ALL_EVENTS));
	CHECK("add absent", inotify_add_watch(in, "none", IN_ALL_EVENTS));
	CHECK("add no events", inotify_add_watch(in, "watch", 0));
	CHECK("add closed", inotify_add_watch(99, "watch", IN_ALL_EVENTS));
	CHECK("add to a file", inotify_add_watch(0, "watch", IN_ALL_EVENTS));
	CHECK("only directories", inotify_add_watch(in, "/proc/version", IN_OPEN | IN_ONLYDIR));
	CHECK("mask create", inotify_add_watch(in, "watch", IN_OPEN | IN_MASK_CREATE));
	drain("nothing", in);
	fd = open("watch/a", O_RDWR | O_CREAT, 0600);
	drain("create", in);
	(void)!write(fd, "x", 1);
	drain("modify", in);
	(void)!pread(fd, b, 1, 0);
	drain("access", in);
	close(fd);
	drain("close", in);
	fd = open("watch/a", O_RDONLY);
	close(fd);
	drain("open, close", in);
	chmod("watch/a", 0644);
	drain("attrib", in);
	rename("watch/a", "watch/b");
	drain("move", in);
	mkdir("watch/d", 0755);
	drain("mkdir", in);
	CHECK("watch a file", inotify_add_watch(in, "watch/b", IN_ALL_EVENTS));
	CHECK("FIONREAD", ioctl(in, FIONREAD, &n));
	unlink("watch/b");
	NOTE("ready", "%x", events(in));
	CHECK("FIONREAD", ioctl(in, FIONREAD, &n) == 0 && n > 0);
	CHECK("read too small", read(in, b, 8));
	drain("unlink", in);
	rmdir("watch/d");
	drain("rmdir", in);
	CHECK("remove", inotify_rm_watch(in, 1));
	drain("ignored", in);
	CHECK("remove again", inotify_rm_watch(in, 1));
	CHECK("remove of a file", inotify_rm_watch(0, 1));
	rmdir("watch");
	drain("not watched", in);
}

static void memfds(void)
{
	struct stat st = { 0 };
	char name[260], b[64] = "";
	int m = memfd_create("name", MFD_ALLOW_SEALING), plain = memfd_create("p", MFD_CLOEXEC), n;

	memset(name, 'n', 250);
	name[250] = 0;
	CHECK("name of 250", memfd_create(name, 0));
	name[249] = 0;
	CHECK_OK("name of 249", memfd_create(name, 0));
	CHECK("bad flag", memfd_create("x", 0x1000));
	CHECK("bad name", memfd_create((char *)8, 0));
	CHECK("cloexec", fcntl(plain, F_GETFD));
	CHECK("flags", fcntl(m, F_GETFL));
	fstat(m, &st);
	NOTE("mode", "%o links %lu size %ld", st.st_mode, (unsigned long)st.st_nlink, (long)st.st_size);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", m);
	n = readlink(name, b, sizeof(b));
	NOTE("link", "%.*s", n, b);
	CHECK("write", write(m, "hello", 5));
	CHECK("seals", fcntl(m, F_GET_SEALS));
	CHECK("seals of an unsealable", fcntl(plain, F_GET_SEALS));
	CHECK("add to an unsealable", fcntl(plain, F_ADD_SEALS, F_SEAL_GROW));
	CHECK("grow", fcntl(m, F_ADD_SEALS, F_SEAL_GROW));
	CHECK("write beyond", write(m, "more", 4));
	CHECK("write inside", pwrite(m, "H", 1, 0));
	CHECK("ftruncate up", ftruncate(m, 100));
	CHECK("shrink", fcntl(m, F_ADD_SEALS, F_SEAL_SHRINK));
	CHECK("ftruncate down", ftruncate(m, 1));
	CHECK("bad seal", fcntl(m, F_ADD_SEALS, 0x1000));
	CHECK("write seal", fcntl(m, F_ADD_SEALS, F_SEAL_WRITE));
	CHECK("write", pwrite(m, "J", 1, 0));
	CHECK("shared writable mapping", mmap(NULL, 5, PROT_READ | PROT_WRITE, MAP_SHARED, m, 0) == MAP_FAILED);
	CHECK("private mapping", mmap(NULL, 5, PROT_READ | PROT_WRITE, MAP_PRIVATE, m, 0) != MAP_FAILED);
	CHECK("seal", fcntl(m, F_ADD_SEALS, F_SEAL_SEAL));
	CHECK("after that", fcntl(m, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
	CHECK("seals", fcntl(m, F_GET_SEALS));
	int r = open(name, O_RDONLY);
	CHECK("open through /proc", r >= 0);
	CHECK("read", read(r, b, 10));
	NOTE("bytes", "%.5s", b);
	void *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, plain, 0);
	(void)!ftruncate(plain, 4096);
	strcpy(map, "mapped");
	CHECK("read what was mapped", pread(plain, b, 6, 0));
	NOTE("bytes", "%.6s", b);
}

int main(void)
{
	eventfds();
	timerfds();
	signalfds();
	inotifies();
	memfds();
	return 0;
}
