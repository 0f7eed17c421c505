/*
 * signal_frame.c - the frame of a signal handler on the program's stack, and the way back from it.
 *
 * Layout as Linux's x86-64 (struct rt_sigframe, FPU state above it aligned to 64, redzone of 128 bytes
 * left alone): Go, Java and glibc read and change it. The frame is built on the kernel's stack and copied out at once. The FPU
 * state goes straight from the CPU to the program's memory and back when that is there; if not, by the thread's own area. sigreturn
 * believes nothing: registers are sanitised by arch, the FPU state is checked there or refused by the CPU. What is broken kills by
 * SIGSEGV. A handler begins with the FPU state that a program begins with.
 */
#include "linux/signal_frame.h"
#include "linux/syscall.h"

#define REDZONE 128u
#define RFLAGS_TF (1u << 8)
#define RFLAGS_DF (1u << 10)
#define RFLAGS_RF (1u << 16)
#define FX_LEN 512u
#define FX_MAGIC_AT 464u
#define FX_MAGIC1 0x46505853u

/* Where the frame and the FPU state go. false: the alternate stack is too small. */
static bool frame_place(const struct task *t, const struct user_regs *regs, u64 flags, u64 *ret_frame, u64 *ret_fp)
{
	u64 sp = regs->rsp - REDZONE;
	bool nested = lx_on_altstack(t, regs->rsp), entering = false;

	if ((flags & LX_SA_ONSTACK) && t->altstack_size && !nested) {
		sp = t->altstack_sp + t->altstack_size;
		entering = true;
	}
	*ret_fp = (sp - arch_fpu_frame_size()) & ~63ull;
	*ret_frame = ((*ret_fp - sizeof(struct lx_rt_sigframe)) & ~15ull) - 8;
	if (*ret_frame >= ARCH_USER_TOP)
		return false;
	return !(entering || nested) || lx_altstack_holds(t, *ret_frame);
}

/* Every byte of the frame is written: it lay on the kernel's stack. */
static void frame_registers(struct lx_sigcontext *c, const struct user_regs *r, const struct task *t, sigset mask, u64 fp)
{
	c->r8 = r->r8, c->r9 = r->r9, c->r10 = r->r10, c->r11 = r->r11, c->r12 = r->r12, c->r13 = r->r13, c->r14 = r->r14, c->r15 = r->r15;
	c->rdi = r->rdi, c->rsi = r->rsi, c->rbp = r->rbp, c->rbx = r->rbx, c->rdx = r->rdx, c->rax = r->rax, c->rcx = r->rcx;
	c->rsp = r->rsp, c->rip = r->rip, c->eflags = r->rflags;
	c->cs = (u16)r->cs, c->gs = c->fs = 0, c->ss = (u16)r->ss;
	c->err = t->trap_err, c->trapno = t->trap_no, c->oldmask = mask, c->cr2 = t->trap_va, c->fpstate = fp;
	memset(c->reserved, 0, sizeof(c->reserved));
}

static void frame_fill(struct lx_rt_sigframe *f, const struct user_regs *r, struct task *t, const struct signal_action *a,
		       const struct siginfo *info, sigset mask, u64 fp)
{
	u32 stack = t->altstack_flags & LX_SS_AUTODISARM;

	if (!t->altstack_size)
		stack |= LX_SS_DISABLE;
	else if (lx_on_altstack(t, r->rsp))
		stack |= LX_SS_ONSTACK;
	f->pretcode = a->restorer;
	f->uc.flags = (arch_fpu_frame_size() > FX_LEN ? LX_UC_FP_XSTATE : 0) | LX_UC_SIGCONTEXT_SS | LX_UC_STRICT_RESTORE_SS;
	f->uc.link = 0;
	f->uc.stack = (struct lx_stack){ t->altstack_sp, (s32)stack, 0, t->altstack_size };
	f->uc.sigmask = mask;
	frame_registers(&f->uc.mcontext, r, t, mask, fp);
	lx_siginfo_from(&f->info, info);
}

static int fpu_push(u64 fp)
{
	if (likely(arch_fpu_user_save(fp)))
		return 0;
	if (copy_to_user(uaddr_make(fp), arch_fpu_frame(), arch_fpu_frame_size()))
		return -EFAULT;
	(void)arch_fpu_frame_begin();
	return arch_fpu_frame_end(0);
}

