/*
 * dispatch.c - the table of system calls and the way into a handler.
 *
 * The entry code calls the table's handlers itself (arch_hooks.calls), with the program's registers as they are; for a number
 * without one, and for all calls while they are printed or learned, it calls arch_hooks.syscall. Handlers take typed arguments
 * (syscall.h); int and pointer-sized arguments travel in whole registers, so one function type serves all.
 *
 * Refused calls and their errno. EPERM for nearly all: it is what Linux answers an unprivileged process, so
 * languages turn it into their permission error (Python PermissionError, Go "operation not permitted", Java
 * IOException) and nobody retries, which EAGAIN invites, nor falls back to an older call and tries again, as glibc
 * does after ENOSYS from clone3. For fork, vfork and execve it stops shells and popen() at once; EACCES would make
 * execvp go on through PATH. Calls that this kernel does not know: ENOSYS.
 *
 * Invariants: the table is constant after the boot (watch_init may put itself before calls, then it is sealed); a call without a handler logs its name once.
 */
#include "linux/dispatch.h"
#include "proc/process.h"
#include "linux/lx_signal.h"
#include "linux/syscall.h"
#include "linux/syscall_max.h"
#include "base/link.h"
#include "base/log.h"
#include "base/print.h"
#include "proc/tripwire.h"

static long sys_refused(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f);
static long sys_unknown(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f);

#define LX_FN_FULL(name)   (syscall_fn)(void (*)(void))sys_##name
#define LX_FN_PART(name)   (syscall_fn)(void (*)(void))sys_##name
#define LX_FN_REFUSE(name) sys_refused
#define LX_FN_NONE(name)   sys_unknown
#ifdef PITH_HOST
#define LX_ENTRY(nr, name, lvl, ...) [nr] = LX_FN_##lvl(name),
#else
#define LX_ENTRY(nr, name, lvl, ...) static const syscall_fn pick_##name LINK_PICK(syscall, name) = LX_FN_##lvl(name);
#endif
#define SYSCALL0 LX_ENTRY
#define SYSCALL1 LX_ENTRY
#define SYSCALL2 LX_ENTRY
#define SYSCALL3 LX_ENTRY
#define SYSCALL4 LX_ENTRY
#define SYSCALL5 LX_ENTRY
#define SYSCALL6 LX_ENTRY
#ifdef PITH_HOST
syscall_fn syscall_table[SYSCALL_MAX] = {
#include "linux/syscalls.def"
};
#else
#include "linux/syscalls.def"
/* The link script lays the picked entries out by number; the others are NULL. */
#endif
#undef LX_ENTRY

/* Their names, one behind the other, and where each begins, plus one. */
#define LX_ENTRY(nr, name, lvl, ...) char name_##name[sizeof(#name)];
struct name_texts {
#include "linux/syscalls.def"
};
#undef LX_ENTRY
#define LX_ENTRY(nr, name, lvl, ...) #name,
static const struct name_texts texts = {
#include "linux/syscalls.def"
};
#undef LX_ENTRY
#define LX_ENTRY(nr, name, lvl, ...) [nr] = offsetof(struct name_texts, name_##name) + 1,
static const u16 name_at[SYSCALL_MAX] = {
#include "linux/syscalls.def"
};
/* A kernel that is linked for one program does without: it says "#NUMBER", and the command puts the name there. */
struct name_list {
	const struct name_texts *texts;
	const u16 *at;
};
static const struct name_list known_names LINK_PICK(names, syscalls) = { &texts, name_at };
LINK_TABLE(struct name_list, names);

#undef LX_ENTRY
#undef SYSCALL0
#undef SYSCALL1
#undef SYSCALL2
#undef SYSCALL3
#undef SYSCALL4
#undef SYSCALL5
#undef SYSCALL6

#define SYSCALL0(nr, ...) [nr] = 0,
#define SYSCALL1(nr, ...) [nr] = 1,
#define SYSCALL2(nr, ...) [nr] = 2,
#define SYSCALL3(nr, ...) [nr] = 3,
#define SYSCALL4(nr, ...) [nr] = 4,
#define SYSCALL5(nr, ...) [nr] = 5,
#define SYSCALL6(nr, ...) [nr] = 6,
static const u8 nargs[SYSCALL_MAX] = {
#include "linux/syscalls.def"
};

static const struct syscall_tracer *tracing; /* NULL: calls are not printed */
LINK_TABLE(struct syscall_tracer, tracer);
static u8 told[SYSCALL_MAX];         /* the line of an unknown call has been printed */

