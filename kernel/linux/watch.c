/*
 * watch.c - system calls under rules, or while learning: asked before the handler, by number and by one argument.
 *
 * Under rules, the table of calls is changed once at boot: before a call that they do not name, or one of whose arguments they
 * watch, stands call_watched. The others cost nothing. While learning, syscall_watched is the way in, and what was learned has its
 * bit in plain. Without either nothing here runs.
 * Operations of io_uring count as the calls that do the same.
 *
 * Invariant: exit, exit_group, rt_sigreturn and restart_syscall always pass. A call that this kernel refuses always is left to
 * its handler, which tells of it. Locks: none; plain is read and set atomically. Cannot fail.
 */
#include "linux/dispatch.h"
#include "linux/syscall.h"
#include "linux/syscall_max.h"
#include "proc/lx_uring.h"
#include "proc/policy.h"
#include "proc/uring.h"

#define CALLS 512u
#define NR(call) LX_NR_##call

/* Numbers by name, from the table. */
enum {
#define SYSCALL0(nr, name, ...) LX_NR_##name = nr,
#define SYSCALL1 SYSCALL0
#define SYSCALL2 SYSCALL0
#define SYSCALL3 SYSCALL0
#define SYSCALL4 SYSCALL0
#define SYSCALL5 SYSCALL0
#define SYSCALL6 SYSCALL0
#include "linux/syscalls.def"
};

/* Which argument of which call is watched, and what it is. */
static const struct argument {
	u16 nr;
	u8 list, which;
} arguments[] = {
	{ NR(ioctl), POLICY_LIST_IOCTLS, 1 }, { NR(fcntl), POLICY_LIST_FCNTL, 1 }, { NR(prctl), POLICY_LIST_PRCTL, 0 },
	{ NR(mmap), POLICY_LIST_MMAP, 2 }, { NR(mprotect), POLICY_LIST_MMAP, 2 }, { NR(pkey_mprotect), POLICY_LIST_MMAP, 2 },
};

/* The call that does what an operation of io_uring does; 0: none but io_uring_enter itself. */
static const u16 operations[LX_OP_COUNT] = {
	[LX_OP_READV] = NR(readv), [LX_OP_WRITEV] = NR(writev), [LX_OP_FSYNC] = NR(fsync), [LX_OP_READ_FIXED] = NR(pread64),
	[LX_OP_WRITE_FIXED] = NR(pwrite64), [LX_OP_SYNC_FILE_RANGE] = NR(sync_file_range), [LX_OP_SENDMSG] = NR(sendmsg),
	[LX_OP_RECVMSG] = NR(recvmsg), [LX_OP_ACCEPT] = NR(accept4), [LX_OP_CONNECT] = NR(connect), [LX_OP_FALLOCATE] = NR(fallocate),
	[LX_OP_OPENAT] = NR(openat), [LX_OP_STATX] = NR(statx), [LX_OP_READ] = NR(pread64), [LX_OP_WRITE] = NR(pwrite64),
	[LX_OP_FADVISE] = NR(fadvise64), [LX_OP_MADVISE] = NR(madvise), [LX_OP_SEND] = NR(sendto), [LX_OP_RECV] = NR(recvfrom),
	[LX_OP_OPENAT2] = NR(openat2), [LX_OP_SPLICE] = NR(splice), [LX_OP_TEE] = NR(tee), [LX_OP_SHUTDOWN] = NR(shutdown),
	[LX_OP_RENAMEAT] = NR(renameat2), [LX_OP_UNLINKAT] = NR(unlinkat), [LX_OP_MKDIRAT] = NR(mkdirat), [LX_OP_SYMLINKAT] = NR(symlinkat),
	[LX_OP_LINKAT] = NR(linkat), [LX_OP_FSETXATTR] = NR(fsetxattr), [LX_OP_SETXATTR] = NR(setxattr), [LX_OP_FGETXATTR] = NR(fgetxattr),
	[LX_OP_GETXATTR] = NR(getxattr), [LX_OP_SOCKET] = NR(socket), [LX_OP_EPOLL_CTL] = NR(epoll_ctl),
};

static u64 plain[CALLS / 64];                /* atomic; while learning */

static bool is_plain(unsigned nr)
{
	return READ_ONCE(plain[nr / 64]) >> nr % 64 & 1;
}

static bool always_passes(unsigned nr)
{
	return nr == NR(exit) || nr == NR(exit_group) || nr == NR(rt_sigreturn) || nr == NR(restart_syscall) || syscall_tells_itself(nr);
}

static const struct argument *argument_of(unsigned nr)
{
	for (unsigned i = 0; i < ARRAY_SIZE(arguments); i++)
		if (arguments[i].nr == nr)
			return &arguments[i];
	return NULL;
}

