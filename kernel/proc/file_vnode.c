/*
 * file_vnode.c - files of the file systems as open files.
 *
 * Invariants:
 *  1. f->vnode holds a reference from file_from_vnode to release.
 *  2. ops->open was called exactly if the file is not O_PATH; f->handle is its answer.
 *
 * Locks: those of fs/. What can fail: what the file system says; writes beyond RLIMIT_FSIZE.
 */
#include "proc/file.h"
#include "proc/link_vnode.h"
#include "proc/locks.h"
#include "proc/notify.h"
#include "proc/pipe.h"
#include "proc/signal.h"
#include "vm/aspace.h"

static COLD NOINLINE ssize_t told(struct vnode *v, u32 mask, ssize_t n)
{
	notify_vnode(v, mask);
	return n;
}

/* The result n of an operation on v: who watches it hears of it, if it did something. */
static ALWAYS_INLINE ssize_t result(struct vnode *v, u32 mask, ssize_t n)
{
	return n > 0 && unlikely(__atomic_load_n(&notify_watches, __ATOMIC_RELAXED)) ? told(v, mask, n) : n;
}

static ssize_t vnode_file_read(struct file *f, struct uio *u, u64 off, bool nonblock)
{
	struct vnode *v = f->vnode;

	if (unlikely(v->ops->read_handle != NULL))
		return v->ops->read_handle(v, f->handle, u, off);
	return result(v, LX_IN_ACCESS, fs_read(v, u, off, nonblock));
}

/* RLIMIT_FSIZE: cut the write at the limit; -EFBIG and SIGXFSZ if nothing is left. */
static COLD int limit_check(struct vnode *v, struct uio *u, u64 off)
{
	u64 limit = READ_ONCE(process_rlimits[RLIM_FSIZE].cur);

	if (off >= limit) {
		if (task_current())
			signal_send(task_current(), SIG_XFSZ, NULL);
		return -EFBIG;
	}
	u->resid = MIN(u->resid, limit - off);
	return 0;
}

/* A write with O_DSYNC or O_DIRECT ended at end. */
static COLD ssize_t write_through(struct file *f, u32 flags, u64 end, ssize_t n)
{
	int r = flags & LX_O_DSYNC ? file_sync(f, (flags & LX_O_SYNC) != LX_O_SYNC) : fs_write_out(f->vnode, end - (u64)n, (u64)n);

	return r < 0 ? r : n;
}

static NOINLINE ssize_t regular_write(struct file *f, struct uio *u, u64 off, bool nonblock, u64 *ret_new_off)
{
	struct vnode *v = f->vnode;
	u32 flags = file_flags(f);
	ssize_t n = 0;

	if (unlikely(!u->resid))
		return 0;
	if (unlikely(READ_ONCE(process_rlimits[RLIM_FSIZE].cur) != UINT64_MAX))
		n = limit_check(v, u, flags & LX_O_APPEND ? READ_ONCE(v->size) : off);
	if (likely(n == 0))
		n = fs_write(v, u, off, flags & LX_O_APPEND, nonblock, ret_new_off);
	if (likely(n > 0)) {
		notify_vnode(v, LX_IN_MODIFY);
		if (unlikely(flags & (LX_O_DSYNC | LX_O_DIRECT)))
			n = write_through(f, flags, *ret_new_off, n);
	}
	return n;
}

static ssize_t vnode_file_write(struct file *f, struct uio *u, u64 off, bool nonblock, u64 *ret_new_off)
{
	struct vnode *v = f->vnode;

	if (v->type == VNODE_REG)
		return regular_write(f, u, off, nonblock, ret_new_off);
	if (unlikely(!u->resid))
		return 0;
	return result(v, LX_IN_MODIFY, v->ops->write ? v->ops->write(v, u, off, nonblock) : -EINVAL);
}

/* Of devices that move the bytes themselves: each read and write is their operation, wherever it is. */
static ssize_t device_read(struct file *f, struct uio *u, u64 off, bool nonblock)
{
	struct vnode *v = f->vnode;

	return result(v, LX_IN_ACCESS, v->ops->read(v, u, off, nonblock));
}

static ssize_t device_write(struct file *f, struct uio *u, u64 off, bool nonblock, u64 *ret_new_off)
{
	struct vnode *v = f->vnode;

	return result(v, LX_IN_MODIFY, v->ops->write(v, u, off, nonblock));
}

bool file_failed_once(struct file *f, unsigned kind)
{
	struct mount *m = f->vnode->mount;

	if (likely(!READ_ONCE(m->failed)) || __atomic_fetch_or(&f->told_failed, (u8)kind, __ATOMIC_RELAXED) & kind)
		return false;
	WRITE_ONCE(m->failed, FS_FAILED_SEEN);
	return true;
}

