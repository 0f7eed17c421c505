/*
 * irq.c - interrupt vectors and the I/O APICs that devices' lines go through.
 *
 * Vectors of devices are handed out once and never taken back. Handlers run with interrupts masked. A line keeps its
 * vector for ever, all lines go to the boot CPU; message-signalled interrupts go where the driver says.
 *
 * I/O APIC: Intel 82093AA data sheet, chapter 3.
 */
#include "arch/spinlock.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/firmware.h"
#include "base/counter.h"
#include "base/errno.h"

COUNTER(irq_unhandled);
#define IOAPIC_DEFAULT 0xfec00000ull
#define REDIR_MASKED (1u << 16)
#define REDIR_LEVEL (1u << 15)
#define REDIR_ACTIVE_LOW (1u << 13)

static struct {
	arch_irq_handler fn;
	void *arg;
} handlers[VECTOR_LAST - VECTOR_FIRST + 1] RO_AFTER_INIT_ZERO;
static unsigned next_vector RO_AFTER_INIT = VECTOR_FIRST;
static struct {
	volatile u32 *regs;
	u32 gsi_base, nlines;
} ioapics[FIRMWARE_MAX_IOAPICS] RO_AFTER_INIT_ZERO;
static unsigned nioapics RO_AFTER_INIT;
static struct spinlock irq_lock = SPINLOCK_INIT;

void irq_dispatch(unsigned vector)
{
	if (vector >= VECTOR_FIRST && vector <= VECTOR_LAST && handlers[vector - VECTOR_FIRST].fn) {
		handlers[vector - VECTOR_FIRST].fn(handlers[vector - VECTOR_FIRST].arg);
		lapic_eoi();
		return;
	}
	switch (vector) {
	case VECTOR_TIMER:
		lapic_eoi();
		lapic_timer_irq();
		break;
	case VECTOR_KICK:
		lapic_eoi();
		arch_hooks.kick();
		break;
	case VECTOR_TLB:
		lapic_eoi();
		tlb_ipi();
		break;
	case VECTOR_SPURIOUS:           /* is not acknowledged */
		break;
	default:
		counter_bump(irq_unhandled);
		lapic_eoi();
	}
}

int arch_vector_alloc(arch_irq_handler handler, void *arg, unsigned *ret_vector)
{
	irq_flags_t f = spin_lock_irqsave(&irq_lock);
	int err = -ENOSPC;

	if (next_vector <= VECTOR_LAST) {
		handlers[next_vector - VECTOR_FIRST].arg = arg;
		handlers[next_vector - VECTOR_FIRST].fn = handler;
		*ret_vector = next_vector++;
		err = 0;
	}
	spin_unlock_irqrestore(&irq_lock, f);
	return err;
}

void arch_msi_message(unsigned vector, unsigned cpu, u64 *ret_address, u32 *ret_data)
{
	*ret_address = 0xfee00000ull | (u64)(arch_cpus[cpu]->apic_id & 0xff) << 12;
	*ret_data = vector;
}

static u32 ioapic_read(unsigned i, u32 reg)
{
	ioapics[i].regs[0] = reg;
	return ioapics[i].regs[4];
}
static void ioapic_write(unsigned i, u32 reg, u32 v)
{
	ioapics[i].regs[0] = reg;
	ioapics[i].regs[4] = v;
}

/* An I/O APIC is mapped when the first line of it is asked for: most boots need one or none. */
static bool ioapic_open(unsigned i)
{
	if (ioapics[i].regs)
		return true;
	ioapics[i].regs = arch_map_device(firmware.ioapics[i].address, 32);
	if (!ioapics[i].regs)
		return false;
	ioapics[i].gsi_base = firmware.ioapics[i].gsi_base;
	ioapics[i].nlines = (ioapic_read(i, 1) >> 16 & 0xff) + 1;
	return true;
}

COLD int arch_gsi_route(unsigned gsi, unsigned vector, bool level, bool active_low)
{
	if (vector < VECTOR_FIRST || vector > VECTOR_LAST)
		return -EINVAL;
	for (unsigned i = 0; i < nioapics; i++) {
		u32 line = gsi - firmware.ioapics[i].gsi_base;
		irq_flags_t f;

		if (gsi < firmware.ioapics[i].gsi_base || line > 255 || !ioapic_open(i) || line >= ioapics[i].nlines)
			continue;
		f = spin_lock_irqsave(&irq_lock);
		ioapic_write(i, 0x10 + 2 * line, REDIR_MASKED);
		ioapic_write(i, 0x11 + 2 * line, arch_cpu0.apic_id << 24);
		ioapic_write(i, 0x10 + 2 * line, vector | (level ? REDIR_LEVEL : 0) | (active_low ? REDIR_ACTIVE_LOW : 0));
		spin_unlock_irqrestore(&irq_lock, f);
		return 0;
	}
	return -ENODEV;
}

void arch_irq_init(void)
{
	arch_out8(0x21, 0xff);          /* the old controllers, if there are any: all lines masked */
	arch_out8(0xa1, 0xff);
	if (!firmware.nioapics && !firmware.acpi)
		firmware_add_ioapic(IOAPIC_DEFAULT, 0);
	nioapics = firmware.nioapics;
	lapic_init_boot();
	lapic_init_cpu(&arch_cpu0);
}
