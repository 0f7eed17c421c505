/*
 * signal_frame.c - the frame of a signal handler on the program's stack, and the way back from it.
 *
 * Layout as Linux's x86-64 (struct rt_sigframe, FPU state above it aligned to 64, redzone of 128 bytes
 * left alone): Go, Java and glibc read and change it. The frame is built in a kernel buffer that the task keeps,
 * then copied out at once. sigreturn believes nothing: registers are sanitised by arch, the FPU state is
 * checked there, each part is fetched once. What is broken kills by SIGSEGV.
 */
#include "linux/signal_frame.h"
#include "linux/syscall.h"
#include "mm/heap.h"

#define REDZONE 128u
#define RFLAGS_TF (1u << 8)
#define RFLAGS_DF (1u << 10)
#define RFLAGS_RF (1u << 16)
#define FX_LEN 512u
#define FX_MAGIC_AT 464u
#define FX_MAGIC1 0x46505853u
#define FX_FCW_INIT 0x37f
#define FX_MXCSR_INIT 0x1f80
#define FX_MXCSR_AT 24

/* The kernel's copy: the frame and behind it the FPU state. */
static u8 *frame_buf(struct task *t)
{
	if (!t->frame_buf)
		t->frame_buf = heap_alloc(ROUND_UP(sizeof(struct lx_rt_sigframe), 64) + arch_fpu_frame_size());
	return t->frame_buf;
}

u8 *signal_frame_fpu_buf(struct task *t)
{
	u8 *buf = frame_buf(t);

	return buf ? buf + ROUND_UP(sizeof(struct lx_rt_sigframe), 64) : NULL;
}

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
	if (entering || nested)
		return *ret_frame > t->altstack_sp && *ret_frame < t->altstack_sp + t->altstack_size;
	return true;
}

static void frame_registers(struct lx_sigcontext *c, const struct user_regs *r, const struct task *t, sigset mask, u64 fp)
{
	*c = (struct lx_sigcontext){
		.r8 = r->r8, .r9 = r->r9, .r10 = r->r10, .r11 = r->r11, .r12 = r->r12, .r13 = r->r13, .r14 = r->r14, .r15 = r->r15,
		.rdi = r->rdi, .rsi = r->rsi, .rbp = r->rbp, .rbx = r->rbx, .rdx = r->rdx, .rax = r->rax, .rcx = r->rcx,
		.rsp = r->rsp, .rip = r->rip, .eflags = r->rflags, .cs = (u16)r->cs, .ss = (u16)r->ss,
		.err = t->trap_err, .trapno = t->trap_no, .oldmask = mask, .cr2 = t->trap_va, .fpstate = fp,
	};
}

static void frame_fill(struct lx_rt_sigframe *f, const struct user_regs *r, struct task *t, const struct signal_action *a,
		       const struct siginfo *info, sigset mask, u64 fp)
{
	memset(f, 0, sizeof(*f));
	f->pretcode = a->restorer;
	f->uc.flags = (arch_fpu_frame_size() > FX_LEN ? LX_UC_FP_XSTATE : 0) | LX_UC_SIGCONTEXT_SS | LX_UC_STRICT_RESTORE_SS;
	f->uc.stack.sp = t->altstack_sp;
	f->uc.stack.size = t->altstack_size;
	f->uc.stack.flags = (s32)(t->altstack_flags & LX_SS_AUTODISARM);
	if (!t->altstack_size)
		f->uc.stack.flags |= (s32)LX_SS_DISABLE;
	else if (lx_on_altstack(t, r->rsp))
		f->uc.stack.flags |= (s32)LX_SS_ONSTACK;
	f->uc.sigmask = mask;
	frame_registers(&f->uc.mcontext, r, t, mask, fp);
	lx_siginfo_from(&f->info, info);
}

int signal_frame_push(struct user_regs *regs, const struct signal_action *a, const struct siginfo *info, sigset mask)
{
	struct task *t = task_current();
	u8 *buf = frame_buf(t);
	u64 frame, fp;

	if (!buf || !(a->flags & LX_SA_RESTORER) || !frame_place(t, regs, a->flags, &frame, &fp))
		return -EFAULT;
	u8 *fpu = buf + ROUND_UP(sizeof(struct lx_rt_sigframe), 64);
	arch_fpu_save_frame(fpu);
	frame_fill((struct lx_rt_sigframe *)buf, regs, t, a, info, mask, fp);
	if (copy_to_user(uaddr_make(frame), buf, sizeof(struct lx_rt_sigframe)) ||
	    copy_to_user(uaddr_make(fp), fpu, arch_fpu_frame_size()))
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

static int fpu_reset(u8 *fpu)
{
	u16 fcw = FX_FCW_INIT;
	u32 mxcsr = FX_MXCSR_INIT;

	memset(fpu, 0, FX_LEN);
	memcpy(fpu, &fcw, sizeof(fcw));
	memcpy(fpu + FX_MXCSR_AT, &mxcsr, sizeof(mxcsr));
	return arch_fpu_load_frame(fpu, FX_LEN);
}

/* The legacy part first: it says how much there is behind it. */
static int fpu_back(u8 *fpu, u64 fp)
{
	struct { u32 magic1, extended_size; } sw;
	size_t len = FX_LEN, max = arch_fpu_frame_size();

	if (!fp)
		return fpu_reset(fpu);
	if (fp & 63 || copy_from_user(fpu, uaddr_make(fp), FX_LEN))
		return -EFAULT;
	memcpy(&sw, fpu + FX_MAGIC_AT, sizeof(sw));
	if (sw.magic1 == FX_MAGIC1 && sw.extended_size > FX_LEN && sw.extended_size <= max) {
		if (copy_from_user(fpu + FX_LEN, uaddr_make(fp + FX_LEN), sw.extended_size - FX_LEN))
			return -EFAULT;
		len = sw.extended_size;
	}
	return arch_fpu_load_frame(fpu, len);
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
	struct lx_ucontext uc;
	u8 *buf = frame_buf(t);
	/* The restorer's return address has been popped by the handler's ret. */
	struct uaddr at = uaddr_make(r->rsp - 8 + offsetof(struct lx_rt_sigframe, uc));

	if (!buf || copy_from_user(&uc, at, sizeof(uc)))
		goto bad;
	signal_set_mask(uc.sigmask);
	registers_back(r, &uc.mcontext);
	if (fpu_back(buf + ROUND_UP(sizeof(struct lx_rt_sigframe), 64), uc.mcontext.fpstate))
		goto bad;
	altstack_back(t, &uc.stack);
	return (long)r->rax;
bad:
	signal_force(SIG_SEGV, &(struct siginfo){ .signo = SIG_SEGV, .code = SIGCODE_KERNEL });
	return 0;
}
