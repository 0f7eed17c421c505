/*
 * fs_ext4_grow_test.c - volumes on devices that became larger: grown at mount, e2fsck agrees, also with their copies of the
 * superblock, files stay, what is new can be used; the power may go at any write of it.
 */
#include "ext4_fixture.h"

#define MB (1024ul * 1024)

static const struct { const char *options; size_t from, to; } kinds[] = {
	{ "-t ext4 -b 4096 -g 1024", 16 * MB, 64 * MB },
	{ "-t ext4 -b 1024 -J size=1", 9 * MB, 150 * MB },
	{ "-t ext4 -b 1024 -g 1024 -N 512", 9 * MB, 77 * MB + 333 * 1024 },
	{ "-t ext4 -b 1024 -g 512 -N 256 -J size=1 -E resize=20480", 9 * MB, 99 * MB },        /* then meta_bg */
	{ "-t ext4 -b 1024 -g 512 -N 256 -J size=1 -O ^resize_inode", 9 * MB, 60 * MB },
	{ "-t ext4 -b 1024 -g 1024 -J size=1 -O ^resize_inode,meta_bg", 9 * MB, 60 * MB },
	{ "-t ext4 -b 1024 -g 1024 -J size=1 -O ^metadata_csum,^uninit_bg", 9 * MB, 60 * MB },
	{ "-t ext4 -b 1024 -g 1024 -J size=1 -O ^metadata_csum,uninit_bg,^64bit", 9 * MB, 60 * MB },
	{ "-t ext3 -b 1024 -g 1024 -J size=1", 9 * MB, 40 * MB },
	{ "-t ext2 -b 1024 -g 1024 -O ^sparse_super,^resize_inode", 5 * MB, 20 * MB },
	{ "-t ext4 -b 4096 -O ^has_journal", 16 * MB, 300 * MB },
};

static void pattern(u8 *p, size_t n, u32 seed)
{
	for (size_t k = 0; k < n; k++)
		p[k] = (u8)(seed + k * 7 + (k >> 9));
}

static void put_file(const char *path, size_t len, u32 seed)
{
	struct vnode *v = file_open(path, LX_O_CREAT | LX_O_RDWR);
	u8 *data = malloc(len);
	assert_non_null(v);
	pattern(data, len, seed);
	assert_int_equal(file_write_at(v, data, len, 0), (ssize_t)len);
	free(data);
	vnode_put(v);
}

static void expect_file(const char *path, size_t len, u32 seed)
{
	struct vnode *v = file_open(path, LX_O_RDONLY);
	u8 *have = malloc(len), *want = malloc(len);
	assert_non_null(v);
	assert_int_equal(v->size, len);
	assert_int_equal(file_read_at(v, have, len, 0), (ssize_t)len);
	pattern(want, len, seed);
	assert_memory_equal(have, want, len);
	vnode_put(v);
	free(have);
	free(want);
}

static void disk_enlarge(struct disk *d, size_t size)
{
	d->data = realloc(d->data, size);
	memset(d->data + d->size, 0xa5, size - d->size);     /* old contents, which mean nothing */
	d->size = size;
	d->dev.nsectors = size / 512;
}

/* e2fsck with the copy of the superblock in group 1. */
static int check_copy(const struct disk *d, u64 block, u32 block_size)
{
	char path[200], cmd[600];
	tool_path(path, sizeof path);
	image_put(path, d->data, d->size);
	snprintf(cmd, sizeof cmd, "PATH=$PATH:/sbin:/usr/sbin dumpe2fs -o superblock=%lu -o blocksize=%u %s 2>&1 | grep -c '^Group [0-9]*:'", (unsigned long)block, block_size, path);
	FILE *f = popen(cmd, "r");
	int n = 0;
	assert_int_equal(fscanf(f, "%d", &n), 1);
	(void)pclose(f);
	return n;
}