/* What stands in the list for an argument: a protection is a bit, the others are 32-bit commands. */
static u32 argument_value(const struct argument *a, const struct user_regs *r)
{
	const u64 args[4] = { r->rdi, r->rsi, r->rdx, r->r10 };
	u32 v = (u32)args[a->which];

	if (a->list != POLICY_LIST_MMAP)
		return v;
	return (v & 7) | (a->nr == NR(mmap) && args[3] & 1 /* MAP_SHARED, MAP_SHARED_VALIDATE */ ? 8 : 0);
}

/* mprotect does not say whether the memory is shared. */
static bool argument_allowed(const struct argument *a, u32 value)
{
	return policy_has_number(a->list, value) || (a->list == POLICY_LIST_MMAP && a->nr != NR(mmap) && policy_has_number(a->list, value | 8));
}

static bool call_declared(unsigned nr)
{
	if (policy_learning)
		(void)policy_learn_number(POLICY_LIST_SYSCALLS, nr);
	return policy_has_number(POLICY_LIST_SYSCALLS, nr);
}

static NOINLINE bool watch(const struct user_regs *regs, unsigned nr)
{
	const struct argument *a = argument_of(nr);

	if (!call_declared(nr) && !always_passes(nr) && !policy_depart(POLICY_SYSCALL, NULL))
		return false;
	if (a) {
		u32 value = argument_value(a, regs);
		if (policy_learning)
			(void)policy_learn_number(a->list, value);
		return argument_allowed(a, value) || policy_depart(POLICY_ARGUMENT, NULL);
	}
	if (nr < CALLS && (policy_learning || policy_has_number(POLICY_LIST_SYSCALLS, nr)))
		__atomic_fetch_or(&plain[nr / 64], 1ull << nr % 64, __ATOMIC_RELAXED);
	return true;
}

static RO_AFTER_INIT_ZERO syscall_fn originals[SYSCALL_MAX]; /* what a watch stands before */

static long call_watched(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	const struct user_regs *regs = arch_user_regs(&thread_current()->arch);
	unsigned nr = (unsigned)regs->orig_rax;

	return watch(regs, nr) ? originals[nr](a, b, c, d, e, f) : -EPERM;
}

/* The protections that the rules name, private ones and, from bit 8 on, shared ones: the way of nearly all that memory is asked for. In any: of both. */
static RO_AFTER_INIT u32 protections;
static RO_AFTER_INIT u64 protections_any;

static long mmap_watched(u64 addr, u64 len, u64 prot, u64 flags, u64 fd, u64 off)
{
	if (likely(protections >> ((prot & 7) | (flags & 1) << 3) & 1))
		return originals[NR(mmap)](addr, len, prot, flags, fd, off);
	return call_watched(addr, len, prot, flags, fd, off);
}

/* It does not say whether the memory is shared. */
static long mprotect_watched(u64 addr, u64 len, u64 prot, u64 d, u64 e, u64 f)
{
	/* What has other bits than a protection's below the 64th is looked at more closely. */
	if (likely(protections_any >> (prot & 63) & 1))
		return originals[NR(mprotect)](addr, len, prot, d, e, f);
	return call_watched(addr, len, prot, d, e, f);
}

/* What stands before a declared call. */
static syscall_fn watch_of(unsigned nr)
{
	bool declared = policy_has_number(POLICY_LIST_SYSCALLS, nr);

	return declared && nr == NR(mmap) ? mmap_watched : declared && nr == NR(mprotect) ? mprotect_watched : call_watched;
}

static bool needs_watch(unsigned nr)
{
	const struct argument *a = argument_of(nr);

	return (a && policy_given(a->list)) || (!policy_has_number(POLICY_LIST_SYSCALLS, nr) && !always_passes(nr));
}

static long syscall_watched(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	const struct user_regs *regs = arch_user_regs(&thread_current()->arch);
	unsigned nr = (unsigned)regs->orig_rax;

	return likely(nr < CALLS && is_plain(nr)) || watch(regs, nr) ? syscall_dispatch(a, b, c, d, e, f) : -EPERM;
}

/* uring_op_guard */
static int operation_check(u8 opcode)
{
	unsigned nr = opcode < LX_OP_COUNT ? operations[opcode] : 0;

	return !nr || is_plain(nr) || call_declared(nr) || policy_depart(POLICY_SYSCALL, NULL) ? 0 : -EPERM;
}

void watch_init(void)
{
	static const syscall_fn every = syscall_watched;

	if (!policy_watches_calls())
		return;
	uring_op_guard = operation_check;
	if (policy_learning) {
		arch_hooks.calls = &every;
		arch_hooks.ncalls = 0;
		return;
	}
	for (u32 bit = 0; bit < 16; bit++)
		protections |= (u32)policy_has_number(POLICY_LIST_MMAP, bit) << bit;
	protections_any = (protections | protections >> 8) & 0xff;
	for (unsigned nr = 0; nr < SYSCALL_MAX; nr++)
		if (syscall_is_there(nr) && needs_watch(nr)) {
			originals[nr] = syscall_table[nr];
			syscall_table[nr] = watch_of(nr);
		}
}
