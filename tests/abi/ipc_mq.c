/* ipc_mq.c - POSIX message queues: opening, priorities, waiting, notification, polling, limits. */
#include "abi.h"
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#define NAME "/pith-test-queue"

static struct timespec in_ms(long ms)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += ms * 1000000;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

static void attrs(const char *name, mqd_t q)
{
	struct mq_attr a;

	if (mq_getattr(q, &a))
		NOTE(name, "%s", strerrorname_np(errno));
	else
		NOTE(name, "flags %lo max %ld size %ld now %ld", a.mq_flags, a.mq_maxmsg, a.mq_msgsize, a.mq_curmsgs);
}

static void opening(void)
{
	struct mq_attr a = { .mq_maxmsg = 4, .mq_msgsize = 32 };

	mq_unlink(NAME);
	CHECK("not there", mq_open(NAME, O_RDWR));
	CHECK("unlink not there", mq_unlink(NAME));
	mqd_t q = mq_open(NAME, O_RDWR | O_CREAT | O_EXCL, 0640, &a);
	NOTE("made", "%d", q >= 0);
	attrs("attributes", q);
	CHECK("exclusive", mq_open(NAME, O_RDWR | O_CREAT | O_EXCL, 0640, &a));
	a.mq_maxmsg = 7;
	mqd_t p = mq_open(NAME, O_WRONLY | O_CREAT | O_NONBLOCK, 0600, &a);
	attrs("opened again", p);
	NOTE("flags", "%o cloexec %d", fcntl(p, F_GETFL) & (O_ACCMODE | O_NONBLOCK), fcntl(p, F_GETFD));
	struct stat st;
	fstat(q, &st);
	NOTE("stat", "%o size %ld links %ld", st.st_mode, (long)st.st_size, (long)st.st_nlink);
	CHECK("close", mq_close(p));
	CHECK("close again", mq_close(p));
	CHECK("unlink", mq_unlink(NAME));
	CHECK("unlink again", mq_unlink(NAME));
	CHECK("lives on", mq_send(q, "x", 1, 0));
	attrs("lives on", q);
	mq_close(q);
	a = (struct mq_attr){ .mq_maxmsg = 0, .mq_msgsize = 32 };
	CHECK("no messages", mq_open(NAME, O_RDWR | O_CREAT, 0600, &a));
	a = (struct mq_attr){ .mq_maxmsg = 4, .mq_msgsize = 0 };
	CHECK("no size", mq_open(NAME, O_RDWR | O_CREAT, 0600, &a));
	a = (struct mq_attr){ .mq_maxmsg = -1, .mq_msgsize = -1 };
	CHECK("negative", mq_open(NAME, O_RDWR | O_CREAT, 0600, &a));
	a = (struct mq_attr){ .mq_maxmsg = 1 << 24, .mq_msgsize = 1 << 30 };
	CHECK("far too much", mq_open(NAME, O_RDWR | O_CREAT, 0600, &a));
	CHECK("bad attributes", syscall(SYS_mq_open, "a", O_RDWR | O_CREAT, 0600, (void *)8));
	CHECK("empty name", syscall(SYS_mq_open, "", O_RDWR | O_CREAT, 0600, NULL));
	CHECK("slash in name", syscall(SYS_mq_open, "a/b", O_RDWR | O_CREAT, 0600, NULL));
	CHECK("dot", syscall(SYS_mq_open, ".", O_RDWR | O_CREAT, 0600, NULL));
	CHECK("dots", syscall(SYS_mq_unlink, ".."));
	CHECK("null name", syscall(SYS_mq_open, NULL, O_RDWR | O_CREAT, 0600, NULL));
	char longname[300];
	memset(longname, 'n', sizeof(longname));
	longname[256] = 0;
	CHECK("long name", syscall(SYS_mq_open, longname, O_RDWR | O_CREAT, 0600, NULL));
	longname[255] = 0;
	CHECK_OK("longest name", syscall(SYS_mq_open, longname, O_RDWR | O_CREAT, 0600, NULL));
	CHECK("its end", syscall(SYS_mq_unlink, longname));
	CHECK_OK("mode 3 makes", mq_open(NAME, O_ACCMODE | O_CREAT, 0600, NULL));
	CHECK("mode 3 opens", mq_open(NAME, O_ACCMODE));
	mq_unlink(NAME);
}

