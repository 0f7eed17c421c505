/*
 * rules_names.c - the words of a manifest's lists and the numbers that the kernel knows.
 *
 * What has no name here is written as a number; nothing is refused for lack of a name.
 */
#include "rules.h"

#include <asm/ioctls.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "scan/calls.h"
#include "scan/table.h"

struct name {
	const char *word;
	uint64_t number;
};

#define N(word) { #word, (uint64_t)word }
static const struct name ioctls[] = {
	N(TCGETS), N(TCSETS), N(TCSETSW), N(TCSETSF), N(TIOCGWINSZ), N(TIOCSWINSZ), N(TIOCGPGRP), N(TIOCSPGRP), N(TIOCSCTTY), N(TIOCNOTTY),
	N(TIOCOUTQ), N(FIONREAD), N(FIONBIO), N(FIOASYNC), N(FIOCLEX), N(FIONCLEX), N(FICLONE), N(FS_IOC_GETFLAGS), N(FS_IOC_SETFLAGS),
	N(SIOCGIFNAME), N(SIOCGIFCONF), N(SIOCGIFFLAGS), N(SIOCGIFADDR), N(SIOCGIFDSTADDR), N(SIOCGIFBRDADDR), N(SIOCGIFNETMASK),
	N(SIOCGIFMETRIC), N(SIOCGIFMTU), N(SIOCGIFHWADDR), N(SIOCGIFINDEX), N(SIOCGIFTXQLEN), N(SIOCATMARK),
	N(BLKGETSIZE64), N(BLKSSZGET), N(BLKFLSBUF), N(BLKGETSIZE),
	{ "RNDGETENTCNT", 0x80045200 },
};
static const struct name prctls[] = {
	N(PR_SET_PDEATHSIG), N(PR_GET_PDEATHSIG), N(PR_GET_DUMPABLE), N(PR_SET_DUMPABLE), N(PR_GET_KEEPCAPS), N(PR_SET_KEEPCAPS),
	N(PR_GET_TIMING), N(PR_SET_TIMING), N(PR_SET_NAME), N(PR_GET_NAME), N(PR_GET_SECCOMP), N(PR_SET_SECCOMP), N(PR_CAPBSET_READ),
	N(PR_CAPBSET_DROP), N(PR_GET_TSC), N(PR_SET_TSC), N(PR_GET_SECUREBITS), N(PR_SET_SECUREBITS), N(PR_SET_TIMERSLACK),
	N(PR_GET_TIMERSLACK), N(PR_MCE_KILL), N(PR_SET_MM), N(PR_SET_CHILD_SUBREAPER), N(PR_GET_CHILD_SUBREAPER), N(PR_SET_NO_NEW_PRIVS),
	N(PR_GET_NO_NEW_PRIVS), N(PR_GET_TID_ADDRESS), N(PR_SET_THP_DISABLE), N(PR_GET_THP_DISABLE), N(PR_CAP_AMBIENT),
	N(PR_GET_SPECULATION_CTRL), N(PR_SET_SPECULATION_CTRL), N(PR_SET_IO_FLUSHER), N(PR_GET_IO_FLUSHER), N(PR_SCHED_CORE),
	N(PR_SET_VMA), N(PR_SET_PTRACER),
};
static const struct name fcntls[] = {
	N(F_DUPFD), N(F_GETFD), N(F_SETFD), N(F_GETFL), N(F_SETFL), N(F_GETLK), N(F_SETLK), N(F_SETLKW), N(F_SETOWN), N(F_GETOWN),
	{ "F_SETSIG", 10 }, { "F_GETSIG", 11 }, { "F_SETOWN_EX", 15 }, { "F_GETOWN_EX", 16 },
	{ "F_OFD_GETLK", 36 }, { "F_OFD_SETLK", 37 }, { "F_OFD_SETLKW", 38 }, { "F_SETLEASE", 1024 }, { "F_GETLEASE", 1025 },
	{ "F_NOTIFY", 1026 }, { "F_DUPFD_CLOEXEC", 1030 }, { "F_SETPIPE_SZ", 1031 }, { "F_GETPIPE_SZ", 1032 }, { "F_ADD_SEALS", 1033 },
	{ "F_GET_SEALS", 1034 }, { "F_GET_RW_HINT", 1035 }, { "F_SET_RW_HINT", 1036 }, { "F_GET_FILE_RW_HINT", 1037 },
	{ "F_SET_FILE_RW_HINT", 1038 },
};
static const struct { const struct name *names; size_t count; } tables[] = {
	[RULES_IOCTL] = { ioctls, sizeof ioctls / sizeof *ioctls },
	[RULES_PRCTL] = { prctls, sizeof prctls / sizeof *prctls },
	[RULES_FCNTL] = { fcntls, sizeof fcntls / sizeof *fcntls },
};

