/* dev_nvme_test.c - the NVMe driver against a controller in memory: honest, odd, failing, lying and silent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "arch/host/host.h"
#include "base/errno.h"
#include "base/string.h"
#include "blk/blk.h"
#include "dev/pci.h"
#include "drivers/nvme.h"
#include "mm/heap.h"

COUNTER_DECLARE(nvme_broken);
COUNTER_DECLARE(nvme_resets);

#define SECTORS  4099u
#define QUEUES   8u
#define BAR_BASE 0xfeb00000u

/* ---- The controller ---- */

static u8 space[256];
static u8 bar[16384] __attribute__((aligned(16)));
static u8 disk[SECTORS * 512], image[sizeof(disk)];
static struct {
	u64 sq, cq;
	unsigned depth, sq_head, cq_tail, vector;
	u8 phase;
	bool made;
} q[QUEUES];
static struct {
	arch_irq_handler fn;
	void *arg;
} vectors[64];
static unsigned nvectors;
static struct device dev;
static struct blkdev *bd;
static unsigned reads, writes, flushes, zeroes, discards;
static u64 fail_lba;
static u16 fail_status;
static bool silent, deaf;             /* answers nothing; nothing but admin commands */
static bool heals;                    /* by a reset */
/* What the controller says of itself. */
static u8 mdts, lbads, ns_format_ms, granted, vwc;
static u16 oncs;
static u64 capacity;
static bool never_ready, no_namespace;
static int lie;                      /* how the next completion is wrong; 0: it is not */
enum { LIE_NONE, LIE_CID, LIE_FREE_CID, LIE_QUEUE };

static u32 reg(unsigned off) { u32 v; memcpy(&v, bar + off, 4); return v; }
static void reg_set(unsigned off, u32 v) { memcpy(bar + off, &v, 4); }
static u64 reg64(unsigned off) { return reg(off) | (u64)reg(off + 4) << 32; }
/* The heap of the host lies outside of its RAM. */
static void *mem(u64 pa) { return (u8 *)arch_phys_to_virt(MiB) + (pa - MiB); }

static void complete(unsigned i, const struct nvme_cmd *c, u16 status, u32 result)
{
	struct nvme_cqe *e = (struct nvme_cqe *)mem(q[i].cq) + q[i].cq_tail;
	u16 cid = lie == LIE_CID ? 0xfff : lie == LIE_FREE_CID ? 17 : c->cid;

	*e = (struct nvme_cqe){ .result = result, .sq_head = (u16)q[i].sq_head, .sq_id = (u16)(lie == LIE_QUEUE ? i + 1 : i), .cid = cid,
				.status = (u16)(status << 1 | q[i].phase) };
	if (++q[i].cq_tail == q[i].depth) {
		q[i].cq_tail = 0;
		q[i].phase ^= 1;
	}
	lie = LIE_NONE;
}

/* Move bytes as the PRP entries say, checking that they are as the specification wants them. */
static void prp_move(const struct nvme_cmd *c, u8 *data, size_t len, bool to_memory)
{
	size_t first = MIN(len, PAGE_SIZE - c->prp1 % PAGE_SIZE), rest = len - first;
	const u64 *list = rest > PAGE_SIZE ? mem(c->prp2) : &c->prp2;

	assert_true(c->prp1 % 4 == 0);
	if (to_memory)
		memcpy(mem(c->prp1), data, first);
	else
		memcpy(data, mem(c->prp1), first);
	if (rest > PAGE_SIZE)
		assert_true(c->prp2 / PAGE_SIZE == (c->prp2 + DIV_ROUND_UP(rest, PAGE_SIZE) * 8 - 1) / PAGE_SIZE);
	for (data += first; rest; list++) {
		size_t n = MIN(rest, PAGE_SIZE);

		assert_true(*list % PAGE_SIZE == 0);
		if (to_memory)
			memcpy(mem(*list), data, n);
		else
			memcpy(data, mem(*list), n);
		data += n;
		rest -= n;
	}
}

