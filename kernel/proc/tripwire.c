/*
 * tripwire.c - events to the host.
 *
 * Invariant: seq counts every event, sent or dropped, so that the host sees gaps. A bucket of EVENT_BURST tokens
 * fills with EVENT_PER_SEC. Locks: bucket_lock (spinlock) around the numbers, not around the writing.
 * Cannot fail; text that could break the JSON is not taken from the program (numbers only).
 */
#include "proc/tripwire.h"
#include "proc/process.h"
#include "base/print.h"

COUNTER(tripwire_dropped);
static struct spinlock bucket_lock = SPINLOCK_INIT;
static u64 seq, dropped_since, refill_ns;
static u32 tokens = EVENT_BURST;

static bool bucket_take(u64 now_ns, u64 *ret_seq, u64 *ret_dropped)
{
	bool ok = false;

	spin_lock(&bucket_lock);
	u64 fresh = (now_ns - refill_ns) / (NSEC_PER_SEC / EVENT_PER_SEC);
	if (fresh) {
		tokens = (u32)MIN(tokens + fresh, (u64)EVENT_BURST);
		refill_ns += fresh * (NSEC_PER_SEC / EVENT_PER_SEC);
	}
	*ret_seq = ++seq;
	if (tokens) {
		tokens--;
		*ret_dropped = dropped_since;
		dropped_since = 0;
		ok = true;
	} else {
		dropped_since++;
		counter_bump(tripwire_dropped);
	}
	spin_unlock(&bucket_lock);
	return ok;
}

/* Days since 1970 to a date (proleptic Gregorian). */
static void civil_from_days(s64 z, s64 *y, unsigned *m, unsigned *d)
{
	z += 719468;
	s64 era = (z >= 0 ? z : z - 146096) / 146097;
	unsigned doe = (unsigned)(z - era * 146097);
	unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	unsigned mp = (5 * doy + 2) / 153;

	*d = doy - (153 * mp + 2) / 5 + 1;
	*m = mp < 10 ? mp + 3 : mp - 9;
	*y = (s64)yoe + era * 400 + (*m <= 2);
}

static void time_text(char *buf, size_t size, u64 real_ns)
{
	u64 sec = real_ns / NSEC_PER_SEC;
	s64 y;
	unsigned m, d, tod = (unsigned)(sec % 86400);

	civil_from_days((s64)(sec / 86400), &y, &m, &d);
	fmt_buf(buf, size, "%04lld-%02u-%02uT%02u:%02u:%02u.%06uZ", (long long)y, m, d, tod / 3600, tod / 60 % 60, tod % 60,
		(unsigned)(real_ns % NSEC_PER_SEC / 1000));
}

void tripwire_report(const char *event, const char *call, const u64 *args, unsigned nargs, u64 pc, const char *action)
{
	u64 now = arch_clock_mono_ns(), n, dropped;
	char time[40], list[6 * 22 + 4], extra[40] = "";
	size_t at = 0;

	if (!bucket_take(now, &n, &dropped))
		return;
	time_text(time, sizeof(time), now + arch_clock_real_offset_ns());
	list[0] = 0;
	for (unsigned i = 0; i < nargs && i < 6; i++)
		at += (size_t)fmt_buf(list + at, sizeof(list) - at, "%s\"0x%llx\"", i ? "," : "", (unsigned long long)args[i]);
	if (dropped)
		fmt_buf(extra, sizeof(extra), ",\"dropped\":%llu", (unsigned long long)dropped);
	control_line("event {\"time\":\"%s\",\"event\":\"%s\",\"call\":\"%s\",\"args\":[%s],\"pc\":\"0x%llx\",\"action\":\"%s\",\"seq\":%llu%s}",
		     time, event, call, list, (unsigned long long)pc, action, (unsigned long long)n, extra);
}

u64 tripwire_count(void)
{
	return READ_ONCE(seq);
}
