/*
 * desc.c - descriptor tables of each CPU: GDT, TSS, the shared IDT, and the registers of SYSCALL.
 * Intel SDM 3A, chapters 5 to 8; AMD APM 2, 6.1.
 */
#include "arch/x86_64/cpu.h"

#define GDT_CODE64  0x00af9b000000ffffull
#define GDT_DATA    0x00cf93000000ffffull
#define GDT_UDATA   0x00cff3000000ffffull
#define GDT_UCODE64 0x00affb000000ffffull

#define GATE_INTERRUPT 0x8e
#define GATE_USER 0x60

struct gate {
	u16 offset0, selector;
	u8 ist, type;
	u16 offset1;
	u32 offset2, reserved;
};
static struct gate idt[256] RO_AFTER_INIT_ZERO;
extern char irq_stubs[];

static ALWAYS_INLINE void gate_set(struct gate *g, uintptr_t to, u8 type)
{
	*g = (struct gate){
		.offset0 = (u16)to, .selector = SEL_KERNEL_CS, .type = type, .offset1 = (u16)(to >> 16), .offset2 = (u32)(to >> 32),
	};
}

void desc_init_idt(void)
{
	for (unsigned i = 0; i < 32; i++)
		gate_set(&idt[i], (uintptr_t)trap_stubs + TRAP_STUB_LEN * i, GATE_INTERRUPT);
	for (unsigned i = 0; i < 256 - 32; i++)
		gate_set(&idt[32 + i], (uintptr_t)irq_stubs + i / IRQ_GROUP * IRQ_GROUP_LEN + i % IRQ_GROUP * IRQ_STUB_LEN, GATE_INTERRUPT);
	idt[3].type = idt[4].type = GATE_INTERRUPT | GATE_USER;        /* int3, into */
	idt[2].ist = IST_NMI;
	idt[8].ist = IST_DF;
	idt[18].ist = IST_MC;
}

void desc_init_cpu(struct arch_cpu *c, const u64 ist_top[3])
{
	u64 tss = (u64)&c->tss;
	struct x86_table_ptr p;

	c->gdt[SEL_KERNEL_CS / 8] = GDT_CODE64;
	c->gdt[SEL_KERNEL_DS / 8] = GDT_DATA;
	c->gdt[SEL_USER32_CS / 8] = 0;          /* there is no way into 32-bit code, whose SYSCALL would take another door */
	c->gdt[SEL_USER_DS / 8] = GDT_UDATA;
	c->gdt[SEL_USER_CS / 8] = GDT_UCODE64;
	c->gdt[SEL_TSS / 8] = (sizeof(struct tss) - 1) | (tss & 0xffffff) << 16 | 0x89ull << 40 | (tss >> 24 & 0xff) << 56;
	c->gdt[SEL_TSS / 8 + 1] = tss >> 32;
	c->gdt[SEL_CPU / 8] = 0x0040f50000000000ull | c->id;   /* data, read-only, ring 3; the limit is the number */
	for (unsigned i = 0; i < 3; i++)
		c->tss.ist[i] = ist_top[i];
	c->tss.rsp0 = c->kernel_sp;
	c->tss.iomap_base = sizeof(struct tss);

	p = (struct x86_table_ptr){ sizeof(c->gdt) - 1, (u64)c->gdt };
	x86_lgdt(&p);
	x86_ltr(SEL_TSS);
	p = (struct x86_table_ptr){ sizeof(idt) - 1, (u64)idt };
	x86_lidt(&p);

	x86_wrmsr(MSR_STAR, (u64)SEL_USER32_CS << 48 | (u64)SEL_KERNEL_CS << 32);
	x86_wrmsr(MSR_LSTAR, (u64)syscall_entry);
	x86_wrmsr(MSR_SFMASK, RFLAGS_IF | RFLAGS_TF | RFLAGS_DF | RFLAGS_AC | RFLAGS_NT | RFLAGS_IOPL | RFLAGS_RF);
	if (cpu_features.rdtscp)
		x86_wrmsr(MSR_TSC_AUX, c->id);
}
