/*
 * rules.h - what a program may do: the part of a manifest that the kernel watches over.
 *
 * A list that is there names everything of its kind: what it does not name is a departure. A list that is absent
 * restricts nothing. Calls that end a program or return from a signal handler are always allowed.
 */
#ifndef TOOL_RULES_H
#define TOOL_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "util/str.h"

/* The lists: RULES_LIST(field, key in the manifest). files.read and files.write are there together. */
#define RULES_LISTS(X) \
	X(syscalls, "syscalls") X(sockets, "sockets") X(devices, "devices") X(read, "files.read") X(write, "files.write") \
	X(listen, "listen") X(connect, "connect") X(ioctls, "ioctls") X(mmap, "mmap") X(prctl, "prctl") X(fcntl, "fcntl") X(canary, "canary") \
	X(secret, "secret")

struct rules_list {
	bool given;
	struct strv items;
};

enum rules_kind {
#define POLICY_KIND(id, word, action, event) RULES_KIND_##id,
#include "shared/policy.def"
#undef POLICY_KIND
	RULES_KINDS
};

struct rules {
#define X(field, key) struct rules_list field;
	RULES_LISTS(X)
#undef X
	char *policy[RULES_KINDS]; /* log, refuse, stop; NULL: the default */
};

struct opts;

/* Are there any? Without them a kernel is not told anything. */
bool rules_given(const struct rules *rules);
/* Judges what a manifest says. 0, or PITH_USAGE after a line with file and line. */
int rules_check(const struct opts *opts);
/*
 * The records of the boot configuration (shared/bootconf.h), after rules_check. Names of peers are looked up here, by the
 * host's resolver. 0, or PITH_FAILED after a line.
 */
int rules_records(const struct rules *rules, struct strv *ret_rules, struct strv *ret_policies);
void rules_free(struct rules *rules);

/* The word of a kind in `policy:`. */
const char *rules_kind_word(unsigned int kind);
/* The number of a system call by its name; -1. Room for those that are numbered is SCAN_CALLS_MAX. */
int rules_call_number(const char *name);
/* A word of a list as a number, by its name or as it is written; and back (a new string). */
enum rules_names { RULES_IOCTL, RULES_PRCTL, RULES_FCNTL };
bool rules_number(enum rules_names kind, const char *word, uint64_t *ret);
char *rules_name(enum rules_names kind, uint64_t number);
/* "r-xp" and the like as a bit (0 to 15: protection, 8: shared); -1. And back. */
int rules_mmap_bit(const char *word);
const char *rules_mmap_word(unsigned int bit);
/* "inet/stream" as two numbers, netlink's second one being the protocol; and back (a new string). */
bool rules_socket(const char *word, unsigned int *ret_family, unsigned int *ret_type);
char *rules_socket_word(unsigned int family, unsigned int type);

#endif
