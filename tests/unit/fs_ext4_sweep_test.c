/*
 * fs_ext4_sweep_test.c - the far ends: a hundred thousand names in a directory, files beyond 4 GiB, directories read while
 * they change, no room at any step of any operation.
 */
#include "ext4_fixture.h"

#define MB (1024ul * 1024)
#define GB (1024ul * MB)

static u32 seed;
static u32 rnd(u32 below)
{
	seed = seed * 1664525u + 1013904223u;
	return (u32)((u64)(seed >> 8) * below >> 24);
}

/* ---- Many names ---- */

struct seen {
	u8 *count;
	unsigned n, other;
	u64 next;
	unsigned stop;               /* entries to take in one go */
};

static bool see(void *arg, const char *name, size_t len, u64 ino, enum vnode_type type, u64 next)
{
	struct seen *s = arg;
	char text[32] = "";
	if (!s->stop)
		return false;
	s->stop--;
	s->next = next;
	memcpy(text, name, len < 31 ? len : 31);
	if (text[0] == 'n') {
		unsigned k = (unsigned)atoi(text + 1);
		assert_true(k < s->n);
		s->count[k]++;
	} else {
		s->other++;
	}
	return true;
}

static void read_all(struct vnode *dir, struct seen *s)
{
	for (u64 before = 1; before != s->next;) {
		before = s->next;
		s->stop = 997;
		assert_int_equal(fs_readdir(dir, s->next, see, s), 0);
	}
}

static void test_hundred_thousand(void **state)
{
	const unsigned n = 100000;
	struct disk d;
	struct seen s = { .count = calloc(n, 1), .n = n };
	char path[40];
	struct vnode *v, *dir;
	volume_make(&d, 96 * MB, "-t ext4 -b 1024 -N 102400 -I 128");
	struct mount *m = volume_mount(&d);
	assert_int_equal(fs_mkdir(NULL, "/d", 0755), 0);
	for (unsigned k = 0; k < n; k++) {
		snprintf(path, sizeof path, "/d/n%u", k);
		v = file_open(path, LX_O_CREAT | LX_O_EXCL | LX_O_WRONLY);
		assert_non_null(v);
		vnode_put(v);
		if (k % 5000 == 0)
			while (dcache_shrink(1000))
				;
	}
	assert_int_equal(fs_namei(NULL, "/d", 0, &dir), 0);
	read_all(dir, &s);
	for (unsigned k = 0; k < n; k++)
		assert_int_equal(s.count[k], 1);
	assert_int_equal(s.other, 2);
	vnode_put(dir);
	assert_int_equal(volume_unmount(m), 0);
	assert_int_equal(volume_check(d.data, d.size), 0);
	m = volume_mount(&d);
	for (unsigned k = 0; k < n; k += 997) {
		snprintf(path, sizeof path, "/d/n%u", k);
		assert_int_equal(fs_namei(NULL, path, 0, &v), 0);
		vnode_put(v);
	}
	for (unsigned k = 0; k < n; k++) {
		snprintf(path, sizeof path, "/d/n%u", k);
		assert_int_equal(fs_unlink(NULL, path), 0);
	}
	assert_int_equal(fs_rmdir(NULL, "/d"), 0);
	assert_int_equal(volume_unmount(m), 0);
	assert_int_equal(volume_check(d.data, d.size), 0);
	free(s.count);
	disk_free(&d);
}

/* What Linux leaves of a leaf whose last name went: one record and nothing else. Without checksums inner nodes begin so too. */
static unsigned leaves_wipe(struct disk *d, u32 block_size)
{
	unsigned n = 0;
	for (size_t at = 0; at < d->size; at += block_size) {
		struct ext4_dirent *e = (struct ext4_dirent *)(void *)(d->data + at);
		if (!e->ino && e->rec_len == block_size && e->name_len && e->name[0] == 'n') {
			memset(&e->name_len, 0, block_size - offsetof(struct ext4_dirent, name_len));
			n++;
		}
	}
	return n;
}

