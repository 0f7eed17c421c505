/*
 * fs_tree_test.c - the rest of kernel/fs: mounts, devices, generated files, scoped walks, memory
 * files, size limits, memory that runs out at every step.
 */
#include "fs_fixture.h"
#include "base/print.h"
#include "fs/procfs.h"
#include "fs/pseudo_node.h"
#include "vm/aspace.h"

static char buf[65536];

/* ---- A machine's tree: a root in memory with what init mounts ---- */

static s64 fds[] = { 0, 1, 2, 7 };
static s64 fd_next(u64 from)
{
	for (unsigned k = 0; k < ARRAY_SIZE(fds); k++)
		if ((u64)fds[k] >= from)
			return fds[k];
	return -1;
}
static ssize_t fd_target(char *to, size_t size, u64 arg)
{
	return fmt_buf(to, size, "/data/file%llu", (unsigned long long)arg);
}
static int fd_resolve(u64 arg, struct vnode **ret)
{
	return arg == 7 ? fs_namei(NULL, "/data/real", 0, ret) : -ENXIO;
}
static const struct pseudo_link fd_link = { .target = fd_target, .resolve = fd_resolve };
static const struct pseudo_dir fd_dir = { .path = "self/fd", .next = fd_next, .link = &fd_link };

static s64 task_next(u64 from) { return from <= 12 ? 12 : from <= 40 ? 40 : -1; }
static char comm[17];
static int comm_show(struct pseudo_text *t, u64 arg)
{
	pseudo_printf(t, "%llu:%s\n", (unsigned long long)arg, comm);
	return 0;
}
static int comm_store(const char *data, size_t len, u64 arg)
{
	if (len > 16)
		return -EINVAL;
	memcpy(comm, data, len);
	comm[len] = '\0';
	return 0;
}
static const struct pseudo_file task_files[] = { { .path = "comm", .mode = 0644, .show = comm_show, .store = comm_store } };
static const struct pseudo_dir task_dir = { .path = "self/task", .next = task_next, .files = task_files, .nfiles = 1 };
static unsigned shown;
static int count_show(struct pseudo_text *t, u64 arg)
{
	pseudo_printf(t, "%u ", ++shown);
	for (unsigned k = 0; k < arg; k++)
		pseudo_append(t, "0123456789abcdef", 16);
	return 0;
}
static const struct pseudo_file count_file = { .path = "self/count", .mode = 0444, .show = count_show, .arg = 1000 };
static const struct pseudo_file net_file = { .path = "net/if_inet6", .mode = 0444, .show = count_show, .arg = 0 };

static const struct pseudo_file late_files[] = {
	{ .path = "late/one/file", .mode = 0400, .show = count_show },
	{ .path = "late/one/file2", .mode = 0400, .show = count_show },
	{ .path = "late/other/file", .mode = 0400, .show = count_show },
	{ .path = "net/late", .mode = 0400, .show = count_show },
	{ .path = "self/late", .mode = 0400, .show = count_show },
};
static unsigned late_calls;
static int late_populate(void)
{
	late_calls++;
	return pseudo_add_files(PSEUDO_PROC, late_files, ARRAY_SIZE(late_files));
}

static int machine(void **state)
{
	static const struct vm_area_ops no_files;
	fixture_setup(state);
	if (vm_init(&no_files) || !fixture_tmpfs_root(0))
		return -1;
	static const char *const dirs[] = { "/proc", "/sys", "/dev", "/tmp", "/data" };
	for (unsigned k = 0; k < ARRAY_SIZE(dirs); k++)
		if (fs_mkdir(NULL, dirs[k], 0755))
			return -1;
	pseudo_set_pid(2);
	return fs_mount_procfs("/proc") || procfs_init() || pseudo_on_look(PSEUDO_PROC, late_populate) || fs_mount_sysfs("/sys") || fs_mount_devfs("/dev") || fs_mount_tmpfs("/tmp", 01777, 64 * PAGE_SIZE) ||
	       pseudo_add_dir(PSEUDO_PROC, &fd_dir) || pseudo_add_dir(PSEUDO_PROC, &task_dir) || pseudo_add_file(PSEUDO_PROC, &count_file) ||
	       pseudo_add_file(PSEUDO_PROC, &net_file) || fixture_write("/data/real", "contents");
}

static u32 mode_of(const char *path, u32 flags)
{
	struct vnode *v;
	struct vattr a;
	if (fs_namei(NULL, path, flags, &v))
		return 0;
	fs_getattr(v, &a);
	vnode_put(v);
	return a.mode;
}

static void assert_path(const char *path, const char *want)
{
	struct vnode *v;
	assert_int_equal(fs_namei(NULL, path, NAMEI_FOLLOW, &v), 0);
	ssize_t n = fs_path_of(v, buf, sizeof buf);
	vnode_put(v);
	assert_int_equal(n, strlen(want));
	assert_string_equal(buf, want);
}

