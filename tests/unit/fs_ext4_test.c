/*
 * fs_ext4_test.c - ext4 volumes: what is written is there after the next mount, and e2fsck agrees.
 */
#include "ext4_fixture.h"

#define MB (1024ul * 1024)

static const char *const kinds[] = {
	"-t ext4 -b 4096", "-t ext4 -b 1024", "-t ext4 -b 2048 -O ^metadata_csum", "-t ext4 -b 4096 -O ^has_journal", "-t ext3", "-t ext2", "-t ext4 -b 4096 -O ^64bit,^flex_bg",
	"-t ext4 -O ^dir_index -I 128", "-t ext4 -O metadata_csum_seed,meta_bg,^resize_inode", "-t ext4 -O sparse_super2",
};

static void test_mount_unmount(void **state)
{
	for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++) {
		struct disk d;
		print_message("# %s\n", kinds[k]);
		volume_make(&d, 16 * MB, kinds[k]);
		struct mount *m = volume_mount(&d);
		assert_int_equal(volume_unmount(m), 0);
		assert_int_equal(volume_check(d.data, d.size), 0);
		disk_free(&d);
	}
}

static void pattern(u8 *p, size_t n, u32 seed)
{
	for (size_t k = 0; k < n; k++)
		p[k] = (u8)(seed + k * 7 + (k >> 9));
}

static void expect(const char *path, size_t len, u32 seed)
{
	struct vnode *v = file_open(path, LX_O_RDONLY);
	u8 *have = calloc(1, len + 1), *want = malloc(len + 1);
	assert_non_null(v);
	assert_int_equal(v->size, len);
	assert_int_equal(file_read_at(v, have, len + 1, 0), (ssize_t)len);
	pattern(want, len, seed);
	assert_memory_equal(have, want, len);
	vnode_put(v);
	free(have);
	free(want);
}

static void write_file(const char *path, size_t len, u32 seed)
{
	struct vnode *v = file_open(path, LX_O_CREAT | LX_O_RDWR);
	u8 *data = malloc(len + 1);
	assert_non_null(v);
	pattern(data, len, seed);
	for (size_t at = 0; at < len;) {
		size_t n = MIN((size_t)10000, len - at);
		assert_int_equal(file_write_at(v, data + at, n, at), (ssize_t)n);
		at += n;
	}
	free(data);
	vnode_put(v);
}

/* A part of the inode table where nothing is in use is not read for a new inode; one with others in use is, and they stay. */
static void test_new_inodes_read_nothing(void **state)
{
	struct disk d;
	char name[16];

	volume_make(&d, 16 * MB, "-t ext4 -b 4096");
	struct mount *m = volume_mount(&d);
	write_file("/first", 100, 1);
	u64 reads = d.nreads;
	for (unsigned k = 0; k < 64; k++) {
		snprintf(name, sizeof name, "/f%u", k);
		write_file(name, 100, k);
	}
	assert_true(d.nreads == reads);
	assert_int_equal(volume_unmount(m), 0);
	assert_int_equal(volume_check(d.data, d.size), 0);
	/* A block that has one file more, and is not in memory now. */
	m = volume_mount(&d);
	write_file("/last", 100, 99);
	for (unsigned k = 0; k < 64; k++) {
		snprintf(name, sizeof name, "/f%u", k);
		expect(name, 100, k);
	}
	assert_int_equal(volume_unmount(m), 0);
	assert_int_equal(volume_check(d.data, d.size), 0);
	disk_free(&d);
}