static void test_empty_leaves(void **state)
{
	static const struct { const char *options; u32 block_size; unsigned n; } kinds[] = {
		{ "-t ext3 -b 1024 -N 16384", 1024, 900 }, { "-t ext3 -b 4096 -N 16384", 4096, 900 },
		{ "-t ext4 -O ^metadata_csum,^uninit_bg -b 1024 -N 16384", 1024, 9000 },       /* a tree of two levels */
	};
	for (unsigned kind = 0; kind < ARRAY_SIZE(kinds); kind++) {
		const unsigned n = kinds[kind].n;
		struct disk d;
		struct seen s = { .count = calloc(n, 1), .n = n };
		char path[80];
		struct vnode *dir, *v;
		volume_make(&d, 24 * MB, kinds[kind].options);
		for (unsigned round = 0; round < 2; round++) {
			struct mount *m = volume_mount(&d);
			(void)fs_mkdir(NULL, "/d", 0755);
			for (unsigned k = 0; k < n; k++) {
				snprintf(path, sizeof path, "/d/n%u-with-a-name-that-is-long", k);
				v = file_open(path, LX_O_CREAT | LX_O_WRONLY);
				assert_non_null(v);
				vnode_put(v);
			}
			for (unsigned k = 0; k < n; k++) {
				snprintf(path, sizeof path, "/d/n%u-with-a-name-that-is-long", k);
				if (k % 90)
					assert_int_equal(fs_unlink(NULL, path), 0);
			}
			assert_int_equal(volume_unmount(m), 0);
			assert_true(leaves_wipe(&d, kinds[kind].block_size) > 1);
			assert_int_equal(volume_check(d.data, d.size), 0);
		}
		struct mount *m = volume_mount(&d);
		assert_int_equal(fs_namei(NULL, "/d", 0, &dir), 0);
		read_all(dir, &s);
		for (unsigned k = 0; k < n; k++)
			assert_int_equal(s.count[k], k % 90 == 0);
		vnode_put(dir);
		assert_int_equal(volume_unmount(m), 0);
		free(s.count);
		disk_free(&d);
	}
}

/* Names that are there all the time are seen once, whatever happens to others between two calls. */
static void test_reading_while_changing(void **state)
{
	const char *kinds[] = { "-t ext4 -b 1024 -N 8192", "-t ext4 -b 4096 -N 8192", "-t ext4 -b 1024 -N 8192 -O ^dir_index" };
	const unsigned n = 1500;
	for (unsigned kind = 0; kind < ARRAY_SIZE(kinds); kind++) {
		struct disk d;
		struct seen s = { .count = calloc(n, 1), .n = n };
		char path[80], to[80];
		struct vnode *dir;
		seed = kind;
		volume_make(&d, 24 * MB, kinds[kind]);
		struct mount *m = volume_mount(&d);
		assert_int_equal(fs_mkdir(NULL, "/d", 0755), 0);
		for (unsigned k = 0; k < n; k++) {
			snprintf(path, sizeof path, "/d/n%u", k);
			vnode_put(file_open(path, LX_O_CREAT | LX_O_WRONLY));
		}
		assert_int_equal(fs_namei(NULL, "/d", 0, &dir), 0);
		for (u64 before = 1; before != s.next;) {
			before = s.next;
			s.stop = 1 + rnd(60);
			assert_int_equal(fs_readdir(dir, s.next, see, &s), 0);
			for (unsigned k = 0; k < 12; k++) {
				snprintf(path, sizeof path, "/d/x-another-name-that-takes-room-%u", rnd(900));
				snprintf(to, sizeof to, "/d/x-another-name-that-takes-room-%u", rnd(900));
				bool created;
				struct vnode *v;
				if (rnd(3)) {
					if (!fs_open(NULL, path, LX_O_CREAT | LX_O_WRONLY, 0644, 0, &v, &created))
						vnode_put(v);
				} else if (rnd(2)) {
					(void)!fs_unlink(NULL, path);
				} else {
					(void)!fs_rename(NULL, path, NULL, to, 0);
				}
			}
			assert_true(s.other < 200000);
		}
		for (unsigned k = 0; k < n; k++)
			assert_int_equal(s.count[k], 1);
		vnode_put(dir);
		assert_int_equal(volume_unmount(m), 0);
		assert_int_equal(volume_check(d.data, d.size), 0);
		free(s.count);
		disk_free(&d);
	}
}

/* ---- Large files ---- */

static void test_beyond_4_gib(void **state)
{
	const char *kinds[] = { "-t ext4 -b 4096", "-t ext4 -b 1024", "-t ext3 -b 4096" };
	for (unsigned kind = 0; kind < ARRAY_SIZE(kinds); kind++) {
		struct disk d;
		u8 data[9000], have[9000];
		const u64 places[] = { 4 * GB - 4500, 5 * GB + 17, 12 * GB, 15 * GB + 4095 };
		volume_make(&d, 24 * MB, kinds[kind]);
		struct mount *m = volume_mount(&d);
		struct vnode *v = file_open("/f", LX_O_CREAT | LX_O_RDWR);
		for (unsigned k = 0; k < sizeof data; k++)
			data[k] = (u8)(k * 7 + (k >> 8));
		for (unsigned k = 0; k < ARRAY_SIZE(places); k++)
			assert_int_equal(file_write_at(v, data + k, sizeof data - k, places[k]), sizeof data - k);
		assert_int_equal(v->size, places[3] + sizeof data - 3);
		vnode_put(v);
		assert_int_equal(volume_unmount(m), 0);
		assert_int_equal(volume_check(d.data, d.size), 0);
		m = volume_mount(&d);
		v = file_open("/f", LX_O_RDWR);
		assert_int_equal(v->size, places[3] + sizeof data - 3);
		for (unsigned k = 0; k < ARRAY_SIZE(places); k++) {
			assert_int_equal(file_read_at(v, have, sizeof data - k, places[k]), sizeof data - k);
			assert_memory_equal(have, data + k, sizeof data - k);
		}
		if (kind < 2)
			assert_int_equal(fs_seek(v, 6 * GB, false), 12 * GB);
		assert_int_equal(fs_truncate(v, 4 * GB + 10), 0);
		assert_int_equal(fs_fallocate(v, LX_FALLOC_PUNCH_HOLE | LX_FALLOC_KEEP_SIZE, 4 * GB - 4096, 2000), 0);
		assert_int_equal(file_read_at(v, have, 5000, 4 * GB - 4096), 4106);
		assert_int_equal(have[1999], 0);
		assert_int_equal(have[2000], data[4500 - 4096 + 2000]);
		vnode_put(v);
		assert_int_equal(volume_unmount(m), 0);
		assert_int_equal(volume_check(d.data, d.size), 0);
		disk_free(&d);
	}
}