static void mounts_and_paths(void **state)
{
	struct vnode *v;
	struct fs_statfs s;
	assert_path("/", "/");
	assert_path("/dev/shm/..", "/dev");
	assert_path("/dev/shm/../../proc", "/proc");
	assert_path("/../..", "/");
	assert_path("/dev/shm", "/dev/shm");
	assert_path("/sys/devices/system/cpu/cpu0/topology/../../cpu0", "/sys/devices/system/cpu/cpu0");
	assert_int_equal(fs_rmdir(NULL, "/tmp"), -EBUSY);
	assert_int_equal(fs_rename(NULL, "/tmp", NULL, "/other", 0), -EBUSY);
	assert_int_equal(fs_rename(NULL, "/data/real", NULL, "/tmp/x", 0), -EXDEV);
	assert_int_equal(fs_namei(NULL, "/data/real", 0, &v), 0);
	assert_int_equal(fs_link(v, NULL, "/tmp/x"), -EXDEV);
	vnode_put(v);
	assert_int_equal(fs_namei(NULL, "/proc", 0, &v), 0);
	assert_int_equal(fs_statfs(v, &s), 0);
	assert_int_equal(s.type, LX_PROC_MAGIC);
	char small[4];
	assert_int_equal(fs_path_of(v, small, sizeof small), -ERANGE);
	vnode_put(v);
	assert_true(fixture_read("/proc/mounts", buf, sizeof buf) > 0);
	assert_non_null(strstr(buf, "tmpfs /tmp tmpfs rw,"));
	assert_true(fixture_read("/proc/self/mountinfo", buf, sizeof buf) > 0);
	assert_non_null(strstr(buf, " /proc rw,"));
}

static void scoped_walks(void **state)
{
	struct vnode *dir, *v;
	assert_int_equal(fs_mkdir(NULL, "/data/in", 0755), 0);
	assert_int_equal(fs_symlink(NULL, "/data/in/abs", "/real"), 0);
	assert_int_equal(fs_symlink(NULL, "/data/in/up", "../real"), 0);
	assert_int_equal(fixture_write("/data/in/real", "x"), 0);
	assert_int_equal(fs_namei(NULL, "/data/in", 0, &dir), 0);
	assert_int_equal(fs_namei(dir, "abs", NAMEI_FOLLOW | NAMEI_BENEATH, &v), -EXDEV);
	assert_int_equal(fs_namei(dir, "up", NAMEI_FOLLOW | NAMEI_BENEATH, &v), -EXDEV);
	assert_int_equal(fs_namei(dir, "../in", NAMEI_BENEATH, &v), -EXDEV);
	assert_int_equal(fs_namei(dir, "/real", NAMEI_BENEATH, &v), -EXDEV);
	static const char *const inside[] = { "abs", "up", "/abs", "../../real", "/../real" };
	for (unsigned k = 0; k < ARRAY_SIZE(inside); k++) {
		assert_int_equal(fs_namei(dir, inside[k], NAMEI_FOLLOW | NAMEI_IN_ROOT, &v), 0);
		assert_true(fs_path_of(v, buf, sizeof buf) > 0);
		assert_string_equal(buf, "/data/in/real");
		vnode_put(v);
	}
	assert_int_equal(fs_namei(dir, "up", NAMEI_FOLLOW | NAMEI_NOSYMLINKS, &v), -ELOOP);
	assert_int_equal(fs_namei(NULL, "/proc/self", NAMEI_FOLLOW | NAMEI_NOXDEV, &v), -EXDEV);
	assert_int_equal(fs_namei(NULL, "/proc/self/fd/7", NAMEI_FOLLOW | NAMEI_NOMAGIC, &v), -ELOOP);
	assert_int_equal(fs_namei(dir, "", 0, &v), -ENOENT);
	vnode_put(dir);
}

static void link_limits(void **state)
{
	struct vnode *v;
	char from[32], to[32], path[5000];
	for (int k = 0; k < 41; k++) {
		snprintf(from, sizeof from, "/data/l%d", k);
		snprintf(to, sizeof to, k ? "l%d" : "real", k - 1);
		assert_int_equal(fs_symlink(NULL, from, to), 0);
	}
	assert_int_equal(fs_namei(NULL, "/data/l39", NAMEI_FOLLOW, &v), 0);
	vnode_put(v);
	assert_int_equal(fs_namei(NULL, "/data/l40", NAMEI_FOLLOW, &v), -ELOOP);
	assert_int_equal(fs_symlink(NULL, "/data/loop", "loop/x"), 0);
	assert_int_equal(fs_namei(NULL, "/data/loop", NAMEI_FOLLOW, &v), -ELOOP);
	memset(path, 'a', sizeof path);
	path[4999] = '\0';
	path[0] = '/';
	assert_int_equal(fs_namei(NULL, path, 0, &v), -ENAMETOOLONG);
	path[4096] = '\0';
	assert_int_equal(fs_namei(NULL, path, 0, &v), -ENAMETOOLONG);
	for (int k = 0; k < 4095; k++)
		path[k] = k % 2 ? '.' : '/';
	path[4095] = '\0';
	assert_int_equal(fs_namei(NULL, path, 0, &v), 0);
	vnode_put(v);
}

