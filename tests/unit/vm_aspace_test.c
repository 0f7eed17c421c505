/*
 * vm_aspace_test.c - the address space against a model: random operations on a window of pages, and
 * after each the contents, permissions and errors must be what the model says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "arch/host/host.h"
#include "base/string.h"
#include "mm/heap.h"
#include "vm/aspace.h"
#include "vm/uaddr.h"

#define BASE   0x10000000ull
#define WINDOW 192u
#define NOBJ   3u
#define OBJ_PAGES 256u

/* Little memory, so that it can be used up. */
__attribute__((constructor(101))) static void small_machine(void) { host_ram_bytes = 32 * MiB; }

/* ---- A file in memory that a read-only file system would show ---- */

struct file {
	struct vm_object object;
	u32 content[OBJ_PAGES];      /* what a fresh read gives */
	unsigned reads, writes;
	u64 size;
	int fail;
};
static struct file files[NOBJ];

static struct file *file_of(struct vm_object *o) { return container_of(o, struct file, object); }

static int file_read(struct vm_object *o, struct page **pages, unsigned n)
{
	struct file *f = file_of(o);
	f->reads++;
	if (f->fail)
		return -EIO;
	for (unsigned i = 0; i < n; i++) {
		if (i)
			assert_int_equal(pages[i]->index, pages[0]->index + i);
		u32 *d = page_to_virt(pages[i]);
		memset(d, 0, PAGE_SIZE);
		if (pages[i]->index < OBJ_PAGES)
			d[0] = f->content[pages[i]->index];
	}
	return 0;
}
static int file_write(struct vm_object *o, struct page **pages, unsigned n)
{
	struct file *f = file_of(o);
	f->writes += n;
	if (f->fail)
		return -EIO;
	for (unsigned i = 0; i < n; i++)
		f->content[pages[i]->index] = *(u32 *)page_to_virt(pages[i]);
	return 0;
}
static u64 file_size(struct vm_object *o) { return file_of(o)->size; }

static const struct vm_object_ops ro_ops = { .read_pages = file_read, .size = file_size };
static const struct vm_object_ops rw_ops = { .read_pages = file_read, .write_pages = file_write, .size = file_size };

/* ---- The model ---- */

enum kind { NONE, ANON, SHARED, FILE_PRIVATE, FILE_SHARED };
struct model_page {
	enum kind kind;
	u32 prot;
	bool own;                    /* a private page of its own with value */
	u32 value;
	unsigned obj, index;         /* of files, and of shared anonymous objects */
};
static struct model_page model[WINDOW];
static u32 shared_values[64][WINDOW];    /* shared anonymous objects by serial number */
static unsigned nshared;
static u32 file_values[NOBJ][OBJ_PAGES];

static u32 *model_value(struct model_page *m)
{
	switch (m->kind) {
	case ANON: return &m->value;
	case SHARED: return &shared_values[m->obj][m->index];
	case FILE_SHARED: return &file_values[m->obj][m->index];
	case FILE_PRIVATE: return m->own ? &m->value : &file_values[m->obj][m->index];
	default: return NULL;
	}
}

static u64 seed = 88172645463325252ull;
static u32 rnd(u32 bound)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (u32)(seed >> 20) % bound;
}

static uintptr_t va_of(unsigned i) { return BASE + i * PAGE_SIZE; }

static void check_page(unsigned i)
{
	struct model_page *m = &model[i];
	struct vm_area a;
	u32 got = 0;
	bool found = vm_find_area(va_of(i), &a);

	assert_int_equal(found, m->kind != NONE);
	int r = copy_from_user(&got, uaddr_make(va_of(i)), 4);
	if (m->kind == NONE || !m->prot) {
		assert_int_equal(r, -EFAULT);
		return;
	}
	assert_int_equal(a.prot, m->prot);
	assert_int_equal(r, 0);
	assert_int_equal(got, *model_value(m));
}

static void check_all(void)
{
	for (unsigned i = 0; i < WINDOW; i++)
		check_page(i);
	struct vm_usage u;
	u64 mapped = 0;
	vm_usage(&u);
	for (unsigned i = 0; i < WINDOW; i++)
		mapped += model[i].kind != NONE;
	assert_int_equal(u.mapped_pages, mapped);
}

static void store(unsigned i)
{
	struct model_page *m = &model[i];
	u32 v = rnd(1u << 30) + 1;
	int r = copy_to_user(uaddr_make(va_of(i)), &v, 4);

	if (m->kind == NONE || !(m->prot & VM_PROT_WRITE)) {
		assert_int_equal(r, -EFAULT);
		return;
	}
	assert_int_equal(r, 0);
	if (m->kind == FILE_PRIVATE)
		m->own = true;
	*model_value(m) = v;
}

static const u32 prots[] = { 0, VM_PROT_READ, VM_PROT_READ | VM_PROT_WRITE, VM_PROT_READ | VM_PROT_WRITE };

