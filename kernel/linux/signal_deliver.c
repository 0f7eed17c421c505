/*
 * signal_deliver.c - the way back to user mode: signals, restarts of calls, preemption, the end; and exceptions.
 *
 * Invariants: 1. A call's restart is settled once: orig_rax becomes -1 afterwards. 2. When the loop ends, no work
 * bit but those set meanwhile is left (arch looks again). Runs in the task's context with interrupts
 * enabled and no lock; may sleep. A frame that cannot be pushed kills by SIGSEGV.
 */
#include "base/link.h"
#include "linux/dispatch.h"
#include "linux/signal_frame.h"
#include "linux/syscall.h"
#include "proc/timers.h"
#include "vm/aspace.h"

#define NR_RESTART_SYSCALL 219
#define SYSCALL_INSN_LEN   2

/* A system call was interrupted and says how it is to go on. handler: one runs first, with these flags. */
static void settle_restart(struct user_regs *regs, bool handler, u64 flags)
{
	if ((s64)regs->orig_rax < 0)
		return;
	switch (-(s64)regs->rax) {
	case ERESTARTSYS:
		if (handler && !(flags & LX_SA_RESTART)) {
			regs->rax = (u64)-EINTR;
			break;
		}
		regs->rax = regs->orig_rax;
		regs->rip -= SYSCALL_INSN_LEN;
		break;
	case ERESTARTNOINTR:
		regs->rax = regs->orig_rax;
		regs->rip -= SYSCALL_INSN_LEN;
		break;
	case ERESTARTNOHAND:
		if (handler) {
			regs->rax = (u64)-EINTR;
			break;
		}
		regs->rax = regs->orig_rax;
		regs->rip -= SYSCALL_INSN_LEN;
		break;
	case ERESTART_RESTARTBLOCK:
		if (handler) {
			regs->rax = (u64)-EINTR;
			task_current()->restart = NULL;
			break;
		}
		regs->rax = NR_RESTART_SYSCALL;
		regs->rip -= SYSCALL_INSN_LEN;
		break;
	default:
		return;
	}
	regs->orig_rax = (u64)-1;
	arch_user_set_full_exit();
}

long sys_restart_syscall(void)
{
	struct task *t = task_current();
	long (*fn)(struct task *) = t->restart;

	t->restart = NULL;
	return fn ? fn(t) : -EINTR;
}

void signal_handler_run(struct user_regs *regs, const struct signal_action *a, const struct siginfo *info)
{
	struct task *t = task_current();
	sigset old = t->restore_mask ? t->saved_mask : t->blocked;

	if (unlikely(info->signo == SIG_SEGV && info->code > 0 && info->code != SIGCODE_KERNEL && t->trap_no == 14 && t->trap_err & 16))
		policy_tell(POLICY_CRASH, "caught: it ran what may not run"); /* otherwise its end is told */
	settle_restart(regs, true, a->flags);
	rseq_on_return(regs);
	if (signal_frame_push(regs, a, info, old)) {
		if (info->signo == SIG_SEGV)
			process_kill(SIG_SEGV, info);
		signal_force(SIG_SEGV, &(struct siginfo){ .signo = SIG_SEGV, .code = SIGCODE_KERNEL });
		return;
	}
	t->restore_mask = false;
	signal_set_mask(t->blocked | a->mask | (a->flags & LX_SA_NODEFER ? 0 : SIGSET_OF(info->signo)));
}

LINK_SLOT_OF(signal_handler_run);
static __typeof__(&signal_handler_run) const volatile handler_run RO_AFTER_INIT = LINK_SLOT(signal_handler_run);

static void deliver(struct user_regs *regs)
{
	NO_AUTO_INIT struct signal_action a;
	NO_AUTO_INIT struct siginfo info;
	bool handled = false;

	while (signal_take(&info, &a)) {
		if (a.handler == SIGNAL_IGNORE)
			continue;
		if (a.handler != SIGNAL_DEFAULT) {
			handler_run(regs, &a, &info);
			handled = true;
			/* The handler's mask has brought the work bit up to date. */
			if (!(__atomic_load_n(&thread_current()->user_work, __ATOMIC_RELAXED) & THREAD_WORK_SIGNAL))
				break;
			continue;
		}
		enum signal_default d = signal_default_of(info.signo);
		if (d == SIGNAL_KILLS || d == SIGNAL_DUMPS)
			process_kill(info.signo, &info);
	}
	if (!handled)
		settle_restart(regs, false, 0);
	signal_pop_mask(false);
}

