/*
 * fs_linux_test.c - kernel/fs with tmpfs against Linux itself: long random sequences of operations
 * are done by both, and every result is compared: errno, attributes, contents, directory listings.
 *
 * The second sequence runs in a memory file system over such a tree: what was there before must behave like the rest.
 *
 * Linux's side is a child process that has made a temporary directory its root; without the
 * right to do that (an unprivileged user without user namespaces) it answers from a namespace of its own.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
/* signal.h uses these names for something else. */
#undef POLL_IN
#undef POLL_OUT
#undef POLL_ERR
#undef POLL_PRI
#undef POLL_HUP

#include "fs_fixture.h"

enum op_kind { OP_OPEN, OP_MKDIR, OP_RMDIR, OP_UNLINK, OP_RENAME, OP_LINK, OP_SYMLINK, OP_STAT, OP_READLINK, OP_TRUNCATE, OP_WRITE, OP_READ,
	       OP_LIST, OP_MKFIFO, OP_FALLOCATE, OP_CHDIR, OP_CHMOD, OP_GETCWD, OP_CHTIME, OP_HOLD, OP_HOLD_IO, OP_HOLD_STAT, OP_KINDS };

struct op {
	enum op_kind kind;
	u32 flags;
	u64 off, len;
	char a[600], b[600];
};
struct result {
	int err;
	u32 mode, nlink, hash;
	u64 size, blocks;
	char text[4096];
};

static u32 hash_bytes(u32 h, const void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ ((const u8 *)p)[i]) * 0x01000193u;
	return h;
}

/* Names are summed, so that the order of a listing does not matter. */
static void list_name(struct result *r, const char *name, size_t len)
{
	r->hash += hash_bytes(0x811c9dc5u, name, len);
	r->size++;
}

static void pattern(char *buf, size_t n, u32 seed)
{
	for (size_t i = 0; i < n; i++)
		buf[i] = (char)(seed + i * 7 + (i >> 8));
}

/* Times set by OP_CHTIME are small; what an operation stamped is now. */
static u32 mtime_class(s64 sec) { return sec < 1000000 ? (u32)sec : 1u; }

#define HOLDS  4                     /* open files kept over other operations */
#define IO_MAX 70000
#define MS_REC_PRIVATE ((1ul << 14) | (1ul << 18))  /* sys/mount.h draws in headers that meet kernel/linux */

/* ---- Linux ---- */

static int lx_cwd = AT_FDCWD;
#define LX(call) ((call) < 0 ? -errno : 0)

static void linux_stat(const struct op *o, struct result *r)
{
	struct stat st;
	r->err = LX(fstatat(lx_cwd, o->a, &st, o->flags ? 0 : AT_SYMLINK_NOFOLLOW));
	if (r->err)
		return;
	r->mode = st.st_mode;
	r->nlink = (u32)st.st_nlink;
	r->size = (u64)st.st_size;
	r->blocks = (u64)st.st_blocks;
	r->hash = mtime_class(st.st_mtim.tv_sec);
}

static void linux_io(const struct op *o, struct result *r)
{
	static char buf[IO_MAX];
	int fd = openat(lx_cwd, o->a, o->kind == OP_READ ? O_RDONLY | O_NONBLOCK : O_WRONLY | O_NONBLOCK | (o->flags & LX_O_APPEND));
	if (fd < 0) {
		r->err = -errno;
		return;
	}
	struct stat st;
	ssize_t n = -1;
	fstat(fd, &st);
	errno = EINVAL;
	if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) {
		if (o->kind == OP_READ) {
			n = pread(fd, buf, o->len, (off_t)o->off);
			if (n > 0)
				r->hash = hash_bytes(1, buf, (size_t)n);
		} else if (o->kind == OP_WRITE) {
			pattern(buf, o->len, (u32)o->off);
			n = pwrite(fd, buf, o->len, (off_t)o->off);
		} else {
			n = syscall(SYS_fallocate, fd, (int)o->flags, (long)o->off, (long)o->len);
		}
	}
	r->err = n < 0 ? -errno : 0;
	r->size = n < 0 ? 0 : (u64)n;
	close(fd);
}

static int lx_held[HOLDS] = { -1, -1, -1, -1 };

