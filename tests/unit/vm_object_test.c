/*
 * vm_object_test.c - the radix tree against a model; objects: reading, writing, holes, dropping, write-back,
 * read-ahead, errors, uio.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "arch/host/host.h"
#include "base/radix.h"
#include "base/string.h"
#include "mm/heap.h"
#include "sched/thread.h"
#include "vm/writeback.h"
#include "vm/aspace.h"
#include "vm/uio.h"

static u64 seed = 88172645463325252ull;
static u32 rnd(u32 bound)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (u32)(seed >> 20) % bound;
}

/* ---- Radix tree ---- */

static unsigned nodes, fail_in;
static struct radix_node *node_alloc(void)
{
	if (fail_in && --fail_in == 0)
		return NULL;
	nodes++;
	return calloc(1, sizeof(struct radix_node));
}
static void node_free(struct radix_node *n)
{
	nodes--;
	free(n);
}
static const struct radix_mem mem = { node_alloc, node_free };

#define KEYS 300u
static u64 keys[KEYS];
static bool there[KEYS], marked[KEYS];

static void radix_check(struct radix *r)
{
	for (unsigned i = 0; i < KEYS; i++)
		assert_ptr_equal(radix_get(r, keys[i]), there[i] ? &keys[i] : NULL);
	for (int m = 0; m < 2; m++) {
		u64 at = 0, count = 0, want = 0, last = 0;
		for (unsigned i = 0; i < KEYS; i++)
			want += m ? marked[i] : there[i];
		for (void *p; (p = m ? radix_next_marked(r, &at) : radix_next(r, &at)); at++) {
			assert_true(count == 0 || at > last);
			last = at;
			assert_int_equal(*(u64 *)p, at);
			count++;
			if (at == UINT64_MAX)
				break;
		}
		assert_int_equal(count, want);
	}
}

static void radix_model(void **state)
{
	struct radix r;
	radix_init(&r, &mem);
	for (unsigned i = 0; i < KEYS; i++) {
		keys[i] = i < 100 ? i : i < 200 ? 1000 + i * 61 : ((u64)rnd(1u << 31) << (i % 33)) + i;
		if (i == 299)
			keys[i] = UINT64_MAX;
	}
	for (unsigned step = 0; step < 40000; step++) {
		unsigned i = rnd(KEYS);
		fail_in = step % 3 == 0 ? 1 + rnd(6) : 0;
		switch (rnd(5)) {
		case 0: case 1: {
			int e = radix_insert(&r, keys[i], &keys[i]);
			if (there[i]) {
				/* Growing may fail before the place is looked at; nothing has changed. */
				assert_true(e == -EEXIST || e == -ENOMEM);
			} else if (e == 0) {
				there[i] = true;
				marked[i] = false;
			} else {
				assert_int_equal(e, -ENOMEM);
			}
			break;
		}
		case 2:
			assert_ptr_equal(radix_remove(&r, keys[i]), there[i] ? &keys[i] : NULL);
			there[i] = marked[i] = false;
			break;
		case 3:
			radix_set_mark(&r, keys[i]);
			marked[i] = there[i];
			break;
		default:
			radix_clear_mark(&r, keys[i]);
			marked[i] = false;
		}
		if (step % 100 == 0)
			radix_check(&r);
		if (step % 10 == 0) {
			void *run[90];
			u64 from = rnd(130);
			radix_get_run(&r, from, 90, run);
			for (unsigned k = 0; k < 90; k++)
				assert_ptr_equal(run[k], radix_get(&r, from + k));
		}
	}
	fail_in = 0;
	for (unsigned i = 0; i < KEYS; i++)
		radix_remove(&r, keys[i]);
	assert_true(radix_empty(&r));
	assert_int_equal(nodes, 0);
}

/* ---- Objects over a "disk" ---- */

#define DISK_PAGES 128u
struct disk {
	struct vm_object o;
	u8 data[DISK_PAGES * PAGE_SIZE];
	u64 size;
	unsigned reads, pages_read, writes;
	u64 bad_page;                /* reading it fails */
	bool slow;                   /* reading sleeps */
	bool fail_write, released;
};
static struct disk disk;

