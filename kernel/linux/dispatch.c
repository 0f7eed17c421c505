/*
 * dispatch.c - the table of system calls and the way into a handler.
 *
 * The entry code calls the table's handlers itself (arch_hooks.calls), with the program's registers as they are; a number
 * without one has a handler that says so, and while calls are printed or learned a table of one entry stands before this one. Handlers
 * take typed arguments (syscall.h); int and pointer-sized arguments travel in whole registers, so one function type serves all.
 *
 * Refused calls and their errno. EPERM for nearly all: it is what Linux answers an unprivileged process, so
 * languages turn it into their permission error (Python PermissionError, Go "operation not permitted", Java
 * IOException) and nobody retries, which EAGAIN invites, nor falls back to an older call and tries again, as glibc
 * does after ENOSYS from clone3. For fork, vfork and execve it stops shells and popen() at once; EACCES would make
 * execvp go on through PATH. Calls that this kernel does not know: ENOSYS.
 *
 * Invariants: the table is constant after linux_init (watch_init may put itself before calls, then it is sealed); a call without a handler logs its name once.
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
static long sys_absent(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f);
static long sys_missing(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f);
static __attribute__((used)) long sys_unknown(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f);

/*
 * On the host the table is an array. In a kernel it is filled at boot from records, which the link script picks: how far the handler is
 * from the record, and the number. Those that are refused always are known by their shapes.
 */
#ifdef PITH_HOST
#define LX_IN_FULL(nr, name)   [nr] = (syscall_fn)(void (*)(void))sys_##name,
#define LX_IN_PART(nr, name)   LX_IN_FULL(nr, name)
#define LX_IN_NONE(nr, name)   [nr] = sys_unknown,
#define LX_IN_REFUSE(nr, name) [nr] = sys_refused,
#else
#define LX_RECORD(nr, name, handler) __asm__(".pushsection .pick.syscall." #name ", \"a\"\n\t.long " #handler " - .\n\t.short " #nr "\n\t.popsection");
#define LX_IN_FULL(nr, name)   LX_RECORD(nr, name, sys_##name)
#define LX_IN_PART(nr, name)   LX_RECORD(nr, name, sys_##name)
#define LX_IN_NONE(nr, name)   LX_RECORD(nr, name, sys_unknown)
#define LX_IN_REFUSE(nr, name)
#endif
#define LX_ENTRY(nr, name, lvl, ...) LX_IN_##lvl(nr, name)
#define SYSCALL0 LX_ENTRY
#define SYSCALL1 LX_ENTRY
#define SYSCALL2 LX_ENTRY
#define SYSCALL3 LX_ENTRY
#define SYSCALL4 LX_ENTRY
#define SYSCALL5 LX_ENTRY
#define SYSCALL6 LX_ENTRY
#ifdef PITH_HOST
syscall_fn syscall_table[SYSCALL_MAX + 1] = {
#include "linux/syscalls.def"
};
#else
#include "linux/syscalls.def"
RO_AFTER_INIT_ZERO syscall_fn syscall_table[SYSCALL_MAX + 1];
extern const struct call_record {
	s32 to;
	u16 nr;
} PACKED syscall_records[], syscall_records_end[];
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

/* For each number, in half a byte: how many arguments, and 8 if the call is refused always. */
#define TEN(d) u8 n##d##0 : 4, n##d##1 : 4, n##d##2 : 4, n##d##3 : 4, n##d##4 : 4, n##d##5 : 4, n##d##6 : 4, n##d##7 : 4, n##d##8 : 4, n##d##9 : 4;
#define HUNDRED(h) TEN(h##0) TEN(h##1) TEN(h##2) TEN(h##3) TEN(h##4) TEN(h##5) TEN(h##6) TEN(h##7) TEN(h##8) TEN(h##9)
struct ALIGNED(4) call_shapes {
	TEN() TEN(1) TEN(2) TEN(3) TEN(4) TEN(5) TEN(6) TEN(7) TEN(8) TEN(9)
	HUNDRED(1) HUNDRED(2) HUNDRED(3)
	TEN(40) TEN(41) TEN(42) TEN(43) TEN(44) TEN(45)
};
#undef TEN
#undef HUNDRED
_Static_assert(sizeof(struct call_shapes) * 2 >= SYSCALL_MAX, "a half byte for each number");
#define REFUSED 8u
#define LX_FLAG_FULL   0
#define LX_FLAG_PART   0
#define LX_FLAG_NONE   0
#define LX_FLAG_REFUSE REFUSED
#define SYSCALL0(nr, name, lvl, ...) .n##nr = 0 | LX_FLAG_##lvl,
#define SYSCALL1(nr, name, lvl, ...) .n##nr = 1 | LX_FLAG_##lvl,
#define SYSCALL2(nr, name, lvl, ...) .n##nr = 2 | LX_FLAG_##lvl,
#define SYSCALL3(nr, name, lvl, ...) .n##nr = 3 | LX_FLAG_##lvl,
#define SYSCALL4(nr, name, lvl, ...) .n##nr = 4 | LX_FLAG_##lvl,
#define SYSCALL5(nr, name, lvl, ...) .n##nr = 5 | LX_FLAG_##lvl,
#define SYSCALL6(nr, name, lvl, ...) .n##nr = 6 | LX_FLAG_##lvl,
static const struct call_shapes shapes = {
#include "linux/syscalls.def"
};

/* A number beyond the table may have six arguments. */
static unsigned shape_of(unsigned nr)
{
	return nr < SYSCALL_MAX ? ((const u8 *)&shapes)[nr / 2] >> nr % 2 * 4 & 15 : 6;
}

