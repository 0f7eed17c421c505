/*
 * exec_stack.c - the program's first stack, as the x86-64 ABI and Linux lay it out:
 *
 *      top   8 zero bytes
 *            the program's path (AT_EXECFN)
 *            environment strings, last one highest
 *            argument strings
 *            "x86_64" (AT_PLATFORM), 16 random bytes (AT_RANDOM), random gap
 *            auxiliary vector, AT_NULL last          (16-byte aligned from here)
 *            envp pointers, NULL
 *            argv pointers, NULL
 *      rsp   argc
 *
 * It is composed in one kernel buffer and copied out at once. What can fail: too much of it
 * (-E2BIG), memory.
 */
#include "proc/exec_impl.h"
#include "base/string.h"
#include "mm/heap.h"
#include "sched/random.h"
#include "vm/uio.h"

enum {
	LX_AT_NULL = 0, LX_AT_PHDR = 3, LX_AT_PHENT = 4, LX_AT_PHNUM = 5, LX_AT_PAGESZ = 6, LX_AT_BASE = 7, LX_AT_FLAGS = 8,
	LX_AT_ENTRY = 9, LX_AT_UID = 11, LX_AT_EUID = 12, LX_AT_GID = 13, LX_AT_EGID = 14, LX_AT_PLATFORM = 15, LX_AT_HWCAP = 16,
	LX_AT_CLKTCK = 17, LX_AT_SECURE = 23, LX_AT_RANDOM = 25, LX_AT_HWCAP2 = 26, LX_AT_EXECFN = 31, LX_AT_SYSINFO_EHDR = 33,
	LX_AT_MINSIGSTKSZ = 51,
};
/* The rest of a signal frame beside the FPU state: siginfo, ucontext, return address, alignment. */
#define FRAME_REST (128 + 304 + 8 + 64 + 128)
#define STACK_INITIAL (33 * PAGE_SIZE)

struct composer {
	u8 *buf;                     /* the top `size` bytes of the stack */
	size_t size, at;             /* at: lowest byte written so far */
	u64 top;                     /* user address of buf + size */
};

static u64 push_bytes(struct composer *c, const void *data, size_t len)
{
	c->at -= len;
	memcpy(c->buf + c->at, data, len);
	return c->top - (c->size - c->at);
}
static u64 push_string(struct composer *c, const char *s)
{
	return push_bytes(c, s, strlen(s) + 1);
}

struct strings {
	unsigned count;
	size_t bytes;
};
static struct strings count_strings(char *const *v)
{
	struct strings s = { 0, 0 };

	for (; v && v[s.count]; s.count++)
		s.bytes += strlen(v[s.count]) + 1;
	return s;
}

/* The arguments before args->argv[1]: the program's name, or the script's interpreter and its parts. */
static unsigned leading_args(const struct exec_state *st, const char *lead[4])
{
	unsigned n = 0;

	if (st->scripts) {
		lead[n++] = st->script;
		if (st->script_arg[0])
			lead[n++] = st->script_arg;
		lead[n++] = st->args->path;
	} else if (st->args->argv[0]) {
		lead[n++] = st->args->argv[0];
	} else {
		lead[n++] = "";
	}
	return n;
}

static void aux(u64 *auxv, unsigned *n, u64 type, u64 value)
{
	auxv[(*n)++] = type;
	auxv[(*n)++] = value;
}

/* Fill process_image.auxv; returns the number of words. */
static unsigned build_auxv(const struct exec_state *st, u64 *v, u64 random, u64 platform, u64 execfn)
{
	const struct elf_image *e = st->image;
	unsigned n = 0;

	if (st->vdso)
		aux(v, &n, LX_AT_SYSINFO_EHDR, st->vdso);
	aux(v, &n, LX_AT_HWCAP, arch_hwcap());
	aux(v, &n, LX_AT_PAGESZ, PAGE_SIZE);
	aux(v, &n, LX_AT_CLKTCK, 100);
	aux(v, &n, LX_AT_PHDR, e->phdr_vaddr ? e->phdr_vaddr + st->bias : 0);
	aux(v, &n, LX_AT_PHENT, sizeof(struct lx_elf64_phdr));
	aux(v, &n, LX_AT_PHNUM, e->phnum);
	aux(v, &n, LX_AT_BASE, st->interp ? st->interp_base : 0);
	aux(v, &n, LX_AT_FLAGS, 0);
	aux(v, &n, LX_AT_ENTRY, e->entry + st->bias);
	aux(v, &n, LX_AT_UID, PROC_UID);
	aux(v, &n, LX_AT_EUID, PROC_UID);
	aux(v, &n, LX_AT_GID, PROC_GID);
	aux(v, &n, LX_AT_EGID, PROC_GID);
	aux(v, &n, LX_AT_SECURE, 0);
	aux(v, &n, LX_AT_RANDOM, random);
	aux(v, &n, LX_AT_HWCAP2, arch_hwcap2());
	aux(v, &n, LX_AT_EXECFN, execfn);
	aux(v, &n, LX_AT_PLATFORM, platform);
	aux(v, &n, LX_AT_MINSIGSTKSZ, ROUND_UP(arch_fpu_frame_size() + FRAME_REST, 16));
	aux(v, &n, LX_AT_NULL, 0);
	return n;
}
_Static_assert(sizeof(process_image.auxv) >= 42 * sizeof(u64), "room for the auxiliary vector");