static void io(unsigned i, const struct nvme_cmd *c)
{
	u64 lba = c->cdw10 | (u64)c->cdw11 << 32, n = (c->cdw12 & 0xffff) + 1ull;
	size_t bs = 1u << lbads;
	u16 status = 0;

	assert_int_equal(c->nsid, 7);
	switch (c->opcode) {
	case NVME_CMD_FLUSH:
		flushes++;
		break;
	case NVME_CMD_READ:
	case NVME_CMD_WRITE:
	case NVME_CMD_ZEROES:
		assert_true((lba + n) * bs <= sizeof(disk));
		if (fail_status && fail_lba >= lba && fail_lba < lba + n)
			status = fail_status;
		else if (c->opcode == NVME_CMD_ZEROES)
			memset(disk + lba * bs, 0, n * bs);
		else
			prp_move(c, disk + lba * bs, n * bs, c->opcode == NVME_CMD_READ);
		*(c->opcode == NVME_CMD_READ ? &reads : c->opcode == NVME_CMD_WRITE ? &writes : &zeroes) += 1;
		if (c->opcode != NVME_CMD_ZEROES && mdts)
			assert_true(n * bs <= PAGE_SIZE << mdts);
		break;
	case NVME_CMD_DSM: {
		struct nvme_dsm_range *r = mem(c->prp1);

		assert_int_equal(c->cdw11, NVME_DSM_DEALLOCATE);
		assert_int_equal(c->cdw10, 0);
		assert_true((r->block + r->nblocks) * bs <= sizeof(disk));
		discards++;
		break;
	}
	default:
		status = 1;
	}
	complete(i, c, status, 0);
}

static void identify(const struct nvme_cmd *c)
{
	u8 *p = mem(c->prp1);
	u32 format = (u32)lbads << 16 | ns_format_ms;

	memset(p, 0, PAGE_SIZE);
	if (c->cdw10 == NVME_ID_CTRL) {
		memcpy(p + NVME_CTRL_SN, "vol0                ", 20);
		p[NVME_CTRL_MDTS] = mdts;
		memcpy(p + NVME_CTRL_ONCS, &oncs, 2);
		p[NVME_CTRL_VWC] = vwc;
	} else if (c->cdw10 == NVME_ID_NS_LIST) {
		p[0] = no_namespace ? 0 : 7;
	} else {
		memcpy(p + NVME_NS_SIZE, &capacity, 8);
		p[NVME_NS_FLBAS] = 2;
		memcpy(p + NVME_NS_FORMATS + 8, &format, 4);
	}
}

static void admin(const struct nvme_cmd *c)
{
	unsigned id = c->cdw10 & 0xffff;
	u32 result = 0;
	u16 status = 0;

	switch (c->opcode) {
	case NVME_ADMIN_IDENTIFY:
		identify(c);
		break;
	case NVME_ADMIN_SET_FEATURES:
		result = (u32)(granted - 1) << 16 | (granted - 1u);
		break;
	case NVME_ADMIN_CREATE_CQ:
		assert_true(id > 0 && id < QUEUES && c->prp1 % PAGE_SIZE == 0);
		q[id].cq = c->prp1;
		q[id].depth = (c->cdw10 >> 16) + 1;
		q[id].cq_tail = 0;
		q[id].phase = 1;
		q[id].vector = c->cdw11 >> 16;
		break;
	case NVME_ADMIN_CREATE_SQ:
		assert_true(q[id].cq && c->cdw11 >> 16 == id && c->prp1 % PAGE_SIZE == 0);
		q[id].sq = c->prp1;
		q[id].sq_head = 0;
		q[id].made = true;
		break;
	default:
		status = 1;
	}
	complete(0, c, status, result);
}

static void controller_state(void)
{
	if (!(reg(NVME_CC) & 1)) {
		if (heals && reg(NVME_CSTS))
			silent = deaf = false;
		reg_set(NVME_CSTS, 0);
		memset(q, 0, sizeof(q));
		memset(bar + NVME_BELLS, 0, 0x1000);
		return;
	}
	if (reg(NVME_CSTS) & 1 || never_ready)
		return;
	assert_int_equal(reg(NVME_CC), NVME_CC_ENABLE);
	q[0].sq = reg64(NVME_ASQ);
	q[0].cq = reg64(NVME_ACQ);
	q[0].depth = (reg(NVME_AQA) & 0xfff) + 1;
	q[0].phase = 1;
	q[0].made = true;
	reg_set(NVME_CSTS, 1);
}

