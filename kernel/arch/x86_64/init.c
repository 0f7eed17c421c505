/*
 * init.c - bring-up of the boot CPU, in the order that kernel_main asks for, and sealing at the end of the boot.
 */
#include "arch/boot_info.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/layout.h"
#include "arch/x86_64/panic.h"

struct arch_hooks arch_hooks RO_AFTER_INIT;
struct arch_memory_ops arch_memory_ops RO_AFTER_INIT;
struct arch_cpu arch_cpu0;
struct arch_cpu *arch_cpus[ARCH_MAX_CPUS] RO_AFTER_INIT = { &arch_cpu0 };
unsigned arch_ncpus = 1;

unsigned arch_cpu_count(void) { return __atomic_load_n(&arch_ncpus, __ATOMIC_RELAXED); }

void arch_init(void)
{
	panic_init();
	features_detect();
	desc_init_idt();
	arch_cpu0.up = true;
	arch_cpu0.timer_deadline_ns = UINT64_MAX;
	desc_init_cpu(&arch_cpu0, arch_layout.ist_top);
	features_enable_cpu();
	fpu_init_cpu(true);
}
