/*
 * verity_fuzz.c - a hostile hash tree: parameters and a device from the input, every block checked.
 *
 * With one bit of the input the root hash is made to fit the tree's highest block (or the only data block), so that the levels below are
 * reached too. All memory must be back after each input.
 */
#include "fs_fixture.h"
#include "base/sha256.h"
#include "blk/verity.h"
#include "fuzz/fuzz.h"

#define DISK_MAX (1u << 20)

static void fit(struct verity_params *p, const u8 *disk, u64 at)
{
	u8 last[SHA256_BLOCK];
	u32 s[8];

	sha256_start(s);
	sha256_blocks(s, p->salt, p->salt_len / SHA256_BLOCK);
	sha256_blocks(s, disk + at, PAGE_SIZE / SHA256_BLOCK);
	sha256_last_block(last, p->salt_len + PAGE_SIZE);
	sha256_blocks(s, last, 1);
	sha256_digest(s, p->root);
}

static void check_all(struct verity *v, const struct verity_params *p, const u8 *disk)
{
	for (u64 block = 0; block <= p->data_len / PAGE_SIZE && block < 300; block++) {
		struct page *page = page_alloc(0, 0);
		u64 at = p->data_off + block * PAGE_SIZE;
		struct verity_place place;

		if (at + PAGE_SIZE <= DISK_MAX)
			memcpy(page_to_virt(page), disk + at, PAGE_SIZE);
		(void)!verity_check(v, block, &page, 1, 1, at);
		(void)verity_last_mismatch(v, &place);
		page_put(page);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	struct verity_params p = { 0 };
	struct verity *v = NULL;
	static bool ready;
	struct ram_disk d;
	u8 how;

	if (!ready) {
		host_sched_start();
		log_threshold = LOG_ERROR - 1;
		ready = true;
	}
	u8 *disk = calloc(1, DISK_MAX);
	u64 before = heap_used_bytes();

	how = fuzz_u8(&in);
	p.data_off = how & 1 ? fuzz_u64(&in) : fuzz_u8(&in) * 512ull;
	p.data_len = how & 2 ? fuzz_u64(&in) : fuzz_u8(&in) * (u64)PAGE_SIZE;
	p.tree_off = how & 4 ? fuzz_u64(&in) : fuzz_u8(&in) * (u64)PAGE_SIZE;
	p.salt_len = how & 8 ? fuzz_u32(&in) : (fuzz_u8(&in) & 1) * 64u;
	fuzz_take(&in, disk, DISK_MAX);
	ram_disk_init(&d, disk, DISK_MAX);
	if (how & 16 && p.salt_len <= VERITY_SALT_MAX && p.tree_off <= DISK_MAX - PAGE_SIZE)
		fit(&p, disk, p.data_len == PAGE_SIZE && p.data_off <= DISK_MAX - PAGE_SIZE ? p.data_off : p.tree_off);
	if (verity_new(&d.dev, &p, &v) == 0)
		check_all(v, &p, disk);
	verity_free(v);
	heap_free(d.dev.queue);
	free(disk);
	if (heap_used_bytes() > before + 4096)
		abort();
	return 0;
}
