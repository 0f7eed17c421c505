/*
 * erofs_read.c - reading a root (erofs_read.h). The format: kernel/fs/erofs.h, Linux's fs/erofs/erofs_fs.h.
 */
#include "image/erofs_read.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "util/file.h"

#define BLOCK       4096u
#define SUPER_AT    1024u
#define SLOT        32u
#define DIRENT_LEN  12u
#define DEPTH_MAX   64
#define ENTRIES_MAX 4000000u
#define DIR_MAX     (64u << 20)

enum layout { FLAT = 0, INLINE = 2 };

struct root {
	int fd;
	uint64_t offset, len, meta;
	uint64_t left;   /* entries that may still be visited */
	void (*visit)(void *context, const struct erofs_file *file);
	void *context;
};

struct inode {
	enum layout layout;
	unsigned int mode;
	uint64_t len, data_at, tail_at;
};

static uint64_t get(const uint8_t *p, int len)
{
	uint64_t value = 0;

	for (int i = len; i-- > 0;)
		value = value << 8 | p[i];
	return value;
}

static bool bytes_read(const struct root *r, uint64_t at, void *to, size_t len)
{
	return at <= r->len && len <= r->len - at && file_pread_all(r->fd, to, len, r->offset + at) == 0;
}

/* Compact inodes have 32 bytes, extended ones 64; attributes follow, then a tail or nothing. */
static bool inode_read(const struct root *r, uint64_t nid, struct inode *inode)
{
	uint8_t b[64] = { 0 };
	uint64_t at = r->meta + nid * SLOT, attributes;
	bool extended;

	if (nid > r->len / SLOT || !bytes_read(r, at, b, 32))
		return false;
	extended = b[0] & 1;
	if (extended && !bytes_read(r, at, b, 64))
		return false;
	attributes = get(b + 2, 2);
	*inode = (struct inode){
		.layout = get(b, 2) >> 1 & 7, .mode = (unsigned int)get(b + 4, 2), .len = extended ? get(b + 8, 8) : get(b + 8, 4),
		.data_at = get(b + 16, 4) * BLOCK, .tail_at = at + (extended ? 64 : 32) + (attributes ? 12 + 4 * (attributes - 1) : 0),
	};
	return inode->layout == FLAT || inode->layout == INLINE;
}

static bool contents_read(const struct root *r, const struct inode *inode, size_t max, struct buf *ret_bytes)
{
	uint64_t whole = inode->layout == INLINE ? inode->len / BLOCK * BLOCK : inode->len;

	*ret_bytes = (struct buf){ 0 };
	if (inode->len > max || inode->len > r->len)
		return false;
	buf_zero(ret_bytes, (size_t)inode->len);
	if (bytes_read(r, whole ? inode->data_at : 0, ret_bytes->data, (size_t)whole) &&
	    bytes_read(r, inode->len > whole ? inode->tail_at : 0, ret_bytes->data + whole, (size_t)(inode->len - whole)))
		return true;
	buf_free(ret_bytes);
	return false;
}

static bool node_walk(struct root *r, uint64_t nid, const char *path, int depth);

/* One block of a directory: entries, the first of which says by its name's place how many there are, then the names. */
static bool block_walk(struct root *r, const uint8_t *b, size_t len, const char *path, int depth)
{
	size_t count = len >= DIRENT_LEN ? get(b + 8, 2) / DIRENT_LEN : 0;

	if (!count || count * DIRENT_LEN > len)
		return false;
	for (size_t i = 0; i < count; i++) {
		const uint8_t *e = b + i * DIRENT_LEN;
		size_t from = get(e + 8, 2), to = i + 1 < count ? get(e + DIRENT_LEN + 8, 2) : len;
		char *name, *child;
		bool good = true;

		if (from < count * DIRENT_LEN || from > to || to > len)
			return false;
		name = xstrndup((const char *)b + from, strnlen((const char *)b + from, to - from));
		if (strcmp(name, ".") && strcmp(name, "..")) {
			child = xasprintf("%s/%s", path, name);
			good = *name && node_walk(r, get(e, 8), child, depth + 1);
			free(child);
		}
		free(name);
		if (!good)
			return false;
	}
	return true;
}

static bool node_walk(struct root *r, uint64_t nid, const char *path, int depth)
{
	struct buf entries;
	struct inode inode;
	bool good = true;

	if (!r->left || depth > DEPTH_MAX || !inode_read(r, nid, &inode))
		return false;
	r->left--;
	r->visit(r->context, &(struct erofs_file){ .path = *path ? path : "/", .nid = nid, .len = inode.len, .mode = inode.mode });
	if (!S_ISDIR(inode.mode))
		return true;
	if (!contents_read(r, &inode, DIR_MAX, &entries))
		return false;
	for (size_t at = 0; at < entries.len && good; at += BLOCK)
		good = block_walk(r, (const uint8_t *)entries.data + at, entries.len - at < BLOCK ? entries.len - at : BLOCK, path, depth);
	buf_free(&entries);
	return good;
}

static bool root_open(struct root *r, uint64_t *ret_nid)
{
	uint8_t super[64];

	if (!bytes_read(r, SUPER_AT, super, sizeof super) || super[12] != 12)
		return false;
	r->meta = get(super + 40, 4) * BLOCK;
	*ret_nid = get(super + 14, 2);
	return true;
}

bool erofs_walk(int fd, uint64_t offset, uint64_t len, void (*visit)(void *context, const struct erofs_file *file), void *context)
{
	struct root r = { .fd = fd, .offset = offset, .len = len, .left = ENTRIES_MAX, .visit = visit, .context = context };
	uint64_t nid;

	return root_open(&r, &nid) && node_walk(&r, nid, "", 0);
}

bool erofs_read_file(int fd, uint64_t offset, uint64_t len, uint64_t nid, size_t max, struct buf *ret_bytes)
{
	struct root r = { .fd = fd, .offset = offset, .len = len };
	struct inode inode;
	uint64_t root;

	*ret_bytes = (struct buf){ 0 };
	return root_open(&r, &root) && inode_read(&r, nid, &inode) && (S_ISREG(inode.mode) || S_ISLNK(inode.mode)) &&
	       contents_read(&r, &inode, max, ret_bytes);
}
