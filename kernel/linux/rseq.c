/*
 * rseq.c - restartable sequences (uapi/linux/rseq.h): the program's copy of the CPU's number, and the
 * abort of a critical section that a preemption, a move or a signal has torn.
 *
 * The program's structures are fetched once and may be anything; what is broken kills by SIGSEGV, as on
 * Linux. Only memory of the program is written. May sleep.
 */
#include "linux/dispatch.h"
#include "linux/lx_process.h"
#include "linux/lx_signal.h"
#include "linux/syscall.h"

static void rseq_broken(void)
{
	signal_force(SIG_SEGV, &(struct siginfo){ .signo = SIG_SEGV, .code = SIGCODE_KERNEL });
}

static int rseq_write_cpu(struct task *t, u32 cpu)
{
	const u32 ids[2] = { cpu, cpu };

	if (t->rseq_cpu == cpu)
		return 0;
	t->rseq_cpu = cpu;
	return copy_to_user(uaddr_make(t->rseq_addr), ids, sizeof(ids));
}

/* Inside the section it names? Then leave it for the abort handler. */
static int rseq_abort(struct task *t, struct user_regs *regs)
{
	struct uaddr field = uaddr_make(t->rseq_addr + offsetof(struct lx_rseq, rseq_cs));
	NO_AUTO_INIT struct lx_rseq_cs cs;
	NO_AUTO_INIT u64 ptr;
	u64 zero = 0;
	u32 sig, area_flags;

	if (user_get_u64(field, &ptr))
		return -EFAULT;
	if (likely(!ptr))
		return 0;
	if (ptr >= ARCH_USER_TOP || copy_from_user(&cs, uaddr_make(ptr), sizeof(cs)))
		return -EFAULT;
	if (cs.start_ip >= ARCH_USER_TOP || cs.start_ip + cs.post_commit_offset >= ARCH_USER_TOP || cs.abort_ip >= ARCH_USER_TOP ||
	    cs.version || cs.start_ip + cs.post_commit_offset < cs.start_ip || cs.abort_ip - cs.start_ip < cs.post_commit_offset)
		return -EINVAL;
	if (copy_from_user(&sig, uaddr_make(cs.abort_ip - sizeof(sig)), sizeof(sig)) || sig != t->rseq_sig)
		return -EINVAL;
	if (regs->rip - cs.start_ip >= cs.post_commit_offset)
		return copy_to_user(field, &zero, sizeof(zero)) ? -EFAULT : 0;
	/* The flags that once asked not to be aborted are errors. */
	if (copy_from_user(&area_flags, uaddr_make(t->rseq_addr + offsetof(struct lx_rseq, flags)), sizeof(area_flags)))
		return -EFAULT;
	if (cs.flags || area_flags)
		return -EINVAL;
	if (copy_to_user(field, &zero, sizeof(zero)))
		return -EFAULT;
	regs->rip = cs.abort_ip;
	arch_user_set_full_exit();
	return 0;
}

void rseq_on_return(struct user_regs *regs)
{
	struct task *t = task_current();

	if (!t->rseq_addr)
		return;
	if (rseq_abort(t, regs) || rseq_write_cpu(t, arch_cpu_id()))
		rseq_broken();
}

static long rseq_unregister(struct task *t, struct uaddr a, unsigned len, unsigned sig)
{
	const u32 ids[2] = { 0, ~0u };   /* RSEQ_CPU_ID_UNINITIALIZED */

	if (t->rseq_addr != a.va || !t->rseq_addr)
		return -EINVAL;
	if (t->rseq_len != len)
		return -EINVAL;
	if (t->rseq_sig != sig)
		return -EPERM;
	if (copy_to_user(a, ids, sizeof(ids)))
		return -EFAULT;
	t->rseq_addr = 0;
	t->rseq_cpu = ~0u;
	return 0;
}

long sys_rseq(struct uaddr a, unsigned len, int flags, unsigned sig)
{
	struct task *t = task_current();
	struct lx_rseq zero = { 0 };

	if (flags & LX_RSEQ_FLAG_UNREGISTER)
		return flags & ~LX_RSEQ_FLAG_UNREGISTER ? -EINVAL : rseq_unregister(t, a, len, sig);
	if (flags)
		return -EINVAL;
	if (t->rseq_addr) {
		if (t->rseq_addr != a.va || t->rseq_len != len)
			return -EINVAL;
		return t->rseq_sig != sig ? -EPERM : -EBUSY;
	}
	if (a.va & (LX_RSEQ_SIZE - 1) || len != LX_RSEQ_SIZE)
		return -EINVAL;
	if (a.va >= ARCH_USER_TOP)
		return -EFAULT;
	u64 cs;
	if (copy_from_user(&cs, uaddr_add(a, offsetof(struct lx_rseq, rseq_cs)), sizeof(cs)))
		return -EFAULT;
	zero.rseq_cs = cs;
	zero.cpu_id = zero.cpu_id_start = arch_cpu_id();
	if (copy_to_user(a, &zero, offsetof(struct lx_rseq, flags)))
		return -EFAULT;
	t->rseq_addr = a.va;
	t->rseq_len = len;
	t->rseq_sig = sig;
	t->rseq_cpu = zero.cpu_id;
	return 0;
}
