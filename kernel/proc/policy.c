/*
 * policy.c - the manifest's rules, what happens at a departure, and what was learned.
 *
 * Invariants: 1. rules, lists and actions do not change after boot (RO_AFTER_INIT); strings lie in the boot
 * configuration. 2. An entry's line is written at most once: its hash is in learned before (learn_lock). Two entries with
 * the same 64-bit hash count as one. 3. LEARN_MAX entries at most; the first one beyond is said in a line of its own.
 *
 * Locks: learn_lock (spinlock), not around the writing. What can fail: memory and records at boot.
 */
#include "proc/policy.h"
#include "proc/process.h"
#include "proc/tripwire.h"
#include "base/errno.h"
#include "base/link.h"
#include "base/print.h"
#include "base/string.h"
#include "mm/heap.h"

#define LEARN_SLOTS 16384u
#define LEARN_MAX   (LEARN_SLOTS / 4 * 3)

enum policy_action { LOG, REFUSE, STOP };

struct kind {
	const char *word, *event;
	enum policy_action action;
};
static RO_AFTER_INIT struct kind kinds[POLICY_KINDS] = {
#define POLICY_KIND(id, word, action, event) { word, event, action },
#include "shared/policy.def"
#undef POLICY_KIND
};

static const char list_names[POLICY_LISTS][9] = {
	"syscalls", "sockets", "devices", "read", "write", "listen", "connect", "ioctls", "mmap", "prctl", "fcntl", "canary", "secret",
};

/* The entries of a list: texts, or for some numbers or peers. */
struct entries {
	bool given;
	unsigned n;
	union {
		const char **texts;
		u32 *numbers;
		struct policy_peer *peers;
	};
};
static RO_AFTER_INIT_ZERO struct entries lists[POLICY_LISTS];
static RO_AFTER_INIT_ZERO u8 calls[64];          /* the set of SYSCALLS */
static RO_AFTER_INIT u32 protections;       /* the bits of MMAP */
#ifndef PITH_SMALL
RO_AFTER_INIT bool policy_learning;
#endif

static struct spinlock learn_lock = SPINLOCK_INIT;
static u64 *learned;                         /* learn_lock: hashes by their low bits, then the next free slot */
static unsigned learned_n;                   /* learn_lock */

/* ---- Reading the records ---- */

static bool calls_parse(const char *hex)
{
	for (unsigned i = 0; i < 2 * sizeof(calls); i++) {
		char c = hex[i];
		int v = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;

		if (v < 0)
			return false;
		calls[i / 2] = (u8)(calls[i / 2] << 4 | v);
	}
	return !hex[2 * sizeof(calls)];
}

static bool number_parse(const char *text, u32 *ret)
{
	u64 v;

	if (!str_parse_u64(text, strlen(text), &v) || v > UINT32_MAX)
		return false;
	*ret = (u32)v;
	return true;
}

/* Without sockets nothing is connected: peers are not read. */
LINK_SLOT_OF(policy_peer_parse);
static __typeof__(&policy_peer_parse) const volatile peer_parse RO_AFTER_INIT = LINK_SLOT(policy_peer_parse);

static bool entry_parse(enum policy_list list, const char *text)
{
	struct entries *l = &lists[list];

	switch (list) {
	case POLICY_LIST_SYSCALLS:
		return calls_parse(text);
	case POLICY_LIST_MMAP:
		return number_parse(text, &protections);
	case POLICY_LIST_IOCTLS: case POLICY_LIST_PRCTL: case POLICY_LIST_FCNTL:
		return number_parse(text, &l->numbers[l->n++]);
	case POLICY_LIST_CONNECT:
		return !peer_parse || peer_parse(text, &l->peers[l->n++]);
	default:
		l->texts[l->n++] = text;
		return true;
	}
}

/* The list that a record names, and what follows the colon. */
static enum policy_list list_of(const char *record, const char **ret_text)
{
	const char *colon = strchr(record, ':');
	size_t len = colon ? (size_t)(colon - record) : 0;