int file_sync(struct file *f, bool data_only)
{
	struct vnode *v = f->vnode;

	if (!v || (v->type != VNODE_REG && v->type != VNODE_DIR))
		return -EINVAL;
	int r = fs_fsync(v, data_only);
	return unlikely(READ_ONCE(v->mount->failed)) ? file_failed_once(f, FILE_TOLD_SYNC) ? -EIO : -EROFS : r;
}

static u32 vnode_file_poll(struct file *f, struct poll_table *pt)
{
	return fs_poll(f->vnode, pt);
}

static int vnode_file_ioctl(struct file *f, u32 cmd, void *kbuf)
{
	return f->vnode->ops->ioctl ? f->vnode->ops->ioctl(f->vnode, cmd, kbuf) : -ENOTTY;
}

static int vnode_file_mmap_object(struct file *f, struct vm_map_request *rq, bool shared)
{
	u32 seals;

	if (shared && fs_memfile_seals(f->vnode, &seals) == 0 && seals & (LX_F_SEAL_WRITE | LX_F_SEAL_FUTURE_WRITE)) {
		if (rq->prot & VM_PROT_WRITE)
			return -EPERM;
		rq->max_prot &= ~VM_PROT_WRITE;
	}
	return fs_mmap_object(f->vnode, shared, &rq->object);
}

static int vnode_file_getattr(struct file *f, struct vattr *ret)
{
	return fs_getattr(f->vnode, ret);
}

static ssize_t vnode_file_describe(struct file *f, char *buf, size_t size)
{
	return fs_path_show(f->vnode, buf, size);
}

static void vnode_file_flush(struct file *f)
{
	if (f->vnode->locks)
		locks_close(f);
}

static void vnode_file_release(struct file *f)
{
	struct vnode *v = f->vnode;

	if (v->locks)
		locks_file_gone(f);
	notify_vnode(v, file_can_write(f) ? LX_IN_CLOSE_WRITE : LX_IN_CLOSE_NOWRITE);
	if (v->ops->close)
		v->ops->close(v, f->handle);
	vnode_put(v);
}

static void path_file_release(struct file *f)
{
	vnode_put(f->vnode);
}

#define VNODE_FILE_OPS(reads, writes)                                                  \
	.kind = "vnode", .read = reads, .write = writes,                               \
	.ioctl = vnode_file_ioctl, .mmap_object = vnode_file_mmap_object,              \
	.getattr = vnode_file_getattr, .describe = vnode_file_describe,                \
	.flush = vnode_file_flush, .release = vnode_file_release, .seekable = true

static const struct file_ops vnode_file_ops = { VNODE_FILE_OPS(vnode_file_read, vnode_file_write) };
/* Generated files and devices that can be waited for. */
static const struct file_ops vnode_poll_file_ops = { VNODE_FILE_OPS(vnode_file_read, vnode_file_write), .poll = vnode_file_poll };
/* /dev/null, zero, full, random, urandom. */
static const struct file_ops device_file_ops = { VNODE_FILE_OPS(device_read, device_write) };
const struct file_ops path_file_ops = {
	.kind = "path",
	.getattr = vnode_file_getattr,
	.describe = vnode_file_describe,
	.release = path_file_release,
};

static const struct file_ops *ops_of(const struct vnode *v, u32 flags)
{
	if (flags & LX_O_PATH)
		return &path_file_ops;
	if (v->ops->poll)
		return &vnode_poll_file_ops;
	return v->type == VNODE_CHR && v->ops->read && v->ops->write && !v->ops->read_handle ? &device_file_ops : &vnode_file_ops;
}

int file_from_vnode(struct vnode *v, u32 flags, struct file **ret)
{
	struct file *f;
	int r = 0;

	if (link_vnode_file(v) && !(flags & LX_O_PATH))
		return link_vnode_reopen(v, flags, ret);
	f = file_alloc(ops_of(v, flags), flags);
	if (!f)
		return -ENOMEM;
	f->vnode = v;
	f->positioned = f->ops != &path_file_ops && (v->type == VNODE_REG || v->type == VNODE_DIR);
	if (unlikely(READ_ONCE(v->mount->failed) == FS_FAILED_SEEN))
		f->told_failed = FILE_TOLD_SYNC | FILE_TOLD_SYNCFS;
	if (!(flags & LX_O_PATH)) {
		if (v->type == VNODE_FIFO)
			r = fifo_open(v, f);
		else if (v->ops->open)
			r = v->ops->open(v, &f->handle);
	}
	if (r < 0) {
		file_discard(f);
		return r;
	}
	if (f->ops != &pipe_file_ops)
		vnode_get(v);
	else
		f->vnode = NULL;         /* the pipe holds it */
	if (!(flags & LX_O_PATH))
		notify_vnode(v, LX_IN_OPEN);
	*ret = f;
	return 0;
}
