/*
 * elf_fuzz.c - a hostile program file: judged, loaded as program and as interpreter, and asked for symbols.
 *
 * The whole input is the file. It lies in a root of tmpfs as /fuzz; /prog is a good program that names /fuzz as
 * its interpreter. After each input the address space is emptied and must be empty.
 */
#include <stdlib.h>

#include "arch/host/host.h"
#include "fs/internal.h"
#include "fs/lx_file.h"
#include "fs/tmpfs.h"
#include "fuzz/fuzz.h"
#include "proc/crash.h"
#include "proc/elf.h"
#include "proc/exec.h"
#include "proc/process.h"
#include "sched/thread.h"

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void put_file(const char *path, const void *data, size_t len)
{
	struct vnode *v;
	struct uio u;
	bool created;

	must(fs_open(NULL, path, LX_O_CREAT | LX_O_RDWR | LX_O_TRUNC, 0755, 0, &v, &created) == 0);
	uio_init_kernel(&u, (void *)(uintptr_t)data, len);
	must(fs_write(v, &u, 0, false, false, NULL) == (ssize_t)len);
	vnode_put(v);
}

/* A program of one segment whose interpreter is /fuzz. */
static void put_prog(void)
{
	static struct {
		struct lx_elf64_ehdr h;
		struct lx_elf64_phdr p[2];
		char interp[8];
	} m = { .interp = "/fuzz" };

	memcpy(m.h.ident, "\177ELF\2\1\1", 7);
	m.h.type = LX_ET_DYN;
	m.h.machine = 62;
	m.h.version = 1;
	m.h.phoff = 64;
	m.h.phentsize = 56;
	m.h.phnum = 2;
	m.p[0] = (struct lx_elf64_phdr){ LX_PT_INTERP, 4, 64 + 112, 0, 0, 6, 6, 1 };
	m.p[1] = (struct lx_elf64_phdr){ LX_PT_LOAD, 5, 0, 0, 0, sizeof(m), sizeof(m), 4096 };
	put_file("/prog", &m, sizeof(m));
}

struct job {
	struct exec_args args;
	int result;
};

static void job_thread(void *arg)
{
	struct job *j = arg;
	struct exec_failure f;

	j->result = exec_start(&j->args, &f);
	must(j->result == 0 || (f.status >= 126 && f.text[0]));
	thread_exit();
}

static void start(const char *path)
{
	static struct task task;
	static char *argv[] = { "prog", "arg", NULL }, *envp[] = { "E=1", NULL };
	struct job j = { .args = { .path = path, .argv = argv, .envp = envp } };
	struct thread *t = thread_create_user(job_thread, &j, &task);

	must(t != NULL);
	thread_start(t);
	thread_join(t);
	thread_put(t);
}

static bool ask_symbols(const struct vm_area *a, void *arg)
{
	uintptr_t *at = arg;

	if (a->file && (a->prot & VM_PROT_EXEC))
		*at = a->start;
	return true;
}

static void look(void)
{
	uintptr_t at = 0;
	char buf[128];

	vm_for_each_area(ask_symbols, &at);
	for (unsigned i = 0; i < 64 && at; i++) {
		crash_symbol(at + i * 61, buf, sizeof(buf));
		must(strlen(buf) < sizeof(buf));
		(void)crash_is_return_address(at + i);
	}
	struct vm_usage u;
	must(vm_unmap(0x10000, ARCH_USER_TOP - 0x10000) == 0);
	vm_usage(&u);
	must(u.mapped_pages == 0 && u.resident_anon_pages == 0 && u.resident_file_pages == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;

	if (!ready) {
		struct tmpfs *t;
		host_sched_start();
		arch_hooks.user_fault = vm_fault;
		must(vm_init(&exec_area_ops) == 0);
		must(tmpfs_new("tmpfs", 0, 0755, &t) == 0 && mount_attach(&t->m, NULL) == 0);
		put_prog();
		ready = true;
	}
	put_file("/fuzz", data, size);
	start("/fuzz");
	look();
	start("/prog");
	look();
	return 0;
}
