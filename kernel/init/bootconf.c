/*
 * bootconf.c - reading the boot configuration (shared/bootconf.h).
 *
 * Invariants: no byte outside [block, block + len) is read, and a record counts only if its NUL lies inside; numbers are range-checked;
 * a record that cannot be understood, or is missing, fails the whole block and is named, an unknown key only leaves a line in the log.
 */
#include "init/bootconf.h"
#include "base/errno.h"
#include "base/link.h"
#include "base/log.h"
#include "base/string.h"
#include "mm/heap.h"
#include "shared/bootconf.h"

#define TSC_KHZ_MAX 100000000ull

/* "a.b.c.d" in [s, s+len) as a number in network order. */
static bool parse_ipv4(const char *s, size_t len, u32 *ret)
{
	u8 b[4];
	size_t at = 0;

	for (unsigned i = 0; i < 4; i++) {
		size_t from = at;
		u64 v;

		while (at < len && s[at] != '.')
			at++;
		if (at == from || at - from > 3 || !str_parse_u64(s + from, at - from, &v) || v > 255)
			return false;
		if (i < 3 && at++ == len)
			return false;
		b[i] = (u8)v;
	}
	memcpy(ret, b, 4);
	return at == len;
}

static int hex_digit(char ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	ch |= 0x20;
	return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

/* An IPv6 address in [s, s+len): groups of up to four hexadecimal digits, one "::" at most. No IPv4 tail, no scope. */
static bool parse_ipv6(const char *s, size_t len, u8 ret[16])
{
	u16 group[8];
	unsigned n = 0, gap = 9;
	size_t at = 0;

	if (len >= 2 && s[0] == ':' && s[1] == ':') {
		gap = 0;
		at = 2;
	}
	while (at < len) {
		u32 v = 0;
		size_t from = at;

		while (at < len && hex_digit(s[at]) >= 0 && at - from < 4)
			v = v << 4 | (u32)hex_digit(s[at++]);
		if (at == from || n == 8)
			return false;
		group[n++] = (u16)v;
		if (at == len)
			break;
		if (s[at++] != ':' || at == len)
			return false;
		if (s[at] == ':') {
			if (gap != 9)
				return false;
			gap = n;
			at++;
		}
	}
	if (gap == 9 ? n != 8 : n > 7)
		return false;
	for (unsigned i = 0, k = 0; i < 8; i++) {
		bool zero = gap != 9 && i >= gap && i < gap + (8 - n);
		u16 v = zero ? 0 : group[k++];
		ret[2 * i] = (u8)(v >> 8);
		ret[2 * i + 1] = (u8)v;
	}
	return true;
}

static bool is_ipv6(const char *v) { return strchr(v, ':') != NULL; }

static bool parse_gateway(struct bootconf *c, const char *v)
{
	if (!is_ipv6(v))
		return parse_ipv4(v, strlen(v), &c->gateway);
	c->has_gateway6 = parse_ipv6(v, strlen(v), c->gateway6);
	return c->has_gateway6;
}

static bool parse_dns(struct bootconf *c, const char *v)
{
	struct bootconf_ip ip = { .ipv6 = is_ipv6(v) };
	u32 v4;

	if (ip.ipv6 ? !parse_ipv6(v, strlen(v), ip.bytes) : !parse_ipv4(v, strlen(v), &v4))
		return false;
	if (!ip.ipv6)
		memcpy(ip.bytes, &v4, 4);
	if (c->ndns < BOOTCONF_DNS_MAX)
		c->dns[c->ndns++] = ip;
	return true;
}

static bool parse_net(struct bootconf *c, const char *v)
{
	const char *slash = strchr(v, '/');
	u64 prefix;
	u32 mask;

	if (!strcmp(v, "none")) {
		c->net = BOOTCONF_NET_NONE;
		return true;
	}
	if (!strcmp(v, "dhcp")) {
		c->net = BOOTCONF_NET_DHCP;
		return true;
	}
	if (is_ipv6(v)) {
		if (!slash || !parse_ipv6(v, (size_t)(slash - v), c->addr6) || !str_parse_u64(slash + 1, strlen(slash + 1), &prefix) ||
		    prefix < 1 || prefix > 128)
			return false;
		c->prefix6 = (u8)prefix;
		if (c->net == BOOTCONF_NET_NONE)
			c->net = BOOTCONF_NET_STATIC;
		return true;
	}
	if (!slash || !parse_ipv4(v, (size_t)(slash - v), &c->addr) || !str_parse_u64(slash + 1, strlen(slash + 1), &prefix) ||
	    prefix < 1 || prefix > 32)
		return false;
	mask = prefix == 32 ? ~0u : ~(~0u >> prefix);
	c->mask = __builtin_bswap32(mask);
	c->net = BOOTCONF_NET_STATIC;
	return true;
}

/* The records of the network by their first letters; a kernel without one does not read them. */
bool bootconf_net(struct bootconf *c, char key, const char *v)
{
	return key == 'n' ? parse_net(c, v) : key == 'g' ? parse_gateway(c, v) : parse_dns(c, v);
}

LINK_SLOT_OF(bootconf_net);
static __typeof__(&bootconf_net) const volatile net_take RO_AFTER_INIT = LINK_SLOT(bootconf_net);

static bool parse_root(struct bootconf *c, const char *v)
{
	const char *colon = strchr(v, ':');

	return colon && str_parse_u64(v, (size_t)(colon - v), &c->root_off) &&
	       str_parse_u64(colon + 1, strlen(colon + 1), &c->root_len) && c->root_off % 512 == 0 && c->root_len > 0 &&
	       c->root_off <= INT64_MAX && c->root_len <= INT64_MAX - c->root_off;
}

bool bootconf_volume(struct bootconf *c, const char *v)
{
	const char *path = strchr(v, ':');
	struct bootconf_volume *x = &c->volumes[c->nvolumes];
	size_t len;

	if (!path || c->nvolumes == BOOTCONF_VOLUMES_MAX || path == v || (size_t)(path - v) >= sizeof x->serial)
		return false;
	memset(x, 0, sizeof *x);
	memcpy(x->serial, v, (size_t)(path - v));
	path++;
	len = strlen(path);
	x->readonly = len > 3 && !strcmp(path + len - 3, ":ro");
	x->discard = len > 8 && !strcmp(path + len - 8, ":discard");
	len -= x->readonly ? 3 : x->discard ? 8 : 0;
	if (len < 2 || len >= sizeof x->path || path[0] != '/')
		return false;
	memcpy(x->path, path, len);
	c->nvolumes++;
	return true;
}

LINK_SLOT_OF(bootconf_volume);
static __typeof__(&bootconf_volume) const volatile volume_take RO_AFTER_INIT = LINK_SLOT(bootconf_volume);

/* len hexadecimal digits, two for each of at most max bytes. */
static bool parse_hex(const char *v, size_t len, u8 *ret, size_t max)
{
	if (len % 2 || len / 2 > max)
		return false;
	for (size_t i = 0; i < len; i += 2) {
		int hi = hex_digit(v[i]), lo = hex_digit(v[i + 1]);

		if (hi < 0 || lo < 0)
			return false;
		ret[i / 2] = (u8)(hi << 4 | lo);
	}
	return true;
}

static bool parse_seed(struct bootconf *c, const char *v)
{
	c->seed_len = (unsigned)(strlen(v) / 2);
	return parse_hex(v, strlen(v), c->seed, BOOTCONF_SEED_MAX);
}

static bool parse_verity(struct bootconf *c, const char *v)
{
	const char *root = strchr(v, ':'), *salt = root ? strchr(root + 1, ':') : NULL;
	size_t salt_len = salt ? strlen(salt + 1) : 0;

	c->has_verity = true;
	c->verity_salt_len = (unsigned)(salt_len / 2);
	return salt && str_parse_u64(v, (size_t)(root - v), &c->verity_off) && c->verity_off <= INT64_MAX &&
	       (size_t)(salt - root - 1) == 2 * sizeof(c->verity_root) &&
	       parse_hex(root + 1, 2 * sizeof(c->verity_root), c->verity_root, sizeof(c->verity_root)) &&
	       (salt_len == 0 || salt_len == 2 * sizeof(c->verity_salt)) &&
	       parse_hex(salt + 1, salt_len, c->verity_salt, sizeof(c->verity_salt));
}

static bool parse_flag(const char *v, bool *ret)
{
	*ret = !strcmp(v, "1");
	return *ret || !strcmp(v, "0");
}

static NOINLINE bool key_is(const char *key, size_t len, const char *word)
{
	return strlen(word) == len && !memcmp(key, word, len);
}

/* NULL if the record was taken, else its key. key ends at '='. */
static const char *take_record(struct bootconf *c, const char *key, size_t key_len, const char *v)
{
	const char *k;
	bool ok = true;

#define KEY_IS(word) key_is(key, key_len, k = word)
	if (KEY_IS("arg"))
		c->argv[c->argc++] = v;
	else if (KEY_IS("env"))
		c->envp[c->envc++] = v;
	else if (KEY_IS("rule"))
		c->rules[c->nrules++] = v;
	else if (KEY_IS("policy"))
		c->policies[c->npolicies++] = v;
	else if (KEY_IS("exec"))
		ok = (c->exec = v)[0] == '/';
	else if (KEY_IS("cwd"))
		ok = (c->cwd = v)[0] == '/';
	else if (KEY_IS("hostname"))
		ok = (c->hostname = v)[0] && strlen(v) <= 64;
	else if (KEY_IS("root"))
		ok = parse_root(c, v);
	else if (KEY_IS("verity"))
		ok = parse_verity(c, v);
	else if (KEY_IS("volume"))
		ok = volume_take && volume_take(c, v);
	else if (KEY_IS("net") || KEY_IS("gateway") || KEY_IS("dns"))
		ok = !net_take || net_take(c, *k, v);
	else if (KEY_IS("allow"))
		c->allow_jit = ok = !strcmp(v, "jit");
	else if (KEY_IS("learn"))
		ok = parse_flag(v, &c->learn);
	else if (KEY_IS("trace"))
		ok = parse_flag(v, &c->trace);
	else if (KEY_IS("verbose"))
		ok = parse_flag(v, &c->verbose);
	else if (KEY_IS("tsc_khz"))
		ok = str_parse_u64(v, strlen(v), &c->tsc_khz) && c->tsc_khz <= TSC_KHZ_MAX;
	else if (KEY_IS("time_ns"))
		ok = str_parse_u64(v, strlen(v), &c->time_ns) && c->time_ns <= INT64_MAX;
	else if (KEY_IS("seed"))
		ok = parse_seed(c, v);
	else
		log_warn("boot configuration: unknown key %.*s is ignored\n", (int)MIN(key_len, (size_t)32), key);
	return ok ? NULL : k;
#undef KEY_IS
}

/* The record at *at: its length without the NUL; 0 at the end of the block. */
static size_t record_len(const char *block, size_t len, size_t at)
{
	const char *nul = at < len ? memchr(block + at, '\0', len - at) : NULL;

	return nul ? (size_t)(nul - (block + at)) : 0;
}

/* Room for all records with this key, and a NULL behind them. */
static const char **list_room(const char *block, size_t len, const char *key, bool *ret_short)
{
	size_t n, count = 1, key_len = strlen(key);

	for (size_t at = BOOTCONF_MAGIC_LEN; (n = record_len(block, len, at)) > 0; at += n + 1)
		count += n >= key_len && !memcmp(block + at, key, key_len);
	const char **list = heap_alloc_array(count, sizeof(*list));
	*ret_short |= !list;
	return list;
}

int bootconf_parse(const char *block, size_t len, struct bootconf *ret, const char **ret_why)
{
	bool out_of_memory = false;
	size_t n;

	*ret = (struct bootconf){ .cwd = "/", .hostname = "pith" };
	*ret_why = NULL;
	if (len < BOOTCONF_MAGIC_LEN || len > BOOTCONF_MAX || memcmp(block, BOOTCONF_MAGIC, BOOTCONF_MAGIC_LEN)) {
		*ret_why = "its beginning";
		return -EINVAL;
	}
	ret->argv = list_room(block, len, "arg=", &out_of_memory);
	ret->envp = list_room(block, len, "env=", &out_of_memory);
	ret->rules = list_room(block, len, "rule=", &out_of_memory);
	ret->policies = list_room(block, len, "policy=", &out_of_memory);
	if (out_of_memory)
		return -ENOMEM;
	for (size_t at = BOOTCONF_MAGIC_LEN; (n = record_len(block, len, at)) > 0; at += n + 1) {
		const char *eq = memchr(block + at, '=', n);
		const char *why = eq ? take_record(ret, block + at, (size_t)(eq - (block + at)), eq + 1) : "=";

		if (why && !*ret_why)
			*ret_why = why;
	}
	if (!*ret_why && !ret->exec)
		*ret_why = "exec";
	if (!*ret_why && ret->has_verity && !ret->root_len)
		*ret_why = "verity";
	if (!*ret_why && !ret->argc)
		*ret_why = "arg";
	return *ret_why ? -EINVAL : 0;
}

void bootconf_wipe_seed(char *block, size_t len)
{
	size_t n;

	for (size_t at = BOOTCONF_MAGIC_LEN; (n = record_len(block, len, at)) > 0; at += n + 1)
		if (n > 5 && !memcmp(block + at, "seed=", 5))
			memset(block + at + 5, '0', n - 5);
}
