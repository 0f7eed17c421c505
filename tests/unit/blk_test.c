/* blk_test.c - block requests from blk/ through virtio-blk to a disk in memory: limits, ends, errors, and disks that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "blk/blk.h"
#include "fake_virtio.h"
#include "mm/heap.h"
#include "sched/thread.h"

COUNTER_DECLARE(virtio_blk_bad_status);

#define F_SIZE_MAX (1ull << 1)
#define F_SEG_MAX  (1ull << 2)
#define F_RO       (1ull << 5)
#define F_BLK_SIZE (1ull << 6)
#define F_FLUSH    (1ull << 9)
#define F_DISCARD  (1ull << 13)
#define BASE (VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC | F_SEG_MAX | F_FLUSH)

#define SECTORS 2051u                /* not a whole number of pages */
static struct fake f;
static struct blkdev *bd;
static u8 disk[(SECTORS + 8) * 512], image[sizeof(disk)];
static unsigned requests, flushes, discards, indirects;
static u32 fail_sector = ~0u;
static u8 fail_status;

/* Serve one chain as a disk does. */
static void serve(struct fake_chain *c)
{
	struct {
		u32 type, reserved;
		u64 sector;
	} h;
	u8 *status = c->in[c->nin - 1].p;
	u32 written = 1;

	assert_int_equal(c->out[0].len, 16);
	assert_int_equal(c->in[c->nin - 1].len, 1);
	memcpy(&h, c->out[0].p, 16);
	indirects += c->indirect;
	*status = 0;
	u64 at = h.sector * 512;

	switch (h.type) {
	case 0:
		requests++;
		for (unsigned i = 0; i + 1 < c->nin; i++) {
			assert_true(at + c->in[i].len <= SECTORS * 512ul);
			memcpy(c->in[i].p, disk + at, c->in[i].len);
			at += c->in[i].len;
			written += c->in[i].len;
		}
		break;
	case 1:
		requests++;
		for (unsigned i = 1; i < c->nout; i++) {
			assert_true(at + c->out[i].len <= SECTORS * 512ul);
			memcpy(disk + at, c->out[i].p, c->out[i].len);
			at += c->out[i].len;
		}
		break;
	case 4:
		flushes++;
		break;
	case 8:
		assert_int_equal(c->in[0].len, 20);
		memcpy(c->in[0].p, "pith-disk-0\0........", 20);
		break;
	case 11:
		discards++;
		assert_int_equal(c->out[1].len, 16);
		break;
	default:
		*status = 2;
	}
	if (h.sector == fail_sector && h.type < 2)
		*status = fail_status;
	fake_push(&f, 0, c, written);
}

static void disk_runs(void)
{
	struct fake_chain c;

	while (fake_pop(&f, 0, &c))
		serve(&c);
	fake_irq(&f, 0);
}

static void plug_with(u64 offers, u64 sectors, u32 seg_max, u32 block, u32 size_max, unsigned ring)
{
	host_sched_start();
	blk_init();
	f = (struct fake){ .id = VIRTIO_ID_BLOCK, .offers = offers };
	f.q[0].max = ring;
	memcpy(f.config, &sectors, 8);
	memcpy(f.config + 8, &size_max, 4);
	memcpy(f.config + 12, &seg_max, 4);
	memcpy(f.config + 20, &block, 4);
	u32 max_discard = 1024;

	memcpy(f.config + 36, &max_discard, 4);
	fake_add(&f);
	device_probe_all();
	bd = blkdev_by_index(0);
	for (size_t i = 0; i < sizeof(disk); i++)
		disk[i] = (u8)(i / 512 * 3 + i);
	memcpy(image, disk, sizeof(disk));
	requests = flushes = discards = indirects = 0;
	fail_sector = ~0u;
	host_idle_hook = disk_runs;
}
static int plug(void **state)
{
	plug_with(BASE | F_DISCARD, SECTORS, 254, 512, 0, 128);
	assert_non_null(bd);
	return 0;
}
static int unplug(void **state)
{
	device_remove(&f.dev);
	assert_int_equal(blkdev_count(), 0);
	host_idle_hook = NULL;
	return 0;
}