static bool list_names(void *arg, const char *name, size_t len, u64 ino, enum vnode_type type, u64 next)
{
	char *to = arg;
	snprintf(to + strlen(to), 4096 - strlen(to), "%.*s ", (int)len, name);
	return true;
}

static void numbered_directories(void **state)
{
	struct vnode *v;
	char names[4096] = "";
	assert_int_equal(fs_namei(NULL, "/proc/self/fd", NAMEI_FOLLOW, &v), 0);
	assert_int_equal(fs_readdir(v, 0, list_names, names), 0);
	vnode_put(v);
	assert_string_equal(names, ". .. 0 1 2 7 ");
	assert_int_equal(fs_namei(NULL, "/proc/2/fd/3", 0, &v), -ENOENT);
	fds[2] = 3;                          /* it comes to be: no stale knowledge */
	assert_int_equal(fs_namei(NULL, "/proc/2/fd/3", 0, &v), 0);
	assert_int_equal(v->type, VNODE_LINK);
	assert_int_equal(fs_readlink(v, buf, sizeof buf), 11);
	assert_memory_equal(buf, "/data/file3", 11);
	vnode_put(v);
	fds[2] = 2;
	assert_int_equal(fs_namei(NULL, "/proc/2/fd/3", 0, &v), -ENOENT);
	assert_int_equal(fs_namei(NULL, "/proc/self/fd/1", NAMEI_FOLLOW, &v), -ENXIO);
	assert_int_equal(fs_namei(NULL, "/proc/self/fd/07", 0, &v), -ENOENT);
	assert_int_equal(fs_namei(NULL, "/proc/self/fd/99999999999", 0, &v), -ENOENT);
	assert_int_equal(fixture_read("/proc/self/fd/7", buf, sizeof buf), 8);
	assert_int_equal(fixture_read("/dev/fd/7", buf, sizeof buf), 8);
	assert_int_equal(fixture_write("/proc/self/fd/7", "contents"), 0);
	assert_int_equal(fs_namei(NULL, "/proc/self/fd/7/x", 0, &v), -ENOTDIR);
	assert_int_equal(fixture_write("/proc/self/task/12/comm", "name"), 0);
	assert_int_equal(fixture_read("/proc/self/task/40/comm", buf, sizeof buf), 8);
	assert_string_equal(buf, "40:name\n");
	assert_int_equal(fixture_write("/proc/self/task/12/comm", "a name that is too long"), -EINVAL);
	assert_int_equal(fs_namei(NULL, "/proc/self/task/13", 0, &v), -ENOENT);
	assert_int_equal(mode_of("/proc/self", 0), LX_S_IFLNK | 0777);
	assert_int_equal(mode_of("/proc/self/", 0), LX_S_IFDIR | 0555);
	assert_path("/proc/self/task/40/comm", "/proc/2/task/40/comm");
	assert_true(fixture_read("/proc/net/if_inet6", buf, sizeof buf) > 0);
}

static void snapshots(void **state)
{
	struct vnode *v;
	struct uio u;
	void *h;
	assert_int_equal(fs_namei(NULL, "/proc/self/count", NAMEI_FOLLOW, &v), 0);
	shown = 0;
	assert_int_equal(v->ops->open(v, &h), 0);
	size_t total = 0;
	for (;;) {                           /* in pieces: one snapshot */
		uio_init_kernel(&u, buf + total, 1000);
		ssize_t n = v->ops->read_handle(v, h, &u, total);
		assert_true(n >= 0);
		if (!n)
			break;
		total += (size_t)n;
	}
	assert_int_equal(total, 2 + 16000);
	assert_int_equal(shown, 1);
	assert_memory_equal(buf, "1 0123", 6);
	uio_init_kernel(&u, buf, 10);        /* from the start: a new one */
	assert_int_equal(v->ops->read_handle(v, h, &u, 0), 10);
	assert_memory_equal(buf, "2 0123", 6);
	v->ops->close(v, h);
	vnode_put(v);
}

