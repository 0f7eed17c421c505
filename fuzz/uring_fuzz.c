/*
 * uring_fuzz.c - a hostile program before an io_uring: submissions of any contents, at any index, with the shared memory
 * changed in between.
 *
 * Input: a byte of setup flags, then steps. A step is a byte (what to do) and what it needs; a submission is 64 bytes.
 * Descriptors 0 to 7 are a pipe, a socket pair, an eventfd, an epoll set, a file and the ring itself; low addresses of a submission
 * are moved into the program's memory, so that most of them mean something. After each input everything is closed, and
 * nothing may be left.
 */
#include <stdio.h>
#include <stdlib.h>

#include "arch/host/host.h"
#include "fs/internal.h"
#include "fs/lx_file.h"
#include "fs/tmpfs.h"
#include "fuzz/fuzz.h"
#include "proc/epoll.h"
#include "proc/event_files.h"
#include "proc/process.h"
#include "proc/uring_impl.h"
#include "vm/aspace.h"

#define USER  0x20000000ull
#define PAGES 8u

#define must(ok) must_at(ok, __LINE__)
static void must_at(bool ok, int line)
{
	if (!ok) {
		fprintf(stderr, "uring_fuzz.c:%d: not as it must be\n", line);
		abort();
	}
}

static void start_machine(void)
{
	struct vm_map_request rq = { .addr = USER, .len = PAGES * PAGE_SIZE, .prot = VM_PROT_READ | VM_PROT_WRITE,
				     .max_prot = VM_PROT_READ | VM_PROT_WRITE, .flags = VM_MAP_FIXED | VM_MAP_POPULATE };
	struct tmpfs *t;

	host_sched_start();
	list_init(&process.tasks);
	list_init(&process.queue);
	waitq_init(&process.sig_waitq);
	waitq_init(&process.task_gone);
	for (unsigned i = 0; i < TASK_HASH; i++)
		list_init(&process.hash[i]);
	for (unsigned i = 0; i < 16; i++)
		process_rlimits[i] = (struct rlimit64){ UINT64_MAX, UINT64_MAX };
	process_rlimits[RLIM_NOFILE] = (struct rlimit64){ 64, FD_MAX };
	process_rlimits[RLIM_FSIZE] = (struct rlimit64){ MiB, MiB };
	arch_hooks.user_fault = vm_fault;
	must(vm_init(NULL) == 0);
	must(tmpfs_new("tmpfs", 16 * MiB, 0755, &t) == 0 && mount_attach(&t->m, NULL) == 0);
	must(cwd_set(fs_root()) == 0);
	must(vm_map(&rq) == (intptr_t)USER);
}

static void install(struct file *f)
{
	int fd = fd_install(f, false, 0);

	must(fd >= 0);
}

static struct file *open_all(u32 flags)
{
	struct uring_config c = { .sq_entries = 8, .cq_entries = 16, .flags = flags, .cpu = -1 };
	struct file *a, *b;
	struct socket *s, *t;
	struct vnode *v;

	must(pipe_create(0, &a, &b) == 0);
	install(a);
	install(b);
	must(sock_pair(LX_AF_UNIX, LX_SOCK_STREAM, 0, &s, &t) == 0);
	must(file_from_socket(s, 0, &a) == 0 && file_from_socket(t, 0, &b) == 0);
	install(a);
	install(b);
	must(eventfd_create(1, false, &a) == 0);
	install(a);
	must(epoll_create(&a) == 0);
	install(a);
	must(fs_new_memfile("f", &v) == 0);
	must(file_from_vnode(v, LX_O_RDWR, &a) == 0);
	vnode_put(v);
	install(a);
	must(uring_create(&c, &a) == 0);
	file_get(a);
	install(a);
	return a;
}

static void settle(void)
{
	for (int i = 0; i < 64; i++)
		thread_yield();
}

