/*
 * fs_ext4_crash_test.c - the power goes at any moment: a workload of every operation runs against a disk
 * that records writes and flushes; then the volume is put together as it may look after a cut, with writes since
 * the last flush all there, some there, or torn, and must recover: e2fsck finds nothing, and what fsync promised is there.
 * One of the disks is told of freed blocks, and what was in them is gone at once.
 *
 * PITH_CRASH_CUTS sets how many cuts each kind of volume gets (default 250).
 */
#include "ext4_fixture.h"

#define MB (1024ul * 1024)
#define PROMISES 400u

static u32 seed;
static u32 rnd(u32 below)
{
	seed = seed * 1664525u + 1013904223u;
	return (u32)((u64)(seed >> 8) * below >> 24);
}

struct promise {
	unsigned number;
	size_t size;
	size_t event;                /* from this event on it holds */
};
static struct promise promises[PROMISES];
static unsigned npromises;

static void fill(u8 *p, size_t n, u32 number)
{
	for (size_t k = 0; k < n; k++)
		p[k] = (u8)(number * 31 + k * 7 + (k >> 8));
}

/* ---- The workload ---- */

static void do_promise(struct disk *d, unsigned number)
{
	char path[40];
	static u8 data[40000];
	size_t n = 1 + rnd(number % 5 ? 5000 : sizeof data - 1);
	snprintf(path, sizeof path, "/keep/p%u", number);
	struct vnode *v = file_open(path, LX_O_CREAT | LX_O_EXCL | LX_O_RDWR);
	if (!v)
		return;
	fill(data, n, number);
	bool done = file_write_at(v, data, n / 2, 0) == (ssize_t)(n / 2) && file_write_at(v, data + n / 2, n - n / 2, n / 2) == (ssize_t)(n - n / 2) &&
		    fs_fsync(v, number % 3 == 0) == 0;
	vnode_put(v);
	if (done && npromises < PROMISES)
		promises[npromises++] = (struct promise){ number, n, d->nevents };
}

static void some_path(char *path, size_t size)
{
	u32 dir = rnd(4);
	if (dir)
		snprintf(path, size, "/d%u/name-of-a-file-%u", dir, rnd(60));
	else
		snprintf(path, size, "/f%u", rnd(20));
}

static void do_write(void)
{
	char path[60];
	static u8 data[60000];
	struct vnode *v;
	bool created;
	some_path(path, sizeof path);
	if (fs_open(NULL, path, LX_O_CREAT | LX_O_RDWR, 0644, 0, &v, &created))
		return;
	u64 off = rnd(4) ? v->size : rnd(300000);
	(void)file_write_at(v, data, 1 + rnd(sizeof data - 1), off);
	if (rnd(10) == 0)
		(void)fs_fsync(v, true);
	vnode_put(v);
}

static void do_size(void)
{
	char path[60];
	struct vnode *v;
	some_path(path, sizeof path);
	if (fs_namei(NULL, path, 0, &v))
		return;
	if (v->type == VNODE_REG)
		switch (rnd(4)) {
		case 0: (void)fs_truncate(v, rnd(200000)); break;
		case 1: (void)fs_truncate(v, v->size / 2); break;
		case 2: (void)fs_fallocate(v, LX_FALLOC_PUNCH_HOLE | LX_FALLOC_KEEP_SIZE, rnd(100000), 1 + rnd(60000)); break;
		default: (void)fs_fallocate(v, rnd(2) ? LX_FALLOC_KEEP_SIZE : 0, rnd(300000), 1 + rnd(100000)); break;
		}
	vnode_put(v);
}

static void do_names(void)
{
	char a[60], b[60];
	struct vnode *v;
	some_path(a, sizeof a);
	some_path(b, sizeof b);
	switch (rnd(6)) {
	case 0: (void)fs_unlink(NULL, a); break;
	case 1: (void)fs_rename(NULL, a, NULL, b, 0); break;
	case 2: (void)fs_rename(NULL, a, NULL, b, LX_RENAME_EXCHANGE); break;
	case 3: (void)fs_symlink(NULL, a, rnd(2) ? "short" : "a target that is longer than the sixty bytes which fit into an inode itself"); break;
	case 4:
		if (!fs_namei(NULL, a, 0, &v)) {
			(void)fs_link(v, NULL, b);
			vnode_put(v);
		}
		break;
	default:
		snprintf(a, sizeof a, "/d%u/sub%u", 1 + rnd(3), rnd(4));
		if (fs_mkdir(NULL, a, 0755))
			(void)fs_rmdir(NULL, a);
		break;
	}
}

static void do_attribute(void)
{
	char path[60], name[40];
	static u8 value[3000];
	struct vnode *v;
	some_path(path, sizeof path);
	if (fs_namei(NULL, path, 0, &v))
		return;
	snprintf(name, sizeof name, "user.name-%u", rnd(6));
	if (v->type == VNODE_REG)
		(void)fs_setxattr(v, name, value, rnd(3) ? rnd(60) : rnd(sizeof value), rnd(4) ? 0 : FS_XATTR_REMOVE);
	vnode_put(v);
}