static void linux_hold(const struct op *o, struct result *r)
{
	static char buf[IO_MAX];
	int *slot = &lx_held[o->flags % HOLDS];
	struct stat st;
	if (o->kind == OP_HOLD) {
		int fd = openat(lx_cwd, o->a, O_RDWR | O_NONBLOCK);
		r->err = fd < 0 ? -errno : 0;
		if (fd >= 0 && (fstat(fd, &st) || !S_ISREG(st.st_mode))) {
			close(fd);
			r->err = -ENOTBLK;
		} else if (fd >= 0) {
			if (*slot >= 0)
				close(*slot);
			*slot = fd;
		}
		return;
	}
	if (*slot < 0)
		return;
	if (o->kind == OP_HOLD_IO) {
		long n;
		switch (o->flags / HOLDS % 4) {
		case 0:
			n = pread(*slot, buf, o->len, (off_t)o->off);
			if (n > 0)
				r->hash = hash_bytes(1, buf, (size_t)n);
			break;
		case 1:
			pattern(buf, o->len, (u32)o->off);
			n = pwrite(*slot, buf, o->len, (off_t)o->off);
			break;
		case 2: n = ftruncate(*slot, (off_t)o->len); break;
		default: n = syscall(SYS_fallocate, *slot, 3, (long)o->off, (long)o->len); break;
		}
		r->err = n < 0 ? -errno : 0;
		r->size = n < 0 ? 0 : (u64)n;
	} else if (!fstat(*slot, &st)) {
		r->mode = st.st_mode;
		r->nlink = (u32)st.st_nlink;
		r->size = (u64)st.st_size;
		r->blocks = (u64)st.st_blocks;
		r->hash = mtime_class(st.st_mtim.tv_sec);
	}
}

static void linux_list(const struct op *o, struct result *r)
{
	int fd = openat(lx_cwd, o->a, O_RDONLY | O_DIRECTORY);
	r->err = fd < 0 ? -errno : 0;
	if (fd < 0)
		return;
	static char buf[65536];
	long n;
	while ((n = syscall(SYS_getdents64, fd, buf, sizeof buf)) > 0)
		for (long at = 0; at < n;) {
			struct dirent64 *d = (struct dirent64 *)(buf + at);
			list_name(r, d->d_name, strlen(d->d_name));
			r->hash += d->d_type;
			at += d->d_reclen;
		}
	if (n < 0)
		r->err = -errno;
	close(fd);
}

static void linux_open(const struct op *o, struct result *r)
{
	int fd = openat(lx_cwd, o->a, (int)(o->flags | O_NONBLOCK), 0644);
	struct stat st;
	r->err = fd < 0 ? -errno : 0;
	if (fd < 0)
		return;
	fstat(fd, &st);
	r->mode = st.st_mode;
	r->nlink = (u32)st.st_nlink;
	close(fd);
}

