/*
 * fs_erofs_test.c - EROFS images made by mkfs.erofs, compared with the tree they were made from; the
 * same images damaged at random; devices that fail; memory that runs out.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "fs_erofs_fixture.h"

COUNTER_DECLARE(erofs_corrupt);

static char tree[64];
static u64 seed = 0x9e3779b97f4a7c15ull;

static u32 rnd(u32 n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (u32)((seed >> 16) % n);
}

/* ---- The tree ---- */

static const char *at(const char *name)
{
	static char buf[2][5000];
	static unsigned turn;
	turn ^= 1;
	snprintf(buf[turn], sizeof buf[turn], "%s/%s", tree, name);
	return buf[turn];
}

static void make_file(const char *name, size_t len, size_t hole)
{
	int fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC, 0640);
	u8 *data = malloc(len + 1);
	assert_true(fd >= 0);
	for (size_t i = 0; i < len; i++)
		data[i] = (u8)(rnd(256));
	assert_int_equal(pwrite(fd, data, len, (off_t)hole), (ssize_t)len);
	free(data);
	close(fd);
}

static int make_tree(void **state)
{
	static const size_t sizes[] = { 0, 1, 10, 2000, 4000, 4095, 4096, 4097, 8191, 8192, 12288, 70000, 1048576 + 17 };
	char name[600], target[4001];
	fixture_setup(state);
	strcpy(tree, "/tmp/pith-erofs-XXXXXX");
	assert_non_null(mkdtemp(tree));
	for (unsigned k = 0; k < ARRAY_SIZE(sizes); k++) {
		snprintf(name, sizeof name, "file-%zu", sizes[k]);
		make_file(name, sizes[k], 0);
	}
	make_file("sparse", 5000, 300000);
	mkdir(at("dir"), 0755);
	mkdir(at("dir/below"), 0711);
	make_file("dir/below/x", 100, 0);
	mkdir(at("empty"), 0700);
	mkdir(at("many"), 0755);
	for (unsigned k = 0; k < 1500; k++) {
		int n = snprintf(name, sizeof name, "many/n%u-", k * 7919 % 10007);
		memset(name + n, 'a' + (int)(k % 26), k % 200);
		name[n + (int)(k % 200)] = '\0';
		make_file(name, k % 50, 0);
	}
	/* mkfs.erofs 1.5 cannot do 255 bytes. */
	memset(name, 'L', 5 + 254);
	memcpy(name, "many/", 5);
	name[5 + 254] = '\0';
	make_file(name, 3, 0);
	assert_int_equal(symlink("file-10", at("link")), 0);
	memset(target, 0, sizeof target);
	for (unsigned k = 0; k < 1000; k++)
		memcpy(target + 4 * k, "./x/", 4);
	target[3900] = '\0';
	assert_int_equal(symlink(target, at("longlink")), 0);
	assert_int_equal(link(at("file-2000"), at("hardlink")), 0);
	assert_int_equal(mkfifo(at("fifo"), 0644), 0);
	if (geteuid() == 0)
		assert_int_equal(mknod(at("dev"), S_IFCHR | 0600, makedev(4, 300)), 0);
	struct timespec ts[2] = { { 1000000000, 123456789 }, { 1234567890, 987654321 } };
	utimensat(AT_FDCWD, at("file-10"), ts, 0);
	return 0;
}

static int remove_tree(void **state)
{
	char cmd[256];
	snprintf(cmd, sizeof cmd, "rm -rf %s %s.img %s.log", tree, tree, tree);
	return system(cmd);
}

/* An image of the tree made with these options, in memory of exactly its size. */
static u8 *make_image(const char *options, size_t *ret_len)
{
	char cmd[512];
	struct stat st;
	snprintf(cmd, sizeof cmd, "PATH=$PATH:/sbin:/usr/sbin; rm -f %s.img; mkfs.erofs -x-1 %s %s.img %s >%s.log 2>&1", tree, options, tree, tree, tree);
	assert_int_equal(system(cmd), 0);
	snprintf(cmd, sizeof cmd, "%s.img", tree);
	int fd = open(cmd, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	u8 *data = malloc((size_t)st.st_size);
	assert_int_equal(read(fd, data, (size_t)st.st_size), st.st_size);
	close(fd);
	*ret_len = (size_t)st.st_size;
	return data;
}

/* ---- Comparing ---- */

static unsigned compared;
static bool times, all_root;

struct names {
	char name[2000][FS_NAME_MAX + 1];
	unsigned n, batch;
	u64 next;
};

static bool collect(void *arg, const char *name, size_t len, u64 ino, enum vnode_type type, u64 next)
{
	struct names *s = arg;
	if (s->batch-- == 0)
		return false;
	memcpy(s->name[s->n], name, len);
	s->name[s->n++][len] = '\0';
	s->next = next;
	return true;
}

static void compare_data(const char *path, struct vnode *v)
{
	static u8 want[2 * MiB], got[2 * MiB];
	struct uio u;
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, want, sizeof want);
	uio_init_kernel(&u, got, sizeof got);
	assert_int_equal(fs_read(v, &u, 0, false), n);
	assert_memory_equal(want, got, n);
	for (unsigned k = 0; k < 4 && n > 1; k++) {
		u64 off = rnd((u32)n);
		uio_init_kernel(&u, got, 1 + rnd(5000));
		size_t len = u.resid;
		ssize_t m = fs_read(v, &u, off, false);
		assert_int_equal(m, MIN((ssize_t)len, n - (ssize_t)off));
		assert_memory_equal(want + off, got, m);
	}
	close(fd);
}