static void test_files_stay(void **state)
{
	for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++) {
		struct disk d;
		print_message("# %s\n", kinds[k]);
		volume_make(&d, 24 * MB, kinds[k]);
		struct mount *m = volume_mount(&d);
		write_file("/empty", 0, 1);
		write_file("/small", 100, 2);
		write_file("/page", 4096, 3);
		write_file("/large", 3 * MB + 77, 4);
		assert_int_equal(fs_mkdir(NULL, "/dir", 0755), 0);
		write_file("/dir/in", 5000, 5);
		assert_int_equal(fs_symlink(NULL, "/short", "dir/in"), 0);
		char target[201];
		memset(target, 'x', 200);
		target[200] = 0;
		assert_int_equal(fs_symlink(NULL, "/long", target), 0);
		assert_int_equal(volume_unmount(m), 0);
		assert_int_equal(volume_check(d.data, d.size), 0);
		m = volume_mount(&d);
		expect("/empty", 0, 1);
		expect("/small", 100, 2);
		expect("/page", 4096, 3);
		expect("/large", 3 * MB + 77, 4);
		expect("/short", 5000, 5);
		struct vnode *v;
		char buf[300];
		assert_int_equal(fs_namei(NULL, "/long", 0, &v), 0);
		assert_int_equal(fs_readlink(v, buf, sizeof buf), 200);
		vnode_put(v);
		assert_int_equal(fs_unlink(NULL, "/large"), 0);
		assert_int_equal(fs_rename(NULL, "/dir/in", NULL, "/small", 0), 0);
		assert_int_equal(fs_rmdir(NULL, "/dir"), 0);
		expect("/small", 5000, 5);
		assert_int_equal(volume_unmount(m), 0);
		assert_int_equal(volume_check(d.data, d.size), 0);
		disk_free(&d);
	}
}

static void test_sparse_punch_truncate(void **state)
{
	for (unsigned k = 0; k < 6; k++) {
		struct disk d;
		u8 page[4096], zero[4096] = { 0 };
		struct vattr a;
		print_message("# %s\n", kinds[k]);
		volume_make(&d, 24 * MB, kinds[k]);
		struct mount *m = volume_mount(&d);
		struct vnode *v = file_open("/f", LX_O_CREAT | LX_O_RDWR);
		pattern(page, sizeof page, 9);
		assert_int_equal(file_write_at(v, page, 4096, 8 * MB), 4096);
		assert_int_equal(file_write_at(v, page, 4096, 1 * MB), 4096);
		assert_int_equal(v->size, 8 * MB + 4096);
		fs_getattr(v, &a);
		assert_true(a.blocks512 < 200);
		assert_int_equal(file_read_at(v, page, 4096, 4 * MB), 4096);
		assert_memory_equal(page, zero, 4096);
		assert_int_equal(fs_truncate(v, 1 * MB + 100), 0);
		assert_int_equal(fs_truncate(v, 2 * MB), 0);
		assert_int_equal(file_read_at(v, page, 4096, 1 * MB), 4096);
		assert_memory_equal(page + 100, zero, 3996);
		if (m->fstype && strstr(kinds[k], "ext4")) {
			assert_int_equal(fs_fallocate(v, 0, 3 * MB, 2 * MB), 0);
			assert_int_equal(v->size, 5 * MB);
			assert_int_equal(file_write_at(v, page, 100, 4 * MB), 100);
			assert_int_equal(fs_fallocate(v, LX_FALLOC_PUNCH_HOLE | LX_FALLOC_KEEP_SIZE, 3 * MB + 5000, 100000), 0);
			assert_int_equal(fs_fallocate(v, LX_FALLOC_ZERO_RANGE, 4 * MB - 10, 60), 0);
		}
		assert_int_equal(fs_fsync(v, false), 0);
		vnode_put(v);
		assert_int_equal(volume_unmount(m), 0);
		assert_int_equal(volume_check(d.data, d.size), 0);
		disk_free(&d);
	}
}

struct listing { unsigned n; u32 sum; };
static bool count_name(void *arg, const char *name, size_t len, u64 ino, enum vnode_type type, u64 next)
{
	struct listing *l = arg;
	for (size_t k = 0; k < len; k++)
		l->sum += (u8)name[k];
	l->n++;
	return true;
}

