/*
 * start.c - the boot in C: read what the loader left, choose addresses, relocate, map, switch.
 * See boot.h for the rules of this code.
 */
#include "boot/boot.h"
#include "arch/x86_64/asm.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/layout.h"

struct boot_info boot_info RO_AFTER_INIT_ZERO;
struct arch_layout arch_layout RO_AFTER_INIT_ZERO;
extern u64 boot_entry_tsc;
extern u64 boot_pml4[];

/* COM1, and the debug port of hypervisors without a UART. */
static void boot_putc(char c)
{
	__asm__ volatile("outb %0, %1" : : "a"((u8)c), "d"((u16)0x3f8));
	__asm__ volatile("outb %0, %1" : : "a"((u8)c), "d"((u16)0xe9));
}

NORETURN void boot_fail(const char *why)
{
	static const char prefix[] = "pith: cannot boot: ";
	const struct x86_table_ptr none = { 0, 0 };

	for (const char *p = prefix; *p; p++)
		boot_putc(*p);
	for (; *why; why++)
		boot_putc(*why);
	boot_putc('\n');
	/* A reset, as at the end of a panic: the host learns that it is over. */
	__asm__ volatile("outb %0, %1" : : "a"((u8)0xfe), "d"((u16)0x64));
	x86_lidt(&none);
	for (;;)
		__asm__ volatile("int3");
}

void *boot_phys(u64 pa, u64 len)
{
	if (pa == 0 || pa >= BOOT_IDENTITY_END || len > BOOT_IDENTITY_END - pa)
		return NULL;
	return (void *)pa;
}

void boot_copy_cmdline(phys_t pa, u64 max_len)
{
	const char *s = boot_phys(pa, 1);
	unsigned i = 0;

	if (!s)
		return;
	max_len = MIN(max_len, BOOT_IDENTITY_END - pa);
	for (; i < BOOT_CMDLINE_MAX - 1 && i < max_len && s[i]; i++)
		boot_info.cmdline[i] = s[i];
	boot_info.cmdline[i] = '\0';
}

u64 boot_start(phys_t loader_data, enum boot_protocol protocol)
{
	u64 image = (u64)__kernel_start;

	boot_info.entry_tsc = boot_entry_tsc;
	boot_info.kernel_start = image;
	boot_info.kernel_end = (u64)__kernel_end;
	arch_layout.image_pa = image;
	arch_layout.image_len = (u64)(__kernel_end - __kernel_start);
	arch_layout.boot_pml4 = (u64)boot_pml4;

	if (protocol == BOOT_PVH)
		boot_read_pvh(loader_data);
	else
		boot_read_linux64(loader_data);
	boot_map_finish();
	boot_seed_init();
	boot_build_tables();
	boot_map_seal();
	boot_apply_alternatives();
	boot_relocate(arch_layout.image_va);
	arch_cpu0.canary = boot_random() & ~0xffull;   /* a zero byte stops string functions */
	arch_cpu0.kernel_sp = arch_layout.stack_top;

	x86_write_cr3(arch_layout.pml4);
	return arch_layout.image_va + ((u64)arch_enter - image);
}