static void controller_runs(void)
{
	bool irq[QUEUES] = { false };

	controller_state();
	for (unsigned i = 0; i < QUEUES && !silent && !(deaf && i); i++) {
		unsigned tail = reg(NVME_BELLS + 8 * i);

		while (q[i].made && q[i].sq_head != tail) {
			struct nvme_cmd c = ((struct nvme_cmd *)mem(q[i].sq))[q[i].sq_head];

			assert_true(tail < q[i].depth);
			q[i].sq_head = (q[i].sq_head + 1) % q[i].depth;
			if (i)
				io(i, &c);
			else
				admin(&c);
			irq[i] = i > 0;
		}
	}
	for (unsigned i = 0; i < QUEUES; i++) {
		u32 entry[4];

		memcpy(entry, bar + 0x2000 + q[i].vector * 16, 16);
		if (irq[i] && !(entry[3] & 1))
			vectors[entry[2]].fn(vectors[entry[2]].arg);
	}
}

static u32 space_read(u8 bus, u8 slot, u8 function, u16 off, unsigned size)
{
	u32 v = 0;

	memcpy(&v, space + off, size);
	return v;
}
static void space_write(u8 bus, u8 slot, u8 function, u16 off, unsigned size, u32 v)
{
	if (off == PCI_BAR0)
		v = (v & ~(u32)(sizeof(bar) - 1)) | 4;
	memcpy(space + off, &v, size);
}
static volatile void *map_device(phys_t pa, size_t len)
{
	assert_true(pa == BAR_BASE && len == sizeof(bar));
	return bar;
}
static int vector_alloc(arch_irq_handler fn, void *arg, unsigned *ret)
{
	assert_true(nvectors < ARRAY_SIZE(vectors));
	vectors[nvectors].fn = fn;
	vectors[nvectors].arg = arg;
	*ret = nvectors++;
	return 0;
}

/* ---- Plugging it in ---- */

static void controller_default(void)
{
	static const struct pci_config_ops config = { .read = space_read, .write = space_write };
	static const struct host_machine machine = { .map_device = map_device, .vector_alloc = vector_alloc, .relax = controller_runs };

	host_sched_start();
	blk_init();
	pci_config = &config;
	host_machine = &machine;
	memset(space, 0, sizeof(space));
	memset(bar, 0, sizeof(bar));
	memset(q, 0, sizeof(q));
	nvectors = 0;
	u32 base = BAR_BASE | 4;

	memcpy(space + PCI_BAR0, &base, 4);
	space[PCI_STATUS] = 0x10;
	space[PCI_CAP_POINTER] = 0x40;
	space[0x40] = PCI_CAP_MSIX;
	space[0x42] = 15;                /* 16 entries */
	space[0x45] = 0x20;              /* at 0x2000 of BAR 0 */
	reg_set(NVME_CAP, 1u << 24 | 0x7ff);
	reg_set(NVME_CAP + 4, 1u << 5);
	for (unsigned i = 0; i < 16; i++)
		bar[0x2000 + i * 16 + 12] = 1;   /* masked */
	mdts = 5;
	lbads = 9;
	ns_format_ms = 0;
	granted = 4;
	vwc = 1;
	oncs = NVME_ONCS_DSM | NVME_ONCS_ZEROES;
	capacity = SECTORS;
	never_ready = no_namespace = silent = deaf = heals = false;
	lie = LIE_NONE;
	fail_status = 0;
	reads = writes = flushes = zeroes = discards = 0;
	for (size_t i = 0; i < sizeof(disk); i++)
		disk[i] = (u8)(i / 512 * 5 + i);
	memcpy(image, disk, sizeof(disk));
	host_idle_hook = controller_runs;
}

