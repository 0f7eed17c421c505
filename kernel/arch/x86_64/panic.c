/*
 * panic.c - the kernel's own failure: registers and a backtrace for the host, which turns offsets into names.
 *
 * No absolute kernel address leaves the kernel (the layout is secret): values inside the image are printed as
 * [kernel+0x...], inside the direct map as (ram+...), other upper-half values as (hidden).
 * Nothing here waits for a lock or allocates; it may run on an exception stack with interrupts masked.
 */
#include "arch/x86_64/panic.h"
#include "arch/boot_info.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/layout.h"
#include "base/log.h"
#include "base/print.h"
#include "base/string.h"

#define COM1 0x3f8u
#define DEBUG_PORT 0xe9u                /* the console of hypervisors without a UART: Xen, Bochs, QEMU's isa-debugcon */
#define BACKTRACE_MAX 24u
#define FUNCTION_MAX 8192u              /* bytes of the longest function, and more */

static bool earlycon RO_AFTER_INIT;
static u32 panicking;                   /* atomic: the CPU that came in first, plus one */
static const struct user_regs *fault_regs;

/* Works always, and with one CPU's instructions alone; nobody may be there to read it. */
static void debug_write(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		arch_out8(DEBUG_PORT, (u8)line[i]);
}

void earlycon_write(const char *line, size_t len)
{
	if (!earlycon)
		return;
	debug_write(line, len);
	for (size_t i = 0; i < len; i++) {
		for (unsigned spin = 0; spin < 1000 && !(arch_in8(COM1 + 5) & 0x20); spin++)
			arch_cpu_relax();
		arch_out8(COM1, (u8)line[i]);
	}
}

static void out(const char *fmt, ...) PRINTF_LIKE(1, 2);
static void out(const char *fmt, ...)
{
	char line[160];
	va_list ap;

	va_start(ap, fmt);
	fmt_vbuf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (!earlycon)
		debug_write(line, strlen(line));
	earlycon_write(line, strlen(line));
	if (arch_hooks.panic_line)
		arch_hooks.panic_line(line, strlen(line));
}

/* v as text that tells nothing about the layout. */
static const char *show(u64 v, char buf[32])
{
	if (v - arch_layout.image_va < arch_layout.image_len)
		fmt_buf(buf, 32, "[kernel+0x%llx]", (unsigned long long)(v - arch_layout.image_va));
	else if (v - arch_direct_base < boot_info.ram_top)
		fmt_buf(buf, 32, "(ram+0x%llx)", (unsigned long long)(v - arch_direct_base));
	else if (v >> 47 == 0)
		fmt_buf(buf, 32, "0x%llx", (unsigned long long)v);
	else if (v >= (u64)-4096)
		fmt_buf(buf, 32, "%lld", (long long)v);
	else
		fmt_buf(buf, 32, "(hidden)");
	return buf;
}

/* Text that stays: what only the boot runs is unmapped by arch_seal. */
static bool is_text(u64 v) { return v - (u64)__boot_text_end < (u64)(__text_end - __boot_text_end); }

/* True if the word at p may be read: on this stack, which ends at a known top. */
static bool stack_ok(u64 p, u64 low)
{
	u64 top = this_cpu()->kernel_sp;

	/* Exception stacks are short: stay within the page that we are on. */
	return (p < top && p >= top - ARCH_KSTACK_SIZE) || ROUND_DOWN(p, PAGE_SIZE) == ROUND_DOWN(low, PAGE_SIZE);
}

/* Whom does the call that ends at v call? 0: it is no call; 1: by a pointer. */
static u64 call_target(u64 v)
{
	const u8 *code = (const u8 *)v;

	if (!is_text(v) || !is_text(v - 8))
		return 0;
	if (code[-5] == 0xe8) {
		s32 distance;
		memcpy(&distance, code - 4, sizeof(distance));
		if (is_text(v + (u64)(s64)distance))
			return v + (u64)(s64)distance;
	}
	for (int i = 2; i < 8; i++)
		if (code[-i] == 0xff && (code[-i + 1] & 0x38) == 0x10)
			return 1;
	return 0;
}