/* Strings, then the vectors of pointers; the whole stack stands in c->buf afterwards. */
static void compose(struct exec_state *st, struct composer *c, unsigned argc, unsigned envc, u64 *pointers)
{
	struct process_image *pi = &process_image;
	const char *lead[4];
	unsigned nlead = leading_args(st, lead), n = 0;
	u8 random[16];
	u64 zero = 0;

	push_bytes(c, &zero, sizeof(zero));
	u64 execfn = push_string(c, st->args->path);
	pi->env_end = execfn;
	for (unsigned i = envc; i-- > 0;)
		pointers[argc + 2 + i] = push_string(c, st->args->envp[i]);
	pi->env_start = pi->arg_end = c->top - (c->size - c->at);
	for (unsigned i = argc; i-- > 0;)
		pointers[1 + i] = push_string(c, i < nlead ? lead[i] : st->args->argv[1 + i - nlead]);
	pi->arg_start = c->top - (c->size - c->at);
	u64 platform = push_string(c, "x86_64");
	random_bytes(random, sizeof(random));
	u64 at_random = push_bytes(c, random, sizeof(random));
	c->at -= random_below(512) * 16;

	pointers[0] = argc;
	pointers[1 + argc] = 0;
	pointers[2 + argc + envc] = 0;
	n = 3 + argc + envc;
	pi->nauxv = build_auxv(st, pi->auxv, at_random, platform, execfn);
	memcpy(pointers + n, pi->auxv, pi->nauxv * sizeof(u64));
	n += pi->nauxv;
	u64 sp = (c->top - (c->size - c->at) - n * sizeof(u64)) & ~15ull;
	c->at = c->size - (c->top - sp);
	memcpy(c->buf + c->at, pointers, n * sizeof(u64));
	st->sp = sp;
}

static int map_stack(u64 top, size_t used)
{
	size_t len = MAX(ROUND_UP(used + PAGE_SIZE, PAGE_SIZE), STACK_INITIAL);
	struct vm_map_request rq = {
		.addr = top - len, .len = len, .prot = VM_PROT_READ | VM_PROT_WRITE, .max_prot = ~0u,
		.flags = VM_MAP_FIXED | VM_MAP_NOREPLACE | VM_MAP_STACK, .name = "[stack]",
	};
	intptr_t at = vm_map(&rq);

	return at < 0 ? (int)at : 0;
}

int exec_build_stack(struct exec_state *st)
{
	const char *lead[4];
	unsigned nlead = leading_args(st, lead);
	struct strings argv = count_strings(st->args->argv), envp = count_strings(st->args->envp);
	unsigned argc = nlead + (argv.count ? argv.count - 1 : 0);
	size_t words = argc + envp.count + 3 + ARRAY_SIZE(process_image.auxv);
	size_t strings = argv.bytes + envp.bytes + strlen(st->args->path) + 1 + sizeof(st->script) + sizeof(st->script_arg) + FS_PATH_MAX;
	size_t size = ROUND_UP(strings + words * sizeof(u64) + 512 * 16 + 256, PAGE_SIZE);

	if (size > EXEC_ARG_MAX || size > vm_limits()->stack_max / 4)
		return -E2BIG;
	struct composer c = { .buf = heap_alloc(size), .size = size, .at = size, .top = vm_random_stack_top() };
	u64 *pointers = heap_alloc(words * sizeof(u64));
	int r = -ENOMEM;
	if (c.buf && pointers)
		r = map_stack(c.top, size);
	if (r == 0) {
		struct uio u;
		compose(st, &c, argc, envp.count, pointers);
		uio_init_user_one(&u, uaddr_make(st->sp), c.size - c.at);
		if (uio_put(&u, c.buf + c.at, c.size - c.at) != c.size - c.at)
			r = -EFAULT;
		process_image.start_stack = st->sp;
	}
	heap_free(pointers);
	heap_free(c.buf);
	return r;
}