void lx_user_work(struct user_regs *regs)
{
	struct thread *self = thread_current();
	const u32 mine = THREAD_WORK_EXIT | THREAD_WORK_SIGNAL | THREAD_WORK_SYSCALL_RESTART | THREAD_WORK_RESCHED | THREAD_WORK_MOVED | THREAD_WORK_PROBE;
	bool preempted = false;
	u32 work;

	while ((work = __atomic_load_n(&self->user_work, __ATOMIC_SEQ_CST)) & mine) {
		if (work & THREAD_WORK_EXIT)
			task_leave(0);
		if (work & THREAD_WORK_RESCHED) {
			sched_user_work();
			preempted = true;
		}
		if (work & THREAD_WORK_MOVED) {
			thread_clear_work(self, THREAD_WORK_MOVED);
			if (!(self->affinity >> arch_cpu_id() & 1))
				(void)sched_set_affinity(self, self->affinity);
			preempted = true;
		}
		if (work & THREAD_WORK_PROBE) {
			thread_clear_work(self, THREAD_WORK_PROBE);
			policy_tell(POLICY_PROBE, NULL);
		}
		if (work & (THREAD_WORK_SIGNAL | THREAD_WORK_SYSCALL_RESTART)) {
			thread_clear_work(self, THREAD_WORK_SYSCALL_RESTART);
			deliver(regs);
		}
	}
	if (preempted)
		rseq_on_return(regs);
}

/* ---- Exceptions ---- */

int lx_user_fault(uintptr_t va, enum arch_fault_access access, bool present, bool from_user)
{
	int r = vm_fault(va, access, present, from_user);
	struct task *t = task_current();

	if (t) {
		if (r)
			t->fault_error = r;
		else
			t->min_faults++;
	}
	return r;
}

/* Which of the FPU's exceptions: the status words in the saved state (x87: control and status; SSE: MXCSR). */
static int fpe_code(unsigned vector)
{
	const struct fx { u16 fcw, fsw; u8 pad[20]; u32 mxcsr; } *fx = arch_fpu_frame();
	u32 flags = vector == 16 ? (u32)(fx->fsw & ~fx->fcw) : fx->mxcsr & ~(fx->mxcsr >> 7);
	if (flags & 0x01)
		return LX_FPE_FLTINV;
	if (flags & 0x04)
		return LX_FPE_FLTDIV;
	if (flags & 0x08)
		return LX_FPE_FLTOVF;
	if (flags & 0x12)
		return LX_FPE_FLTUND;
	return flags & 0x20 ? LX_FPE_FLTRES : 0;
}

static struct siginfo page_fault_info(const struct task *t, uintptr_t va)
{
	struct siginfo s = { .signo = SIG_SEGV, .code = LX_SEGV_MAPERR, .fault = { .addr = va, .trapno = 14 } };
	struct vm_area a;

	if (va >= ARCH_USER_TOP)
		return s;
	if (t->fault_error == -EIO || t->fault_error == -ENXIO)
		s.signo = SIG_BUS, s.code = LX_BUS_ADRERR;
	else if (vm_find_area(va, &a))
		s.code = LX_SEGV_ACCERR;
	return s;
}

void lx_user_trap(struct user_regs *regs, unsigned vector, u64 error, uintptr_t va)
{
	struct task *t = task_current();
	struct siginfo s = { .signo = SIG_SEGV, .code = SIGCODE_KERNEL, .fault = { .trapno = (int)vector } };

	t->trap_no = vector;
	t->trap_err = error;
	switch (vector) {
	case 0:
		s.signo = SIG_FPE, s.code = LX_FPE_INTDIV, s.fault.addr = regs->rip;
		break;
	case 1:
		s.signo = SIG_TRAP, s.code = LX_TRAP_TRACE, s.fault.addr = regs->rip;
		break;
	case 3:
		s.signo = SIG_TRAP;
		break;
	case 6:
		s.signo = SIG_ILL, s.code = LX_ILL_ILLOPN, s.fault.addr = regs->rip;
		break;
	case 11: case 12:
		s.signo = SIG_BUS;
		break;
	case 14:
		t->trap_va = va;
		if (t->fault_error == -ENOMEM && va < ARCH_USER_TOP) {
			policy_limit_tell(POLICY_MEMORY);
			process_kill(SIG_KILL, NULL);
		}
		s = page_fault_info(t, va);
		if (uaddr_probes(va))
			policy_tell(POLICY_PROBE, "touched");
		/* What lies beyond the program is shown as present, as Linux does: nobody learns what is mapped there. */
		if (va >= ARCH_USER_TOP)
			t->trap_err |= 1;
		break;
	case 16: case 19:
		s.signo = SIG_FPE, s.code = fpe_code(vector), s.fault.addr = regs->rip;
		break;
	case 17:
		s.signo = SIG_BUS, s.code = LX_BUS_ADRALN;
		break;
	}
	t->fault_error = 0;
	signal_force(s.signo, &s);
}
