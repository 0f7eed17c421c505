/* ipc_msg.c - System V message queues: sending, taking by type, waiting, limits, what msgctl says. */
#include "abi.h"
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/syscall.h>

#define KEY 0x7049746d
#ifndef MSG_COPY
#define MSG_COPY 040000
#endif

struct message { long type; char text[8300]; };

static int queue;

static long put(long type, const char *text, int flags)
{
	struct message m = { .type = type };

	strcpy(m.text, text);
	return msgsnd(queue, &m, strlen(text) + 1, flags);
}

static void get(const char *name, long type, size_t max, int flags)
{
	struct message m = { .type = -7 };

	memset(m.text, 0, sizeof(m.text));
	ssize_t n = msgrcv(queue, &m, max, type, flags);
	if (n < 0)
		NOTE(name, "%s", strerrorname_np(errno));
	else
		NOTE(name, "%zd type %ld \"%.20s\"", n, m.type, m.text);
}

static void show(const char *name)
{
	struct msqid_ds d;

	if (msgctl(queue, IPC_STAT, &d)) {
		NOTE(name, "%s", strerrorname_np(errno));
		return;
	}
	NOTE(name, "mode %o n %lu bytes %lu max %lu lspid %d lrpid %d stime %d rtime %d ctime %d", d.msg_perm.mode, d.msg_qnum, d.__msg_cbytes,
	     d.msg_qbytes, d.msg_lspid == getpid(), d.msg_lrpid == getpid(), d.msg_stime != 0, d.msg_rtime != 0, d.msg_ctime != 0);
}

static void making(void)
{
	CHECK("no such key", msgget(KEY, 0600));
	queue = msgget(KEY, IPC_CREAT | IPC_EXCL | 0620);
	NOTE("make", "%d", queue >= 0);
	CHECK("exclusive", msgget(KEY, IPC_CREAT | IPC_EXCL | 0600));
	NOTE("again", "%d %d", msgget(KEY, 0) == queue, msgget(KEY, IPC_CREAT | 0600) == queue);
	show("fresh");
}

static void simple(void)
{
	CHECK("send", put(1, "one", 0));
	CHECK("send 2", put(2, "two", 0));
	CHECK("send 3", put(3, "three", 0));
	CHECK("send 2 again", put(2, "two again", 0));
	show("four");
	get("type 2", 2, 100, 0);
	get("not 1", 1, 100, MSG_EXCEPT);
	get("any", 0, 100, 0);
	get("none of 9", 9, 100, IPC_NOWAIT);
	get("the last", 0, 100, 0);
	get("empty", 0, 100, IPC_NOWAIT);
	show("empty");
	for (long t = 5; t >= 3; t--)
		put(t, "n", 0);
	put(3, "second", 0);
	get("lowest up to 4", -4, 100, 0);
	get("lowest up to 3", -3, 100, 0);
	get("none up to 2", -2, 100, IPC_NOWAIT);
	get("lowest of all", LONG_MIN, 100, 0);
	get("the rest", 0, 100, IPC_NOWAIT);
	CHECK("empty message", put(1, "", 0));
	struct message m = { .type = 4 };
	CHECK("no bytes", msgsnd(queue, &m, 0, 0));
	get("empty string", 0, 100, 0);
	get("no bytes", 0, 100, 0);
}

static void sizes(void)
{
	static struct message m = { .type = 1 };

	put(1, "longer than four", 0);
	get("too small", 0, 4, 0);
	get("cut", 0, 4, MSG_NOERROR);
	get("gone", 0, 4, IPC_NOWAIT);
	CHECK("largest", msgsnd(queue, &m, 8192, 0));
	CHECK("too large", msgsnd(queue, &m, 8193, 0));
	CHECK("much too large", msgsnd(queue, &m, -1, 0));
	CHECK("second largest", msgsnd(queue, &m, 8192, IPC_NOWAIT));
	CHECK("full", msgsnd(queue, &m, 1, IPC_NOWAIT));
	CHECK("nothing fits", msgsnd(queue, &m, 0, IPC_NOWAIT));
	show("full");
	CHECK("take", msgrcv(queue, &m, 8192, 0, 0));
	CHECK("take 2", msgrcv(queue, &m, 8192, 0, 0));
	m.type = 0;
	CHECK("type 0", msgsnd(queue, &m, 1, 0));
	m.type = -1;
	CHECK("type -1", msgsnd(queue, &m, 1, 0));
	m.type = LONG_MAX;
	CHECK("type max", msgsnd(queue, &m, 1, 0));
	CHECK("negative size", msgrcv(queue, &m, -1, 0, 0));
	CHECK("bad id", msgrcv(-1, &m, 1, 0, 0));
	CHECK("strange id", msgrcv(0x7fffffff, &m, 1, 0, 0));
	CHECK("bad pointer", msgrcv(queue, NULL, 1, 0, 0));
	CHECK("it is lost", msgrcv(queue, &m, 1, 0, IPC_NOWAIT));
	CHECK("send null", msgsnd(queue, NULL, 1, 0));
	CHECK("send bad id", msgsnd(-1, &m, 1, 0));
}

