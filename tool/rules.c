/*
 * rules.c - what a program may do: judged, and made into records for the kernel.
 *
 * The kernel reads numbers, not words, and does not resolve names: what is a word in a manifest is one here only.
 */
#include "rules.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manifest.h"
#include "opts.h"
#include "scan/calls.h"
#include "util/err.h"

static const char *const kind_words[] = {
#define POLICY_KIND(id, word, action, event) word,
#include "shared/policy.def"
#undef POLICY_KIND
};

/* One peer as it is written. */
struct peer {
	char *host;           /* "*", an address, or a name */
	unsigned int prefix;  /* of 128: IPv4 as mapped addresses */
	unsigned int port;    /* 0: any */
	const char *protocol; /* tcp, udp, any */
	uint8_t address[16];
	bool is_name;
};

const char *rules_kind_word(unsigned int kind)
{
	return kind_words[kind];
}

bool rules_given(const struct rules *rules)
{
	for (unsigned int k = 0; k < RULES_KINDS; k++) {
		if (rules->policy[k])
			return true;
	}
#define X(field, key) if (rules->field.given) return true;
	RULES_LISTS(X)
#undef X
	return false;
}

void rules_free(struct rules *rules)
{
#define X(field, key) strv_free(&rules->field.items);
	RULES_LISTS(X)
#undef X
	for (unsigned int k = 0; k < RULES_KINDS; k++)
		free(rules->policy[k]);
	*rules = (struct rules){ 0 };
}

/* Takes "/tcp" or "/udp" off the end of a text. */
static const char *protocol_cut(char *text)
{
	size_t len = strlen(text);

	if (len < 4 || (strcmp(text + len - 4, "/tcp") && strcmp(text + len - 4, "/udp")))
		return "any";
	text[len - 4] = '\0';
	return text[len - 3] == 't' ? "tcp" : "udp";
}

