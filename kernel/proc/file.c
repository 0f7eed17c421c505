/*
 * file.c - open file descriptions: life, position, read and write at it.
 *
 * Invariants:
 *  1. Memory of a struct file is only ever a struct file: a looker-up may hold a stale pointer and count a reference (fd_lookup),
 *     which is one only if the descriptor still has the file afterwards; else he gives it back.
 *  2. So refs may be larger than what is held, at any time. It goes from 0 to FILE_REFS_FREE in one step, in file_put_last: who
 *     does that releases the file. Free or not changes by adding, when all members are set.
 *  3. pos is used and changed with pos_lock held.
 *
 * Locks: pool_lock (leaf). What can fail: memory.
 */
#include "proc/file.h"
#include "proc/async.h"
#include "proc/epoll.h"
#include "proc/file_port.h"
#include "proc/task.h"
#include "mm/heap.h"
#include "base/log.h"
#include "base/print.h"
#include "base/string.h"
#include "mm/page.h"

static struct heap_cache file_cache = HEAP_CACHE(file);
static struct spinlock pool_lock = SPINLOCK_INIT;
static struct file *pool;
static u64 last_ino;

u64 file_next_ino(void)
{
	return __atomic_add_fetch(&last_ino, 1, __ATOMIC_RELAXED);
}

static struct file *pool_take(void)
{
	spin_lock(&pool_lock);
	struct file *f = pool;
	if (f)
		pool = f->pool_next;
	spin_unlock(&pool_lock);
	return f;
}

static void pool_give(struct file *f)
{
	spin_lock(&pool_lock);
	f->pool_next = pool;
	pool = f;
	spin_unlock(&pool_lock);
}

/*
 * A file that was never used before. As Linux (fs.file-max) at most one for each 10 KiB of memory, however many descriptors
 * the program may have: behind each there may be a socket.
 */
static struct file *file_make(void)
{
	static u64 made;             /* atomic */
	u64 max = page_total_count() * (PAGE_SIZE / KiB) / 10;

	if (__atomic_fetch_add(&made, 1, __ATOMIC_RELAXED) < MAX(max, 1024ul)) {
		struct file *f = heap_cache_alloc(&file_cache);
		if (f) {
			f->refs = FILE_REFS_FREE;
			return f;
		}
	}
	__atomic_fetch_sub(&made, 1, __ATOMIC_RELAXED);
	return NULL;
}

struct file *file_alloc(const struct file_ops *ops, u32 flags)
{
	struct file *f = pool_take();

	if (!f)
		f = file_make();
	if (!f)
		return NULL;
	f->ops = ops;
	f->flags = flags;
	mutex_init(&f->pos_lock);
	f->pos = 0;
	f->vnode = NULL;
	f->sock = NULL;
	f->priv = f->handle = NULL;
	list_init(&f->epoll_links);
	f->async_owner = f->async_sig = f->async_type = 0;
	f->rw_hint = f->fifo_seen = f->told_failed = 0;
	f->positioned = ops->seekable;
	f->async = NULL;
	f->pool_next = NULL;
	__atomic_fetch_sub(&f->refs, FILE_REFS_FREE - 1, __ATOMIC_RELEASE);
	return f;
}