static void generated_files(void **state)
{
	static const char *const proc[] = { "meminfo", "cpuinfo", "stat", "uptime", "loadavg", "version", "filesystems", "swaps", "sys/kernel/osrelease", "sys/kernel/ostype",
		"sys/kernel/hostname", "sys/kernel/pid_max", "sys/kernel/random/boot_id", "sys/kernel/random/uuid", "sys/vm/overcommit_memory", "sys/vm/max_map_count", "sys/net/core/somaxconn" };
	static const char *const sys[] = { "devices/system/cpu/online", "devices/system/cpu/possible", "devices/system/cpu/present", "devices/system/cpu/cpu0/topology/core_id",
		"kernel/mm/transparent_hugepage/enabled", "kernel/mm/transparent_hugepage/hpage_pmd_size", "devices/system/node/node0/cpulist" };
	char path[128], first[64];
	struct vnode *v;
	bool created;
	for (unsigned k = 0; k < ARRAY_SIZE(proc); k++) {
		snprintf(path, sizeof path, "/proc/%s", proc[k]);
		assert_true(fixture_read(path, buf, sizeof buf) > 0);
		assert_true(buf[strlen(buf) - 1] == '\n');
	}
	for (unsigned k = 0; k < ARRAY_SIZE(sys); k++) {
		snprintf(path, sizeof path, "/sys/%s", sys[k]);
		assert_true(fixture_read(path, buf, sizeof buf) > 0);
	}
	unsigned long total, free;
	assert_true(fixture_read("/proc/meminfo", buf, sizeof buf) > 0);
	assert_int_equal(sscanf(buf, "MemTotal: %lu kB\nMemFree: %lu kB\n", &total, &free), 2);
	assert_true(total >= free && free > 0);
	assert_int_equal(fixture_read("/proc/sys/kernel/random/boot_id", buf, sizeof buf), 37);
	strcpy(first, buf);
	assert_int_equal(fixture_read("/proc/sys/kernel/random/boot_id", buf, sizeof buf), 37);
	assert_string_equal(first, buf);
	assert_int_equal(fixture_read("/proc/sys/kernel/random/uuid", buf, sizeof buf), 37);
	assert_string_not_equal(first, buf);
	assert_true(buf[14] == '4');
	/* What cannot be. */
	assert_int_equal(fs_namei(NULL, "/sys/fs/cgroup", 0, &v), -ENOENT);
	assert_int_equal(fs_open(NULL, "/proc/meminfo", LX_O_WRONLY, 0, 0, &v, &created), -EACCES);
	assert_int_equal(fs_open(NULL, "/proc/new", LX_O_CREAT | LX_O_WRONLY, 0644, 0, &v, &created), -ENOENT);
	assert_int_equal(fs_mkdir(NULL, "/proc/new", 0755), -ENOENT);
	assert_int_equal(fs_open(NULL, "/sys/new", LX_O_CREAT | LX_O_WRONLY, 0644, 0, &v, &created), -EACCES);
	assert_int_equal(fs_mkdir(NULL, "/sys/new", 0755), -EPERM);
	assert_int_equal(fs_unlink(NULL, "/proc/meminfo"), -EPERM);
	assert_int_equal(fs_rename(NULL, "/proc/meminfo", NULL, "/proc/x", 0), -EPERM);
	assert_int_equal(pseudo_add_file(PSEUDO_PROC, &count_file), -EEXIST);
}

static ssize_t dev_io(const char *path, void *data, size_t len, bool write)
{
	struct vnode *v;
	struct uio u;
	bool created;
	int r = fs_open(NULL, path, write ? LX_O_WRONLY : LX_O_RDONLY, 0, 0, &v, &created);
	if (r)
		return r;
	uio_init_kernel(&u, data, len);
	ssize_t n = write ? fs_write(v, &u, 0, false, false, NULL) : fs_read(v, &u, 0, false);
	vnode_put(v);
	return n;
}