static void op_map(void)
{
	unsigned at = rnd(WINDOW), n = 1 + rnd(MIN(24u, WINDOW - at));
	enum kind kind = 1 + rnd(4);
	u32 prot = prots[rnd(4)];
	bool fixed = rnd(4);
	struct vm_map_request rq = { .addr = va_of(at), .len = n * PAGE_SIZE - rnd(PAGE_SIZE), .prot = prot, .max_prot = 7,
				     .flags = VM_MAP_FIXED | (fixed ? 0 : VM_MAP_NOREPLACE) };
	unsigned obj = 0, index = 0;
	bool taken = false;

	if (kind == FILE_PRIVATE || kind == FILE_SHARED) {
		/* File 0 is on a read-only file system: never shared and writable. */
		obj = kind == FILE_SHARED ? 1 + rnd(NOBJ - 1) : rnd(NOBJ);
		index = rnd(OBJ_PAGES - n);
		rq.object = &files[obj].object;
		rq.object_off = index * PAGE_SIZE;
	} else if (kind == SHARED) {
		if (nshared == 64)
			return;
		obj = nshared;
	}
	if (kind == SHARED || kind == FILE_SHARED)
		rq.flags |= VM_MAP_SHARED;
	for (unsigned i = at; i < at + n; i++)
		taken |= model[i].kind != NONE;
	intptr_t r = vm_map(&rq);
	if (!fixed && taken) {
		assert_true(r == -EEXIST || r == -ENOMEM);
		return;
	}
	if (r == -ENOMEM)
		return;
	assert_int_equal(r, va_of(at));
	if (kind == SHARED)
		memset(shared_values[nshared++], 0, sizeof(shared_values[0]));
	for (unsigned i = 0; i < n; i++)
		model[at + i] = (struct model_page){ .kind = kind, .prot = prot, .obj = obj, .index = index + i };
}

static void op_unmap(void)
{
	unsigned at = rnd(WINDOW), n = 1 + rnd(MIN(16u, WINDOW - at));
	int r = vm_unmap(va_of(at), n * PAGE_SIZE);

	if (r == -ENOMEM)
		return;
	assert_int_equal(r, 0);
	for (unsigned i = at; i < at + n; i++)
		model[i] = (struct model_page){ .kind = NONE };
}

static void op_protect(bool may_fail)
{
	unsigned at = rnd(WINDOW), n = 1 + rnd(MIN(16u, WINDOW - at)), i;
	u32 prot = prots[rnd(4)];
	int r = vm_protect(va_of(at), n * PAGE_SIZE, prot);

	for (i = at; i < at + n && model[i].kind != NONE; i++)
		;
	if (may_fail && r == -ENOMEM) {
		/* Done up to somewhere: believe the areas. */
		for (unsigned k = at; k < at + n; k++) {
			struct vm_area a;
			if (vm_find_area(va_of(k), &a))
				model[k].prot = a.prot;
		}
		return;
	}
	assert_int_equal(r, i < at + n ? -ENOMEM : 0);
	for (unsigned k = at; k < i; k++)
		model[k].prot = prot;
}

/* Pages [at, at + n) belong to one area? */
static bool one_area(unsigned at, unsigned n)
{
	struct vm_area a;
	return vm_find_area(va_of(at), &a) && a.end >= va_of(at + n);
}

static void op_remap(void)
{
	unsigned at = rnd(WINDOW), n = 1 + rnd(MIN(12u, WINDOW - at));
	unsigned to = rnd(WINDOW), m = 1 + rnd(MIN(16u, WINDOW - to));
	struct model_page copy[16];
	bool ok = model[at].kind != NONE && one_area(at, n);
	bool overlap = to < at + n && at < to + m;

	for (unsigned i = 0; i < 16; i++)
		copy[i] = at + i < WINDOW ? model[at + i] : (struct model_page){ .kind = NONE };
	if (model[at].kind == FILE_PRIVATE || model[at].kind == FILE_SHARED)
		ok = ok && (n >= m || model[at].index + m <= OBJ_PAGES);
	else if (model[at].kind == SHARED && m > n)
		return;                      /* beyond the object: SIGBUS, tested elsewhere */
	if (model[at].kind != NONE && !ok && one_area(at, n))
		return;
	intptr_t r = vm_remap(va_of(at), n * PAGE_SIZE, m * PAGE_SIZE, true, true, false, va_of(to));
	if (overlap) {
		assert_int_equal(r, -EINVAL);
		return;
	}
	if (!ok && n == m && model[at].kind != NONE) {
		/* Several areas move one by one, and the gaps between them stay what the target was. */
		if (r == -ENOMEM) {
			assert_int_equal(vm_unmap(BASE, WINDOW * PAGE_SIZE), 0);
			memset(model, 0, sizeof(model));
			return;
		}
		assert_int_equal(r, va_of(to));
		for (unsigned i = 0; i < n; i++)
			model[at + i] = (struct model_page){ .kind = NONE };
		for (unsigned i = 0; i < n; i++)
			if (copy[i].kind != NONE)
				model[to + i] = copy[i];
		return;
	}
	if (!ok) {
		assert_true(r == -EFAULT || r == -ENOMEM);
		if (r == -EFAULT)
			return;
	}
	if (r == -ENOMEM) {
		/* What lay at the target may be gone, and the tail of the source. */
		for (unsigned i = 0; i < WINDOW; i++) {
			struct vm_area a;
			if (!vm_find_area(va_of(i), &a))
				model[i] = (struct model_page){ .kind = NONE };
		}
		return;
	}
	assert_int_equal(r, va_of(to));
	for (unsigned i = 0; i < n; i++)
		model[at + i] = (struct model_page){ .kind = NONE };
	for (unsigned i = 0; i < m; i++) {
		model[to + i] = copy[0];
		if (i < n) {
			model[to + i] = copy[i];
		} else {
			model[to + i].own = false;
			model[to + i].value = 0;
			model[to + i].index = copy[0].index + i;
		}
	}
}