static bool host_read(struct peer *p)
{
	char *slash = strchr(p->host, '/');
	uint64_t prefix = 0;
	bool v4;

	if (slash)
		*slash = '\0';
	if (!strcmp(p->host, "*")) {
		p->prefix = 0;
		return !slash;
	}
	memset(p->address, 0, 10);
	memset(p->address + 10, 0xff, 2);
	v4 = inet_pton(AF_INET, p->host, p->address + 12) == 1;
	if (!v4 && inet_pton(AF_INET6, p->host, p->address) != 1) {
		p->is_name = true;
		return !slash && *p->host && strspn(p->host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") == strlen(p->host);
	}
	if (slash && !str_number(slash + 1, 0, v4 ? 32 : 128, &prefix))
		return false;
	p->prefix = slash ? (unsigned int)prefix + (v4 ? 96 : 0) : 128;
	return true;
}

/* HOST[/PREFIX]:PORT[/tcp|/udp]; an IPv6 address in brackets, the prefix behind them; * for any host, or any port. */
static bool peer_read(const char *text, struct peer *p)
{
	char *copy = xstrdup(text), *colon;
	uint64_t port = 0;
	bool ok;

	*p = (struct peer){ .protocol = protocol_cut(copy) };
	colon = strrchr(copy, ':');
	ok = colon && colon > copy;
	if (ok) {
		*colon = '\0';
		ok = !strcmp(colon + 1, "*") || str_number(colon + 1, 1, 65535, &port);
	}
	if (ok && copy[0] == '[') {
		char *end = strchr(copy, ']');

		ok = end && (!end[1] || end[1] == '/');
		p->host = ok ? xasprintf("%.*s%s", (int)(end - copy - 1), copy + 1, end + 1) : NULL;
	} else if (ok) {
		ok = !strchr(copy, ':');
		p->host = xstrdup(copy);
	}
	p->port = (unsigned int)port;
	ok = ok && host_read(p);
	free(copy);
	return ok;
}

static bool listen_read(const char *text, unsigned int *ret_port)
{
	uint64_t port;

	if ((!str_starts(text, "tcp/") && !str_starts(text, "udp/")) || !str_number(text + 4, 0, 65535, &port))
		return false;
	*ret_port = (unsigned int)port;
	return true;
}

typedef bool (*word_check)(const char *word);
static bool is_call(const char *word) { return rules_call_number(word) >= 0; }
static bool is_socket(const char *word) { unsigned int a, b; return rules_socket(word, &a, &b); }
static bool is_path(const char *word) { return word[0] == '/'; }
static bool is_secret(const char *word) { return word[0] == '/' || (str_starts(word, "env:") && word[4] && !strchr(word, '=')); }
static bool is_listen(const char *word) { unsigned int port; return listen_read(word, &port); }
static bool is_ioctl(const char *word) { uint64_t n; return rules_number(RULES_IOCTL, word, &n); }
static bool is_prctl(const char *word) { uint64_t n; return rules_number(RULES_PRCTL, word, &n); }
static bool is_fcntl(const char *word) { uint64_t n; return rules_number(RULES_FCNTL, word, &n); }
static bool is_mmap(const char *word) { return rules_mmap_bit(word) >= 0; }
static bool is_connect(const char *word)
{
	struct peer p;
	bool ok = peer_read(word, &p);

	free(p.host);
	return ok;
}

static int list_check(const struct opts *opts, const char *key, const struct rules_list *list, word_check good, const char *advice)
{
	for (size_t i = 0; i < list->items.count; i++) {
		if (!good(list->items.items[i])) {
			char *where = manifest_where(opts, key, i);
			int status = err_report(PITH_USAGE, where, "\"%s\" %s", list->items.items[i], advice);

			free(where);
			return status;
		}
	}
	return 0;
}

int rules_check(const struct opts *opts)
{
	const struct rules *r = &opts->rules;
	const struct { const char *key; const struct rules_list *list; word_check good; const char *advice; } checks[] = {
		{ "syscalls", &r->syscalls, is_call, "is no system call; names are those of the Linux manual, such as openat" },
		{ "sockets", &r->sockets, is_socket, "is no kind of socket; write it as inet/stream, unix/dgram or netlink/route" },
		{ "devices", &r->devices, is_path, "is not absolute; write it as /dev/urandom" },
		{ "files.read", &r->read, is_path, "is not absolute; begin it with a /" },
		{ "files.write", &r->write, is_path, "is not absolute; begin it with a /" },
		{ "listen", &r->listen, is_listen, "is no port; write it as tcp/8080 or udp/53 (0: one that the system chooses)" },
		{ "connect", &r->connect, is_connect, "is no peer; write it as 10.0.0.0/8:5432/tcp, [fd00::1]:53, db.example:5432 or *:443" },
		{ "ioctls", &r->ioctls, is_ioctl, "is no ioctl known by name; write its number, such as 0x5401" },
		{ "mmap", &r->mmap, is_mmap, "is no protection; write it as r-xp, rw-p or r--s" },
		{ "prctl", &r->prctl, is_prctl, "is no prctl known by name; write its number" },
		{ "fcntl", &r->fcntl, is_fcntl, "is no fcntl known by name; write its number" },
		{ "canary", &r->canary, is_path, "is not absolute; begin it with a /" },
		{ "secret", &r->secret, is_secret, "is no secret; write a file's absolute path, or env:NAME" },
	};
	int status = 0;

	for (size_t i = 0; i < sizeof checks / sizeof *checks && !status; i++)
		status = list_check(opts, checks[i].key, checks[i].list, checks[i].good, checks[i].advice);
	for (unsigned int k = 0; k < RULES_KINDS && !status; k++) {
		const char *action = r->policy[k];

		if (action && strcmp(action, "log") && strcmp(action, "refuse") && strcmp(action, "stop")) {
			char *key = xasprintf("policy.%s", kind_words[k]), *where = manifest_where(opts, key, 0);

			status = err_report(PITH_USAGE, where, "\"%s\" is no such thing; choose one of log, refuse, stop", action);
			free(key);
			free(where);
		}
	}
	return status;
}

static void peer_record(const struct peer *p, const uint8_t address[16], struct strv *out)
{
	char hex[33];

	for (int i = 0; i < 16; i++)
		snprintf(hex + 2 * i, 3, "%02x", address[i]);
	strv_printf(out, "connect:%s/%s/%u/%u", p->protocol, hex, p->prefix, p->port);
}

/* All addresses of a name. */
static int name_records(struct peer *p, struct strv *out)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;
	int error = getaddrinfo(p->host, NULL, &hints, &list);

	if (error)
		return err_report(PITH_FAILED, p->host, "this peer of the manifest is not found: %s; write its address", gai_strerror(error));
	p->prefix = 128;
	for (const struct addrinfo *a = list; a; a = a->ai_next) {
		uint8_t address[16] = { [10] = 0xff, [11] = 0xff };

		if (a->ai_family == AF_INET)
			memcpy(address + 12, &((const struct sockaddr_in *)(const void *)a->ai_addr)->sin_addr, 4);
		else if (a->ai_family == AF_INET6)
			memcpy(address, &((const struct sockaddr_in6 *)(const void *)a->ai_addr)->sin6_addr, 16);
		else
			continue;
		peer_record(p, address, out);
	}
	freeaddrinfo(list);
	return 0;
}

