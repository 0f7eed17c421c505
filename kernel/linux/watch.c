/*
 * watch.c - system calls under rules, or while learning: asked before the handler, by number and by one argument.
 *
 * linux_init makes syscall_watched the way in only if there is something to look at (policy.h); without it nothing here
 * runs. Calls that need no look (allowed, without a watched argument; or learned) have their bit in plain.
 * Operations of io_uring count as the calls that do the same.
 *
 * Invariant: exit, exit_group, rt_sigreturn and restart_syscall always pass. A call that this kernel refuses always is left to
 * its handler, which tells of it. Locks: none; plain is read and set atomically. Cannot fail.
 */
#include "linux/dispatch.h"
#include "linux/syscall.h"
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

static u64 plain[CALLS / 64];                /* atomic */

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

void syscall_watched(struct user_regs *regs)
{
	unsigned nr = (unsigned)regs->orig_rax;

	if (unlikely(nr >= CALLS || !is_plain(nr)) && !watch(regs, nr)) {
		regs->rax = (u64)-EPERM;
		return;
	}
	syscall_dispatch(regs);
}

/* uring_op_guard */
static int operation_check(u8 opcode)
{
	unsigned nr = opcode < LX_OP_COUNT ? operations[opcode] : 0;

	return !nr || is_plain(nr) || call_declared(nr) || policy_depart(POLICY_SYSCALL, NULL) ? 0 : -EPERM;
}

void watch_init(void)
{
	if (!policy_watches_calls())
		return;
	arch_hooks.syscall = syscall_watched;
	uring_op_guard = operation_check;
}
