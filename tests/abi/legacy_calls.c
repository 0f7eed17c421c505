/* Calls by their own old numbers, which C libraries no longer use but programs with their own stubs do. */
#include "abi.h"
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <utime.h>

#define BAD ((void *)8)

static void opening(void)
{
	int fd;

	umask(022);
	fd = (int)CHECK_OK("open creates", syscall(SYS_open, "old", O_CREAT | O_EXCL | O_RDWR, 0640));
	CHECK("open again exclusively", syscall(SYS_open, "old", O_CREAT | O_EXCL | O_RDWR, 0640));
	CHECK("open missing", syscall(SYS_open, "none", O_RDONLY));
	CHECK("open bad pointer", syscall(SYS_open, BAD, O_RDONLY));
	CHECK("open empty", syscall(SYS_open, "", O_RDONLY));
	CHECK("open a file as a directory", syscall(SYS_open, "old", O_RDONLY | O_DIRECTORY));
	CHECK("open a directory for writing", syscall(SYS_open, ".", O_WRONLY));
	CHECK("write", write(fd, "12345", 5));
	CHECK("fchown to myself", syscall(SYS_fchown, fd, getuid(), getgid()));
	CHECK("fchown nothing", syscall(SYS_fchown, fd, -1, -1));
	CHECK("fchown closed", syscall(SYS_fchown, 99, -1, -1));
	close(fd);
	CHECK("mknod a fifo", syscall(SYS_mknod, "fifo", S_IFIFO | 0600, 0));
	CHECK("mknod a file", syscall(SYS_mknod, "node", S_IFREG | 0600, 0));
	CHECK("mknod again", syscall(SYS_mknod, "node", S_IFREG | 0600, 0));
	CHECK("mknod a directory", syscall(SYS_mknod, "dir", S_IFDIR | 0600, 0));
	CHECK("mknod no kind", syscall(SYS_mknod, "plain", 0600, 0));
	CHECK("mknod odd kind", syscall(SYS_mknod, "odd", 0170000 | 0600, 0));
	CHECK("mknod nowhere", syscall(SYS_mknod, "none/x", S_IFIFO | 0600, 0));
	CHECK("mknod bad pointer", syscall(SYS_mknod, BAD, S_IFIFO | 0600, 0));
}

static void stat_note(const char *name, long result, const struct stat *st)
{
	if (result)
		NOTE(name, "%ld %s", result, strerrorname_np(errno));
	else
		NOTE(name, "mode %o, size %lld, links %d", st->st_mode, S_ISDIR(st->st_mode) ? 0LL : (long long)st->st_size,
		     S_ISDIR(st->st_mode) ? 0 : (int)st->st_nlink);
}

static void stating(void)
{
	struct stat st;
	int fd = open("old", O_RDONLY);

	(void)!symlink("old", "link");
	(void)!symlink("nowhere", "dangling");
	stat_note("stat", syscall(SYS_stat, "old", &st), &st);
	stat_note("stat a link", syscall(SYS_stat, "link", &st), &st);
	stat_note("stat a dangling link", syscall(SYS_stat, "dangling", &st), &st);
	stat_note("stat missing", syscall(SYS_stat, "none", &st), &st);
	stat_note("stat below a file", syscall(SYS_stat, "old/x", &st), &st);
	stat_note("stat a fifo", syscall(SYS_stat, "fifo", &st), &st);
	stat_note("stat bad path", syscall(SYS_stat, BAD, &st), &st);
	stat_note("stat bad buffer", syscall(SYS_stat, "old", BAD), &st);
	stat_note("lstat", syscall(SYS_lstat, "old", &st), &st);
	stat_note("lstat a link", syscall(SYS_lstat, "link", &st), &st);
	stat_note("lstat a dangling link", syscall(SYS_lstat, "dangling", &st), &st);
	stat_note("lstat empty", syscall(SYS_lstat, "", &st), &st);
	stat_note("lstat bad buffer", syscall(SYS_lstat, "old", BAD), &st);
	stat_note("fstat", syscall(SYS_fstat, fd, &st), &st);
	stat_note("fstat closed", syscall(SYS_fstat, 99, &st), &st);
	stat_note("fstat minus one", syscall(SYS_fstat, -1, &st), &st);
	stat_note("fstat bad buffer", syscall(SYS_fstat, fd, BAD), &st);
	close(fd);
}

