/*
 * ext4_fuzz.c - a hostile ext4 volume: real ones, made by mke2fs and filled by this kernel, with bytes changed in superblock,
 * group descriptors, inodes, directories, extents and journal; mounted, walked, read, written, synced, unmounted.
 *
 * Input: a byte that chooses the volume and how many changes follow; changes of 8 bytes (where, what); then a byte for
 * each operation. The superblock's checksum is made right again; the other volumes than the first have no checksums, so
 * that changes get behind them. After each input everything must be given back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ext4_fixture.h"
#include "fuzz/fuzz.h"

#define SIZE   (3u << 20)
#define KINDS  5u

static struct base {
	u8 data[SIZE], work[SIZE];           /* work: a disk with the same bytes, but for what the last input left */
	u32 used[SIZE / 1024], nused;        /* kilobytes that hold something */
} bases[KINDS];
static u8 *image;

static const char *const options[KINDS] = {
	"-t ext4 -b 1024 -J size=1 -N 64", "-t ext4 -b 1024 -J size=1 -N 64 -O ^metadata_csum", "-t ext3 -b 1024 -J size=1 -N 64",
	"-t ext4 -b 4096 -N 64 -O ^metadata_csum,^has_journal", "-t ext4 -b 1024 -J size=1 -N 64 -O ^metadata_csum,^resize_inode,meta_bg,^64bit",
};

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* ---- The volumes ---- */

static struct vnode *open_path(const char *path, u32 flags)
{
	struct vnode *v;
	bool created;

	return fs_open(NULL, path, flags, 0644, 0, &v, &created) ? NULL : v;
}

static void write_path(const char *path, size_t len, u64 off)
{
	static u8 data[70000];
	struct vnode *v = open_path(path, LX_O_CREAT | LX_O_RDWR);

	if (!v)
		return;
	memset(data, 'd', sizeof data);
	(void)file_write_at(v, data, len, off);
	vnode_put(v);
}

static void populate(void)
{
	char path[60];
	struct vnode *v;

	must(!fs_mkdir(NULL, "/d", 0755) && !fs_mkdir(NULL, "/d/e", 0755));
	for (unsigned k = 0; k < 40; k++) {
		snprintf(path, sizeof path, "/d/a-name-of-a-file-that-is-rather-long-%u", k);
		if (k % 13)
			(void)!fs_symlink(NULL, path, "text");
		else
			write_path(path, 100, 0);
	}
	write_path("/large", 70000, 0);
	for (unsigned k = 0; k < 12; k++)
		write_path("/sparse", 1000, k * 20000);
	v = open_path("/large", LX_O_RDWR);
	must(v);
	(void)!fs_setxattr(v, "user.a", "value", 5, 0);
	(void)!fs_setxattr(v, "user.b", path, 60, 0);
	(void)!fs_setxattr(v, "user.c", bases[0].data, 300, 0);
	vnode_put(v);
}

/* The state in the middle of work: the journal has something to replay, and a file is open without a name. */
static void base_make(unsigned k)
{
	char path[40], cmd[600];
	struct disk d;
	struct mount *m;

	snprintf(path, sizeof path, "/tmp/pith-fuzz-%d", (int)getpid());
	snprintf(cmd, sizeof cmd,
		 "truncate -s %u %s && E2FSPROGS_FAKE_TIME=1000000 PATH=$PATH:/sbin:/usr/sbin mke2fs -q -F -U 00000000-0000-0000-0000-000000000001 -E "
		 "lazy_itable_init=1,hash_seed=00000000-0000-0000-0000-000000000002 %s %s >/dev/null 2>&1",
		 SIZE, path, options[k], path);
	must(system(cmd) == 0);
	disk_init(&d, SIZE);
	int fd = open(path, O_RDONLY);
	must(fd >= 0 && read(fd, d.data, SIZE) == (ssize_t)SIZE);
	close(fd);
	unlink(path);
	must(!ext4_open(&d.dev, 0, false, &m) && !mount_attach(m, NULL));
	populate();
	must(!m->sync(m));
	write_path("/gone", 3000, 0);
	struct vnode *v = open_path("/gone", LX_O_RDWR);
	must(v && !fs_unlink(NULL, "/gone") && !fs_unlink(NULL, "/sparse") && !m->sync(m));
	struct base *b = &bases[k];
	memcpy(b->data, d.data, SIZE);
	for (u32 n = 0; n < SIZE / 1024; n++) {
		static const u8 zero[1024];
		if (memcmp(b->data + n * 1024, zero, 1024))
			b->used[b->nused++] = n;
	}
	vnode_put(v);
	(void)volume_unmount(m);
	disk_free(&d);
}

/* Few pages differ, and copying all of them would take longer than the rest of an input. */
static void work_reset(struct base *b)
{
	for (size_t at = 0; at < SIZE; at += 4096)
		if (memcmp(b->work + at, b->data + at, 4096))
			memcpy(b->work + at, b->data + at, 4096);
}

/* ---- Changes ---- */

static void super_seal(u8 *data)
{
	struct ext4_super *s = (struct ext4_super *)(void *)(data + EXT4_SB_OFFSET);

	if (s->feature_ro_compat & EXT4_RO_METADATA_CSUM)
		s->checksum = ext4_crc32c(~0u, s, offsetof(struct ext4_super, checksum));
}

static u32 place(const struct base *b, u8 where, u32 at)
{
	const struct ext4_super *s = (const struct ext4_super *)(const void *)(b->data + EXT4_SB_OFFSET);
	u32 block = 1024u << s->log_block_size, table;

	memcpy(&table, b->data + block * (s->first_data_block + 1) + 8, 4);
	switch (where % 4) {
	case 0:
		return EXT4_SB_OFFSET + at % 1024;
	case 1:
		return block * (s->first_data_block + 1) + at % 128;
	case 2:                              /* an inode */
		return table * block + at % (24 * s->inode_size);
	default:
		return b->used[at / 1024 % b->nused] * 1024 + at % 1024;
	}
}