static void op_dontneed(void)
{
	unsigned at = rnd(WINDOW), n = 1 + rnd(MIN(16u, WINDOW - at));
	bool hole = false;
	int r = vm_advise(va_of(at), n * PAGE_SIZE, 4);

	for (unsigned i = at; i < at + n; i++) {
		hole |= model[i].kind == NONE;
		model[i].own = false;
		if (model[i].kind == ANON)
			model[i].value = 0;
	}
	assert_int_equal(r, hole ? -ENOMEM : 0);
}

static void reset(void)
{
	heap_fail_nth(0);
	assert_int_equal(vm_unmap(BASE, WINDOW * PAGE_SIZE), 0);
	memset(model, 0, sizeof(model));
	nshared = 0;
	for (unsigned k = 0; k < NOBJ; k++) {
		vm_object_drop(&files[k].object, 0, UINT64_MAX);
		for (unsigned i = 0; i < OBJ_PAGES; i++)
			file_values[k][i] = files[k].content[i] = k * 1000 + i + 1;
	}
}

static void run_model(unsigned steps, bool failures)
{
	reset();
	u64 heap = heap_used_bytes(), pages = page_free_count();
	for (unsigned i = 0; i < steps; i++) {
		if (failures)
			heap_fail_nth(1 + rnd(12));
		switch (rnd(9)) {
		case 0: case 1: op_map(); break;
		case 2: op_unmap(); break;
		case 3: op_protect(failures); break;
		case 4: op_remap(); break;
		case 5: op_dontneed(); break;
		case 6: if (!rnd(20)) (void)page_reclaim(1000); break;
		default:
			heap_fail_nth(0);
			for (int k = 0; k < 6; k++)
				store(rnd(WINDOW));
		}
		heap_fail_nth(0);
		if (i % 16 == 0)
			check_all();
		else
			check_page(rnd(WINDOW));
	}
	check_all();
	reset();
	assert_int_equal(heap_used_bytes(), heap);
	assert_int_equal(page_free_count(), pages);
	assert_int_equal(host_user_mapped_pages(), 0);
	struct vm_usage u;
	vm_usage(&u);
	assert_int_equal(u.mapped_pages + u.resident_anon_pages + u.resident_file_pages + u.data_pages, 0);
}

static intptr_t map_at(uintptr_t at, size_t len, u32 prot, u32 flags)
{
	struct vm_map_request rq = { .addr = at, .len = len, .prot = prot, .max_prot = 7, .flags = flags };
	return vm_map(&rq);
}

static void out_of_memory(void **state)
{
	reset();
	u64 pages = page_free_count();
	u32 v = 1;
	struct vm_map_request rq = { .addr = BASE, .len = OBJ_PAGES * PAGE_SIZE, .prot = 1, .max_prot = 7, .flags = VM_MAP_FIXED,
				     .object = &files[0].object };
	assert_int_equal(vm_map(&rq), BASE);
	for (unsigned i = 0; i < OBJ_PAGES; i++)
		assert_int_equal(copy_from_user(&v, uaddr_make(BASE + i * PAGE_SIZE), 4), 0);
	assert_int_equal(files[0].object.npages, OBJ_PAGES);
	/* More memory than there is: the cache is given up first, then the fault fails. */
	uintptr_t at = BASE + 16 * MiB;
	assert_int_equal(map_at(at, 1 * GiB, 3, VM_MAP_FIXED), at);
	uintptr_t va = at;
	while (copy_to_user(uaddr_make(va), &v, 4) == 0)
		va += PAGE_SIZE;
	assert_int_equal(vm_fault_last().error, -ENOMEM);
	assert_true(va - at > 28 * MiB);
	assert_true(files[0].object.npages < 8);
	/* Some memory back: it goes on. */
	assert_int_equal(vm_advise(at, 64 * PAGE_SIZE, 4), 0);
	assert_int_equal(copy_to_user(uaddr_make(va), &v, 4), 0);
	assert_int_equal(copy_from_user(&v, uaddr_make(BASE), 4), 0);
	assert_int_equal(vm_unmap(BASE, 16 * MiB + GiB), 0);
	vm_object_drop(&files[0].object, 0, UINT64_MAX);
	assert_int_equal(page_free_count(), pages);
}

static void model_random(void **state) { run_model(20000, false); }
static void model_random_with_failures(void **state) { run_model(20000, true); }

/* ---- Single properties ---- */

