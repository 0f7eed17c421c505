/*
 * elf_load_test.c - programs that are started, and files that are refused: headers bent in every way
 * that elf.c knows, headers bent at random, and memory that runs out at the n-th allocation.
 */
#include "fs_fixture.h"
#include "fs/lx_file.h"
#include "mm/heap.h"
#include "proc/crash.h"
#include "proc/elf.h"
#include "proc/exec.h"
#include "proc/process.h"

/* ---- A small program ---- */

struct image {
	struct lx_elf64_ehdr h;
	struct lx_elf64_phdr p[6];
	char interp[32];
	u8 pad[4096 - 64 - 6 * 56 - 32];
	u8 text[4096];
	u8 data[1000];               /* in the file; memory goes on with zeros */
};

#define VADDR 0x400000ull

static void image_make(struct image *m, u16 type, const char *interp)
{
	u64 base = type == LX_ET_EXEC ? VADDR : 0;
	unsigned n = 0;

	memset(m, 0, sizeof(*m));
	memcpy(m->h.ident, "\177ELF\2\1\1", 7);
	m->h.type = type;
	m->h.machine = 62;
	m->h.version = 1;
	m->h.ehsize = sizeof(m->h);
	m->h.phentsize = sizeof(m->p[0]);
	m->h.phoff = offsetof(struct image, p);
	m->h.entry = base + offsetof(struct image, text) + 16;
	if (interp) {
		str_copy(m->interp, interp, sizeof(m->interp));
		m->p[n++] = (struct lx_elf64_phdr){ LX_PT_INTERP, LX_PF_R, offsetof(struct image, interp), base, 0, strlen(interp) + 1, strlen(interp) + 1, 1 };
	}
	m->p[n++] = (struct lx_elf64_phdr){ LX_PT_LOAD, LX_PF_R, 0, base, 0, 4096, 4096, 4096 };
	m->p[n++] = (struct lx_elf64_phdr){ LX_PT_LOAD, LX_PF_R | LX_PF_X, 4096, base + 4096, 0, 4096, 4096, 4096 };
	m->p[n++] = (struct lx_elf64_phdr){ LX_PT_LOAD, LX_PF_R | LX_PF_W, 8192, base + 12288, 0, 1000, 3 * 4096, 4096 };
	m->h.phnum = n;
	memset(m->text, 0xc3, sizeof(m->text));
	memset(m->data, 0xda, sizeof(m->data));
}

static void put_file(const char *path, const void *data, size_t len, u32 mode)
{
	struct vnode *v;
	struct uio u;
	bool created;
	assert_int_equal(fs_open(NULL, path, LX_O_CREAT | LX_O_RDWR | LX_O_TRUNC, mode, 0, &v, &created), 0);
	uio_init_kernel(&u, (void *)(uintptr_t)data, len);
	assert_int_equal(fs_write(v, &u, 0, false, false, NULL), len);
	vnode_put(v);
}

/* ---- Starting, in a thread of its own ---- */

struct run {
	struct exec_args args;
	struct exec_failure failure;
	struct user_regs regs;
	int result;
};

static void run_thread(void *arg)
{
	struct run *r = arg;
	r->result = exec_start(&r->args, &r->failure);
	r->regs = *arch_user_regs(&thread_current()->arch);
	thread_exit();
}

static int run(struct run *r, const char *path, char *const *argv, char *const *envp)
{
	static struct task task;
	r->args = (struct exec_args){ .path = path, .argv = argv, .envp = envp };
	struct thread *t = thread_create_user(run_thread, r, &task);
	assert_non_null(t);
	thread_start(t);
	thread_join(t);
	thread_put(t);
	return r->result;
}

static void forget(void)
{
	assert_int_equal(vm_unmap(0x10000, ARCH_USER_TOP - 0x10000), 0);
	memset(&process_image, 0, sizeof(process_image));
}

static u64 word_at(u64 va)
{
	u64 v = 0;
	assert_int_equal(copy_from_user(&v, uaddr_make(va), 8), 0);
	return v;
}
static const char *string_at(u64 va)
{
	static char s[256];
	assert_true(copy_string_from_user(s, uaddr_make(va), sizeof(s)) >= 0);
	return s;
}
static u64 aux(u64 sp, u64 type)
{
	u64 at = sp + 8 + (word_at(sp) + 1) * 8;
	while (word_at(at))
		at += 8;
	for (at += 8; word_at(at); at += 16)
		if (word_at(at) == type)
			return word_at(at + 8);
	return ~0ull;
}