static void properties(void **state)
{
	u8 sector[512];
	u8 *buf = heap_alloc(512);

	assert_string_equal(bd->name, "vda");
	assert_true(bd->nsectors == SECTORS);
	assert_int_equal(bd->block_size, 512);
	assert_int_equal(bd->max_segs, 62);
	assert_false(bd->readonly);
	assert_true(bd->has_flush && bd->has_discard);
	assert_string_equal(bd->serial, "");
	assert_int_equal(f.q[0].kicks, 0);
	assert_int_equal(blk_rw_sync(bd, BLK_READ, 1, buf, 512), 0);
	assert_memory_equal(buf, disk + 512, 512);
	assert_string_equal(bd->serial, "pith-disk-0");
	assert_int_equal(blk_flush_sync(bd), 0);
	assert_int_equal(flushes, 1);
	memset(sector, 9, sizeof(sector));
	memcpy(buf, sector, 512);
	assert_int_equal(blk_rw_sync(bd, BLK_WRITE, SECTORS - 1, buf, 512), 0);
	assert_memory_equal(disk + (SECTORS - 1) * 512, sector, 512);
	heap_free(buf);
}

static void ranges(void **state)
{
	u8 *buf = heap_alloc(4096);

	assert_int_equal(blk_rw_sync(bd, BLK_READ, SECTORS, buf, 512), -EINVAL);
	assert_int_equal(blk_rw_sync(bd, BLK_READ, SECTORS - 1, buf, 1024), -EINVAL);
	assert_int_equal(blk_rw_sync(bd, BLK_READ, UINT64_MAX, buf, 512), -EINVAL);
	assert_int_equal(blk_rw_sync(bd, BLK_READ, 0, buf, 100), -EINVAL);
	assert_int_equal(blk_rw_sync(bd, BLK_READ, 0, buf, 0), 0);
	assert_int_equal(requests, 0);
	heap_free(buf);
}

static void large(void **state)
{
	size_t len = 2000 * 512;
	u8 *buf = heap_alloc(len);

	assert_int_equal(blk_rw_sync(bd, BLK_READ, 3, buf, len), 0);
	assert_memory_equal(buf, disk + 3 * 512, len);
	assert_int_equal(requests, 1);                   /* contiguous: one segment of up to 1 MiB */
	for (size_t i = 0; i < len; i++)
		buf[i] = (u8)(i * 13);
	assert_int_equal(blk_rw_sync(bd, BLK_WRITE, 3, buf, len), 0);
	assert_memory_equal(buf, disk + 3 * 512, len);
	assert_memory_equal(disk, image, 3 * 512);
	assert_memory_equal(disk + 2003 * 512, image + 2003 * 512, 48 * 512);
	heap_free(buf);
}

static void pages(void **state)
{
	struct page *p[300];
	u64 before;

	/* Every second page, so that nothing is contiguous. */
	for (unsigned i = 0; i < 300; i++)
		p[i] = page_alloc(0, 0);
	for (unsigned i = 0; i < 150; i++) {
		struct page *x = p[i];

		p[i] = p[2 * i];
		p[2 * i] = x;
	}
	assert_int_equal(blk_rw_pages_sync(bd, BLK_READ, 512, p, 250), 0);
	for (unsigned i = 0; i < 250; i++)
		assert_memory_equal(page_to_virt(p[i]), disk + 512 + i * 4096, 4096);
	assert_true(requests >= 16 && indirects >= 15);
	/* The last page sticks out by five sectors: zeroes behind the end. */
	memset(page_to_virt(p[1]), 0xee, 4096);
	u64 last = (SECTORS - 3) * 512ul;

	assert_int_equal(blk_rw_pages_sync(bd, BLK_READ, last - 4096, p, 2), 0);
	assert_memory_equal(page_to_virt(p[1]), disk + last, 1536);
	for (unsigned i = 1536; i < 4096; i++)
		assert_int_equal(((u8 *)page_to_virt(p[1]))[i], 0);
	memset(page_to_virt(p[1]), 0xdd, 4096);
	assert_int_equal(blk_rw_pages_sync(bd, BLK_WRITE, last - 4096, p, 2), 0);
	assert_int_equal(disk[SECTORS * 512 - 1], 0xdd);
	assert_memory_equal(disk + SECTORS * 512, image + SECTORS * 512, 8 * 512);
	before = requests;
	assert_int_equal(blk_rw_pages_sync(bd, BLK_READ, last, p, 2), -EINVAL);
	assert_int_equal(blk_rw_pages_sync(bd, BLK_READ, SECTORS * 512ul, p, 1), -EINVAL);
	assert_int_equal(blk_rw_pages_sync(bd, BLK_READ, 100, p, 1), -EINVAL);
	assert_int_equal(requests, before);
	for (unsigned i = 0; i < 300; i++)
		page_free(p[i], 0);
}