static void plug_in(void)
{
	dev = (struct device){ .bus = BUS_PCI, .pci = { .class_code = NVME_CLASS } };
	device_add(&dev);
	device_probe_all();
	bd = blkdev_by_index(0);
}
static int plug(void **state)
{
	controller_default();
	plug_in();
	assert_non_null(bd);
	return 0;
}
static int unplug(void **state)
{
	device_remove(&dev);
	/* The driver keeps its queues for interrupts that may come late; none does. */
	heap_free(vectors[0].arg);
	assert_int_equal(blkdev_count(), 0);
	assert_int_equal(reg(NVME_CC), 0);
	assert_false(space[PCI_COMMAND] & PCI_COMMAND_MASTER);
	host_idle_hook = NULL;
	host_machine = NULL;
	return 0;
}

/* ---- The tests ---- */

static void properties(void **state)
{
	assert_string_equal(bd->serial, "vol0");
	assert_true(bd->nsectors == SECTORS);
	assert_int_equal(bd->block_size, 512);
	assert_int_equal(bd->max_len, 128 * 1024);
	assert_true(bd->has_flush && bd->has_discard && bd->page_segs && !bd->readonly);
	assert_int_equal(bd->nqueues, 1);
	assert_int_equal(blk_flush_sync(bd), 0);
	assert_int_equal(flushes, 1);
	assert_int_equal(blk_discard_sync(bd, 8, 4000), 0);
	assert_int_equal(discards, 1);
	assert_int_equal(blk_discard_sync(bd, 4000, 100), -EINVAL);
	assert_int_equal(blk_write_zeroes_sync(bd, 1, 4000), 0);
	assert_int_equal(zeroes, 1);
	assert_int_equal(disk[512], 0);
	assert_int_equal(disk[4000 * 512 + 511], 0);
	assert_memory_equal(disk, image, 512);
	assert_memory_equal(disk + 4001 * 512, image + 4001 * 512, 98 * 512);
}

/* Every length and place that a request may have: what is read is what is there, what is written lands there only. */
static void transfers(void **state)
{
	static const u32 lens[] = { 512, 1024, 4096, 4608, 8192, 12288, 65536, 131072, 131584, 300 * 512, 2000 * 512 };
	u8 *buf = heap_alloc(2100 * 512);

	for (unsigned i = 0; i < ARRAY_SIZE(lens); i++) {
		for (unsigned skew = 0; skew < 4096; skew += 1536) {
			memset(buf, 0xaa, 2100 * 512);
			assert_int_equal(blk_rw_sync(bd, BLK_READ, 13, buf + skew, lens[i]), 0);
			assert_memory_equal(buf + skew, image + 13 * 512, lens[i]);
			assert_int_equal(buf[skew + lens[i]], 0xaa);
			for (u32 k = 0; k < lens[i]; k++)
				buf[skew + k] ^= 0xff;
			assert_int_equal(blk_rw_sync(bd, BLK_WRITE, 13, buf + skew, lens[i]), 0);
			assert_memory_equal(disk + 13 * 512, buf + skew, lens[i]);
			assert_memory_equal(disk, image, 13 * 512);
			assert_memory_equal(disk + 13 * 512 + lens[i], image + 13 * 512 + lens[i], sizeof(disk) - 13 * 512 - lens[i]);
			memcpy(disk, image, sizeof(disk));
		}
	}
	heap_free(buf);
}

static void scattered_pages(void **state)
{
	struct page *p[200];

	for (unsigned i = 0; i < 200; i++)
		p[i] = page_alloc(0, 0);
	for (unsigned i = 0; i < 100; i++) {
		struct page *x = p[i];

		p[i] = p[199 - i];
		p[199 - i] = x;
	}
	assert_int_equal(blk_rw_pages_sync(bd, BLK_READ, 512 * 9, p, 200), 0);
	for (unsigned i = 0; i < 200; i++)
		assert_memory_equal(page_to_virt(p[i]), disk + 512 * 9 + i * 4096, 4096);
	assert_int_equal(blk_rw_pages_sync(bd, BLK_WRITE, 512, p, 200), 0);
	assert_memory_equal(disk + 512, image + 512 * 9, 200 * 4096);
	for (unsigned i = 0; i < 200; i++)
		page_free(p[i], 0);
}

