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
#define F_MQ       (1ull << 12)
#define F_DISCARD  (1ull << 13)
#define F_ZEROES   (1ull << 14)
#define BASE (VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC | F_SEG_MAX | F_FLUSH)

#define SECTORS 2051u                /* not a whole number of pages */
static struct fake f;
static struct blkdev *bd;
static u8 disk[(SECTORS + 8) * 512], image[sizeof(disk)];
static unsigned requests, flushes, discards, zeroes, indirects;
static u32 fail_sector = ~0u;
static u8 fail_status;

/* Serve one chain as a disk does. */
static unsigned serving;             /* the queue */
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
	case 13: {
		struct {
			u64 sector;
			u32 n, flags;
		} range;

		zeroes++;
		memcpy(&range, c->out[1].p, 16);
		assert_true(range.n <= 1024 && range.sector + range.n <= SECTORS);
		memset(disk + range.sector * 512, 0, range.n * 512ul);
		break;
	}
	default:
		*status = 2;
	}
	if (h.type < 2 && h.sector <= fail_sector && at > fail_sector * 512ul)
		*status = fail_status;
	fake_push(&f, serving, c, written);
}

static void disk_runs(void)
{
	struct fake_chain c;

	for (serving = 0; serving < FAKE_QUEUES; serving++) {
		while (f.q[serving].vq && fake_pop(&f, serving, &c))
			serve(&c);
		fake_irq(&f, serving);
	}
}

