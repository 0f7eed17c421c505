/*
 * firmware.h - what the machine's tables say (ACPI static tables, else the MP table), collected once by arch_init.
 * Everything in it comes from outside: numbers were range-checked, addresses were not visited.
 */
#ifndef ARCH_X86_64_FIRMWARE_H
#define ARCH_X86_64_FIRMWARE_H

#include "arch/arch.h"

#define FIRMWARE_MAX_IOAPICS 8u

struct firmware_gas {            /* ACPI generic address: where a register lies */
	u8 space;                /* 0 memory, 1 port */
	u64 address;
};
struct firmware {
	bool acpi, mptable;
	phys_t lapic;
	u32 apic_ids[ARCH_MAX_CPUS];     /* usable CPUs, the boot CPU among them */
	unsigned ncpus;
	struct {
		phys_t address;
		u32 gsi_base;
	} ioapics[FIRMWARE_MAX_IOAPICS];
	unsigned nioapics;
	phys_t hpet;
	u16 pm_timer;                    /* port, 0 = none */
	u16 pm1a_control;                /* port for S5, 0 = none */
	u8 century_register;             /* of the RTC, 0 = none */
	bool hw_reduced, no_rtc, no_8042;
	struct firmware_gas reset, sleep_control;
	u8 reset_value;
	phys_t generation;               /* 16 bytes, 0: none */
	phys_t dsdt, mcfg;               /* mcfg: base of configuration space of segment 0 */
	u8 mcfg_bus_start, mcfg_bus_end;
};
extern struct firmware firmware;

/* acpi.c: true if the tables were there and had a MADT. Needs the one-to-one map of the boot. */
bool acpi_read(phys_t rsdp);
/* mptable.c: the same for Intel's MultiProcessor Specification 1.4. */
bool mptable_read(void);
/* Bytes of physical memory below 4 GiB in the boot's one-to-one map; NULL if the range is not below. */
const void *firmware_bytes(u64 pa, u64 len);
void firmware_add_cpu(u32 apic_id);
void firmware_add_ioapic(phys_t address, u32 gsi_base);
/* The SLP_TYP of S5 from the DSDT (maps it); false if it cannot be found. */
bool acpi_s5_type(u8 *ret_type);

#endif