static void messages(void)
{
	struct mq_attr a = { .mq_maxmsg = 4, .mq_msgsize = 32 };
	mqd_t q = mq_open(NAME, O_RDWR | O_CREAT | O_NONBLOCK, 0600, &a), r = mq_open(NAME, O_RDONLY), w = mq_open(NAME, O_WRONLY);
	unsigned prio = 99;
	char buf[64] = "";

	CHECK("empty", mq_receive(q, buf, sizeof(buf), &prio));
	CHECK("low", mq_send(q, "low", 4, 1));
	CHECK("high", mq_send(q, "high", 5, 9));
	CHECK("low 2", mq_send(q, "low 2", 6, 1));
	CHECK("highest", mq_send(q, "highest", 8, 32767));
	CHECK("full", mq_send(q, "x", 1, 0));
	attrs("full", q);
	for (int i = 0; i < 4; i++) {
		ssize_t n = mq_receive(q, buf, sizeof(buf), &prio);
		NOTE("received", "%zd %u %s", n, prio, buf);
	}
	CHECK("priority too high", mq_send(q, "x", 1, 32768));
	CHECK("too long", mq_send(q, buf, 33, 0));
	CHECK("as long as may be", mq_send(q, buf, 32, 0));
	CHECK("buffer too small", mq_receive(q, buf, 31, &prio));
	CHECK("buffer fits", mq_receive(q, buf, 32, NULL));
	CHECK("empty message", mq_send(q, "", 0, 3));
	CHECK("empty message back", mq_receive(q, buf, 32, &prio));
	CHECK("send to reader", mq_send(r, "x", 1, 0));
	CHECK("receive from writer", mq_receive(w, buf, 64, NULL));
	CHECK("send bad pointer", mq_send(q, (void *)8, 5, 0));
	mq_send(q, "lost", 5, 0);
	CHECK("receive bad pointer", mq_receive(q, (void *)8, 32, NULL));
	CHECK("it is lost", mq_receive(q, buf, 32, NULL));
	CHECK("not a queue", mq_send(1, "x", 1, 0));
	CHECK("not open", mq_receive(77, buf, 32, NULL));
	CHECK("getattr of another", mq_getattr(1, &a));
	CHECK("write", write(q, "x", 1));
	mq_send(q, "four", 4, 0);
	ssize_t n = read(q, buf, sizeof(buf) - 1);
	NOTE("read", "%.*s", (int)n, buf);
	struct mq_attr old;
	a.mq_flags = 0;
	CHECK("setattr", mq_setattr(q, &a, &old));
	NOTE("old", "%lo %ld", old.mq_flags, old.mq_curmsgs);
	attrs("blocking", q);
	a.mq_flags = 1;
	CHECK("bad flags", mq_setattr(q, &a, NULL));
	mq_close(q);
	mq_close(r);
	mq_close(w);
	mq_unlink(NAME);
}

static mqd_t shared;
static char order[8];
static int norder;

static void *receiver(void *arg)
{
	char buf[32], c = *(char *)arg;

	ssize_t n = mq_receive(shared, buf, sizeof(buf), NULL);
	order[__atomic_fetch_add(&norder, 1, __ATOMIC_SEQ_CST)] = n > 0 ? c : '!';
	return NULL;
}
static void *sender(void *arg)
{
	long r = mq_send(shared, "late", 5, 0);
	*(long *)arg = r ? -errno : 0;
	return NULL;
}
static void handler(int sig) { (void)sig; }