static void path_calls(void)
{
	struct stat st;

	CHECK("renameat", syscall(SYS_renameat, AT_FDCWD, "node", AT_FDCWD, "renamed"));
	CHECK("renameat missing", syscall(SYS_renameat, AT_FDCWD, "node", AT_FDCWD, "x"));
	CHECK("renameat over a directory", syscall(SYS_renameat, AT_FDCWD, "renamed", AT_FDCWD, "."));
	CHECK("renameat bad descriptor", syscall(SYS_renameat, 99, "node", AT_FDCWD, "x"));
	CHECK("renameat bad pointer", syscall(SYS_renameat, AT_FDCWD, BAD, AT_FDCWD, "x"));
	CHECK("symlinkat", syscall(SYS_symlinkat, "old", AT_FDCWD, "link2"));
	CHECK("symlinkat again", syscall(SYS_symlinkat, "old", AT_FDCWD, "link2"));
	CHECK("symlinkat empty", syscall(SYS_symlinkat, "", AT_FDCWD, "link3"));
	CHECK("symlinkat bad descriptor", syscall(SYS_symlinkat, "old", 99, "link3"));
	CHECK("symlinkat bad pointer", syscall(SYS_symlinkat, BAD, AT_FDCWD, "link3"));
	CHECK("fchmodat", syscall(SYS_fchmodat, AT_FDCWD, "old", 0600));
	CHECK("fchmodat through a link", syscall(SYS_fchmodat, AT_FDCWD, "link", 04755));
	stat_note("fchmodat shown", syscall(SYS_stat, "old", &st), &st);
	CHECK("fchmodat missing", syscall(SYS_fchmodat, AT_FDCWD, "none", 0600));
	CHECK("fchmodat bad descriptor", syscall(SYS_fchmodat, 99, "old", 0600));
	CHECK("fchmodat bad pointer", syscall(SYS_fchmodat, AT_FDCWD, BAD, 0600));
	CHECK("faccessat", syscall(SYS_faccessat, AT_FDCWD, "old", R_OK));
	CHECK("faccessat exists", syscall(SYS_faccessat, AT_FDCWD, "link", F_OK));
	CHECK("faccessat dangling", syscall(SYS_faccessat, AT_FDCWD, "dangling", F_OK));
	CHECK("faccessat bad mode", syscall(SYS_faccessat, AT_FDCWD, "old", 8));
	CHECK("faccessat bad descriptor", syscall(SYS_faccessat, 99, "old", F_OK));
	CHECK("sync", syscall(SYS_sync));
}

