/* ipc_sem.c - System V semaphores: sets, operations, waiting in order, undo, what semctl says. */
#include "abi.h"
#include <pthread.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <time.h>

#define KEY 0x70497453

union semun { int val; struct semid_ds *buf; unsigned short *array; struct seminfo *info; };

static int set;

static long op1(int num, int op, int flags)
{
	struct sembuf o = { (unsigned short)num, (short)op, (short)flags };

	return semop(set, &o, 1);
}

static void values(const char *name)
{
	unsigned short v[4] = { 0 };

	semctl(set, 0, GETALL, (union semun){ .array = v });
	NOTE(name, "%d %d %d %d", v[0], v[1], v[2], v[3]);
}

static void making(void)
{
	struct semid_ds d;

	CHECK("no semaphores", semget(IPC_PRIVATE, 0, 0600));
	CHECK("negative", semget(IPC_PRIVATE, -1, 0600));
	CHECK("too many", semget(IPC_PRIVATE, 32001, 0600));
	CHECK("no such key", semget(KEY, 1, 0600));
	set = semget(KEY, 4, IPC_CREAT | IPC_EXCL | 0640);
	NOTE("make", "%d", set >= 0);
	CHECK("exclusive", semget(KEY, 4, IPC_CREAT | IPC_EXCL | 0640));
	NOTE("again", "%d %d", semget(KEY, 0, 0) == set, semget(KEY, 4, IPC_CREAT) == set);
	CHECK("more", semget(KEY, 5, 0));
	semctl(set, 0, IPC_STAT, (union semun){ .buf = &d });
	NOTE("stat", "key %d mode %o n %lu otime %d ctime %d", d.sem_perm.__key == KEY, d.sem_perm.mode, d.sem_nsems, d.sem_otime != 0, d.sem_ctime != 0);
	values("fresh");
	int big = semget(IPC_PRIVATE, 32000, 0600);
	NOTE("the most", "%d", big >= 0);
	CHECK("last of it", semctl(big, 31999, SETVAL, (union semun){ .val = 5 }));
	CHECK("its value", semctl(big, 31999, GETVAL));
	CHECK("beyond", semctl(big, 32000, GETVAL));
	semctl(big, 0, IPC_RMID);
}

static void simple(void)
{
	CHECK("up", op1(0, 3, 0));
	CHECK("down", op1(0, -1, 0));
	CHECK("value", semctl(set, 0, GETVAL));
	NOTE("pid", "%d", semctl(set, 0, GETPID) == getpid());
	CHECK("other pid", semctl(set, 1, GETPID));
	CHECK("too far", op1(0, -3, IPC_NOWAIT));
	CHECK("zero", op1(0, 0, IPC_NOWAIT));
	CHECK("zero of another", op1(1, 0, 0));
	NOTE("another pid", "%d", semctl(set, 1, GETPID) == getpid());
	CHECK("no such number", op1(4, 1, 0));
	CHECK("overflow", op1(0, 32767, 0));
	CHECK("to the top", op1(1, 32767, 0));
	CHECK("above it", op1(1, 1, 0));
	CHECK("down from it", op1(1, -32767, 0));
	struct sembuf both[3] = { { 0, -2, 0 }, { 1, 5, 0 }, { 2, -1, IPC_NOWAIT } };
	CHECK("all or none", semop(set, both, 3));
	values("none");
	CHECK("two of them", semop(set, both, 2));
	values("all");
	struct sembuf same[3] = { { 1, -5, 0 }, { 1, 0, IPC_NOWAIT }, { 1, 2, 0 } };
	CHECK("in order", semop(set, same, 3));
	values("in order");
	CHECK("no operations", semop(set, both, 0));
	CHECK("too many operations", semop(set, both, 501));
	CHECK("bad operations", semop(set, NULL, 1));
	CHECK("bad id", semop(-1, both, 1));
	CHECK("strange id", semop(0x7fffffff, both, 1));
}

static void setting(void)
{
	unsigned short v[4] = { 1, 2, 3, 4 };
	struct semid_ds d;

	CHECK("setval", semctl(set, 3, SETVAL, (union semun){ .val = 9 }));
	CHECK("setval negative", semctl(set, 3, SETVAL, (union semun){ .val = -1 }));
	CHECK("setval large", semctl(set, 3, SETVAL, (union semun){ .val = 32768 }));
	CHECK("setval number", semctl(set, 4, SETVAL, (union semun){ .val = 1 }));
	CHECK("setval negative number", semctl(set, -1, SETVAL, (union semun){ .val = 1 }));
	CHECK("getval number", semctl(set, 4, GETVAL));
	values("set");
	CHECK("setall", semctl(set, 0, SETALL, (union semun){ .array = v }));
	values("setall");
	v[2] = 32768;
	CHECK("setall large", semctl(set, 0, SETALL, (union semun){ .array = v }));
	values("as before");
	CHECK("setall null", semctl(set, 0, SETALL, (union semun){ .array = NULL }));
	CHECK("getall null", semctl(set, 0, GETALL, (union semun){ .array = NULL }));
	semctl(set, 0, IPC_STAT, (union semun){ .buf = &d });
	d.sem_perm.mode = 01777;
	CHECK("set", semctl(set, 0, IPC_SET, (union semun){ .buf = &d }));
	semctl(set, 0, IPC_STAT, (union semun){ .buf = &d });
	NOTE("mode", "%o otime %d", d.sem_perm.mode, d.sem_otime != 0);
	CHECK("stat null", semctl(set, 0, IPC_STAT, (union semun){ .buf = NULL }));
	CHECK("unknown", semctl(set, 0, 99));
	CHECK("negative id", semctl(-1, 0, GETVAL));
}

