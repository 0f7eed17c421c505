/*
 * policy_match.c - does a path fit a pattern, a peer a rule? Pure; nothing can fail. Patterns and rules come from the boot
 * configuration, paths and addresses from the program.
 */
#include "proc/policy.h"
#include "base/print.h"
#include "base/string.h"

bool policy_path_fits(const char *p, const char *s)
{
	const char *star = NULL, *mark = NULL; /* the last * of this name, and how much it has taken */

	for (;; ) {
		if (*p == '*') {
			star = ++p;
			mark = s;
		} else if (*p && *p == *s) {
			if (*p == '/') {
				star = NULL;     /* a * does not reach over names */
				if (!p[1])
					return true;
			}
			p++;
			s++;
		} else if (*p == '?' && *s && *s != '/') {
			p++;
			s++;
		} else if (!*s && (!*p || (*p == '/' && !p[1]))) {
			return true;
		} else if (star && *mark && *mark != '/') {
			p = star;
			s = ++mark;
		} else {
			return false;
		}
	}
}

static bool hex_parse(const char *s, u8 ret[16])
{
	for (unsigned i = 0; i < 32; i++) {
		char c = s[i];
		u8 v = (u8)(c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 255);

		if (v == 255)
			return false;
		ret[i / 2] = (u8)(ret[i / 2] << 4 | v);
	}
	return true;
}

bool policy_peer_parse(const char *text, struct policy_peer *ret)
{
	u64 prefix, port;

	*ret = (struct policy_peer){ 0 };
	if (!memcmp(text, "tcp/", MIN(4u, strlen(text) + 1)))
		ret->protocol = LX_IPPROTO_TCP;
	else if (!memcmp(text, "udp/", MIN(4u, strlen(text) + 1)))
		ret->protocol = LX_IPPROTO_UDP;
	else if (memcmp(text, "any/", MIN(4u, strlen(text) + 1)))
		return false;
	text += 4;
	if (!hex_parse(text, ret->addr) || text[32] != '/')
		return false;
	text += 33;
	const char *slash = strchr(text, '/');
	if (!slash || !str_parse_u64(text, (size_t)(slash - text), &prefix) || prefix > 128 ||
	    !str_parse_u64(slash + 1, strlen(slash + 1), &port) || port > 65535)
		return false;
	ret->prefix = (u8)prefix;
	ret->port = (u16)port;
	return true;
}

bool policy_peer_fits(const struct policy_peer *rule, const struct policy_peer *peer)
{
	unsigned whole = rule->prefix / 8, rest = rule->prefix % 8;

	if ((rule->protocol && rule->protocol != peer->protocol) || (rule->port && rule->port != peer->port))
		return false;
	if (memcmp(rule->addr, peer->addr, whole))
		return false;
	return !rest || !((rule->addr[whole] ^ peer->addr[whole]) >> (8 - rest));
}

static bool is_mapped(const u8 a[16])
{
	static const u8 head[12] = { [10] = 0xff, [11] = 0xff };

	return !memcmp(a, head, 12);
}

static bool all_zero(const u8 *a, size_t n)
{
	while (n && !a[n - 1])
		n--;
	return !n;
}

bool policy_peer_of(const struct sock_addr *a, struct policy_peer *ret)
{
	*ret = (struct policy_peer){ .prefix = 128 };
	if (a->len < 8)
		return false;
	ret->port = (u16)(a->bytes[2] << 8 | a->bytes[3]);
	if (a->family == LX_AF_INET6) {
		if (a->len < 24)
			return false;
		memcpy(ret->addr, a->bytes + 8, 16);
		if (all_zero(ret->addr, 16))
			ret->addr[15] = 1;
	} else if (a->family == LX_AF_INET || a->family == 0) { /* Linux takes AF_UNSPEC for AF_INET in sendto and bind */
		ret->addr[10] = ret->addr[11] = 0xff;
		memcpy(ret->addr + 12, a->bytes + 4, 4);
	} else {
		return false;
	}
	if (is_mapped(ret->addr) && all_zero(ret->addr + 12, 4)) {
		ret->addr[12] = 127;
		ret->addr[15] = 1;
	}
	return true;
}

void policy_peer_show(const struct policy_peer *p, char *buf, size_t size)
{
	const char *protocol = p->protocol == LX_IPPROTO_TCP ? "tcp" : "udp";
	const u8 *a = p->addr;
	size_t at = 0;

	if (is_mapped(a)) {
		fmt_buf(buf, size, "%u.%u.%u.%u:%u/%s", a[12], a[13], a[14], a[15], p->port, protocol);
		return;
	}
	buf[at++] = '[';
	for (unsigned i = 0; i < 16; i += 2)
		at += (size_t)fmt_buf(buf + at, size - at, "%s%x", i ? ":" : "", a[i] << 8 | a[i + 1]);
	fmt_buf(buf + at, size - at, "]:%u/%s", p->port, protocol);
}
