/*
 * erofs_super.c - EROFS: the superblock, the mount, access to metadata.
 *
 * Invariants: every address that is read lies below erofs.size, which is the number of blocks the
 * superblock states and was checked to fit the device.
 *
 * What can fail: -EINVAL (no EROFS, or features that we do not have: logged by name), -EUCLEAN
 * (damaged), -EIO, -ENOMEM.
 */
#include "fs/erofs.h"

COUNTER(erofs_corrupt);

int erofs_corrupt(struct erofs *e, u64 nid, const char *what)
{
	if (!counter_read(erofs_corrupt))
		log_error("erofs: damaged image: inode %llu: %s\n", (unsigned long long)nid, what);
	counter_bump(erofs_corrupt);
	return -EUCLEAN;
}

int erofs_read_blocks(struct erofs *e, u64 pa, struct page **pages, unsigned n, u64 inode, u64 off)
{
	int r = blk_rw_pages_sync(e->dev, BLK_READ, e->dev_off + pa, pages, n);
	return r || !e->verity ? r : verity_check(e->verity, pa / EROFS_BLOCK, pages, n, inode, off);
}

/* ---- Metadata ---- */

static int meta_read_pages(struct vm_object *o, struct page **pages, unsigned npages)
{
	struct erofs *e = container_of(o, struct erofs, meta);
	return erofs_read_blocks(e, pages[0]->index * PAGE_SIZE, pages, npages, 0, 0);
}

static u64 meta_size(struct vm_object *o)
{
	return container_of(o, struct erofs, meta)->size;
}

static const struct vm_object_ops meta_ops = { .read_pages = meta_read_pages, .size = meta_size };

int erofs_meta_page(struct erofs *e, u64 pa, struct page **ret_page, const u8 **ret_at)
{
	if (pa >= e->size)
		return -EUCLEAN;
	int r = vm_object_get_page(&e->meta, pa / PAGE_SIZE, ret_page);
	if (!r)
		*ret_at = (const u8 *)page_to_virt(*ret_page) + pa % PAGE_SIZE;
	return r;
}

int erofs_meta_read(struct erofs *e, u64 pa, void *buf, size_t len)
{
	u8 *to = buf;
	if (pa > e->size || len > e->size - pa)
		return -EUCLEAN;
	while (len) {
		size_t n = MIN(len, PAGE_SIZE - pa % PAGE_SIZE);
		struct page *p;
		const u8 *at;
		int r = erofs_meta_page(e, pa, &p, &at);
		if (r)
			return r;
		memcpy(to, at, n);
		page_put(p);
		to += n;
		pa += n;
		len -= n;
	}
	return 0;
}

/* ---- The superblock ---- */

static int erofs_check_features(u32 incompat)
{
	static const struct { u32 bit; const char *name; } names[] = {
		{ 0x2, "big clusters or compression settings" }, { 0x8, "further devices or a second compression" },
		{ 0x10, "compressed tails" }, { 0x20, "fragments or deduplication" }, { 0x40, "prefixes of extended attributes" },
	};
	u32 unknown = incompat & ~EROFS_INCOMPAT_KNOWN;
	if (!unknown)
		return 0;
	for (unsigned k = 0; k < ARRAY_SIZE(names); k++)
		if (unknown & names[k].bit)
			log_error("erofs: the image uses %s (feature 0x%x), which this kernel cannot read; make it without compression\n", names[k].name, names[k].bit);
	if (unknown & ~0x7au)
		log_error("erofs: the image uses unknown features (0x%x)\n", unknown & ~0x7au);
	return -EINVAL;
}