static char *const argv3[] = { "prog", "one", "two words", NULL };
static char *const envp2[] = { "A=1", "PATH=/bin", NULL };

static void fixed_program(void **state)
{
	static struct image m;
	struct run r;
	u8 b[16];
	image_make(&m, LX_ET_EXEC, NULL);
	put_file("/prog", &m, sizeof(m), 0755);
	assert_int_equal(run(&r, "/prog", argv3, envp2), 0);
	assert_int_equal(r.regs.rip, VADDR + 4096 + 16);
	assert_int_equal(r.regs.rsp % 16, 0);
	u64 sp = r.regs.rsp;
	assert_int_equal(word_at(sp), 3);
	assert_string_equal(string_at(word_at(sp + 8)), "prog");
	assert_string_equal(string_at(word_at(sp + 24)), "two words");
	assert_int_equal(word_at(sp + 32), 0);
	assert_string_equal(string_at(word_at(sp + 40)), "A=1");
	assert_string_equal(string_at(word_at(sp + 48)), "PATH=/bin");
	assert_int_equal(word_at(sp + 56), 0);
	assert_int_equal(aux(sp, 3), VADDR + offsetof(struct image, p));
	assert_int_equal(aux(sp, 5), 3);
	assert_int_equal(aux(sp, 6), 4096);
	assert_int_equal(aux(sp, 9), VADDR + 4096 + 16);
	assert_int_equal(aux(sp, 11), PROC_UID);
	assert_int_equal(aux(sp, 23), 0);
	assert_string_equal(string_at(aux(sp, 15)), "x86_64");
	assert_string_equal(string_at(aux(sp, 31)), "/prog");
	/* Arguments and environment are one piece of memory, as /proc/self/cmdline wants. */
	assert_int_equal(process_image.arg_start, word_at(sp + 8));
	assert_int_equal(process_image.arg_end, word_at(sp + 40));
	assert_int_equal(process_image.env_end - process_image.env_start, strlen("A=1") + strlen("PATH=/bin") + 2);
	/* Data from the file, then zeros: in the rest of its page and in pages of their own. */
	assert_int_equal(copy_from_user(b, uaddr_make(VADDR + 12288 + 992), 16), 0);
	assert_int_equal(b[7], 0xda);
	assert_int_equal(b[8], 0);
	assert_int_equal(word_at(VADDR + 12288 + 4096 * 3 - 8), 0);
	u64 v = 1;
	assert_int_equal(copy_to_user(uaddr_make(VADDR + 4096), &v, 8), -EFAULT);
	assert_true(vm_brk_end() >= VADDR + 12288 + 4096 * 3);
	forget();
}

static void moving_program_and_interpreter(void **state)
{
	static struct image m;
	struct run r;
	u64 bases[4];
	image_make(&m, LX_ET_DYN, NULL);
	put_file("/ld.so", &m, sizeof(m), 0755);
	image_make(&m, LX_ET_DYN, "/ld.so");
	put_file("/prog", &m, sizeof(m), 0755);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(run(&r, "/prog", argv3, envp2), 0);
		u64 base = aux(r.regs.rsp, 7), entry = aux(r.regs.rsp, 9);
		assert_int_equal(r.regs.rip, base + 4096 + 16);
		assert_int_equal(base % PAGE_SIZE, 0);
		assert_true(entry != r.regs.rip);
		assert_int_equal(aux(r.regs.rsp, 3), entry - 4096 - 16 + offsetof(struct image, p));
		bases[i] = entry;
		forget();
	}
	assert_true(bases[0] != bases[1] || bases[1] != bases[2] || bases[2] != bases[3]);
}

