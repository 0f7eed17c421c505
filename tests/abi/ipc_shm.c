/* ipc_shm.c - System V shared memory: making, attaching, detaching, what shmctl says, deferred destruction. */
#include "abi.h"
#include <pthread.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#define PAGE 4096ul
#define KEY  0x70497468

static void show(const char *name, int id)
{
	struct shmid_ds d;

	if (shmctl(id, IPC_STAT, &d)) {
		NOTE(name, "%s", strerrorname_np(errno));
		return;
	}
	NOTE(name, "key %d mode %o size %zu attached %lu cpid %d lpid %d atime %d dtime %d ctime %d", d.shm_perm.__key == KEY, d.shm_perm.mode,
	     d.shm_segsz, d.shm_nattch, d.shm_cpid == getpid(), d.shm_lpid == getpid(), d.shm_atime != 0, d.shm_dtime != 0, d.shm_ctime != 0);
}

static int attach_errno(int id, const void *at, int flags)
{
	void *p = shmat(id, at, flags);

	if (p == (void *)-1)
		return errno;
	shmdt(p);
	return 0;
}

static void attach(const char *name, int id, const void *at, int flags)
{
	int e = attach_errno(id, at, flags);

	NOTE(name, "%s", e ? strerrorname_np(e) : "ok");
}

static void making(void)
{
	CHECK("size 0", shmget(IPC_PRIVATE, 0, IPC_CREAT | 0600));
	CHECK("size huge", shmget(IPC_PRIVATE, ~0ul, IPC_CREAT | 0600));
	CHECK("no such key", shmget(KEY, PAGE, 0600));
	int id = shmget(KEY, 5000, IPC_CREAT | IPC_EXCL | 0640);
	NOTE("make", "%d", id >= 0);
	CHECK("again exclusive", shmget(KEY, 5000, IPC_CREAT | IPC_EXCL | 0640));
	NOTE("again", "%d", shmget(KEY, 5000, IPC_CREAT | 0640) == id);
	NOTE("again smaller", "%d", shmget(KEY, 1, 0) == id);
	NOTE("again size 0", "%d", shmget(KEY, 0, 0) == id);
	CHECK("again larger", shmget(KEY, 5001, 0));
	CHECK("again larger page", shmget(KEY, 8193, IPC_CREAT | 0600));
	show("fresh", id);
	CHECK("remove", shmctl(id, IPC_RMID, NULL));
	CHECK("remove twice", shmctl(id, IPC_RMID, NULL));
	show("gone", id);
	attach("attach gone", id, NULL, 0);
	CHECK("key gone", shmget(KEY, PAGE, 0600));
	int a = shmget(IPC_PRIVATE, PAGE, 0600), b = shmget(IPC_PRIVATE, PAGE, 0600);
	NOTE("private differ", "%d", a != b && a >= 0 && b >= 0);
	shmctl(a, IPC_RMID, NULL);
	shmctl(b, IPC_RMID, NULL);
}

static void attaching(void)
{
	int id = shmget(KEY, 2 * PAGE + 10, IPC_CREAT | 0600);
	char *p = shmat(id, NULL, 0), *q;

	NOTE("attached", "%d aligned %d", p != (void *)-1, ((unsigned long)p & (PAGE - 1)) == 0);
	show("one", id);
	NOTE("zeroes", "%d %d", p[0], p[3 * PAGE - 1]);
	strcpy(p, "hello");
	p[3 * PAGE - 1] = 7;
	q = shmat(id, NULL, SHM_RDONLY);
	NOTE("second", "%s %d other place %d", q, q[3 * PAGE - 1], p != q);
	show("two", id);
	CHECK("second writable", mprotect(q, PAGE, PROT_READ | PROT_WRITE));
	CHECK("first protected", mprotect(p, PAGE, PROT_READ));
	show("cut", id);
	CHECK("first again", mprotect(p, PAGE, PROT_READ | PROT_WRITE));
	CHECK("detach second", shmdt(q));
	CHECK("detach second again", shmdt(q));
	CHECK("detach inside", shmdt(p + PAGE));
	CHECK("detach unaligned", shmdt(p + 1));
	CHECK("detach null", shmdt(NULL));
	strcpy(p + PAGE, "still here");
	CHECK("detach first", shmdt(p));
	show("none", id);
	p = shmat(id, NULL, 0);
	NOTE("kept", "%s %s", p, p + PAGE);
	CHECK("part unmapped", munmap(p + PAGE, PAGE));
	CHECK("rest detached", shmdt(p));
	unsigned char vec[3];
	errno = 0;
	NOTE("nothing left", "%d %s", mincore(p, 3 * PAGE, vec), strerrorname_np(errno));
	CHECK("remove", shmctl(id, IPC_RMID, NULL));
}