void file_put_last(struct file *f)
{
	u32 none = 0;

	/* A looker-up may have had it for a moment meanwhile: then he comes here too, and one of us does it. */
	if (!__atomic_compare_exchange_n(&f->refs, &none, FILE_REFS_FREE, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return;
	if (!list_empty(&f->epoll_links))
		epoll_file_gone(f);
	if (unlikely(f->async != NULL))
		file_async_gone(f);
	if (f->ops->release)
		f->ops->release(f);
	pool_give(f);
}

void file_put_call(struct file *f) { file_put_here(f); }

COLD void file_discard(struct file *f)
{
	if (!f)
		return;
	__atomic_fetch_add(&f->refs, FILE_REFS_FREE - 1, __ATOMIC_RELEASE);
	pool_give(f);
}

COLD void file_set_flags(struct file *f, u32 mask, u32 value)
{
	u32 old = __atomic_load_n(&f->flags, __ATOMIC_RELAXED);

	while (!__atomic_compare_exchange_n(&f->flags, &old, (old & ~mask) | (value & mask), true,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

NOINLINE ssize_t file_read_on(struct file *f, struct uio *u, bool nonblock)
{
	ssize_t n;

	mutex_lock(&f->pos_lock);
	n = f->ops->read(f, u, f->pos, nonblock);
	if (n > 0)
		f->pos += (u64)n;
	mutex_unlock(&f->pos_lock);
	return n;
}

ssize_t file_read(struct file *f, struct uio *u, const u64 *off, bool nonblock)
{
	struct task *t = task_current();
	ssize_t n;

	if (unlikely(!f->ops->read))
		n = -EINVAL;
	else if (off || !f->positioned)
		n = f->ops->read(f, u, off ? *off : 0, nonblock);
	else
		n = file_read_on(f, u, nonblock);
	if (likely(t))
		task_count_read(t, n);
	return n;
}

NOINLINE ssize_t file_write_on(struct file *f, struct uio *u, bool nonblock)
{
	u64 new_off = 0;
	ssize_t n;

	mutex_lock(&f->pos_lock);
	n = f->ops->write(f, u, f->pos, nonblock, &new_off);
	if (n > 0)
		f->pos = new_off;
	mutex_unlock(&f->pos_lock);
	return n;
}

ssize_t file_write(struct file *f, struct uio *u, const u64 *off, bool nonblock)
{
	struct task *t = task_current();
	u64 new_off;
	ssize_t n;

	if (unlikely(!f->ops->write))
		n = -EINVAL;
	else if (off || !f->positioned)
		n = f->ops->write(f, u, off ? *off : 0, nonblock, &new_off);
	else
		n = file_write_on(f, u, nonblock);
	if (likely(t))
		task_count_write(t, n);
	return n;
}

enum { SEEK_TO, SEEK_BY, SEEK_FROM_END, SEEK_TO_DATA, SEEK_TO_HOLE };

static COLD s64 seek_target(struct file *f, s64 offset, int whence)
{
	struct vnode *v = f->vnode;
	s64 size = v ? (s64)READ_ONCE(v->size) : 0, to = offset;

	if (v && v->type == VNODE_DIR && whence > SEEK_BY)
		return -EINVAL;
	switch (whence) {
	case SEEK_TO:
		break;
	case SEEK_BY:
		if (__builtin_add_overflow((s64)f->pos, offset, &to))
			return -EINVAL;
		break;
	case SEEK_FROM_END:
		if (__builtin_add_overflow(size, offset, &to))
			return -EINVAL;
		break;
	case SEEK_TO_DATA:
	case SEEK_TO_HOLE:
		if (offset < 0 || offset >= size)
			return -ENXIO;
		to = fs_seek(v, (u64)offset, whence == SEEK_TO_HOLE);
		if (to < 0)
			return to;
		break;
	default:
		return -EINVAL;
	}
	return to < 0 ? -EINVAL : to;
}

static NOINLINE s64 seek_elsewhere(struct file *f, s64 offset, int whence)
{
	s64 to;

	mutex_lock(&f->pos_lock);
	to = seek_target(f, offset, whence);
	if (to >= 0)
		f->pos = (u64)to;
	mutex_unlock(&f->pos_lock);
	return to;
}

s64 file_seek(struct file *f, s64 offset, int whence)
{
	if (unlikely(!f->positioned))
		return !f->ops->seekable ? -ESPIPE : whence >= SEEK_TO && whence <= SEEK_FROM_END ? 0 : -EINVAL;
	if (unlikely(whence != SEEK_TO || offset < 0))
		return seek_elsewhere(f, offset, whence);
	mutex_lock_here(&f->pos_lock);
	f->pos = (u64)offset;
	mutex_unlock_here(&f->pos_lock);
	return offset;
}

COLD void file_fill_vattr(struct vattr *a, u64 ino, u32 mode, u32 dev, u32 blksize)
{
	*a = (struct vattr){ .ino = ino, .mode = mode, .dev = dev, .blksize = blksize, .nlink = 1 };
}

bool file_is_fifo(const struct file *f)
{
	return f->ops == &pipe_file_ops || f->ops == &port_file_ops;
}

int file_getattr(struct file *f, struct vattr *ret)
{
	if (!f->vnode)
		memset(ret, 0, sizeof *ret);     /* else fs_getattr does */
	if (f->ops->getattr)
		return f->ops->getattr(f, ret);
	file_fill_vattr(ret, 1, 0600, FILE_DEV_ANON, 4096);
	return 0;
}

COLD ssize_t file_describe(struct file *f, char *buf, size_t size)
{
	if (f->ops->describe)
		return f->ops->describe(f, buf, size);
	int n = fmt_buf(buf, size, "anon_inode:[%s]", f->ops->kind);
	return n < (int)size ? n : -ENAMETOOLONG;
}