static void workload(struct disk *d, struct mount *m, unsigned ops)
{
	assert_int_equal(fs_mkdir(NULL, "/keep", 0755), 0);
	for (unsigned k = 1; k < 4; k++) {
		char path[8];
		snprintf(path, sizeof path, "/d%u", k);
		assert_int_equal(fs_mkdir(NULL, path, 0755), 0);
	}
	for (unsigned k = 0; k < ops; k++) {
		u32 what = rnd(100);
		if (what < 12)
			do_promise(d, k);
		else if (what < 45)
			do_write();
		else if (what < 60)
			do_size();
		else if (what < 90)
			do_names();
		else if (what < 97)
			do_attribute();
		else
			assert_int_equal(m->sync(m), 0);
	}
	assert_false(m->readonly);
}

/* ---- Cuts ---- */

static void apply(struct disk *d, const struct disk_event *e, u32 len)
{
	if (!e->flush)
		memcpy(d->data + e->at, e->data, len);
}

/* The disk after `cut` events. reorder: of those since the last flush only some are there. */
static void disk_after(struct disk *d, const u8 *base, const struct disk_event *events, size_t cut, bool reorder)
{
	size_t flushed = 0;
	memcpy(d->data, base, d->size);
	for (size_t k = 0; k < cut; k++)
		if (events[k].flush)
			flushed = k;
	for (size_t k = 0; k < cut; k++) {
		if (k < flushed || !reorder)
			apply(d, &events[k], events[k].len);
		else if (rnd(2))
			apply(d, &events[k], rnd(8) ? events[k].len : (u32)ROUND_DOWN(rnd(events[k].len), 512u));
	}
}

static bool promise_kept(const struct promise *p)
{
	static u8 have[40001], want[40000];
	char path[40];
	struct vnode *v;
	bool created;
	snprintf(path, sizeof path, "/keep/p%u", p->number);
	if (fs_open(NULL, path, LX_O_RDONLY, 0, 0, &v, &created)) {
		print_message("%s is gone\n", path);
		return false;
	}
	ssize_t n = file_read_at(v, have, sizeof have, 0);
	fill(want, p->size, p->number);
	bool ok = n == (ssize_t)p->size && memcmp(have, want, p->size) == 0;
	if (!ok)
		print_message("%s: %zd bytes of %zu, %s\n", path, n, p->size, n == (ssize_t)p->size ? "other contents" : "cut");
	vnode_put(v);
	return ok;
}

static void check_cut(struct disk *d, size_t cut, bool reorder)
{
	unsigned broken = 0;
	struct mount *m = volume_mount(d);
	for (unsigned k = 0; k < npromises; k++)
		if (promises[k].event <= cut)
			broken += !promise_kept(&promises[k]);
	int r = volume_unmount(m);
	if (broken || r)
		print_message("cut at event %zu%s: %u promises broken, unmount %d\n", cut, reorder ? ", reordered" : "", broken, r);
	assert_int_equal(broken, 0);
	assert_int_equal(r, 0);
	r = volume_check(d->data, d->size);
	if (r)
		print_message("cut at event %zu%s: e2fsck %d\n", cut, reorder ? ", reordered" : "", r);
	assert_int_equal(r, 0);
}

static void cuts(const char *options, size_t size, unsigned ops, bool discard)
{
	struct disk d, after;
	unsigned n = getenv("PITH_CRASH_CUTS") ? (unsigned)atoi(getenv("PITH_CRASH_CUTS")) : 250;
	npromises = 0;
	seed = (u32)(size + ops + strlen(options));
	volume_make(&d, size, options);
	u8 *base = malloc(size);
	memcpy(base, d.data, size);
	if (discard)
		disk_may_discard(&d);
	d.record = true;
	struct mount *m = volume_mount(&d);
	workload(&d, m, ops);
	size_t total = d.nevents;
	d.record = false;
	assert_int_equal(volume_unmount(m), 0);
	assert_int_equal(volume_check(d.data, d.size), 0);
	print_message("# %s: %zu events, %u promises, %lu bytes discarded\n", options, total, npromises, (unsigned long)d.ndiscarded);
	assert_true(!discard == !d.ndiscarded);
	disk_init(&after, size);
	for (unsigned k = 0; k < n; k++) {
		size_t cut = total * (k + 1) / n;
		disk_after(&after, base, d.events, cut, k & 1);
		check_cut(&after, cut, k & 1);
	}
	disk_free(&after);
	disk_free(&d);
	free(base);
}

static void test_cuts_4k(void **state) { cuts("-t ext4 -b 4096 -J size=4", 24 * MB, 700, false); }
static void test_cuts_1k(void **state) { cuts("-t ext4 -b 1024 -J size=1", 16 * MB, 700, false); }
static void test_cuts_small_journal(void **state) { cuts("-t ext4 -b 1024 -J size=1 -O ^metadata_csum,^64bit", 16 * MB, 2500, false); }
static void test_cuts_ext3(void **state) { cuts("-t ext3 -b 1024 -J size=1", 16 * MB, 500, false); }
static void test_cuts_discard(void **state) { cuts("-t ext4 -b 1024 -J size=2", 16 * MB, 700, true); }

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cuts_4k), cmocka_unit_test(test_cuts_1k), cmocka_unit_test(test_cuts_small_journal), cmocka_unit_test(test_cuts_ext3),
		cmocka_unit_test(test_cuts_discard),
	};
	return cmocka_run_group_tests_name("fs_ext4_crash", tests, fixture_setup, NULL);
}
