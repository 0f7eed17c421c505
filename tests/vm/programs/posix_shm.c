/* posix_shm.c - POSIX shared memory and named semaphores, as the C library makes them of files in /dev/shm; a line for each answer. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void say(const char *what, long v) { printf("%s: %s\n", what, v == -1 ? strerrorname_np(errno) : v ? "yes" : "no"); }

static void opened(const char *what, int fd)
{
	printf("%s: %s\n", what, fd < 0 ? strerrorname_np(errno) : "opened");
	if (fd >= 0)
		close(fd);
}

static void *post(void *sem)
{
	usleep(20000);
	sem_post(sem);
	return NULL;
}

static void memory(void)
{
	char name[300];
	struct stat st;
	int fd = shm_open("/one", O_RDWR | O_CREAT | O_EXCL, 0640);

	say("made", fd >= 0);
	opened("made again", shm_open("/one", O_RDWR | O_CREAT | O_EXCL, 0600));
	opened("absent", shm_open("/two", O_RDWR, 0));
	opened("a directory in it", shm_open("/a/b", O_RDWR | O_CREAT, 0600));
	memset(name, 'x', sizeof(name));
	name[0] = '/', name[299] = 0;
	opened("long name", shm_open(name, O_RDWR | O_CREAT, 0600));
	say("closed on exec", fcntl(fd, F_GETFD) == FD_CLOEXEC);
	say("sized", ftruncate(fd, 3 * 4096) == 0);
	char *a = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	int again = shm_open("one", O_RDONLY, 0);
	char *b = mmap(NULL, 3 * 4096, PROT_READ, MAP_SHARED, again, 0);
	say("mapped", a != MAP_FAILED && b != MAP_FAILED);
	strcpy(a + 4096, "seen");
	say("one's stores are the other's", !strcmp(b + 4096, "seen"));
	say("written", pwrite(fd, "file", 5, 8192) == 5);
	say("a write is in the mapping", !strcmp(b + 8192, "file"));
	void *w = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0);
	printf("write through what was opened to read: %s\n", w == MAP_FAILED ? strerrorname_np(errno) : "mapped");
	say("size", fstat(again, &st) == 0 && st.st_size == 3 * 4096 && S_ISREG(st.st_mode) && (st.st_mode & 0777) == 0640);
	say("removed", shm_unlink("/one") == 0);
	say("removed again", shm_unlink("/one"));
	say("links", fstat(fd, &st) == 0 && st.st_nlink == 0);
	strcpy(a, "still");
	say("lives on in mappings", !strcmp(b, "still"));
	close(fd), close(again);
	say("and without descriptors", !strcmp(b, "still"));
	fd = shm_open("/one", O_RDWR | O_CREAT, 0600);
	say("a new one is empty", fstat(fd, &st) == 0 && st.st_size == 0);
	shm_unlink("/one");
}

static void semaphores(void)
{
	struct timespec soon;
	pthread_t t;
	sem_t *s = sem_open("/sem", O_CREAT | O_EXCL, 0600, 1), *again = sem_open("/sem", 0);

	say("semaphore", s != SEM_FAILED && again == s);
	say("exclusive", sem_open("/sem", O_CREAT | O_EXCL, 0600, 1) == SEM_FAILED && errno == EEXIST);
	say("absent", sem_open("/none", 0) == SEM_FAILED && errno == ENOENT);
	say("taken", sem_wait(s) == 0);
	say("taken twice", sem_trywait(s));
	clock_gettime(CLOCK_REALTIME, &soon);
	soon.tv_nsec += 10000000, soon.tv_sec += soon.tv_nsec / 1000000000, soon.tv_nsec %= 1000000000;
	say("in time", sem_timedwait(s, &soon));
	pthread_create(&t, NULL, post, again);
	say("given by a thread", sem_wait(s) == 0);
	pthread_join(t, NULL);
	say("removed", sem_unlink("/sem") == 0);
	say("removed again", sem_unlink("/sem"));
}

int main(void)
{
	memory();
	semaphores();
	return 0;
}
