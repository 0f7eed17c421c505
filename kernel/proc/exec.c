/*
 * exec.c - starting the program: its file, its interpreter, the vDSO, the heap, the registers.
 *
 * Steps: find the file (through at most one "#!" line); judge its headers (elf.c); choose where it
 * goes; map its segments; the same for its interpreter; vDSO; heap; stack (exec_stack.c); registers.
 *
 * Invariants: (I1) nothing of the file is believed before elf.c has judged it, and it is read only
 * once. (I2) Segments never replace a mapping (VM_MAP_NOREPLACE). (I3) After a failure the
 * program never runs: what was mapped by then is of no interest.
 *
 * What can fail: everything about the file; the user gets one line (exec_failure).
 */
#include "proc/crash.h"
#include "proc/exec_impl.h"
#include "proc/process.h"
#include "base/link.h"
#include "base/log.h"
#include "base/print.h"
#include "base/string.h"
#include "mm/heap.h"
#include "fs/lx_file.h"

struct process_image process_image;

static void area_file_get(void *file) { vnode_get(file); }
static void area_file_put(void *file) { vnode_put(file); }
static int area_file_sync(void *file, u64 first, u64 last) { return fs_fsync(file, true); }
const struct vm_area_ops exec_area_ops = { area_file_get, area_file_put, area_file_sync };

static int fail(struct exec_state *st, int error, const char *path, const char *why)
{
	if (!st->failure->status) {
		st->failure->status = error == -ENOENT || error == -ENOTDIR ? 127 : 126;
		fmt_buf(st->failure->text, sizeof(st->failure->text), "%s: %s", path, why);
	}
	return error;
}

static int read_exact(struct vnode *v, void *buf, size_t len, u64 off)
{
	struct uio u;

	uio_init_kernel(&u, buf, len);
	ssize_t n = fs_read(v, &u, off, false);
	if (n < 0)
		return (int)n;
	return (size_t)n == len ? 0 : -EIO;
}

/* Find a file that may be run. */
static int open_program(struct exec_state *st, const char *path, struct vnode **ret)
{
	struct vattr attr;
	struct vnode *v;
	int r = fs_namei(NULL, path, NAMEI_FOLLOW, &v);

	if (r == -ENOENT || r == -ENOTDIR)
		return fail(st, r, path, "no such file in the image");
	if (r)
		return fail(st, r, path, "cannot be opened");
	r = fs_getattr(v, &attr);
	if (r == 0 && v->type == VNODE_DIR)
		r = fail(st, -EACCES, path, "is a directory");
	else if (r == 0 && (v->type != VNODE_REG || !v->object))
		r = fail(st, -EACCES, path, "is not a regular file");
	else if (r == 0 && !(attr.mode & 0111))
		r = fail(st, -EACCES, path, "is not executable (mode has no x)");
	if (r) {
		vnode_put(v);
		return fail(st, r, path, "cannot be read");
	}
	*ret = v;
	return 0;
}

/* Headers of v into a fresh elf_image. */
static int read_elf(struct exec_state *st, const char *path, struct vnode *v, struct elf_image **ret)
{
	struct lx_elf64_ehdr h;
	const char *why = "cannot be read";
	u64 size = READ_ONCE(v->size);
	struct elf_image *image = heap_alloc(sizeof(*image));
	void *phdrs = NULL;
	int r = -ENOMEM;

	if (image)
		r = read_exact(v, &h, MIN(sizeof(h), size), 0);
	if (r == 0)
		r = elf_check_header(&h, MIN(sizeof(h), size), size, image, &why);
	if (r == 0) {
		phdrs = heap_alloc(image->phnum * sizeof(struct lx_elf64_phdr));
		r = phdrs ? read_exact(v, phdrs, image->phnum * sizeof(struct lx_elf64_phdr), image->phoff) : -ENOMEM;
	}
	if (r == 0)
		r = elf_check_phdrs(phdrs, size, image, &why);
	heap_free(phdrs);
	if (r) {
		heap_free(image);
		return fail(st, r, path, r == -ENOMEM ? "not enough memory" : why);
	}
	*ret = image;
	return 0;
}

/* ---- "#!" ---- */

/* One word of a script's first line; returns where it ends. */
static const char *script_word(const char *s, char *dst, size_t size, bool to_end)
{
	size_t n = 0;

	while (*s == ' ' || *s == '\t')
		s++;
	while (*s && *s != '\n' && (to_end || (*s != ' ' && *s != '\t'))) {
		if (n + 1 < size)
			dst[n++] = *s;
		s++;
	}
	while (to_end && n && (dst[n - 1] == ' ' || dst[n - 1] == '\t'))
		n--;
	dst[n] = 0;
	return s;
}

