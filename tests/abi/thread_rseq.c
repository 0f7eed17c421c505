/* thread_rseq.c - restartable sequences: the CPU's number stays true, torn sections abort. */
#include "abi.h"
#include <linux/rseq.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned __rseq_size __attribute__((weak));

static struct rseq *area(void)
{
	return (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
}

static volatile int wrong, stop;

/* The number in the area against the kernel's, when nothing came between. */
static void *look(void *p)
{
	for (int i = 0; i < 3000 && !stop; i++) {
		unsigned a = area()->cpu_id, b, c;
		syscall(SYS_getcpu, &b, NULL, NULL);
		c = area()->cpu_id;
		if (a == c && b != a)
			wrong++;
		if (i % 16 == 0)
			sched_yield();
		if (i % 100 == 0)
			usleep(100);
	}
	return p;
}

/*
 * A section that waits until it is torn: a signal handler or a preemption sends it to the abort handler,
 * so the loop ends though its condition never does.
 */
static int torn(void)
{
	int aborted = 0;
	struct rseq *rs = area();

	__asm__ volatile(
		".pushsection .data.rseq_cs, \"aw\"\n.balign 32\n"
		"77: .long 0, 0\n .quad 1f, 2f - 1f, 4f\n.popsection\n"
		"leaq 77b(%%rip), %%rax\n movq %%rax, %c[cs](%[rs])\n"
		"1: pause\n jmp 1b\n"
		"2: jmp 5f\n"
		".long 0x53053053\n"
		"4: movl $1, %[aborted]\n"
		"5:\n"
		: [aborted] "+m"(aborted)
		: [rs] "r"(rs), [cs] "i"(offsetof(struct rseq, rseq_cs))
		: "rax", "memory");
	return aborted;
}

static volatile sig_atomic_t hits;

static void on(int s)
{
	(void)s;
	hits++;
}

int main(void)
{
	pthread_t t[6];
	struct sigaction a = { .sa_handler = on };

	if (!&__rseq_size || !__rseq_size) {
		NOTE("rseq", "not registered by the library");
		return 0;
	}
	NOTE("registered", "%d", (int)area()->cpu_id >= 0);
	CHECK("register again", syscall(SYS_rseq, area(), 32, 0, 0x53053053));
	CHECK("other signature", syscall(SYS_rseq, area(), 32, 0, 0x1234));
	CHECK("other area", syscall(SYS_rseq, (char *)area() + 64, 32, 0, 0x53053053));
	for (int i = 0; i < 6; i++)
		pthread_create(&t[i], NULL, look, NULL);
	for (int i = 0; i < 6; i++)
		pthread_join(t[i], NULL);
	NOTE("wrong numbers", "%d", wrong);
	sigaction(SIGALRM, &a, NULL);
	ualarm(30000, 30000);   /* again: the first may come before the section on a busy host */
	NOTE("torn by a signal", "%d", torn());
	NOTE("cleared", "%d", area()->rseq_cs == 0);
	alarm(0);
	CHECK("unregister, signature", syscall(SYS_rseq, area(), 32, RSEQ_FLAG_UNREGISTER, 0x1234));
	CHECK("unregister", syscall(SYS_rseq, area(), 32, RSEQ_FLAG_UNREGISTER, 0x53053053));
	NOTE("number", "%d", (int)area()->cpu_id);
	CHECK("unregister again", syscall(SYS_rseq, area(), 32, RSEQ_FLAG_UNREGISTER, 0x53053053));
	return 0;
}
