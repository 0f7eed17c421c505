/*
 * off.c - ending the machine: the ways that firmware names, then the ways that always were, then a triple fault.
 * The host learns the program's status through the control port before; this only stops the virtual CPU.
 * After a panic nothing is mapped or allocated any more (a lock may be held for ever): only the last two ways are tried.
 */
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/firmware.h"

#define SLP_EN_PM1 (1u << 13)
#define SLP_EN_REDUCED (1u << 5)
#define ICR_NMI_ALL_BUT_SELF ((3u << 18) | (4u << 8))

extern u32 arch_stop_cpus;

static void register_write(const struct firmware_gas *g, u8 v)
{
	if (g->space == 1 && g->address <= 0xffff) {
		arch_out8((u16)g->address, v);
	} else if (g->space == 0 && g->address) {
		volatile u8 *p = arch_map_device(g->address, 1);

		if (p)
			*p = v;
	}
}

static NORETURN void triple_fault(void)
{
	const struct x86_table_ptr none = { 0, 0 };

	x86_lidt(&none);
	for (;;)
		__asm__ volatile("int3");
}

NORETURN void arch_machine_off(void)
{
	u8 type;

	x86_cli();
	if (firmware.hw_reduced && firmware.sleep_control.address)
		register_write(&firmware.sleep_control, (u8)(SLP_EN_REDUCED | 5u << 2));
	if (firmware.pm1a_control && acpi_s5_type(&type))
		arch_out16(firmware.pm1a_control, (u16)(SLP_EN_PM1 | type << 10));
	if (firmware.reset.address)
		register_write(&firmware.reset, firmware.reset_value);
	arch_out8(0x64, 0xfe);          /* the keyboard controller's reset line: Firecracker's way out */
	triple_fault();
}

void machine_stop_others(void)
{
	x86_cli();
	if (arch_cpu_count() > 1) {
		WRITE_ONCE(arch_stop_cpus, 1);
		lapic_ipi(0, ICR_NMI_ALL_BUT_SELF);
	}
}

NORETURN void arch_machine_halt_others_and_off(void)
{
	machine_stop_others();
	arch_machine_off();
}

NORETURN void machine_off_at_once(void)
{
	machine_stop_others();
	arch_out8(0x64, 0xfe);
	triple_fault();
}
