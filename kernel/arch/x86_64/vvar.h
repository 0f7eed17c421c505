/*
 * vvar.h - the page that kernel and vDSO share: read-only for the program, directly below the vDSO's image.
 */
#ifndef ARCH_X86_64_VVAR_H
#define ARCH_X86_64_VVAR_H

#include "base/types.h"

struct vvar {
	u32 seq;                 /* odd while the kernel writes */
	u32 usable;              /* 0: make the system call */
	u64 base_tsc, base_ns;
	u64 mult;                /* ns = base_ns + ((tsc - base_tsc) * mult >> 32) */
	u64 real_offset_ns;      /* real time = that + this */
};

#endif