static void change(const struct base *b, struct fuzz_input *in)
{
	u8 where = fuzz_u8(in), what = fuzz_u8(in);
	u32 at = place(b, where, fuzz_u16(in) | (u32)(where >> 2) << 16), value = fuzz_u32(in), n = what % 4 == 0 ? 1 : what % 4 == 1 ? 2 : 4;

	if (what & 0x80)
		at &= ~3u;
	at = MIN(at, SIZE - 4);
	if (what & 0x40)                     /* one block over another */
		memcpy(image + at / 1024 * 1024, image + b->used[value % b->nused] * 1024, 1024);
	else if (what & 0x20)
		image[at] ^= (u8)(1u << value % 8);
	else
		memcpy(image + at, &value, n);
}

/* ---- Use ---- */

static bool entry(void *arg, const char *name, size_t len, u64 ino, enum vnode_type type, u64 next)
{
	char (*names)[256] = arg;
	unsigned n = (unsigned)(u8)names[0][0];

	if (n >= 20)
		return false;
	memcpy(names[n + 1], name, len);
	names[n + 1][len] = 0;
	names[0][0]++;
	return true;
}

static void look(struct vnode *v)
{
	static u8 buf[5000];
	struct vattr a;

	(void)fs_getattr(v, &a);
	(void)fs_listxattr(v, (char *)buf, sizeof buf);
	(void)fs_getxattr(v, "user.c", buf, sizeof buf);
	if (v->type == VNODE_LINK)
		(void)fs_readlink(v, (char *)buf, sizeof buf);
	if (v->type != VNODE_REG)
		return;
	for (u64 off = 0; off < 100000; off += 30000)
		(void)file_read_at(v, buf, sizeof buf, off);
	(void)fs_seek(v, 0, true);
}

static void walk(const char *path, unsigned depth)
{
	char (*names)[256] = malloc(21 * 256), sub[600];
	struct vnode *v;

	names[0][0] = 0;
	if (!fs_namei(NULL, path, 0, &v)) {
		look(v);
		if (v->type == VNODE_DIR)
			(void)fs_readdir(v, 0, entry, names);
		vnode_put(v);
	}
	for (unsigned k = 0; k < (u8)names[0][0] && depth < 3; k++) {
		if (names[k + 1][0] == '.')
			continue;
		snprintf(sub, sizeof sub, "%s%s%.255s", path, path[1] ? "/" : "", names[k + 1]);
		if (strlen(sub) < 500)
			walk(sub, depth + 1);
	}
	free(names);
}

static const char *const paths[] = { "/large", "/d/a-name-of-a-file-that-is-rather-long-0", "/new", "/d/e", "/d/new", "/d/a-name-of-a-file-that-is-rather-long-7", "/d/e/x", "/sparse" };

static void operate(struct mount *m, u8 op, u8 arg)
{
	const char *a = paths[arg % 8], *b = paths[arg / 8 % 8];
	static u8 value[900];
	struct vnode *v = NULL;

	switch (op % 12) {
	case 0: write_path(a, arg * 200u, arg * 300u); return;
	case 1: (void)!fs_unlink(NULL, a); return;
	case 2: (void)!fs_rename(NULL, a, NULL, b, 0); return;
	case 3: (void)!fs_rename(NULL, a, NULL, b, LX_RENAME_EXCHANGE); return;
	case 4: (void)!fs_mkdir(NULL, a, 0755); return;
	case 5: (void)!fs_rmdir(NULL, a); return;
	case 6: (void)!m->sync(m); return;
	case 7: (void)!fs_symlink(NULL, a, "a text that is longer than sixty bytes so that it needs a block for itself"); return;
	default: break;
	}
	if (fs_namei(NULL, a, 0, &v))
		return;
	switch (op % 12) {
	case 8: (void)!fs_truncate(v, arg * 1000u); break;
	case 9: (void)!fs_setxattr(v, arg & 1 ? "user.c" : "user.d", value, arg * 3u, arg & 2 ? FS_XATTR_REMOVE : 0); break;
	case 10: (void)!fs_fallocate(v, arg & 1 ? LX_FALLOC_PUNCH_HOLE | LX_FALLOC_KEEP_SIZE : 0, arg * 500u, 30000); break;
	default: (void)!fs_link(v, NULL, b);
	}
	(void)!fs_fsync(v, arg & 1);
	vnode_put(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	static bool ready;
	struct mount *m;
	struct disk d;

	if (!ready) {
		host_sched_start();
		log_threshold = LOG_ERROR - 1;
		fs_owner_uid = fs_owner_gid = 0;
		for (unsigned k = 0; k < KINDS; k++)
			base_make(k);
		ready = true;
	}
	u8 head = fuzz_u8(&in);
	struct base *b = &bases[head % KINDS];
	work_reset(b);
	image = b->work;
	for (unsigned n = head / KINDS % 16; n; n--)
		change(b, &in);
	super_seal(image);
	u64 before = heap_used_bytes();
	disk_init_over(&d, image, SIZE);
	if (!ext4_open(&d.dev, 0, head & 0x80 && head & 0x40, &m)) {
		must(!mount_attach(m, NULL));
		walk("/", 0);
		for (unsigned n = 0; in.left && n < 60; n++) {
			u8 op = fuzz_u8(&in);
			operate(m, op, fuzz_u8(&in));
		}
		walk("/", 0);
		(void)volume_unmount(m);
	}
	d.data = NULL;
	disk_free(&d);
	if (heap_used_bytes() > before + 8192)
		abort();
	return 0;
}