static void compare(const char *host, const char *path)
{
	struct stat st;
	struct vattr a;
	struct vnode *v;
	char sub[5000], deeper[5000], buf[5000], want[5000];
	assert_int_equal(lstat(host, &st), 0);
	assert_int_equal(fs_namei(NULL, path, 0, &v), 0);
	assert_int_equal(fs_getattr(v, &a), 0);
	compared++;
	assert_int_equal(a.mode, st.st_mode);
	assert_int_equal(a.nlink, st.st_nlink);
	assert_int_equal(a.uid, all_root ? 0 : st.st_uid);
	assert_int_equal(a.gid, all_root ? 0 : st.st_gid);
	if (times) {
		assert_int_equal(a.mtime.sec, st.st_mtim.tv_sec);
		assert_int_equal(a.mtime.nsec, st.st_mtim.tv_nsec);
	}
	ssize_t n = fs_path_of(v, buf, sizeof buf);
	assert_int_equal(n, strlen(path));
	assert_string_equal(buf, path);
	if (S_ISREG(st.st_mode)) {
		assert_int_equal(a.size, st.st_size);
		compare_data(host, v);
	} else if (S_ISLNK(st.st_mode)) {
		n = fs_readlink(v, buf, sizeof buf);
		assert_int_equal(n, readlink(host, want, sizeof want));
		assert_memory_equal(buf, want, n);
	} else if (S_ISCHR(st.st_mode)) {
		assert_int_equal(a.rdev, st.st_rdev);
	} else if (S_ISDIR(st.st_mode)) {
		struct names *s = calloc(1, sizeof *s);
		unsigned before;
		do {
			before = s->n;
			s->batch = 1 + rnd(100);
			assert_int_equal(fs_readdir(v, s->next, collect, s), 0);
		} while (s->n != before);
		DIR *d = opendir(host);
		unsigned there = 0;
		while (readdir(d))
			there++;
		closedir(d);
		assert_int_equal(s->n, there);
		for (unsigned k = 0; k < s->n; k++) {
			if (!strcmp(s->name[k], ".") || !strcmp(s->name[k], ".."))
				continue;
			snprintf(sub, sizeof sub, "%s/%s", host, s->name[k]);
			snprintf(deeper, sizeof deeper, "%s/%s", strcmp(path, "/") ? path : "", s->name[k]);
			compare(sub, deeper);
			/* names beside it are absent */
			strcat(deeper, "~");
			struct vnode *none;
			int r = fs_namei(NULL, deeper, 0, &none);
			assert_int_equal(r, strlen(s->name[k]) < 255 ? -ENOENT : -ENAMETOOLONG);
		}
		free(s);
	}
	vnode_put(v);
}

static void images_of_all_layouts(void **state)
{
	static const char *const options[] = {
		"-T0 --all-root", "", "-T0 -Enoinline_data", "-T0 --chunksize=4096", "-T0 --chunksize=65536", "-Eforce-inode-extended", "-T0 -Eforce-inode-compact", "-T0 -Eforce-chunk-indexes --chunksize=8192", "-Enosbcrc",
	};
	for (unsigned k = 0; k < ARRAY_SIZE(options); k++) {
		struct ram_disk d;
		size_t len;
		u8 *data = make_image(options[k], &len);
		int r = image_mount(&d, data, len);
		if (r)
			fail_msg("'%s': %d", options[k], r);
		all_root = strstr(options[k], "--all-root") != NULL;
		times = !strcmp(options[k], "") || !strcmp(options[k], "-Eforce-inode-extended");
		compare(tree, "/");
		compare(tree, "/");          /* from the caches */
		image_unmount(&d);
		free(data);
	}
	print_message("%u objects compared\n", compared);
	assert_int_equal(counter_read(erofs_corrupt), 0);
}