static void refusals(void **state)
{
	reset();
	assert_int_equal(map_at(0, PAGE_SIZE, 3, VM_MAP_FIXED), -EPERM);
	assert_int_equal(map_at(0xf000, PAGE_SIZE, 3, VM_MAP_FIXED), -EPERM);
	assert_int_equal(map_at(BASE + 1, PAGE_SIZE, 3, VM_MAP_FIXED), -EINVAL);
	assert_int_equal(map_at(BASE, 0, 3, 0), -EINVAL);
	assert_int_equal(map_at(BASE, SIZE_MAX, 3, 0), -ENOMEM);
	assert_int_equal(map_at(0, ARCH_USER_TOP, 3, 0), -ENOMEM);
	assert_int_equal(map_at(ARCH_USER_TOP - PAGE_SIZE, 2 * PAGE_SIZE, 3, VM_MAP_FIXED), -ENOMEM);
	assert_int_equal(vm_unmap(BASE + 8, PAGE_SIZE), -EINVAL);
	assert_int_equal(vm_unmap(BASE, 0), -EINVAL);
	assert_int_equal(vm_unmap(ARCH_USER_TOP, PAGE_SIZE), -EINVAL);
	/* A small hint is not refused: it goes elsewhere, above the forbidden part. */
	intptr_t at = map_at(0x1000, PAGE_SIZE, 3, 0);
	assert_true(at >= 0x10000);
	assert_int_equal(vm_unmap((uintptr_t)at, PAGE_SIZE), 0);
}

static unsigned events;
static void count_event(const char *what, uintptr_t addr, size_t len, u32 prot) { events++; }

static void write_xor_execute(void **state)
{
	reset();
	vm_policy_event = count_event;
	events = 0;
	assert_int_equal(map_at(BASE, PAGE_SIZE, 7, VM_MAP_FIXED), -EACCES);
	assert_int_equal(map_at(BASE, PAGE_SIZE, VM_PROT_READ | VM_PROT_WRITE, VM_MAP_FIXED), BASE);
	assert_int_equal(vm_protect(BASE, PAGE_SIZE, VM_PROT_READ | VM_PROT_EXEC), -EACCES);
	assert_int_equal(vm_protect(BASE, PAGE_SIZE, VM_PROT_READ), 0);
	/* It was writable once: also the way round through read-only is closed. */
	assert_int_equal(vm_protect(BASE, PAGE_SIZE, VM_PROT_READ | VM_PROT_EXEC), -EACCES);
	assert_int_equal(map_at(BASE + PAGE_SIZE, PAGE_SIZE, VM_PROT_READ | VM_PROT_EXEC, VM_MAP_FIXED), BASE + PAGE_SIZE);
	assert_int_equal(vm_protect(BASE + PAGE_SIZE, PAGE_SIZE, 7), -EACCES);
	assert_int_equal(events, 4);
	/* Moving keeps the memory of it. */
	assert_int_equal(vm_remap(BASE, PAGE_SIZE, PAGE_SIZE, true, true, false, BASE + 8 * PAGE_SIZE), BASE + 8 * PAGE_SIZE);
	assert_int_equal(vm_protect(BASE + 8 * PAGE_SIZE, PAGE_SIZE, VM_PROT_EXEC), -EACCES);
	vm_policy_allow_jit = true;
	assert_int_equal(vm_protect(BASE + 8 * PAGE_SIZE, PAGE_SIZE, 7), 0);
	vm_policy_allow_jit = false;
	vm_policy_event = NULL;
}

static void huge_reservations_are_cheap(void **state)
{
	reset();
	u64 pages = page_free_count();
	intptr_t at = map_at(0, 8ull << 40, 0, VM_MAP_NORESERVE);
	assert_true(at > 0);
	assert_int_equal(vm_protect((uintptr_t)at + (1ull << 40), 64 * MiB, VM_PROT_READ | VM_PROT_WRITE), 0);
	u32 v = 7;
	assert_int_equal(copy_to_user(uaddr_make((uintptr_t)at + (1ull << 40) + 5 * PAGE_SIZE), &v, 4), 0);
	assert_int_equal(page_free_count(), pages - 1);
	assert_int_equal(vm_advise((uintptr_t)at, 8ull << 40, 4), 0);
	assert_int_equal(page_free_count(), pages);
	assert_int_equal(vm_unmap((uintptr_t)at, 8ull << 40), 0);
}