/* block: the first block of the image. Fills e. */
static int erofs_read_super(struct erofs *e, const u8 *block, u64 len)
{
	struct erofs_disk_super s;
	memcpy(&s, block + EROFS_SUPER_OFFSET, sizeof s);
	if (s.magic != LX_EROFS_MAGIC) {
		log_error("erofs: no EROFS file system there (magic 0x%08x)\n", s.magic);
		return -EINVAL;
	}
	if (s.block_bits != EROFS_BLOCK_BITS || s.dir_block_bits) {
		log_error("erofs: blocks of 2^%u bytes, only 4096 bytes can be read\n", s.block_bits + s.dir_block_bits);
		return -EINVAL;
	}
	int r = erofs_check_features(s.feature_incompat);
	if (r)
		return r;
	if (s.feature_compat & EROFS_COMPAT_CHECKSUM) {
		/* Over the rest of the block, the checksum itself taken as zero. */
		static const u32 zero;
		const u8 *from = block + EROFS_SUPER_OFFSET;
		u32 crc = crc32c(~0u, from, 4);
		crc = crc32c(crc, &zero, 4);
		crc = crc32c(crc, from + 8, EROFS_BLOCK - EROFS_SUPER_OFFSET - 8);
		if (crc != s.checksum) {
			log_error("erofs: the superblock's checksum is wrong (0x%08x, not 0x%08x)\n", crc, s.checksum);
			return -EUCLEAN;
		}
	}
	e->size = (u64)s.blocks * EROFS_BLOCK;
	e->meta_pa = (u64)s.meta_blkaddr * EROFS_BLOCK;
	e->inos = s.inos;
	if (!s.blocks || e->size > len || e->meta_pa >= e->size || s.build_time_nsec >= NSEC_PER_SEC) {
		log_error("erofs: the superblock does not fit the device: %u blocks, metadata at %u, %llu bytes\n", s.blocks, s.meta_blkaddr, (unsigned long long)len);
		return -EUCLEAN;
	}
	e->build_time = (struct timespec64){ (s64)s.build_time, s.build_time_nsec };
	return s.root_nid;
}

static int erofs_statfs(struct mount *m, struct fs_statfs *ret)
{
	struct erofs *e = container_of(m, struct erofs, m);
	ret->type = LX_EROFS_MAGIC;
	ret->blocks = e->size / EROFS_BLOCK;
	ret->files = e->inos;
	return 0;
}

static int erofs_fill(struct erofs *e, u64 len)
{
	struct page *block;
	e->size = EROFS_BLOCK;               /* until its superblock tells */
	int r = vm_object_get_page(&e->meta, 0, &block);
	if (r)
		return r;
	r = erofs_read_super(e, page_to_virt(block), len);
	page_put(block);
	if (r < 0)
		return r;
	u64 root_nid = (u64)r;
	r = erofs_iget(e, root_nid, &e->m.root);
	if (r)
		return r;
	if (e->m.root->type != VNODE_DIR) {
		vnode_put(e->m.root);
		return erofs_corrupt(e, root_nid, "the root is no directory");
	}
	return 0;
}

void erofs_free(struct erofs *e)
{
	vm_object_put(&e->meta);             /* drops its pages */
	verity_free(e->verity);
	heap_free(e);
}

int fs_mount_root_erofs(struct blkdev *d, u64 off, u64 len, struct verity *v)
{
	u64 dev_size = d->nsectors * 512;
	if (off % 512 || off > dev_size || len > dev_size - off)
		return -EINVAL;
	if (!len)
		len = dev_size - off;
	if (len < EROFS_BLOCK)
		return -EINVAL;
	struct erofs *e = heap_alloc(sizeof *e);
	if (!e)
		return -ENOMEM;
	mount_init(&e->m, "erofs");
	e->m.readonly = true;
	e->m.statfs = erofs_statfs;
	e->dev = d;
	e->dev_off = off;
	e->verity = v;
	for (unsigned k = 0; k < EROFS_HASH; k++)
		list_init(&e->hash[k]);
	vm_object_init(&e->meta, &meta_ops);
	e->meta.reclaimable = 1;
	e->meta.readahead = erofs_readahead(e, 8);
	int r = erofs_fill(e, len);
	if (!r) {
		r = mount_attach(&e->m, NULL);
		if (r)
			vnode_put(e->m.root);
	}
	if (r) {
		e->verity = NULL;            /* still the caller's */
		erofs_free(e);
	}
	return r;
}