static void errors_of_a_read_only_root(void **state)
{
	struct ram_disk d;
	struct vnode *v;
	bool created;
	size_t len;
	u8 *data = make_image("-T0", &len);
	assert_int_equal(image_mount(&d, data, len), 0);
	assert_int_equal(fs_open(NULL, "/new", LX_O_CREAT | LX_O_WRONLY, 0644, 0, &v, &created), -EROFS);
	assert_int_equal(fs_open(NULL, "/file-10", LX_O_WRONLY, 0, 0, &v, &created), -EROFS);
	assert_int_equal(fs_open(NULL, "/file-10", LX_O_TRUNC, 0, 0, &v, &created), -EROFS);
	assert_int_equal(fs_open(NULL, "/file-10", LX_O_CREAT | LX_O_EXCL, 0, 0, &v, &created), -EEXIST);
	assert_int_equal(fs_open(NULL, "/dir", LX_O_TMPFILE | LX_O_RDWR, 0600, 0, &v, &created), -EROFS);
	assert_int_equal(fs_mkdir(NULL, "/dir", 0755), -EEXIST);
	assert_int_equal(fs_mkdir(NULL, "/newdir", 0755), -EROFS);
	assert_int_equal(fs_symlink(NULL, "/newlink", "x"), -EROFS);
	assert_int_equal(fs_unlink(NULL, "/file-10"), -EROFS);
	assert_int_equal(fs_unlink(NULL, "/nothing"), -EROFS);
	assert_int_equal(fs_rmdir(NULL, "/dir"), -EROFS);
	assert_int_equal(fs_rename(NULL, "/file-10", NULL, "/x", 0), -EROFS);
	assert_int_equal(fs_mknod(NULL, "/node", LX_S_IFIFO | 0644, 0, NULL), -EROFS);
	assert_int_equal(fs_namei(NULL, "/longlink", NAMEI_FOLLOW, &v), -ENOENT);
	assert_int_equal(fs_namei(NULL, "/link", NAMEI_FOLLOW, &v), 0);
	struct vattr a = { .mode = 0600 };
	assert_int_equal(fs_setattr(v, &a, VATTR_MODE), -EROFS);
	assert_int_equal(fs_truncate(v, 1), -EROFS);
	vnode_put(v);
	if (geteuid() == 0)
		assert_int_equal(fs_open(NULL, "/dev", LX_O_RDONLY, 0, 0, &v, &created), -ENXIO);
	image_unmount(&d);
	free(data);
}

static void device_errors(void **state)
{
	struct ram_disk d;
	struct vnode *v;
	struct uio u;
	static char buf[100000];
	size_t len;
	u8 *data = make_image("-T0", &len);
	ram_disk_init(&d, data, len);
	d.fail = -EIO;
	assert_int_equal(fs_mount_root_erofs(&d.dev, 0, 0, NULL), -EIO);
	d.fail = 0;
	assert_int_equal(fs_mount_root_erofs(&d.dev, 0, 0, NULL), 0);
	assert_int_equal(fs_namei(NULL, "/file-70000", 0, &v), 0);
	d.fail = -EIO;
	uio_init_kernel(&u, buf, sizeof buf);
	assert_int_equal(fs_read(v, &u, 0, false), -EIO);
	d.fail = 0;
	uio_init_kernel(&u, buf, sizeof buf);
	unsigned before = d.nrequests;
	assert_int_equal(fs_read(v, &u, 0, false), 70000);
	print_message("70,000 bytes in %u requests\n", d.nrequests - before);
	assert_true(d.nrequests - before <= 4);
	vnode_put(v);
	image_unmount(&d);
	free(data);
}