static void stack_grows(void **state)
{
	reset();
	uintptr_t top = BASE + 64 * MiB;
	u32 v = 1;
	assert_int_equal(map_at(top - 16 * PAGE_SIZE, 16 * PAGE_SIZE, 3, VM_MAP_FIXED | VM_MAP_STACK), top - 16 * PAGE_SIZE);
	assert_int_equal(copy_to_user(uaddr_make(top - 100 * PAGE_SIZE), &v, 4), 0);
	assert_int_equal(copy_to_user(uaddr_make(top - 7 * MiB), &v, 4), 0);
	assert_int_equal(copy_to_user(uaddr_make(top - 9 * MiB), &v, 4), -EFAULT);
	assert_int_equal(vm_unmap(top - 9 * MiB, 9 * MiB), 0);
	/* A neighbour below keeps its distance. */
	assert_int_equal(map_at(top - 16 * PAGE_SIZE, 16 * PAGE_SIZE, 3, VM_MAP_FIXED | VM_MAP_STACK), top - 16 * PAGE_SIZE);
	assert_int_equal(map_at(top - 4 * MiB, PAGE_SIZE, 3, VM_MAP_FIXED), top - 4 * MiB);
	assert_int_equal(copy_to_user(uaddr_make(top - 2 * MiB), &v, 4), 0);
	assert_int_equal(copy_to_user(uaddr_make(top - 4 * MiB + 2 * PAGE_SIZE), &v, 4), -EFAULT);
	struct vm_fault_info info = vm_fault_last();
	assert_int_equal(info.error, -EFAULT);
	assert_int_equal(info.si_code, 1);
	/* And new mappings keep theirs. */
	struct vm_area stack;
	assert_true(vm_find_area(top - PAGE_SIZE, &stack));
	intptr_t at = map_at(stack.start - PAGE_SIZE, PAGE_SIZE, 3, 0);
	assert_true(at > 0 && (uintptr_t)at != stack.start - PAGE_SIZE);
	assert_int_equal(vm_unmap((uintptr_t)at, PAGE_SIZE), 0);
	assert_int_equal(vm_unmap(top - 9 * MiB, 9 * MiB), 0);
}

static void heap_end(void **state)
{
	reset();
	u32 v = 5, got;
	vm_brk_init(BASE + 100);
	assert_int_equal(vm_brk(0), BASE + 100);
	assert_int_equal(vm_brk(BASE + 3 * PAGE_SIZE + 5), BASE + 3 * PAGE_SIZE + 5);
	assert_int_equal(copy_to_user(uaddr_make(BASE + 2 * PAGE_SIZE), &v, 4), 0);
	assert_int_equal(vm_brk(BASE + PAGE_SIZE), BASE + PAGE_SIZE);
	assert_int_equal(copy_from_user(&got, uaddr_make(BASE + 2 * PAGE_SIZE), 4), -EFAULT);
	assert_int_equal(vm_brk(BASE + 3 * PAGE_SIZE), BASE + 3 * PAGE_SIZE);
	assert_int_equal(copy_from_user(&got, uaddr_make(BASE + 2 * PAGE_SIZE), 4), 0);
	assert_int_equal(got, 0);
	/* Something in the way. */
	assert_int_equal(map_at(BASE + 8 * PAGE_SIZE, PAGE_SIZE, 3, VM_MAP_FIXED), BASE + 8 * PAGE_SIZE);
	assert_int_equal(vm_brk(BASE + 9 * PAGE_SIZE), BASE + 3 * PAGE_SIZE);
	vm_limits()->data_max = 4 * PAGE_SIZE;
	assert_int_equal(vm_brk(BASE + 5 * PAGE_SIZE), BASE + 3 * PAGE_SIZE);
	vm_limits()->data_max = UINT64_MAX;
	vm_brk_init(0);
}

static void beyond_the_end_is_sigbus(void **state)
{
	reset();
	u32 v;
	files[1].size = 2 * PAGE_SIZE + 10;
	struct vm_map_request rq = { .addr = BASE, .len = 8 * PAGE_SIZE, .prot = 3, .max_prot = 7, .flags = VM_MAP_FIXED | VM_MAP_SHARED,
				     .object = &files[1].object };
	assert_int_equal(vm_map(&rq), BASE);
	assert_int_equal(copy_from_user(&v, uaddr_make(BASE + 2 * PAGE_SIZE), 4), 0);
	assert_int_equal(copy_from_user(&v, uaddr_make(BASE + 3 * PAGE_SIZE), 4), -EFAULT);
	assert_int_equal(vm_fault_last().error, -EIO);
	assert_int_equal(vm_fault_last().si_code, 2);
	/* Truncation takes mapped pages away. */
	files[1].size = PAGE_SIZE;
	vm_object_drop(&files[1].object, 1, UINT64_MAX);
	assert_int_equal(copy_from_user(&v, uaddr_make(BASE + 2 * PAGE_SIZE), 4), -EFAULT);
	assert_int_equal(copy_from_user(&v, uaddr_make(BASE), 4), 0);
	files[1].size = OBJ_PAGES * PAGE_SIZE;
	reset();
	/* A page that cannot be read. */
	files[1].fail = 1;
	assert_int_equal(vm_map(&rq), BASE);
	assert_int_equal(copy_from_user(&v, uaddr_make(BASE), 4), -EFAULT);
	assert_int_equal(vm_fault_last().error, -EIO);
	files[1].fail = 0;
	assert_int_equal(copy_from_user(&v, uaddr_make(BASE), 4), 0);
	assert_int_equal(v, 1001);
}