int signal_frame_push(struct user_regs *regs, const struct signal_action *a, const struct siginfo *info, sigset mask)
{
	struct task *t = task_current();
	NO_AUTO_INIT struct lx_rt_sigframe f;
	u64 frame, fp;

	if (!(a->flags & LX_SA_RESTORER) || !frame_place(t, regs, a->flags, &frame, &fp))
		return -EFAULT;
	frame_fill(&f, regs, t, a, info, mask, fp);
	if (copy_to_user(uaddr_make(frame), &f, sizeof(f)) || fpu_push(fp))
		return -EFAULT;
	if (t->altstack_flags & LX_SS_AUTODISARM) {
		t->altstack_sp = t->altstack_size = 0;
		t->altstack_flags = 0;
	}
	regs->rdi = (u64)info->signo;
	regs->rsi = frame + offsetof(struct lx_rt_sigframe, info);
	regs->rdx = frame + offsetof(struct lx_rt_sigframe, uc);
	regs->rax = 0;
	regs->rip = a->handler;
	regs->rsp = frame;
	regs->rflags &= ~(u64)(RFLAGS_TF | RFLAGS_DF | RFLAGS_RF);
	arch_user_regs_sanitize(regs);
	arch_user_set_full_exit();
	return 0;
}

/* ---- The way back ---- */

static void registers_back(struct user_regs *r, const struct lx_sigcontext *c)
{
	r->r8 = c->r8, r->r9 = c->r9, r->r10 = c->r10, r->r11 = c->r11;
	r->r12 = c->r12, r->r13 = c->r13, r->r14 = c->r14, r->r15 = c->r15;
	r->rdi = c->rdi, r->rsi = c->rsi, r->rbp = c->rbp, r->rbx = c->rbx;
	r->rdx = c->rdx, r->rax = c->rax, r->rcx = c->rcx, r->rsp = c->rsp;
	r->rip = c->rip, r->rflags = c->eflags;
	r->orig_rax = (u64)-1;
	arch_user_regs_sanitize(r);
	arch_user_set_full_exit();
}

/* The legacy part first: it says how much there is behind it. How much was there, 0: none, or a bad address. */
static size_t fpu_fetch(u8 *fpu, u64 fp)
{
	struct { u32 magic1, extended_size; } sw;

	if (!fp || copy_from_user(fpu, uaddr_make(fp), FX_LEN))
		return 0;
	memcpy(&sw, fpu + FX_MAGIC_AT, sizeof(sw));
	if (sw.magic1 != FX_MAGIC1 || sw.extended_size <= FX_LEN || sw.extended_size > arch_fpu_frame_size())
		return FX_LEN;
	return copy_from_user(fpu + FX_LEN, uaddr_make(fp + FX_LEN), sw.extended_size - FX_LEN) ? 0 : sw.extended_size;
}

static int fpu_back(u64 fp)
{
	if (likely(fp && arch_fpu_user_load(fp)))
		return 0;
	size_t len = fpu_fetch(arch_fpu_frame_begin(), fp & 63 ? 0 : fp);
	int r = arch_fpu_frame_end(len);

	return fp && (!len || r) ? -EFAULT : 0;
}

static void altstack_back(struct task *t, const struct lx_stack *ss)
{
	u32 mode = (u32)ss->flags & ~LX_SS_AUTODISARM;

	/* Errors are not told: the handler may have changed what it liked. */
	if (lx_on_altstack(t, arch_user_regs(&t->thread->arch)->rsp))
		return;
	if (mode == LX_SS_DISABLE) {
		t->altstack_sp = t->altstack_size = 0;
	} else if ((mode == 0 || mode == LX_SS_ONSTACK) && ss->size >= LX_MINSIGSTKSZ) {
		t->altstack_sp = ss->sp;
		t->altstack_size = ss->size;
	} else {
		return;
	}
	t->altstack_flags = (u32)ss->flags & (LX_SS_AUTODISARM | LX_SS_ONSTACK);
}

long sys_rt_sigreturn(void)
{
	struct task *t = task_current();
	struct user_regs *r = arch_user_regs(&t->thread->arch);
	NO_AUTO_INIT struct lx_ucontext uc;
	/* The restorer's return address has been popped by the handler's ret. */
	struct uaddr at = uaddr_make(r->rsp - 8 + offsetof(struct lx_rt_sigframe, uc));

	if (copy_from_user(&uc, at, sizeof(uc)))
		goto bad;
	signal_set_mask(uc.sigmask);
	registers_back(r, &uc.mcontext);
	if (fpu_back(uc.mcontext.fpstate))
		goto bad;
	altstack_back(t, &uc.stack);
	return (long)r->rax;
bad:
	signal_force(SIG_SEGV, &(struct siginfo){ .signo = SIG_SEGV, .code = SIGCODE_KERNEL });
	return 0;
}