static void linux_do(const struct op *o, struct result *r)
{
	struct timespec ts[2] = { { (time_t)o->off, 5 }, { (time_t)o->len, 7 } };
	memset(r, 0, sizeof *r);
	switch (o->kind) {
	case OP_OPEN: linux_open(o, r); break;
	case OP_MKDIR: r->err = LX(mkdirat(lx_cwd, o->a, 0755)); break;
	case OP_RMDIR: r->err = LX(unlinkat(lx_cwd, o->a, AT_REMOVEDIR)); break;
	case OP_UNLINK: r->err = LX(unlinkat(lx_cwd, o->a, 0)); break;
	case OP_RENAME: r->err = LX(syscall(SYS_renameat2, lx_cwd, o->a, lx_cwd, o->b, o->flags)); break;
	case OP_LINK: r->err = LX(linkat(lx_cwd, o->a, lx_cwd, o->b, o->flags ? AT_SYMLINK_FOLLOW : 0)); break;
	case OP_SYMLINK: r->err = LX(symlinkat(o->b, lx_cwd, o->a)); break;
	case OP_STAT: linux_stat(o, r); break;
	case OP_READLINK: {
		ssize_t n = readlinkat(lx_cwd, o->a, r->text, sizeof r->text - 1);
		r->err = n < 0 ? -errno : 0;
		break;
	}
	case OP_TRUNCATE: {
		char path[700];
		snprintf(path, sizeof path, "/proc/self/fd/%d/%s", lx_cwd, o->a);
		int fd = openat(lx_cwd, o->a, O_WRONLY | O_NONBLOCK);
		r->err = fd < 0 ? -errno : LX(ftruncate(fd, (off_t)o->len));
		if (fd >= 0)
			close(fd);
		break;
	}
	case OP_WRITE:
	case OP_READ:
	case OP_FALLOCATE: linux_io(o, r); break;
	case OP_HOLD:
	case OP_HOLD_IO:
	case OP_HOLD_STAT: linux_hold(o, r); break;
	case OP_LIST: linux_list(o, r); break;
	case OP_MKFIFO: r->err = LX(mknodat(lx_cwd, o->a, S_IFIFO | 0644, 0)); break;
	case OP_CHDIR: {
		int fd = openat(lx_cwd, o->a, O_PATH | O_DIRECTORY);
		r->err = fd < 0 ? -errno : 0;
		if (fd >= 0) {
			close(lx_cwd);
			lx_cwd = fd;
			fchdir(fd);
		}
		break;
	}
	case OP_CHMOD: r->err = LX(fchmodat(lx_cwd, o->a, o->flags, 0)); break;
	case OP_GETCWD: {
		long n = syscall(SYS_getcwd, r->text, sizeof r->text);
		r->err = n < 0 ? -errno : 0;
		break;
	}
	case OP_CHTIME: {
		r->err = LX(utimensat(lx_cwd, o->a, ts, 0));
		struct stat st;
		if (!r->err && !fstatat(lx_cwd, o->a, &st, 0))
			r->size = (u64)(st.st_atim.tv_sec * 31 + st.st_mtim.tv_sec);
		break;
	}
	default: break;
	}
}

static int to_linux[2], from_linux[2];
static pid_t linux_pid;
static char dir[32];

static void put_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		_exit(4);
	close(fd);
}

/* Of a user namespace of our own. */
static void become_root(void)
{
	char map[64];
	uid_t uid = geteuid();
	gid_t gid = getegid();
	if (unshare(CLONE_NEWUSER) < 0)
		_exit(4);
	snprintf(map, sizeof map, "0 %u 1", uid);
	put_text("/proc/self/uid_map", map);
	put_text("/proc/self/setgroups", "deny");
	snprintf(map, sizeof map, "0 %u 1", gid);
	put_text("/proc/self/gid_map", map);
}

static void linux_child(void)
{
	struct op o;
	struct result r;
	close(to_linux[1]);      /* so that the parent's close is the end of file */
	close(from_linux[0]);
	umask(0);
	if (geteuid() != 0)
		become_root();
	/* A tmpfs of our own: the same file system on both sides. In a chroot "/" is no mount and cannot be made private. */
	if (unshare(CLONE_NEWNS) < 0 || (syscall(SYS_mount, "none", "/", NULL, MS_REC_PRIVATE, NULL) < 0 && errno != EINVAL) ||
	    syscall(SYS_mount, "none", dir, "tmpfs", 0, "mode=755") < 0)
		_exit(5);
	if (chroot(dir) < 0 || chdir("/") < 0)
		_exit(6);
	lx_cwd = open("/", O_PATH | O_DIRECTORY);
	while (read(to_linux[0], &o, sizeof o) == (ssize_t)sizeof o) {
		linux_do(&o, &r);
		if (write(from_linux[1], &r, sizeof r) != (ssize_t)sizeof r)
			break;
	}
	_exit(0);
}

static int linux_start(void **state)
{
	fixture_setup(state);
	fs_owner_uid = fs_owner_gid = geteuid();
	strcpy(dir, "/tmp/pith-fs-XXXXXX");
	assert_non_null(mkdtemp(dir));
	assert_int_equal(pipe(to_linux), 0);
	assert_int_equal(pipe(from_linux), 0);
	linux_pid = fork();
	if (!linux_pid)
		linux_child();
	close(to_linux[0]);
	close(from_linux[1]);
	return 0;
}

