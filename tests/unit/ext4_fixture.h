/*
 * ext4_fixture.h - what the tests of kernel/fs/ext4 share: volumes made by mke2fs, a disk in memory that
 * records what is written (what is discarded is overwritten at once), and e2fsck as the judge.
 */
#ifndef EXT4_FIXTURE_H
#define EXT4_FIXTURE_H

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#undef POLL_IN
#undef POLL_OUT
#undef POLL_ERR
#undef POLL_PRI
#undef POLL_HUP

#include "fs/ext4/ext4.h"
#include "fs/ext4/mount.h"
#include "fs_fixture.h"

/* ---- A disk that takes writes, remembers them in order, and can fail ---- */

struct disk_event {
	bool flush;
	u64 at;
	u32 len;
	u8 *data;
};

struct disk {
	struct blkdev dev;
	u8 *data;
	size_t size;
	struct list queue;
	bool record;
	struct disk_event *events;
	size_t nevents, max_events;
	u64 nwrites, nreads, nflushes, ndiscarded;   /* the last in bytes */
	u64 fail_after_writes;       /* from this write on -EIO; 0: never */
	bool fail_flush, gone;       /* flushes fail; everything does */
	u64 bad_from, bad_to;        /* writes to these bytes fail */
};

static struct disk *disk_current;

static inline void disk_record(struct disk *d, bool flush, u64 at, const void *data, u32 len)
{
	if (!d->record)
		return;
	if (d->nevents == d->max_events) {
		d->max_events = d->max_events ? d->max_events * 2 : 1024;
		d->events = realloc(d->events, d->max_events * sizeof *d->events);
	}
	u8 *copy = len ? malloc(len) : NULL;
	if (len)
		memcpy(copy, data, len);
	d->events[d->nevents++] = (struct disk_event){ flush, at, len, copy };
}

/* Nobody may miss what was there: worse than zeroes. */
static inline int disk_discard(struct disk *d, u64 at, u32 len)
{
	if (at + len > d->size)
		return -EIO;
	memset(d->data + at, 0xdc, len);
	disk_record(d, false, at, d->data + at, len);
	d->ndiscarded += len;
	return 0;
}

static inline int disk_transfer(struct disk *d, struct blk_request *rq)
{
	u64 at = rq->sector * 512;

	if (d->gone)
		return -EIO;
	if (rq->op == BLK_FLUSH) {
		d->nflushes++;
		if (d->fail_flush)
			return -EIO;
		disk_record(d, true, 0, NULL, 0);
		return d->fail_after_writes && d->nwrites >= d->fail_after_writes ? -EIO : 0;
	}
	if (rq->op == BLK_DISCARD)
		return disk_discard(d, at, rq->segs[0].len);
	for (unsigned i = 0; i < rq->nsegs; i++) {
		void *mem = arch_phys_to_virt(rq->segs[i].pa);
		u32 len = rq->segs[i].len;
		if (at + len > d->size)
			return -EIO;
		if (rq->op == BLK_READ) {
			memcpy(mem, d->data + at, len);
			d->nreads++;
		} else {
			if (d->fail_after_writes && ++d->nwrites >= d->fail_after_writes)
				return -EIO;
			if (at < d->bad_to && at + len > d->bad_from)
				return -EIO;
			memcpy(d->data + at, mem, len);
			disk_record(d, false, at, mem, len);
		}
		at += len;
	}
	return 0;
}

static inline void disk_idle(void)
{
	struct list *l;
	while (disk_current && (l = list_pop(&disk_current->queue))) {
		struct blk_request *rq = list_entry(l, struct blk_request, link);
		rq->status = disk_transfer(disk_current, rq);
		rq->done(rq);
	}
}

static inline int disk_submit(struct blkdev *b, struct blk_request *rq)
{
	struct disk *d = container_of(b, struct disk, dev);
	list_append(&d->queue, &rq->link);
	return 0;
}

/* Over memory that is the caller's. */
static inline void disk_init_over(struct disk *d, u8 *data, size_t size)
{
	static const struct blkdev_ops ops = { .submit = disk_submit };
	memset(d, 0, sizeof *d);
	d->dev.ops = &ops;
	d->dev.nsectors = size / 512;
	d->dev.block_size = 512;
	d->dev.max_segs = 32;
	d->dev.max_seg_len = 1 << 20;
	d->dev.has_flush = true;
	str_copy(d->dev.name, "vdb", sizeof d->dev.name);
	d->size = size;
	d->data = data;
	list_init(&d->queue);
	disk_current = d;
	host_idle_hook = disk_idle;
}

static inline void disk_init(struct disk *d, size_t size)
{
	disk_init_over(d, calloc(1, size), size);
}

