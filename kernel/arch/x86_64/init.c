/*
 * init.c - bring-up of the boot CPU, in the order that kernel_main asks for, and sealing at the end of the boot.
 */
#include "arch/boot_info.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/firmware.h"
#include "arch/x86_64/layout.h"
#include "arch/x86_64/panic.h"
#include "arch/x86_64/tlb.h"

struct arch_hooks arch_hooks RO_AFTER_INIT_ZERO;
struct arch_memory_ops arch_memory_ops RO_AFTER_INIT_ZERO;
struct arch_cpu arch_cpu0;
struct arch_cpu *arch_cpus[ARCH_MAX_CPUS] RO_AFTER_INIT = { &arch_cpu0 };
unsigned arch_ncpus = 1;

#ifndef PITH_SMALL
unsigned arch_cpu_count(void) { return __atomic_load_n(&arch_ncpus, __ATOMIC_RELAXED); }
#endif

void arch_init(void)
{
	u64 *pml4 = arch_phys_to_virt(arch_layout.pml4);

	panic_init();
	features_detect();
	desc_init_idt();
	arch_cpu0.up = true;
	arch_cpu0.timer_deadline_ns = UINT64_MAX;
	desc_init_cpu(&arch_cpu0, arch_layout.ist_top);
	features_enable_cpu();
	fpu_init_cpu(true);
	if (!acpi_read(boot_info.rsdp))
		mptable_read();
	pml4[0] = 0;                    /* the boot's one-to-one map: from here on the low half is the program's */
	x86_write_cr3(arch_layout.pml4);
}

/* The parts of the image that were written during the boot become read-only; the boot's code disappears. */
void arch_seal(void)
{
	uintptr_t image = arch_layout.image_va, boot_end = (uintptr_t)__boot_text_end, ro = (uintptr_t)__rodata_end;

	kernel_protect(image, boot_end - image, PTE_P, 0);
	kernel_protect(ro, (uintptr_t)__ro_after_init_end - ro, PTE_W, 0);
	tlb_flush_kernel(image, (uintptr_t)__ro_after_init_end - image);
}