static void info(void)
{
	struct seminfo in;
	struct semid_ds d;
	int top = semctl(0, 0, IPC_INFO, (union semun){ .info = &in }), found = 0;

	NOTE("ipc_info", "%d mni %d mns %d msl %d opm %d ume %d usz %d vmx %d aem %d map %d mnu %d", top >= 0, in.semmni, in.semmns, in.semmsl,
	     in.semopm, in.semume, in.semusz, in.semvmx, in.semaem, in.semmap, in.semmnu);
	top = semctl(0, 0, SEM_INFO, (union semun){ .info = &in });
	NOTE("sem_info", "%d used %d semaphores %d", top >= 0, in.semusz >= 1, in.semaem >= 4);
	for (int i = 0; i <= top; i++)
		found |= semctl(i, 0, SEM_STAT, (union semun){ .buf = &d }) == set && d.sem_nsems == 4;
	NOTE("by index", "%d", found);
	CHECK("index beyond", semctl(31999, 0, SEM_STAT, (union semun){ .buf = &d }));
}

static void timeouts(void)
{
	struct sembuf o = { 2, -100, 0 };
	struct timespec t = { 0, 20000000 }, bad = { 0, 1000000000 }, a, b;

	clock_gettime(CLOCK_MONOTONIC, &a);
	CHECK("timed out", semtimedop(set, &o, 1, &t));
	clock_gettime(CLOCK_MONOTONIC, &b);
	NOTE("waited", "%d", (b.tv_sec - a.tv_sec) * 1000000000l + b.tv_nsec - a.tv_nsec >= 20000000);
	CHECK("bad time", semtimedop(set, &o, 1, &bad));
	bad.tv_nsec = -1;
	CHECK("negative time", semtimedop(set, &o, 1, &bad));
	CHECK("bad pointer", syscall(SYS_semtimedop, set, &o, 1, (void *)8));
	t.tv_nsec = 0;
	CHECK("no time", semtimedop(set, &o, 1, &t));
	o.sem_op = -1;
	CHECK("no need", semtimedop(set, &o, 1, &t));
	CHECK("for ever", semtimedop(set, &(struct sembuf){ 2, 1, 0 }, 1, NULL));
}

/* Waiters: each waits for its own amount, and writes its name when it has it. */
static char order[16];
static int norder;
struct job { char name; struct sembuf ops[2]; int n; long r; int e; };

static void *waits(void *arg)
{
	struct job *j = arg;

	errno = 0;
	j->r = semop(set, j->ops, (size_t)j->n);
	j->e = errno;
	order[__atomic_fetch_add(&norder, 1, __ATOMIC_SEQ_CST)] = j->name;
	return NULL;
}

static void until(int num, int cmd, int n)
{
	for (int i = 0; i < 2000 && semctl(set, num, cmd) != n; i++)
		usleep(1000);
}

