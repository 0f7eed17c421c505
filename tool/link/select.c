/*
 * select.c - from what a manifest names to the entries of the kernel's tables.
 */
#include "link/select.h"

#include "image/program.h"

#include <stdlib.h>
#include <string.h>

#include "rules.h"
#include "scan/table.h"

/* Linux's numbers. */
#define FAMILY_UNIX    1u
#define FAMILY_INET    2u
#define FAMILY_INET6   10u
#define FAMILY_NETLINK 16u
#define TYPE_STREAM    1u

static const char *const always[] = { "exit", "exit_group" };
/* Calls that the kernel may have to begin again by restart_syscall. */
static const char *const restarted[] = { "nanosleep", "clock_nanosleep", "poll", "futex" };
/* io_uring does what these do without making the calls. */
static const char *const openers[] = { "open", "openat", "openat2", "creat", "open_by_handle_at", "io_uring_setup" };
static const char *const makers[] = { "mkdir", "mkdirat", "mknod", "mknodat", "symlink", "symlinkat", "link", "linkat", "rename", "renameat", "renameat2",
				      "memfd_create" };
/* Looks at what a name stands for, and no more. */
static const char *const lookers[] = { "stat", "lstat", "newfstatat", "statx", "access", "faccessat", "faccessat2", "readlink", "readlinkat", "statfs" };
static const char *const namers[] = {
	"chdir", "truncate", "unlink", "unlinkat", "rmdir", "chmod", "fchmodat", "chown", "lchown", "fchownat", "utime", "utimes", "utimensat", "futimesat", "inotify_add_watch",
	"getxattr", "lgetxattr", "setxattr", "lsetxattr", "listxattr", "llistxattr", "removexattr", "lremovexattr", "connect", "sendto", "sendmsg",
	"chroot", "name_to_handle_at",
};
static const char *const ipc[] = { "shmget", "shmat", "semget", "semop", "msgget", "msgsnd", "mq_open" };
static const char *const thread_makers[] = { "clone", "clone3" };
static const char *const listers[] = { "getdents", "getdents64" };
static const char *const socket_makers[] = { "socket", "socketpair", "io_uring_setup" };

#define HAS_ANY(s, list) has_any(s, list, sizeof list / sizeof *list)

static bool has_any(const struct selection *s, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int nr = rules_call_number(list[i]);

		if (nr >= 0 && s->calls[nr])
			return true;
	}
	return false;
}

/* Departures of a kind are told and happen all the same: then all of it has to be there. */
static bool happens(const struct rules *rules, enum rules_kind kind)
{
	return rules->policy[kind] && !strcmp(rules->policy[kind], "log");
}

static void sockets_judge(const struct rules *rules, struct selection *s)
{
	const struct rules_list *sockets = &rules->sockets;
	bool all = !sockets->given || happens(rules, RULES_KIND_SOCKET);
	unsigned int family, type;

	if (!HAS_ANY(s, socket_makers))
		return;
	s->needs |= NEED_SOCKETS;
	if (all)
		s->needs |= NEED_INET | NEED_INET6 | NEED_UNIX | NEED_NETLINK | NEED_STREAM | NEED_DGRAM;
	for (size_t i = 0; !all && i < sockets->items.count; i++) {
		if (!rules_socket(sockets->items.items[i], &family, &type))
			continue;
		if (family == FAMILY_INET || family == FAMILY_INET6) {
			s->needs |= family == FAMILY_INET ? NEED_INET : NEED_INET | NEED_INET6;
			s->needs |= type == TYPE_STREAM ? NEED_STREAM : NEED_DGRAM;
		} else if (family == FAMILY_UNIX) {
			s->needs |= NEED_UNIX;
		} else if (family == FAMILY_NETLINK) {
			s->needs |= NEED_NETLINK;
		}
	}
	if (s->needs & (NEED_INET | NEED_NETLINK))
		s->needs |= NEED_NETWORK;
}