	for (unsigned i = 0; len && i < POLICY_LISTS; i++)
		if (strlen(list_names[i]) == len && !memcmp(list_names[i], record, len)) {
			*ret_text = colon + 1;
			return (enum policy_list)i;
		}
	return POLICY_LISTS;
}

static int lists_parse(const char *const *rules, unsigned nrules, const char **ret_why)
{
	const char *text;

	for (unsigned i = 0; i < POLICY_LISTS; i++) {
		heap_free(lists[i].texts);       /* of an earlier try */
		lists[i] = (struct entries){ 0 };
	}
	for (unsigned i = 0; i < nrules; i++) {
		enum policy_list list = list_of(rules[i], &text);
		if (list == POLICY_LISTS) {
			*ret_why = "a rule of an unknown list";
			return -EINVAL;
		}
		lists[list].given = true;
		lists[list].n += text[0] != 0;
	}
	for (unsigned i = 0; i < POLICY_LISTS; i++) {
		size_t size = i == POLICY_LIST_CONNECT ? sizeof(struct policy_peer) : sizeof(char *);
		if (lists[i].n && !(lists[i].texts = heap_alloc_array(lists[i].n, size)))
			return -ENOMEM;
		lists[i].n = 0;
	}
	for (unsigned i = 0; i < nrules; i++) {
		enum policy_list list = list_of(rules[i], &text);
		if (text[0] && !entry_parse(list, text)) {
			*ret_why = "a rule that cannot be read";
			return -EINVAL;
		}
	}
	return 0;
}

static bool action_parse(const char *record)
{
	static const char *const words[] = { [LOG] = "log", [REFUSE] = "refuse", [STOP] = "stop" };
	const char *slash = strchr(record, '/');

	for (unsigned k = 0; slash && k < POLICY_KINDS; k++) {
		if (strlen(kinds[k].word) != (size_t)(slash - record) || memcmp(kinds[k].word, record, (size_t)(slash - record)))
			continue;
		for (unsigned a = 0; a < ARRAY_SIZE(words); a++)
			if (!strcmp(words[a], slash + 1)) {
				kinds[k].action = (enum policy_action)a;
				if (k == POLICY_SYSCALL) /* one word for both: absent comes later, if it is said */
					kinds[POLICY_ABSENT].action = (enum policy_action)a;
				return true;
			}
	}
	return false;
}

int policy_actions_init(const char *const *policies, unsigned npolicies, const char **ret_why)
{
	for (unsigned i = 0; i < npolicies; i++)
		if (!action_parse(policies[i])) {
			*ret_why = "policy is not KIND/log, refuse or stop";
			return -EINVAL;
		}
	return 0;
}

bool policy_stops(enum policy_kind kind) { return kinds[kind].action == STOP; }

int policy_init(const char *const *rules, unsigned nrules, bool learn, const char **ret_why)
{
	int r = lists_parse(rules, nrules, ret_why);

	if (r)
		return r;
#ifdef PITH_SMALL
	if (learn) {
		*ret_why = "learning, which a kernel that is linked for a manifest does not do";
		return -EINVAL;
	}
#else
	policy_learning = learn;
#endif
	if (learn && !(learned = heap_alloc_array(LEARN_SLOTS, sizeof(*learned))))
		return -ENOMEM;
	return policy_guards_init(learn || lists[POLICY_LIST_READ].given || lists[POLICY_LIST_WRITE].given || lists[POLICY_LIST_DEVICES].given ||
				  lists[POLICY_LIST_CANARY].n,
				  learn || lists[POLICY_LIST_SOCKETS].given || lists[POLICY_LIST_LISTEN].given || lists[POLICY_LIST_CONNECT].given);
}

/* ---- Asking ---- */

bool policy_given(enum policy_list list)
{
	return lists[list].given;
}

bool policy_watches_arguments(void)
{
	return policy_learning || lists[POLICY_LIST_IOCTLS].given || lists[POLICY_LIST_MMAP].given || lists[POLICY_LIST_PRCTL].given ||
	       lists[POLICY_LIST_FCNTL].given;
}

