/*
 * fs_fixture.h - what the tests of kernel/fs share: cmocka, a disk in memory, a root of tmpfs.
 */
#ifndef FS_FIXTURE_H
#define FS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "arch/host/host.h"
#include "blk/blk.h"
#include "fs/internal.h"
#include "fs/pseudo.h"
#include "fs/tmpfs.h"
#include "sched/thread.h"

/* ---- A disk: requests are done when the CPU idles, as a device would ---- */

struct ram_disk {
	struct blkdev dev;
	u8 *data;
	struct list queue;
	unsigned nrequests;
	int fail;                    /* status of every request, 0 = work */
};

static struct ram_disk *ram_disk_current;

static inline int ram_disk_submit(struct blkdev *d, struct blk_request *rq)
{
	struct ram_disk *r = container_of(d, struct ram_disk, dev);
	list_append(&r->queue, &rq->link);
	return 0;
}

static inline void ram_disk_do(struct ram_disk *r, struct blk_request *rq)
{
	u64 at = rq->sector * 512;
	rq->status = r->fail;
	r->nrequests++;
	for (unsigned i = 0; i < rq->nsegs && !rq->status; i++) {
		if (at + rq->segs[i].len > r->dev.nsectors * 512) {
			rq->status = -EIO;
			break;
		}
		memcpy(arch_phys_to_virt(rq->segs[i].pa), r->data + at, rq->segs[i].len);
		at += rq->segs[i].len;
	}
	rq->done(rq);
}

static inline void ram_disk_idle(void)
{
	struct list *l;
	while (ram_disk_current && (l = list_pop(&ram_disk_current->queue)))
		ram_disk_do(ram_disk_current, list_entry(l, struct blk_request, link));
}

static inline void ram_disk_init(struct ram_disk *r, u8 *data, size_t len)
{
	static const struct blkdev_ops ops = { .submit = ram_disk_submit };
	memset(r, 0, sizeof *r);
	r->dev.ops = &ops;
	r->dev.nsectors = len / 512;
	r->dev.block_size = 512;
	r->dev.max_segs = 64;
	r->dev.max_seg_len = 1 << 20;
	r->dev.readonly = true;
	str_copy(r->dev.name, "vda", sizeof r->dev.name);
	r->data = data;
	list_init(&r->queue);
	ram_disk_current = r;
	host_idle_hook = ram_disk_idle;
}

/* ---- A root in memory ---- */

static inline struct tmpfs *fixture_tmpfs_root(u64 max_bytes)
{
	struct tmpfs *t;
	int r = tmpfs_new("tmpfs", max_bytes, 0755, &t);
	if (!r)
		r = mount_attach(&t->m, NULL);
	return r ? NULL : t;
}

static inline int fixture_setup(void **state)
{
	host_sched_start();
	fs_owner_uid = fs_owner_gid = 0;
	return 0;
}

/* A file's contents from text; 0 or errno. */
static inline int fixture_write(const char *path, const char *text)
{
	struct vnode *v;
	struct uio u;
	bool created;
	int r = fs_open(NULL, path, LX_O_CREAT | LX_O_WRONLY | LX_O_TRUNC, 0644, 0, &v, &created);
	if (r)
		return r;
	uio_init_kernel(&u, (void *)(uintptr_t)text, strlen(text));
	ssize_t n = fs_write(v, &u, 0, false, false, NULL);
	vnode_put(v);
	return n == (ssize_t)strlen(text) ? 0 : n < 0 ? (int)n : -EIO;
}

/* Up to size bytes of a file as text; bytes or errno. Generated files are opened as proc/ does. */
static inline ssize_t fixture_read(const char *path, char *buf, size_t size)
{
	struct vnode *v;
	struct uio u;
	bool created;
	int r = fs_open(NULL, path, LX_O_RDONLY, 0, 0, &v, &created);
	if (r)
		return r;
	uio_init_kernel(&u, buf, size);
	ssize_t n;
	if (v->ops->open) {
		void *h = NULL;
		n = v->ops->open(v, &h);
		if (!n) {
			n = v->ops->read_handle(v, h, &u, 0);
			v->ops->close(v, h);
		}
	} else {
		n = fs_read(v, &u, 0, false);
	}
	vnode_put(v);
	if (n >= 0 && (size_t)n < size)
		buf[n] = '\0';
	return n;
}

#endif