/* ---- No room ---- */

static const char text[] = "a target that is longer than the sixty bytes which fit into an inode itself";

static int try_operation(unsigned what, unsigned k)
{
	static u8 data[30000];
	char path[300], to[300];
	struct vnode *v;
	bool created;
	int r;
	snprintf(path, sizeof path, "/d/%0*u", 20 + (int)k % 200, k);
	snprintf(to, sizeof to, "/e/%0*u", 20 + (int)k % 200, k);
	switch (what) {
	case 0: return fs_mkdir(NULL, path, 0755);
	case 1: return fs_symlink(NULL, path, text);
	case 2: return fs_rename(NULL, path, NULL, to, 0);
	default: break;
	}
	r = fs_open(NULL, path, LX_O_CREAT | LX_O_RDWR, 0644, 0, &v, &created);
	if (r)
		return r;
	if (what == 3 && v->type == VNODE_REG)
		r = fs_setxattr(v, "user.large", data, 700, 0);
	else if (what == 4 && v->type == VNODE_REG)
		r = fs_fallocate(v, 0, rnd(200000), 30000);
	else if (v->type == VNODE_REG)
		r = (int)MIN(file_write_at(v, data, sizeof data, rnd(300000)), 0l);
	vnode_put(v);
	return r;
}

/* Full again and again, by different operations: each says ENOSPC, nothing else breaks, and what is removed gives its room back. */
static void test_no_room(void **state)
{
	const char *kinds[] = { "-t ext4 -b 1024 -N 4096", "-t ext4 -b 4096 -N 256", "-t ext3 -b 1024 -N 4096", "-t ext4 -b 1024 -O ^has_journal -N 4096" };
	for (unsigned kind = 0; kind < ARRAY_SIZE(kinds); kind++) {
		struct disk d;
		struct fs_statfs start, end;
		volume_make(&d, 9 * MB, kinds[kind]);
		struct mount *m = volume_mount(&d);
		seed = kind;
		assert_int_equal(fs_mkdir(NULL, "/d", 0755), 0);
		assert_int_equal(fs_mkdir(NULL, "/e", 0755), 0);
		assert_int_equal(m->statfs(m, &start), 0);
		for (unsigned round = 0; round < 6; round++) {
			unsigned full = 0;
			for (unsigned k = 0; k < 6000 && full < 40; k++) {
				int r = try_operation((k + round) % 6, k);
				full += r == -ENOSPC;
				assert_true(r == 0 || r == -ENOSPC || r == -EEXIST || r == -ENOENT || r == -EISDIR || r == -ELOOP || r == -EOPNOTSUPP);
			}
			assert_true(full);
			assert_int_equal(m->sync(m), 0);
			for (unsigned k = 0; k < 6000; k++) {
				char path[300];
				for (unsigned at = 0; at < 2; at++) {
					snprintf(path, sizeof path, "/%c/%0*u", at ? 'e' : 'd', 20 + (int)k % 200, k);
					int r = fs_unlink(NULL, path);
					if (r == -EISDIR)
						r = fs_rmdir(NULL, path);
					assert_true(r == 0 || r == -ENOENT);
				}
			}
			/* What was made through the links. */
			for (unsigned at = 0; at < 2; at++) {
				char path[100];
				snprintf(path, sizeof path, "/%c/%s", at ? 'e' : 'd', text);
				int r = fs_unlink(NULL, path);
				assert_true(r == 0 || r == -ENOENT);
			}
			assert_false(m->readonly);
		}
		while (dcache_shrink(1000))
			;
		assert_int_equal(m->sync(m), 0);
		assert_int_equal(m->statfs(m, &end), 0);
		assert_int_equal(end.ffree, start.ffree);
		assert_true(end.bfree + 600 > start.bfree);          /* directories keep their blocks */
		assert_int_equal(volume_unmount(m), 0);
		assert_int_equal(volume_check(d.data, d.size), 0);
		disk_free(&d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hundred_thousand), cmocka_unit_test(test_empty_leaves), cmocka_unit_test(test_reading_while_changing), cmocka_unit_test(test_beyond_4_gib),
		cmocka_unit_test(test_no_room),
	};
	return cmocka_run_group_tests_name("fs_ext4_sweep", tests, fixture_setup, NULL);
}