/* Pieces of less than a page, as file systems with small blocks have them: a request for each, where the PRP entries cannot say it. */
static void small_pieces(void **state)
{
	u8 *buf = heap_alloc(8 * 1024);
	struct blk_piece pieces[8];

	for (unsigned i = 0; i < 8; i++) {
		memset(buf + i * 1024, 'a' + (int)i, 1024);
		pieces[i] = (struct blk_piece){ 100 + 2 * i, buf + (i ^ 1) * 1024, 1024 };
	}
	assert_int_equal(blk_write_pieces_sync(bd, pieces, 8), 0);
	for (unsigned i = 0; i < 8; i++)
		assert_memory_equal(disk + (100 + 2 * i) * 512, buf + (i ^ 1) * 1024, 1024);
	assert_memory_equal(disk + 116 * 512, image + 116 * 512, 512);
	heap_free(buf);
}

static unsigned done_count;
static int done_status[200];
static struct blk_request many[200];
static void on_done(struct blk_request *rq)
{
	done_status[rq - many] = rq->status;
	done_count++;
}

/* More than there are slots: what does not fit waits, and all comes through. */
static void overload(void **state)
{
	static struct blk_seg seg[200];
	u8 *buf = heap_alloc(512);

	done_count = 0;
	for (unsigned i = 0; i < 100; i++) {
		seg[i] = (struct blk_seg){ arch_virt_to_phys(buf), 512 };
		many[i] = (struct blk_request){ .op = BLK_READ, .sector = 3 * i, .segs = &seg[i], .nsegs = 1, .done = on_done };
		blk_submit(bd, &many[i]);
	}
	for (unsigned i = 0; i < 10; i++)
		controller_runs();
	assert_int_equal(done_count, 100);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(done_status[i], 0);
	heap_free(buf);
}

static void errors(void **state)
{
	u8 *buf = heap_alloc(512);
	struct page *p = page_alloc(0, 0);
	struct blk_seg bad[2] = { { page_to_phys(p), 512 }, { page_to_phys(p) + 1024, 512 } };

	fail_lba = 5;
	fail_status = 0x281;             /* unrecovered read error */
	assert_int_equal(blk_rw_sync(bd, BLK_READ, 5, buf, 512), -EIO);
	assert_int_equal(blk_rw_sync(bd, BLK_READ, 6, buf, 512), 0);
	fail_status = 1;
	assert_int_equal(blk_rw_sync(bd, BLK_READ, 5, buf, 512), -EOPNOTSUPP);
	/* A controller that says it can write zeroes, and cannot. */
	assert_int_equal(blk_write_zeroes_sync(bd, 5, 1), -EOPNOTSUPP);
	fail_status = 0;
	assert_int_equal(blk_write_zeroes_sync(bd, 5, 1), 0);
	many[0] = (struct blk_request){ .op = BLK_READ, .segs = bad, .nsegs = 2, .done = on_done };
	blk_submit(bd, &many[0]);
	assert_int_equal(done_status[0], -EINVAL);
	page_free(p, 0);
	heap_free(buf);
}

static void hostile(void **state)
{
	u8 *buf = heap_alloc(512);

	for (int how = LIE_CID; how <= LIE_QUEUE; how++) {
		u64 broken = counter_read(nvme_broken);

		lie = how;
		assert_int_equal(blk_rw_sync(bd, BLK_READ, 0, buf, 512), -EIO);
		assert_int_equal(counter_read(nvme_broken), broken + 1);
		assert_int_equal(reg(NVME_CC), 0);
		assert_int_equal(blk_rw_sync(bd, BLK_READ, 0, buf, 512), -EIO);
		assert_int_equal(blk_flush_sync(bd), -EIO);
		unplug(state);
		plug(state);
	}
	heap_free(buf);
}

