/* Advisory locks: POSIX ranges, open file descriptions, flock. */
#include "abi.h"
#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>

static int a, b, ro;

static int lock(int fd, int cmd, int type, int whence, long start, long len)
{
	struct flock fl = { .l_type = type, .l_whence = whence, .l_start = start, .l_len = len };

	return fcntl(fd, cmd, &fl);
}

static void test(const char *name, int fd, int cmd, int type, long start, long len)
{
	struct flock fl = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len };
	int r = fcntl(fd, cmd, &fl);

	if (r < 0)
		NOTE(name, "%s", strerrorname_np(errno));
	else if (fl.l_type == F_UNLCK)
		NOTE(name, "free");
	else
		NOTE(name, "%s %ld+%ld pid %s", fl.l_type == F_RDLCK ? "read" : "write", (long)fl.l_start, (long)fl.l_len,
		     fl.l_pid == -1 ? "-1" : fl.l_pid == getpid() ? "self" : "other");
}

static void posix(void)
{
	CHECK("write lock", lock(a, F_SETLK, F_WRLCK, SEEK_SET, 0, 10));
	CHECK("again through another descriptor", lock(b, F_SETLK, F_WRLCK, SEEK_SET, 5, 10));
	test("own locks do not show", a, F_GETLK, F_WRLCK, 0, 0);
	CHECK("read lock on read-only", lock(ro, F_SETLK, F_RDLCK, SEEK_SET, 100, 1));
	CHECK("write lock on read-only", lock(ro, F_SETLK, F_WRLCK, SEEK_SET, 100, 1));
	CHECK("bad type", lock(a, F_SETLK, 9, SEEK_SET, 0, 1));
	CHECK("bad whence", lock(a, F_SETLK, F_RDLCK, 9, 0, 1));
	CHECK("negative start", lock(a, F_SETLK, F_RDLCK, SEEK_SET, -1, 1));
	CHECK("negative length", lock(a, F_SETLK, F_RDLCK, SEEK_SET, 10, -5));
	CHECK("negative length too far", lock(a, F_SETLK, F_RDLCK, SEEK_SET, 3, -5));
	CHECK("overflow", lock(a, F_SETLK, F_RDLCK, SEEK_SET, 0x7fffffffffffffff, 2));
	CHECK("from the end", lock(a, F_SETLK, F_RDLCK, SEEK_END, 0, 0));
	CHECK("GETLK of unlock", lock(a, F_GETLK, F_UNLCK, SEEK_SET, 0, 1));
	CHECK("bad pointer", fcntl(a, F_SETLK, 8));
	CHECK("closed", lock(99, F_SETLK, F_RDLCK, SEEK_SET, 0, 1));
	CHECK("unlock all", lock(a, F_SETLK, F_UNLCK, SEEK_SET, 0, 0));
}

