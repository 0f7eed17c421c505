/*
 * vnode.h - files as file systems see them: vnodes, their operations, mounts, path walks.
 *
 * Below this nobody knows descriptors, users or permissions: every file belongs to the one
 * identity; mode bits are kept and shown but only the write bit of a read-only mount is enforced.
 *
 * Ownership: vnode_get/vnode_put count references; operations that return a vnode return it with
 * a reference for the caller. Locks: vnode->lock (rwlock) is taken by fs/ callers: shared for
 * lookup/read/getattr of directories, exclusive for changes; order parent before child, two
 * parents by address. It is never taken by the page fault path. All operations may sleep.
 */
#ifndef FS_VNODE_H
#define FS_VNODE_H

#include "vm/object.h"
#include "sched/mutex.h"

enum vnode_type { VNODE_REG = 1, VNODE_DIR, VNODE_LINK, VNODE_CHR, VNODE_FIFO, VNODE_SOCK, VNODE_BLK };

#define FS_NAME_MAX 255u
#define FS_PATH_MAX 4096u
#define FS_LINKS_MAX 40u

struct timespec64 {
	s64 sec;
	u32 nsec;
};

struct vattr {
	u64 ino, size, blocks512, dev, rdev;
	u32 mode;                    /* S_IFMT | permissions, Linux's numbers */
	u32 nlink, uid, gid, blksize;
	struct timespec64 atime, mtime, ctime, btime;
};

enum { VATTR_MODE = 1, VATTR_SIZE = 2, VATTR_ATIME = 4, VATTR_MTIME = 8, VATTR_UID = 16, VATTR_GID = 32, VATTR_ATIME_NOW = 64, VATTR_MTIME_NOW = 128 };

struct vnode;
struct mount;
struct blkdev;
struct dentry;

/* readdir gives entries to this; false = the buffer is full, stop before this entry. next_off is the cookie after it. */
typedef bool (*vnode_dirent_fn)(void *arg, const char *name, size_t name_len, u64 ino, enum vnode_type type, u64 next_off);

/* What a kind of vnode can do. NULL means -EOPNOTSUPP/-EINVAL/-ENOTDIR as Linux would say. */
struct vnode_ops {
	int (*lookup)(struct vnode *dir, const char *name, size_t len, struct vnode **ret);
	int (*create)(struct vnode *dir, const char *name, size_t len, u32 mode, u64 rdev, struct vnode **ret); /* any type in mode but dir/link */
	int (*mkdir)(struct vnode *dir, const char *name, size_t len, u32 mode, struct vnode **ret);
	int (*symlink)(struct vnode *dir, const char *name, size_t len, const char *target, struct vnode **ret);
	int (*link)(struct vnode *dir, const char *name, size_t len, struct vnode *target);
	int (*unlink)(struct vnode *dir, const char *name, size_t len, struct vnode *victim);
	int (*rmdir)(struct vnode *dir, const char *name, size_t len, struct vnode *victim);
	int (*rename)(struct vnode *odir, const char *oname, size_t olen, struct vnode *ndir, const char *nname, size_t nlen, struct vnode *victim, u32 linux_flags);
	int (*readdir)(struct vnode *dir, u64 off, vnode_dirent_fn fn, void *arg);
	ssize_t (*readlink)(struct vnode *v, char *buf, size_t size);
	int (*getattr)(struct vnode *v, struct vattr *ret);
	int (*setattr)(struct vnode *v, const struct vattr *a, u32 which);
	/* Regular files with a page cache leave read/write NULL: fs/ uses v->object. Devices and generated files implement them. */
	ssize_t (*read)(struct vnode *v, struct uio *u, u64 off, bool nonblock);
	ssize_t (*write)(struct vnode *v, struct uio *u, u64 off, bool nonblock);
	u32 (*poll)(struct vnode *v, struct poll_table *pt);
	int (*ioctl)(struct vnode *v, u32 cmd, void *kbuf);   /* linux/ has copied the argument in; -ENOTTY */
	int (*fsync)(struct vnode *v, bool data_only);
	int (*fallocate)(struct vnode *v, u32 mode, u64 off, u64 len);
	/* Called by open and by the last close of an open file, for generated files that keep a snapshot. */
	int (*open)(struct vnode *v, void **ret_handle);
	void (*close)(struct vnode *v, void *handle);
	/* Like read, but with the handle of open; used when open is not NULL. */
	ssize_t (*read_handle)(struct vnode *v, void *handle, struct uio *u, u64 off);
	void (*release)(struct vnode *v);                     /* the last reference went away */
	/* Extended attributes: fs_getxattr and its family say what comes back. NULL: there are none and none can be set. */
	ssize_t (*getxattr)(struct vnode *v, const char *name, void *buf, size_t size);
	int (*setxattr)(struct vnode *v, const char *name, const void *value, size_t size, u32 flags);
	ssize_t (*listxattr)(struct vnode *v, char *buf, size_t size);
	/* SEEK_DATA, or SEEK_HOLE: from off, which is below the size: an offset, or -ENXIO. NULL: all of it is data. */
	s64 (*seek)(struct vnode *v, u64 off, bool hole);
	/* A symbolic link that leads straight to a vnode (/proc/self/fd/N, exe), whatever its text says. */
	int (*follow)(struct vnode *link, struct vnode **ret);
	/* What a mapping shows, where that is not v->object (NULL op): a reference is returned. */
	int (*mmap_object)(struct vnode *v, bool shared, struct vm_object **ret);
	/* An unnamed regular file on dir's file system (O_TMPFILE): nlink 0; linkable says whether fs_link may name it later. */
	int (*tmpfile)(struct vnode *dir, u32 mode, bool linkable, struct vnode **ret);
};

