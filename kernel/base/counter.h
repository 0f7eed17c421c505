/*
 * counter.h - named counters for what the outside did wrong (and for statistics).
 * COUNTER(name) defines one; counter_bump(name) is atomic and may be called anywhere.
 */
#ifndef BASE_COUNTER_H
#define BASE_COUNTER_H

#include "base/types.h"

#define COUNTER(name)        u64 counter_##name
#define COUNTER_DECLARE(name) extern u64 counter_##name
#define counter_bump(name)   ((void)__atomic_fetch_add(&counter_##name, 1, __ATOMIC_RELAXED))
#define counter_read(name)   __atomic_load_n(&counter_##name, __ATOMIC_RELAXED)

#endif
