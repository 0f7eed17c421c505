/*
 * relocate.c - apply the image's relative relocations for its virtual base, and the instruction alternatives.
 * The formats: ELF gABI, "Relocation" (RELA and RELR). The image is linked at 0 and holds nothing else
 * (ld -z text, no symbols to resolve), so an unknown type cannot come from outside: it is a broken build.
 */
#include "boot/boot.h"
#include "arch/x86_64/alternative.h"
#include "arch/x86_64/asm.h"
#include "arch/x86_64/layout.h"

#define R_X86_64_RELATIVE 8

struct rela {
	u64 offset, info;
	s64 addend;
};
extern const struct rela __rela_start[], __rela_end[];
extern const u64 __relr_start[], __relr_end[];
extern const struct alternative __alt_start[], __alt_end[];

void boot_relocate(u64 virtual_base)
{
	char *image = __kernel_start;
	u64 *where = NULL;

	for (const struct rela *r = __rela_start; r < __rela_end; r++) {
		if ((u32)r->info != R_X86_64_RELATIVE)
			boot_fail("unknown relocation in the kernel image");
		*(u64 *)(image + r->offset) = virtual_base + (u64)r->addend;
	}
	/* An even entry is an address; an odd one is a bitmap of the 63 words that follow the last address. */
	for (const u64 *r = __relr_start; r < __relr_end; r++) {
		u64 entry = *r;

		if (!(entry & 1)) {
			where = (u64 *)(image + entry);
			*where++ += virtual_base;
			continue;
		}
		for (u64 bits = entry >> 1; bits; bits &= bits - 1)
			where[__builtin_ctzll(bits)] += virtual_base;
		where += 63;
	}
}

void boot_apply_alternatives(void)
{
	bool smap = x86_cpuid(0, 0).eax >= 7 && (x86_cpuid(7, 0).ebx & (1u << 20));

	if (!smap)
		return;
	for (const struct alternative *a = __alt_start; a < __alt_end; a++) {
		u8 *to = (u8 *)a + a->where;

		for (unsigned i = 0; i < a->len; i++)
			to[i] = a->bytes[i];
	}
}