static void scripts(void **state)
{
	static struct image m;
	struct run r;
	image_make(&m, LX_ET_EXEC, NULL);
	put_file("/sh", &m, sizeof(m), 0755);
	put_file("/script", "#! /sh  -x y \nrest", 18, 0755);
	assert_int_equal(run(&r, "/script", argv3, envp2), 0);
	u64 sp = r.regs.rsp;
	assert_int_equal(word_at(sp), 5);
	assert_string_equal(string_at(word_at(sp + 8)), "/sh");
	assert_string_equal(string_at(word_at(sp + 16)), "-x y");
	assert_string_equal(string_at(word_at(sp + 24)), "/script");
	assert_string_equal(string_at(word_at(sp + 32)), "one");
	forget();
	put_file("/script2", "#!/script\n", 10, 0755);
	assert_int_equal(run(&r, "/script2", argv3, envp2), -ENOEXEC);
	assert_int_equal(r.failure.status, 126);
	put_file("/script3", "#!\n", 3, 0755);
	assert_int_equal(run(&r, "/script3", argv3, envp2), -ENOEXEC);
	put_file("/script4", "#!/nowhere", 10, 0755);
	assert_int_equal(run(&r, "/script4", argv3, envp2), -ENOENT);
	assert_int_equal(r.failure.status, 127);
	forget();
}

/* ---- Refusals ---- */

static void bend_magic(struct image *m) { m->h.ident[1] = 'e'; }
static void bend_class(struct image *m) { m->h.ident[4] = 1; }
static void bend_endian(struct image *m) { m->h.ident[5] = 2; }
static void bend_machine(struct image *m) { m->h.machine = 183; }
static void bend_type(struct image *m) { m->h.type = 1; }
static void bend_phentsize(struct image *m) { m->h.phentsize = 32; }
static void bend_phnum0(struct image *m) { m->h.phnum = 0; }
static void bend_phnum_many(struct image *m) { m->h.phnum = 65535; }
static void bend_phoff(struct image *m) { m->h.phoff = ~0ull - 10; }
static void bend_phoff_end(struct image *m) { m->h.phoff = sizeof(*m) - 56; }
static void bend_filesz(struct image *m) { m->p[1].filesz = m->p[1].memsz + 1; }
static void bend_filesz_wrap(struct image *m) { m->p[1].filesz = m->p[1].memsz = ~0ull; }
static void bend_offset(struct image *m) { m->p[2].offset = 1ull << 40; }
static void bend_offset_wrap(struct image *m) { m->p[2].offset = ~0ull & ~4095ull; }
static void bend_vaddr_high(struct image *m) { m->p[2].vaddr = ARCH_USER_TOP; }
static void bend_vaddr_wrap(struct image *m) { m->p[2].vaddr = ~0ull << 12; }
static void bend_memsz(struct image *m) { m->p[2].memsz = ARCH_USER_TOP; }
static void bend_congruence(struct image *m) { m->p[2].vaddr += 16; }
static void bend_align(struct image *m) { m->p[2].align = 4097; }
static void bend_align_huge(struct image *m) { m->p[2].align = 1ull << 40; }
static void bend_order(struct image *m) { m->p[2].vaddr = VADDR; }
static void bend_overlap(struct image *m) { m->p[1].memsz = 4 * 4096; }
static void bend_low(struct image *m) { m->p[0].vaddr = 0; }
static void bend_nothing(struct image *m) { m->p[0].type = m->p[1].type = m->p[2].type = 0; }
static void bend_wx(struct image *m) { m->p[1].flags = 7; }
static void bend_interp_len(struct image *m) { m->p[0] = (struct lx_elf64_phdr){ LX_PT_INTERP, 4, 0, 0, 0, 1ull << 40, 0, 1 }; }
static void bend_interp_off(struct image *m) { m->p[0] = (struct lx_elf64_phdr){ LX_PT_INTERP, 4, ~0ull, 0, 0, 10, 0, 1 }; }