static int disk_read(struct vm_object *o, struct page **pages, unsigned n)
{
	struct disk *d = container_of(o, struct disk, o);
	d->reads++;
	d->pages_read += n;
	if (d->slow)
		(void)sched_sleep_until(arch_clock_mono_ns() + NSEC_PER_MSEC, false);
	for (unsigned i = 0; i < n; i++) {
		if (pages[i]->index == d->bad_page)
			return -EIO;
		if (pages[i]->index < DISK_PAGES)
			memcpy(page_to_virt(pages[i]), d->data + pages[i]->index * PAGE_SIZE, PAGE_SIZE);
		else
			memset(page_to_virt(pages[i]), 0, PAGE_SIZE);
	}
	return 0;
}
static int disk_write(struct vm_object *o, struct page **pages, unsigned n)
{
	struct disk *d = container_of(o, struct disk, o);
	if (d->fail_write)
		return -ENOSPC;
	d->writes++;
	for (unsigned i = 0; i < n; i++)
		memcpy(d->data + pages[i]->index * PAGE_SIZE, page_to_virt(pages[i]), PAGE_SIZE);
	return 0;
}
static u64 disk_size(struct vm_object *o) { return container_of(o, struct disk, o)->size; }
static void disk_release(struct vm_object *o) { container_of(o, struct disk, o)->released = true; }
static const struct vm_object_ops disk_ops = { .read_pages = disk_read, .write_pages = disk_write, .size = disk_size, .release = disk_release };

static void disk_make(unsigned readahead)
{
	memset(&disk, 0, sizeof(disk));
	vm_object_init(&disk.o, &disk_ops);
	disk.o.reclaimable = 1;
	disk.o.readahead = (u8)readahead;
	disk.size = sizeof(disk.data);
	disk.bad_page = ~0ull;
	for (size_t i = 0; i < sizeof(disk.data); i++)
		disk.data[i] = (u8)(i * 7 + i / PAGE_SIZE);
}

static u8 buf[DISK_PAGES * PAGE_SIZE], shadow[DISK_PAGES * PAGE_SIZE];

static ssize_t read_at(void *dst, size_t len, u64 off)
{
	struct uio u;
	uio_init_kernel(&u, dst, len);
	return vm_object_read(&disk.o, &u, off, disk.size);
}
static ssize_t write_at(const void *src, size_t len, u64 off)
{
	struct uio u;
	uio_init_kernel(&u, (void *)(uintptr_t)src, len);
	return vm_object_write(&disk.o, &u, off);
}

static void reading(void **state)
{
	disk_make(8);
	assert_int_equal(read_at(buf, 10, 100), 10);
	assert_memory_equal(buf, disk.data + 100, 10);
	assert_int_equal(disk.reads, 1);
	assert_int_equal(disk.pages_read, 8);
	assert_int_equal(read_at(buf, 7 * PAGE_SIZE, 0), 7 * PAGE_SIZE);
	assert_int_equal(disk.reads, 1);
	/* A long read asks for what it will need. */
	assert_int_equal(read_at(buf, 32 * PAGE_SIZE, 64 * PAGE_SIZE), 32 * PAGE_SIZE);
	assert_int_equal(disk.reads, 2);
	assert_memory_equal(buf, disk.data + 64 * PAGE_SIZE, 32 * PAGE_SIZE);
	/* The end. */
	disk.size = 100 * PAGE_SIZE + 10;
	assert_int_equal(read_at(buf, 100, 100 * PAGE_SIZE), 10);
	assert_int_equal(read_at(buf, 100, disk.size), 0);
	assert_int_equal(read_at(buf, 100, ~0ull), 0);
	assert_true(disk.o.npages <= 101);
	vm_object_put(&disk.o);
	assert_true(disk.released);
}

static void read_errors(void **state)
{
	disk_make(8);
	disk.bad_page = 5;
	u64 pages = page_free_count();
	/* A bad neighbour does not harm. */
	assert_int_equal(read_at(buf, 10, 3 * PAGE_SIZE), 10);
	assert_memory_equal(buf, disk.data + 3 * PAGE_SIZE, 10);
	assert_int_equal(read_at(buf, 10, 5 * PAGE_SIZE), -EIO);
	assert_int_equal(read_at(buf, 4 * PAGE_SIZE, 3 * PAGE_SIZE), 2 * PAGE_SIZE);
	disk.bad_page = ~0ull;
	assert_int_equal(read_at(buf, 10, 5 * PAGE_SIZE), 10);
	vm_object_drop(&disk.o, 0, UINT64_MAX);
	assert_int_equal(page_free_count(), pages);
	vm_object_put(&disk.o);
}

