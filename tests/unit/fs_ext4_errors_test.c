/*
 * fs_ext4_errors_test.c - disks that fail, by chosen sectors, at a flush, or altogether: the volume turns read-only with one
 * event, each open file gets EIO from one sync, nothing hangs, and what is on the disk recovers.
 */
#include "ext4_fixture.h"
#include "proc/file.h"

#define MB (1024ul * 1024)

static unsigned events;
static int event_error;
static void count_event(const struct mount *m, const char *what, int error)
{
	events++;
	event_error = error;
	assert_non_null(what);
}

static struct file *open_file(const char *path, u32 flags)
{
	struct vnode *v = file_open(path, flags);
	struct file *f;
	assert_non_null(v);
	assert_int_equal(file_from_vnode(v, flags, &f), 0);
	vnode_put(v);
	return f;
}

static ssize_t put(struct file *f, size_t len, u64 off)
{
	static u8 data[100000];
	struct uio u;
	uio_init_kernel(&u, data, len);
	return file_write(f, &u, &off, false);
}

static struct mount *fresh(struct disk *d)
{
	volume_make(d, 16 * MB, "-t ext4 -b 4096");
	events = 0;
	fs_failed_hook = count_event;
	return volume_mount(d);
}

/* After a failure: nothing is written any more; a mount of what is there recovers. */
static void expect_recovery(struct disk *d, struct mount *m)
{
	assert_true(m->readonly);
	assert_int_equal(events, 1);
	volume_drop(m);
	d->fail_after_writes = d->bad_to = 0;
	d->fail_flush = d->gone = false;
	m = volume_mount(d);
	assert_int_equal(volume_unmount(m), 0);
	assert_int_equal(volume_check(d->data, d->size), 0);
	disk_free(d);
}

/* Each open file is told once, whoever wrote; one that is opened afterwards is not. */
static void expect_told(struct file **f, unsigned n)
{
	for (unsigned k = 0; k < n; k++)
		assert_int_equal(file_sync(f[k], k % 2), -EIO);
	for (unsigned k = 0; k < n; k++) {
		assert_int_equal(file_sync(f[k], false), -EROFS);
		assert_true(file_failed_once(f[k], FILE_TOLD_SYNCFS));
		assert_false(file_failed_once(f[k], FILE_TOLD_SYNCFS));
		assert_int_equal(put(f[k], 10, 0), -EROFS);
	}
	struct file *late = open_file("/a", LX_O_RDONLY);
	assert_int_equal(file_sync(late, false), -EROFS);
	assert_false(file_failed_once(late, FILE_TOLD_SYNCFS));
	file_put(late);
	for (unsigned k = 0; k < n; k++)
		file_put(f[k]);
}

static void test_bad_sectors(void **state)
{
	struct disk d;
	struct mount *m = fresh(&d);
	struct file *f[3] = { open_file("/a", LX_O_CREAT | LX_O_RDWR), open_file("/a", LX_O_RDWR), open_file("/b", LX_O_CREAT | LX_O_RDWR) };
	assert_int_equal(put(f[0], 50000, 0), 50000);
	for (unsigned k = 0; k < 3; k++)
		assert_int_equal(file_sync(f[k], false), 0);
	struct ext4_map map;
	assert_int_equal(ext4_map(ext4_inode(f[0]->vnode), 3, &map), 0);
	d.bad_from = map.block * 4096;
	d.bad_to = d.bad_from + 4096;
	assert_int_equal(put(f[2], 5000, 0), 5000);
	assert_int_equal(file_sync(f[2], false), 0);
	assert_int_equal(put(f[1], 50000, 0), 50000);
	expect_told(f, 3);
	assert_int_equal(event_error, -EIO);
	expect_recovery(&d, m);
}

static void test_failing_flush(void **state)
{
	struct disk d;
	struct mount *m = fresh(&d);
	struct file *f[2] = { open_file("/a", LX_O_CREAT | LX_O_RDWR), open_file("/b", LX_O_CREAT | LX_O_RDWR) };
	assert_int_equal(put(f[0], 5000, 0), 5000);
	d.fail_flush = true;
	expect_told(f, 2);
	expect_recovery(&d, m);
}