static void stores_reach_the_file(void **state)
{
	reset();
	u32 v = 4242;
	struct vm_map_request rq = { .addr = BASE, .len = 4 * PAGE_SIZE, .prot = 3, .max_prot = 7, .flags = VM_MAP_FIXED | VM_MAP_SHARED,
				     .object = &files[2].object };
	assert_int_equal(vm_map(&rq), BASE);
	assert_int_equal(copy_to_user(uaddr_make(BASE + PAGE_SIZE), &v, 4), 0);
	assert_true(vm_object_is_dirty(&files[2].object));
	assert_int_equal(vm_sync(BASE, 4 * PAGE_SIZE, 4), 0);
	assert_int_equal(files[2].content[1], 4242);
	assert_false(vm_object_is_dirty(&files[2].object));
	/* After the write-back the page is read-only again: the next store is noticed. */
	v = 4343;
	assert_int_equal(copy_to_user(uaddr_make(BASE + PAGE_SIZE), &v, 4), 0);
	assert_true(vm_object_is_dirty(&files[2].object));
	/* A failed write keeps it dirty. */
	files[2].fail = 1;
	assert_int_equal(vm_sync(BASE, 4 * PAGE_SIZE, 4), -EIO);
	files[2].fail = 0;
	assert_true(vm_object_is_dirty(&files[2].object));
	assert_int_equal(vm_sync(BASE, 4 * PAGE_SIZE, 4), 0);
	assert_int_equal(files[2].content[1], 4343);
	/* Private stores do not. */
	rq.flags = VM_MAP_FIXED;
	assert_int_equal(vm_map(&rq), BASE);
	v = 9;
	assert_int_equal(copy_to_user(uaddr_make(BASE + PAGE_SIZE), &v, 4), 0);
	assert_false(vm_object_is_dirty(&files[2].object));
}

static void placement(void **state)
{
	reset();
	intptr_t at[64];
	for (unsigned i = 0; i < 64; i++) {
		at[i] = map_at(0, (1 + rnd(9)) * PAGE_SIZE, i & 1 ? 3 : 1, 0);
		assert_true(at[i] > 0);
		if (i)
			assert_true(at[i] < at[i - 1]);
	}
	/* A hole is used again. */
	assert_int_equal(vm_unmap((uintptr_t)at[20], (uintptr_t)at[19] - (uintptr_t)at[20]), 0);
	intptr_t again = map_at(0, (size_t)(at[19] - at[20]), 3, 0);
	assert_int_equal(again, at[20]);
	/* A hint that is free is taken; one that is not, is not. */
	assert_int_equal(map_at(BASE, PAGE_SIZE, 3, 0), BASE);
	assert_true(map_at(BASE, PAGE_SIZE, 1, 0) != (intptr_t)BASE);
	intptr_t low = map_at(0, 1 * MiB, 3, VM_MAP_32BIT);
	assert_true(low >= 0x40000000 && low + (intptr_t)MiB <= 0x80000000);
	assert_int_equal(vm_unmap(0x10000, ARCH_USER_TOP - 0x10000), 0);
}

static void hidden_pages_survive(void **state)
{
	reset();
	u32 v = 77, got;
	u64 pages = page_free_count();
	assert_int_equal(map_at(BASE, 4 * PAGE_SIZE, 3, VM_MAP_FIXED), BASE);
	assert_int_equal(copy_to_user(uaddr_make(BASE + PAGE_SIZE), &v, 4), 0);
	assert_int_equal(vm_protect(BASE, 4 * PAGE_SIZE, 0), 0);
	assert_int_equal(copy_from_user(&got, uaddr_make(BASE + PAGE_SIZE), 4), -EFAULT);
	assert_int_equal(vm_fault_last().si_code, 2);
	assert_int_equal(vm_remap(BASE, 4 * PAGE_SIZE, 8 * PAGE_SIZE, true, true, false, BASE + 16 * PAGE_SIZE), BASE + 16 * PAGE_SIZE);
	assert_int_equal(vm_protect(BASE + 16 * PAGE_SIZE, 8 * PAGE_SIZE, 1), 0);
	assert_int_equal(copy_from_user(&got, uaddr_make(BASE + 17 * PAGE_SIZE), 4), 0);
	assert_int_equal(got, 77);
	assert_int_equal(vm_protect(BASE + 16 * PAGE_SIZE, 8 * PAGE_SIZE, 0), 0);
	assert_int_equal(vm_unmap(BASE + 16 * PAGE_SIZE, 8 * PAGE_SIZE), 0);
	assert_int_equal(page_free_count(), pages);
}