static void refused(void **state)
{
	static void (*const bend[])(struct image *m) = {
		bend_magic, bend_class, bend_endian, bend_machine, bend_type, bend_phentsize, bend_phnum0, bend_phnum_many, bend_phoff,
		bend_phoff_end, bend_filesz, bend_filesz_wrap, bend_offset, bend_offset_wrap, bend_vaddr_high, bend_vaddr_wrap, bend_memsz,
		bend_congruence, bend_align, bend_align_huge, bend_order, bend_overlap, bend_low, bend_nothing, bend_wx, bend_interp_len,
		bend_interp_off,
	};
	static struct image m;
	struct run r;
	for (unsigned i = 0; i < ARRAY_SIZE(bend); i++) {
		image_make(&m, LX_ET_EXEC, NULL);
		bend[i](&m);
		put_file("/bad", &m, sizeof(m), 0755);
		int e = run(&r, "/bad", argv3, envp2);
		if (e == 0)
			print_error("case %u was not refused\n", i);
		assert_int_not_equal(e, 0);
		assert_int_equal(r.failure.status, 126);
		assert_true(strlen(r.failure.text) > 8);
		forget();
	}
	/* Cut off at every length. */
	image_make(&m, LX_ET_EXEC, NULL);
	for (size_t len = 0; len < sizeof(m); len += len < 600 ? 1 : 97) {
		put_file("/bad", &m, len, 0755);
		assert_int_not_equal(run(&r, "/bad", argv3, envp2), 0);
		forget();
	}
	assert_int_equal(run(&r, "/nothing", argv3, envp2), -ENOENT);
	assert_int_equal(r.failure.status, 127);
	assert_int_equal(run(&r, "/", argv3, envp2), -EACCES);
	assert_int_equal(r.failure.status, 126);
	put_file("/noexec", &m, sizeof(m), 0644);
	assert_int_equal(run(&r, "/noexec", argv3, envp2), -EACCES);
	image_make(&m, LX_ET_EXEC, "/not/there");
	put_file("/prog", &m, sizeof(m), 0755);
	assert_int_equal(run(&r, "/prog", argv3, envp2), -ENOENT);
	assert_int_equal(r.failure.status, 127);
	forget();
}

static void too_many_arguments(void **state)
{
	static struct image m;
	struct run r;
	static char big[1 << 20];
	memset(big, 'x', sizeof(big) - 1);
	char *const argv[] = { "prog", big, big, NULL };
	image_make(&m, LX_ET_EXEC, NULL);
	put_file("/prog", &m, sizeof(m), 0755);
	assert_int_equal(run(&r, "/prog", argv, envp2), -E2BIG);
	forget();
	char *const one[] = { "prog", big, NULL };
	assert_int_equal(run(&r, "/prog", one, envp2), 0);
	assert_int_equal(word_at(r.regs.rsp), 2);
	forget();
	char *const none[] = { NULL };
	assert_int_equal(run(&r, "/prog", none, none), 0);
	assert_int_equal(word_at(r.regs.rsp), 1);
	forget();
}

/* What passes has the properties that the loader counts on (elf.c, I1 to I4). */
static void check_image(const struct elf_image *e, u64 size)
{
	assert_true(e->nsegments >= 1 && e->nsegments <= ELF_SEGMENTS_MAX);
	u64 end = 0;
	for (unsigned i = 0; i < e->nsegments; i++) {
		const struct elf_segment *s = &e->segments[i];
		assert_true(ROUND_DOWN(s->vaddr, PAGE_SIZE) >= end && s->memsz >= s->filesz && s->memsz);
		assert_true(s->offset <= size && s->filesz <= size - s->offset);
		assert_true(s->vaddr < ARCH_USER_TOP && s->memsz <= ARCH_USER_TOP - s->vaddr);
		assert_int_equal((s->vaddr ^ s->offset) % PAGE_SIZE, 0);
		end = ROUND_UP(s->vaddr + s->memsz, PAGE_SIZE);
	}
	assert_true(e->low < e->high && e->high == end && e->low % PAGE_SIZE == 0);
	assert_true(IS_POW2(e->align) && e->align <= ELF_ALIGN_MAX && e->align >= PAGE_SIZE);
	assert_true(e->type != LX_ET_EXEC || e->low >= 0x10000);
	assert_true(e->interp_len <= ELF_INTERP_MAX && e->interp_offset + e->interp_len <= size);
}