/*
 * The kernel has no frame pointers: who called whom is read off the stack. A word is a return address if it lies behind a
 * call; it is surely the next one if that calls the function we are in (one that begins at most FUNCTION_MAX before pc).
 * Others may be left from earlier calls and get a question mark, but after a call by a pointer or a tail call they are right.
 */
static void say_callers(u64 sp, u64 pc)
{
	u64 sure = pc, last = pc, low = sp = ROUND_UP(sp, 8);

	for (unsigned n = 0; n < BACKTRACE_MAX && stack_ok(sp, low); sp += 8) {
		u64 v = *(const u64 *)sp, to = call_target(v);

		if (!to)
			continue;
		bool next = sure - to < FUNCTION_MAX || last - to < FUNCTION_MAX;
		last = v;
		if (next)
			sure = v;
		out("  %s[kernel+0x%llx]\n", next ? "" : "? ", (unsigned long long)(v - arch_layout.image_va));
		n++;
	}
}

static void print_regs(const struct user_regs *r)
{
	static const char names[][4] = { "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp",
					 "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15" };
	const u64 v[] = { r->rax, r->rbx, r->rcx, r->rdx, r->rsi, r->rdi, r->rbp, r->rsp,
			  r->r8, r->r9, r->r10, r->r11, r->r12, r->r13, r->r14, r->r15 };
	char a[32], b[32], c[32], d[32];

	for (unsigned i = 0; i < 16; i += 4)
		out("  %-3s %-22s %-3s %-22s %-3s %-22s %-3s %s\n", names[i], show(v[i], a), names[i + 1], show(v[i + 1], b),
		    names[i + 2], show(v[i + 2], c), names[i + 3], show(v[i + 3], d));
}

static NORETURN void panic_handler(const char *message)
{
	u32 first = 0, me = arch_cpu_id() + 1;

	x86_cli();
	if (!__atomic_compare_exchange_n(&panicking, &first, me, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		if (first == me) {
			static const char again[] = "panic: and again in its report\n";

			debug_write(again, sizeof(again) - 1);
			machine_off_at_once();
		}
		for (;;)                                /* another CPU speaks */
			x86_hlt();
	}
	machine_stop_others();
	out("panic: %s\n", message);
	if (fault_regs) {
		char a[32];

		out("  at %s, flags 0x%llx, cpu %u\n", show(fault_regs->rip, a), (unsigned long long)fault_regs->rflags, arch_cpu_id());
		print_regs(fault_regs);
		say_callers(fault_regs->rsp, fault_regs->rip);
	} else {
		say_callers((u64)__builtin_frame_address(0), (u64)panic_handler);
	}
	if (arch_hooks.panic_end)
		arch_hooks.panic_end(message);
	machine_off_at_once();
}

/* A present page of the program that the kernel tried to run, or touched outside a user copy. */
static const char *fault_name(unsigned vector, u64 error, u64 va)
{
	if (vector != 14 || !(error & 1) || va >= ARCH_USER_TOP)
		return "exception";
	return error & 16 ? "SMEP: exception" : "SMAP: exception";
}

NORETURN void panic_fault(const struct user_regs *regs, unsigned vector, u64 error, u64 va)
{
	char a[32], b[32];

	fault_regs = regs;
	panic("%s %u (error 0x%llx, address %s) in the kernel at %s", fault_name(vector, error, va), vector, (unsigned long long)error, show(va, a),
	      show(regs->rip, b));
}

/* The compiler's call when a function finds its canary changed. */
NORETURN void __stack_chk_fail(void);
NORETURN void __stack_chk_fail(void) { panic("stack canary changed"); }

void panic_init(void)
{
	const char *p = boot_info.cmdline;

	for (; *p; p++)
		if ((p == boot_info.cmdline || p[-1] == ' ') && str_has_prefix(p, "earlycon"))
			earlycon = true;
	log_panic_handler = panic_handler;
	if (earlycon)
		log_set_sink(earlycon_write);
}