enum {
	VNODE_NOCACHE  = 1u << 0,    /* the name cache must not keep it: it comes and goes by itself */
	VNODE_VOLATILE = 1u << 1,    /* a directory where names appear by themselves: that one is absent is not remembered */
	VNODE_DEAD     = 1u << 2,    /* a directory that was removed: nothing is made in it any more */
	VNODE_PROCESS  = 1u << 3,    /* the process's directory in /proc */
};

struct vnode {
	const struct vnode_ops *ops;
	enum vnode_type type;
	u32 refs;                    /* atomic */
	struct mount *mount;         /* the file system it lives on */
	struct mount *covered_by;    /* a mount on top of this directory, or NULL */
	struct vm_object *object;    /* page cache of a regular file, or NULL */
	u64 ino;
	u64 size;                    /* bytes; L: lock; read without it by vm_object_ops.size */
	struct rwlock lock;
	struct waitq waitq;          /* for those that poll */
	void *priv;                  /* the file system's */
	void *locks;                 /* proc/: advisory record locks */
	struct list cache_link;      /* the file system's */
	u16 flags;                   /* VNODE_*; DEAD is set once, under lock, the others are constant */
	u8 guarded;                  /* atomic: FS_GUARD_*, set by fs_guard's owner, who need not be asked that again; 0 at first */
	/*
	 * A read of a file with a page cache is one of its pages alone while these are the same: of other files ops->read is told. Who
	 * changes what it looks at bumps `changes` behind that; ops->read notes the value that it loaded before it looked.
	 */
	u32 changes, read_noted;
	u32 idle_refs;               /* atomic: references of the name cache and of the file system's own tree; refs above them are use */
	struct dentry *dentry;       /* dcache.c: the name by which it was last found */
};

enum { FS_GUARD_READ = 1, FS_GUARD_WRITE = 2, FS_GUARD_NAMES = 4 };   /* vnode.guarded: may be opened so; all names directly below may be made */
/*
 * Who is asked before a file is opened (not with O_PATH) or a name is made, moved or removed for the program; NULL: nobody.
 * Set at boot by a room above. The directory's lock may be held. May sleep. 0, or the errno of the call.
 */
struct fs_guard {
	int (*open)(struct vnode *v, bool write);
	int (*name)(struct vnode *dir, const char *name, size_t len);
	/* An open found nothing: dir is as far as it came, name what was to follow. It fails with ENOENT whatever is thought of it. */
	void (*absent)(struct vnode *dir, const char *name, bool write);
};
extern const struct fs_guard *fs_guard;
extern bool fs_guard_moved;       /* a directory was moved, or is about to be: what may be made below it has to be asked each time */

struct fs_statfs {
	u64 type, bsize, blocks, bfree, bavail, files, ffree, namelen, flags;
};

struct mount {
	const char *fstype;
	struct vnode *root;
	struct vnode *covers;        /* the directory it is mounted on; NULL for the root */
	bool readonly;
	u8 failed;                   /* FS_FAILED_*: what was written last may not be on the device; atomic */
	u32 dev;                     /* st_dev */
	char path[64];
	int (*statfs)(struct mount *m, struct fs_statfs *ret);
	int (*sync)(struct mount *m);
	int (*finish)(struct mount *m); /* the machine ends: write everything; only reads come after it */
	void *priv;
	struct list link;
};

