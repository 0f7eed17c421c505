/*
 * host.c - arch.h for unit tests: kernel sources as a host program under the sanitizers.
 *
 * One CPU. Threads are ucontexts on malloc'ed stacks. Time is virtual: each look at the clock moves
 * it by 100 ns, and idling jumps to the armed deadline, so tests with time-outs end at once and runs
 * repeat. "Interrupts" are the timer and what a test injects; they are delivered while idling and
 * when the mask is lifted. If the CPU idles with nothing armed, the test has deadlocked: abort.
 *
 * RAM is an anonymous mapping of host_ram_bytes; physical address 0 is its first byte plus 1 MiB.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <ucontext.h>

#include "arch/boot_info.h"
#include "arch/host/host.h"
#include "base/errno.h"
#include "base/log.h"
#include "base/string.h"
#include "mm/page.h"
#include "sched/thread.h"

#define RAM_BASE MiB

struct boot_info boot_info;
struct arch_hooks arch_hooks;
size_t host_ram_bytes = 256 * MiB;
void (*host_idle_hook)(void);

static u8 *ram;
static bool irq_on;
static struct thread *current;
static void *own_sched;
static u64 now_ns = NSEC_PER_SEC, deadline = UINT64_MAX, real_offset = 1700000000ull * NSEC_PER_SEC;

static NORETURN void host_panic(const char *message)
{
	fprintf(stderr, "panic: %s\n", message);
	abort();
}

static void host_sink(const char *line, size_t len)
{
	if (getenv("PITH_TEST_VERBOSE"))
		fwrite(line, 1, len, stderr);
}

/* Before main: RAM and pages are there for every test. */
__attribute__((constructor)) static void host_start(void)
{
	ram = mmap(NULL, host_ram_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (ram == MAP_FAILED)
		abort();
	boot_info.ram[0] = (struct boot_range){ RAM_BASE, host_ram_bytes };
	boot_info.nram = 1;
	boot_info.ram_top = RAM_BASE + host_ram_bytes;
	log_panic_handler = host_panic;
	log_set_sink(host_sink);
	page_init();
}

/* Tests that sleep call this once. */
void host_sched_start(void)
{
	if (current)
		return;
	arch_hooks.timer = sched_on_timer;
	arch_hooks.kick = sched_on_kick;
	sched_init();
	irq_on = true;
}

unsigned arch_cpu_id(void) { return 0; }
unsigned host_cpus = 1;
unsigned arch_cpu_count(void) { return host_cpus; }
struct thread *arch_current(void) { return current; }
const struct host_machine *host_machine;

/* The virtual clock: who waits in a loop sees time pass. */
void arch_cpu_relax(void)
{
	now_ns += 1000;
	if (host_machine && host_machine->relax)
		host_machine->relax();
}
void arch_cpu_kick(unsigned cpu) {}
bool arch_irq_enabled(void) { return irq_on; }

static void deliver_timer(void)
{
	if (deadline > now_ns || !arch_hooks.timer)
		return;
	deadline = UINT64_MAX;
	irq_on = false;
	arch_hooks.timer();
	irq_on = true;
}

irq_flags_t arch_irq_save(void)
{
	irq_flags_t f = irq_on ? ARCH_IRQ_ON : 0;
	irq_on = false;
	return f;
}

void arch_irq_restore(irq_flags_t flags)
{
	irq_on = flags & ARCH_IRQ_ON;
	if (irq_on)
		deliver_timer();
}

void arch_cpu_idle(void)
{
	if (host_idle_hook)
		host_idle_hook();
	else if (deadline == UINT64_MAX)
		host_panic("every thread sleeps and no timer is armed");
	if (deadline != UINT64_MAX)
		now_ns = MAX(now_ns, deadline);
	irq_on = true;
	deliver_timer();
	irq_on = false;
}

u64 arch_clock_mono_ns(void) { return now_ns += 100; }
u64 arch_clock_real_offset_ns(void) { return real_offset; }
void arch_clock_set_real_offset(u64 offset_ns) { real_offset = offset_ns; }
void arch_timer_arm(u64 deadline_ns) { deadline = deadline_ns; }
void host_clock_advance(u64 ns) { now_ns += ns; }

/* ---- Threads ---- */

struct host_thread {
	ucontext_t context;
	void (*entry)(void *);
	void *arg;
};

static void trampoline(unsigned hi, unsigned lo)
{
	struct host_thread *h = (void *)((uintptr_t)hi << 32 | lo);
	h->entry(h->arg);
	host_panic("a thread's entry returned");
}

void arch_thread_init(struct arch_thread *t, uintptr_t stack_top, void (*entry)(void *), void *arg)
{
	struct host_thread *h = calloc(1, sizeof *h);
	if (!h)
		abort();
	h->entry = entry;
	h->arg = arg;
	getcontext(&h->context);
	h->context.uc_stack.ss_sp = (void *)(stack_top - HOST_STACK);
	/* The program's registers lie at the top (arch_user_regs). */
	h->context.uc_stack.ss_size = HOST_STACK - ROUND_UP(sizeof(struct user_regs), 64);
	uintptr_t p = (uintptr_t)h;
	makecontext(&h->context, (void (*)(void))(uintptr_t)trampoline, 2, (unsigned)(p >> 32), (unsigned)p);
	t->host = h;
	t->stack_top = stack_top;
}

int arch_thread_init_user(struct arch_thread *t) { return 0; }
void arch_thread_destroy(struct arch_thread *t) { free(t->host); }

void *arch_cpu_sched(void) { return own_sched; }
void arch_thread_adopt(struct thread *t, struct arch_thread *a, void *sched)
{
	current = t;
	own_sched = sched;
	a->host = calloc(1, sizeof(struct host_thread));
	if (!a->host)
		abort();
}

void arch_thread_switch(struct arch_thread *pa, struct thread *next, struct arch_thread *na)
{
	struct host_thread *p = pa->host, *n = na->host;
	current = next;
	swapcontext(&p->context, &n->context);
}

uintptr_t arch_kstack_alloc(void)
{
	void *s = malloc(HOST_STACK);
	return s ? (uintptr_t)s + HOST_STACK : 0;
}
void arch_kstack_free(uintptr_t top) { free((void *)(top - HOST_STACK)); }

/* ---- Memory ---- */

void *arch_phys_to_virt(phys_t pa)
{
	ASSERT(pa >= RAM_BASE && pa < RAM_BASE + host_ram_bytes);
	return ram + (pa - RAM_BASE);
}
phys_t arch_virt_to_phys(const void *p) { return (phys_t)((const u8 *)p - ram) + RAM_BASE; }
volatile void *arch_map_device(phys_t pa, size_t len) { return host_machine ? host_machine->map_device(pa, len) : NULL; }
void arch_seal(void) {}

unsigned arch_random_seed(u8 buf[32])
{
	memset(buf, 0x5a, 32);
	return 256;
}
void arch_machine_off(void) { exit(0); }

/* ---- Interrupts and ports: none here; drivers are tested against fake devices. ---- */

int arch_vector_alloc(arch_irq_handler handler, void *arg, unsigned *ret_vector)
{
	return host_machine ? host_machine->vector_alloc(handler, arg, ret_vector) : -ENOSPC;
}
void arch_msi_message(unsigned vector, unsigned cpu, u64 *ret_address, u32 *ret_data)
{
	*ret_address = 0;
	*ret_data = vector;
}
int arch_gsi_route(unsigned gsi, unsigned vector, bool level, bool active_low) { return -ENODEV; }
u8 arch_in8(u16 port) { return 0xff; }
u16 arch_in16(u16 port) { return 0xffff; }
u32 arch_in32(u16 port) { return 0xffffffff; }
void arch_out8(u16 port, u8 v) {}
void arch_out16(u16 port, u16 v) {}
void arch_out32(u16 port, u32 v) {}

/* ---- User mode: registers only ---- */

void arch_user_enter(void) { host_panic("user mode on the host"); }
void arch_user_set_full_exit(void) {}
void arch_user_regs_sanitize(struct user_regs *r) {}
void arch_user_set_fs_base(u64 base) {}
void arch_user_set_gs_base(u64 base) {}
u64 arch_user_fs_base(void) { return 0; }
u64 arch_user_gs_base(void) { return 0; }
size_t arch_fpu_frame_size(void) { return 512; }
static u8 fpu_frame[512];
const void *arch_fpu_frame(void) { return fpu_frame; }
void *arch_fpu_frame_begin(void) { return fpu_frame; }
int arch_fpu_frame_end(size_t len) { return 0; }
bool arch_fpu_user_save(uintptr_t va) { return false; }
bool arch_fpu_user_load(uintptr_t va) { return false; }
const void *arch_vdso_image(size_t *ret_len);
const void *arch_vdso_image(size_t *ret_len)
{
	*ret_len = 0;
	return NULL;
}
phys_t arch_vvar_page(void);
phys_t arch_vvar_page(void) { return 0; }
u32 arch_hwcap(void) { return 1u << 26; }
u32 arch_hwcap2(void) { return 0; }
bool arch_crc32c(u32 *crc, const void *data, size_t len) { return false; }
bool arch_sha256_blocks(u32 state[8], const void *data, size_t n) { return false; }