static void time_out(void **state)
{
	u8 *buf = heap_alloc(512);
	u64 before = arch_clock_mono_ns();

	silent = true;
	assert_int_equal(blk_rw_sync(bd, BLK_READ, 0, buf, 512), -EIO);
	/* And the reset gets no answer either. */
	assert_in_range(arch_clock_mono_ns() - before, 40 * NSEC_PER_SEC, 55 * NSEC_PER_SEC);
	assert_int_equal(reg(NVME_CC), 0);
	before = arch_clock_mono_ns();
	assert_int_equal(blk_rw_sync(bd, BLK_WRITE, 0, buf, 512), -EIO);
	assert_in_range(arch_clock_mono_ns() - before, 0, NSEC_PER_SEC);
	heap_free(buf);
}

/* What was under way is begun again, also what was merged or waited for a slot. */
static void reset_heals(void **state)
{
	static struct blk_seg seg[100];
	u8 *buf = heap_alloc(100 * 512), *data = heap_alloc(512);
	u64 before = arch_clock_mono_ns(), resets = counter_read(nvme_resets);
	unsigned nv = nvectors;

	silent = heals = true;
	done_count = 0;
	for (unsigned i = 0; i < 100; i++) {
		seg[i] = (struct blk_seg){ arch_virt_to_phys(buf) + i * 512, 512 };
		many[i] = (struct blk_request){ .op = BLK_READ, .sector = i * 2, .segs = &seg[i], .nsegs = 1, .done = on_done };
		blk_submit(bd, &many[i]);
	}
	memset(data, 0x5a, 512);
	assert_int_equal(blk_rw_sync(bd, BLK_WRITE, 1001, data, 512), 0);
	assert_in_range(arch_clock_mono_ns() - before, 30 * NSEC_PER_SEC, 60 * NSEC_PER_SEC);   /* this clock jumps while anybody waits */
	for (unsigned i = 0; i < 10; i++)
		controller_runs();
	assert_int_equal(done_count, 100);
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(done_status[i], 0);
		assert_memory_equal(buf + i * 512, disk + i * 1024, 512);
	}
	assert_memory_equal(disk + 1001 * 512, data, 512);
	assert_int_equal(counter_read(nvme_resets), resets + 1);
	assert_int_equal(nvectors, nv);
	/* And again, as often as it takes. */
	deaf = true;
	assert_int_equal(blk_rw_sync(bd, BLK_READ, 1001, buf, 512), 0);
	assert_memory_equal(buf, data, 512);
	assert_int_equal(counter_read(nvme_resets), resets + 2);
	heap_free(data);
	heap_free(buf);
}

/* Resets work and help nothing: the request fails, the disk is asked again for the next one. */
static void reset_in_vain(void **state)
{
	u8 *buf = heap_alloc(512);
	u64 before = arch_clock_mono_ns();

	deaf = true;
	assert_int_equal(blk_rw_sync(bd, BLK_READ, 3, buf, 512), -EIO);
	assert_in_range(arch_clock_mono_ns() - before, 60 * NSEC_PER_SEC, 85 * NSEC_PER_SEC);
	deaf = false;
	assert_int_equal(blk_rw_sync(bd, BLK_READ, 3, buf, 512), 0);
	assert_memory_equal(buf, disk + 3 * 512, 512);
	heap_free(buf);
}

static void fatal(void **state)
{
	u8 *buf = heap_alloc(512);
	u64 before = arch_clock_mono_ns();

	silent = true;
	reg_set(NVME_CSTS, NVME_CSTS_RDY | NVME_CSTS_CFS);
	assert_int_equal(blk_rw_sync(bd, BLK_READ, 0, buf, 512), -EIO);
	assert_in_range(arch_clock_mono_ns() - before, 0, 20 * NSEC_PER_SEC);
	heap_free(buf);
}

static void fatal_heals(void **state)
{
	u8 *buf = heap_alloc(512);
	u64 before = arch_clock_mono_ns();

	silent = heals = true;
	reg_set(NVME_CSTS, NVME_CSTS_RDY | NVME_CSTS_CFS);
	assert_int_equal(blk_rw_sync(bd, BLK_READ, 4, buf, 512), 0);
	assert_memory_equal(buf, disk + 4 * 512, 512);
	assert_in_range(arch_clock_mono_ns() - before, 0, 15 * NSEC_PER_SEC);
	heap_free(buf);
}

