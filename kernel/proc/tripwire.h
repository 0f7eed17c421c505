/*
 * tripwire.h - events: what the program tried and must not, told to the host as one JSON object in one
 * `event` line of the control port (shared/bootconf.h).
 *
 * At most EVENT_BURST at once and EVENT_PER_SEC on average; what is dropped is counted and said in the next
 * event ("dropped"), or in one of its own (event "dropped") within a second. Keys: time, event, call, args, detail (what was
 * touched: a path, a peer; not always there), thread, pc, symbol (the function at pc and its file), caller (the same for the
 * likely caller in another file; not always there), action, seq. May sleep: symbols are read from files.
 */
#ifndef PROC_TRIPWIRE_H
#define PROC_TRIPWIRE_H

#include "base/types.h"
#include "base/counter.h"

#define EVENT_BURST   50u
#define EVENT_PER_SEC 10u

/*
 * Of the call that is under way, or of a kernel thread that works for the program. event: see shared/policy.def; detail or
 * NULL; action: "refused", "logged", "stopped". No spinlock may be held.
 */
void tripwire_report(const char *event, const char *detail, const char *action);
/*
 * More came lately than is sent: until the summary, which is a second away, what comes often is not even looked at but only counted. True: it was,
 * and that is all that is to be done of the event.
 */
extern bool tripwire_muted;          /* atomic */
extern u64 tripwire_muted_count;     /* atomic: counted so, and not in any sum yet */
static ALWAYS_INLINE bool tripwire_count_muted(void)
{
	if (!READ_ONCE(tripwire_muted))
		return false;
	__atomic_fetch_add(&tripwire_muted_count, 1, __ATOMIC_RELAXED);
	return true;
}
/* What was dropped since the last event is told. May sleep. */
void tripwire_flush(void);
/*
 * The kernel itself fails (its own canary, SMEP, SMAP, anything else): the event as a line with '\n', for who writes it when nothing
 * may be locked. Its length.
 */
int tripwire_panic(char *buf, size_t size, const char *message);
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
/* A system call's name and how many arguments it has; linux/ sets it at boot. */
extern const char *(*tripwire_call)(unsigned nr, unsigned *ret_nargs);
COUNTER_DECLARE(tripwire_dropped);

#endif