/* May the program use something at or below a directory? */
static bool list_touches(const struct rules_list *list, const char *directory)
{
	size_t len = strlen(directory);

	for (size_t i = 0; i < list->items.count; i++) {
		const char *path = list->items.items[i];
		size_t plain = strcspn(path, "*?"), n = plain < len ? plain : len;

		if (strncmp(path, directory, n))
			continue;
		if (plain < len ? path[plain] || (plain && path[plain - 1] == '/') : !path[len] || path[len] == '/' || plain == len)
			return true;
	}
	return false;
}

static void files_judge(const struct rules *rules, struct selection *s)
{
	static const struct { const char *directory; uint64_t need; } places[] = {
		{ "/proc", NEED_PROC }, { "/sys", NEED_SYS }, { "/sys/class", NEED_SYS_NET }, { "/sys/devices/virtual", NEED_SYS_NET }, { "/sys/devices/virtio", NEED_SYS_NET }, { "/dev", NEED_DEV }, { "/tmp", NEED_TMP }, { "/var/tmp", NEED_TMP }, { "/run", NEED_TMP }, { "/var/run", NEED_TMP },
		{ "/etc/resolv.conf", NEED_RESOLV | NEED_TMP }, { "/run/resolv.conf", NEED_RESOLV | NEED_TMP },
	};
	bool any = (!rules->read.given && !rules->write.given) || happens(rules, RULES_KIND_FILE);

	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		if (any || list_touches(&rules->read, places[i].directory) || list_touches(&rules->write, places[i].directory) ||
		    list_touches(&rules->devices, places[i].directory))
			s->needs |= places[i].need;
	}
}

static void calls_judge(const struct rules *rules, struct selection *s)
{
	const struct rules_list *calls = &rules->syscalls;
	bool all = !calls->given || happens(rules, RULES_KIND_SYSCALL);

	for (unsigned int nr = 0; nr < SCAN_CALLS_MAX; nr++)
		s->calls[nr] = all && scan_call_name(nr);
	for (size_t i = 0; !all && i < calls->items.count; i++) {
		int nr = rules_call_number(calls->items.items[i]);

		if (nr >= 0)
			s->calls[nr] = true;
	}
	for (size_t i = 0; i < sizeof always / sizeof *always; i++)
		s->calls[rules_call_number(always[i])] = true;
	if (s->calls[rules_call_number("rt_sigaction")])
		s->calls[rules_call_number("rt_sigreturn")] = true;
	if (HAS_ANY(s, restarted))
		s->calls[rules_call_number("restart_syscall")] = true;
}

/* May a command be one of sockets or interfaces (SIOC*)? */
static bool ioctls_of_net(const struct rules *rules)
{
	uint64_t command;

	if (!rules->ioctls.given || happens(rules, RULES_KIND_ARGUMENT))
		return true;
	for (size_t i = 0; i < rules->ioctls.items.count; i++) {
		if (rules_number(RULES_IOCTL, rules->ioctls.items.items[i], &command) && command >> 8 == 0x89)
			return true;
	}
	return false;
}

/* What departs is to happen all the same: then it must be there. */
static bool departures_happen(const struct rules *rules)
{
	static const enum rules_kind kinds[] = { RULES_KIND_SYSCALL, RULES_KIND_ABSENT, RULES_KIND_SOCKET, RULES_KIND_FILE, RULES_KIND_DEVICE };

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		if (rules->policy[kinds[i]] && !strcmp(rules->policy[kinds[i]], "log"))
			return true;
	}
	return false;
}

/* What the program's own file asks for, and what a manifest rules out by name. */
static void program_judge(const struct opts *opts, const struct program *program, struct selection *s)
{
	static const struct { const char *word; uint64_t need; } parts[] = {
#define PART_NAMED(word, need, what) { word, need },
#include "link/without.def"
#undef PART_NAMED
	};

	s->needs |= program->scripts.count ? NEED_SCRIPT : 0;
	s->needs |= program->elf.interp ? NEED_INTERPRETER : 0;
	s->needs |= opts->machine_kind == OPTS_MACHINE_MICROVM ? 0 : NEED_PCI;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		s->needs |= strv_has(&opts->without, parts[i].word) ? 0 : parts[i].need;
}

