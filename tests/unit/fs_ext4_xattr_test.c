/*
 * fs_ext4_xattr_test.c - extended attributes on volumes: against a model, across mounts, with a block that files share;
 * debugfs reads what was set and sets what is read, e2fsck agrees.
 */
#include "ext4_fixture.h"

#define MB (1024ul * 1024)
#define NAMES 24u

static const char *const kinds[] = {
	"-t ext4 -b 4096", "-t ext4 -b 1024", "-t ext4 -b 4096 -I 512", "-t ext4 -I 128", "-t ext4 -b 2048 -O ^metadata_csum", "-t ext4 -O ^has_journal", "-t ext3", "-t ext2 -O ^ext_attr",
};

static u32 seed;
static u32 rnd(u32 below)
{
	seed = seed * 1664525u + 1013904223u;
	return (u32)((u64)(seed >> 8) * below >> 24);
}

struct model {
	bool there[NAMES];
	u32 size[NAMES];
	u8 value[NAMES][4096];
};

static void name_of(char *buf, size_t size, unsigned k)
{
	snprintf(buf, size, "user.%.*s%u", (int)(k * 5), "a-name-that-may-be-as-long-as-two-hundred-and-fifty-bytes-or-so-if-you-repeat-it-often-enough-and-then-some-more-of-it", k);
}

static void expect_model(struct vnode *v, const struct model *m)
{
	static char list[65536];
	static u8 have[4096];
	size_t want = 0;
	for (unsigned k = 0; k < NAMES; k++) {
		char name[256];
		name_of(name, sizeof name, k);
		ssize_t n = fs_getxattr(v, name, have, sizeof have);
		if (!m->there[k]) {
			assert_int_equal(n, -ENODATA);
			continue;
		}
		assert_int_equal(n, m->size[k]);
		assert_memory_equal(have, m->value[k], m->size[k]);
		assert_int_equal(fs_getxattr(v, name, NULL, 0), m->size[k]);
		if (m->size[k] > 1)
			assert_int_equal(fs_getxattr(v, name, have, m->size[k] - 1), -ERANGE);
		want += strlen(name) + 1;
	}
	assert_int_equal(fs_listxattr(v, list, sizeof list), want);
	assert_int_equal(fs_listxattr(v, NULL, 0), want);
}

static void change(struct vnode *v, struct model *m)
{
	char name[256];
	u8 value[4200];
	unsigned k = rnd(NAMES), what = rnd(10);
	u32 size = rnd(3) ? rnd(60) : rnd(rnd(4) ? 500 : sizeof value);
	name_of(name, sizeof name, k);
	for (u32 n = 0; n < size; n++)
		value[n] = (u8)rnd(256);
	if (what < 3) {
		assert_int_equal(fs_setxattr(v, name, NULL, 0, FS_XATTR_REMOVE), m->there[k] ? 0 : -ENODATA);
		m->there[k] = false;
		return;
	}
	u32 flags = what == 3 ? FS_XATTR_CREATE : what == 4 ? FS_XATTR_REPLACE : 0;
	int r = fs_setxattr(v, name, value, size, flags);
	if (what == 3 && m->there[k])
		assert_int_equal(r, -EEXIST);
	else if (what == 4 && !m->there[k])
		assert_int_equal(r, -ENODATA);
	else if (r)
		assert_int_equal(r, -ENOSPC);
	if (r)
		return;
	m->there[k] = true;
	m->size[k] = size;
	memcpy(m->value[k], value, size);
}

