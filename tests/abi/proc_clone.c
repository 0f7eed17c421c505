/* proc_clone.c - clone and clone3: what is wrong is said so, and raw threads with several sets of flags. */
#include "abi.h"
#include <linux/futex.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define THREAD (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

static volatile int ran, child_tid, parent_tid, settid;

static int body(void *arg)
{
	ran = (int)(intptr_t)arg;
	settid = child_tid;
	syscall(SYS_exit, 0);
	return 0;
}

static void wait_zero(volatile int *w)
{
	int v;

	while ((v = *w) != 0)
		syscall(SYS_futex, w, FUTEX_WAIT, v, NULL, NULL, 0);
}

static long clone3_size(struct clone_args *a, size_t size)
{
	return syscall(SYS_clone3, a, size);
}

int main(void)
{
	char *stack = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	struct clone_args a = { 0 };
	char big[5000] = { 0 };

	CHECK("clone3 size 0", clone3_size(&a, 0));
	CHECK("clone3 size 63", clone3_size(&a, 63));
	CHECK("clone3 size 5000", clone3_size((void *)big, 5000));
	CHECK("clone3 bad address", clone3_size((void *)8, 64));
	big[100] = 1;
	CHECK("clone3 garbage behind", clone3_size((void *)big, 128));
	a.flags = CLONE_THREAD;
	CHECK("clone3 THREAD alone", clone3_size(&a, sizeof(a)));
	a.flags = CLONE_SIGHAND;
	CHECK("clone3 SIGHAND alone", clone3_size(&a, sizeof(a)));
	a.flags = THREAD;
	a.exit_signal = SIGCHLD;
	CHECK("clone3 THREAD with signal", clone3_size(&a, sizeof(a)));
	a.exit_signal = 0;
	a.stack = (uint64_t)stack;
	CHECK("clone3 stack without size", clone3_size(&a, sizeof(a)));
	a.stack = 0;
	a.stack_size = 65536;
	CHECK("clone3 size without stack", clone3_size(&a, sizeof(a)));
	a.stack_size = 0;
	a.flags = 1ull << 60;
	CHECK("clone3 unknown flag", clone3_size(&a, sizeof(a)));
	a.flags = CLONE_NEWNS | CLONE_FS;
	CHECK("clone3 NEWNS with FS", clone3_size(&a, sizeof(a)));
	a.flags = THREAD | CLONE_DETACHED;
	CHECK("clone3 DETACHED", clone3_size(&a, sizeof(a)));
	a.flags = 0;
	a.exit_signal = 300;
	CHECK("clone3 signal 300", clone3_size(&a, sizeof(a)));
	CHECK("clone THREAD alone", syscall(SYS_clone, CLONE_THREAD, 0, 0, 0, 0));
	CHECK("clone SIGHAND alone", syscall(SYS_clone, CLONE_SIGHAND, 0, 0, 0, 0));

	child_tid = 1;
	int t = clone(body, stack + 65536, THREAD | CLONE_CHILD_CLEARTID | CLONE_PARENT_SETTID, (void *)11, &parent_tid, NULL, &child_tid);
	NOTE("clone", "%d", t > 0);
	wait_zero(&child_tid);
	NOTE("ran", "%d", ran);
	NOTE("parent tid", "%d", parent_tid == t);

	child_tid = 1;
	t = clone(body, stack + 65536, THREAD | CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID, (void *)12, NULL, NULL, &child_tid);
	wait_zero(&child_tid);
	NOTE("ran", "%d", ran);
	NOTE("child settid", "%d", settid == t);

	/* As Go does it: no tids. */
	ran = 0;
	t = clone(body, stack + 65536, THREAD, (void *)13);
	NOTE("clone without tids", "%d", t > 0);
	while (ran != 13)
		sched_yield();
	NOTE("ran", "%d", ran);
	CHECK_OK("set_tid_address", syscall(SYS_set_tid_address, &child_tid));
	NOTE("is tid", "%d", syscall(SYS_set_tid_address, &child_tid) == syscall(SYS_gettid));
	CHECK("rseq size", syscall(SYS_rseq, stack, 8, 0, 0) == -1);
	CHECK("rseq flags", syscall(SYS_rseq, stack, 32, 4, 0));
	return 0;
}
