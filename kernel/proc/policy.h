/*
 * policy.h - what the program may do: the manifest's rules (shared/bootconf.h), the watch over them, and learning them.
 *
 * A departure becomes one event (tripwire.h) and then what its kind's action says: LOG lets it happen, REFUSE
 * makes the call fail, STOP ends the machine (the call fails meanwhile). Learning writes `learn` lines to the control
 * port, each once. The watch sits in guards that are not there, or null, without rules: see fs_guard, sock_guard and
 * linux/watch.c.
 */
#ifndef PROC_POLICY_H
#define PROC_POLICY_H

#include "base/types.h"
#include "net/socket.h"

enum policy_kind {
#define POLICY_KIND(id, word, action, event) POLICY_##id,
#include "shared/policy.def"
#undef POLICY_KIND
	POLICY_KINDS
};

enum policy_list {
	POLICY_LIST_SYSCALLS, POLICY_LIST_SOCKETS, POLICY_LIST_DEVICES, POLICY_LIST_READ, POLICY_LIST_WRITE, POLICY_LIST_LISTEN,
	POLICY_LIST_CONNECT, POLICY_LIST_IOCTLS, POLICY_LIST_MMAP, POLICY_LIST_PRCTL, POLICY_LIST_FCNTL, POLICY_LIST_CANARY, POLICY_LIST_SECRET, POLICY_LISTS
};

#ifdef PITH_SMALL
#define policy_learning false   /* only the whole kernel learns */
#else
extern bool policy_learning;
#endif

/* Boot, before anything can depart: the records that say what happens then. -EINVAL with *ret_why. */
int policy_actions_init(const char *const *policies, unsigned npolicies, const char **ret_why);
/* Does a departure of this kind end the machine? For those that are not reported by policy_depart. */
bool policy_stops(enum policy_kind kind);
/*
 * Boot, before the program starts: the boot configuration's rules, which must stay. -EINVAL with *ret_why, -ENOMEM.
 * Sets the guards that the rules, or learning, need.
 */
int policy_init(const char *const *rules, unsigned nrules, bool learn, const char **ret_why);

/* Is a list there, so that what it does not name departs? */
bool policy_given(enum policy_list list);
/* Is any there, or is the kernel learning: must system calls be looked at? */
bool policy_watches_calls(void);
/* The same without the list of calls: do the rules say more of some call than whether it may be made? */
bool policy_watches_arguments(void);
/* Is a number in a list: SYSCALLS, IOCTLS, PRCTL, FCNTL, and MMAP (a bit)? True if the list is not there. */
bool policy_has_number(enum policy_list list, u32 number);

/*
 * A departure: the event, with detail (NULL: none) of what was touched, and the action. True: it may happen (LOG). May
 * sleep; no spinlock may be held. Of the current call, or of a kernel thread that works for the program.
 */
bool policy_depart(enum policy_kind kind, const char *detail);
/* The same of the call that is under way, for what cannot happen anyway or has happened. */
void policy_tell(enum policy_kind kind, const char *detail);
/* The program was refused more of something that is limited: told once a second. May sleep. */
enum policy_limit { POLICY_DESCRIPTORS, POLICY_THREADS, POLICY_MEMORY };
void policy_limit_tell(enum policy_limit which);
/*
 * Boot, after policy_init and when files are there: the secrets that the rules name, in the environment env or in files.
 * -ENOENT, -EINVAL (it has less than 8 bytes), -E2BIG (they have 16 KiB together), -ENOMEM, with *ret_name: which. In kernels that send.
 */
int policy_secrets_init(const char *const *env, const char **ret_name);
typedef int (*policy_secrets_fn)(const char *const *env, const char **ret_name);

/* Learning: the first time that an entry is seen, its line. True: it was the first. May sleep. */
bool policy_learn(enum policy_list list, const char *entry);
bool policy_learn_number(enum policy_list list, u32 number);

/* ---- Matching (policy_match.c): pure ---- */

/* Does a path fit a pattern: "/" at its end means all below (and the directory itself); * and ? within a name. */
bool policy_path_fits(const char *pattern, const char *path);
struct policy_peer {
	u8 addr[16];                 /* IPv4 as mapped */
	u8 prefix;
	u8 protocol;                 /* 0 any, else LX_IPPROTO_TCP, LX_IPPROTO_UDP */
	u16 port;                    /* 0 any */
};
/* "PROTO/HEX/PREFIX/PORT". */
bool policy_peer_parse(const char *text, struct policy_peer *ret);
bool policy_peer_fits(const struct policy_peer *rule, const struct policy_peer *peer);
/* The peer of a socket address: false if it is none of IPv4 or IPv6. Unspecified addresses mean the loopback. */
bool policy_peer_of(const struct sock_addr *a, struct policy_peer *ret);
/* As it stands in a manifest: "10.0.0.1:80/tcp". size >= 64. */
void policy_peer_show(const struct policy_peer *p, char *buf, size_t size);

/* policy_guard.c: the guards of files and sockets. */
/* The watch over sockets, in kernels that have some: the table "guard". 0 or -ENOMEM. */
typedef int (*policy_guard_fn)(void);
void policy_guard_files(void);
int policy_guards_init(bool files, bool sockets);
/* The strings of a list, n of them. */
const char *const *policy_texts(enum policy_list list, unsigned *ret_n);
const struct policy_peer *policy_peers(unsigned *ret_n);

#endif