static void waiting(void)
{
	struct mq_attr a = { .mq_maxmsg = 2, .mq_msgsize = 32 };
	struct timespec t;
	pthread_t th[2];
	char buf[32];
	long r = 1;

	shared = mq_open(NAME, O_RDWR | O_CREAT, 0600, &a);
	t = in_ms(20);
	CHECK("receive timed out", mq_timedreceive(shared, buf, 32, NULL, &t));
	t.tv_sec = 0;
	CHECK("receive long ago", mq_timedreceive(shared, buf, 32, NULL, &t));
	t.tv_nsec = -1;
	CHECK("receive bad time", mq_timedreceive(shared, buf, 32, NULL, &t));
	t.tv_nsec = 1000000000;
	CHECK("send bad time", mq_timedsend(shared, "x", 1, 0, &t));
	CHECK("bad time pointer", syscall(SYS_mq_timedsend, shared, "x", 1, 0, (void *)8));
	pthread_create(&th[0], NULL, receiver, "a");
	usleep(30000);
	pthread_create(&th[1], NULL, receiver, "b");
	usleep(30000);
	mq_send(shared, "1", 2, 0);
	pthread_join(th[0], NULL);
	mq_send(shared, "2", 2, 0);
	pthread_join(th[1], NULL);
	NOTE("in order", "%s", order);
	mq_send(shared, "1", 2, 0);
	mq_send(shared, "2", 2, 0);
	t = in_ms(20);
	CHECK("send timed out", mq_timedsend(shared, "x", 1, 0, &t));
	pthread_create(&th[0], NULL, sender, &r);
	usleep(30000);
	CHECK("make room", mq_receive(shared, buf, 32, NULL));
	pthread_join(th[0], NULL);
	NOTE("sender went on", "%ld", r);
	struct sigaction sa = { .sa_handler = handler };
	sigaction(SIGUSR1, &sa, NULL);
	pthread_create(&th[0], NULL, sender, &r);
	usleep(30000);
	pthread_kill(th[0], SIGUSR1);
	pthread_join(th[0], NULL);
	NOTE("interrupted", "%s", strerrorname_np((int)-r));
	mq_close(shared);
	mq_unlink(NAME);
}

static volatile int seen, seen_code, seen_value, seen_pid;
static void notified(int sig, siginfo_t *si, void *u)
{
	(void)u;
	seen = sig;
	seen_code = si->si_code;
	seen_value = si->si_value.sival_int;
	seen_pid = si->si_pid == getpid();
}

static void notification(void)
{
	struct mq_attr a = { .mq_maxmsg = 3, .mq_msgsize = 32 };
	struct sigaction sa = { .sa_sigaction = notified, .sa_flags = SA_SIGINFO };
	struct sigevent e = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2, .sigev_value.sival_int = 42 };
	mqd_t q = mq_open(NAME, O_RDWR | O_CREAT | O_NONBLOCK, 0600, &a), p = mq_open(NAME, O_RDONLY);
	char buf[32], text[128];

	sigaction(SIGUSR2, &sa, NULL);
	CHECK("register", mq_notify(q, &e));
	CHECK("register again", mq_notify(q, &e));
	CHECK("by another descriptor", mq_notify(p, &e));
	ssize_t n = read(q, text, sizeof(text));
	char *pid = n > 0 ? strstr(text, "NOTIFY_PID") : NULL;
	NOTE("state", "%.*s pid %d", pid ? (int)(pid - text) : 0, text, pid && atoi(pid + 11) == getpid());
	CHECK("send", mq_send(q, "x", 1, 0));
	NOTE("notified", "%d code %d value %d pid %d", seen == SIGUSR2, seen_code, seen_value, seen_pid);
	seen = 0;
	CHECK("register for another", mq_notify(q, &e));
	CHECK("not empty", mq_send(q, "y", 1, 0));
	NOTE("not notified", "%d", seen);
	mq_receive(q, buf, 32, NULL);
	mq_receive(q, buf, 32, NULL);
	CHECK("first again", mq_send(q, "z", 1, 0));
	NOTE("notified again", "%d", seen == SIGUSR2);
	mq_receive(q, buf, 32, NULL);
	seen = 0;
	CHECK("register and", mq_notify(q, &e));
	CHECK("take it back", mq_notify(q, NULL));
	CHECK("nothing to take back", mq_notify(q, NULL));
	mq_send(q, "z", 1, 0);
	NOTE("nobody told", "%d", seen);
	mq_receive(q, buf, 32, NULL);
	e.sigev_notify = SIGEV_NONE;
	CHECK("none", mq_notify(q, &e));
	CHECK("none is registered", mq_notify(q, &e));
	mq_close(p);
	CHECK("a close ends it", mq_notify(q, &e));
	mq_notify(q, NULL);
	e.sigev_notify = 17;
	CHECK("unknown kind", mq_notify(q, &e));
	e.sigev_notify = SIGEV_SIGNAL;
	e.sigev_signo = 65;
	CHECK("bad signal", mq_notify(q, &e));
	CHECK("not a queue", mq_notify(1, NULL));
	mq_close(q);
	mq_unlink(NAME);
}