/* The log cannot be written: the failure comes from a sync of the volume, and nobody asked for a file. */
static void test_failing_journal(void **state)
{
	struct disk d;
	struct mount *m = fresh(&d);
	struct file *f[1] = { open_file("/a", LX_O_CREAT | LX_O_RDWR) };
	struct ext4 *e = ext4_of(f[0]->vnode);
	d.bad_from = e->j.map[0] * 4096;
	d.bad_to = d.bad_from + (u64)e->j.nblocks * 4096;
	assert_int_equal(put(f[0], 5000, 0), 5000);
	assert_int_equal(m->sync(m), -EIO);
	expect_told(f, 1);
	expect_recovery(&d, m);
}

/* What e2fsck and Linux read of it. */
static void expect_marked(const struct disk *d, unsigned count, u64 block, const char *what, u8 code)
{
	const struct ext4_super *s = (const struct ext4_super *)(const void *)(d->data + EXT4_SB_OFFSET);
	assert_true(s->state & EXT4_ERROR_FS);
	assert_int_equal(s->error_count, count);
	assert_true(s->first_error_time && s->last_error_time);
	assert_int_equal(s->last_error_block, block);
	assert_string_equal(s->last_error_func, what);
	assert_int_equal(s->last_error_errcode, code);
	assert_int_equal(s->first_error_errcode, 5);
	assert_string_equal(s->first_error_func, "something of a test");
	assert_int_equal(volume_check(d->data, d->size), 0);
}

/* An error stays written on the volume, through a replay of an older superblock, until e2fsck takes it away. */
static void test_error_mark(void **state)
{
	static const char *const some[] = { "-t ext4 -b 4096", "-t ext4 -b 1024", "-t ext4 -O ^has_journal", "-t ext3" };
	for (unsigned k = 0; k < ARRAY_SIZE(some); k++) {
		struct disk d;
		volume_make(&d, 16 * MB, some[k]);
		fs_failed_hook = NULL;
		struct mount *m = volume_mount(&d);
		struct file *f = open_file("/a", LX_O_CREAT | LX_O_RDWR);
		assert_int_equal(put(f, 50000, 0), 50000);
		assert_int_equal(m->sync(m), 0);
		assert_int_equal(ext4_corrupted(container_of(m, struct ext4, m), 77, "something of a test"), -EUCLEAN);
		file_put(f);
		volume_drop(m);
		m = volume_mount(&d);
		assert_false(m->readonly);
		expect_marked(&d, 1, 77, "something of a test", 5);
		assert_int_equal(fs_mkdir(NULL, "/dir", 0755), 0);
		assert_int_equal(m->sync(m), 0);
		d.bad_to = d.size;
		d.bad_from = 12 * MB;
		assert_int_equal(ext4_fail(container_of(m, struct ext4, m), "a write", -EIO), -EIO);
		d.bad_to = 0;
		volume_drop(m);
		m = volume_mount(&d);
		assert_int_equal(volume_unmount(m), 0);
		expect_marked(&d, 2, 0, "a write", 2);
		disk_free(&d);
	}
}

static bool next_name(void *arg, const char *name, size_t len, u64 ino, enum vnode_type type, u64 next)
{
	return true;
}

static void test_disk_vanishes(void **state)
{
	for (unsigned journal = 0; journal < 2; journal++) {
		struct disk d;
		volume_make(&d, 16 * MB, journal ? "-t ext4 -b 4096" : "-t ext4 -O ^has_journal");
		events = 0;
		fs_failed_hook = count_event;
		struct mount *m = volume_mount(&d);
		struct file *f[2] = { open_file("/a", LX_O_CREAT | LX_O_RDWR), open_file("/b", LX_O_CREAT | LX_O_RDWR) };
		struct vnode *v;
		bool created;
		u8 buf[100];
		assert_int_equal(fs_mkdir(NULL, "/dir", 0755), 0);
		assert_int_equal(put(f[0], 50000, 0), 50000);
		assert_int_equal(put(f[1], 5000, 0), 5000);
		assert_int_equal(m->sync(m), 0);
		d.gone = true;
		assert_int_equal(put(f[1], 5000, 100000), 5000);
		expect_told(f, 2);
		assert_int_equal(fs_open(NULL, "/new", LX_O_CREAT | LX_O_RDWR, 0644, 0, &v, &created), -EROFS);
		assert_int_equal(fs_unlink(NULL, "/a"), -EROFS);
		assert_int_equal(fs_mkdir(NULL, "/other", 0755), -EROFS);
		assert_int_equal(fs_namei(NULL, "/a", 0, &v), 0);
		vm_object_drop(v->object, 0, UINT64_MAX);
		assert_int_equal(file_read_at(v, buf, sizeof buf, 0), -EIO);
		vnode_put(v);
		assert_int_equal(fs_namei(NULL, "/dir", 0, &v), 0);
		(void)fs_readdir(v, 0, next_name, NULL);
		vnode_put(v);
		if (journal) {
			expect_recovery(&d, m);
			continue;
		}
		volume_drop(m);
		disk_free(&d);
	}
}