/* Who reads straight on finds the next window under way, and nothing is read twice; others are left alone. */
static void read_ahead(void **state)
{
	disk_make(8);
	disk.slow = true;
	for (u64 at = 0; at < DISK_PAGES; at += 8) {
		assert_int_equal(read_at(buf, 8 * PAGE_SIZE, at * PAGE_SIZE), 8 * PAGE_SIZE);
		assert_memory_equal(buf, disk.data + at * PAGE_SIZE, 8 * PAGE_SIZE);
		assert_true(at == 8 ? disk.pages_read == 16 + 32 : at != 16 || disk.pages_read == 16 + 32 + 64);
	}
	vm_readahead_drain();
	assert_int_equal(disk.pages_read, DISK_PAGES);
	assert_int_equal(disk.reads, 5);
	vm_object_put(&disk.o);
	assert_true(disk.released);
	/* Page after page; the end of the file is the end of the last window. */
	disk_make(8);
	disk.size = 61 * PAGE_SIZE - 1;
	for (u64 at = 0; at < 60; at++)
		assert_int_equal(read_at(buf, 100, at * PAGE_SIZE), 100);
	vm_readahead_drain();
	assert_int_equal(disk.pages_read, 61);
	vm_object_put(&disk.o);
	/* Here and there. */
	disk_make(8);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(read_at(buf, 100, (i * 5 % 16 * 8 + 3) * PAGE_SIZE), 100);
	vm_readahead_drain();
	assert_int_equal(disk.reads, 16);
	assert_int_equal(disk.pages_read, DISK_PAGES);
	vm_object_put(&disk.o);
	/* A bad page costs who reads it; the object may go while a window is on its way. */
	disk_make(8);
	disk.slow = true;
	disk.bad_page = 20;
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(read_at(buf, 100, i * PAGE_SIZE), i == 20 ? -EIO : 100);
	vm_object_put(&disk.o);
	vm_readahead_drain();
	assert_true(disk.released);
}

/* Scattered dirty pages reach the file system together, whatever lies between them, so that the device has them together. */
static void scattered(void **state)
{
	disk_make(4);
	for (unsigned i = 0; i < DISK_PAGES; i += 3)
		assert_int_equal(write_at(shadow + i * PAGE_SIZE, PAGE_SIZE, i * PAGE_SIZE), PAGE_SIZE);
	assert_int_equal(vm_object_sync(&disk.o, 3, 90), 0);
	assert_int_equal(disk.writes, 1);
	assert_true(vm_dirty_pages == DIV_ROUND_UP(DISK_PAGES, 3) - 30);
	assert_int_equal(vm_object_sync(&disk.o, 0, UINT64_MAX), 0);
	assert_int_equal(disk.writes, 2);
	for (unsigned i = 0; i < DISK_PAGES; i += 3)
		assert_memory_equal(disk.data + i * PAGE_SIZE, shadow + i * PAGE_SIZE, PAGE_SIZE);
	assert_true(vm_dirty_pages == 0);
	vm_object_put(&disk.o);
}

static unsigned throttled;
static int throttle_write(struct vm_writer *w, u64 until_pages)
{
	throttled++;
	assert_true(until_pages < vm_dirty_limit);
	return vm_object_sync(&disk.o, 0, UINT64_MAX);
}