/* A write or flush failed, or what is on the device makes no sense: read-only from then on. SEEN: somebody's sync said so. */
enum { FS_FAILED = 1, FS_FAILED_SEEN = 2 };
/* Told once for each mount that fails; proc/ sets it. Locks of the file system may be held; may sleep. */
extern void (*fs_failed_hook)(const struct mount *m, const char *what, int error);

void vnode_init(struct vnode *v, const struct vnode_ops *ops, enum vnode_type type, struct mount *m, u64 ino);
static inline void vnode_get(struct vnode *v) { __atomic_fetch_add(&v->refs, 1, __ATOMIC_RELAXED); }
/* For caches that keep vnodes without a reference: false if the vnode is going away. */
bool vnode_tryget(struct vnode *v) MUST_CHECK;
void vnode_put(struct vnode *v);

/* The owner of what is created: the program's one identity. proc/ sets it before the program starts. */
extern u32 fs_owner_uid, fs_owner_gid;

/* ---- Paths ---- */

enum {
	NAMEI_FOLLOW    = 1u << 0,   /* follow a symbolic link in the last place */
	NAMEI_DIRECTORY = 1u << 1,   /* the result must be a directory (-ENOTDIR) */
	NAMEI_NOSYMLINKS = 1u << 2,  /* openat2 RESOLVE_NO_SYMLINKS */
	NAMEI_BENEATH   = 1u << 3,
	NAMEI_IN_ROOT   = 1u << 4,
	NAMEI_NOXDEV    = 1u << 5,
	NAMEI_NOMAGIC   = 1u << 6,
	NAMEI_UNGUARDED = 1u << 7,   /* fs_open: the kernel's own, fs_guard is not asked */
};
/* Walk path from start (NULL: the root) to an existing object. Linux's errors: -ENOENT -ENOTDIR -ELOOP -ENAMETOOLONG. */
int fs_namei(struct vnode *start, const char *path, u32 flags, struct vnode **ret);
/* Walk to the parent of the last component; the name is copied to name (FS_NAME_MAX + 1), NUL-terminated; trailing slashes are reported. */
int fs_namei_parent(struct vnode *start, const char *path, u32 flags, struct vnode **ret_dir, char *name, bool *ret_trailing_slash);
/* The absolute path of v (directories: exact; files: the path by which it was last found). Length or -ENOENT, -ERANGE. */
ssize_t fs_path_of(struct vnode *v, char *buf, size_t size);
/* The same as /proc/self/fd shows it: " (deleted)" is appended to what has no name any more. */
ssize_t fs_path_show(struct vnode *v, char *buf, size_t size);
struct vnode *fs_root(void);      /* borrowed */

/* ---- The operations that proc/ and linux/ use; they take locks, check read-only mounts and call vnode_ops ---- */

/*
 * Open flags: those of fs/lx_file.h, the rest is ignored. Creates if asked; *ret_created tells. Relative to start.
 * Truncates for O_TRUNC. Does not call ops->open: whoever makes the open file does (not for O_PATH), and passes its error on.
 */
int fs_open(struct vnode *start, const char *path, u32 linux_oflags, u32 mode, u32 namei_flags, struct vnode **ret, bool *ret_created);
int fs_mkdir(struct vnode *start, const char *path, u32 mode);
int fs_mknod(struct vnode *start, const char *path, u32 mode, u64 rdev, struct vnode **ret_or_null);
int fs_symlink(struct vnode *start, const char *path, const char *target);
int fs_link(struct vnode *target, struct vnode *start, const char *path);
int fs_unlink(struct vnode *start, const char *path);
int fs_rmdir(struct vnode *start, const char *path);
int fs_rename(struct vnode *ostart, const char *opath, struct vnode *nstart, const char *npath, u32 linux_flags);
ssize_t fs_readlink(struct vnode *v, char *buf, size_t size);
int fs_getattr(struct vnode *v, struct vattr *ret);
int fs_setattr(struct vnode *v, const struct vattr *a, u32 which);
ssize_t fs_read(struct vnode *v, struct uio *u, u64 off, bool nonblock);
/*
 * How much of [off, off + len) a read would find in memory, without waiting: at most len, less at the end of the file (0: at
 * or behind it); -EAGAIN if the first byte has to be fetched. For regular files with a page cache.
 */