/* O_DIRECT: the bytes are on the device when write returns; O_DSYNC: durable, so is the size. */
static void test_direct_and_dsync(void **state)
{
	struct disk d;
	struct mount *m = fresh(&d);
	struct file *f = open_file("/a", LX_O_CREAT | LX_O_RDWR | LX_O_DIRECT);
	struct file *g = open_file("/b", LX_O_CREAT | LX_O_RDWR | LX_O_DSYNC);
	assert_int_equal(put(f, 8192, 4096), 8192);
	assert_false(vm_object_is_dirty(f->vnode->object));
	u64 flushes = d.nflushes;
	assert_int_equal(put(f, 8192, 4096), 8192);
	assert_int_equal(d.nflushes, flushes);
	assert_int_equal(put(g, 100, 0), 100);
	assert_true(d.nflushes > flushes);
	assert_false(vm_object_is_dirty(g->vnode->object));
	u8 *image = malloc(d.size);
	memcpy(image, d.data, d.size);
	file_put(f);
	file_put(g);
	assert_int_equal(volume_unmount(m), 0);
	memcpy(d.data, image, d.size);
	free(image);
	m = volume_mount(&d);
	struct vnode *v = file_open("/b", LX_O_RDONLY);
	assert_int_equal(v->size, 100);
	vnode_put(v);
	assert_int_equal(volume_unmount(m), 0);
	disk_free(&d);
}

static void write_back(void *arg)
{
	ext4_write_dirty(arg, 0);
}

/* Somebody else is writing the file's pages back: fsync returns when they are on the device too. */
static void test_sync_waits_for_others(void **state)
{
	struct disk d;
	static u8 data[60000];
	volume_make(&d, 16 * MB, "-t ext4 -b 1024");
	struct mount *m = volume_mount(&d);
	struct file *f = open_file("/a", LX_O_CREAT | LX_O_RDWR);
	struct ext4 *e = ext4_of(f->vnode);
	memset(data, 'x', sizeof data);
	assert_int_equal(file_write_at(f->vnode, data, sizeof data, 0), sizeof data);
	struct thread *t = thread_create("write-back", write_back, e);
	thread_start(t);
	thread_yield();
	assert_int_equal(file_sync(f, true), 0);
	u8 *image = malloc(d.size);
	memcpy(image, d.data, d.size);
	thread_join(t);
	thread_put(t);
	for (u64 k = 0; k < sizeof data / 1024; k++) {
		struct ext4_map map;
		mutex_lock(&e->meta);
		assert_int_equal(ext4_map(ext4_inode(f->vnode), k, &map), 0);
		mutex_unlock(&e->meta);
		assert_memory_equal(image + map.block * 1024, data, 1024);
	}
	free(image);
	file_put(f);
	assert_int_equal(volume_unmount(m), 0);
	disk_free(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_sectors), cmocka_unit_test(test_failing_flush), cmocka_unit_test(test_failing_journal),
		cmocka_unit_test(test_error_mark), cmocka_unit_test(test_disk_vanishes), cmocka_unit_test(test_direct_and_dsync), cmocka_unit_test(test_sync_waits_for_others),
	};
	return cmocka_run_group_tests_name("fs_ext4_errors", tests, fixture_setup, NULL);
}