static inline void disk_forget_events(struct disk *d)
{
	for (size_t k = 0; k < d->nevents; k++)
		free(d->events[k].data);
	d->nevents = 0;
}

static inline void disk_free(struct disk *d)
{
	disk_forget_events(d);
	free(d->events);
	free(d->data);
	heap_free(d->dev.queue);
	disk_current = NULL;
}

/* ---- Tools of e2fsprogs ---- */

/* A file in memory that e2fsprogs can open by name: on a disk of the host they would wait for it at each end. */
static inline void tool_path(char *buf, size_t size)
{
	static int fd = -1;
	if (fd < 0)
		fd = memfd_create("volume", 0);
	assert_true(fd >= 0);
	snprintf(buf, size, "/proc/self/fd/%d", fd);
}

static inline void image_put(const char *path, const u8 *data, size_t size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
	/* Sparse: most of a volume is zero. */
	for (size_t at = 0; at < size; at += 4096) {
		static const u8 zero[4096];
		size_t n = MIN((size_t)4096, size - at);
		if (memcmp(data + at, zero, n))
			assert_int_equal(pwrite(fd, data + at, n, (off_t)at), (ssize_t)n);
	}
	close(fd);
}

static inline void image_get(const char *path, u8 *data, size_t size)
{
	int fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	for (size_t at = 0; at < size;) {
		ssize_t n = pread(fd, data + at, size - at, (off_t)at);
		assert_true(n > 0);
		at += (size_t)n;
	}
	close(fd);
}

/* Volumes are mounted with discard from now on. */
static inline void disk_may_discard(struct disk *d)
{
	d->dev.has_discard = true;
	d->dev.max_discard = 1000;           /* sectors: no multiple of anything */
}

/* A fresh volume as `mke2fs OPTIONS` makes it. */
static inline void volume_make(struct disk *d, size_t size, const char *options)
{
	char path[200], cmd[1200];
	disk_init(d, size);
	tool_path(path, sizeof path);
	snprintf(cmd, sizeof cmd, "truncate -s 0 %s && truncate -s %zu %s && PATH=$PATH:/sbin:/usr/sbin mke2fs -q -F -E lazy_itable_init=1 %s %s >/dev/null 2>&1", path,
		 size, path, options, path);
	assert_int_equal(system(cmd), 0);
	image_get(path, d->data, size);
}

/* e2fsck's verdict; prints what it says when it is not content, and keeps the volume as PITH_KEEP_VOLUME. */
static inline int volume_check(const u8 *data, size_t size)
{
	char path[200], cmd[1200];
	tool_path(path, sizeof path);
	image_put(path, data, size);
	snprintf(cmd, sizeof cmd, "PATH=$PATH:/sbin:/usr/sbin; said=$(e2fsck -fn %s 2>&1); status=$?; [ $status = 0 ] || echo \"$said\" | head -n 30 >&2; "
		 "[ $status = 0 ] || [ -z \"$PITH_KEEP_VOLUME\" ] || cp %s \"$PITH_KEEP_VOLUME\"; exit $status", path, path);
	return WEXITSTATUS(system(cmd));
}

/* ---- Mounted as the root ---- */

static inline struct mount *volume_mount(struct disk *d)
{
	struct mount *m = NULL;
	int r = ext4_open(&d->dev, 0, d->dev.has_discard ? FS_MOUNT_DISCARD : 0, &m);
	assert_int_equal(r, 0);
	assert_int_equal(mount_attach(m, NULL), 0);
	return m;
}

static inline int volume_unmount(struct mount *m)
{
	int r = ext4_finish(m);
	mount_detach_root(m);
	while (dcache_shrink(1000))
		;
	(void)ext4_close(m);
	return r;
}

/* As if the machine had lost its power: nothing more is written. */
static inline void volume_drop(struct mount *m)
{
	struct ext4 *e = container_of(m, struct ext4, m);
	e->failed = true;
	m->readonly = true;
	journal_stop(e);
	ext4_forget_changes(e);
	volume_unmount(m);
}

/* ---- Files ---- */

static inline struct vnode *file_open(const char *path, u32 flags)
{
	struct vnode *v;
	bool created;
	int r = fs_open(NULL, path, flags, 0644, 0, &v, &created);
	if (r)
		print_message("open %s: %d\n", path, r);
	return r ? NULL : v;
}

static inline ssize_t file_write_at(struct vnode *v, const void *data, size_t len, u64 off)
{
	struct uio u;
	uio_init_kernel(&u, (void *)(uintptr_t)data, len);
	return fs_write(v, &u, off, false, false, NULL);
}

static inline ssize_t file_read_at(struct vnode *v, void *data, size_t len, u64 off)
{
	struct uio u;
	uio_init_kernel(&u, data, len);
	return fs_read(v, &u, off, false);
}

#endif