static void test_model(void **state)
{
	static struct model models[3];
	for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++) {
		struct disk d;
		struct vattr a;
		print_message("# %s\n", kinds[k]);
		memset(models, 0, sizeof models);
		seed = k + 1;
		volume_make(&d, 16 * MB, kinds[k]);
		struct mount *m = volume_mount(&d);
		assert_int_equal(fs_mkdir(NULL, "/d", 0755), 0);
		vnode_put(file_open("/f", LX_O_CREAT | LX_O_RDWR));
		vnode_put(file_open("/g", LX_O_CREAT | LX_O_RDWR));
		for (unsigned round = 0; round < 4; round++) {
			struct vnode *v[3];
			assert_int_equal(fs_namei(NULL, "/f", 0, &v[0]), 0);
			assert_int_equal(fs_namei(NULL, "/g", 0, &v[1]), 0);
			assert_int_equal(fs_namei(NULL, "/d", 0, &v[2]), 0);
			for (unsigned n = 0; n < 3; n++)
				expect_model(v[n], &models[n]);
			for (unsigned n = 0; n < 300; n++)
				change(v[n % 3], &models[n % 3]);
			for (unsigned n = 0; n < 3; n++) {
				expect_model(v[n], &models[n]);
				vnode_put(v[n]);
			}
			assert_int_equal(volume_unmount(m), 0);
			assert_int_equal(volume_check(d.data, d.size), 0);
			m = volume_mount(&d);
		}
		struct fs_statfs before, after;
		assert_int_equal(m->statfs(m, &before), 0);
		struct vnode *v = file_open("/f", LX_O_RDWR);
		fs_getattr(v, &a);
		vnode_put(v);
		assert_int_equal(fs_unlink(NULL, "/f"), 0);
		while (dcache_shrink(1000))
			;
		assert_int_equal(m->statfs(m, &after), 0);
		assert_int_equal(after.bfree - before.bfree, a.blocks512 * 512 / after.bsize);
		assert_int_equal(volume_unmount(m), 0);
		assert_int_equal(volume_check(d.data, d.size), 0);
		disk_free(&d);
	}
}

/* Two files with one block, as Linux makes them when their attributes are alike. */
static void share_block(struct ext4 *e, struct vnode *from, struct vnode *to)
{
	struct ext4_inode *a = ext4_inode(from), *b = ext4_inode(to);
	struct ext4_buf *x;
	assert_int_equal(ext4_begin(e), 0);
	assert_true(a->file_acl && !b->file_acl);
	assert_int_equal(buf_read(e, a->file_acl, &x), 0);
	struct ext4_xattr_header *h = (struct ext4_xattr_header *)(void *)x->data;
	h->refcount++;
	h->checksum = 0;
	h->checksum = ext4_crc32c(ext4_crc32c(e->csum_seed, &x->block, 8), x->data, e->block_size);
	buf_dirty(e, x);
	buf_put(e, x);
	b->file_acl = a->file_acl;
	b->sectors += e->block_size / 512;
	assert_int_equal(ext4_inode_store(b, true), 0);
	ext4_end(e);
}

static void test_shared_block(void **state)
{
	struct disk d;
	u8 value[700], have[700];
	memset(value, 'v', sizeof value);
	volume_make(&d, 16 * MB, "-t ext4 -b 4096");
	struct mount *m = volume_mount(&d);
	struct vnode *v[3];
	char path[3] = "/0";
	for (unsigned k = 0; k < 3; k++) {
		path[1] = (char)('0' + k);
		v[k] = file_open(path, LX_O_CREAT | LX_O_RDWR);
	}
	assert_int_equal(fs_setxattr(v[0], "user.big", value, sizeof value, 0), 0);
	struct ext4 *e = ext4_of(v[0]);
	share_block(e, v[0], v[1]);
	share_block(e, v[0], v[2]);
	/* A change of one leaves the others. */
	assert_int_equal(fs_setxattr(v[1], "user.big", "small", 5, 0), 0);
	assert_int_equal(fs_getxattr(v[1], "user.big", have, sizeof have), 5);
	assert_int_equal(fs_setxattr(v[2], "user.more", value, 300, 0), 0);
	assert_int_equal(fs_getxattr(v[2], "user.big", have, sizeof have), sizeof value);
	assert_int_equal(fs_getxattr(v[0], "user.big", have, sizeof have), sizeof value);
	assert_memory_equal(have, value, sizeof value);
	assert_int_equal(fs_getxattr(v[0], "user.more", have, sizeof have), -ENODATA);
	share_block(e, v[0], v[1]);
	for (unsigned k = 0; k < 3; k++)
		vnode_put(v[k]);
	assert_int_equal(volume_unmount(m), 0);
	assert_int_equal(volume_check(d.data, d.size), 0);
	m = volume_mount(&d);
	assert_int_equal(fs_unlink(NULL, "/0"), 0);
	v[1] = file_open("/1", LX_O_RDWR);
	assert_int_equal(fs_getxattr(v[1], "user.big", have, sizeof have), 5);      /* behind the inode comes first */
	assert_int_equal(fs_setxattr(v[1], "user.big", NULL, 0, FS_XATTR_REMOVE), 0);
	assert_int_equal(fs_getxattr(v[1], "user.big", have, sizeof have), -ENODATA);
	assert_int_equal(ext4_inode(v[1])->file_acl, 0);
	vnode_put(v[1]);
	assert_int_equal(volume_unmount(m), 0);
	assert_int_equal(volume_check(d.data, d.size), 0);
	disk_free(&d);
}