static void test_many_names(void **state)
{
	const char *some[] = { "-t ext4 -b 4096", "-t ext4 -b 1024", "-t ext4 -O ^dir_index", "-t ext2" };
	for (unsigned k = 0; k < ARRAY_SIZE(some); k++) {
		struct disk d;
		unsigned count = 3000;
		char path[100];
		print_message("# %s\n", some[k]);
		volume_make(&d, 32 * MB, some[k]);
		struct mount *m = volume_mount(&d);
		assert_int_equal(fs_mkdir(NULL, "/d", 0755), 0);
		for (unsigned n = 0; n < count; n++) {
			snprintf(path, sizeof path, "/d/a-rather-long-name-of-a-file-%u", n * 7919);
			struct vnode *v = file_open(path, LX_O_CREAT | LX_O_EXCL | LX_O_WRONLY);
			assert_non_null(v);
			vnode_put(v);
		}
		struct vnode *dir;
		struct listing l = { 0 };
		assert_int_equal(fs_namei(NULL, "/d", 0, &dir), 0);
		assert_int_equal(fs_readdir(dir, 0, count_name, &l), 0);
		assert_int_equal(l.n, count + 2);
		vnode_put(dir);
		assert_int_equal(volume_unmount(m), 0);
		assert_int_equal(volume_check(d.data, d.size), 0);
		m = volume_mount(&d);
		for (unsigned n = 0; n < count; n++) {
			snprintf(path, sizeof path, "/d/a-rather-long-name-of-a-file-%u", n * 7919);
			if (n % 3)
				assert_int_equal(fs_unlink(NULL, path), 0);
		}
		assert_int_equal(fs_rmdir(NULL, "/d"), -ENOTEMPTY);
		assert_int_equal(volume_unmount(m), 0);
		assert_int_equal(volume_check(d.data, d.size), 0);
		disk_free(&d);
	}
}

/* Blocks that were freed and not yet committed are there for whoever asks: by write, by a store into a mapping, by fallocate. */
static void test_space_of_the_removed(void **state)
{
	struct disk d;
	struct vnode *v;

	volume_make(&d, 16 * MB, "-t ext4 -b 4096 -J size=4");
	struct mount *m = volume_mount(&d);
	for (unsigned k = 0; k < 3; k++) {
		v = file_open("/a", LX_O_CREAT | LX_O_RDWR);
		assert_non_null(v);
		assert_int_equal(fs_fallocate(v, k ? LX_FALLOC_ZERO_RANGE : LX_FALLOC_KEEP_SIZE, 0, 8 * MB), 0);
		vnode_put(v);
		assert_int_equal(fs_unlink(NULL, "/a"), 0);
	}
	write_file("/b", 8 * MB, 1);
	/* What is really full stays so. */
	v = file_open("/a", LX_O_CREAT | LX_O_RDWR);
	assert_int_equal(fs_fallocate(v, 0, 0, 8 * MB), -ENOSPC);
	vnode_put(v);
	assert_int_equal(volume_unmount(m), 0);
	assert_int_equal(volume_check(d.data, d.size), 0);
	disk_free(&d);
}

static void test_unlinked_open_file(void **state)
{
	struct disk d;
	u8 buf[100];
	volume_make(&d, 16 * MB, "-t ext4 -b 4096");
	struct mount *m = volume_mount(&d);
	write_file("/f", 100000, 3);
	struct vnode *v = file_open("/f", LX_O_RDWR);
	assert_int_equal(fs_unlink(NULL, "/f"), 0);
	assert_int_equal(file_read_at(v, buf, 100, 50000), 100);
	assert_int_equal(file_write_at(v, buf, 100, 200000), 100);
	/* The power goes while it is open: the next mount removes it. */
	assert_int_equal(ext4_commit_now(ext4_of(v)), 0);
	u8 *image = malloc(d.size);
	memcpy(image, d.data, d.size);
	vnode_put(v);
	assert_int_equal(volume_unmount(m), 0);
	assert_int_equal(volume_check(d.data, d.size), 0);
	memcpy(d.data, image, d.size);
	m = volume_mount(&d);
	struct fs_statfs s;
	assert_int_equal(m->statfs(m, &s), 0);
	assert_int_equal(volume_unmount(m), 0);
	assert_int_equal(volume_check(d.data, d.size), 0);
	free(image);
	disk_free(&d);
}