bool selection_make(const struct opts *opts, const struct program *program, struct selection *ret_selection)
{
	const struct rules *r = &opts->rules;
	struct selection *s = ret_selection;

	*s = (struct selection){ 0 };
	if ((!opts->rules.syscalls.given && !opts->rules.sockets.given) || departures_happen(&opts->rules))
		return false;
	calls_judge(&opts->rules, s);
	sockets_judge(&opts->rules, s);
	files_judge(&opts->rules, s);
	program_judge(opts, program, s);
	if (HAS_ANY(s, openers))
		s->needs |= NEED_OPEN | NEED_PATH | NEED_MAKE | NEED_GUARD;
	/* A unix socket's address is a file. */
	if (HAS_ANY(s, makers) || (s->needs & NEED_UNIX && s->calls[rules_call_number("bind")]))
		s->needs |= NEED_PATH | NEED_MAKE | NEED_GUARD;
	if (HAS_ANY(s, namers))
		s->needs |= NEED_PATH | NEED_GUARD;
	if (HAS_ANY(s, lookers))
		s->needs |= NEED_PATH;
	if (r->ioctls.given || r->mmap.given || r->prctl.given || r->fcntl.given || !r->syscalls.given || s->calls[rules_call_number("io_uring_setup")])
		s->needs |= NEED_WATCH;
	if (HAS_ANY(s, listers) || (s->needs & NEED_MAKE && s->needs & NEED_TMP))
		s->needs |= NEED_LIST;
	if (HAS_ANY(s, thread_makers))
		s->needs |= NEED_THREADS;
	if (HAS_ANY(s, ipc))
		s->needs |= NEED_IPC;
	if (s->calls[rules_call_number("ioctl")] && ioctls_of_net(&opts->rules))
		s->needs |= NEED_IOCTL_NET;
	if (opts->volume.count)
		s->needs |= NEED_VOLUME;
	if (s->needs & (NEED_THREADS | NEED_NETWORK | NEED_VOLUME) || s->calls[rules_call_number("io_uring_setup")])
		s->needs |= NEED_CPUS;
	if (opts->disk_kind == OPTS_DISK_NVME)
		s->needs |= NEED_NVME;
	if (opts->rules.secret.items.count)
		s->needs |= NEED_SECRETS;
	if (opts->trace)
		s->needs |= NEED_TRACE;
	return true;
}

static bool name_matches(const char *pattern, const char *name)
{
	size_t len = strlen(pattern);

	return len && pattern[len - 1] == '*' ? !strncmp(pattern, name, len - 1) : !strcmp(pattern, name);
}

/* Is one of the calls named, or io_uring? */
static bool calls_some(const struct selection *s, const char *calls)
{
	char *list = xstrdup(calls), *next = NULL;
	bool found = s->calls[rules_call_number("io_uring_setup")];

	for (char *call = strtok_r(list, " ", &next); call && !found; call = strtok_r(NULL, " ", &next))
		found = rules_call_number(call) >= 0 && s->calls[rules_call_number(call)];
	free(list);
	return found;
}

bool selection_has(const struct selection *s, const char *name)
{
	static const struct { const char *name; uint64_t needs; const char *calls; } parts[] = {
#define PART(name, needs) { name, needs, NULL },
#define PART_FOR(name, needs, calls) { name, needs, calls },
#include "link/parts.def"
#undef PART
#undef PART_FOR
	};

	bool found = false;

	if (str_starts(name, "note."))
		name += strlen("note.");
	if (str_starts(name, "syscall.")) {
		int nr = rules_call_number(name + strlen("syscall."));

		return nr >= 0 && (s->calls[nr] || scan_call_level((unsigned int)nr) == SCAN_REFUSE);
	}
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		if (!name_matches(parts[i].name, name))
			continue;
		if ((s->needs & parts[i].needs) == parts[i].needs && (!parts[i].calls || calls_some(s, parts[i].calls)))
			return true;
		found = true;
	}
	return !found;
}