static void copying(void)
{
	put(1, "first", 0);
	put(2, "second", 0);
	get("copy 0", 0, 100, MSG_COPY | IPC_NOWAIT);
	get("copy 1", 1, 100, MSG_COPY | IPC_NOWAIT);
	get("copy 2", 2, 100, MSG_COPY | IPC_NOWAIT);
	get("copy waits", 0, 100, MSG_COPY);
	get("copy except", 0, 100, MSG_COPY | IPC_NOWAIT | MSG_EXCEPT);
	get("copy small", 1, 3, MSG_COPY | IPC_NOWAIT);
	get("copy cut", 1, 3, MSG_COPY | IPC_NOWAIT | MSG_NOERROR);
	show("still there");
	get("first", 0, 100, 0);
	get("second", 0, 100, 0);
}

struct job { long type; int flags; size_t max; ssize_t n; int e; char text[64]; int done; };
static void *receives(void *arg)
{
	struct job *j = arg;
	struct message m;

	errno = 0;
	j->n = msgrcv(queue, &m, j->max, j->type, j->flags);
	j->e = errno;
	if (j->n > 0)
		snprintf(j->text, sizeof(j->text), "%.40s", m.text);
	__atomic_store_n(&j->done, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void waiting(void)
{
	struct job a = { .type = 5, .max = 100 }, b = { .type = 0, .max = 2 }, c = { .type = -9, .max = 100 };
	pthread_t t;

	pthread_create(&t, NULL, receives, &a);
	usleep(30000);
	put(4, "not for it", 0);
	usleep(10000);
	NOTE("still waits", "%d", __atomic_load_n(&a.done, __ATOMIC_SEQ_CST));
	put(5, "for it", 0);
	pthread_join(t, NULL);
	NOTE("woken", "%zd %s", a.n, a.text);
	get("the other", 0, 100, IPC_NOWAIT);
	pthread_create(&t, NULL, receives, &b);
	usleep(30000);
	put(1, "too long for it", 0);
	pthread_join(t, NULL);
	NOTE("small buffer", "%zd %s", b.n, strerrorname_np(b.e));
	get("stays", 0, 100, IPC_NOWAIT);
	pthread_create(&t, NULL, receives, &c);
	usleep(30000);
	put(10, "too high", 0);
	put(9, "nine", 0);
	pthread_join(t, NULL);
	NOTE("up to nine", "%zd %s", c.n, c.text);
	get("ten", 0, 100, IPC_NOWAIT);
}

static void *sends(void *arg)
{
	static struct message m = { .type = 77 };
	struct job *j = arg;

	errno = 0;
	j->n = msgsnd(queue, &m, 8000, 0);
	j->e = errno;
	__atomic_store_n(&j->done, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void handler(int sig) { (void)sig; }

static void full(void)
{
	static struct message m = { .type = 1 };
	struct job j = { 0 }, k = { 0 }, l = { .max = 10 };
	struct sigaction sa = { .sa_handler = handler, .sa_flags = SA_RESTART };
	pthread_t t, u;

	msgsnd(queue, &m, 8192, 0);
	msgsnd(queue, &m, 8192, 0);
	pthread_create(&t, NULL, sends, &j);
	usleep(30000);
	NOTE("sender waits", "%d", __atomic_load_n(&j.done, __ATOMIC_SEQ_CST));
	CHECK("take", msgrcv(queue, &m, 8192, 0, 0));
	pthread_join(t, NULL);
	NOTE("sender went on", "%zd", j.n);
	show("both");
	sigaction(SIGUSR1, &sa, NULL);
	pthread_create(&t, NULL, sends, &k);
	usleep(30000);
	pthread_kill(t, SIGUSR1);
	pthread_join(t, NULL);
	NOTE("sender interrupted", "%zd %s", k.n, strerrorname_np(k.e));
	while (msgrcv(queue, &m, 8192, 0, IPC_NOWAIT) >= 0)
		;
	pthread_create(&u, NULL, receives, &l);
	usleep(30000);
	pthread_kill(u, SIGUSR1);
	pthread_join(u, NULL);
	NOTE("receiver interrupted", "%zd %s", l.n, strerrorname_np(l.e));
	msgsnd(queue, &m, 8192, 0);
	msgsnd(queue, &m, 8192, 0);
	k = (struct job){ 0 };
	pthread_create(&t, NULL, sends, &k);
	usleep(30000);
	CHECK("remove", msgctl(queue, IPC_RMID, NULL));
	pthread_join(t, NULL);
	NOTE("sender's queue gone", "%zd %s", k.n, strerrorname_np(k.e));
	queue = msgget(IPC_PRIVATE, 0600);
	l = (struct job){ .max = 10 };
	pthread_create(&u, NULL, receives, &l);
	usleep(30000);
	CHECK("remove empty", msgctl(queue, IPC_RMID, NULL));
	pthread_join(u, NULL);
	NOTE("receiver's queue gone", "%zd %s", l.n, strerrorname_np(l.e));
	CHECK("remove again", msgctl(queue, IPC_RMID, NULL));
	get("receive from nothing", 0, 10, 0);
	CHECK("send to nothing", put(1, "x", 0));
}

static void control(void)
{
	struct msqid_ds d;
	struct msginfo in;
	int top, found = 0;

	queue = msgget(KEY, IPC_CREAT | 0600);
	put(3, "abc", 0);
	msgctl(queue, IPC_STAT, &d);
	d.msg_perm.mode = 0646;
	d.msg_qbytes = 10;
	CHECK("set", msgctl(queue, IPC_SET, &d));
	show("after set");
	CHECK("over the new limit", put(1, "1234567", IPC_NOWAIT));
	CHECK("within it", put(1, "12345", IPC_NOWAIT));
	CHECK("set null", msgctl(queue, IPC_SET, NULL));
	CHECK("stat null", msgctl(queue, IPC_STAT, NULL));
	top = msgctl(0, IPC_INFO, (struct msqid_ds *)&in);
	NOTE("ipc_info", "%d max %d mnb %d mni %d ssz %d seg %d pool %d map %d tql %d", top >= 0, in.msgmax, in.msgmnb, in.msgmni, in.msgssz, in.msgseg,
	     in.msgpool, in.msgmap, in.msgtql);
	top = msgctl(0, MSG_INFO, (struct msqid_ds *)&in);
	NOTE("msg_info", "%d queues %d messages %d bytes %d", top >= 0, in.msgpool >= 1, in.msgmap, in.msgtql);
	for (int i = 0; i <= top; i++)
		found |= msgctl(i, MSG_STAT, &d) == queue && d.msg_qnum == 2;
	NOTE("by index", "%d", found);
	CHECK("index beyond", msgctl(31999, MSG_STAT, &d));
	CHECK("unknown", msgctl(queue, 99, &d));
	CHECK("negative command", msgctl(queue, -1, &d));
	CHECK("negative id", msgctl(-1, IPC_STAT, &d));
}

static void text(void)
{
	static const char *const files[] = { "msgmax", "msgmnb", "msgmni" };
	char line[256];
	int found = 0;
	FILE *f = fopen("/proc/sysvipc/msg", "r");

	if (!f || !fgets(line, sizeof(line), f)) {
		NOTE("sysvipc", "none");
		return;
	}
	line[strcspn(line, "\n")] = 0;
	NOTE("sysvipc head", "%s", line);
	while (fgets(line, sizeof(line), f)) {
		int key, n, perms, bytes, num;
		found |= sscanf(line, "%d %d %o %d %d", &key, &n, &perms, &bytes, &num) == 5 && n == queue && perms == 0646 && bytes == 10 && num == 2;
	}
	fclose(f);
	NOTE("sysvipc line", "%d", found);
	for (int i = 0; i < 3; i++) {
		snprintf(line, sizeof(line), "/proc/sys/kernel/%s", files[i]);
		f = fopen(line, "r");
		NOTE(files[i], "%s", f && fgets(line, sizeof(line), f) ? line : "none");
		fclose(f);
	}
	msgctl(queue, IPC_RMID, NULL);
}

/* Two threads pass a thousand messages, each its own way. */
static void *echo(void *arg)
{
	struct message m;

	for (int i = 0; i < 300; i++) {
		if (msgrcv(queue, &m, 64, 1, 0) < 0)
			return "failed";
		m.type = 2;
		if (msgsnd(queue, &m, 8, 0))
			return "not sent";
	}
	return arg;
}

static void traffic(void)
{
	struct message m;
	pthread_t t;
	void *r;
	long sum = 0;

	queue = msgget(IPC_PRIVATE, 0600);
	pthread_create(&t, NULL, echo, NULL);
	for (long i = 0; i < 300; i++) {
		m.type = 1;
		memcpy(m.text, &i, 8);
		if (msgsnd(queue, &m, 8, 0) || msgrcv(queue, &m, 64, 2, 0) != 8)
			break;
		memcpy(&i, m.text, 8);
		sum += i;
	}
	pthread_join(t, &r);
	NOTE("traffic", "%s %ld", r ? (char *)r : "ok", sum);
	msgctl(queue, IPC_RMID, NULL);
}

int main(void)
{
	making();
	simple();
	sizes();
	copying();
	waiting();
	full();
	control();
	text();
	traffic();
	return 0;
}
