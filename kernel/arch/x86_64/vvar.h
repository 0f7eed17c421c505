/*
 * vvar.h - the page that kernel and vDSO share: read-only for the program, directly below the vDSO's image.
 */
#ifndef ARCH_X86_64_VVAR_H
#define ARCH_X86_64_VVAR_H

#include "base/types.h"

/* The clocks whose time follows from the counter, by Linux's numbers. 2 and 3 are processor times. */
#define VVAR_CLOCKS   8
#define VVAR_REAL     0
#define VVAR_MONO     1
#define VVAR_IS_REAL(clock) ((clock) == 0 || (clock) == 5)
#define VVAR_IS_CALL(clock) ((clock) == 2 || (clock) == 3)
#define VVAR_CALL     (1ull << 63)  /* a base that makes a time which cannot be: make the system call */

struct vvar {
	u64 base_ns[VVAR_CLOCKS];
	u64 base_tsc;
	u64 mult;                /* ns = base_ns + ((tsc - base_tsc) * mult >> 32) */
	u32 seq;                 /* odd while the kernel writes */
};

#endif
