/*
 * host.h - what unit tests may ask of the host's arch: see host.c.
 */
#ifndef ARCH_HOST_H
#define ARCH_HOST_H

#include "arch/arch.h"

#define HOST_STACK (256 * KiB)

/* Start the scheduler with the test's own context as its first thread. Harmless when started. */
void host_sched_start(void);
/* Called instead of aborting when the CPU idles: a test's fake device makes progress here. NULL: none. */
extern void (*host_idle_hook)(void);
void host_clock_advance(u64 ns);
/* Device memory and interrupts, for tests with a fake device behind registers; NULL: there are none. */
struct host_machine {
	volatile void *(*map_device)(phys_t pa, size_t len);
	int (*vector_alloc)(arch_irq_handler handler, void *arg, unsigned *ret_vector);
	void (*relax)(void);         /* somebody polls */
};
extern const struct host_machine *host_machine;
/* What arch_cpu_count says: for what sizes itself by it while it is set up. Everything runs on CPU 0. */
extern unsigned host_cpus;
/* RAM of the machine; a test may set it in a constructor of higher priority. */
extern size_t host_ram_bytes;
/* Forget every mapping of the program. */
void host_user_reset(void);
u64 host_user_mapped_pages(void);

#endif
