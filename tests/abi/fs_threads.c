/* Names made, moved, linked and removed by several threads at once in the same directories; run it with several CPUs too. */
#include "abi.h"
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define THREADS 4
#define ROUNDS  1500

static int unexpected;
static const int may_fail[] = { 0, ENOENT, EEXIST, ENOTDIR, EISDIR, ENOTEMPTY, EINVAL, ELOOP, EPERM };

static void allowed(const char *what, long r)
{
	if (r != -1)
		return;
	for (unsigned i = 0; i < sizeof may_fail / sizeof may_fail[0]; i++)
		if (errno == may_fail[i])
			return;
	if (__atomic_fetch_add(&unexpected, 1, __ATOMIC_SEQ_CST) < 5)
		printf("%s: %s\n", what, strerrorname_np(errno));
}

static unsigned next_random(unsigned *s)
{
	*s = *s * 1103515245u + 12345u;
	return *s >> 16;
}

static const char *const paths[] = { "a", "b", "a/x", "b/x", "a/y", "b/y", "a/x/z", "b/x/z", "c", "a/x/z/w", "../stress/a", "c/x" };
#define PICK() paths[next_random(&seed) % (sizeof paths / sizeof paths[0])]

static void *worker(void *arg)
{
	unsigned seed = (unsigned)(long)arg * 7919u + 1;
	struct stat st;
	char buf[128];
	for (int i = 0; i < ROUNDS; i++) {
		const char *p = PICK(), *q = PICK();
		int fd;
		switch (next_random(&seed) % 12) {
		case 0: allowed("mkdir", mkdir(p, 0755)); break;
		case 1: allowed("rmdir", rmdir(p)); break;
		case 2:
			fd = open(p, O_RDWR | O_CREAT, 0644);
			allowed("open", fd);
			if (fd >= 0) {
				allowed("write", write(fd, "some text", 9));
				allowed("ftruncate", ftruncate(fd, 3));
				if (pread(fd, buf, 3, 0) != 3)
					allowed("pread", (errno = EIO, -1));
				close(fd);
			}
			break;
		case 3: allowed("unlink", unlink(p)); break;
		case 4:
		case 5: allowed("rename", rename(p, q)); break;
		case 6: allowed("exchange", syscall(SYS_renameat2, AT_FDCWD, p, AT_FDCWD, q, 2)); break;
		case 7: allowed("link", link(p, q)); break;
		case 8: allowed("symlink", symlink("x", p)); break;
		case 9: allowed("stat", stat(p, &st)); break;
		case 10: {
			DIR *d = opendir(p);
			if (!d) {
				allowed("opendir", -1);
				break;
			}
			while (readdir(d))
				;
			closedir(d);
			break;
		}
		default: allowed("readlink", readlink(p, buf, sizeof buf)); break;
		}
	}
	return NULL;
}

/* One thread's file is its own, whatever the others do beside it. */
static void *steady(void *arg)
{
	char name[32], other[32], b[4];
	snprintf(name, sizeof name, "own%ld", (long)arg);
	snprintf(other, sizeof other, "other%ld", (long)arg);
	for (int i = 0; i < ROUNDS; i++) {
		struct stat st;
		int fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
		if (fd < 0 || pwrite(fd, &i, 4, 8192) != 4 || rename(name, other) || stat(name, &st) == 0 || stat(other, &st) || st.st_size != 8196 ||
		    pread(fd, b, 4, 8192) != 4 || memcmp(b, &i, 4) || unlink(other) || fstat(fd, &st) || st.st_nlink != 0)
			__atomic_fetch_add(&unexpected, 1, __ATOMIC_SEQ_CST);
		close(fd);
	}
	return NULL;
}

static void run(const char *name, void *(*fn)(void *))
{
	pthread_t t[THREADS];
	unexpected = 0;
	for (long i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, fn, (void *)i);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	NOTE(name, "%d unexpected answers", unexpected);
}

/* How many names could not be removed below dir, and its links in the end. */
static int remove_all(const char *dir)
{
	char path[4096];
	struct dirent *e;
	struct stat st;
	int left = 0;
	DIR *d = opendir(dir);
	if (!d)
		return 1;
	while ((e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
		if (unlink(path) == 0)
			continue;
		left += errno == EISDIR ? remove_all(path) : 1;
	}
	closedir(d);
	if (stat(dir, &st) || st.st_nlink != 2)
		left++;
	return left + (rmdir(dir) != 0);
}

int main(void)
{
	char dir[] = "/tmp/fsXXXXXX";
	struct stat st;
	if (!mkdtemp(dir) || chdir(dir) || mkdir("stress", 0755) || chdir("stress"))
		return 1;
	run("own files", steady);
	run("names", worker);
	/* The tree is whole: everything in it can be removed, and directories count right. */
	if (chdir(".."))
		return 1;
	NOTE("left", "%d", remove_all("stress"));
	CHECK("stat", stat("stress", &st));
	return rmdir(dir);
}