/* If the program is a script, go on with its interpreter. */
int exec_follow_script(struct exec_state *st)
{
	char line[256] = "";
	u64 size = READ_ONCE(st->vnode->size);
	int r = read_exact(st->vnode, line, MIN(sizeof(line) - 1, size), 0);

	if (r)
		return fail(st, r, st->path, "cannot be read");
	if (line[0] != '#' || line[1] != '!')
		return 0;
	if (st->scripts++)
		return fail(st, -ENOEXEC, st->path, "the interpreter of a script is a script itself");
	const char *rest = script_word(line + 2, st->script, sizeof(st->script), false);
	script_word(rest, st->script_arg, sizeof(st->script_arg), true);
	if (!st->script[0])
		return fail(st, -ENOEXEC, st->path, "\"#!\" names no interpreter");
	vnode_put(st->vnode);
	st->vnode = NULL;
	st->path = st->script;
	r = open_program(st, st->path, &st->vnode);
	return r ? r : exec_follow_script(st);
}

/* ---- Mapping ---- */

static int map_anon(u64 start, u64 end, u32 prot)
{
	struct vm_map_request rq = { .addr = start, .len = end - start, .prot = prot, .max_prot = ~0u,
				     .flags = VM_MAP_FIXED | VM_MAP_NOREPLACE };
	intptr_t at = start < end ? vm_map(&rq) : 0;

	return at < 0 ? (int)at : 0;
}

/* File pages of a segment, the zeros after them, and pages of zeros. */
static int map_segment(struct vnode *v, const struct elf_segment *s, u64 bias)
{
	u64 start = ROUND_DOWN(s->vaddr + bias, PAGE_SIZE), end = ROUND_UP(s->vaddr + s->memsz + bias, PAGE_SIZE);
	u64 file_end = s->vaddr + s->filesz + bias, file_pages_end = s->filesz ? ROUND_UP(file_end, PAGE_SIZE) : start;

	if (s->filesz) {
		struct vm_map_request rq = {
			.addr = start, .len = file_pages_end - start, .prot = s->prot, .max_prot = ~0u,
			.flags = VM_MAP_FIXED | VM_MAP_NOREPLACE, .object_off = ROUND_DOWN(s->offset, PAGE_SIZE), .file = v,
		};
		int r = fs_mmap_object(v, false, &rq.object);
		if (r)
			return r;
		intptr_t at = vm_map(&rq);
		vm_object_put(rq.object);
		if (at < 0)
			return (int)at;
		if ((s->prot & VM_PROT_WRITE) && s->memsz > s->filesz && file_end < file_pages_end) {
			struct uio u;
			uio_init_user_one(&u, uaddr_make(file_end), file_pages_end - file_end);
			if (uio_put_zero(&u, file_pages_end - file_end) != file_pages_end - file_end)
				return -EFAULT;
		}
	}
	return map_anon(file_pages_end, end, s->prot);
}

static int map_image(struct exec_state *st, const char *path, struct vnode *v, const struct elf_image *e, u64 bias)
{
	if (!elf_fits(e, bias))
		return fail(st, -ENOEXEC, path, "does not fit into the address space");
	for (unsigned i = 0; i < e->nsegments; i++) {
		int r = map_segment(v, &e->segments[i], bias);
		if (r == -EACCES)
			return fail(st, r, path, "has a segment that is writable and executable");
		if (r)
			return fail(st, r, path, r == -ENOMEM ? "not enough memory" : "a segment cannot be mapped");
	}
	return 0;
}

static int load_program(struct exec_state *st)
{
	struct elf_image *e = st->image;
	struct process_image *pi = &process_image;

	if (e->type == LX_ET_DYN)
		st->bias = ROUND_UP(vm_random_exec_base(), e->align) - ROUND_DOWN(e->low, e->align);
	int r = map_image(st, st->path, st->vnode, e, st->bias);
	if (r)
		return r;
	for (unsigned i = 0; i < e->nsegments; i++) {
		const struct elf_segment *s = &e->segments[i];
		u64 start = s->vaddr + st->bias, end = start + s->memsz;
		if ((s->prot & VM_PROT_EXEC) && (!pi->start_code || start < pi->start_code))
			pi->start_code = start;
		if (s->prot & VM_PROT_EXEC)
			pi->end_code = end;
		pi->start_data = start;
		pi->end_data = s->vaddr + s->filesz + st->bias;
	}
	vm_brk_init(e->high + st->bias + vm_random_brk_gap());
	return 0;
}

int exec_load_interpreter(struct exec_state *st)
{
	struct elf_image *e = st->image;
	char *path = heap_alloc(e->interp_len + 1);
	int r = path ? read_exact(st->vnode, path, e->interp_len, e->interp_offset) : -ENOMEM;

	if (r)
		r = fail(st, r, st->path, "the interpreter's name cannot be read");
	else
		r = open_program(st, path, &st->interp_vnode);
	if (r == 0)
		r = read_elf(st, path, st->interp_vnode, &st->interp);
	if (r == 0) {
		struct elf_image *in = st->interp;
		u64 bias = 0;
		if (in->type == LX_ET_DYN) {
			/* Where a mapping of its size would go; nobody else maps yet. */
			struct vm_map_request rq = { .len = in->high - in->low + in->align, .max_prot = ~0u };
			intptr_t at = vm_map(&rq);
			if (at > 0)
				r = vm_unmap((uintptr_t)at, rq.len);
			else
				r = (int)at;
			bias = ROUND_UP((u64)at, in->align) - ROUND_DOWN(in->low, in->align);
		}
		if (r == 0)
			r = map_image(st, path, st->interp_vnode, in, bias);
		st->interp_base = bias;
		crash_set_interpreter(st->interp_vnode);
	}
	heap_free(path);
	return r;
}