/* A 32-bit number, decimal or hexadecimal with 0x. */
static bool number_read(const char *word, uint64_t *ret)
{
	char *end;

	if (*word < '0' || *word > '9')
		return false;
	*ret = strtoull(word, &end, word[1] == 'x' ? 16 : 10);
	return !*end && strlen(word) <= 10 && *ret <= UINT32_MAX;
}

bool rules_number(enum rules_names kind, const char *word, uint64_t *ret)
{
	for (size_t i = 0; i < tables[kind].count; i++) {
		if (!strcmp(tables[kind].names[i].word, word)) {
			*ret = tables[kind].names[i].number;
			return true;
		}
	}
	return number_read(word, ret);
}

char *rules_name(enum rules_names kind, uint64_t number)
{
	for (size_t i = 0; i < tables[kind].count; i++) {
		if (tables[kind].names[i].number == number)
			return xstrdup(tables[kind].names[i].word);
	}
	return kind == RULES_IOCTL ? xasprintf("0x%llx", (unsigned long long)number) : xasprintf("%llu", (unsigned long long)number);
}

int rules_call_number(const char *name)
{
	for (unsigned int i = 0; i < SCAN_CALLS_MAX; i++) {
		const char *known = scan_call_name(i);

		if (known && !strcmp(known, name))
			return (int)i;
	}
	return -1;
}

static const char mmap_words[16][5] = {
	"---p", "r--p", "-w-p", "rw-p", "--xp", "r-xp", "-wxp", "rwxp", "---s", "r--s", "-w-s", "rw-s", "--xs", "r-xs", "-wxs", "rwxs",
};

int rules_mmap_bit(const char *word)
{
	for (int i = 0; i < 16; i++) {
		if (!strcmp(mmap_words[i], word))
			return i;
	}
	return -1;
}

const char *rules_mmap_word(unsigned int bit)
{
	return mmap_words[bit & 15];
}

static const struct name families[] = { { "unix", AF_UNIX }, { "inet", AF_INET }, { "inet6", AF_INET6 }, { "netlink", AF_NETLINK } };
static const struct name types[] = {
	{ "stream", SOCK_STREAM }, { "dgram", SOCK_DGRAM }, { "raw", SOCK_RAW }, { "seqpacket", SOCK_SEQPACKET },
};
static const struct name netlinks[] = { { "route", 0 }, { "sock_diag", 4 }, { "kobject_uevent", 15 } };

#define FIND(table, word, number) name_find(table, sizeof(table) / sizeof *(table), word, number)

/* By word, or, with word NULL, by number. */
static const struct name *name_find(const struct name *names, size_t count, const char *word, uint64_t number)
{
	for (size_t i = 0; i < count; i++) {
		if (word ? !strcmp(names[i].word, word) : names[i].number == number)
			return &names[i];
	}
	return NULL;
}

static bool part_read(const struct name *found, const char *word, unsigned int *ret)
{
	uint64_t number;

	if (!found && (!number_read(word, &number) || number > 255))
		return false;
	*ret = (unsigned int)(found ? found->number : number);
	return true;
}

bool rules_socket(const char *word, unsigned int *ret_family, unsigned int *ret_type)
{
	const char *slash = strchr(word, '/');
	char *family = slash ? xstrndup(word, (size_t)(slash - word)) : NULL;
	bool ok = family && part_read(FIND(families, family, 0), family, ret_family);

	if (ok)
		ok = part_read(*ret_family == AF_NETLINK ? FIND(netlinks, slash + 1, 0) : FIND(types, slash + 1, 0), slash + 1, ret_type);
	free(family);
	return ok;
}

char *rules_socket_word(unsigned int family, unsigned int type)
{
	const struct name *f = FIND(families, NULL, family), *t = family == AF_NETLINK ? FIND(netlinks, NULL, type) : FIND(types, NULL, type);
	struct buf text = { 0 };

	if (f)
		buf_printf(&text, "%s/", f->word);
	else
		buf_printf(&text, "%u/", family);
	if (t)
		buf_puts(&text, t->word);
	else
		buf_printf(&text, "%u", type);
	return text.data;
}
