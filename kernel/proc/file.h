/*
 * file.h - open files and descriptors.
 *
 * A struct file is an open file description: an object with file_ops, a position, status flags.
 * Descriptors are indexes in the process's one table (fd_*). file_get/file_put count references;
 * the last put calls ops->release. fd_lookup is the hot path: it takes a reference without a lock
 * shared by all CPUs. Memory of struct file is never given back to the heap (fdtable.c says why).
 *
 * Data moves through uio; no user address below linux/.
 */
#ifndef PROC_FILE_H
#define PROC_FILE_H

#include "fs/vnode.h"
#include "net/socket.h"
#include "proc/lx_file.h"

struct file;
struct vm_map_request;

/* Large buffers on the stack of hot paths: not zeroed. */
#define NO_AUTO_INIT __attribute__((uninitialized))

struct file_ops {
	const char *kind;            /* "vnode", "socket", "pipe", "eventfd", ... for /proc/self/fd and tests */
	/*
	 * At off, which is the file's position or pread's offset (positioned files; others ignore it).
	 * The caller moves the position by what is returned. nonblock: -EAGAIN instead of sleeping.
	 */
	ssize_t (*read)(struct file *f, struct uio *u, u64 off, bool nonblock);
	/* *ret_new_off is the offset after the bytes (it differs from off + n with O_APPEND). */
	ssize_t (*write)(struct file *f, struct uio *u, u64 off, bool nonblock, u64 *ret_new_off);
	/* NULL: always ready, and epoll refuses it (-EPERM). */
	u32 (*poll)(struct file *f, struct poll_table *pt);
	/* Arguments of known commands are copied in and out by linux/ioctl.c; -ENOTTY. */
	int (*ioctl)(struct file *f, u32 cmd, void *kbuf);
	/*
	 * What mmap shows: fills rq->object (a reference is returned) and may change rq->object_off, or take rights out of
	 * rq->max_prot (VM_PROT_*). -ENODEV, -EPERM (seals).
	 */
	int (*mmap_object)(struct file *f, struct vm_map_request *rq, bool shared);
	int (*getattr)(struct file *f, struct vattr *ret);
	/* The name in /proc/self/fd: "pipe:[12]", "socket:[3]", "anon_inode:[eventpoll]"; vnodes: their path. */
	ssize_t (*describe)(struct file *f, char *buf, size_t size);
	/* Further lines of /proc/self/fdinfo/N; NULL: none. */
	ssize_t (*fdinfo)(struct file *f, char *buf, size_t size);
	/* A descriptor of this file was closed, though others may be left (locks of the process go away). */
	void (*flush)(struct file *f);
	void (*release)(struct file *f);
	bool seekable;               /* pread, pwrite and lseek work */
	bool unsendable;             /* no message takes it along: it holds files itself */
};

struct file {
	const struct file_ops *ops;
	u32 refs;                    /* atomic; from FILE_REFS_FREE on: free */
	u32 flags;                   /* LX_O_* status flags (APPEND, NONBLOCK, ...) and access mode; atomic */
	struct mutex pos_lock;       /* serialises users of pos */
	u64 pos;                     /* P: pos_lock */
	struct vnode *vnode;         /* vnode files; NULL for others */
	struct socket *sock;         /* socket files */
	void *priv;                  /* pipe end, eventfd, epoll, ... */
	void *handle;                /* vnode_ops.open's */
	struct list epoll_links;     /* epoll.c: the items that watch this file (its lock) */
	int async_owner, async_sig, async_type; /* F_SETOWN(_EX), F_SETSIG */
	struct file_async *async;    /* async.c: while O_ASYNC is on */
	bool positioned;             /* has a position, that of a file or directory: a device takes pread, but has none; constant once it is open */
	u8 told_failed;              /* FILE_TOLD_*: whom the failure of the volume was told; atomic */
	u32 fifo_seen;               /* fifo read ends: writer_opens when opened without a writer */
	u64 rw_hint;                 /* F_SET_RW_HINT, kept only */
	struct file *pool_next;      /* file.c: while the structure is free */
};

struct file *file_alloc(const struct file_ops *ops, u32 flags) MUST_CHECK;  /* refs = 1; NULL */
/* Take back a file that nobody has seen yet: ops->release is not called. NULL is fine. */
void file_discard(struct file *f);
static inline void file_get(struct file *f) { __atomic_fetch_add(&f->refs, 1, __ATOMIC_RELAXED); }
/* What refs counts from while the structure is free: a looker-up may add to it, and will take that back (file.c, invariant 2). */
#define FILE_REFS_FREE (1u << 31)
/* There is no reference: epoll items go, then ops->release. May sleep. */
void file_put_last(struct file *f);
void file_put_call(struct file *f);
static ALWAYS_INLINE void file_put_here(struct file *f)
{
	if (unlikely(__atomic_sub_fetch(&f->refs, 1, __ATOMIC_ACQ_REL) == 0))
		file_put_last(f);
}
static ALWAYS_INLINE void file_put(struct file *f)
{
	FOR_SIZE ? file_put_call(f) : file_put_here(f);
}
static inline u32 file_flags(const struct file *f) { return __atomic_load_n(&f->flags, __ATOMIC_RELAXED); }
static inline bool file_nonblock(const struct file *f) { return file_flags(f) & LX_O_NONBLOCK; }
/* The access mode plus one: bits for reading and writing, and none of these for the mode 3. */
static inline bool file_can_read(const struct file *f) { return (file_flags(f) + 1) & 1; }
static inline bool file_can_write(const struct file *f) { return (file_flags(f) + 1) & 2; }
/* Change status flags under mask, atomically. */
void file_set_flags(struct file *f, u32 mask, u32 value);