static void queues(void **state)
{
	static struct blk_seg seg[3];
	u8 *buf = heap_alloc(3 * 512);

	controller_default();
	host_cpus = 5;
	granted = 3;
	plug_in();
	host_cpus = 1;
	assert_non_null(bd);
	assert_int_equal(bd->nqueues, 3);
	assert_int_equal(nvectors, 3);
	done_count = 0;
	for (unsigned i = 0; i < 3; i++) {
		assert_true(q[i + 1].made && q[i + 1].vector == i + 1);
		seg[i] = (struct blk_seg){ arch_virt_to_phys(buf) + i * 512, 512 };
		many[i] = (struct blk_request){ .op = BLK_READ, .sector = 20 + i, .segs = &seg[i], .nsegs = 1, .done = on_done, .queue = (u16)i };
		assert_int_equal(bd->ops->submit(bd, &many[i]), 0);
		bd->ops->kick(bd, i);
	}
	controller_runs();
	assert_int_equal(done_count, 3);
	assert_memory_equal(buf, disk + 20 * 512, 3 * 512);
	heap_free(buf);
	unplug(state);
}

static void large_blocks(void **state)
{
	u8 *buf = heap_alloc(8192);

	controller_default();
	lbads = 12;
	capacity = SECTORS / 8;
	vwc = 0;
	oncs = 0;
	mdts = 0;
	plug_in();
	assert_non_null(bd);
	assert_true(bd->nsectors == SECTORS / 8 * 8 && bd->block_size == 4096 && bd->max_len == 256 * 1024);
	assert_int_equal(blk_rw_sync(bd, BLK_READ, 8, buf, 8192), 0);
	assert_memory_equal(buf, disk + 4096, 8192);
	assert_int_equal(blk_rw_sync(bd, BLK_READ, 8, buf, 512), -EINVAL);
	assert_int_equal(blk_flush_sync(bd), 0);
	assert_int_equal(flushes, 0);
	assert_int_equal(blk_discard_sync(bd, 0, 8), -EOPNOTSUPP);
	assert_int_equal(blk_write_zeroes_sync(bd, 16, 8), 0);
	assert_int_equal(writes, 1);
	heap_free(buf);
	unplug(state);
}

static void refuse(void)
{
	plug_in();
	assert_null(bd);
	device_remove(&dev);
	assert_int_equal(reg(NVME_CC), 0);
}

static void bad_controllers(void **state)
{
	controller_default();
	never_ready = true;
	refuse();
	controller_default();
	silent = true;
	refuse();
	controller_default();
	no_namespace = true;
	refuse();
	controller_default();
	lbads = 13;
	refuse();
	controller_default();
	lbads = 8;
	refuse();
	controller_default();
	ns_format_ms = 8;
	refuse();
	controller_default();
	capacity = 0;
	refuse();
	controller_default();
	capacity = UINT64_MAX;
	refuse();
	controller_default();
	reg_set(NVME_CAP + 4, 0);        /* not the NVM command set */
	refuse();
	controller_default();
	reg_set(NVME_CAP + 4, 1u << 5 | 1u << 16);   /* pages of 8 KiB at least */
	refuse();
	controller_default();
	reg_set(NVME_CAP + 4, 1u << 5 | 15);         /* bells far out of the BAR */
	refuse();
	controller_default();
	space[PCI_CAP_POINTER] = 0;      /* no MSI-X */
	refuse();
	assert_int_equal(nvectors, 0);
	host_machine = NULL;
	host_idle_hook = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define NVME(t) cmocka_unit_test_setup_teardown(t, plug, unplug)
		NVME(properties), NVME(transfers), NVME(scattered_pages), NVME(small_pieces), NVME(overload), NVME(errors), NVME(hostile),
		NVME(time_out), NVME(reset_heals), NVME(reset_in_vain), NVME(fatal), NVME(fatal_heals), cmocka_unit_test(queues), cmocka_unit_test(large_blocks), cmocka_unit_test(bad_controllers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