static void errors(void **state)
{
	u8 *buf = heap_alloc(512);
	u64 bad = counter_read(virtio_blk_bad_status);

	fail_sector = 7;
	fail_status = 1;
	assert_int_equal(blk_rw_sync(bd, BLK_READ, 7, buf, 512), -EIO);
	assert_int_equal(blk_rw_sync(bd, BLK_READ, 8, buf, 512), 0);
	fail_status = 2;
	assert_int_equal(blk_rw_sync(bd, BLK_READ, 7, buf, 512), -EOPNOTSUPP);
	assert_int_equal(counter_read(virtio_blk_bad_status), bad);
	fail_status = 0xff;                              /* never written */
	assert_int_equal(blk_rw_sync(bd, BLK_WRITE, 7, buf, 512), -EIO);
	assert_int_equal(counter_read(virtio_blk_bad_status), bad + 1);
	heap_fail_nth(1);                                /* no memory, no matter */
	assert_int_equal(blk_rw_sync(bd, BLK_READ, 8, buf, 512), 0);
	heap_fail_nth(0);
	u8 *large_buf = heap_alloc(200000 / 512 * 512);

	heap_fail_nth(1);
	assert_int_equal(blk_rw_sync(bd, BLK_READ, 8, large_buf, 200000 / 512 * 512), 0);
	heap_fail_nth(0);
	assert_memory_equal(large_buf, disk + 8 * 512, 200000 / 512 * 512);
	heap_free(large_buf);
	heap_free(buf);
}

static void discard(void **state)
{
	assert_int_equal(blk_discard_sync(bd, 0, 2050), 0);
	assert_int_equal(discards, 3);
	assert_int_equal(blk_discard_sync(bd, 2000, 100), -EINVAL);
}

/* More at once than the ring, the slots and the queue take; submitters wait, all is done, in order. */
static unsigned async_done;
static u64 last_sector;
static void on_done(struct blk_request *rq)
{
	assert_int_equal(rq->status, 0);
	assert_true(rq->sector > last_sector);
	last_sector = rq->sector;
	async_done++;
}
static void overload(void **state)
{
	static struct blk_request rq[500];
	static struct blk_seg seg[500];
	u8 *buf = heap_alloc(512);

	async_done = 0;
	last_sector = 0;
	for (unsigned i = 0; i < 500; i++) {
		seg[i] = (struct blk_seg){ arch_virt_to_phys(buf), 512 };
		rq[i] = (struct blk_request){ .op = BLK_READ, .sector = i + 1, .segs = &seg[i], .nsegs = 1, .done = on_done };
		blk_submit(bd, &rq[i]);
	}
	while (async_done < 500)
		disk_runs();
	heap_free(buf);
}

static int refused;
static void on_refused(struct blk_request *rq) { refused = rq->status; }
static void expect_refused(struct blk_request rq, int status)
{
	rq.done = on_refused;
	refused = 1;
	blk_submit(bd, &rq);
	assert_int_equal(refused, status);
}
static void bad_requests(void **state)
{
	struct blk_seg seg[63];

	for (unsigned i = 0; i < 63; i++)
		seg[i] = (struct blk_seg){ MiB, 512 };
	expect_refused((struct blk_request){ .op = BLK_READ, .segs = seg, .nsegs = 63 }, -EINVAL);
	expect_refused((struct blk_request){ .op = BLK_READ, .segs = seg, .nsegs = 0 }, -EINVAL);
	seg[0].len = 0;
	expect_refused((struct blk_request){ .op = BLK_READ, .segs = seg, .nsegs = 1 }, -EINVAL);
	seg[0].len = 2u << 20;
	expect_refused((struct blk_request){ .op = BLK_READ, .segs = seg, .nsegs = 1 }, -EINVAL);
	seg[0].len = 700;
	expect_refused((struct blk_request){ .op = BLK_READ, .segs = seg, .nsegs = 1 }, -EINVAL);
	seg[0].len = 512;
	expect_refused((struct blk_request){ .op = BLK_READ, .sector = SECTORS, .segs = seg, .nsegs = 1 }, -EINVAL);
	expect_refused((struct blk_request){ .op = BLK_FLUSH, .segs = seg, .nsegs = 1 }, -EINVAL);
}

