/* blk_verity_test.c - the hash tree: what is whole is read, one flipped bit anywhere is found and named, nothing else is hurt. */
#include "fs_fixture.h"

#include "base/sha256.h"
#include "blk/verity.h"
#include "mm/heap.h"

#define BLOCK 4096u

static struct ram_disk disk;
static u8 *data;                     /* the data blocks, one spare block, the tree */
static u64 nblocks, tree_blocks;
static struct verity_params params;
static struct verity_place told;
static unsigned ntold;

static void on_mismatch(const struct verity_place *p)
{
	told = *p;
	ntold++;
}

static void digest(const u8 *block, u8 ret[SHA256_LEN])
{
	u8 last[SHA256_BLOCK];
	u32 s[8];

	sha256_start(s);
	sha256_blocks(s, params.salt, params.salt_len / SHA256_BLOCK);
	sha256_blocks(s, block, BLOCK / SHA256_BLOCK);
	sha256_last_block(last, params.salt_len + BLOCK);
	sha256_blocks(s, last, 1);
	sha256_digest(s, ret);
}

/* The tree by the book, level by level, put together upside down. same: all data blocks are alike. */
static void make(u64 n, u32 salt_len, bool same)
{
	u64 counts[8], levels = 0, at;
	u8 *level[8], one[SHA256_LEN];

	nblocks = n;
	params = (struct verity_params){ .data_len = n * BLOCK, .tree_off = (n + 1) * BLOCK, .salt_len = salt_len };
	for (u32 i = 0; i < salt_len; i++)
		params.salt[i] = (u8)(i * 7 + 1);
	for (u64 k = n; k > 1; levels++)
		counts[levels] = k = (k + 127) / 128;
	for (tree_blocks = 0, at = 0; at < levels; at++)
		tree_blocks += counts[at];
	data = calloc(n + 1 + tree_blocks, BLOCK);
	for (u64 i = 0; i < n && !same; i++)
		memset(data + i * BLOCK, (int)(i + 1), BLOCK - 7);
	at = n + 1 + tree_blocks;
	for (u64 k = 0; k < levels; k++) {
		at -= counts[k];
		level[k] = data + at * BLOCK;
		u64 below = k ? counts[k - 1] : n;
		for (u64 i = 0; i < below; i++) {
			if (k || !same || i == 0)
				digest((k ? level[k - 1] : data) + i * BLOCK, one);
			memcpy(level[k] + i * SHA256_LEN, one, SHA256_LEN);
		}
	}
	digest(levels ? level[levels - 1] : data, params.root);
	ram_disk_init(&disk, data, (n + 1 + tree_blocks) * BLOCK);
	verity_on_mismatch = on_mismatch;
	ntold = 0;
}

static void drop(void)
{
	heap_free(disk.dev.queue);
	free(data);
	verity_on_mismatch = NULL;
}

static int check(struct verity *v, u64 block, unsigned n)
{
	struct page *pages[8];
	int r;

	for (unsigned i = 0; i < n; i++)
		pages[i] = page_alloc(0, 0);
	r = blk_rw_pages_sync(&disk.dev, BLK_READ, block * BLOCK, pages, n);
	assert_int_equal(r, 0);
	r = verity_check(v, block, pages, n, 99, block * BLOCK);
	for (unsigned i = 0; i < n; i++)
		page_put(pages[i]);
	return r;
}

static struct verity *open_tree(void)
{
	struct verity *v;

	assert_int_equal(verity_new(&disk.dev, &params, &v), 0);
	return v;
}

static void whole(void **state)
{
	static const u64 sizes[] = { 1, 2, 127, 128, 129, 300 };

	for (size_t k = 0; k < ARRAY_SIZE(sizes); k++) {
		make(sizes[k], k % 2 ? 64 : 0, false);
		struct verity *v = open_tree();
		struct verity_place none;

		for (u64 i = 0; i < nblocks; i++)
			assert_int_equal(check(v, i, (unsigned)MIN(nblocks - i, 8ull)), 0);
		assert_int_equal(check(v, 0, 1), 0);
		assert_false(verity_last_mismatch(v, &none));
		assert_int_equal(ntold, 0);
		verity_free(v);
		drop();
	}
}

