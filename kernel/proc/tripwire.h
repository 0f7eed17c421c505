/*
 * tripwire.h - events: what the program tried and must not, told to the host as one JSON object in one
 * `event` line of the control port (shared/bootconf.h).
 *
 * At most EVENT_BURST at once and EVENT_PER_SEC on average; what is dropped is counted and said in the next
 * event ("dropped"). Keys: time, event, call, args, pc, symbol (the function at pc and its file), caller (the same for the
 * likely caller in another file; not always there), action, seq. May sleep: symbols are read from files.
 */
#ifndef PROC_TRIPWIRE_H
#define PROC_TRIPWIRE_H

#include "base/types.h"
#include "base/counter.h"

struct user_regs;

#define EVENT_BURST   50u
#define EVENT_PER_SEC 10u

/*
 * event: "refused-call", "refused-identity", "refused-mapping", ...; call: the system call's name; regs: the program's at the
 * call; action: "refused". No spinlock may be held.
 */
void tripwire_report(const char *event, const char *call, const u64 *args, unsigned nargs, const struct user_regs *regs, const char *action);
/* A volume turned read-only by itself: fs/ calls it (fs_failed_hook). The event has path, what and error in place of call, args and pc. */
struct mount;
void tripwire_volume_failed(const struct mount *m, const char *what, int error);
/*
 * An event that is no call's: facts are further members of the object, as JSON (`"block":1,"offset":4096`). Reads no file, so
 * it may be sent while one is being read.
 */
void tripwire_report_facts(const char *event, const char *facts, const char *action);
/* All events so far, also the dropped ones. */
u64 tripwire_count(void);
COUNTER_DECLARE(tripwire_dropped);

#endif