/* What smaps says: private pages also under PROT_NONE, pages of files, in ranges over several areas and huge reservations; peaks stay. */
static void resident(void **state)
{
	reset();
	u32 v = 1, got;
	struct vm_resident r;
	struct vm_usage u;
	struct vm_map_request rq = { .addr = BASE + 64 * PAGE_SIZE, .len = 4 * PAGE_SIZE, .prot = 1, .max_prot = 7, .flags = VM_MAP_FIXED, .object = &files[0].object };
	assert_int_equal(map_at(BASE, 16 * PAGE_SIZE, 3, VM_MAP_FIXED), BASE);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(copy_to_user(uaddr_make(BASE + 2 * i * PAGE_SIZE), &v, 4), 0);
	assert_int_equal(copy_from_user(&got, uaddr_make(BASE + PAGE_SIZE), 4), 0);      /* the zero page is nobody's */
	assert_int_equal(vm_protect(BASE, 3 * PAGE_SIZE, 0), 0);
	vm_resident(BASE, BASE + 16 * PAGE_SIZE, &r);
	assert_int_equal(r.anon_pages, 5);
	vm_resident(BASE, BASE + 3 * PAGE_SIZE, &r);
	assert_int_equal(r.anon_pages, 2);
	assert_int_equal(vm_map(&rq), (intptr_t)rq.addr);
	assert_int_equal(copy_from_user(&got, uaddr_make(rq.addr), 4), 0);
	assert_int_equal(map_at(1ull << 44, 1ull << 44, 3, VM_MAP_FIXED | VM_MAP_NORESERVE), 1ll << 44);
	assert_int_equal(copy_to_user(uaddr_make((1ull << 44) + (1ull << 43)), &v, 4), 0);
	vm_resident(0, ARCH_USER_TOP, &r);
	vm_usage(&u);
	assert_int_equal(r.anon_pages, 6);
	assert_true(r.file_clean_pages >= 1 && r.file_dirty_pages == 0);
	assert_int_equal(r.anon_pages + r.shmem_pages + r.file_clean_pages, u.resident_anon_pages + u.resident_file_pages);
	assert_int_equal(vm_unmap(0x10000, ARCH_USER_TOP - 0x10000), 0);
	vm_resident(0, ARCH_USER_TOP, &r);
	assert_int_equal(r.anon_pages + r.shmem_pages + r.file_clean_pages + r.file_dirty_pages, 0);
	u64 before = u.resident_anon_pages + u.resident_file_pages;
	vm_usage(&u);
	assert_true(u.peak_resident_pages >= before && u.peak_mapped_pages >= 1ull << 32);
}

static void truncation_takes_copies(void **state)
{
	reset();
	u32 v = 55, got;
	u64 pages = page_free_count();
	struct vm_map_request rq = { .addr = BASE, .len = 8 * PAGE_SIZE, .prot = 3, .max_prot = 7, .flags = VM_MAP_FIXED, .object = &files[1].object };
	assert_int_equal(vm_map(&rq), BASE);
	rq.addr = BASE + 16 * PAGE_SIZE;
	assert_int_equal(vm_map(&rq), (intptr_t)(BASE + 16 * PAGE_SIZE));
	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(copy_to_user(uaddr_make(va_of(i)), &v, 4), 0);
		assert_int_equal(copy_to_user(uaddr_make(va_of(16 + i)), &v, 4), 0);
	}
	assert_int_equal(vm_protect(va_of(16), 8 * PAGE_SIZE, 0), 0);
	files[1].size = 3 * PAGE_SIZE;
	vm_object_truncate(&files[1].object, 3);
	files[1].size = OBJ_PAGES * PAGE_SIZE;
	assert_int_equal(vm_protect(va_of(16), 8 * PAGE_SIZE, 1), 0);
	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(copy_from_user(&got, uaddr_make(va_of(i)), 4), 0);
		assert_int_equal(got == 55, i < 3);
		assert_int_equal(copy_from_user(&got, uaddr_make(va_of(16 + i)), 4), 0);
		assert_int_equal(got == 55, i < 3);
	}
	assert_int_equal(vm_unmap(BASE, 32 * PAGE_SIZE), 0);
	vm_object_drop(&files[1].object, 0, UINT64_MAX);
	assert_int_equal(page_free_count(), pages);
}

static const char *name_at(unsigned i)
{
	struct vm_area a;

	return vm_find_area(va_of(i), &a) ? a.name : "(nothing)";
}

static unsigned areas;
static bool count_areas(const struct vm_area *a, void *arg)
{
	areas += a->start >= BASE && a->start < BASE + WINDOW * PAGE_SIZE;
	return true;
}

