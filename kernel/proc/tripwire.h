/*
 * tripwire.h - events: what the program tried and must not, told to the host as one JSON object in one
 * `event` line of the control port (shared/bootconf.h).
 *
 * At most EVENT_BURST at once and EVENT_PER_SEC on average; what is dropped is counted and said in the next
 * event ("dropped"). Keys: time, event, call, args, pc, action, seq. May sleep.
 */
#ifndef PROC_TRIPWIRE_H
#define PROC_TRIPWIRE_H

#include "base/types.h"
#include "base/counter.h"

#define EVENT_BURST   50u
#define EVENT_PER_SEC 10u

/* event: "refused-call", "refused-identity", "refused-mapping", ...; call: the system call's name; action: "refused". */
void tripwire_report(const char *event, const char *call, const u64 *args, unsigned nargs, u64 pc, const char *action);
/* All events so far, also the dropped ones. */
u64 tripwire_count(void);
COUNTER_DECLARE(tripwire_dropped);

#endif
