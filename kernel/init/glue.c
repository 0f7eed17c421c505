/*
 * glue.c - what lower rooms call above them: arch takes memory from mm/ and tells sched/ of its timer; a panic
 * reaches the host through dev/'s ports. Also the seeding of the random generator.
 */
#include "arch/arch.h"
#include "base/link.h"
#include "base/print.h"
#include "base/string.h"
#include "dev/port.h"
#include "init/init.h"
#include "mm/heap.h"
#include "mm/page.h"
#include "proc/process.h"
#include "proc/tripwire.h"
#include "sched/random.h"
#include "sched/thread.h"
#include "shared/bootconf.h"

#define RANDOM_WAIT_NS (5 * NSEC_PER_SEC)
#define RANDOM_POLL_NS (1 * NSEC_PER_MSEC)

static phys_t table_page_alloc(bool zero)
{
	struct page *p = page_alloc(0, zero ? PAGE_ZERO | PAGE_FOR(PAGE_KIND_TABLE) : PAGE_FOR(PAGE_KIND_STACK));

	return p ? page_to_phys(p) : 0;
}
static void table_page_free(phys_t pa) { page_free(phys_to_page(pa), 0); }

void glue_memory(void)
{
	arch_memory_ops = (struct arch_memory_ops){
		.page_alloc = table_page_alloc, .page_free = table_page_free,
		.alloc = heap_alloc, .free = heap_free, .random_u64 = random_u64,
	};
}

static void panic_line(const char *line, size_t len) { port_write_panic(PITH_PORT_LOG, line, len); }

static void panic_end(const char *message)
{
	char line[512];
	int n = tripwire_panic(line, sizeof(line), message);

	if ((size_t)n < sizeof(line))
		port_write_panic(PITH_PORT_CTL, line, (size_t)n);
	n = fmt_buf(line, sizeof(line), "panic %s\n", message);

	if ((size_t)n >= sizeof(line)) {
		n = sizeof(line) - 1;
		line[n - 1] = '\n';
	}
	port_write_panic(PITH_PORT_CTL, line, (size_t)n);
}

void glue_cpus_start(void)
{
	arch_smp_start(sched_start_cpu);
}

LINK_SLOT_OF(glue_cpus_start);
static __typeof__(&glue_cpus_start) const volatile cpus_start RO_AFTER_INIT = LINK_SLOT(glue_cpus_start);

void glue_cpus(void)
{
	if (cpus_start)
		cpus_start();
}

void glue_hooks(void)
{
	arch_hooks.timer = sched_on_timer;
	arch_hooks.kick = sched_on_kick;
	arch_hooks.panic_line = panic_line;
	arch_hooks.panic_end = panic_end;
}

void glue_seed(struct bootconf *c)
{
	u8 cpu[32];
	unsigned bits = arch_random_seed(cpu);

	random_mix(cpu, sizeof(cpu), bits);
	if (c->seed_len)
		random_mix(c->seed, c->seed_len, c->seed_len * 8);
	memset(cpu, 0, sizeof(cpu));
	memset(c->seed, 0, sizeof(c->seed));
}

void glue_wait_random(void)
{
	u64 deadline = arch_clock_mono_ns() + RANDOM_WAIT_NS;

	random_watch(arch_generation());
	while (!random_ready()) {
		if (arch_clock_mono_ns() > deadline)
			process_cannot_run(126, "no randomness: the CPU has no generator, and neither virtio-rng nor a seed is there");
		(void)sched_sleep_until(arch_clock_mono_ns() + RANDOM_POLL_NS, false);
	}
}

typedef int (*init_fn)(void);
LINK_TABLE(init_fn, init);

int glue_init_calls(void)
{
	int r = 0;

	for (const init_fn *LINK_EACH(fn, init))
		if (!r)
			r = (*fn)();
	return r;
}
