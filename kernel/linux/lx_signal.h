/* lx_signal.h - Linux's layouts and constants of signals on x86-64 (uapi/asm/{signal,sigcontext,ucontext}.h, asm-generic/siginfo.h). */
#ifndef LINUX_LX_SIGNAL_H
#define LINUX_LX_SIGNAL_H

#include "proc/signal.h"

#define LX_SIGSET_SIZE 8u

#define LX_SA_NOCLDSTOP 0x00000001ull
#define LX_SA_NOCLDWAIT 0x00000002ull
#define LX_SA_SIGINFO   0x00000004ull
#define LX_SA_RESTORER  0x04000000ull
#define LX_SA_ONSTACK   0x08000000ull
#define LX_SA_RESTART   0x10000000ull
#define LX_SA_NODEFER   0x40000000ull
#define LX_SA_RESETHAND 0x80000000ull
#define LX_SA_KNOWN     (LX_SA_NOCLDSTOP | LX_SA_NOCLDWAIT | LX_SA_SIGINFO | 0x800ull | LX_SA_RESTORER | LX_SA_ONSTACK | \
			 LX_SA_RESTART | LX_SA_NODEFER | LX_SA_RESETHAND)   /* 0x800: SA_EXPOSE_TAGBITS */

#define LX_SIG_BLOCK   0
#define LX_SIG_UNBLOCK 1
#define LX_SIG_SETMASK 2

#define LX_SS_ONSTACK    1u
#define LX_SS_DISABLE    2u
#define LX_SS_AUTODISARM 0x80000000u
#define LX_MINSIGSTKSZ   2048u

/* si_code of faults */
#define LX_FPE_INTDIV 1
#define LX_FPE_FLTDIV 3
#define LX_FPE_FLTOVF 4
#define LX_FPE_FLTUND 5
#define LX_FPE_FLTRES 6
#define LX_FPE_FLTINV 7
#define LX_ILL_ILLOPN 2
#define LX_SEGV_MAPERR 1
#define LX_SEGV_ACCERR 2
#define LX_BUS_ADRALN 1
#define LX_BUS_ADRERR 2
#define LX_TRAP_BRKPT 1
#define LX_TRAP_TRACE 2

struct lx_sigaction {
	u64 handler, flags, restorer, mask;
};
struct lx_stack {
	u64 sp;
	s32 flags;
	u32 pad;
	u64 size;
};
struct lx_siginfo {
	s32 signo, err, code, pad;
	union {
		struct { s32 pid; u32 uid; u64 value; } rt;
		struct { s32 timer_id, overrun; u64 value; } timer;
		struct { u64 addr; } fault;
		struct { s64 band; s32 fd; } poll;
		struct { u64 call_addr; s32 syscall; u32 arch; } sys;
		u8 raw[112];
	};
};
_Static_assert(sizeof(struct lx_siginfo) == 128, "siginfo_t");

struct lx_sigcontext {
	u64 r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
	u16 cs, gs, fs, ss;
	u64 err, trapno, oldmask, cr2, fpstate, reserved[8];
};
_Static_assert(sizeof(struct lx_sigcontext) == 256, "struct sigcontext");

#define LX_UC_FP_XSTATE         1u
#define LX_UC_SIGCONTEXT_SS     2u
#define LX_UC_STRICT_RESTORE_SS 4u
struct lx_ucontext {
	u64 flags, link;
	struct lx_stack stack;
	struct lx_sigcontext mcontext;
	u64 sigmask;
};
_Static_assert(offsetof(struct lx_ucontext, mcontext) == 40 && sizeof(struct lx_ucontext) == 304, "struct ucontext");

struct lx_rt_sigframe {
	u64 pretcode;
	struct lx_ucontext uc;
	struct lx_siginfo info;
};
_Static_assert(sizeof(struct lx_rt_sigframe) == 440, "struct rt_sigframe");

struct lx_signalfd_siginfo {   /* read from a signalfd */
	u32 signo;
	s32 err, code;
	u32 pid, uid;
	s32 fd;
	u32 tid, band, overrun, trapno;
	s32 status, value_int;
	u64 value_ptr, utime, stime, addr;
	u16 addr_lsb, pad2;
	s32 syscall;
	u64 call_addr;
	u32 arch;
	u8 pad[28];
};
_Static_assert(sizeof(struct lx_signalfd_siginfo) == 128, "struct signalfd_siginfo");

/* What a signal carries, in the program's layout; every byte is set. */
void lx_siginfo_from(struct lx_siginfo *ret, const struct siginfo *info);

/* Does sp lie within the task's alternate stack? Its end may lie behind all addresses. */
static inline bool lx_altstack_holds(const struct task *t, u64 sp)
{
	return sp > t->altstack_sp && sp - t->altstack_sp <= t->altstack_size;
}

/* Is a task with this sp on it? On one that disarms itself never. */
static inline bool lx_on_altstack(const struct task *t, u64 sp)
{
	return !(t->altstack_flags & LX_SS_AUTODISARM) && lx_altstack_holds(t, sp);
}

/* arch_hooks: exceptions of the program, and the exit path's work. */
void lx_user_trap(struct user_regs *regs, unsigned vector, u64 error, uintptr_t va);
int lx_user_fault(uintptr_t va, enum arch_fault_access access, bool present, bool from_user);
void lx_user_work(struct user_regs *regs);

#endif