static void waiting(void)
{
	struct job a = { 'a', { { 0, -2, 0 } }, 1, 0, 0 }, b = { 'b', { { 0, -1, 0 } }, 1, 0, 0 }, c = { 'c', { { 0, -1, 0 }, { 1, 1, 0 } }, 2, 0, 0 },
		   z = { 'z', { { 0, 0, 0 } }, 1, 0, 0 };
	pthread_t ta, tb, tc, tz;

	semctl(set, 0, SETALL, (union semun){ .array = (unsigned short[4]){ 0 } });
	pthread_create(&ta, NULL, waits, &a);
	until(0, GETNCNT, 1);
	pthread_create(&tb, NULL, waits, &b);
	until(0, GETNCNT, 2);
	CHECK("waiting", semctl(set, 0, GETNCNT));
	CHECK("none for zero", semctl(set, 0, GETZCNT));
	CHECK("of another", semctl(set, 1, GETNCNT));
	CHECK("one up", op1(0, 1, 0));
	pthread_join(tb, NULL);
	NOTE("b had enough", "%.*s %ld", norder, order, b.r);
	CHECK("two up", op1(0, 2, 0));
	pthread_join(ta, NULL);
	NOTE("then a", "%.*s %ld", norder, order, a.r);
	values("all taken");
	CHECK("set one", semctl(set, 0, SETVAL, (union semun){ .val = 1 }));
	pthread_create(&tz, NULL, waits, &z);
	until(0, GETZCNT, 1);
	CHECK("for zero", semctl(set, 0, GETZCNT));
	pthread_create(&tc, NULL, waits, &c);
	pthread_join(tc, NULL);
	pthread_join(tz, NULL);
	NOTE("c took it, z saw zero", "%ld %ld", c.r, z.r);
	values("after");
	/* A set that goes away. */
	struct job d = { 'd', { { 3, -1, 0 } }, 1, 0, 0 };
	pthread_create(&ta, NULL, waits, &d);
	until(3, GETNCNT, 1);
	CHECK("remove", semctl(set, 0, IPC_RMID));
	pthread_join(ta, NULL);
	NOTE("waiter", "%ld %s", d.r, strerrorname_np(d.e));
	CHECK("gone", op1(0, 1, 0));
	CHECK("gone too", semctl(set, 0, IPC_RMID));
}

static void handler(int sig) { (void)sig; }

static void interrupted(void)
{
	set = semget(IPC_PRIVATE, 1, 0600);
	struct job j = { 'i', { { 0, -1, 0 } }, 1, 0, 0 };
	struct sigaction sa = { .sa_handler = handler, .sa_flags = SA_RESTART };
	pthread_t t;

	sigaction(SIGUSR1, &sa, NULL);
	pthread_create(&t, NULL, waits, &j);
	until(0, GETNCNT, 1);
	usleep(20000);
	pthread_kill(t, SIGUSR1);
	pthread_join(t, NULL);
	NOTE("interrupted", "%ld %s", j.r, strerrorname_np(j.e));
	CHECK("nobody waits", semctl(set, 0, GETNCNT));
	semctl(set, 0, IPC_RMID);
}

static void undo(void)
{
	set = semget(IPC_PRIVATE, 2, 0600);
	CHECK("undo up", op1(0, 32767, SEM_UNDO));
	CHECK("undo down", op1(0, -32767, SEM_UNDO));
	CHECK("plain up", op1(0, 32767, 0));
	CHECK("undo all", op1(0, -32767, SEM_UNDO));
	CHECK("plain up 2", op1(0, 32767, 0));
	CHECK("adjustment too large", op1(0, -1, SEM_UNDO));
	CHECK("value", semctl(set, 0, GETVAL));
	CHECK("setval clears", semctl(set, 0, SETVAL, (union semun){ .val = 1 }));
	CHECK("now", op1(0, -1, SEM_UNDO));
	CHECK("undo zero", op1(0, 0, SEM_UNDO));
	semctl(set, 0, IPC_RMID);
}

/* Ping-pong between two threads, many times. */
static void *pong(void *arg)
{
	for (int i = 0; i < 500; i++)
		if (op1(0, -1, 0) || op1(1, 1, 0))
			return "failed";
	return arg;
}

static void ping(void)
{
	pthread_t t;
	void *r;

	set = semget(IPC_PRIVATE, 2, 0600);
	pthread_create(&t, NULL, pong, NULL);
	for (int i = 0; i < 500; i++)
		if (op1(0, 1, 0) || op1(1, -1, 0))
			break;
	pthread_join(t, &r);
	NOTE("ping pong", "%s", r ? (char *)r : "ok");
	unsigned short v[2];
	semctl(set, 0, GETALL, (union semun){ .array = v });
	NOTE("at the end", "%d %d", v[0], v[1]);
	semctl(set, 0, IPC_RMID);
}

static void text(void)
{
	char line[256];
	int id = semget(KEY, 3, IPC_CREAT | 0600), found = 0;
	FILE *f = fopen("/proc/sysvipc/sem", "r");

	if (!f || !fgets(line, sizeof(line), f)) {
		NOTE("sysvipc", "none");
		return;
	}
	line[strcspn(line, "\n")] = 0;
	NOTE("sysvipc head", "%s", line);
	while (fgets(line, sizeof(line), f)) {
		int key, n, perms, nsems;
		found |= sscanf(line, "%d %d %o %d", &key, &n, &perms, &nsems) == 4 && n == id && key == KEY && nsems == 3 && perms == 0600;
	}
	fclose(f);
	NOTE("sysvipc line", "%d", found);
	semctl(id, 0, IPC_RMID);
	f = fopen("/proc/sys/kernel/sem", "r");
	NOTE("limits", "%s", f && fgets(line, sizeof(line), f) ? line : "none");
	fclose(f);
}

int main(void)
{
	making();
	simple();
	setting();
	info();
	timeouts();
	waiting();
	interrupted();
	undo();
	ping();
	text();
	return 0;
}