static void one_bit_of_data(void **state)
{
	make(130, 64, false);
	for (u64 i = 0; i < nblocks; i += 43) {
		struct verity *v = open_tree();
		u64 bit = (i * 977 + 5) % (BLOCK * 8);
		u64 before = counter_read(verity_mismatches);

		data[i * BLOCK + bit / 8] ^= (u8)(1u << bit % 8);
		assert_int_equal(check(v, i, 1), -EIO);
		assert_int_equal(told.block, i);
		assert_true(told.tree_block == ~0ull);
		assert_int_equal(told.inode, 99);
		assert_int_equal(told.off, i * BLOCK);
		assert_int_equal(check(v, i, 1), -EIO);
		assert_int_equal(ntold, 1);          /* told once, counted twice */
		assert_true(counter_read(verity_mismatches) == before + 2);
		for (u64 other = 0; other < nblocks; other++)
			assert_int_equal(check(v, other, 1), other == i ? -EIO : 0);
		if (i) {
			assert_int_equal(check(v, i - 1, 2), -EIO);    /* one bad page of a run */
			assert_int_equal(told.block, i);
		}
		data[i * BLOCK + bit / 8] ^= (u8)(1u << bit % 8);
		assert_int_equal(check(v, i, 1), 0); /* a bad read is not remembered as bad data */
		verity_free(v);
		ntold = 0;
	}
	drop();
}

static void one_bit_of_the_tree(void **state)
{
	make(300, 64, false);                    /* three blocks of digests and one above them */
	assert_int_equal(tree_blocks, 4);
	for (u64 t = 0; t < tree_blocks; t++) {
		struct verity *v = open_tree();
		u8 *byte = data + (nblocks + 1 + t) * BLOCK + 40;
		unsigned bad = 0;

		*byte ^= 0x10;
		for (u64 i = 0; i < nblocks; i++) {
			int r = check(v, i, 1);

			assert_true(r == 0 || r == -EIO);
			bad += r != 0;
			if (r)
				assert_int_equal(told.tree_block, t);
		}
		assert_int_equal(bad, t == 0 ? 300 : t == 3 ? 44 : 128);
		*byte ^= 0x10;
		verity_free(v);
	}
	drop();
}

static void wrong_root_and_salt(void **state)
{
	make(5, 64, false);
	params.root[31] ^= 1;
	struct verity *v = open_tree();
	assert_int_equal(check(v, 2, 1), -EIO);
	verity_free(v);
	params.root[31] ^= 1;
	params.salt[63] ^= 1;
	v = open_tree();
	assert_int_equal(check(v, 2, 1), -EIO);
	verity_free(v);
	drop();
}

/* More blocks of the tree than are kept: they are read again, and the count of what is kept is bounded. */
static void many_levels(void **state)
{
	make(128 * 128 + 1, 64, true);
	u64 before = heap_used_bytes();
	struct verity *v = open_tree();

	assert_int_equal(tree_blocks, 129 + 2 + 1);
	for (u64 i = 0; i < nblocks; i += 128)
		assert_int_equal(check(v, i, 1), 0);
	unsigned requests = disk.nrequests;
	assert_int_equal(check(v, nblocks - 1, 1), 0);
	assert_int_equal(disk.nrequests, requests + 1);        /* its tree blocks are there */
	assert_int_equal(check(v, 0, 1), 0);
	assert_true(disk.nrequests > requests + 2);            /* these had to go */
	data[5] ^= 1;
	assert_int_equal(check(v, 0, 1), -EIO);
	verity_free(v);
	assert_true(heap_used_bytes() <= before + 4096);
	drop();
}

static void what_does_not_fit(void **state)
{
	struct verity *v;
	struct verity_params good;
	struct page *p = page_alloc(0, 0);

	make(300, 64, false);
	good = params;
#define REFUSED(change) do { params = good; change; assert_int_equal(verity_new(&disk.dev, &params, &v), -EINVAL); } while (0)
	REFUSED(params.data_len = 0);
	REFUSED(params.data_len -= 1);
	REFUSED(params.data_len = 1ull << 40);
	REFUSED(params.data_len = ~0ull & ~4095ull);
	REFUSED(params.data_off = 1ull << 60);
	REFUSED(params.tree_off += BLOCK);         /* its end would not be on the disk */
	REFUSED(params.tree_off = ~0ull);
	REFUSED(params.tree_off += 1);
	REFUSED(params.salt_len = 32);
	REFUSED(params.salt_len = 512);
	params = good;
	v = open_tree();
	assert_int_equal(verity_check(v, 300, &p, 1, 0, 0), -EIO);
	assert_int_equal(verity_check(v, ~0ull, &p, 1, 0, 0), -EIO);
	disk.fail = -EIO;
	assert_int_equal(verity_check(v, 0, &p, 1, 0, 0), -EIO);   /* the tree cannot be read: no mismatch */
	assert_int_equal(ntold, 0);
	disk.fail = 0;
	heap_fail_nth(1);
	struct verity *none = NULL;
	assert_int_equal(verity_new(&disk.dev, &params, &none), -ENOMEM);
	heap_fail_nth(0);
	assert_null(none);
	verity_free(v);
	page_put(p);
	drop();
}

static int start(void **state)
{
	host_sched_start();
	log_threshold = LOG_ERROR - 1;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole), cmocka_unit_test(one_bit_of_data), cmocka_unit_test(one_bit_of_the_tree),
		cmocka_unit_test(wrong_root_and_salt), cmocka_unit_test(many_levels), cmocka_unit_test(what_does_not_fit),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
