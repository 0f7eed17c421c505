/*
 * tripwire.c - events to the host.
 *
 * Invariant: seq counts every event, sent or dropped, so that the host sees gaps. A bucket of EVENT_BURST tokens
 * fills with EVENT_PER_SEC. What is dropped is told by the next event, or, if none comes within a second, by a thread that is
 * made for it, or at the end; until then calls that are not there are only counted (tripwire_muted). Locks: bucket_lock (spinlock) around the numbers, not around the writing; known_lock around
 * the names that were looked up. Names come from the program's files: only plain characters of them are sent.
 * A place that tries again is not looked up again: the name is the one of its first event. Cannot fail.
 */
#include "proc/tripwire.h"
#include "proc/crash.h"
#include "proc/process.h"
#include "fs/vnode.h"
#include "base/link.h"
#include "base/print.h"
#include "base/string.h"
#include "mm/heap.h"

#define KNOWN_PLACES 16u
#define PLACE_TEXT   160u
#define DETAIL_TEXT  1024u
#define SUMMARY_NS   NSEC_PER_SEC

COUNTER(tripwire_dropped);
RO_AFTER_INIT const char *(*tripwire_call)(unsigned nr, unsigned *ret_nargs);
static struct spinlock bucket_lock = SPINLOCK_INIT;
static u64 seq, dropped_since, refill_ns;
static u32 tokens = EVENT_BURST;
static bool summary_coming;                  /* atomic */
bool tripwire_muted;
u64 tripwire_muted_count;

/* Those that were only counted are events and dropped ones. Keeps the invariant. */
static void muted_add_locked(void)
{
	u64 n = READ_ONCE(tripwire_muted_count) ? __atomic_exchange_n(&tripwire_muted_count, 0, __ATOMIC_RELAXED) : 0;

	seq += n;
	dropped_since += n;
	__atomic_fetch_add(&counter_tripwire_dropped, n, __ATOMIC_RELAXED);
}

