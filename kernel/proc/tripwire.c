/*
 * tripwire.c - events to the host.
 *
 * Invariant: seq counts every event, sent or dropped, so that the host sees gaps. A bucket of EVENT_BURST tokens
 * fills with EVENT_PER_SEC. Locks: bucket_lock (spinlock) around the numbers, not around the writing; known_lock around
 * the names that were looked up. Names come from the program's files: only plain characters of them are sent.
 * A place that tries again is not looked up again: the name is the one of its first event. Cannot fail.
 */
#include "proc/tripwire.h"
#include "proc/crash.h"
#include "proc/process.h"
#include "fs/vnode.h"
#include "base/print.h"
#include "base/string.h"

#define KNOWN_PLACES 16u
#define PLACE_TEXT   160u

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

struct place {
	uintptr_t pc;
	char text[PLACE_TEXT];
};
static struct spinlock known_lock = SPINLOCK_INIT;
static struct place known[KNOWN_PLACES];     /* known_lock; a ring */
static unsigned known_next;

static bool place_recall(struct place *p)
{
	bool found = false;

	spin_lock(&known_lock);
	for (unsigned i = 0; i < KNOWN_PLACES && !found; i++) {
		found = known[i].pc == p->pc;
		if (found)
			memcpy(p->text, known[i].text, sizeof(p->text));
	}
	spin_unlock(&known_lock);
	return found;
}

static void plain(char *text)
{
	for (char *c = text; *c; c++)
		if (*c < ' ' || *c > '~' || *c == '"' || *c == '\\')
			*c = '?';
}

/* The function that an instruction belongs to, in characters that need no quoting; pc 0: nothing. */
static void place_name(struct place *p)
{
	p->text[0] = 0;
	if (!p->pc || place_recall(p))
		return;
	crash_symbol(p->pc, p->text, sizeof(p->text));
	plain(p->text);
	spin_lock(&known_lock);
	known[known_next++ % KNOWN_PLACES] = *p;
	spin_unlock(&known_lock);
}

void tripwire_report(const char *event, const char *call, const u64 *args, unsigned nargs, const struct user_regs *regs, const char *action)
{
	/* The instruction before: the call itself, and not what may be another function behind it. */
	struct place where = { .pc = regs->rip - 1 }, from = { .pc = 0 };
	char caller[PLACE_TEXT + 16] = "";
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
	place_name(&where);
	from.pc = crash_caller(regs);
	if (from.pc) {
		from.pc--;
		place_name(&from);
		fmt_buf(caller, sizeof(caller), ",\"caller\":\"%s\"", from.text);
	}
	control_line("event {\"time\":\"%s\",\"event\":\"%s\",\"call\":\"%s\",\"args\":[%s],\"pc\":\"0x%llx\",\"symbol\":\"%s\"%s,\"action\":\"%s\",\"seq\":%llu%s}",
		     time, event, call, list, (unsigned long long)regs->rip, where.text, caller, action, (unsigned long long)n, extra);
}

void tripwire_volume_failed(const struct mount *m, const char *what, int error)
{
	u64 now = arch_clock_mono_ns(), n, dropped;
	char time[40], path[sizeof(m->path)];

	if (!bucket_take(now, &n, &dropped))
		return;
	memcpy(path, m->path, sizeof(path));
	plain(path);
	time_text(time, sizeof(time), now + arch_clock_real_offset_ns());
	control_line("event {\"time\":\"%s\",\"event\":\"volume-failed\",\"path\":\"%s\",\"what\":\"%s\",\"error\":%d,\"action\":\"read-only\",\"seq\":%llu}",
		     time, path, what, error, (unsigned long long)n);
}

void tripwire_report_facts(const char *event, const char *facts, const char *action)
{
	u64 now = arch_clock_mono_ns(), n, dropped;
	struct task *t = task_current();
	char time[40], extra[40] = "";

	if (!bucket_take(now, &n, &dropped))
		return;
	time_text(time, sizeof(time), now + arch_clock_real_offset_ns());
	if (dropped)
		fmt_buf(extra, sizeof(extra), ",\"dropped\":%llu", (unsigned long long)dropped);
	control_line("event {\"time\":\"%s\",\"event\":\"%s\",\"call\":\"\",\"args\":[],%s,\"pc\":\"0x%llx\",\"symbol\":\"\",\"action\":\"%s\",\"seq\":%llu%s}",
		     time, event, facts, t ? (unsigned long long)arch_user_regs(&t->thread->arch)->rip : 0, action, (unsigned long long)n, extra);
}

u64 tripwire_count(void)
{
	return READ_ONCE(seq);
}
