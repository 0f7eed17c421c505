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

/* A firmware's register, mapped if it lies in memory. */
struct off_register {
	const struct firmware_gas *gas;
	volatile u8 *mapped;
};

static struct off_register register_map(const struct firmware_gas *g)
{
	return (struct off_register){ g, g->space == 0 && g->address ? arch_map_device(g->address, 1) : NULL };
}

static void register_write(const struct off_register *r, u8 v)
{
	if (r->gas->space == 1 && r->gas->address && r->gas->address <= 0xffff)
		arch_out8((u16)r->gas->address, v);
	else if (r->mapped)
		*r->mapped = v;
}

static NORETURN void triple_fault(void)
{
	const struct x86_table_ptr none = { 0, 0 };

	x86_lidt(&none);
	for (;;)
		__asm__ volatile("int3");
}

void machine_stop_others(void)
{
	x86_cli();
	if (arch_cpu_count() > 1) {
		WRITE_ONCE(arch_stop_cpus, 1);
		lapic_ipi(0, ICR_NMI_ALL_BUT_SELF);
	}
}

NORETURN void arch_machine_off(void)
{
	struct off_register sleep = register_map(&firmware.sleep_control), reset = register_map(&firmware.reset);
	u8 type;
	bool s5 = firmware.pm1a_control && acpi_s5_type(&type);

	/* From here on a lock may be held for ever: nothing is mapped any more. */
	machine_stop_others();
	if (firmware.hw_reduced)
		register_write(&sleep, (u8)(SLP_EN_REDUCED | 5u << 2));
	if (s5)
		arch_out16(firmware.pm1a_control, (u16)(SLP_EN_PM1 | type << 10));
	register_write(&reset, firmware.reset_value);
	arch_out8(0x64, 0xfe);          /* the keyboard controller's reset line: Firecracker's way out */
	triple_fault();
}

NORETURN void machine_off_at_once(void)
{
	machine_stop_others();
	arch_out8(0x64, 0xfe);
	triple_fault();
}