static void plug_with(u64 offers, u64 sectors, u32 seg_max, u32 block, u32 size_max, unsigned ring)
{
	host_sched_start();
	blk_init();
	f = (struct fake){ .id = VIRTIO_ID_BLOCK, .offers = offers };
	for (unsigned i = 0; i < 4; i++)
		f.q[i].max = ring;
	f.config[34] = 4;
	memcpy(f.config, &sectors, 8);
	memcpy(f.config + 8, &size_max, 4);
	memcpy(f.config + 12, &seg_max, 4);
	memcpy(f.config + 20, &block, 4);
	u32 max_discard = 1024;

	memcpy(f.config + 36, &max_discard, 4);
	memcpy(f.config + 48, &max_discard, 4);
	fake_add(&f);
	device_probe_all();
	bd = blkdev_by_index(0);
	for (size_t i = 0; i < sizeof(disk); i++)
		disk[i] = (u8)(i / 512 * 3 + i);
	memcpy(image, disk, sizeof(disk));
	requests = flushes = discards = zeroes = indirects = 0;
	fail_sector = ~0u;
	host_idle_hook = disk_runs;
}
static int plug(void **state)
{
	plug_with(BASE | F_DISCARD | F_ZEROES, SECTORS, 254, 512, 0, 128);
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
	assert_in_range(requests, 5, 9);                 /* four of 16 segments at a time: 48 and 16 */
	assert_true(indirects + 1 >= requests);
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

static void write_zeroes(void **state)
{
	static const u8 none[1500 * 512];

	assert_int_equal(blk_write_zeroes_sync(bd, 3, 1500), 0);
	assert_int_equal(zeroes, 2);
	assert_memory_equal(disk + 3 * 512, none, sizeof(none));
	assert_memory_equal(disk, image, 3 * 512);
	assert_memory_equal(disk + 1503 * 512, image + 1503 * 512, 548 * 512);
	assert_int_equal(blk_write_zeroes_sync(bd, SECTORS - 1, 2), -EINVAL);
	/* Without the device's help. */
	bd->max_zeroes = 0;
	assert_int_equal(blk_write_zeroes_sync(bd, 1600, 301), 0);
	assert_int_equal(zeroes, 2);
	assert_memory_equal(disk + 1600 * 512, none, 301 * 512);
	assert_memory_equal(disk + 1901 * 512, image + 1901 * 512, 150 * 512);
	assert_memory_equal(disk + 1503 * 512, image + 1503 * 512, 97 * 512);
}

/* Adjacent requests that are given together become one; what is not adjacent, or of another kind, does not. */
static int statuses[8];
static struct blk_request many_rq[8];
static void on_many(struct blk_request *rq) { statuses[rq - many_rq] = rq->status; }
static void submit_many(const u64 *sectors, const enum blk_op *ops, unsigned n, u8 *buf)
{
	static struct blk_seg seg[8];
	struct blk_request *list[8];

	for (unsigned i = 0; i < n; i++) {
		seg[i] = (struct blk_seg){ arch_virt_to_phys(buf) + i * 512, 512 };
		many_rq[i] = (struct blk_request){ .op = ops[i], .sector = sectors[i], .segs = &seg[i], .nsegs = 1, .done = on_many };
		list[i] = &many_rq[i];
		statuses[i] = 1;
	}
	blk_submit_many(bd, list, n);
	for (unsigned i = 0; i < 4; i++)
		disk_runs();
}
static void merging(void **state)
{
	static const u64 sectors[] = { 10, 11, 12, 20, 21, 9, 23, 24 };
	static const enum blk_op ops[] = { BLK_READ, BLK_READ, BLK_READ, BLK_READ, BLK_WRITE, BLK_READ, BLK_WRITE, BLK_WRITE };
	u8 *buf = heap_alloc(8 * 512);

	submit_many(sectors, ops, 8, buf);
	assert_int_equal(requests, 5);
	assert_memory_equal(buf, image + 10 * 512, 3 * 512);
	assert_memory_equal(buf + 5 * 512, image + 9 * 512, 512);
	assert_memory_equal(disk + 23 * 512, buf + 6 * 512, 1024);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(statuses[i], 0);
	/* One bad sector costs only its own request. */
	requests = 0;
	fail_sector = 11;
	fail_status = 1;
	submit_many(sectors, ops, 3, buf);
	assert_int_equal(requests, 4);
	assert_int_equal(statuses[0], 0);
	assert_int_equal(statuses[1], -EIO);
	assert_int_equal(statuses[2], 0);
	heap_free(buf);
}

/* A device that answers nothing: 30 s, then everything fails, and at once. A device that is slow is waited for. */
static unsigned slow_left;
static void disk_is_slow(void)
{
	/* Each time that the machine idles, until the next look at what is under way. */
	if (slow_left && --slow_left == 0)
		disk_runs();
}
static void time_out(void **state)
{
	u8 *buf = heap_alloc(512);
	u64 before;

	host_idle_hook = disk_is_slow;
	slow_left = 5;
	assert_int_equal(blk_rw_sync(bd, BLK_READ, 5, buf, 512), 0);
	assert_memory_equal(buf, disk + 5 * 512, 512);
	assert_false(virtio_is_broken(f.d));
	before = arch_clock_mono_ns();
	assert_int_equal(blk_rw_sync(bd, BLK_READ, 5, buf, 512), -EIO);
	assert_in_range(arch_clock_mono_ns() - before, 30 * NSEC_PER_SEC, 40 * NSEC_PER_SEC);
	assert_true(virtio_is_broken(f.d));
	before = arch_clock_mono_ns();
	assert_int_equal(blk_rw_sync(bd, BLK_WRITE, 5, buf, 512), -EIO);
	assert_int_equal(blk_flush_sync(bd), -EIO);
	assert_in_range(arch_clock_mono_ns() - before, 0, NSEC_PER_SEC);
	heap_free(buf);
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

/* A queue for each CPU as far as they go, each with its ring; what comes through any of them is done. */
static void queues(void **state)
{
	static struct blk_request rq[3];
	static struct blk_seg seg[3];
	u8 *buf = heap_alloc(3 * 512);

	host_cpus = 3;
	plug_with(BASE | F_MQ, SECTORS, 254, 512, 0, 128);
	host_cpus = 1;
	assert_non_null(bd);
	assert_int_equal(bd->nqueues, 3);
	async_done = 0;
	last_sector = 0;
	for (unsigned i = 0; i < 3; i++) {
		assert_non_null(f.q[i].vq);
		seg[i] = (struct blk_seg){ arch_virt_to_phys(buf) + i * 512, 512 };
		rq[i] = (struct blk_request){ .op = BLK_READ, .sector = i + 5, .segs = &seg[i], .nsegs = 1, .done = on_done, .queue = (u16)i };
		assert_int_equal(bd->ops->submit(bd, &rq[i]), 0);
		bd->ops->kick(bd, i);
		assert_int_equal(f.q[i].kicks, 1);
	}
	disk_runs();
	assert_int_equal(async_done, 3);
	assert_memory_equal(buf, disk + 5 * 512, 3 * 512);
	assert_null(f.q[3].vq);
	/* One queue breaks the device for all. */
	for (unsigned i = 0; i < 3; i++) {
		rq[i].done = on_refused;
		rq[i].status = 1;
		assert_int_equal(bd->ops->submit(bd, &rq[i]), 0);
	}
	fake_push_raw(&f, 1, 0xffff, 0);
	fake_irq(&f, 1);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(rq[i].status, -EIO);
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
		BLK(properties), BLK(ranges), BLK(large), BLK(pages), BLK(errors), BLK(discard), BLK(write_zeroes), BLK(merging), BLK(time_out), BLK(overload), BLK(bad_requests),
		BLK(hostile), BLK(hostile_while_waiting), cmocka_unit_test(read_only_large_blocks), cmocka_unit_test(bad_devices), cmocka_unit_test(queues),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