static bool bucket_take(u64 now_ns, u64 *ret_seq, u64 *ret_dropped)
{
	bool ok = false;

	spin_lock(&bucket_lock);
	u64 fresh = (now_ns - refill_ns) / (NSEC_PER_SEC / EVENT_PER_SEC);
	if (fresh) {
		tokens = (u32)MIN(tokens + fresh, (u64)EVENT_BURST);
		refill_ns += fresh * (NSEC_PER_SEC / EVENT_PER_SEC);
	}
	muted_add_locked();
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

/* NULL in a kernel without reports of crashes: then events have no names of functions, and no callers. */
LINK_SLOT_OF(crash_symbol);
LINK_SLOT_OF(crash_caller);
static const volatile struct {
	__typeof__(&crash_symbol) symbol;
	__typeof__(&crash_caller) caller;
} look_up RO_AFTER_INIT = { LINK_SLOT(crash_symbol), LINK_SLOT(crash_caller) };

/* The function that an instruction belongs to, in characters that need no quoting; pc 0: nothing. */
static void place_name(struct place *p)
{
	p->text[0] = 0;
	if (!p->pc || !look_up.symbol || place_recall(p))
		return;
	look_up.symbol(p->pc, p->text, sizeof(p->text));
	plain(p->text);
	spin_lock(&known_lock);
	known[known_next++ % KNOWN_PLACES] = *p;
	spin_unlock(&known_lock);
}

/* Text of the program as the inside of a JSON string. */
static void quote(char *to, size_t size, const char *from)
{
	size_t at = 0;

	for (; *from && at + 3 < size; from++) {
		if (*from == '"' || *from == '\\')
			to[at++] = '\\';
		to[at++] = *from < ' ' || *from > '~' ? '?' : *from;
	}
	to[at] = 0;
}

/* What is told of one event, and the texts of it. */
struct report {
	struct place where, from;
	char time[40], args[6 * 22 + 4], detail[DETAIL_TEXT + 16], caller[PLACE_TEXT + 16], dropped[40];
};

static void summary_line(u64 n, u64 dropped)
{
	char time[40];

	time_text(time, sizeof(time), arch_clock_mono_ns() + arch_clock_real_offset_ns());
	control_line("event {\"time\":\"%s\",\"event\":\"dropped\",\"call\":\"\",\"args\":[],\"action\":\"counted\",\"seq\":%llu,\"dropped\":%llu}",
		     time, (unsigned long long)n, (unsigned long long)dropped);
}

int tripwire_panic(char *buf, size_t size, const char *message)
{
	char time[40], detail[160];

	time_text(time, sizeof(time), arch_clock_mono_ns() + arch_clock_real_offset_ns());
	quote(detail, sizeof(detail), message);
	return fmt_buf(buf, size, "event {\"time\":\"%s\",\"event\":\"kernel-failed\",\"call\":\"\",\"args\":[],\"detail\":\"%s\",\"action\":\"stopped\",\"seq\":%llu}\n",
		       time, detail, (unsigned long long)READ_ONCE(seq) + 1);
}

void tripwire_flush(void)
{
	spin_lock(&bucket_lock);
	muted_add_locked();
	u64 dropped = dropped_since, n = dropped ? ++seq : 0;
	dropped_since = 0;
	spin_unlock(&bucket_lock);
	if (dropped)
		summary_line(n, dropped);
}

static void summary_thread(void *arg)
{
	(void)sched_sleep_until(arch_clock_mono_ns() + SUMMARY_NS, false);
	__atomic_store_n(&tripwire_muted, false, __ATOMIC_SEQ_CST);
	__atomic_store_n(&summary_coming, false, __ATOMIC_SEQ_CST);
	tripwire_flush();
	thread_exit();
}

/* Without a thread, the next event or the end tells. */
static void summary_begin(void)
{
	if (__atomic_exchange_n(&summary_coming, true, __ATOMIC_SEQ_CST))
		return;
	WRITE_ONCE(tripwire_muted, true);
	if (thread_spawn("events", summary_thread, NULL)) {
		WRITE_ONCE(tripwire_muted, false);
		__atomic_store_n(&summary_coming, false, __ATOMIC_SEQ_CST);
	}
}

/* The call of the program's thread that is under way, its place and who called it; a kernel thread works for io_uring or AIO. */
static const char *call_tell(struct report *x, const struct user_regs *r)
{
	const char *name = "fault";
	unsigned nargs = 0;
	size_t at = 0;

	if (!r)
		return "io_uring";
	const u64 args[6] = { r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 };
	if ((s64)r->orig_rax >= 0 && tripwire_call)
		name = tripwire_call((unsigned)r->orig_rax, &nargs);
	for (unsigned i = 0; i < nargs; i++)
		at += (size_t)fmt_buf(x->args + at, sizeof(x->args) - at, "%s\"0x%llx\"", i ? "," : "", (unsigned long long)args[i]);
	/* The instruction before: the call itself, and not what may be another function behind it. */
	x->where.pc = r->rip - 1;
	place_name(&x->where);
	x->from.pc = look_up.caller ? look_up.caller(r) : 0;
	if (x->from.pc) {
		x->from.pc--;
		place_name(&x->from);
		fmt_buf(x->caller, sizeof(x->caller), ",\"caller\":\"%s\"", x->from.text);
	}
	return name;
}

static void tell(struct report *x, const char *event, const char *detail, const char *action, u64 n, u64 dropped)
{
	const struct task *t = task_current();
	const struct user_regs *r = t ? arch_user_regs(&thread_current()->arch) : NULL;
	const char *call = call_tell(x, r);

	time_text(x->time, sizeof(x->time), arch_clock_mono_ns() + arch_clock_real_offset_ns());
	if (detail) {
		size_t at = (size_t)fmt_buf(x->detail, sizeof(x->detail), ",\"detail\":\"");
		quote(x->detail + at, DETAIL_TEXT, detail);
		str_copy(x->detail + strlen(x->detail), "\"", 2);
	}
	if (dropped)
		fmt_buf(x->dropped, sizeof(x->dropped), ",\"dropped\":%llu", (unsigned long long)dropped);
	control_line("event {\"time\":\"%s\",\"event\":\"%s\",\"call\":\"%s\",\"args\":[%s]%s,\"thread\":%d,\"pc\":\"0x%llx\",\"symbol\":\"%s\"%s,\"action\":\"%s\",\"seq\":%llu%s}",
		     x->time, event, call, x->args, x->detail, t ? t->tid : 0, r ? (unsigned long long)r->rip : 0, x->where.text, x->caller, action,
		     (unsigned long long)n, x->dropped);
}

void tripwire_report(const char *event, const char *detail, const char *action)
{
	u64 n, dropped;

	if (!bucket_take(arch_clock_mono_ns(), &n, &dropped)) {
		summary_begin();
		return;
	}
	static struct report spare;      /* where there is no memory, which may be what is told */
	static bool spare_taken;         /* atomic */
	struct report *x = heap_alloc(sizeof(*x));
	if (x || !__atomic_exchange_n(&spare_taken, true, __ATOMIC_ACQUIRE)) {
		tell(x ? x : &spare, event, detail, action, n, dropped);
		if (!x)
			__atomic_store_n(&spare_taken, false, __ATOMIC_RELEASE);
		heap_free(x);
		return;
	}
	spin_lock(&bucket_lock);         /* counted as the others that were not sent */
	dropped_since += dropped + 1;
	spin_unlock(&bucket_lock);
	counter_bump(tripwire_dropped);
}

void tripwire_volume_failed(const struct mount *m, const char *what, int error)
{
	u64 now = arch_clock_mono_ns(), n, dropped;
	char time[40], path[sizeof(m->path)];

	if (!bucket_take(now, &n, &dropped)) {
		summary_begin();
		return;
	}
	memcpy(path, m->path, sizeof(path));
	plain(path);
	time_text(time, sizeof(time), now + arch_clock_real_offset_ns());
	control_line("event {\"time\":\"%s\",\"event\":\"volume-failed\",\"path\":\"%s\",\"what\":\"%s\",\"error\":%d,\"action\":\"read-only\",\"seq\":%llu,\"dropped\":%llu}",
		     time, path, what, error, (unsigned long long)n, (unsigned long long)dropped);
}

void tripwire_report_facts(const char *event, const char *facts, const char *action)
{
	u64 now = arch_clock_mono_ns(), n, dropped;
	struct task *t = task_current();
	char time[40], extra[40] = "";

	if (!bucket_take(now, &n, &dropped)) {
		summary_begin();
		return;
	}
	time_text(time, sizeof(time), now + arch_clock_real_offset_ns());
	if (dropped)
		fmt_buf(extra, sizeof(extra), ",\"dropped\":%llu", (unsigned long long)dropped);
	control_line("event {\"time\":\"%s\",\"event\":\"%s\",\"call\":\"\",\"args\":[],%s,\"pc\":\"0x%llx\",\"symbol\":\"\",\"action\":\"%s\",\"seq\":%llu%s}",
		     time, event, facts, t ? (unsigned long long)arch_user_regs(&t->thread->arch)->rip : 0, action, (unsigned long long)n, extra);
}

u64 tripwire_count(void)
{
	return READ_ONCE(seq) + READ_ONCE(tripwire_muted_count);
}
