/*
 * fdinfo.c - /proc/self/fdinfo/N: position, flags and what the file itself says.
 *
 * Each name leads straight to a vnode that is made for the walk and reads as text; the text is
 * made anew by each read. Locks: none of its own. What can fail: memory.
 */
#include "proc/fdinfo.h"
#include "base/print.h"
#include "fs/pseudo.h"
#include "mm/heap.h"
#include "proc/file.h"

#define TEXT_MAX 4096u

static ssize_t fdinfo_text(int fd, char *buf, size_t size)
{
	struct file *f = fd_lookup_any(fd);
	size_t at;
	ssize_t more;

	if (!f)
		return -ENOENT;
	u32 flags = file_flags(f) | (fd_get_cloexec(fd) == 1 ? LX_O_CLOEXEC : 0);
	at = (size_t)fmt_buf(buf, size, "pos:\t%llu\nflags:\t0%o\nmnt_id:\t%u\nino:\t%llu\n", (unsigned long long)f->pos, flags,
			     f->vnode && f->vnode->mount ? f->vnode->mount->dev : FILE_DEV_ANON,
			     f->vnode ? (unsigned long long)f->vnode->ino : 1ull);
	more = f->ops->fdinfo ? f->ops->fdinfo(f, buf + at, size - at) : 0;
	file_put(f);
	return (ssize_t)MIN(at + (more > 0 ? (size_t)more : 0), size - 1);
}

static ssize_t info_read(struct vnode *v, struct uio *u, u64 off, bool nonblock)
{
	char *buf = heap_alloc(TEXT_MAX);
	ssize_t n;
	size_t done = 0;

	if (!buf)
		return -ENOMEM;
	n = fdinfo_text((int)(uintptr_t)v->priv, buf, TEXT_MAX);
	if (n > 0 && off < (u64)n)
		done = uio_put(u, buf + off, (size_t)n - off);
	heap_free(buf);
	return n < 0 ? n : uio_result(u, done);
}

static int info_getattr(struct vnode *v, struct vattr *ret)
{
	file_fill_vattr(ret, v->ino, LX_S_IFREG | 0400, FILE_DEV_ANON, 1024);
	return 0;
}

static void info_release(struct vnode *v)
{
	heap_free(v);
}

static const struct vnode_ops info_ops = { .read = info_read, .getattr = info_getattr, .release = info_release };

static int info_resolve(u64 fd, struct vnode **ret)
{
	struct vnode *v = heap_alloc(sizeof(*v));

	if (!v)
		return -ENOMEM;
	vnode_init(v, &info_ops, VNODE_REG, fs_anon_mount(), file_next_ino());
	v->flags |= VNODE_NOCACHE;
	v->priv = (void *)(uintptr_t)fd;
	*ret = v;
	return 0;
}

static ssize_t info_target(char *buf, size_t size, u64 fd)
{
	return fmt_buf(buf, size, "fdinfo:[%llu]", (unsigned long long)fd);
}

static const struct pseudo_link info_link = { .target = info_target, .resolve = info_resolve };
static const struct pseudo_dir info_dir = { .path = "self/fdinfo", .next = fd_next_used, .link = &info_link };

int fdinfo_init(void)
{
	return pseudo_add_dir(PSEUDO_PROC, &info_dir);
}