/* Dirty pages are counted once each, however often they are written, until they are clean or gone; over the limit their maker writes. */
static void dirty_limits(void **state)
{
	struct vm_writer writer = { .write = throttle_write };
	u64 limit;

	disk_make(4);
	assert_true(vm_dirty_pages == 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(write_at(buf, 5 * PAGE_SIZE, 100), 5 * PAGE_SIZE);
	assert_true(vm_dirty_pages == 6);
	disk.fail_write = true;
	assert_int_equal(vm_object_sync(&disk.o, 0, UINT64_MAX), -ENOSPC);
	assert_true(vm_dirty_pages == 6);
	disk.fail_write = false;
	assert_int_equal(vm_object_sync(&disk.o, 0, 1), 0);
	assert_true(vm_dirty_pages == 4);
	vm_object_drop(&disk.o, 2, 2);
	assert_true(vm_dirty_pages == 3);
	vm_dirty_throttle();
	vm_writer_add(&writer);
	vm_dirty_throttle();
	assert_int_equal(throttled, 0);
	limit = vm_dirty_limit;
	vm_dirty_limit = 5;
	assert_true(vm_dirty_many());
	assert_int_equal(write_at(buf, 10 * PAGE_SIZE, 0), 10 * PAGE_SIZE);
	vm_dirty_throttle();
	assert_int_equal(throttled, 1);
	assert_true(vm_dirty_pages == 0 && !vm_dirty_many());
	vm_dirty_throttle();
	assert_int_equal(throttled, 1);
	vm_dirty_limit = limit;
	vm_writer_remove(&writer);
	assert_int_equal(write_at(buf, PAGE_SIZE, 0), PAGE_SIZE);
	vm_object_put(&disk.o);
	assert_true(vm_dirty_pages == 0);
}

static void writing_model(void **state)
{
	disk_make(4);
	memcpy(shadow, disk.data, sizeof(shadow));
	for (unsigned i = 0; i < 3000; i++) {
		u64 off = rnd(sizeof(buf) - 20000);
		size_t len = rnd(20000);
		if (rnd(3) == 0) {
			off &= ~(u64)(PAGE_SIZE - 1);
			len = ROUND_UP(len, PAGE_SIZE);
		}
		switch (rnd(6)) {
		case 0: case 1:
			for (size_t k = 0; k < len; k++)
				buf[k] = (u8)rnd(256);
			assert_int_equal(write_at(buf, len, off), len);
			memcpy(shadow + off, buf, len);
			break;
		case 2:
			assert_int_equal(vm_object_sync(&disk.o, off >> PAGE_SHIFT, (off + len) >> PAGE_SHIFT), 0);
			break;
		case 3:
			(void)page_reclaim(1 + rnd(40));
			break;
		default:
			assert_int_equal(read_at(buf, len, off), len);
			assert_memory_equal(buf, shadow + off, len);
		}
	}
	assert_int_equal(vm_object_sync(&disk.o, 0, UINT64_MAX), 0);
	assert_false(vm_object_is_dirty(&disk.o));
	assert_memory_equal(disk.data, shadow, sizeof(shadow));
	/* A failed write-back is told, and is tried again. */
	assert_int_equal(write_at("x", 1, 0), 1);
	disk.fail_write = true;
	assert_int_equal(vm_object_sync(&disk.o, 0, UINT64_MAX), -ENOSPC);
	assert_true(vm_object_is_dirty(&disk.o));
	disk.fail_write = false;
	assert_int_equal(vm_object_sync(&disk.o, 0, UINT64_MAX), 0);
	assert_int_equal(disk.data[0], 'x');
	vm_object_put(&disk.o);
}

/* Several threads read the same absent page: it is read once. */
static unsigned right;
static void reader(void *arg)
{
	u8 b[100];
	if (read_at(b, sizeof(b), 50) == sizeof(b) && !memcmp(b, disk.data + 50, sizeof(b)))
		right++;
	thread_exit();
}
static void readers_together(void **state)
{
	struct thread *t[6];
	disk_make(1);
	disk.slow = true;
	for (unsigned k = 0; k < 2; k++) {
		right = 0;
		disk.reads = 0;
		disk.bad_page = k ? 0 : ~0ull;
		for (unsigned i = 0; i < 6; i++) {
			t[i] = thread_create("reader", reader, NULL);
			thread_start(t[i]);
		}
		for (unsigned i = 0; i < 6; i++) {
			thread_join(t[i]);
			thread_put(t[i]);
		}
		assert_int_equal(right, k ? 0 : 6);
		assert_true(k || disk.reads == 1);
		vm_object_drop(&disk.o, 0, UINT64_MAX);
	}
	vm_object_put(&disk.o);
}

static void memory_objects(void **state)
{
	u64 pages = page_free_count();
	struct vm_object *o = vm_object_new_anon(1 * GiB);
	struct uio u;
	u64 heap = heap_used_bytes();
	assert_non_null(o);
	/* Holes read as zeros and cost nothing. */
	memset(buf, 1, 3 * PAGE_SIZE);
	uio_init_kernel(&u, buf, 3 * PAGE_SIZE);
	assert_int_equal(vm_object_read(o, &u, 512 * MiB, 1 * GiB), 3 * PAGE_SIZE);
	for (unsigned i = 0; i < 3 * PAGE_SIZE; i++)
		assert_int_equal(buf[i], 0);
	assert_int_equal(o->npages, 0);
	uio_init_kernel(&u, (void *)"hello", 5);
	assert_int_equal(vm_object_write(o, &u, 512 * MiB + PAGE_SIZE - 2), 5);
	assert_int_equal(o->npages, 2);
	uio_init_kernel(&u, buf, 10);
	assert_int_equal(vm_object_read(o, &u, 512 * MiB + PAGE_SIZE - 4, 1 * GiB), 10);
	assert_memory_equal(buf, "\0\0hello\0\0\0", 10);
	vm_object_drop(o, (512 * MiB >> PAGE_SHIFT) + 1, UINT64_MAX);
	assert_int_equal(o->npages, 1);
	vm_object_drop(o, 0, UINT64_MAX);
	assert_int_equal(heap_used_bytes(), heap);
	vm_object_put(o);
	assert_int_equal(page_free_count(), pages);
}

static void nth_allocation_fails(void **state)
{
	disk_make(8);
	for (unsigned n = 1; n < 10; n++) {
		heap_fail_nth(n);
		ssize_t r = read_at(buf, 20 * PAGE_SIZE, 70 * PAGE_SIZE);
		heap_fail_nth(0);
		assert_true(r == -ENOMEM || (r > 0 && r <= 20 * (ssize_t)PAGE_SIZE));
		if (r > 0)
			assert_memory_equal(buf, disk.data + 70 * PAGE_SIZE, r);
		memset(buf, 9, PAGE_SIZE);
		heap_fail_nth(n);
		r = write_at(buf, PAGE_SIZE, (100 + n) * PAGE_SIZE);
		heap_fail_nth(0);
		assert_true(r == -ENOMEM || r == (ssize_t)PAGE_SIZE);
		vm_object_drop(&disk.o, 0, UINT64_MAX);
		assert_int_equal(disk.o.npages, 0);
	}
	vm_object_put(&disk.o);
}

/* ---- uio ---- */

static void uio_segments(void **state)
{
	u8 a[10], b[1], c[20];
	struct uio_seg segs[] = { { (uintptr_t)a, 0 }, { (uintptr_t)a, 10 }, { (uintptr_t)b, 0 }, { (uintptr_t)b, 1 }, { (uintptr_t)c, 20 } };
	struct uio u;
	uio_init_user(&u, segs, 5);
	u.user = false;
	assert_int_equal(u.resid, 31);
	assert_int_equal(uio_put(&u, "0123456789ABCDEF", 16), 16);
	assert_memory_equal(a, "0123456789", 10);
	assert_int_equal(b[0], 'A');
	assert_memory_equal(c, "BCDEF", 5);
	uio_revert(&u, 6);
	assert_int_equal(u.resid, 21);
	assert_int_equal(uio_put(&u, "zyx", 3), 3);
	assert_int_equal(b[0], 'z');
	assert_memory_equal(c, "yxDEF", 5);
	uio_revert(&u, 13);
	assert_int_equal(u.resid, 31);
	char out[40];
	assert_int_equal(uio_get(&u, out, sizeof(out)), 31);
	assert_memory_equal(out, "0123456789zyxDEF", 16);
	assert_int_equal(uio_get(&u, out, 1), 0);
	uio_revert(&u, 31);
	assert_int_equal(uio_skip(&u, 11), 11);
	assert_int_equal(uio_put_zero(&u, 100), 20);
	assert_int_equal(c[0] | c[19], 0);
	/* The program's addresses: the top is out of reach, and so is what wraps. */
	uio_init_user_one(&u, uaddr_make(ARCH_USER_TOP - 4), 8);
	assert_int_equal(uio_put(&u, out, 8), 0);
	assert_true(u.fault);
	assert_int_equal(uio_result(&u, 0), -EFAULT);
	assert_int_equal(copy_to_user(uaddr_make(~0ull - 3), out, 8), -EFAULT);
	assert_int_equal(copy_from_user(out, uaddr_make(0xffff800000000000ull), 8), -EFAULT);
	assert_int_equal(clear_user(uaddr_make(ARCH_USER_TOP), 1), -EFAULT);
	u32 v;
	assert_int_equal(user_load_u32(uaddr_make(0x10002), &v), -EFAULT);
}

static void user_strings(void **state)
{
	struct vm_map_request rq = { .addr = 0x20000, .len = 2 * PAGE_SIZE, .prot = 3, .max_prot = 7, .flags = VM_MAP_FIXED };
	char s[16];
	assert_int_equal(vm_map(&rq), 0x20000);
	uintptr_t end = 0x20000 + 2 * PAGE_SIZE;
	assert_int_equal(copy_to_user(uaddr_make(end - 8), "abcdefg", 8), 0);
	assert_int_equal(copy_string_from_user(s, uaddr_make(end - 8), sizeof(s)), 7);
	assert_string_equal(s, "abcdefg");
	assert_int_equal(copy_string_from_user(s, uaddr_make(end - 8), 8), 7);
	assert_int_equal(copy_string_from_user(s, uaddr_make(end - 8), 7), -ENAMETOOLONG);
	assert_int_equal(copy_to_user(uaddr_make(end - 1), "x", 1), 0);
	assert_int_equal(copy_string_from_user(s, uaddr_make(end - 8), sizeof(s)), -EFAULT);
	assert_int_equal(copy_string_from_user(s, uaddr_make(ARCH_USER_TOP), 4), -EFAULT);
	assert_int_equal(vm_unmap(0x20000, 2 * PAGE_SIZE), 0);
}

/* A read whose buffer ends in the middle: what arrived is counted. */
static void partial_fault(void **state)
{
	struct vm_map_request rq = { .addr = 0x20000, .len = PAGE_SIZE, .prot = 3, .max_prot = 7, .flags = VM_MAP_FIXED };
	struct uio u;
	disk_make(1);
	assert_int_equal(vm_map(&rq), 0x20000);
	uio_init_user_one(&u, uaddr_make(0x20000 + PAGE_SIZE - 100), 200);
	ssize_t r = vm_object_read(&disk.o, &u, 0, disk.size);
	assert_true(r == -EFAULT || (r >= 0 && r <= 100));
	uio_init_user_one(&u, uaddr_make(0x20000), 3 * PAGE_SIZE);
	assert_int_equal(vm_object_read(&disk.o, &u, 0, disk.size), PAGE_SIZE);
	/* A write that faults does not put garbage over what is on disk. */
	uio_init_user_one(&u, uaddr_make(0x20000 + 100), PAGE_SIZE);
	r = vm_object_write(&disk.o, &u, 9 * PAGE_SIZE);
	assert_true(r >= 0 || r == -EFAULT);
	assert_int_equal(read_at(buf, PAGE_SIZE, 9 * PAGE_SIZE), PAGE_SIZE);
	assert_memory_equal(buf + PAGE_SIZE - 100, disk.data + 10 * PAGE_SIZE - 100, 100);
	assert_int_equal(vm_unmap(0x20000, PAGE_SIZE), 0);
	vm_object_put(&disk.o);
}

static int setup(void **state)
{
	host_sched_start();
	arch_hooks.user_fault = vm_fault;
	return vm_init(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(radix_model),
		cmocka_unit_test(reading),
		cmocka_unit_test(read_errors),
		cmocka_unit_test(read_ahead),
		cmocka_unit_test(scattered), cmocka_unit_test(dirty_limits),
		cmocka_unit_test(writing_model),
		cmocka_unit_test(readers_together),
		cmocka_unit_test(memory_objects),
		cmocka_unit_test(nth_allocation_fails),
		cmocka_unit_test(uio_segments),
		cmocka_unit_test(user_strings),
		cmocka_unit_test(partial_fault),
	};
	return cmocka_run_group_tests_name("vm_object", tests, setup, NULL);
}