static void test_full_volume(void **state)
{
	for (unsigned k = 0; k < 5; k++) {
		struct disk d;
		u8 *data = malloc(MB);
		char path[40];
		ssize_t r = 0;
		print_message("# %s\n", kinds[k]);
		volume_make(&d, 16 * MB, kinds[k]);
		struct mount *m = volume_mount(&d);
		pattern(data, MB, 1);
		for (unsigned n = 0; n < 100 && r >= 0; n++) {
			snprintf(path, sizeof path, "/f%u", n);
			struct vnode *v = file_open(path, LX_O_CREAT | LX_O_RDWR);
			if (!v)
				break;
			for (u64 off = 0; off < 2 * MB; off += (u64)r) {
				r = file_write_at(v, data, 70000, off);
				if (r <= 0)
					break;
			}
			vnode_put(v);
		}
		assert_int_equal(r, -ENOSPC);
		assert_int_equal(fs_unlink(NULL, "/f0"), 0);
		write_file("/again", 500000, 7);
		expect("/again", 500000, 7);
		assert_int_equal(volume_unmount(m), 0);
		assert_int_equal(volume_check(d.data, d.size), 0);
		free(data);
		disk_free(&d);
	}
}

static void touch(const char *dir, unsigned from, unsigned n)
{
	struct vattr a = { .mode = 0600 };
	for (unsigned k = from; k < from + n; k++) {
		char path[40];
		/* Four inodes share a block: every fourth file has one of its own. */
		snprintf(path, sizeof path, "/%s/%u", dir, 4 * k);
		struct vnode *v = file_open(path, LX_O_RDONLY);
		assert_int_equal(fs_setattr(v, &a, VATTR_MODE), 0);
		vnode_put(v);
	}
}

/* A buffer that is in the oldest transaction of the log and in the one that is to be committed must not keep the log's tail. */
static void test_log_tail(void **state)
{
	struct disk d;
	volume_make(&d, 9 * MB, "-t ext3 -b 1024 -N 4096");
	struct mount *m = volume_mount(&d);
	struct ext4 *e = container_of(m, struct ext4, m);
	assert_int_equal(fs_mkdir(NULL, "/t", 0755), 0);
	for (unsigned k = 0; k < 3100; k++) {
		char path[40];
		snprintf(path, sizeof path, "/t/%u", k);
		vnode_put(file_open(path, LX_O_CREAT | LX_O_RDWR));
	}
	for (unsigned round = 0; round < 20; round++) {
		assert_int_equal(ext4_commit_now(e), 0);
		assert_int_equal(ext4_checkpoint(e), 0);
		for (unsigned part = 0; part < 4; part++) {
			touch("t", part % 3 * 256, part < 2 ? 240 + round : 256);
			assert_int_equal(ext4_commit_now(e), 0);
		}
	}
	assert_false(m->readonly);
	assert_int_equal(volume_unmount(m), 0);
	assert_int_equal(volume_check(d.data, d.size), 0);
	disk_free(&d);
}

static void test_failing_disk(void **state)
{
	for (u64 after = 1; after < 200; after += 9) {
		struct disk d;
		volume_make(&d, 16 * MB, "-t ext4 -b 4096");
		struct mount *m = volume_mount(&d);
		d.fail_after_writes = d.nwrites + after;
		u8 data[9000] = { 1 };
		bool failed = false;
		for (unsigned n = 0; n < 40 && !failed; n++) {
			char path[40];
			snprintf(path, sizeof path, "/f%u", n);
			struct vnode *v;
			bool created;
			failed = fs_open(NULL, path, LX_O_CREAT | LX_O_RDWR, 0644, 0, &v, &created) != 0;
			if (failed)
				break;
			failed = file_write_at(v, data, sizeof data, 0) < 0 || fs_fsync(v, false) != 0;
			vnode_put(v);
		}
		assert_true(failed);
		assert_true(m->readonly);
		volume_drop(m);
		/* What reached the disk before is a volume that recovers. */
		d.fail_after_writes = 0;
		m = volume_mount(&d);
		assert_int_equal(volume_unmount(m), 0);
		assert_int_equal(volume_check(d.data, d.size), 0);
		disk_free(&d);
	}
}