static void devices(void **state)
{
	struct vnode *v;
	struct vattr a;
	void *h;
	char x[300], y[300];
	memset(x, 1, sizeof x);
	assert_int_equal(dev_io("/dev/null", x, 100, false), 0);
	assert_int_equal(dev_io("/dev/null", x, 100, true), 100);
	assert_int_equal(dev_io("/dev/zero", x, 100, false), 100);
	assert_true(x[0] == 0 && x[99] == 0 && x[100] == 1);
	assert_int_equal(dev_io("/dev/full", x, 100, true), -ENOSPC);
	assert_int_equal(dev_io("/dev/full", x, 100, false), 100);
	assert_int_equal(dev_io("/dev/urandom", x, 300, false), 300);
	assert_int_equal(dev_io("/dev/random", y, 300, false), 300);
	assert_memory_not_equal(x, y, 300);
	assert_int_equal(dev_io("/dev/urandom", x, 300, true), 300);
	assert_int_equal(fs_namei(NULL, "/dev/urandom", 0, &v), 0);
	assert_int_equal(fs_getattr(v, &a), 0);
	assert_int_equal(a.mode, LX_S_IFCHR | 0666);
	assert_int_equal(a.rdev, LX_MKDEV(1, 9));
	vnode_put(v);
	assert_int_equal(fs_namei(NULL, "/dev/tty", 0, &v), 0);
	assert_int_equal(v->ops->open(v, &h), -ENXIO);
	vnode_put(v);
	assert_int_equal(fs_namei(NULL, "/dev/console", 0, &v), -ENOENT);
	assert_int_equal(fs_namei(NULL, "/dev/zero", 0, &v), 0);
	struct page *p;
	struct vm_object *o, *o2;
	assert_int_equal(v->ops->mmap_object(v, false, &o), 0);
	assert_int_equal(vm_object_get_page(o, 3, &p), 0);
	assert_int_equal(*(u64 *)page_to_virt(p), 0);
	page_put(p);
	vm_object_put(o);
	assert_int_equal(v->ops->mmap_object(v, true, &o), 0);
	assert_int_equal(v->ops->mmap_object(v, true, &o2), 0);
	assert_ptr_not_equal(o, o2);
	vm_object_put(o);
	vm_object_put(o2);
	vnode_put(v);
	assert_int_equal(fs_mknod(NULL, "/dev/log", LX_S_IFSOCK | 0666, 0, NULL), 0);
	bool created;
	assert_int_equal(fs_open(NULL, "/dev/log", LX_O_RDONLY, 0, 0, &v, &created), -ENXIO);
	assert_int_equal(fs_mknod(NULL, "/dev/mem", LX_S_IFCHR | 0666, LX_MKDEV(1, 1), NULL), -EPERM);
	assert_int_equal(fs_unlink(NULL, "/dev/log"), 0);
}

static u64 used(const char *path)
{
	struct vnode *v;
	struct fs_statfs s;
	assert_int_equal(fs_namei(NULL, path, 0, &v), 0);
	assert_int_equal(fs_statfs(v, &s), 0);
	vnode_put(v);
	return s.blocks - s.bfree;
}

static void size_limit(void **state)
{
	struct vnode *v;
	struct uio u;
	bool created;
	struct page *p;
	u64 off;
	assert_int_equal(used("/tmp"), 0);
	assert_int_equal(fs_open(NULL, "/tmp/f", LX_O_CREAT | LX_O_RDWR, 0644, 0, &v, &created), 0);
	for (off = 0;;) {
		uio_init_kernel(&u, buf, 10000);
		ssize_t n = fs_write(v, &u, 0, true, false, &off);
		if (n < 0) {
			assert_int_equal(n, -ENOSPC);
			break;
		}
	}
	assert_int_equal(v->size, 64 * PAGE_SIZE);
	assert_int_equal(used("/tmp"), 64);
	assert_int_equal(fs_fallocate(v, LX_FALLOC_KEEP_SIZE, 64 * PAGE_SIZE, PAGE_SIZE), -ENOSPC);
	assert_int_equal(fs_fallocate(v, LX_FALLOC_KEEP_SIZE | LX_FALLOC_PUNCH_HOLE, PAGE_SIZE / 2, 2 * PAGE_SIZE), 0);
	assert_int_equal(used("/tmp"), 63);
	assert_int_equal(vm_object_get_page(v->object, 1, &p), 0);   /* a fault fills the hole */
	page_put(p);
	assert_int_equal(used("/tmp"), 64);
	assert_int_equal(fs_truncate(v, 5), 0);
	assert_int_equal(used("/tmp"), 1);
	assert_int_equal(fs_fallocate(v, 0, 0, 64 * PAGE_SIZE), 0);
	assert_int_equal(used("/tmp"), 64);
	assert_int_equal(fs_fallocate(v, LX_FALLOC_ZERO_RANGE, 0, 10), 0);
	assert_int_equal(fs_fallocate(v, 0, 0, 1ull << 50), -ENOSPC);
	assert_int_equal(fs_unlink(NULL, "/tmp/f"), 0);
	assert_int_equal(used("/tmp"), 64);          /* still open */
	assert_true(fs_path_show(v, buf, sizeof buf) > 0);
	assert_string_equal(buf, "/tmp/f (deleted)");
	assert_int_equal(fs_path_of(v, buf, sizeof buf), -ENOENT);
	vnode_put(v);
	assert_int_equal(used("/tmp"), 0);
	/* A hole is read without taking space. */
	assert_int_equal(fs_open(NULL, "/tmp/f", LX_O_CREAT | LX_O_RDWR, 0644, 0, &v, &created), 0);
	assert_int_equal(fs_truncate(v, 1ull << 40), 0);
	uio_init_kernel(&u, buf, sizeof buf);
	assert_int_equal(fs_read(v, &u, 1ull << 39, false), sizeof buf);
	assert_int_equal(used("/tmp"), 0);
	uio_init_kernel(&u, buf, 10);
	assert_int_equal(fs_write(v, &u, (u64)INT64_MAX - 5, false, false, NULL), -EFBIG);
	vnode_put(v);
	assert_int_equal(fs_unlink(NULL, "/tmp/f"), 0);
}