ssize_t fs_cached(struct vnode *v, u64 off, size_t len);
/* append: write at the end; a regular file's *ret_off gets the offset after the bytes, if there were any. */
ssize_t fs_write(struct vnode *v, struct uio *u, u64 off, bool append, bool nonblock, u64 *ret_off);
/* Nothing of the file has to be fetched from a device or written back to one. */
bool fs_in_memory(struct vnode *v);
/* SEEK_DATA and SEEK_HOLE. -ENXIO. */
s64 fs_seek(struct vnode *v, u64 off, bool hole);
/* Extended attributes, names with their prefix. size 0 asks for the length. -ENODATA, -ERANGE, -EEXIST, -ENOSPC, -EOPNOTSUPP, -EROFS. */
enum { FS_XATTR_CREATE = 1, FS_XATTR_REPLACE = 2, FS_XATTR_REMOVE = 4 };
ssize_t fs_getxattr(struct vnode *v, const char *name, void *buf, size_t size);
int fs_setxattr(struct vnode *v, const char *name, const void *value, size_t size, u32 flags);
ssize_t fs_listxattr(struct vnode *v, char *buf, size_t size);
int fs_readdir(struct vnode *dir, u64 off, vnode_dirent_fn fn, void *arg);
int fs_truncate(struct vnode *v, u64 size);
/* Everything of v is durable. On a mount that failed always -EIO: proc/file.h tells each open file once. */
int fs_fsync(struct vnode *v, bool data_only);
/* The bytes of [off, off + len) are given to the device, not flushed: what O_DIRECT adds to a write. */
int fs_write_out(struct vnode *v, u64 off, u64 len);
int fs_fallocate(struct vnode *v, u32 mode, u64 off, u64 len);
/* What a mapping of v shows, with a reference: -ENODEV where v cannot be mapped. */
int fs_mmap_object(struct vnode *v, bool shared, struct vm_object **ret);
/* Are these bytes the root's, which nobody can change? o: from fs_mmap_object. */
bool fs_object_is_root(const struct vnode *v, const struct vm_object *o);
int fs_statfs(struct vnode *v, struct fs_statfs *ret);
void fs_sync_all(void);
void fs_finish_all(void);         /* the machine ends */
u32 fs_poll(struct vnode *v, struct poll_table *pt);

/* ---- Mounting, at boot ---- */

struct verity;
/*
 * The EROFS at [off, off + len) of d (len 0: to its end) as the root. v (blk/verity.h): what every block of it is checked
 * against, the root's from here on if this works; NULL: nothing is.
 */
int fs_mount_root_erofs(struct blkdev *d, u64 off, u64 len, struct verity *v);
/* Mount an ext4 volume, the whole device, at an existing directory. DISCARD: the device is told of freed blocks. */
enum { FS_MOUNT_RDONLY = 1, FS_MOUNT_DISCARD = 2 };
int fs_mount_ext4(struct blkdev *d, const char *path, u32 flags);
extern const char *fs_ext4_lacks;    /* after -EOPNOTSUPP: what the volume uses */
/* Mount a memory file system at an existing directory. */
int fs_mount_tmpfs(const char *path, u32 mode, u64 max_bytes);
/*
 * The same over a directory of the root that may have contents: they are there and can be changed, removed and renamed;
 * changes are in memory. Directories and files are looked at when the program does. They belong to the program's identity.
 */
int fs_mount_tmpfs_over(const char *path, u32 mode, u64 max_bytes);
/* With its shm, a tmpfs of up to half the memory. */
int fs_mount_devfs(const char *path);
int fs_mount_procfs(const char *path);               /* with links; files come by procfs_init and from the rooms above */
int procfs_init(void) MUST_CHECK;                    /* what /proc says about the machine */
int fs_mount_sysfs(const char *path);
void fs_for_each_mount(bool (*fn)(struct mount *m, void *arg), void *arg);
/* The mount of vnodes that lie on no file system: ports and pipes that are reached through /proc/self/fd. Never attached. */
struct mount *fs_anon_mount(void);
/* An unnamed tmpfs file, for memfd_create and O_TMPFILE: nlink 0. */
int fs_new_memfile(const char *name, struct vnode **ret);
/* Seals of a memory file (F_ADD_SEALS, F_GET_SEALS; LX_F_SEAL_*). fs_memfile_seal: -EPERM once sealed; both: -EINVAL for other files. */
int fs_memfile_seal(struct vnode *v, u32 seals);
int fs_memfile_seals(struct vnode *v, u32 *ret_seals);

#endif