static void ofd(void)
{
	CHECK("OFD write", lock(a, F_OFD_SETLK, F_WRLCK, SEEK_SET, 10, 10));
	CHECK("OFD conflict", lock(b, F_OFD_SETLK, F_WRLCK, SEEK_SET, 15, 10));
	CHECK("OFD read conflict", lock(b, F_OFD_SETLK, F_RDLCK, SEEK_SET, 19, 1));
	CHECK("OFD beside", lock(b, F_OFD_SETLK, F_WRLCK, SEEK_SET, 20, 10));
	CHECK("POSIX conflict", lock(a, F_SETLK, F_RDLCK, SEEK_SET, 12, 1));
	test("who", b, F_OFD_GETLK, F_WRLCK, 0, 15);
	test("whole", b, F_OFD_GETLK, F_RDLCK, 0, 0);
	CHECK("split it", lock(a, F_OFD_SETLK, F_UNLCK, SEEK_SET, 14, 2));
	test("left part", b, F_OFD_GETLK, F_RDLCK, 0, 100);
	test("gap", b, F_OFD_GETLK, F_RDLCK, 14, 2);
	test("right part", b, F_OFD_GETLK, F_RDLCK, 16, 100);
	CHECK("downgrade the middle", lock(a, F_OFD_SETLK, F_RDLCK, SEEK_SET, 12, 6));
	test("left part", b, F_OFD_GETLK, F_WRLCK, 0, 100);
	test("read part", b, F_OFD_GETLK, F_WRLCK, 12, 4);
	CHECK("share it", lock(b, F_OFD_SETLK, F_RDLCK, SEEK_SET, 13, 2));
	struct flock fl = { .l_type = F_WRLCK, .l_pid = 5 };
	CHECK("OFD with a pid", fcntl(a, F_OFD_SETLK, &fl));
	CHECK("dup shares the owner", lock(dup(a), F_OFD_SETLK, F_WRLCK, SEEK_SET, 10, 2));
	CHECK("drop", lock(a, F_OFD_SETLK, F_UNLCK, SEEK_SET, 0, 0));
	test("to the end", a, F_OFD_GETLK, F_WRLCK, 0, 0);
	CHECK("to the end, write", lock(b, F_OFD_SETLK, F_WRLCK, SEEK_SET, 50, 0));
	test("far away", a, F_OFD_GETLK, F_RDLCK, 1l << 60, 1);
	CHECK("POSIX is seen by OFD", lock(a, F_SETLK, F_RDLCK, SEEK_SET, 40, 2));
	test("it", b, F_OFD_GETLK, F_WRLCK, 40, 5);
	close(open("l", O_RDONLY));          /* any close drops the process's locks */
	test("after a close", b, F_OFD_GETLK, F_WRLCK, 40, 5);
	close(b);
	test("after the owner's close", a, F_OFD_GETLK, F_WRLCK, 0, 0);
	b = open("l", O_RDWR);
}

static void flocks(void)
{
	CHECK("flock", flock(a, LOCK_EX));
	CHECK("flock conflict", flock(b, LOCK_EX | LOCK_NB));
	CHECK("flock shared conflict", flock(b, LOCK_SH | LOCK_NB));
	CHECK("flock again", flock(a, LOCK_EX | LOCK_NB));
	CHECK("flock convert", flock(a, LOCK_SH));
	CHECK("flock share", flock(b, LOCK_SH | LOCK_NB));
	CHECK("flock upgrade", flock(a, LOCK_EX | LOCK_NB));
	CHECK("flock lost by the failed upgrade", flock(b, LOCK_EX | LOCK_NB));
	CHECK("flock unlock", flock(b, LOCK_UN));
	CHECK("flock unlock again", flock(b, LOCK_UN));
	CHECK("flock read-only exclusive", flock(ro, LOCK_EX | LOCK_NB));
	CHECK("flock bad", flock(a, 0));
	CHECK("flock closed", flock(99, LOCK_SH));
	CHECK("flock unlock", flock(ro, LOCK_UN));
}

static int phase;

static void *waiter(void *arg)
{
	(void)arg;
	int r = lock(b, F_OFD_SETLKW, F_WRLCK, SEEK_SET, 0, 0);

	__atomic_store_n(&phase, 2, __ATOMIC_SEQ_CST);
	return (void *)(long)r;
}

static void waiting(void)
{
	pthread_t t;
	void *r;

	lock(a, F_OFD_SETLK, F_WRLCK, SEEK_SET, 0, 1);
	pthread_create(&t, NULL, waiter, NULL);
	usleep(50000);
	NOTE("still waiting", "%d", __atomic_load_n(&phase, __ATOMIC_SEQ_CST));
	CHECK("unlock", lock(a, F_OFD_SETLK, F_UNLCK, SEEK_SET, 0, 0));
	pthread_join(t, &r);
	NOTE("got it", "%ld %d", (long)r, phase);
}

int main(void)
{
	a = open("l", O_RDWR | O_CREAT | O_TRUNC, 0600);
	b = open("l", O_RDWR);
	ro = open("l", O_RDONLY);
	(void)!ftruncate(a, 1000);
	posix();
	ofd();
	flocks();
	waiting();
	return 0;
}