static void placing(void)
{
	int id = shmget(IPC_PRIVATE, 2 * PAGE, 0600);
	char *room = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *p;

	room[2 * PAGE] = 1;
	attach("taken", id, room, 0);
	attach("unaligned", id, room + 1, 0);
	attach("remap null", id, NULL, SHM_REMAP);
	attach("remap rounded null", id, (void *)1, SHM_REMAP | SHM_RND);
	attach("negative id", -1, NULL, 0);
	attach("strange id", 0x7fffffff, NULL, 0);
	munmap(room + 4 * PAGE, 2 * PAGE);
	p = shmat(id, room + 4 * PAGE, 0);
	NOTE("fixed", "%d", p == room + 4 * PAGE);
	shmdt(p);
	p = shmat(id, room + 4 * PAGE + 100, SHM_RND);
	NOTE("rounded", "%d", p == room + 4 * PAGE);
	shmdt(p);
	p = shmat(id, room + 2 * PAGE, SHM_REMAP);
	NOTE("remap", "%d %d", p == room + 2 * PAGE, p[0]);
	CHECK("detach", shmdt(p));
	attach("wraps", id, (void *)(~0ul & ~(PAGE - 1)), 0);
	attach("beyond", id, (void *)0x7ffffffff000ul, 0);
	shmctl(id, IPC_RMID, NULL);
}

static void deferred(void)
{
	int id = shmget(KEY, PAGE, IPC_CREAT | 0600);
	char *p = shmat(id, NULL, 0), *q;

	strcpy(p, "lives on");
	CHECK("remove attached", shmctl(id, IPC_RMID, NULL));
	show("doomed", id);
	CHECK("its key", shmget(KEY, PAGE, 0));
	q = shmat(id, NULL, 0);
	NOTE("attached by number", "%s", q == (void *)-1 ? strerrorname_np(errno) : q);
	CHECK("detach one", shmdt(p));
	NOTE("the other", "%s", q);
	CHECK("lock doomed", shmctl(id, SHM_LOCK, NULL));
	show("doomed locked", id);
	munmap(q, PAGE);
	show("gone", id);
}

static void control(void)
{
	struct shmid_ds d;
	struct shminfo si;
	struct shm_info in;
	int id = shmget(IPC_PRIVATE, 3 * PAGE, 0600), top, found = 0;
	char *p = shmat(id, NULL, 0);

	p[0] = p[PAGE] = 1;
	shmctl(id, IPC_STAT, &d);
	d.shm_perm.mode = 07444;
	d.shm_segsz = 1;
	CHECK("set", shmctl(id, IPC_SET, &d));
	show("after set", id);
	CHECK("set null", shmctl(id, IPC_SET, NULL));
	CHECK("stat null", shmctl(id, IPC_STAT, NULL));
	CHECK("lock", shmctl(id, SHM_LOCK, NULL));
	show("locked", id);
	CHECK("unlock", shmctl(id, SHM_UNLOCK, NULL));
	show("unlocked", id);
	top = shmctl(0, IPC_INFO, (struct shmid_ds *)&si);
	NOTE("ipc_info", "%d min %lu mni %lu seg %lu", top >= 0, si.shmmin, si.shmmni, si.shmseg);
	top = shmctl(0, SHM_INFO, (struct shmid_ds *)&in);
	NOTE("shm_info", "%d used %d total %lu rss %lu swap %lu", top >= 0, in.used_ids >= 1, in.shm_tot, in.shm_rss, in.shm_swp);
	for (int i = 0; i <= top; i++)
		found |= shmctl(i, SHM_STAT, &d) == id && d.shm_segsz == 3 * PAGE;
	NOTE("by index", "%d", found);
	CHECK("index beyond", shmctl(top + 5000, SHM_STAT, &d));
	CHECK("unknown", shmctl(id, 99, &d));
	CHECK("unknown 64", shmctl(id, 0x100 | IPC_STAT, &d));
	CHECK("negative command", shmctl(id, -1, &d));
	CHECK("negative id", shmctl(-1, IPC_STAT, &d));
	shmdt(p);
	shmctl(id, IPC_RMID, NULL);
}