static void memory_files(void **state)
{
	struct vnode *v;
	struct vattr a;
	struct uio u;
	u32 seals;
	bool created;
	assert_int_equal(fs_new_memfile("buffer", &v), 0);
	fs_getattr(v, &a);
	assert_int_equal(a.nlink, 0);
	assert_true(fs_path_show(v, buf, sizeof buf) > 0);
	assert_string_equal(buf, "/memfd:buffer (deleted)");
	uio_init_kernel(&u, buf, 5000);
	assert_int_equal(fs_write(v, &u, 0, false, false, NULL), 5000);
	assert_int_equal(fs_memfile_seal(v, LX_F_SEAL_SHRINK | LX_F_SEAL_GROW), 0);
	assert_int_equal(fs_truncate(v, 1), -EPERM);
	assert_int_equal(fs_truncate(v, 6000), -EPERM);
	uio_init_kernel(&u, buf, 100);
	assert_int_equal(fs_write(v, &u, 4990, false, false, NULL), -EPERM);
	assert_int_equal(fs_memfile_seal(v, LX_F_SEAL_WRITE | LX_F_SEAL_SEAL), 0);
	uio_init_kernel(&u, buf, 10);
	assert_int_equal(fs_write(v, &u, 0, false, false, NULL), -EPERM);
	assert_int_equal(fs_memfile_seal(v, LX_F_SEAL_WRITE), -EPERM);
	assert_int_equal(fs_memfile_seals(v, &seals), 0);
	assert_int_equal(seals, 15);
	vnode_put(v);
	/* O_TMPFILE, and a name for it later. */
	assert_int_equal(fs_open(NULL, "/data", LX_O_TMPFILE | LX_O_RDWR, 0600, 0, &v, &created), 0);
	fs_getattr(v, &a);
	assert_int_equal(a.nlink, 0);
	assert_int_equal(fs_link(v, NULL, "/data/named"), 0);
	fs_getattr(v, &a);
	assert_int_equal(a.nlink, 1);
	assert_true(fs_path_of(v, buf, sizeof buf) > 0);
	assert_string_equal(buf, "/data/named");
	vnode_put(v);
	assert_int_equal(fs_open(NULL, "/data", LX_O_TMPFILE | LX_O_EXCL | LX_O_RDWR, 0600, 0, &v, &created), 0);
	assert_int_equal(fs_link(v, NULL, "/data/named2"), -ENOENT);
	vnode_put(v);
	assert_int_equal(fs_open(NULL, "/data", LX_O_TMPFILE | LX_O_RDONLY, 0600, 0, &v, &created), -EINVAL);
	assert_int_equal(fs_open(NULL, "/data/real", LX_O_TMPFILE | LX_O_RDWR, 0600, 0, &v, &created), -ENOTDIR);
}

/* ---- Each allocation of each operation fails once ---- */

static int step(unsigned k)
{
	struct vnode *v;
	bool created;
	int r;
	switch (k) {
	case 0: return fs_mkdir(NULL, "/data/oom", 0755);
	case 1: return fixture_write("/data/oom/f", "some text");
	case 2: return fs_symlink(NULL, "/data/oom/l", "./f");
	case 3: return fs_mkdir(NULL, "/data/oom/d", 0755);
	case 4: return fs_rename(NULL, "/data/oom/f", NULL, "/data/oom/d/f2", 0);
	case 5: return fs_rename(NULL, "/data/oom/l", NULL, "/data/oom/d/f2", LX_RENAME_EXCHANGE);
	case 6:
		r = fs_namei(NULL, "/data/oom/d/../l", NAMEI_FOLLOW, &v);
		if (!r) {
			r = fs_link(v, NULL, "/data/oom/hard");
			vnode_put(v);
		}
		return r;
	case 7: return fs_mknod(NULL, "/data/oom/fifo", LX_S_IFIFO | 0644, 0, NULL);
	case 8: return (int)MIN(fixture_read("/proc/self/task/12/comm", buf, sizeof buf), 0);
	case 9: return (int)MIN(fixture_read("/proc/cpuinfo", buf, sizeof buf), 0);
	case 10:
		r = fs_open(NULL, "/data/oom", LX_O_TMPFILE | LX_O_RDWR, 0600, 0, &v, &created);
		if (!r) {
			r = fs_fallocate(v, 0, 0, 3 * PAGE_SIZE);
			vnode_put(v);
		}
		return r;
	case 11: return fs_rename(NULL, "/data/oom/hard", NULL, "/data/oom/fifo", 0);
	case 12: return fs_unlink(NULL, "/data/oom/fifo");
	case 13: return fs_unlink(NULL, "/data/oom/d/f2");
	case 14: return fs_unlink(NULL, "/data/oom/l");
	case 15: return fs_rmdir(NULL, "/data/oom/d");
	case 16: return fs_rmdir(NULL, "/data/oom");
	default: return 1;
	}
}