static void put_sqe(struct uring *r, struct fuzz_input *in)
{
	struct lx_rings *m = uring_shared(r);
	u32 slot = m->sq_tail & (r->sq_entries - 1), at = fuzz_u8(in);
	size_t off;
	struct lx_sqe s;

	fuzz_take(in, &s, sizeof(s));
	/* There is no network here, and nothing is to sleep for long. */
	if (s.opcode == LX_OP_SOCKET || s.opcode == LX_OP_CONNECT)
		s.opcode = LX_OP_NOP;
	if (s.addr < PAGES * PAGE_SIZE)
		s.addr += USER;
	if (s.off < PAGES * PAGE_SIZE && (s.opcode == LX_OP_STATX || s.opcode >= LX_OP_RENAMEAT))
		s.off += USER;
	if (s.fd > 16)
		s.fd &= 7;
	off = (size_t)(at & (r->sq_entries - 1)) << r->sqe_shift;
	memcpy((u8 *)page_to_virt(r->sqe_pages[off >> PAGE_SHIFT]) + (off & (PAGE_SIZE - 1)), &s, sizeof(s));
	*(u32 *)uring_ring_at(r, r->sq_array_off + slot * 4) = at & 0x80 ? at : at & (r->sq_entries - 1);
	m->sq_tail++;
}

static void scribble(struct uring *r, struct fuzz_input *in)
{
	u8 at = fuzz_u8(in);

	((u32 *)uring_shared(r))[at % 16] = fuzz_u32(in);
}

static void memory(struct fuzz_input *in)
{
	u8 buf[64];
	u16 at = fuzz_u16(in);

	fuzz_take(in, buf, sizeof(buf));
	(void)!copy_to_user(uaddr_make(USER + at % (PAGES * PAGE_SIZE - 64)), buf, sizeof(buf));
}

static void registers(struct uring *r, struct fuzz_input *in)
{
	struct uring_buf *b;
	s32 fds[4];

	uring_register_begin(r);
	switch (fuzz_u8(in) % 5) {
	case 0:
		for (unsigned i = 0; i < 4; i++)
			fds[i] = (s8)fuzz_u8(in);
		(void)uring_files_register(r, fds, 4);
		break;
	case 1:
		(void)uring_files_unregister(r);
		break;
	case 2:
		b = heap_alloc(2 * sizeof(*b));
		if (b) {
			b[0] = (struct uring_buf){ USER, PAGE_SIZE };
			b[1] = (struct uring_buf){ USER + PAGE_SIZE, fuzz_u16(in) };
			if (uring_bufs_register(r, b, 2))
				heap_free(b);
		}
		break;
	case 3:
		(void)uring_bufs_unregister(r);
		break;
	default:
		(void)uring_group_ring(r, fuzz_u8(in) % 4, USER + 4 * PAGE_SIZE, 8);
	}
	uring_register_end(r);
}

static void step(struct uring *r, struct fuzz_input *in)
{
	switch (fuzz_u8(in) % 8) {
	case 0:
	case 1:
		put_sqe(r, in);
		break;
	case 2:
		(void)uring_submit(r, fuzz_u8(in));
		break;
	case 3:
		(void)uring_wait(r, 0, 0);
		uring_shared(r)->cq_head = uring_shared(r)->cq_tail;
		break;
	case 4:
		scribble(r, in);
		break;
	case 5:
		memory(in);
		break;
	case 6:
		registers(r, in);
		break;
	default:
		settle();
	}
	must(r->noverflow <= URING_OVERFLOW_MAX && r->retired <= r->submitted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const u32 kinds[] = { 0, LX_SETUP_SUBMIT_ALL, LX_SETUP_SINGLE_ISSUER | LX_SETUP_DEFER_TASKRUN, LX_SETUP_CQE32 | LX_SETUP_SQE128 };
	struct fuzz_input in = { data, size };
	static bool ready;

	if (!ready) {
		start_machine();
		ready = true;
	}
	struct file *f = open_all(kinds[fuzz_u8(&in) % ARRAY_SIZE(kinds)]);
	struct uring *r = file_uring(f);
	for (unsigned n = 0; in.left && n < 200; n++)
		step(r, &in);
	/* A request may hold the ring's own file: all are cancelled, as at the end of a process. */
	uring_get(r);
	file_put(f);
	fd_close_all();
	irq_flags_t fl = uring_lock(r);
	r->dying = true;
	uring_unlock(r, fl);
	for (int i = 0; i < 100 && !list_empty(&r->reqs); i++) {
		uring_cancel_all(r);
		uring_kick(r);
		settle();
	}
	must(list_empty(&r->reqs));
	uring_put(r);
	settle();
	/* The names that inputs begin with. */
	(void)(fs_unlink(NULL, "/f") && fs_rmdir(NULL, "/f"));
	(void)(fs_unlink(NULL, "/g") && fs_rmdir(NULL, "/g"));
	return 0;
}