static int linux_stop(void **state)
{
	int status;
	close(to_linux[1]);
	waitpid(linux_pid, &status, 0);
	syscall(SYS_umount2, dir, 2);        /* there only if the mount could not be kept to the child */
	rmdir(dir);
	if (WIFEXITED(status) && WEXITSTATUS(status))
		print_error("Linux's side could not start: step %d\n", WEXITSTATUS(status));
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

/* ---- Pith ---- */

static struct vnode *cwd;

static bool pith_list_fn(void *arg, const char *name, size_t len, u64 ino, enum vnode_type type, u64 next)
{
	static const u8 dt[] = { 0, DT_REG, DT_DIR, DT_LNK, DT_CHR, DT_FIFO, DT_SOCK, DT_BLK };
	struct result *r = arg;
	list_name(r, name, len);
	r->hash += dt[type];
	r->blocks = next;
	return r->size % 5 != 0;             /* a small buffer: five names at a time */
}

static void pith_list(const struct op *o, struct result *r)
{
	struct vnode *v;
	r->err = fs_open(cwd, o->a, LX_O_DIRECTORY, 0, 0, &v, NULL);
	if (r->err)
		return;
	for (u64 before = UINT64_MAX; !r->err && before != r->size;) {
		before = r->size;
		r->err = fs_readdir(v, r->blocks, pith_list_fn, r);
		/* The entry that filled the buffer was not taken. */
		if (r->size != before && r->size % 5 == 0) {
			/* taken by the callback all the same: it counts, so go on after it */
			continue;
		}
	}
	r->blocks = 0;
	vnode_put(v);
}

static void pith_attr(struct vnode *v, struct result *r)
{
	struct vattr a;
	assert_int_equal(fs_getattr(v, &a), 0);
	r->mode = a.mode;
	r->nlink = a.nlink;
	r->size = a.size;
	r->blocks = a.blocks512;
	r->hash = mtime_class(a.mtime.sec);
}

static struct vnode *held[HOLDS];

static void pith_hold(const struct op *o, struct result *r)
{
	static char buf[IO_MAX];
	struct vnode **slot = &held[o->flags % HOLDS], *v;
	struct uio u;
	if (o->kind == OP_HOLD) {
		r->err = fs_open(cwd, o->a, LX_O_RDWR, 0, 0, &v, NULL);
		if (!r->err && v->type != VNODE_REG) {
			vnode_put(v);
			r->err = -ENOTBLK;
		} else if (!r->err) {
			if (*slot)
				vnode_put(*slot);
			*slot = v;
		}
		return;
	}
	if (!*slot)
		return;
	if (o->kind == OP_HOLD_STAT) {
		pith_attr(*slot, r);
		return;
	}
	ssize_t n;
	uio_init_kernel(&u, buf, o->len);
	switch (o->flags / HOLDS % 4) {
	case 0:
		n = fs_read(*slot, &u, o->off, false);
		if (n > 0)
			r->hash = hash_bytes(1, buf, (size_t)n);
		break;
	case 1:
		pattern(buf, o->len, (u32)o->off);
		n = fs_write(*slot, &u, o->off, false, false, NULL);
		break;
	case 2: n = fs_truncate(*slot, o->len); break;
	default: n = fs_fallocate(*slot, 3, o->off, o->len); break;
	}
	r->err = n < 0 ? (int)n : 0;
	r->size = n < 0 ? 0 : (u64)n;
}

static void pith_io(const struct op *o, struct result *r)
{
	static char buf[IO_MAX];
	struct vnode *v;
	struct uio u;
	ssize_t n = -EINVAL;
	r->err = fs_open(cwd, o->a, o->kind == OP_READ ? LX_O_RDONLY : LX_O_WRONLY, 0, 0, &v, NULL);
	if (r->err)
		return;
	if (v->type == VNODE_FIFO && o->kind != OP_READ) {
		r->err = -ENXIO;             /* proc/'s part: nobody reads */
		vnode_put(v);
		return;
	}
	uio_init_kernel(&u, buf, o->len);
	if (v->type == VNODE_REG || v->type == VNODE_DIR) {
		if (o->kind == OP_READ) {
			n = fs_read(v, &u, o->off, false);
			if (n > 0)
				r->hash = hash_bytes(1, buf, (size_t)n);
		} else if (o->kind == OP_WRITE) {
			pattern(buf, o->len, (u32)o->off);
			n = fs_write(v, &u, o->off, o->flags & LX_O_APPEND, false, NULL);
		} else {
			n = fs_fallocate(v, o->flags, o->off, o->len);
		}
	}
	r->err = n < 0 ? (int)n : 0;
	r->size = n < 0 ? 0 : (u64)n;
	vnode_put(v);
}

static void pith_set(const struct op *o, struct result *r)
{
	struct vnode *v;
	struct vattr a = { .mode = o->flags, .atime = { (s64)o->off, 5 }, .mtime = { (s64)o->len, 7 } };
	r->err = fs_namei(cwd, o->a, NAMEI_FOLLOW, &v);
	if (r->err)
		return;
	r->err = fs_setattr(v, &a, o->kind == OP_CHMOD ? VATTR_MODE : VATTR_ATIME | VATTR_MTIME);
	if (!r->err && o->kind == OP_CHTIME) {
		assert_int_equal(fs_getattr(v, &a), 0);
		r->size = (u64)(a.atime.sec * 31 + a.mtime.sec);
	}
	vnode_put(v);
}

static void pith_do(const struct op *o, struct result *r)
{
	struct vnode *v;
	ssize_t n;
	memset(r, 0, sizeof *r);
	switch (o->kind) {
	case OP_OPEN:
		r->err = fs_open(cwd, o->a, o->flags, 0644, 0, &v, NULL);
		if (!r->err && v->type == VNODE_FIFO && (o->flags & LX_O_ACCMODE) == LX_O_WRONLY && !(o->flags & LX_O_PATH)) {
			r->err = -ENXIO;
			vnode_put(v);
		}
		if (!r->err) {
			pith_attr(v, r);
			r->size = r->blocks = r->hash = 0;
			vnode_put(v);
		}
		break;
	case OP_MKDIR: r->err = fs_mkdir(cwd, o->a, 0755); break;
	case OP_RMDIR: r->err = fs_rmdir(cwd, o->a); break;
	case OP_UNLINK: r->err = fs_unlink(cwd, o->a); break;
	case OP_RENAME: r->err = fs_rename(cwd, o->a, cwd, o->b, o->flags); break;
	case OP_LINK:
		r->err = fs_namei(cwd, o->a, o->flags ? NAMEI_FOLLOW : 0, &v);
		if (!r->err) {
			r->err = fs_link(v, cwd, o->b);
			vnode_put(v);
		}
		break;
	case OP_SYMLINK: r->err = fs_symlink(cwd, o->a, o->b); break;
	case OP_STAT:
		r->err = fs_namei(cwd, o->a, o->flags ? NAMEI_FOLLOW : 0, &v);
		if (!r->err) {
			pith_attr(v, r);
			vnode_put(v);
		}
		break;
	case OP_READLINK:
		r->err = fs_namei(cwd, o->a, 0, &v);
		if (!r->err) {
			n = fs_readlink(v, r->text, sizeof r->text - 1);
			r->err = n < 0 ? (int)n : 0;
			vnode_put(v);
		}
		break;
	case OP_TRUNCATE:
		r->err = fs_open(cwd, o->a, LX_O_WRONLY, 0, 0, &v, NULL);
		if (!r->err) {
			r->err = v->type == VNODE_FIFO ? -ENXIO : fs_truncate(v, o->len);
			vnode_put(v);
		}
		break;
	case OP_WRITE:
	case OP_READ:
	case OP_FALLOCATE: pith_io(o, r); break;
	case OP_HOLD:
	case OP_HOLD_IO:
	case OP_HOLD_STAT: pith_hold(o, r); break;
	case OP_LIST: pith_list(o, r); break;
	case OP_MKFIFO: r->err = fs_mknod(cwd, o->a, LX_S_IFIFO | 0644, 0, NULL); break;
	case OP_CHDIR:
		r->err = fs_namei(cwd, o->a, NAMEI_FOLLOW | NAMEI_DIRECTORY, &v);
		if (!r->err) {
			vnode_put(cwd);
			cwd = v;
		}
		break;
	case OP_CHMOD:
	case OP_CHTIME: pith_set(o, r); break;
	case OP_GETCWD:
		n = fs_path_of(cwd, r->text, sizeof r->text);
		r->err = n < 0 ? (int)n : 0;
		if (n < 0)
			memset(r->text, 0, sizeof r->text);
		break;
	default: break;
	}
}

/* ---- Both ---- */

static const char *const op_names[] = { "open", "mkdir", "rmdir", "unlink", "rename", "link", "symlink", "stat", "readlink", "truncate", "write", "read",
					"list", "mkfifo", "fallocate", "chdir", "chmod", "getcwd", "chtime", "hold", "held io", "held stat" };

static void describe(const char *who, const struct op *o, const struct result *r)
{
	print_error("%s: %s('%s', '%s', flags 0x%x, %llu, %llu) = %d mode %o nlink %u size %llu blocks %llu hash %x '%.200s'\n", who, op_names[o->kind], o->a, o->b, o->flags,
		    (unsigned long long)o->off, (unsigned long long)o->len, r->err, r->mode, r->nlink, (unsigned long long)r->size, (unsigned long long)r->blocks, r->hash, r->text);
}

static unsigned long done_ops, good_ops;
static bool over_lower;      /* what was not changed counts in blocks as if it had no holes */

static void both(const struct op *o)
{
	static struct result p, l;
	/* Linux gives sparse pages back by its own rules: sizes in blocks are compared after plain writes only. */
	assert_int_equal(write(to_linux[1], o, sizeof *o), sizeof *o);
	pith_do(o, &p);
	assert_int_equal(read(from_linux[0], &l, sizeof l), sizeof l);
	done_ops++;
	good_ops += !l.err;
	if (p.err != l.err || p.mode != l.mode || p.nlink != l.nlink || p.size != l.size || (p.blocks != l.blocks && !over_lower) || p.hash != l.hash || strcmp(p.text, l.text)) {
		describe("pith ", o, &p);
		describe("linux", o, &l);
		fail_msg("operation %lu differs", done_ops);
	}
}

static u64 seed = 88172645463325252ull;
static u32 rnd(u32 n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (u32)((seed >> 16) % n);
}

static void random_path(char *out)
{
	static const char *const names[] = { "a", "b", "c", "d", "e", "f", "..", ".", "ab", "a-longer-name" };
	unsigned n = 1 + rnd(4);
	out[0] = '\0';
	if (rnd(200) == 0)
		return;                      /* the empty path */
	if (rnd(4) == 0)
		strcat(out, rnd(8) ? "/" : "//");
	if (rnd(300) == 0)
		n = 0;
	for (unsigned k = 0; k < n; k++) {
		if (rnd(300) == 0) {
			size_t len = strlen(out), long_len = 254 + rnd(3);
			memset(out + len, 'x', long_len);
			out[len + long_len] = '\0';
		} else {
			strcat(out, names[rnd(rnd(3) ? 4 : ARRAY_SIZE(names))]);
		}
		if (strlen(out) > 300)
			break;
		if (k + 1 < n)
			strcat(out, rnd(30) ? "/" : "///");
	}
	if (n && rnd(12) == 0)
		strcat(out, rnd(3) ? "/" : "/.");
}

static void random_op(struct op *o)
{
	static const u32 open_flags[] = { LX_O_CREAT, LX_O_CREAT | LX_O_EXCL, LX_O_TRUNC, LX_O_DIRECTORY, LX_O_NOFOLLOW, LX_O_PATH, LX_O_CREAT | LX_O_TRUNC, LX_O_CREAT, LX_O_CREAT | LX_O_NOFOLLOW, 0 };
	static const u32 rename_flags[] = { 0, 0, 0, 0, LX_RENAME_NOREPLACE, LX_RENAME_EXCHANGE, LX_RENAME_EXCHANGE, 3, 8 };
	static const u32 fallocate_modes[] = { 0, LX_FALLOC_KEEP_SIZE, LX_FALLOC_KEEP_SIZE | LX_FALLOC_PUNCH_HOLE, LX_FALLOC_KEEP_SIZE | LX_FALLOC_PUNCH_HOLE, LX_FALLOC_PUNCH_HOLE };
	static const u8 weights[] = { [OP_OPEN] = 14, [OP_MKDIR] = 10, [OP_RMDIR] = 5, [OP_UNLINK] = 6, [OP_RENAME] = 12, [OP_LINK] = 6, [OP_SYMLINK] = 6, [OP_STAT] = 12, [OP_READLINK] = 3,
				      [OP_TRUNCATE] = 4, [OP_WRITE] = 8, [OP_READ] = 8, [OP_LIST] = 6, [OP_MKFIFO] = 1, [OP_FALLOCATE] = 4, [OP_CHDIR] = 4, [OP_CHMOD] = 1, [OP_GETCWD] = 3, [OP_CHTIME] = 3,
				      [OP_HOLD] = 4, [OP_HOLD_IO] = 8, [OP_HOLD_STAT] = 5 };
	u32 sum = 0, pick;
	memset(o, 0, sizeof *o);
	for (unsigned k = 0; k < OP_KINDS; k++)
		sum += weights[k];
	pick = rnd(sum);
	for (o->kind = 0; pick >= weights[o->kind]; o->kind++)
		pick -= weights[o->kind];
	random_path(o->a);
	random_path(o->b);
	o->off = rnd(4) ? rnd(20000) : rnd(200000);
	o->len = rnd(6) ? rnd(9000) : rnd(IO_MAX);
	switch (o->kind) {
	case OP_OPEN: o->flags = open_flags[rnd(ARRAY_SIZE(open_flags))] | rnd(3); break;
	case OP_RENAME: o->flags = rename_flags[rnd(ARRAY_SIZE(rename_flags))]; break;
	case OP_FALLOCATE: o->flags = fallocate_modes[rnd(ARRAY_SIZE(fallocate_modes))]; break;
	case OP_WRITE: o->flags = rnd(5) == 0 ? LX_O_APPEND : 0; break;
	case OP_HOLD:
	case OP_HOLD_IO:
	case OP_HOLD_STAT: o->flags = rnd(4 * HOLDS); break;
	case OP_CHMOD: o->flags = rnd(07777); break;
	case OP_STAT:
	case OP_LINK: o->flags = rnd(2); break;
	case OP_SYMLINK:
		if (rnd(100) == 0)
			o->b[0] = '\0';
		break;
	default: break;
	}
}

/* A tree without hard links and special files, as a root image is. */
static void build_tree(unsigned long n)
{
	struct op o;
	while (n) {
		random_op(&o);
		if (o.kind != OP_OPEN && o.kind != OP_MKDIR && o.kind != OP_SYMLINK && o.kind != OP_WRITE && o.kind != OP_RENAME && o.kind != OP_UNLINK)
			continue;
		both(&o);
		n--;
	}
}

static void forget_tree(void)
{
	vnode_put(cwd);
	cwd = NULL;
	for (unsigned k = 0; k < HOLDS; k++) {
		if (held[k])
			vnode_put(held[k]);
		held[k] = NULL;
	}
}

static void random_sequence(void)
{
	struct op o;
	unsigned long n = getenv("FS_STEPS") ? strtoul(getenv("FS_STEPS"), NULL, 0) : 60000;
	cwd = fs_root();
	vnode_get(cwd);
	for (unsigned long k = 0; k < n; k++) {
		random_op(&o);
		both(&o);
		if (k % 5000 == 4999) {      /* start again from the top now and then, and forget cached names */
			struct op back = { .kind = OP_CHDIR, .a = "/" };
			both(&back);
			dcache_shrink(k % 10000 == 4999 ? 1000000 : 7);
		}
	}
	print_message("%lu operations, of which %lu succeeded\n", done_ops, good_ops);
	forget_tree();
}

static void random_operations(void **state)
{
	assert_non_null(fixture_tmpfs_root(0));
	random_sequence();
}

static void random_operations_over_a_tree(void **state)
{
	assert_non_null(fixture_tmpfs_root(0));
	cwd = fs_root();
	vnode_get(cwd);
	build_tree(4000);
	vnode_put(cwd);
	assert_int_equal(fs_mount_tmpfs_over("/", 0755, 0), 0);
	over_lower = true;
	random_sequence();
}

/* Each with a Linux of its own and an empty tree. */
static int one_test(void **state)
{
	if (getenv("FS_SEED"))
		seed = strtoull(getenv("FS_SEED"), NULL, 0);
	return linux_start(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(random_operations, one_test, linux_stop),
		cmocka_unit_test_setup_teardown(random_operations_over_a_tree, one_test, linux_stop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