static void refused_images(void **state)
{
	struct ram_disk d;
	size_t len;
	u8 *data = make_image("-T0 -Enosbcrc", &len), *copy = malloc(len);
	struct { size_t off; u8 value; int want; } cases[] = {
		{ 1024, 0, -EINVAL }, { 1024 + 12, 9, -EINVAL }, { 1024 + 90, 1, -EINVAL }, { 1024 + 80, 0x10, -EINVAL }, { 1024 + 81, 0x80, -EINVAL },
		{ 1024 + 39, 0x7f, -EUCLEAN }, { 1024 + 43, 0x7f, -EUCLEAN }, { 1024 + 14, 0xff, -EUCLEAN },
	};
	for (unsigned k = 0; k < ARRAY_SIZE(cases); k++) {
		memcpy(copy, data, len);
		copy[cases[k].off] = cases[k].value;
		int r = image_mount(&d, copy, len);
		if (r != cases[k].want)
			fail_msg("case %u: %d", k, r);
		heap_free(d.dev.queue);
	}
	/* Cut short, and at an odd place. */
	ram_disk_init(&d, data, len);
	assert_int_equal(fs_mount_root_erofs(&d.dev, 0, len - 4096, NULL), -EUCLEAN);
	assert_int_equal(fs_mount_root_erofs(&d.dev, 100, 0, NULL), -EINVAL);
	assert_int_equal(fs_mount_root_erofs(&d.dev, len, 0, NULL), -EINVAL);
	assert_int_equal(fs_mount_root_erofs(&d.dev, 0, len + 512, NULL), -EINVAL);
	heap_free(d.dev.queue);
	free(data);
	/* A wrong checksum. */
	data = make_image("-T0", &len);
	data[1024 + 16] ^= 1;
	assert_int_equal(image_mount(&d, data, len), -EUCLEAN);
	heap_free(d.dev.queue);
	free(data);
	/* Compressed: refused where it is met. */
	data = make_image("-T0 -zlz4", &len);
	int r = image_mount(&d, data, len);
	if (!r) {
		struct vnode *v;
		struct uio u;
		char buf[16];
		r = fs_namei(NULL, "/file-1048593", 0, &v);
		if (!r) {                    /* random bytes may have been left as they are */
			uio_init_kernel(&u, buf, sizeof buf);
			assert_true(fs_read(v, &u, 0, false) == 16);
			vnode_put(v);
		}
		image_unmount(&d);
	} else {
		heap_free(d.dev.queue);
	}
	free(data);
	free(copy);
}

static void damaged_images(void **state)
{
	static const char *const options[] = { "-T0 -Enosbcrc", "-T0 -Enosbcrc --chunksize=4096", "-Enosbcrc -Eforce-inode-extended" };
	unsigned rounds = getenv("FS_ROUNDS") ? (unsigned)atoi(getenv("FS_ROUNDS")) : 150, mounted = 0, errors = 0;
	log_threshold = LOG_ERROR - 1;
	for (unsigned o = 0; o < ARRAY_SIZE(options); o++) {
		size_t len;
		u8 *data = make_image(options[o], &len), *copy = malloc(len);
		u32 meta;
		memcpy(&meta, data + 1024 + 40, 4);
		for (unsigned k = 0; k < rounds; k++) {
			struct ram_disk d;
			memcpy(copy, data, len);
			for (unsigned n = 1 + rnd(200); n; n--) {
				/* Most of it where inodes, maps and directories lie. */
				size_t from = rnd(20) ? meta * 4096ull : 0, span = len - from;
				if (rnd(3))
					span = MIN(span, (size_t)(40 * 4096));
				size_t off = from + rnd((u32)span);
				if (rnd(2))
					copy[off] ^= (u8)(1u << rnd(8));
				else
					copy[off] = (u8)(rnd(2) ? 0xff : rnd(256));
			}
			if (image_mount(&d, copy, len)) {
				heap_free(d.dev.queue);
				continue;
			}
			mounted++;
			struct image_walk w = { .budget = 2500, .dir = fs_root() };
			image_walk_dir(&w);
			errors += w.errors;
			image_unmount(&d);
		}
		free(data);
		free(copy);
	}
	print_message("%u damaged images mounted, %u errors met, %llu counted as damage\n", mounted, errors, (unsigned long long)counter_read(erofs_corrupt));
	assert_true(mounted > 0 && errors > 0);
	log_threshold = LOG_WARN;
}

static void memory_runs_out(void **state)
{
	struct ram_disk d;
	size_t len;
	u8 *data = make_image("-T0", &len);
	for (unsigned nth = 1; nth < 60; nth++) {
		heap_fail_nth(nth);
		int r = image_mount(&d, data, len);
		if (!r) {
			struct vnode *v;
			r = fs_namei(NULL, "/dir/below/../../longlink", NAMEI_FOLLOW, &v);
			assert_true(r == -ENOENT || r == -ENOMEM);
			r = fs_namei(NULL, "/dir/below/../../link", NAMEI_FOLLOW, &v);
			assert_true(r == 0 || r == -ENOMEM);
			if (!r)
				vnode_put(v);
			heap_fail_nth(0);
			assert_int_equal(fs_namei(NULL, "/dir/below/x", 0, &v), 0);
			vnode_put(v);
			image_unmount(&d);
		} else {
			heap_fail_nth(0);
			assert_int_equal(r, -ENOMEM);
			heap_free(d.dev.queue);
		}
	}
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(images_of_all_layouts), cmocka_unit_test(errors_of_a_read_only_root), cmocka_unit_test(device_errors),
		cmocka_unit_test(refused_images), cmocka_unit_test(damaged_images), cmocka_unit_test(memory_runs_out),
	};
	return cmocka_run_group_tests(tests, make_tree, remove_tree);
}