const char *syscall_name(unsigned nr)
{
	const struct name_list *known = LINK_FIRST(names);

	return nr < SYSCALL_MAX && known && known->at[nr] ? (const char *)known->texts + known->at[nr] - 1 : NULL;
}

static struct user_regs *current_regs(void)
{
	return arch_user_regs(&thread_current()->arch);
}

/* tripwire_call */
static const char *call_describe(unsigned nr, unsigned *ret_nargs)
{
	static char number[] = "#4294967295";
	const char *n = syscall_name(nr);

	*ret_nargs = nr < SYSCALL_MAX ? nargs[nr] : 6;
	if (!n)
		fmt_buf(number, sizeof(number), "#%u", nr);
	return n ? n : number;
}

long syscall_refuse_event(enum policy_kind kind, int errno_to_return)
{
	policy_tell(kind, NULL);
	return -errno_to_return;
}

/* A kernel that was linked for one program knows no names. */
static bool is_whole(void)
{
	return LINK_FIRST(names) != NULL;
}

bool syscall_tells_itself(unsigned nr)
{
	if (nr < SYSCALL_MAX && syscall_table[nr])
		return syscall_table[nr] == sys_refused;
	return !is_whole();
}

/* fork, vfork, execve, execveat. */
static bool starts_another(unsigned nr)
{
	return (nr >= 57 && nr <= 59) || nr == 322;
}

static long sys_refused(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	return syscall_refuse_event(starts_another((unsigned)current_regs()->orig_rax) ? POLICY_EXEC : POLICY_REFUSED, EPERM);
}

static NOINLINE long unknown(unsigned nr)
{
	/* Numbers beyond the table share the last one's flag: a program that tries them must not fill the log. */
	u8 *flag = &told[MIN(nr, SYSCALL_MAX - 1u)];

	if (likely(READ_ONCE(*flag)) || __atomic_exchange_n(flag, 1, __ATOMIC_RELAXED))
		return -ENOSYS;
	if (nr >= SYSCALL_MAX)
		log_warn("system call %u is not known: ENOSYS\n", nr);
	else
		log_warn("system call %u (%s) is not supported: ENOSYS; see docs/linux-abi.md\n", nr, syscall_name(nr) ? syscall_name(nr) : "?");
	return -ENOSYS;
}

static long sys_unknown(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	return unknown((unsigned)current_regs()->orig_rax);
}

/* No entry in the table: a number that nobody uses, or a call that this kernel was linked without. */
static long absent(unsigned nr)
{
	if (unlikely(!is_whole()))
		return syscall_refuse_event(POLICY_ABSENT, ENOSYS);
	return unlikely(policy_given(POLICY_LIST_SYSCALLS)) && !policy_depart(POLICY_SYSCALL, NULL) ? -EPERM : unknown(nr);
}

/* A restart code is settled on the exit path, when it is known whether a handler runs. */
static void result_restart(struct user_regs *regs)
{
	thread_set_work(thread_current(), THREAD_WORK_SYSCALL_RESTART);
}

void syscall_dispatch(struct user_regs *regs)
{
	unsigned nr = (unsigned)regs->orig_rax;
	syscall_fn fn = nr < SYSCALL_MAX ? syscall_table[nr] : NULL;

	if (unlikely(tracing != NULL))
		tracing->enter(regs);
	long r = fn ? fn(regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9) : absent(nr);
	if (unlikely(tracing != NULL))
		tracing->leave(regs, r);
	regs->rax = (u64)r;
	if (r >= -ERESTART_RESTARTBLOCK && r <= -ERESTARTSYS)
		result_restart(regs);
}

COLD void linux_init(bool trace)
{
	static const struct task_ops ops = { .leave = robust_leave };

	tracing = trace ? LINK_FIRST(tracer) : NULL;
	task_set_ops(&ops);
	tripwire_call = call_describe;
	arch_hooks.syscall = syscall_dispatch;
	arch_hooks.restart = result_restart;
	watch_init();
	if (!tracing && arch_hooks.syscall == syscall_dispatch) {
		arch_hooks.calls = syscall_table;
		arch_hooks.ncalls = SYSCALL_MAX;
	}
	arch_hooks.user_fault = lx_user_fault;
	arch_hooks.user_trap = lx_user_trap;
	arch_hooks.user_work = lx_user_work;
}
