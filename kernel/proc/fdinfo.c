/*
 * fdinfo.c - /proc/self/fdinfo/N: position, flags and what the file itself says.
 *
 * Locks: none of its own. What can fail: memory; -ENOENT when the descriptor is gone.
 */
#include "base/link.h"
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

static int show_fdinfo(struct pseudo_text *t, u64 fd)
{
	char *buf = heap_alloc(TEXT_MAX);
	ssize_t n;

	if (!buf)
		return -ENOMEM;
	n = fdinfo_text((int)fd, buf, TEXT_MAX);
	if (n > 0)
		pseudo_append(t, buf, (size_t)n);
	heap_free(buf);
	return n < 0 ? (int)n : 0;
}

static const struct pseudo_file info_file = { .mode = 0444, .show = show_fdinfo };
static const struct pseudo_dir info_dir = { .path = "self/fdinfo", .next = fd_next_used, .file = &info_file };

static int fdinfo_init(void)
{
	return pseudo_add_dir(PSEUDO_PROC, &info_dir);
}
LINK_INIT(proc_fdinfo, fdinfo_init);