static void bent_at_random(void **state)
{
	static struct image m;
	static struct elf_image e;
	u64 seed = 12345;
	unsigned passed = 0;
	for (unsigned i = 0; i < 200000; i++) {
		const char *why = NULL;
		image_make(&m, i & 1 ? LX_ET_DYN : LX_ET_EXEC, i & 2 ? "/ld.so" : NULL);
		for (unsigned k = 0; k < 1 + i % 4; k++) {
			seed = seed * 6364136223846793005ull + 1442695040888963407ull;
			unsigned at = 16 + (seed >> 33) % (64 + 5 * 56 - 16);
			((u8 *)&m)[at] ^= (u8)(1u << (seed >> 60 & 7)) | (i % 7 == 0 ? (u8)(seed >> 20) : 0);
		}
		if (elf_check_header(&m, sizeof(m), sizeof(m), &e, &why) == 0) {
			if (e.phoff + e.phnum * sizeof(struct lx_elf64_phdr) > sizeof(m))
				fail();
			if (elf_check_phdrs((u8 *)&m + e.phoff, sizeof(m), &e, &why) == 0) {
				check_image(&e, sizeof(m));
				passed++;
				continue;
			}
		}
		assert_non_null(why);
	}
	assert_true(passed > 1000 && passed < 190000);
}

static void nth_allocation_fails(void **state)
{
	static struct image m;
	struct run r;
	image_make(&m, LX_ET_DYN, NULL);
	put_file("/ld.so", &m, sizeof(m), 0755);
	image_make(&m, LX_ET_DYN, "/ld.so");
	put_file("/prog", &m, sizeof(m), 0755);
	assert_int_equal(run(&r, "/prog", argv3, envp2), 0);
	forget();
	u64 used = heap_used_bytes(), pages = page_free_count();
	unsigned n, failed = 0;
	for (n = 1; n < 500; n++) {
		heap_fail_nth(n + 2);        /* the first two are the thread's */
		int e = run(&r, "/prog", argv3, envp2);
		heap_fail_nth(0);
		forget();
		assert_int_equal(heap_used_bytes(), used);
		assert_int_equal(page_free_count(), pages);
		if (e == 0)
			break;
		failed++;
	}
	assert_true(failed >= 8);
}

/* ---- Symbols ---- */

static void return_addresses(void **state)
{
	static struct image m;
	struct run r;
	image_make(&m, LX_ET_EXEC, NULL);
	u8 *t = m.text;
	memcpy(t + 0x10, "\xe8\0\0\0\0", 5);                  /* call rel32 */
	memcpy(t + 0x20, "\xff\xd0", 2);                      /* call *%rax */
	memcpy(t + 0x30, "\xff\x15\0\0\0\0", 6);              /* call *(%rip) */
	memcpy(t + 0x40, "\xff\x54\x24\x08", 4);              /* call *8(%rsp) */
	memcpy(t + 0x50, "\xff\x90\0\1\0\0", 6);              /* call *256(%rax) */
	memcpy(t + 0x60, "\xff\xe0", 2);                      /* jmp *%rax */
	put_file("/prog", &m, sizeof(m), 0755);
	assert_int_equal(run(&r, "/prog", argv3, envp2), 0);
	u64 text = VADDR + 4096;
	assert_true(crash_is_return_address(text + 0x15));
	assert_true(crash_is_return_address(text + 0x22));
	assert_true(crash_is_return_address(text + 0x36));
	assert_true(crash_is_return_address(text + 0x44));
	assert_true(crash_is_return_address(text + 0x56));
	assert_false(crash_is_return_address(text + 0x62));
	assert_false(crash_is_return_address(text + 0x80));
	assert_false(crash_is_return_address(VADDR + 12288 + 64));
	assert_false(crash_is_return_address(1));
	char buf[64];
	crash_symbol(text + 5, buf, sizeof(buf));
	assert_string_equal(buf, "prog+0x1005");
	crash_symbol(0x1234, buf, sizeof(buf));
	assert_string_equal(buf, "(not mapped)");
	forget();
}

static int setup(void **state)
{
	fixture_setup(state);
	arch_hooks.user_fault = vm_fault;
	return vm_init(&exec_area_ops) || !fixture_tmpfs_root(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fixed_program),
		cmocka_unit_test(moving_program_and_interpreter),
		cmocka_unit_test(scripts),
		cmocka_unit_test(refused),
		cmocka_unit_test(too_many_arguments),
		cmocka_unit_test(bent_at_random),
		cmocka_unit_test(nth_allocation_fails),
		cmocka_unit_test(return_addresses),
	};
	return cmocka_run_group_tests_name("elf_load", tests, setup, NULL);
}
