/*
 * counter.h - named counters for what the outside did wrong (and for statistics), and gauges: how much there is of something.
 * COUNTER(name) defines a counter; counter_bump(name) is atomic and may be called anywhere. GAUGE(name, read) names a function
 * that tells a present amount; it may be called by any thread, and may sleep. All are listed in /proc/pith/counters.
 */
#ifndef BASE_COUNTER_H
#define BASE_COUNTER_H

#include "base/link.h"
#include "base/types.h"

struct counter {
	const char *name;
	const u64 *value;            /* NULL: read */
	u64 (*read)(void);
};
/* Entries that the link script picks (base/link.h); only who lists them refers to them. */
extern const struct counter __start_pick_counter[], __stop_pick_counter[];
#define COUNTER_LISTED(name) static const struct counter LINK_PICK(counter, name)
#define COUNTER(name)        u64 counter_##name; COUNTER_LISTED(name) counter_entry_##name = { #name, &counter_##name, NULL }
#define GAUGE(name, read)    COUNTER_LISTED(name) gauge_entry_##name = { #name, NULL, read }
#define COUNTER_DECLARE(name) extern u64 counter_##name
#define counter_bump(name)   ((void)__atomic_fetch_add(&counter_##name, 1, __ATOMIC_RELAXED))
#define counter_read(name)   __atomic_load_n(&counter_##name, __ATOMIC_RELAXED)

#endif