/* Freed blocks go to the device when that is durable, not before, and are used again only after that. */
static void test_discard(void **state)
{
	for (unsigned k = 0; k < 4; k++) {
		struct disk d;
		struct vattr a;
		volume_make(&d, 24 * MB, kinds[k]);
		disk_may_discard(&d);
		struct mount *m = volume_mount(&d);
		write_file("/stays", 300000, 1);
		write_file("/goes", 5 * MB, 2);
		write_file("/shorter", 3 * MB, 3);
		assert_int_equal(m->sync(m), 0);
		struct vnode *v = file_open("/shorter", LX_O_RDWR);
		fs_getattr(v, &a);
		u64 before = d.ndiscarded, blocks = a.blocks512;
		assert_int_equal(fs_unlink(NULL, "/goes"), 0);
		assert_int_equal(fs_truncate(v, 100000), 0);
		fs_getattr(v, &a);
		assert_true(d.ndiscarded == before);
		assert_int_equal(m->sync(m), 0);
		assert_true(d.ndiscarded - before >= 5 * MB + (blocks - a.blocks512) * 512);
		before = d.ndiscarded;
		assert_int_equal(m->sync(m), 0);
		assert_true(d.ndiscarded == before);
		vnode_put(v);
		write_file("/again", 6 * MB, 4);
		assert_int_equal(volume_unmount(m), 0);
		assert_int_equal(volume_check(d.data, d.size), 0);
		m = volume_mount(&d);
		expect("/stays", 300000, 1);
		expect("/again", 6 * MB, 4);
		/* The end of the machine is a commit too. */
		before = d.ndiscarded;
		assert_int_equal(fs_unlink(NULL, "/again"), 0);
		assert_int_equal(volume_unmount(m), 0);
		assert_true(d.ndiscarded - before >= 6 * MB);
		assert_int_equal(volume_check(d.data, d.size), 0);
		disk_free(&d);
	}
}

/* A full volume finds the blocks that wait to be discarded; a device that refuses is asked once. */
static void test_discard_full_and_refused(void **state)
{
	for (unsigned refused = 0; refused < 2; refused++) {
		struct disk d;
		volume_make(&d, 16 * MB, "-t ext4 -b 1024 -J size=1");
		disk_may_discard(&d);
		if (refused)
			d.dev.max_discard = 0;
		struct mount *m = volume_mount(&d);
		for (unsigned n = 0; n < 12; n++) {
			write_file("/f", 9 * MB, n);
			assert_int_equal(fs_unlink(NULL, "/f"), 0);
		}
		assert_int_equal(!d.ndiscarded, refused);
		assert_int_equal(volume_unmount(m), 0);
		assert_int_equal(volume_check(d.data, d.size), 0);
		disk_free(&d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mount_unmount), cmocka_unit_test(test_new_inodes_read_nothing), cmocka_unit_test(test_files_stay), cmocka_unit_test(test_sparse_punch_truncate),
		cmocka_unit_test(test_many_names), cmocka_unit_test(test_space_of_the_removed), cmocka_unit_test(test_unlinked_open_file), cmocka_unit_test(test_full_volume),
		cmocka_unit_test(test_log_tail), cmocka_unit_test(test_failing_disk), cmocka_unit_test(test_discard), cmocka_unit_test(test_discard_full_and_refused),
	};
	return cmocka_run_group_tests_name("fs_ext4", tests, fixture_setup, NULL);
}
