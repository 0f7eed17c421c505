/*
 * smp.c - starting the other CPUs, one after the other (Intel SDM 3A, 8.4: INIT, start-up IPI).
 *
 * A CPU gets its number when it is about to be started and counts as up (arch_cpu_count) when it runs on the final
 * tables with its own block. If one does not come up in START_TIMEOUT_NS, no more are started: a late one would find
 * the parameters of another.
 */
#include "arch/boot_info.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/firmware.h"
#include "arch/x86_64/layout.h"
#include "base/log.h"
#include "base/string.h"

#define ICR_INIT    0x4500u
#define ICR_STARTUP 0x4600u
#define INIT_DELAY_NS    (200 * NSEC_PER_USEC)
#define SIPI_RETRY_NS    (10 * NSEC_PER_MSEC)
#define START_TIMEOUT_NS (5 * NSEC_PER_SEC)     /* a busy host may be long in giving it a turn */
#define IST_DF_LEN (2 * PAGE_SIZE)
#define IST_NMI_LEN PAGE_SIZE

struct trampoline_params {
	u64 cr3, efer, cpu, stack, entry;
};
extern const char trampoline_start[], trampoline_params[], trampoline_end[];
extern char ap_enter[];
NORETURN void ap_main(struct arch_cpu *c);
static void (*ap_entry)(void) RO_AFTER_INIT;
static const u8 park[] = { 0xfa, 0xf4, 0xeb, 0xfd };    /* cli; 1: hlt; jmp 1b */
static u64 ap_ist[3];                   /* of the CPU that is being started */

NORETURN void ap_main(struct arch_cpu *c)
{
	x86_write_cr3(arch_layout.pml4);
	desc_init_cpu(c, ap_ist);
	features_enable_cpu();
	fpu_init_cpu(false);
	lapic_init_cpu(c);
	if (__atomic_exchange_n(&c->up, true, __ATOMIC_SEQ_CST))
		for (;;)                /* given up by cpu_start */
			__asm__ volatile("cli\n\thlt");
	__atomic_store_n(&arch_ncpus, c->id + 1, __ATOMIC_RELEASE);
	ap_entry();
	__builtin_unreachable();
}

static u64 exception_stack(size_t len)
{
	uintptr_t va = vmap_reserve(len);

	for (size_t off = 0; va && off < len; off += PAGE_SIZE) {
		phys_t pa = arch_memory_ops.page_alloc(false);

		if (!pa || kernel_map(va + off, pa, PAGE_SIZE, PTE_W | arch_layout.nx))
			return 0;
	}
	return va ? va + len : 0;
}

static struct arch_cpu *cpu_new(unsigned id, u32 apic_id)
{
	struct arch_cpu *c = arch_memory_ops.alloc(sizeof(*c));

	if (!c)
		return NULL;
	c->self = c;
	c->id = id;
	c->apic_id = apic_id;
	c->canary = arch_memory_ops.random_u64() & ~0xffull;
	c->timer_deadline_ns = UINT64_MAX;
	c->kernel_sp = arch_kstack_alloc();
	ap_ist[IST_DF - 1] = ap_ist[IST_MC - 1] = exception_stack(IST_DF_LEN);
	ap_ist[IST_NMI - 1] = exception_stack(IST_NMI_LEN);
	return c->kernel_sp && ap_ist[0] && ap_ist[1] ? c : NULL;
}

static void wait_until_up(unsigned id, u64 deadline_ns)
{
	while (arch_cpu_count() <= id && arch_clock_mono_ns() < deadline_ns)
		arch_cpu_relax();
}

static void init_send(const struct arch_cpu *c)
{
	u64 t = arch_clock_mono_ns() + INIT_DELAY_NS;

	lapic_ipi(c->apic_id, ICR_INIT);
	while (arch_clock_mono_ns() < t)
		arch_cpu_relax();
}

static bool cpu_start(struct arch_cpu *c, char *page)
{
	struct trampoline_params *p = (void *)(page + (trampoline_params - trampoline_start));

	*p = (struct trampoline_params){
		.cr3 = arch_layout.boot_pml4, .efer = EFER_LME | EFER_SCE | (arch_layout.nx ? EFER_NXE : 0),
		.cpu = (u64)c, .stack = c->kernel_sp, .entry = (u64)ap_enter,
	};
	arch_cpus[c->id] = c;
	init_send(c);
	lapic_ipi(c->apic_id, ICR_STARTUP | (u32)(arch_layout.ap_page >> PAGE_SHIFT));
	wait_until_up(c->id, arch_clock_mono_ns() + SIPI_RETRY_NS);
	if (arch_cpu_count() <= c->id) {
		lapic_ipi(c->apic_id, ICR_STARTUP | (u32)(arch_layout.ap_page >> PAGE_SHIFT));
		wait_until_up(c->id, arch_clock_mono_ns() + START_TIMEOUT_NS);
	}
	/* The claim of `up`: who made it counts; who did not is sent back to the beginning, and would find `park` there. */
	if (!__atomic_exchange_n(&c->up, true, __ATOMIC_SEQ_CST)) {
		init_send(c);
		return false;
	}
	wait_until_up(c->id, UINT64_MAX);
	return true;
}

void arch_smp_start(void (*entry)(void))
{
	char *page = arch_phys_to_virt(arch_layout.ap_page);
	u64 *boot = (u64 *)(arch_layout.image_va + (arch_layout.boot_pml4 - arch_layout.image_pa));
	const u64 *final = arch_phys_to_virt(arch_layout.pml4);

	if (firmware.ncpus < 2 || !arch_layout.ap_page)
		return;
	ap_entry = entry;
	memcpy(page, trampoline_start, (size_t)(trampoline_end - trampoline_start));
	memcpy(boot + 256, final + 256, 256 * sizeof(u64));
	for (unsigned i = 0; i < firmware.ncpus; i++) {
		struct arch_cpu *c;

		if (firmware.apic_ids[i] == arch_cpu0.apic_id)
			continue;
		c = cpu_new(arch_cpu_count(), firmware.apic_ids[i]);
		if (!c || !cpu_start(c, page)) {
			log_warn("cpu with APIC id %u does not start; going on with %u\n", firmware.apic_ids[i], arch_cpu_count());
			break;
		}
	}
	memcpy(page, park, sizeof(park));
	memset(page + sizeof(park), 0, PAGE_SIZE - sizeof(park));       /* it holds kernel addresses */
}
