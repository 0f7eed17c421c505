/* calibrate.h - how fast the time-stamp counter runs, and what time it is. */
#ifndef ARCH_X86_64_CALIBRATE_H
#define ARCH_X86_64_CALIBRATE_H

#include "base/types.h"

/* kHz, never 0. What the hypervisor or the CPU states, else the hint if it holds (some microseconds), else measured (a fifth of a millisecond). */
u64 calibrate_tsc_khz(u64 hint_khz);
/* When the counter passes this, calibrate_refine wants to be called (with interrupts masked, on one CPU at a time): the rate, measured better. */
extern u64 calibrate_refine_tsc;
u64 calibrate_refine(u64 khz);
/* ns since 1970: kvmclock, else the hint, else the RTC, else 0. */
u64 calibrate_real_time_ns(u64 hint_ns);

#endif