bool policy_watches_calls(void)
{
	return lists[POLICY_LIST_SYSCALLS].given || policy_watches_arguments();
}

bool policy_has_number(enum policy_list list, u32 number)
{
	const struct entries *l = &lists[list];

	if (!l->given)
		return true;
	if (list == POLICY_LIST_SYSCALLS)
		return number < 8 * sizeof(calls) && calls[number / 8] >> number % 8 & 1;
	if (list == POLICY_LIST_MMAP)
		return number < 32 && protections >> number & 1;
	for (unsigned i = 0; i < l->n; i++)
		if (l->numbers[i] == number)
			return true;
	return false;
}

const char *const *policy_texts(enum policy_list list, unsigned *ret_n)
{
	*ret_n = lists[list].n;
	return lists[list].texts;
}

const struct policy_peer *policy_peers(unsigned *ret_n)
{
	*ret_n = lists[POLICY_LIST_CONNECT].n;
	return lists[POLICY_LIST_CONNECT].peers;
}

/* ---- Departures ---- */

static void depart(enum policy_kind kind, const char *detail, const char *action)
{
	const struct kind *k = &kinds[kind];

	tripwire_report(k->event, detail, k->action == STOP ? "stopped" : action);
	if (k->action == STOP)
		process_stop_by_policy(k->event, detail);
}

bool policy_depart(enum policy_kind kind, const char *detail)
{
	depart(kind, detail, kinds[kind].action == LOG ? "logged" : "refused");
	return kinds[kind].action == LOG;
}

void policy_tell(enum policy_kind kind, const char *detail)
{
	bool happened = kind == POLICY_PROBE || kind == POLICY_SMASH || kind == POLICY_CRASH;

	depart(kind, detail, happened ? "logged" : "refused");
}

void policy_limit_tell(enum policy_limit which)
{
	static const char names[][12] = { "descriptors", "threads", "memory" };
	static u64 quiet_until_ns[ARRAY_SIZE(names)]; /* atomic */
	u64 now = arch_clock_mono_ns(), until = READ_ONCE(quiet_until_ns[which]);

	if (now >= until && __atomic_compare_exchange_n(&quiet_until_ns[which], &until, now + NSEC_PER_SEC, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		policy_tell(POLICY_LIMIT, names[which]);
}

LINK_TABLE(policy_secrets_fn, secrets);

int policy_secrets_init(const char *const *env, const char **ret_name)
{
	const policy_secrets_fn *init = LINK_FIRST(secrets);

	return init ? (*init)(env, ret_name) : 0;
}

/* ---- Learning ---- */

/* FNV-1a, finished so that the low bits are good. 0 means a free slot. */
static u64 entry_hash(enum policy_list list, const char *s)
{
	u64 h = (0xcbf29ce484222325ull ^ list) * 0x100000001b3ull;

	for (; *s; s++)
		h = (h ^ (u8)*s) * 0x100000001b3ull;
	h ^= h >> 32;
	return h ? h : 1;
}

/* 1: new; 0: known; -1: new, and there is no room any more (said once, by 2). */
static int hash_enter(u64 hash)
{
	int r = -1;

	spin_lock(&learn_lock);
	for (u64 i = hash;; i++) {
		u64 *slot = &learned[i % LEARN_SLOTS];
		if (*slot == hash) {
			r = 0;
			break;
		}
		if (!*slot) {
			if (learned_n < LEARN_MAX) {
				*slot = hash;
				r = 1;
			} else if (learned_n == LEARN_MAX) {
				r = 2;
			}
			learned_n += r > 0;
			break;
		}
	}
	spin_unlock(&learn_lock);
	return r;
}

bool policy_learn(enum policy_list list, const char *entry)
{
	int r = hash_enter(entry_hash(list, entry));

	if (r == 1)
		control_line("learn %s %s", list_names[list], entry);
	else if (r == 2)
		control_line("learn full");
	return r == 1;
}

bool policy_learn_number(enum policy_list list, u32 number)
{
	char text[12];

	fmt_buf(text, sizeof(text), "%u", number);
	return policy_learn(list, text);
}