static void memory_runs_out(void **state)
{
	unsigned failures = 0;
	assert_int_equal(fixture_read("/proc/self/task/12/comm", buf, sizeof buf) > 0, 1);
	for (unsigned round = 0; round < 3; round++)
		for (unsigned k = 0; step(1000) && k < 17; k++) {
			unsigned nth = 0;
			int r;
			do {
				if (round)
					dcache_shrink(1000000);
				heap_fail_nth(++nth);
				r = step(k);
				heap_fail_nth(0);
				if (r) {
					failures++;
					if (r != -ENOMEM)
						fail_msg("step %u, allocation %u: %d", k, nth, r);
				}
				assert_true(nth < 200);
			} while (r);
		}
	print_message("%u allocations failed, none did harm\n", failures);
	assert_true(failures > 100);
}

/* No page is left at all: errors, no harm, and everything comes back. */
static void pages_run_out(void **state)
{
	struct vnode *v, *w;
	struct uio u;
	bool created;
	u64 off = 0, before = page_free_count();
	ssize_t n;
	assert_int_equal(fs_open(NULL, "/data/big", LX_O_CREAT | LX_O_RDWR, 0644, 0, &v, &created), 0);
	do {
		uio_init_kernel(&u, buf, sizeof buf);
		n = fs_write(v, &u, off, false, false, &off);
	} while (n > 0);
	assert_int_equal(n, -ENOMEM);
	assert_true(off >= before / 2 * PAGE_SIZE);
	assert_true(page_free_count() < 64);
	assert_int_equal(fs_fallocate(v, 0, off, 64 * MiB), -ENOSPC);
	/* What is there can still be read; names can be used. */
	uio_init_kernel(&u, buf, sizeof buf);
	assert_int_equal(fs_read(v, &u, off / 2, false), sizeof buf);
	assert_int_equal(fs_open(NULL, "/data/small", LX_O_CREAT | LX_O_RDWR, 0644, 0, &w, &created), 0);
	uio_init_kernel(&u, buf, 3 * PAGE_SIZE);
	n = fs_write(w, &u, 0, false, false, NULL);
	assert_true(n == -ENOMEM || n > 0);
	vnode_put(w);
	assert_int_equal(fs_truncate(v, 100), 0);
	assert_int_equal(fs_unlink(NULL, "/data/small"), 0);
	assert_int_equal(fs_unlink(NULL, "/data/big"), 0);
	vnode_put(v);
	assert_true(page_free_count() + 16 >= before);
	print_message("%llu MiB filled\n", (unsigned long long)(off / MiB));
}

/* More than there is memory for: nothing is taken of it (a program that did this was killed for the memory that it took). */
static void allocate_too_much(void **state)
{
	struct vnode *v;
	bool created;
	u64 before = page_free_count();
	assert_int_equal(fs_open(NULL, "/data/much", LX_O_CREAT | LX_O_RDWR, 0644, 0, &v, &created), 0);
	assert_int_equal(fs_fallocate(v, LX_FALLOC_KEEP_SIZE, 0, before * PAGE_SIZE), -ENOSPC);
	assert_int_equal(fs_fallocate(v, 0, 0, (before - 8) * PAGE_SIZE), -ENOSPC);
	/* readahead(2) fills no holes. */
	assert_int_equal(fs_truncate(v, before * PAGE_SIZE), 0);
	vm_object_prefetch(v->object, 0, UINT64_MAX);
	assert_true(page_free_count() + 16 >= before);
	assert_int_equal(fs_fallocate(v, 0, 0, before / 2 * PAGE_SIZE), 0);
	assert_int_equal(fs_unlink(NULL, "/data/much"), 0);
	vnode_put(v);
	assert_true(page_free_count() + 16 >= before);
}