static void disk_breaks(void)
{
	fake_push_raw(&f, 0, 0xffff, 0);
	fake_irq(&f, 0);
}
static void hostile(void **state)
{
	u8 *buf = heap_alloc(512);

	host_idle_hook = disk_breaks;
	assert_int_equal(blk_rw_sync(bd, BLK_READ, 0, buf, 512), -EIO);
	assert_true(virtio_is_broken(f.d));
	assert_int_equal(blk_rw_sync(bd, BLK_READ, 0, buf, 512), -EIO);
	assert_int_equal(blk_flush_sync(bd), -EIO);
	heap_free(buf);
}
static void hostile_while_waiting(void **state)
{
	static struct blk_request rq[100];
	struct blk_seg seg = { MiB, 512 };

	refused = 0;
	for (unsigned i = 0; i < 100; i++) {
		rq[i] = (struct blk_request){ .op = BLK_READ, .sector = i, .segs = &seg, .nsegs = 1, .done = on_refused };
		blk_submit(bd, &rq[i]);
	}
	disk_breaks();
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(rq[i].status, -EIO);
}

static void read_only_large_blocks(void **state)
{
	u8 *buf = heap_alloc(8192);

	plug_with(BASE | F_RO | F_BLK_SIZE | F_SIZE_MAX, SECTORS, 2, 4096, 4096 + 512, 4);
	assert_non_null(bd);
	assert_true(bd->nsectors == 2048);
	assert_int_equal(bd->max_segs, 2);
	assert_int_equal(blk_rw_sync(bd, BLK_READ, 8, buf, 8192), 0);
	assert_memory_equal(buf, disk + 4096, 8192);
	assert_int_equal(blk_rw_sync(bd, BLK_READ, 8, buf, 512), -EINVAL);
	assert_int_equal(blk_rw_sync(bd, BLK_WRITE, 8, buf, 4096), -EROFS);
	assert_int_equal(blk_discard_sync(bd, 0, 8), -EOPNOTSUPP);
	struct page *p[20];

	for (unsigned i = 0; i < 20; i++)
		p[i] = page_alloc(0, 0);
	assert_int_equal(blk_rw_pages_sync(bd, BLK_READ, 0, p, 20), 0);
	for (unsigned i = 0; i < 20; i++) {
		assert_memory_equal(page_to_virt(p[i]), disk + i * 4096, 4096);
		page_free(p[i], 0);
	}
	heap_free(buf);
	unplug(state);
}

static void bad_devices(void **state)
{
	static const struct {
		u64 sectors;
		u32 seg_max, block, size_max;
		unsigned ring;
	} bad[] = {
		{ UINT64_MAX, 4, 512, 4096, 128 }, { 100, 0, 512, 4096, 128 }, { 100, 4, 0, 4096, 128 }, { 100, 4, 1000, 4096, 128 },
		{ 100, 4, 8192, 8192, 128 }, { 100, 4, 256, 4096, 128 }, { 100, 4, 512, 512, 128 }, { 100, 4, 512, 4096, 2 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		plug_with(BASE | F_BLK_SIZE | F_SIZE_MAX, bad[i].sectors, bad[i].seg_max, bad[i].block, bad[i].size_max, bad[i].ring);
		assert_null(bd);
		device_remove(&f.dev);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define BLK(t) cmocka_unit_test_setup_teardown(t, plug, unplug)
		BLK(properties), BLK(ranges), BLK(large), BLK(pages), BLK(errors), BLK(discard), BLK(overload), BLK(bad_requests),
		BLK(hostile), BLK(hostile_while_waiting), cmocka_unit_test(read_only_large_blocks), cmocka_unit_test(bad_devices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
