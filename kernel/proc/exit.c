/*
 * exit.c - the end: of the process and with it of the machine.
 *
 * The first task that calls process_exit or process_kill ends everything; others that come later wait
 * for ever. Order: the other tasks leave user mode and the kernel (bounded wait: one may sleep in a device),
 * descriptors are closed, peers get what was written to them (bounded), file systems are written back, the streams are
 * flushed, the line goes to the control port, the machine is switched off.
 * Locks: none held. Cannot fail.
 */
#include "proc/crash.h"
#include "proc/process.h"
#include "proc/signal.h"
#include "proc/file.h"
#include "proc/tripwire.h"
#include "dev/port.h"
#include "base/log.h"
#include "base/print.h"
#include "shared/bootconf.h"

/* How long the other tasks may take to leave. */
#define LEAVE_NS (2 * NSEC_PER_SEC)
/* How long peers may take to receive what was written before the end. */
#define FINISH_NS (5 * NSEC_PER_SEC)     /* less than the time that the host gives a stopped machine */

/* True for the one who may end the process. */
static bool ending_begin(void)
{
	return !__atomic_exchange_n(&process.ending, true, __ATOMIC_ACQ_REL);
}

/* An ending that is under way already: this task leaves (it is waited for). */
static NORETURN void ending_join(void)
{
	if (task_current())
		task_leave(0);
	thread_exit();
}

static void tasks_stop(void)
{
	struct task *self = task_current(), *t;
	unsigned left = self ? 1 : 0;
	irq_flags_t f = spin_lock_irqsave(&process.lock);

	list_for_each_entry(t, &process.tasks, link)
		if (t != self)
			thread_set_work(t->thread, THREAD_WORK_EXIT);
	spin_unlock_irqrestore(&process.lock, f);
	u64 deadline = arch_clock_mono_ns() + LEAVE_NS;
	(void)WAIT_EVENT_FULL(&process.task_gone, task_count() <= left, false, deadline);
	if (task_count() > left)
		log_warn("exit: %u tasks did not leave\n", task_count() - left);
}

/* The last words have been said. */
static NORETURN void machine_end(void)
{
	port_flush(PITH_PORT_LOG);
	port_flush(PITH_PORT_CTL);
	arch_machine_off();
}

/* What the program leaves behind is put in order. */
static void process_tidy(void)
{
	tasks_stop();
	fd_close_all();
	net_finish(FINISH_NS);
	fs_finish_all();
	port_flush(PITH_PORT_STDOUT);
	port_flush(PITH_PORT_STDERR);
}

static char stop_text[256];                  /* why a policy stopped it; written once, before `stopping` */
static bool stopping;                        /* atomic */

/* How it ended: a policy's word comes before the program's own. */
static NORETURN void machine_end_by_policy(void)
{
	tripwire_flush();
	control_line("stopped %s", stop_text);
	machine_end();
}

static void stop_thread(void *arg)
{
	tasks_stop();
	fs_finish_all();
	port_flush(PITH_PORT_STDOUT);
	port_flush(PITH_PORT_STDERR);
	machine_end_by_policy();
}

void process_stop_by_policy(const char *event, const char *detail)
{
	if (__atomic_exchange_n(&stopping, true, __ATOMIC_ACQ_REL))
		return;
	fmt_buf(stop_text, sizeof(stop_text), "%s%s%s", event, detail ? ": " : "", detail ? detail : "");
	if (!ending_begin())
		return;                  /* who ends it already says it (process_kill), or was earlier */
	if (task_current())
		thread_set_work(thread_current(), THREAD_WORK_EXIT);
	if (thread_spawn("stop", stop_thread, NULL))
		machine_end_by_policy();
}

void process_exit(int status)
{
	if (!ending_begin())
		ending_join();
	process_tidy();
	tripwire_flush();
	control_line("exit %d", status & 0xff);
	machine_end();
}

void process_kill(int signo, const struct siginfo *info)
{
	struct task *t = task_current();

	if (!ending_begin())
		ending_join();
	if (signal_default_of(signo) == SIGNAL_DUMPS)
		crash_report(signo, info, t ? arch_user_regs(&t->thread->arch) : NULL);
	process_tidy();
	if (stop_text[0])
		machine_end_by_policy();
	tripwire_flush();
	control_line("signal %d", signo);
	machine_end();
}

void process_cannot_run(int status, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	fmt_vbuf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)ending_begin();
	log_info("cannot run: %s\n", text);     /* where there is no control port, all that is seen */
	control_line("cannot-run %d %s", status, text);
	machine_end();
}

void process_stopped(const char *text)
{
	if (!ending_begin())
		return;
	log_info("stopped: %s\n", text);
	control_line("stopped %s", text);
	machine_end();
}

void process_stop_request(int signo)
{
	struct siginfo info = { .signo = signo, .code = SIGCODE_USER };

	if (signo >= 1 && signo <= NSIG)
		signal_send(NULL, signo, &info);
}
