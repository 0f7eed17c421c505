/*
 * sys_dir.c - getdents and getdents64.
 *
 * Entries are laid out in a kernel buffer while the directory is read, and copied out when its
 * lock is free again; the position moves only over what the program has got.
 */
#include "linux/filecalls.h"
#include "mm/heap.h"

#define PIECE 4096u

struct lx_dirent64 {
	u64 ino;
	s64 off;
	u16 reclen;
	u8 type;
	char name[];
};
struct lx_dirent {                   /* the type is the last byte of the record */
	u64 ino, off;
	u16 reclen;
	char name[];
};
_Static_assert(offsetof(struct lx_dirent64, name) == 19 && offsetof(struct lx_dirent, name) == 18, "dirent");

struct dir_fill {
	u8 *buf;
	size_t len, room;
	u64 next_off;
	bool old_layout, full;
};

static u8 dirent_type(enum vnode_type type)
{
	static const u8 types[] = { [VNODE_REG] = 8, [VNODE_DIR] = 4, [VNODE_LINK] = 10, [VNODE_CHR] = 2, [VNODE_FIFO] = 1, [VNODE_SOCK] = 12, [VNODE_BLK] = 6 };

	return (unsigned)type < ARRAY_SIZE(types) ? types[type] : 0;
}

static bool add_entry(void *arg, const char *name, size_t name_len, u64 ino, enum vnode_type type, u64 next_off)
{
	struct dir_fill *d = arg;
	size_t head = d->old_layout ? offsetof(struct lx_dirent, name) : offsetof(struct lx_dirent64, name);
	size_t len = ROUND_UP(head + name_len + (d->old_layout ? 2 : 1), 8);
	u8 *at = d->buf + d->len;

	if (len > d->room - d->len) {
		d->full = true;
		return false;
	}
	memset(at, 0, len);
	if (d->old_layout) {
		*(struct lx_dirent *)at = (struct lx_dirent){ .ino = ino, .off = next_off, .reclen = (u16)len };
		at[len - 1] = dirent_type(type);
	} else {
		struct lx_dirent64 *e = (struct lx_dirent64 *)at;
		e->ino = ino;
		e->off = (s64)next_off;
		e->reclen = (u16)len;
		e->type = dirent_type(type);
	}
	memcpy(at + head, name, name_len);
	d->len += len;
	d->next_off = next_off;
	return true;
}

/* Fill the program's buffer piece by piece; f->pos_lock is held. */
static long read_entries(struct file *f, struct uaddr buf, size_t count, struct dir_fill *d)
{
	size_t done = 0;

	for (;;) {
		d->len = 0;
		d->full = false;
		d->room = MIN(count - done, PIECE);
		int r = fs_readdir(f->vnode, f->pos, add_entry, d);
		if (r < 0)
			return done ? (long)done : r;
		if (!d->len)
			return done ? (long)done : d->full ? -EINVAL : 0;
		if (copy_to_user(uaddr_add(buf, done), d->buf, d->len) < 0)
			return done ? (long)done : -EFAULT;
		f->pos = d->next_off;
		done += d->len;
		if (!d->full)
			return (long)done;
	}
}

static long getdents_call(int fd, struct uaddr buf, unsigned count, bool old_layout)
{
	struct dir_fill d = { .old_layout = old_layout };
	struct file *f = fd_lookup(fd);
	long r;

	if (!f)
		return -EBADF;
	if (!f->vnode || f->vnode->type != VNODE_DIR) {
		r = -ENOTDIR;
	} else if (!(d.buf = heap_alloc(PIECE))) {
		r = -ENOMEM;
	} else {
		mutex_lock(&f->pos_lock);
		r = read_entries(f, buf, count, &d);
		mutex_unlock(&f->pos_lock);
	}
	heap_free(d.buf);
	file_put(f);
	return r;
}

long sys_getdents64(int fd, struct uaddr buf, unsigned count) { return getdents_call(fd, buf, count, false); }
long sys_getdents(int fd, struct uaddr buf, unsigned count) { return getdents_call(fd, buf, count, true); }