/* Which names are absent is kept as long as their directory is, not longer: removed directories come back whole. */
static void removed_directories(void **state)
{
	struct vnode *v, *here;
	u64 before = 0;
	while (dcache_shrink(1000000))
		;
	assert_int_equal(fs_mkdir(NULL, "/data/rest", 0755), 0);
	for (unsigned k = 0; k < 600; k++) {
		assert_int_equal(fs_mkdir(NULL, "/data/gone", 0755), 0);
		assert_int_equal(fs_namei(NULL, "/data/gone/a", 0, &v), -ENOENT);
		assert_int_equal(fs_namei(NULL, "/data/gone/b", 0, &v), -ENOENT);
		assert_int_equal(fs_namei(NULL, "/data/gone", 0, &here), 0);
		if (k % 2)
			assert_int_equal(fs_rmdir(NULL, "/data/gone"), 0);
		else
			assert_int_equal(fs_rename(NULL, "/data/rest", NULL, "/data/gone", 0), 0);
		/* Who is still in it finds nothing and leaves nothing. */
		assert_int_equal(fs_namei(here, "c", 0, &v), -ENOENT);
		vnode_put(here);
		if (k % 2 == 0)
			assert_int_equal(fs_rename(NULL, "/data/gone", NULL, "/data/rest", 0), 0);
		if (k == 100)
			before = heap_used_bytes();
	}
	assert_true(heap_used_bytes() <= before + 4096);
	assert_int_equal(fs_rmdir(NULL, "/data/rest"), 0);
}

/* Rooms register their files in turn until the name that is asked for is there, each once. */
static void registered_on_look(void **state)
{
	static const struct pseudo_file below = { .path = "late/one/file/x", .mode = 0400 }, shorter = { .path = "late/one/fil", .mode = 0400 };
	struct vnode *v;
	assert_int_equal(mode_of("/proc/self/count", NAMEI_FOLLOW), LX_S_IFREG | 0444);
	assert_int_equal(mode_of("/proc/uptime", 0), LX_S_IFREG | 0444);
	assert_int_equal(late_calls, 0);
	assert_int_equal(mode_of("/proc/late/other/file", 0), LX_S_IFREG | 0400);
	assert_int_equal(fs_namei(NULL, "/proc/nothing", 0, &v), -ENOENT);
	assert_int_equal(late_calls, 1);
	for (unsigned k = 0; k < ARRAY_SIZE(late_files); k++) {
		snprintf(buf, sizeof buf, "/proc/%s", late_files[k].path);
		assert_int_equal(mode_of(buf, NAMEI_FOLLOW), LX_S_IFREG | 0400);
		assert_int_equal(pseudo_add_file(PSEUDO_PROC, &late_files[k]), -EEXIST);
	}
	assert_int_equal(pseudo_add_file(PSEUDO_PROC, &below), -EEXIST);
	assert_int_equal(pseudo_add_file(PSEUDO_PROC, &shorter), 0);
	assert_path("/proc/late/one/fil", "/proc/late/one/fil");
}

/* Names of what is in use survive any pressure; what is idle goes. */
static void pressure(void **state)
{
	struct vnode *v, *d;
	assert_int_equal(fs_mkdir(NULL, "/data/p", 0755), 0);
	assert_int_equal(fs_mkdir(NULL, "/data/p/q", 0755), 0);
	assert_int_equal(fixture_write("/data/p/q/file", "x"), 0);
	assert_int_equal(fs_namei(NULL, "/data/p/q/file", 0, &v), 0);
	assert_int_equal(fs_namei(NULL, "/data/p", 0, &d), 0);
	dcache_shrink(1000000);
	assert_true(fs_path_of(v, buf, sizeof buf) > 0);
	assert_string_equal(buf, "/data/p/q/file");
	assert_true(fs_path_of(d, buf, sizeof buf) > 0);
	assert_string_equal(buf, "/data/p");
	unsigned with = dcache_count();
	vnode_put(v);
	vnode_put(d);
	while (dcache_shrink(1000000))       /* leaf first: it may take rounds */
		;
	assert_true(dcache_count() + 3 <= with);
	assert_path("/data/p/q/file", "/data/p/q/file");
	for (unsigned k = 0; k < 20000; k++) {
		snprintf(buf, sizeof buf, "/data/no%u", k);
		assert_int_equal(fs_namei(NULL, buf, 0, &v), -ENOENT);
	}
	assert_true(dcache_count() <= 8300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registered_on_look), cmocka_unit_test(mounts_and_paths), cmocka_unit_test(scoped_walks), cmocka_unit_test(link_limits),
		cmocka_unit_test(numbered_directories),
		cmocka_unit_test(snapshots), cmocka_unit_test(generated_files), cmocka_unit_test(devices), cmocka_unit_test(size_limit),
		cmocka_unit_test(memory_files), cmocka_unit_test(memory_runs_out), cmocka_unit_test(pages_run_out), cmocka_unit_test(pressure),
		cmocka_unit_test(allocate_too_much), cmocka_unit_test(removed_directories),
	};
	return cmocka_run_group_tests(tests, machine, NULL);
}