/* A kernel that was linked for one program knows no names. */
static bool is_whole(void)
{
	return LINK_FIRST(names) != NULL;
}

static COLD void table_fill(void)
{
#ifndef PITH_HOST
	const u32 *words = (const u32 *)(const void *)&shapes;

	for (const struct call_record *r = syscall_records; r < syscall_records_end; r++)
		syscall_table[r->nr] = (syscall_fn)((uintptr_t)r + (uintptr_t)(intptr_t)r->to);
	for (unsigned i = 0; i < sizeof(shapes) / sizeof(*words); i++)
		for (u32 refused = words[i] & REFUSED * 0x11111111u; refused; refused &= refused - 1)
			syscall_table[8 * i + (unsigned)__builtin_ctz(refused) / 4] = sys_refused;
#endif
	syscall_fn none = sys_missing;

	if (is_whole() && !policy_given(POLICY_LIST_SYSCALLS))
		none = sys_unknown;
	else if (!is_whole() && !policy_stops(POLICY_ABSENT))
		none = sys_absent;
	for (unsigned i = 0; i <= SYSCALL_MAX; i++)
		if (!syscall_table[i])
			syscall_table[i] = none;
}

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
static COLD const char *call_describe(unsigned nr, unsigned *ret_nargs)
{
	static char number[] = "#4294967295";
	const char *n = syscall_name(nr);

	*ret_nargs = shape_of(nr) & ~REFUSED;
	if (!n)
		fmt_buf(number, sizeof(number), "#%u", nr);
	return n ? n : number;
}

long syscall_refuse_event(enum policy_kind kind, int errno_to_return)
{
	policy_tell(kind, NULL);
	return -errno_to_return;
}

bool syscall_is_there(unsigned nr)
{
	return nr < SYSCALL_MAX && syscall_table[nr] != syscall_table[SYSCALL_MAX];
}

COLD bool syscall_tells_itself(unsigned nr)
{
	return syscall_is_there(nr) ? syscall_table[nr] == sys_refused : !is_whole();
}

/* fork, vfork, execve, execveat. */
static COLD bool starts_another(unsigned nr)
{
	return (nr >= 57 && nr <= 59) || nr == 322;
}

static long sys_refused(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	return syscall_refuse_event(starts_another((unsigned)current_regs()->orig_rax) ? POLICY_EXEC : POLICY_REFUSED, EPERM);
}

/* Numbers beyond the table share the last one's flag: a program that tries them must not fill the log. */
static u8 *told_flag(unsigned nr)
{
	return &told[MIN(nr, SYSCALL_MAX - 1u)];
}

static COLD NOINLINE long unknown_first(void)
{
	unsigned nr = (unsigned)current_regs()->orig_rax;

	if (__atomic_exchange_n(told_flag(nr), 1, __ATOMIC_RELAXED))
		return -ENOSYS;
	if (nr >= SYSCALL_MAX)
		log_warn("system call %u is not known: ENOSYS\n", nr);
	else
		log_warn("system call %u (%s) is not supported: ENOSYS; see docs/linux-abi.md\n", nr, syscall_name(nr) ? syscall_name(nr) : "?");
	return -ENOSYS;
}

static long sys_unknown(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	return likely(READ_ONCE(*told_flag((unsigned)current_regs()->orig_rax))) ? -ENOSYS : unknown_first();
}

/* A number that nobody uses, or a call that this kernel was linked without; where rules or the host want to hear of it. */
static COLD long sys_missing(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	if (!is_whole())
		return syscall_refuse_event(POLICY_ABSENT, ENOSYS);
	return policy_depart(POLICY_SYSCALL, NULL) ? sys_unknown(a, b, c, d, e, f) : -EPERM;
}

/* In a kernel of one program: in place of each call that it does not have, if that does not stop the machine. A flood of them costs little. */
static long sys_absent(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	return likely(tripwire_count_muted()) ? -ENOSYS : syscall_refuse_event(POLICY_ABSENT, ENOSYS);
}

/* A restart code is settled on the exit path, when it is known whether a handler runs. */
static void result_restart(struct user_regs *regs)
{
	thread_set_work(thread_current(), THREAD_WORK_SYSCALL_RESTART);
}

long syscall_dispatch(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	struct user_regs *regs = current_regs();

	if (unlikely(tracing != NULL))
		tracing->enter(regs);
	long r = syscall_table[MIN((unsigned)regs->orig_rax, (unsigned)SYSCALL_MAX)](a, b, c, d, e, f);
	if (unlikely(tracing != NULL))
		tracing->leave(regs, r);
	return r;
}

/* A kernel that has the calls of its manifest and no others needs no watch, unless the manifest says more of some. */
LINK_SLOT_OF(watch_init);
static __typeof__(&watch_init) const volatile watch_start RO_AFTER_INIT = LINK_SLOT(watch_init);

LINK_SLOT_OF(robust_leave);
COLD void linux_init(bool trace)
{
	static const struct task_ops ops = { .leave = LINK_SLOT(robust_leave) };
	static const syscall_fn every = syscall_dispatch;

	table_fill();
	tracing = trace ? LINK_FIRST(tracer) : NULL;
	task_set_ops(&ops);
	tripwire_call = call_describe;
	arch_hooks.restart = result_restart;
	arch_hooks.calls = tracing ? &every : syscall_table;
	arch_hooks.ncalls = tracing ? 0 : SYSCALL_MAX;
	if (watch_start)
		watch_start();
	else if (policy_watches_arguments())
		process_cannot_run(126, "rules for arguments of calls: this kernel is linked without");
	arch_hooks.user_fault = lx_user_fault;
	arch_hooks.user_trap = lx_user_trap;
	arch_hooks.user_work = lx_user_work;
}