static void names(void **state)
{
	reset();
	struct vm_map_request rq = { .addr = va_of(20), .len = PAGE_SIZE, .prot = 3, .max_prot = 7, .flags = VM_MAP_FIXED, .object = &files[1].object };
	assert_int_equal(map_at(BASE, 8 * PAGE_SIZE, 3, VM_MAP_FIXED), BASE);
	assert_int_equal(map_at(va_of(10), 2 * PAGE_SIZE, 3, VM_MAP_FIXED | VM_MAP_SHARED), (intptr_t)va_of(10));
	assert_int_equal(vm_set_name(va_of(2), 3 * PAGE_SIZE, "mine"), 0);
	assert_null(name_at(1));
	assert_string_equal(name_at(2), "[anon:mine]");
	assert_string_equal(name_at(4), "[anon:mine]");
	assert_null(name_at(5));
	assert_int_equal(vm_set_name(va_of(10), 1, "mine"), 0);
	assert_string_equal(name_at(10), "[anon_shmem:mine]");
	assert_null(name_at(11));
	/* A hole is told, the rest is named. */
	assert_int_equal(vm_set_name(va_of(7), 4 * PAGE_SIZE, "over"), -ENOMEM);
	assert_string_equal(name_at(7), "[anon:over]");
	assert_string_equal(name_at(10), "[anon_shmem:over]");
	/* Without a name they are one area again. */
	assert_int_equal(vm_set_name(BASE, 8 * PAGE_SIZE, NULL), 0);
	areas = 0;
	vm_for_each_area(count_areas, NULL);
	assert_int_equal(areas, 3);
	assert_int_equal(vm_map(&rq), (intptr_t)va_of(20));
	assert_int_equal(vm_set_name(va_of(20), PAGE_SIZE, "file"), -EBADF);
	assert_int_equal(vm_set_name(BASE + 1, PAGE_SIZE, "odd"), -EINVAL);
	assert_int_equal(vm_set_name(BASE, 0, "none"), 0);
	for (unsigned n = 1; n < 12; n++) {
		int r;
		heap_fail_nth(n);
		r = vm_set_name(va_of(3), PAGE_SIZE, n & 1 ? "a" : "b");
		heap_fail_nth(0);
		assert_true(r == 0 || r == -ENOMEM);
	}
	assert_int_equal(vm_set_name(BASE, 8 * PAGE_SIZE, NULL), 0);
	int r = 0;
	for (unsigned n = 0; n < VM_NAMES_MAX && r == 0; n++) {
		char name[] = "n0000";
		for (unsigned k = 1, x = n; k < 5; k++, x /= 10)
			name[k] = (char)('0' + x % 10);
		r = vm_set_name(BASE, PAGE_SIZE, name);
	}
	assert_int_equal(r, -ENOMEM);
}

static void moves_over_several(void **state)
{
	reset();
	u32 v, got;
	assert_int_equal(map_at(BASE, 8 * PAGE_SIZE, 3, VM_MAP_FIXED), BASE);
	for (v = 0; v < 8; v++)
		assert_int_equal(copy_to_user(uaddr_make(va_of(v)), &v, 4), 0);
	assert_int_equal(vm_protect(va_of(2), PAGE_SIZE, 1), 0);
	assert_int_equal(vm_unmap(va_of(4), PAGE_SIZE), 0);
	assert_int_equal(vm_remap(BASE, 8 * PAGE_SIZE, 8 * PAGE_SIZE, true, true, false, va_of(32)), (intptr_t)va_of(32));
	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(copy_from_user(&got, uaddr_make(va_of(32 + i)), 4), i == 4 ? -EFAULT : 0);
		assert_true(i == 4 || got == i);
		assert_int_equal(copy_from_user(&got, uaddr_make(va_of(i)), 4), -EFAULT);
	}
	v = 1;
	assert_int_equal(copy_to_user(uaddr_make(va_of(34)), &v, 4), -EFAULT);
	assert_int_equal(vm_remap(va_of(32), 8 * PAGE_SIZE, 2 * PAGE_SIZE, false, false, false, 0), (intptr_t)va_of(32));
	assert_int_equal(copy_from_user(&got, uaddr_make(va_of(35)), 4), -EFAULT);
	assert_int_equal(vm_remap(va_of(60), 4 * PAGE_SIZE, 4 * PAGE_SIZE, true, true, false, va_of(70)), -EFAULT);
}

/* ---- Randomness: measured ---- */

static void entropy(void **state)
{
	uintptr_t (*const fn[])(void) = { vm_random_exec_base, vm_random_stack_top, vm_random_vdso_base };
	for (unsigned k = 0; k < ARRAY_SIZE(fn); k++) {
		uintptr_t all_or = 0, all_and = ~0ull;
		for (unsigned i = 0; i < 4096; i++) {
			uintptr_t v = fn[k]();
			assert_int_equal(v % PAGE_SIZE, 0);
			all_or |= v;
			all_and &= v;
		}
		assert_true(__builtin_popcountll(all_or & ~all_and) >= 28);
	}
}

static int setup(void **state)
{
	host_sched_start();
	arch_hooks.user_fault = vm_fault;
	if (vm_init(NULL))
		return -1;
	vm_object_init(&files[0].object, &ro_ops);
	vm_object_init(&files[1].object, &rw_ops);
	vm_object_init(&files[2].object, &rw_ops);
	for (unsigned k = 0; k < NOBJ; k++) {
		files[k].size = OBJ_PAGES * PAGE_SIZE;
		files[k].object.reclaimable = 1;
		files[k].object.readahead = k * 8;
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refusals),
		cmocka_unit_test(write_xor_execute),
		cmocka_unit_test(huge_reservations_are_cheap),
		cmocka_unit_test(stack_grows),
		cmocka_unit_test(heap_end),
		cmocka_unit_test(beyond_the_end_is_sigbus),
		cmocka_unit_test(stores_reach_the_file),
		cmocka_unit_test(placement),
		cmocka_unit_test(hidden_pages_survive),
		cmocka_unit_test(resident),
		cmocka_unit_test(truncation_takes_copies),
		cmocka_unit_test(names),
		cmocka_unit_test(moves_over_several),
		cmocka_unit_test(entropy),
		cmocka_unit_test(out_of_memory),
		cmocka_unit_test(model_random),
		cmocka_unit_test(model_random_with_failures),
	};
	return cmocka_run_group_tests_name("vm_aspace", tests, setup, NULL);
}
