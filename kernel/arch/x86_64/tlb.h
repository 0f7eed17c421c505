/* tlb.h - dropping cached translations on every CPU. The program's range: arch_tlb_flush in arch.h. */
#ifndef ARCH_X86_64_TLB_H
#define ARCH_X86_64_TLB_H

#include "base/types.h"

/* Everything but global (kernel) translations, and all cached ways to tables, on every CPU. */
void tlb_flush_all(void);
/* Kernel pages [va, va + len), on every CPU. */
void tlb_flush_kernel(uintptr_t va, size_t len);

#endif