static int told, told_value;
static void tell(union sigval v)
{
	told_value = v.sival_int;
	__atomic_add_fetch(&told, 1, __ATOMIC_SEQ_CST);
}

static void until_told(int n)
{
	for (int i = 0; i < 2000 && __atomic_load_n(&told, __ATOMIC_SEQ_CST) < n; i++)
		usleep(1000);
}

/* A thread of the library's is started for each notification. */
static void by_thread(void)
{
	struct mq_attr a = { .mq_maxmsg = 3, .mq_msgsize = 32 };
	struct sigevent e = { .sigev_notify = SIGEV_THREAD, .sigev_notify_function = tell, .sigev_value.sival_int = 5 };
	mqd_t q = mq_open(NAME, O_RDWR | O_CREAT | O_NONBLOCK, 0600, &a);
	char buf[128];

	CHECK("thread", mq_notify(q, &e));
	CHECK("thread again", mq_notify(q, &e));
	ssize_t n = read(q, buf, sizeof(buf));
	char *pid = n > 0 ? strstr(buf, "NOTIFY_PID") : NULL;
	NOTE("thread state", "%.*s", pid ? (int)(pid - buf) : 0, buf);
	mq_send(q, "x", 1, 0);
	until_told(1);
	NOTE("told", "%d %d", told, told_value);
	mq_receive(q, buf, 32, NULL);
	e.sigev_value.sival_int = 6;
	CHECK("thread once more", mq_notify(q, &e));
	mq_send(q, "x", 1, 0);
	until_told(2);
	NOTE("told", "%d %d", told, told_value);
	mq_receive(q, buf, 32, NULL);
	CHECK("and taken back", mq_notify(q, &e));
	CHECK("taken back", mq_notify(q, NULL));
	mq_send(q, "x", 1, 0);
	usleep(30000);
	NOTE("not told", "%d", told);
	e = (struct sigevent){ .sigev_notify = SIGEV_THREAD, .sigev_signo = 1, .sigev_value.sival_ptr = buf };
	CHECK("no socket", syscall(SYS_mq_notify, q, &e));
	e.sigev_signo = 77;
	CHECK("not open socket", syscall(SYS_mq_notify, q, &e));
	e.sigev_value.sival_ptr = (void *)8;
	CHECK("bad cookie", syscall(SYS_mq_notify, q, &e));
	mq_close(q);
	mq_unlink(NAME);
}

static void polling(void)
{
	struct mq_attr a = { .mq_maxmsg = 1, .mq_msgsize = 32 };
	mqd_t q = mq_open(NAME, O_RDWR | O_CREAT, 0600, &a);
	struct pollfd p = { q, POLLIN | POLLOUT, 0 };
	char buf[32], path[64];

	poll(&p, 1, 0);
	NOTE("empty", "%x", p.revents);
	mq_send(q, "x", 1, 0);
	poll(&p, 1, 0);
	NOTE("full", "%x", p.revents);
	mq_receive(q, buf, 32, NULL);
	p.events = POLLIN;
	CHECK("nothing to read", poll(&p, 1, 10));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", q);
	ssize_t n = readlink(path, buf, sizeof(buf));
	NOTE("name", "%.*s", (int)n, buf);
	CHECK("lseek", lseek(q, 5, SEEK_SET));
	mq_close(q);
	mq_unlink(NAME);
}

static void limits(void)
{
	char name[32];
	mqd_t q[32];
	int n;

	errno = 0;
	for (n = 0; n < 20; n++) {
		snprintf(name, sizeof(name), NAME "%d", n);
		q[n] = mq_open(name, O_RDWR | O_CREAT, 0600, NULL);
		if (q[n] < 0)
			break;
	}
	NOTE("bytes", "%d %s", n, strerrorname_np(errno));
	if (n)
		attrs("default", q[0]);
	while (n--) {
		snprintf(name, sizeof(name), NAME "%d", n);
		mq_close(q[n]);
		mq_unlink(name);
	}
	CHECK_OK("room again", mq_open(NAME, O_RDWR | O_CREAT, 0600, NULL));
	mq_unlink(NAME);
}

int main(void)
{
	opening();
	messages();
	waiting();
	notification();
	by_thread();
	polling();
	limits();
	return 0;
}
