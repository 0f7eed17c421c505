/*
 * dispatch.h - from the entry code to a handler, and what stands around it.
 *
 * linux_init (boot, after process_init) fills arch_hooks with this room's functions. trace: print each
 * call on the log port.
 */
#ifndef LINUX_DISPATCH_H
#define LINUX_DISPATCH_H

#include "arch/arch.h"
#include "proc/policy.h"

struct task;

void linux_init(bool trace);
typedef long (*syscall_fn)(u64, u64, u64, u64, u64, u64);
/* SYSCALL_MAX handlers by number, and one for what is not there. Filled by linux_init, changed by watch_init only, sealed after the boot. */
extern syscall_fn syscall_table[];
bool syscall_is_there(unsigned nr);
/* The way to the table of every call while tracing or learning. */
long syscall_dispatch(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f);
/* The name of a call, or NULL. */
const char *syscall_name(unsigned nr);
/* Is it refused always, or not in this kernel, so that its handler tells of it whatever the rules say? */
bool syscall_tells_itself(unsigned nr);
/* A refused call: one event; the errno to return. */
long syscall_refuse_event(enum policy_kind kind, int errno_to_return);
/* Memory that can be written and run was asked for: the event, and once a line that says what it means (sys_mm.c). */
long syscall_refuse_mapping(int errno_to_return);

/* sys_pidfd.c: 0 if the descriptor is a pidfd (it is the process's), else -EBADF. */
int pidfd_check(int fd);

/* watch.c: after policy_init: puts itself before the table (learning), or changes it by the rules. */
void watch_init(void);

/* Before and after each call, while tracing is on; picked as tracer.strace (trace.c). */
struct syscall_tracer {
	void (*enter)(const struct user_regs *regs);
	void (*leave)(const struct user_regs *regs, long result);
};

/* rseq.c: the program's restartable sequence, on the way back to user mode after a preemption, a move or a signal. */
void rseq_on_return(struct user_regs *regs);
/* robust.c: task_ops.leave. */
void robust_leave(struct task *t);

#endif