static int connect_records(const struct rules_list *list, struct strv *out)
{
	int status = 0;

	for (size_t i = 0; i < list->items.count && !status; i++) {
		struct peer p;

		if (peer_read(list->items.items[i], &p) && p.is_name)
			status = name_records(&p, out);
		else
			peer_record(&p, p.address, out);
		free(p.host);
	}
	return status;
}

static void syscall_record(const struct rules_list *list, struct strv *out)
{
	uint8_t set[SCAN_CALLS_MAX / 8] = { 0 };
	struct buf hex = { 0 };

	if (!list->given)
		return;
	for (size_t i = 0; i < list->items.count; i++) {
		int n = rules_call_number(list->items.items[i]);

		set[n / 8] |= (uint8_t)(1u << n % 8);
	}
	for (size_t i = 0; i < sizeof set; i++)
		buf_printf(&hex, "%02x", set[i]);
	strv_printf(out, "syscalls:%s", hex.data);
	buf_free(&hex);
}

static void number_records(enum rules_names kind, const char *key, const struct rules_list *list, struct strv *out)
{
	uint64_t n = 0;

	for (size_t i = 0; i < list->items.count; i++) {
		rules_number(kind, list->items.items[i], &n);
		strv_printf(out, "%s:%llu", key, (unsigned long long)n);
	}
}

static void text_records(const char *key, const struct rules_list *list, struct strv *out)
{
	for (size_t i = 0; i < list->items.count; i++)
		strv_printf(out, "%s:%s", key, list->items.items[i]);
}

static void mmap_record(const struct rules_list *list, struct strv *out)
{
	unsigned int mask = 0;

	for (size_t i = 0; i < list->items.count; i++)
		mask |= 1u << rules_mmap_bit(list->items.items[i]);
	if (list->given)
		strv_printf(out, "mmap:%u", mask);
}

int rules_records(const struct rules *r, struct strv *out, struct strv *policies)
{
	unsigned int family, type;

	/* A record without a value: the list is there, even if nothing is in it. */
#define X(field, key) if (r->field.given) strv_printf(out, "%s:", strchr(key, '.') ? strchr(key, '.') + 1 : key);
	RULES_LISTS(X)
#undef X
	syscall_record(&r->syscalls, out);
	for (size_t i = 0; i < r->sockets.items.count; i++) {
		rules_socket(r->sockets.items.items[i], &family, &type);
		strv_printf(out, "sockets:%u/%u", family, type);
	}
	text_records("devices", &r->devices, out);
	text_records("read", &r->read, out);
	text_records("write", &r->write, out);
	text_records("listen", &r->listen, out);
	number_records(RULES_IOCTL, "ioctls", &r->ioctls, out);
	number_records(RULES_PRCTL, "prctl", &r->prctl, out);
	number_records(RULES_FCNTL, "fcntl", &r->fcntl, out);
	mmap_record(&r->mmap, out);
	text_records("canary", &r->canary, out);
	text_records("secret", &r->secret, out);
	for (unsigned int k = 0; k < RULES_KINDS; k++) {
		if (r->policy[k])
			strv_printf(policies, "%s/%s", kind_words[k], r->policy[k]);
	}
	return connect_records(&r->connect, out);
}