static void test_grow(void **state)
{
	for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++) {
		struct disk d;
		struct fs_statfs before, after;
		print_message("# %s\n", kinds[k].options);
		volume_make(&d, kinds[k].from, kinds[k].options);
		struct mount *m = volume_mount(&d);
		assert_int_equal(m->statfs(m, &before), 0);
		put_file("/old", 300000, 3);
		assert_int_equal(volume_unmount(m), 0);
		disk_enlarge(&d, kinds[k].to);
		m = volume_mount(&d);
		struct ext4 *e = container_of(m, struct ext4, m);
		u64 copy = ext4_group_first(e, 1);
		u32 groups = e->ngroups, size = e->block_size;
		assert_int_equal(m->statfs(m, &after), 0);
		assert_true(after.blocks * after.bsize > kinds[k].to - kinds[k].to / 4);
		assert_true(after.files > before.files);
		expect_file("/old", 300000, 3);
		assert_int_equal(volume_unmount(m), 0);
		assert_int_equal(volume_check(d.data, d.size), 0);
		if (groups > 1)
			assert_int_equal(check_copy(&d, copy, size), groups);
		m = volume_mount(&d);
		assert_int_equal(container_of(m, struct ext4, m)->ngroups, groups);
		char path[20];
		for (unsigned n = 0; n < 30; n++) {
			snprintf(path, sizeof path, "/dir%u", n);
			assert_int_equal(fs_mkdir(NULL, path, 0755), 0);
		}
		for (unsigned n = 0; n < 30; n++) {
			snprintf(path, sizeof path, "/dir%u/f", n);
			put_file(path, kinds[k].to / 50, n);
		}
		expect_file("/dir7/f", kinds[k].to / 50, 7);
		assert_int_equal(volume_unmount(m), 0);
		assert_int_equal(volume_check(d.data, d.size), 0);
		disk_free(&d);
	}
}

/* Once more, in small steps, as a user does it. */
static void test_grow_again(void **state)
{
	struct disk d;
	volume_make(&d, 9 * MB, "-t ext4 -b 1024 -g 512 -N 256 -J size=1 -E resize=20480");
	for (size_t size = 9 * MB; size < 30 * MB; size += 1234 * 1024) {
		if (size > d.size)
			disk_enlarge(&d, size);
		struct mount *m = volume_mount(&d);
		char path[30];
		snprintf(path, sizeof path, "/f%zu", size);
		put_file(path, 200000, (u32)size);
		expect_file("/f9437184", 200000, 9437184);
		assert_int_equal(volume_unmount(m), 0);
		assert_int_equal(volume_check(d.data, d.size), 0);
	}
	disk_free(&d);
}

static void test_not_possible(void **state)
{
	struct disk d;
	volume_make(&d, 16 * MB, "-t ext4 -b 1024 -O sparse_super2,^resize_inode");
	disk_enlarge(&d, 40 * MB);
	struct mount *m = volume_mount(&d);
	assert_true(container_of(m, struct ext4, m)->nblocks <= 16 * 1024);
	put_file("/f", 1000, 1);
	assert_int_equal(volume_unmount(m), 0);
	assert_int_equal(volume_check(d.data, d.size), 0);
	disk_free(&d);
}

/* The power goes while it grows: the next mount goes on, and nothing is broken. */
static void test_cuts(void **state)
{
	const unsigned which[] = { 2, 3, 7, 8 };
	for (unsigned w = 0; w < ARRAY_SIZE(which); w++) {
		struct disk d, after;
		unsigned k = which[w];
		size_t to = kinds[k].from + 12 * MB;
		volume_make(&d, kinds[k].from, kinds[k].options);
		struct mount *m = volume_mount(&d);
		put_file("/old", 300000, 3);
		assert_int_equal(volume_unmount(m), 0);
		disk_enlarge(&d, to);
		u8 *base = malloc(to);
		memcpy(base, d.data, to);
		d.record = true;
		m = volume_mount(&d);
		size_t total = d.nevents;
		d.record = false;
		volume_drop(m);
		disk_init(&after, to);
		for (unsigned n = 0; n < 12; n++) {
			size_t cut = total * (n + 1) / 12;
			memcpy(after.data, base, to);
			for (size_t x = 0; x < cut; x++)
				if (!d.events[x].flush)
					memcpy(after.data + d.events[x].at, d.events[x].data, d.events[x].len);
			m = volume_mount(&after);
			assert_true(container_of(m, struct ext4, m)->nblocks > kinds[k].from / 1024 + 11 * 1024);
			expect_file("/old", 300000, 3);
			assert_int_equal(volume_unmount(m), 0);
			assert_int_equal(volume_check(after.data, after.size), 0);
		}
		disk_free(&after);
		disk_current = &d;
		disk_free(&d);
		free(base);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grow), cmocka_unit_test(test_grow_again), cmocka_unit_test(test_not_possible), cmocka_unit_test(test_cuts),
	};
	return cmocka_run_group_tests_name("fs_ext4_grow", tests, fixture_setup, NULL);
}