/* debugfs runs commands on the volume; its answer goes to out. */
static void debugfs(struct disk *d, const char *commands, char *out, size_t size)
{
	char path[200], cmd[2000];
	tool_path(path, sizeof path);
	image_put(path, d->data, d->size);
	snprintf(cmd, sizeof cmd, "printf '%s' | PATH=$PATH:/sbin:/usr/sbin debugfs -w %s 2>/dev/null", commands, path);
	FILE *p = popen(cmd, "r");
	assert_non_null(p);
	out[fread(out, 1, size - 1, p)] = 0;
	assert_int_equal(pclose(p), 0);
	image_get(path, d->data, d->size);
}

static void test_debugfs(void **state)
{
	const char *some[] = { "-t ext4 -b 4096", "-t ext4 -b 1024", "-t ext4 -I 128" };
	for (unsigned k = 0; k < ARRAY_SIZE(some); k++) {
		struct disk d;
		char out[4000], have[100], big[601];
		volume_make(&d, 16 * MB, some[k]);
		struct mount *m = volume_mount(&d);
		struct vnode *v = file_open("/f", LX_O_CREAT | LX_O_RDWR);
		memset(big, 'B', 600);
		big[600] = 0;
		assert_int_equal(fs_setxattr(v, "user.one", "first", 5, 0), 0);
		assert_int_equal(fs_setxattr(v, "user.two", big, 600, 0), 0);
		vnode_put(v);
		assert_int_equal(volume_unmount(m), 0);
		debugfs(&d, "ea_get /f user.one\\nea_get /f user.two\\nea_set /f user.three third\\nea_set /f security.other text\\n", out, sizeof out);
		assert_non_null(strstr(out, "\"first\""));
		assert_non_null(strstr(out, big));
		assert_int_equal(volume_check(d.data, d.size), 0);
		m = volume_mount(&d);
		v = file_open("/f", LX_O_RDWR);
		assert_int_equal(fs_getxattr(v, "user.three", have, sizeof have), 5);
		assert_memory_equal(have, "third", 5);
		assert_int_equal(fs_listxattr(v, have, sizeof have), 9 + 9 + 11);
		assert_int_equal(fs_setxattr(v, "user.two", "small", 5, 0), 0);
		vnode_put(v);
		assert_int_equal(volume_unmount(m), 0);
		debugfs(&d, "ea_get /f security.other\\n", out, sizeof out);
		assert_non_null(strstr(out, "\"text\""));
		assert_int_equal(volume_check(d.data, d.size), 0);
		disk_free(&d);
	}
}

/* Long links have blocks, short ones text; with attributes from elsewhere both go completely. */
static void test_links_go(void **state)
{
	struct disk d;
	struct fs_statfs before, after;
	char target[201], out[1000];
	memset(target, 'x', 200);
	target[200] = 0;
	volume_make(&d, 16 * MB, "-t ext4 -b 4096");
	struct mount *m = volume_mount(&d);
	assert_int_equal(m->statfs(m, &before), 0);
	assert_int_equal(fs_symlink(NULL, "/long", target), 0);
	assert_int_equal(fs_symlink(NULL, "/short", "text"), 0);
	assert_int_equal(volume_unmount(m), 0);
	memset(target, 'y', 200);
	char commands[600];
	snprintf(commands, sizeof commands, "ea_set /short security.a %s\\nea_set /long security.a %s\\n", target, target);
	debugfs(&d, commands, out, sizeof out);
	assert_int_equal(volume_check(d.data, d.size), 0);
	m = volume_mount(&d);
	assert_int_equal(fs_unlink(NULL, "/long"), 0);
	assert_int_equal(fs_unlink(NULL, "/short"), 0);
	while (dcache_shrink(1000))
		;
	assert_int_equal(m->statfs(m, &after), 0);
	assert_int_equal(after.bfree, before.bfree);
	assert_int_equal(volume_unmount(m), 0);
	assert_int_equal(volume_check(d.data, d.size), 0);
	disk_free(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model), cmocka_unit_test(test_shared_block), cmocka_unit_test(test_debugfs), cmocka_unit_test(test_links_go),
	};
	return cmocka_run_group_tests_name("fs_ext4_xattr", tests, fixture_setup, NULL);
}