static void times_note(const char *name, long result)
{
	struct stat st;

	if (result) {
		NOTE(name, "%ld %s", result, strerrorname_np(errno));
		return;
	}
	stat("old", &st);
	NOTE(name, "%lld.%09ld %lld.%09ld", (long long)st.st_atim.tv_sec, st.st_atim.tv_nsec, (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

static void file_times(void)
{
	struct timeval tv[2] = { { 1000000, 5 }, { 2000000, 999999 } }, wrong[2] = { { 1, 1000000 }, { 1, 0 } };
	struct utimbuf buf = { 3000000, 4000000 };

	times_note("utimes", syscall(SYS_utimes, "old", tv));
	times_note("utimes wrong", syscall(SYS_utimes, "old", wrong));
	times_note("utimes missing", syscall(SYS_utimes, "none", tv));
	times_note("utimes bad pointer", syscall(SYS_utimes, "old", BAD));
	CHECK("utimes now", syscall(SYS_utimes, "old", NULL));
	tv[0].tv_sec = 5000000;
	times_note("futimesat", syscall(SYS_futimesat, AT_FDCWD, "link", tv));
	times_note("futimesat wrong", syscall(SYS_futimesat, AT_FDCWD, "old", wrong));
	times_note("futimesat bad descriptor", syscall(SYS_futimesat, 99, "old", tv));
	times_note("utime", syscall(SYS_utime, "old", &buf));
	times_note("utime missing", syscall(SYS_utime, "none", &buf));
	times_note("utime bad pointer", syscall(SYS_utime, "old", BAD));
}

static void selecting(void)
{
	struct timeval none = { 0, 0 }, wrong = { 0, -1 }, some = { 0, 20000 };
	int p[2];
	fd_set in, out;

	(void)!pipe(p);
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(p[0], &in);
	FD_SET(p[1], &out);
	CHECK("select writable", syscall(SYS_select, p[1] + 1, &in, &out, NULL, &none));
	NOTE("select sets", "%d %d", !!FD_ISSET(p[0], &in), !!FD_ISSET(p[1], &out));
	(void)!write(p[1], "x", 1);
	FD_SET(p[0], &in);
	CHECK("select both", syscall(SYS_select, p[1] + 1, &in, &out, NULL, NULL));
	NOTE("select both sets", "%d %d", !!FD_ISSET(p[0], &in), !!FD_ISSET(p[1], &out));
	FD_ZERO(&in);
	CHECK("select nothing", syscall(SYS_select, 0, NULL, NULL, NULL, &some));
	NOTE("select leaves no time", "%ld %ld", (long)some.tv_sec, (long)some.tv_usec);
	CHECK("select wrong time", syscall(SYS_select, 0, NULL, NULL, NULL, &wrong));
	CHECK("select negative", syscall(SYS_select, -1, NULL, NULL, NULL, &none));
	CHECK("select bad pointer", syscall(SYS_select, 1, BAD, NULL, NULL, &none));
	/* Below 64: Linux does not look at bits beyond the size that its descriptor table happens to have. */
	FD_SET(55, &in);
	CHECK("select closed", syscall(SYS_select, 56, &in, NULL, NULL, &none));
	close(p[1]);
	FD_ZERO(&in);
	FD_SET(p[0], &in);
	CHECK("select end of file", syscall(SYS_select, p[0] + 1, &in, NULL, NULL, NULL));
	close(p[0]);
}

static void descriptors(void)
{
	sigset_t mask;
	uint64_t value = 0;
	int fd;

	fd = (int)CHECK_OK("eventfd", syscall(SYS_eventfd, 7));
	NOTE("eventfd flags", "%d %x", fcntl(fd, F_GETFD), fcntl(fd, F_GETFL));
	CHECK("eventfd read", read(fd, &value, sizeof value));
	NOTE("eventfd value", "%llu", (unsigned long long)value);
	close(fd);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	fd = (int)CHECK_OK("signalfd", syscall(SYS_signalfd, -1, &mask, 8));
	NOTE("signalfd flags", "%d %x", fcntl(fd, F_GETFD), fcntl(fd, F_GETFL));
	raise(SIGUSR1);
	{
		struct pollfd p = { .fd = fd, .events = POLLIN };

		CHECK("signalfd ready", poll(&p, 1, 1000));
	}
	CHECK("signalfd wrong size", syscall(SYS_signalfd, -1, &mask, 16));
	CHECK("signalfd closed", syscall(SYS_signalfd, 99, &mask, 8));
	CHECK("signalfd bad pointer", syscall(SYS_signalfd, -1, BAD, 8));
	close(fd);
	fd = (int)CHECK_OK("inotify_init", syscall(SYS_inotify_init));
	NOTE("inotify_init flags", "%d %x", fcntl(fd, F_GETFD), fcntl(fd, F_GETFL));
	CHECK("inotify_init watch", inotify_add_watch(fd, ".", IN_CREATE));
	close(fd);
}

/* sched_attr, first version (include/uapi/linux/sched/types.h); the C library has no name for it. */
struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static void process(void)
{
	struct rlimit limit = { 64, 64 }, wrong = { 65, 64 };
	struct attributes attributes = { .size = 99 };
	struct sembuf up = { 0, 1, 0 }, down = { 0, -1, IPC_NOWAIT }, far = { 5, 1, 0 };
	int sem;

	NOTE("getpgrp", "%d", syscall(SYS_getpgrp) == getpgid(0));
	CHECK("setrlimit", syscall(SYS_setrlimit, RLIMIT_CORE, &(struct rlimit){ 0, 0 }));
	CHECK("setrlimit files", syscall(SYS_setrlimit, RLIMIT_NOFILE, &limit));
	getrlimit(RLIMIT_NOFILE, &limit);
	NOTE("setrlimit kept", "%ld %ld", (long)limit.rlim_cur, (long)limit.rlim_max);
	CHECK("setrlimit upside down", syscall(SYS_setrlimit, RLIMIT_NOFILE, &wrong));
	CHECK("setrlimit no such thing", syscall(SYS_setrlimit, 99, &limit));
	CHECK("setrlimit bad pointer", syscall(SYS_setrlimit, RLIMIT_NOFILE, BAD));
	CHECK("sched_getattr", syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0));
	NOTE("sched_getattr says", "%u %u %llu %u", attributes.size, attributes.policy, (unsigned long long)attributes.flags, attributes.priority);
	CHECK("sched_getattr small", syscall(SYS_sched_getattr, 0, &attributes, 8, 0));
	CHECK("sched_getattr large", syscall(SYS_sched_getattr, 0, &attributes, 5000, 0));
	CHECK("sched_getattr flags", syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 1));
	CHECK("sched_getattr negative", syscall(SYS_sched_getattr, -1, &attributes, sizeof attributes, 0));
	CHECK("sched_getattr nobody", syscall(SYS_sched_getattr, 4000000, &attributes, sizeof attributes, 0));
	CHECK("sched_getattr bad pointer", syscall(SYS_sched_getattr, 0, BAD, sizeof attributes, 0));
	sem = semget(IPC_PRIVATE, 1, 0600);
	CHECK("semop up", syscall(SYS_semop, sem, &up, 1));
	CHECK("semop down", syscall(SYS_semop, sem, &down, 1));
	CHECK("semop down again", syscall(SYS_semop, sem, &down, 1));
	CHECK("semop far", syscall(SYS_semop, sem, &far, 1));
	CHECK("semop none", syscall(SYS_semop, sem, &up, 0));
	CHECK("semop too many", syscall(SYS_semop, sem, &up, 100000));
	CHECK("semop bad pointer", syscall(SYS_semop, sem, BAD, 1));
	semctl(sem, 0, IPC_RMID);
	CHECK("semop gone", syscall(SYS_semop, sem, &up, 1));
}

int main(void)
{
	if (mkdir("legacy", 0700) || chdir("legacy"))
		return 1;
	opening();
	stating();
	path_calls();
	file_times();
	selecting();
	descriptors();
	process();
	return 0;
}
