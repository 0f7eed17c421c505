/*
 * file.h - open files and descriptors.
 *
 * A struct file is an open file description: an object with file_ops, a position, status flags.
 * Descriptors are indexes in the process's one table (fd_*). file_get/file_put count references;
 * the last put calls ops->release. fd_lookup is the hot path: it takes a reference without a lock
 * shared by all CPUs.
 *
 * Data moves through uio; no user address below linux/.
 */
#ifndef PROC_FILE_H
#define PROC_FILE_H

#include "fs/vnode.h"
#include "net/socket.h"

struct file;

struct file_ops {
	const char *kind;            /* "vnode", "socket", "pipe", "eventfd", ... for /proc/self/fd and tests */
	/* At the file's position if it has one (read/write), or at off (pread/pwrite: positioned files only). */
	ssize_t (*read)(struct file *f, struct uio *u, u64 off);
	ssize_t (*write)(struct file *f, struct uio *u, u64 off, u64 *ret_new_off);
	u32 (*poll)(struct file *f, struct poll_table *pt);
	/* Arguments of known commands are copied in and out by linux/ioctl.c; -ENOTTY. */
	int (*ioctl)(struct file *f, u32 cmd, void *kbuf);
	/* The object that mmap shows; a reference is returned. -ENODEV. */
	int (*mmap_object)(struct file *f, u32 prot, bool shared, struct vm_object **ret);
	int (*getattr)(struct file *f, struct vattr *ret);
	/* The name in /proc/self/fd: "pipe:[12]", "socket:[3]", "anon_inode:[eventpoll]"; vnodes: their path. */
	ssize_t (*describe)(struct file *f, char *buf, size_t size);
	void (*release)(struct file *f);
	bool seekable;               /* pread, pwrite and lseek work; position is used and locked */
};

struct file {
	const struct file_ops *ops;
	u32 refs;                    /* atomic */
	u32 flags;                   /* LX_O_* status flags (APPEND, NONBLOCK, ...) and access mode; atomic */
	struct mutex pos_lock;       /* serialises users of pos when the file is shared (refs > 1) */
	u64 pos;                     /* P: pos_lock */
	struct vnode *vnode;         /* vnode files; NULL for others */
	struct socket *sock;         /* socket files */
	void *priv;                  /* pipe end, eventfd, epoll, ... */
	void *handle;                /* vnode_ops.open's */
	struct list epoll_links;     /* epoll/: the items that watch this file */
	struct spinlock epoll_lock;
	int async_owner, async_sig;  /* F_SETOWN, F_SETSIG */
};

struct file *file_alloc(const struct file_ops *ops, u32 flags) MUST_CHECK;  /* refs = 1; NULL */
static inline void file_get(struct file *f) { __atomic_fetch_add(&f->refs, 1, __ATOMIC_RELAXED); }
void file_put(struct file *f);

/* ---- Descriptors ---- */

#define FD_MAX 1048576u              /* hard limit; RLIMIT_NOFILE is below it */

/* The file behind fd with a reference, or NULL (EBADF). */
struct file *fd_lookup(int fd);
/* Put f (its reference moves) into the lowest free slot >= min. The fd, or -EMFILE, -ENOMEM (then the reference stays the caller's). */
int fd_install(struct file *f, bool cloexec, int min) MUST_CHECK;
/* Put f into exactly fd, closing what was there (dup2). */
int fd_install_at(struct file *f, int fd, bool cloexec) MUST_CHECK;
int fd_close(int fd);                         /* 0, -EBADF, or the error of the close */
int fd_close_range(unsigned first, unsigned last, bool cloexec_only);
int fd_get_cloexec(int fd);                   /* 0/1 or -EBADF */
int fd_set_cloexec(int fd, bool on);
s64 fd_next_used(u64 from);                   /* -1: none; for /proc/self/fd */
void fd_close_all(void);

/* ---- Making files ---- */

int file_from_vnode(struct vnode *v, u32 flags, struct file **ret) MUST_CHECK;   /* takes a reference of v */
int file_from_socket(struct socket *s, u32 flags, struct file **ret) MUST_CHECK; /* owns s on success */
int file_from_port(unsigned port, u32 flags, struct file **ret) MUST_CHECK;      /* standard streams */
int pipe_create(u32 flags, struct file **ret_read, struct file **ret_write) MUST_CHECK;
/* Working directory and root of walks. Borrowed reference of the cwd is taken with cwd_get/vnode_put. */
struct vnode *cwd_get(void);
int cwd_set(struct vnode *v);
/* Boot: descriptors 0, 1, 2; unix_fs_ops; the procfs entries of fd. */
int files_init(void);

#endif