/* Many attachments at once, from several threads; the count is right at the end. */
static int busy_id;
static void *busy(void *arg)
{
	for (int i = 0; i < 200; i++) {
		char *p = shmat(busy_id, NULL, 0);
		if (p == (void *)-1)
			return "failed";
		__atomic_fetch_add((int *)p, 1, __ATOMIC_RELAXED);
		if (shmdt(p))
			return "not detached";
	}
	return arg;
}

static void threads(void)
{
	pthread_t t[4];
	void *r, *bad = NULL;

	busy_id = shmget(IPC_PRIVATE, PAGE, 0600);
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, busy, NULL);
	for (int i = 0; i < 4; i++) {
		pthread_join(t[i], &r);
		bad = r ? r : bad;
	}
	int *p = shmat(busy_id, NULL, 0);
	NOTE("threads", "%s count %d", bad ? (char *)bad : "ok", *p);
	show("threads", busy_id);
	shmctl(busy_id, IPC_RMID, NULL);
	shmdt(p);
}

/* Growing and moving an attachment; the old pages are the segment's. */
static void moving(void)
{
	int id = shmget(IPC_PRIVATE, 2 * PAGE, 0600);
	char *p = shmat(id, NULL, 0), *q;

	strcpy(p + PAGE, "moves");
	q = mremap(p, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, mmap(NULL, 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	NOTE("moved", "%s", q == (void *)-1 ? strerrorname_np(errno) : q + PAGE);
	show("moved", id);
	CHECK("detach moved", shmdt(q));
	show("after", id);
	shmctl(id, IPC_RMID, NULL);
}

static void text(void)
{
	char line[512], perms[16] = "";
	int id = shmget(KEY, 12345, IPC_CREAT | 0600), found = 0, fields = 0;
	void *p = shmat(id, NULL, 0);
	FILE *f = fopen("/proc/sysvipc/shm", "r");

	if (!f || !fgets(line, sizeof(line), f)) {
		NOTE("sysvipc", "none");
		return;
	}
	line[strcspn(line, "\n")] = 0;
	NOTE("sysvipc head", "%s", line);
	while (fgets(line, sizeof(line), f)) {
		int key, n, size, cpid, lpid, nattch;
		fields = sscanf(line, "%d %d %15s %d %d %d %d", &key, &n, perms, &size, &cpid, &lpid, &nattch);
		if (n == id)
			found = fields == 7 && key == KEY && size == 12345 && nattch == 1;
	}
	fclose(f);
	NOTE("sysvipc line", "%d %s", found, perms);
	f = fopen("/proc/self/maps", "r");
	char name[64] = "";
	while (f && fgets(line, sizeof(line), f))
		if (strtoul(line, NULL, 16) == (unsigned long)p)
			sscanf(strchr(line, '/') ? strchr(line, '/') : "?", "%63[^\n]", name);
	fclose(f);
	NOTE("maps", "%s", name);
	shmdt(p);
	shmctl(id, IPC_RMID, NULL);
	for (int i = 0; i < 3; i++) {
		static const char *const files[] = { "shmmax", "shmall", "shmmni" };
		snprintf(line, sizeof(line), "/proc/sys/kernel/%s", files[i]);
		f = fopen(line, "r");
		NOTE(files[i], "%s", f && fgets(line, sizeof(line), f) ? line : "none");
		fclose(f);
	}
}

int main(void)
{
	making();
	attaching();
	placing();
	deferred();
	control();
	threads();
	moving();
	text();
	return 0;
}
