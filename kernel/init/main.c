/*
 * main.c - the boot, one call per line.
 *
 * kernel_main runs on the boot CPU's own stack, at first with interrupts masked. It ends as a thread that is done:
 * what goes on is the program and a few kernel threads.
 */
#include "arch/arch.h"
#include "base/log.h"
#include "blk/blk.h"
#include "init/init.h"
#include "linux/dispatch.h"
#include "mm/page.h"
#include "platform/platform.h"
#include "proc/exec.h"
#include "proc/file.h"
#include "proc/policy.h"
#include "proc/process.h"
#include "proc/tripwire.h"
#include "sched/thread.h"
#include "vm/aspace.h"

_Static_assert(offsetof(struct thread, user_work) == 4, "arch tests it on the way out");
_Static_assert(offsetof(struct thread, arch) == 8, "and the first of arch's part");

NORETURN void kernel_main(void);

static struct bootconf conf;

static void start_program(void)
{
	struct exec_args a = {
		.path = conf.exec, .argv = (char *const *)conf.argv, .envp = (char *const *)conf.envp, .cwd = conf.cwd,
	};
	int err = process_start(&a);

	if (err)
		process_cannot_run(126, "%s: error %d", conf.exec, -err);
}

NORETURN void kernel_main(void)
{
	const char *conf_problem;

	arch_init();
	page_init();
	glue_memory();
	conf_problem = bootmodule_read(&conf);
	log_threshold = conf.verbose ? LOG_INFO : LOG_WARN;
	glue_seed(&conf);
	arch_irq_init();
	arch_clock_init(conf.tsc_khz, conf.time_ns);
	glue_hooks();
	sched_init();
	arch_irq_restore(ARCH_IRQ_ON);
	glue_cpus();

	if (vm_init(&exec_area_ops))
		panic("no memory for the address space");
	vm_policy_allow_jit = conf.allow_jit;
	blk_init();
	platform_find_devices();
	device_probe_all();
	if (conf_problem || policy_actions_init(conf.policies, conf.npolicies, &conf_problem))
		process_cannot_run(126, "boot configuration, not usable: %s", conf_problem);
	glue_wait_random();

	mounts_make(&conf);
	if (process_init() || files_init() || glue_init_calls())
		panic("no memory for the process");
	process_set_hostname(conf.hostname);
	if (policy_init(conf.rules, conf.nrules, conf.learn, &conf_problem))
		process_cannot_run(126, "boot configuration: %s", conf_problem ? conf_problem : "not enough memory");
	if (policy_secrets_init((const char *const *)conf.envp, &conf_problem))
		process_cannot_run(126, "secret %s: it must be there, with 8 bytes or more; all have 16 KiB", conf_problem);
	linux_init(conf.trace);
	network_make(&conf);
	if (control_start())
		panic("no memory for the control thread");
	arch_seal();
	start_program();
	thread_exit();
}