/* The vDSO: its data page from arch, its code as an object of its own. */
int exec_map_vdso(struct exec_state *st)
{
	size_t len;
	const u8 *image = arch_vdso_image(&len);

	if (!len)
		return 0;
	struct vm_object *o = vm_object_new_anon(ROUND_UP(len, PAGE_SIZE));
	if (!o)
		return -ENOMEM;
	struct uio u;
	uio_init_kernel(&u, (void *)(uintptr_t)image, len);
	ssize_t n = vm_object_write(o, &u, 0);
	u64 base = vm_random_vdso_base();
	intptr_t at = n == (ssize_t)len ? vm_map_raw(base, arch_vvar_page(), 1, "[vvar]") : -ENOMEM;
	if (at > 0) {
		struct vm_map_request rq = {
			.addr = base + PAGE_SIZE, .len = ROUND_UP(len, PAGE_SIZE), .prot = VM_PROT_READ | VM_PROT_EXEC, .max_prot = VM_PROT_READ | VM_PROT_EXEC,
			.flags = VM_MAP_FIXED | VM_MAP_NOREPLACE, .object = o, .name = "[vdso]",
		};
		at = vm_map(&rq);
	}
	vm_object_put(o);
	if (at < 0)
		return (int)at;
	st->vdso = base + PAGE_SIZE;
	return 0;
}

/* ---- All together ---- */

/* What a program may need; a kernel that is linked for one may lack it. */
LINK_SLOT_OF(exec_follow_script);
LINK_SLOT_OF(exec_load_interpreter);
LINK_SLOT_OF(exec_map_vdso);
static const volatile struct {
	int (*follow_script)(struct exec_state *st), (*load_interpreter)(struct exec_state *st), (*map_vdso)(struct exec_state *st);
} steps RO_AFTER_INIT = { LINK_SLOT(exec_follow_script), LINK_SLOT(exec_load_interpreter), LINK_SLOT(exec_map_vdso) };

static void set_registers(const struct exec_state *st)
{
	struct user_regs *r = arch_user_regs(&thread_current()->arch);
	u64 entry = st->image->entry + st->bias;

	memset(r, 0, sizeof(*r));
	r->rip = st->interp ? st->interp->entry + st->interp_base : entry;
	r->rsp = st->sp;
	r->rflags = 0x202;
	r->orig_rax = UINT64_MAX;
	arch_user_regs_sanitize(r);
	arch_user_set_full_exit();
	process_image.entry = entry;
}

static int exec_load(struct exec_state *st)
{
	int r = open_program(st, st->path, &st->vnode);

	if (r == 0 && steps.follow_script)
		r = steps.follow_script(st);
	if (r == 0)
		r = read_elf(st, st->path, st->vnode, &st->image);
	if (r == 0)
		r = load_program(st);
	if (r == 0 && st->image->interp_len)
		r = steps.load_interpreter ? steps.load_interpreter(st)
					   : fail(st, -ENOEXEC, st->path, "is dynamic; this kernel is linked for a static program");
	if (r == 0 && steps.map_vdso)
		r = steps.map_vdso(st);
	if (r == 0)
		r = exec_build_stack(st);
	if (r)
		return fail(st, r, st->args->path, r == -E2BIG ? "arguments and environment are too long"
				: r == -ENOMEM ? "not enough memory" : "cannot be started");
	return 0;
}

int exec_start(const struct exec_args *a, struct exec_failure *ret_failure)
{
	struct exec_state *st = heap_alloc(sizeof(*st));

	*ret_failure = (struct exec_failure){ .status = 0 };
	if (!st) {
		ret_failure->status = 126;
		str_copy(ret_failure->text, "not enough memory", sizeof(ret_failure->text));
		return -ENOMEM;
	}
	st->args = a;
	st->failure = ret_failure;
	st->path = a->path;
	struct vm_limits *l = vm_limits();
	l->memlock_max = process_rlimits[RLIM_MEMLOCK].cur;
	l->stack_max = process_rlimits[RLIM_STACK].cur;
	vm_randomise();
	int r = exec_load(st);
	if (r == 0) {
		set_registers(st);
		if (fs_path_of(st->vnode, process_image.exe_path, sizeof(process_image.exe_path)) < 0)
			str_copy(process_image.exe_path, st->path, sizeof(process_image.exe_path));
		const char *slash = strrchr(a->path, '/');
		task_set_name(task_current(), slash ? slash + 1 : a->path, strlen(slash ? slash + 1 : a->path));
	}
	if (st->vnode)
		vnode_put(st->vnode);
	if (st->interp_vnode)
		vnode_put(st->interp_vnode);
	heap_free(st->image);
	heap_free(st->interp);
	heap_free(st);
	return r;
}