/* Read and write at the position (moved), or at *off if it is not NULL (not moved). Access modes are the caller's check. */
ssize_t file_read(struct file *f, struct uio *u, const u64 *off, bool nonblock);
ssize_t file_write(struct file *f, struct uio *u, const u64 *off, bool nonblock);
/* The same at the position of a file that has one and the operation; the caller counts the call (task_count_read, task_count_write). */
ssize_t file_read_on(struct file *f, struct uio *u, bool nonblock);
ssize_t file_write_on(struct file *f, struct uio *u, bool nonblock);
/* Linux's lseek, whence 0..4. -ESPIPE, -EINVAL, -ENXIO. */
s64 file_seek(struct file *f, s64 offset, int whence);
/* Events that hold now; regular files are always ready. */
static inline u32 file_poll(struct file *f, struct poll_table *pt)
{
	return f->ops->poll ? f->ops->poll(f, pt) : POLL_IN | POLL_OUT | POLL_RDNORM | POLL_WRNORM;
}
/* A pipe, fifo or standard stream: what Linux answers -ESPIPE for. */
bool file_is_fifo(const struct file *f);
int file_getattr(struct file *f, struct vattr *ret);
/*
 * fsync and fdatasync. When a write or flush of the volume failed each open file gets -EIO once, -EROFS afterwards; one
 * opened when somebody has got the error only -EROFS. -EINVAL: nothing that can be synced.
 */
int file_sync(struct file *f, bool data_only);
/* The volume of f failed and this open file was not told yet: it is now. kind: FILE_TOLD_*. */
enum { FILE_TOLD_SYNC = 1, FILE_TOLD_SYNCFS = 2 };
bool file_failed_once(struct file *f, unsigned kind);
ssize_t file_describe(struct file *f, char *buf, size_t size);
/* A number for st_ino of things without a vnode. */
u64 file_next_ino(void);
/* getattr of anonymous things: mode with type bits, device of pipes, sockets or anonymous inodes. */
void file_fill_vattr(struct vattr *a, u64 ino, u32 mode, u32 dev, u32 blksize);
#define FILE_DEV_ANON 15u
#define FILE_DEV_PIPE 14u
#define FILE_DEV_SOCK 8u

/* ---- Descriptors ---- */

#define FD_MAX 1048576u              /* hard limit; RLIMIT_NOFILE is below it */

/* The file behind fd with a reference, or NULL (EBADF). Files of O_PATH are not found. */
struct file *fd_lookup(int fd);
/* The same, files of O_PATH too (the *at calls, fstat, dup, fcntl). */
struct file *fd_lookup_any(int fd);
/* Put f (its reference moves) into the lowest free slot >= min. The fd, or -EMFILE, -ENOMEM (then the reference stays the caller's). */
int fd_install(struct file *f, bool cloexec, int min) MUST_CHECK;
/* In two steps, for calls that must not fail half way: a slot, then its file or its return. */
int fd_reserve(bool cloexec, int min) MUST_CHECK;
void fd_fill(int fd, struct file *f);
void fd_unreserve(int fd);
/* Put f into exactly fd, closing what was there (dup2). -EBADF out of range, -EBUSY if fd is reserved, -ENOMEM. */
int fd_install_at(struct file *f, int fd, bool cloexec) MUST_CHECK;
int fd_close(int fd);                         /* 0, -EBADF, or the error of the close */
int fd_close_range(unsigned first, unsigned last, bool cloexec_only);
int fd_get_cloexec(int fd);                   /* 0/1 or -EBADF */
int fd_set_cloexec(int fd, bool on);
s64 fd_next_used(u64 from);                   /* -1: none; for /proc/self/fd */
void fd_close_all(void);

/* ---- Making files ---- */

int file_from_vnode(struct vnode *v, u32 flags, struct file **ret) MUST_CHECK;   /* takes a reference of v; may sleep (fifos) */
int file_from_socket(struct socket *s, u32 flags, struct file **ret) MUST_CHECK; /* owns s on success */
int file_from_port(unsigned port, u32 flags, struct file **ret) MUST_CHECK;      /* standard streams */
int pipe_create(u32 flags, struct file **ret_read, struct file **ret_write) MUST_CHECK;
/* Working directory and root of walks. Borrowed reference of the cwd is taken with cwd_get/vnode_put. */
struct vnode *cwd_get(void);
int cwd_set(struct vnode *v);
int cwd_set_path(const char *path);           /* absolute; boot */
/* Boot: descriptors 0, 1, 2; unix_fs_ops; the procfs entries of fd. */
int files_init(void);

extern const struct file_ops path_file_ops, socket_file_ops, pipe_file_ops;

#endif
