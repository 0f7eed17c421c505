/*
 * erofs_data.c - EROFS: where the bytes of files are, and reading them into the page cache.
 *
 * Invariants: an extent lies inside the image; what is read beyond a file's end is zeroed.
 *
 * What can fail: -EUCLEAN (a chunk outside the image, another device), -EIO, -ENOMEM.
 */
#include "fs/erofs.h"

static int erofs_map_chunk(struct erofs_inode *i, u64 off, struct erofs_extent *ret)
{
	struct erofs *e = erofs_of(&i->v);
	u64 at = i->inline_pa + (off >> i->chunk_bits) * i->chunk_entry;
	u64 in_chunk = off & ((1ull << i->chunk_bits) - 1);
	struct erofs_disk_chunk_index x = { 0 };
	int r;
	if (i->chunk_entry == 8)
		r = erofs_meta_read(e, at, &x, sizeof x);
	else
		r = erofs_meta_read(e, at, &x.blkaddr, sizeof x.blkaddr);
	if (r)
		return r;
	ret->len = MIN((1ull << i->chunk_bits) - in_chunk, i->v.size - off);
	ret->hole = x.blkaddr == EROFS_NULL_ADDR;
	if (ret->hole)
		return 0;
	ret->pa = (u64)x.blkaddr * EROFS_BLOCK + in_chunk;
	if (x.device)
		return erofs_corrupt(e, i->nid, "chunk on another device");
	if (ret->pa >= e->size || ret->len > e->size - ret->pa)
		return erofs_corrupt(e, i->nid, "chunk outside the image");
	return 0;
}

int erofs_map(struct erofs_inode *i, u64 off, struct erofs_extent *ret)
{
	u64 size = i->v.size;
	*ret = (struct erofs_extent){ 0 };
	if (i->layout == EROFS_CHUNKED)
		return erofs_map_chunk(i, off, ret);
	u64 whole = i->layout == EROFS_INLINE ? ROUND_DOWN(size, EROFS_BLOCK) : size;
	if (off < whole) {
		ret->pa = i->data_pa + off;
		ret->len = whole - off;
	} else {
		ret->pa = i->inline_pa + (off - whole);
		ret->len = size - off;
	}
	return 0;
}

ssize_t erofs_readlink(struct vnode *v, char *buf, size_t size)
{
	struct erofs_inode *i = erofs_inode(v);
	size_t want = MIN((u64)size, v->size), done = 0;
	while (done < want) {
		struct erofs_extent x;
		int r = erofs_map(i, done, &x);
		if (r)
			return r;
		size_t n = MIN((u64)(want - done), x.len);
		if (x.hole)
			return erofs_corrupt(erofs_of(v), i->nid, "hole in a symbolic link");
		r = erofs_meta_read(erofs_of(v), x.pa, buf + done, n);
		if (r)
			return r;
		done += n;
	}
	return (ssize_t)done;
}

/* ---- The page cache ---- */

static bool erofs_is_inline_tail(const struct erofs_inode *i, u64 off)
{
	return i->layout == EROFS_INLINE && off >= ROUND_DOWN(i->v.size, EROFS_BLOCK);
}

/* Zero what lies beyond the file's end in the last of these pages. */
static void erofs_zero_end(const struct erofs_inode *i, struct page *last)
{
	u64 off = last->index * PAGE_SIZE;
	if (i->v.size < off + PAGE_SIZE)
		memset((u8 *)page_to_virt(last) + (i->v.size - off), 0, (size_t)(off + PAGE_SIZE - i->v.size));
}

/* Fill the first of these pages and as many after it as lie behind it on the device; returns how many. */
static int erofs_fill_run(struct erofs_inode *i, struct page **pages, unsigned npages)
{
	struct erofs *e = erofs_of(&i->v);
	u64 off = pages[0]->index * PAGE_SIZE;
	struct erofs_extent x, y;
	void *to = page_to_virt(pages[0]);
	if (off >= i->v.size) {
		memset(to, 0, PAGE_SIZE);
		return 1;
	}
	int r = erofs_map(i, off, &x);
	if (r)
		return r;
	if (x.hole) {
		memset(to, 0, PAGE_SIZE);
		return 1;
	}
	if (erofs_is_inline_tail(i, off)) {
		r = erofs_meta_read(e, x.pa, to, (size_t)x.len);
		memset((u8 *)to + x.len, 0, PAGE_SIZE - (size_t)x.len);
		return r ? r : 1;
	}
	unsigned n = 1;
	for (u64 end = x.pa + x.len; n < npages; n++) {
		u64 next = off + n * PAGE_SIZE, pa = x.pa + n * PAGE_SIZE;
		if (next >= i->v.size || erofs_is_inline_tail(i, next))
			break;
		if (pa < end)
			continue;
		if (pa > end || erofs_map(i, next, &y) || y.hole || y.pa != pa)
			break;
		end = y.pa + y.len;
	}
	/* Whole blocks: the image is a whole number of them, so the last one is inside it. */
	r = erofs_read_blocks(e, x.pa, pages, n, i->nid, off);
	if (r)
		return r;
	erofs_zero_end(i, pages[n - 1]);
	return (int)n;
}

static int erofs_read_pages(struct vm_object *o, struct page **pages, unsigned npages)
{
	struct erofs_inode *i = &container_of(o, struct erofs_file, obj)->i;
	while (npages) {
		int n = erofs_fill_run(i, pages, npages);
		if (n < 0)
			return n;
		pages += n;
		npages -= (unsigned)n;
	}
	return 0;
}

static u64 erofs_object_size(struct vm_object *o)
{
	return container_of(o, struct erofs_file, obj)->i.v.size;
}

static void erofs_object_release(struct vm_object *o)
{
	heap_free(container_of(o, struct erofs_file, obj));
}

const struct vm_object_ops erofs_object_ops = {
	.read_pages = erofs_read_pages, .size = erofs_object_size, .release = erofs_object_release,
};
