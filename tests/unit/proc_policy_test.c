/* proc_policy_test.c - rules: which paths fit which patterns, which peers which rules, and what records are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/errno.h"
#include "proc/policy.h"

#define FITS(p, s)  assert_true(policy_path_fits(p, s))
#define ODD(p, s)   assert_false(policy_path_fits(p, s))

static void paths(void **state)
{
	FITS("/etc/hosts", "/etc/hosts");
	ODD("/etc/hosts", "/etc/hosts2");
	ODD("/etc/hosts", "/etc/host");
	ODD("/etc/hosts", "/etc");
	ODD("/etc", "/etc/hosts");
	FITS("/etc/", "/etc");
	FITS("/etc/", "/etc/hosts");
	FITS("/etc/", "/etc/a/b/c");
	ODD("/etc/", "/etcetera");
	ODD("/etc/", "/et");
	FITS("/", "/");
	FITS("/", "/any/thing");
	FITS("/a/*.so", "/a/b.so");
	FITS("/a/*.so", "/a/.so");
	ODD("/a/*.so", "/a/b/c.so");
	ODD("/a/*.so", "/a/b.so.1");
	FITS("/a/*.so*", "/a/b.so.1");
	FITS("/a/*/c", "/a/bbb/c");
	ODD("/a/*/c", "/a/b/b/c");
	FITS("/a/*/", "/a/b/c/d");
	FITS("/a/*b*b", "/a/abab");
	ODD("/a/*b*b", "/a/aba");
	FITS("/a?c", "/abc");
	ODD("/a?c", "/a/c");
	ODD("/a?", "/a");
	FITS("/*", "/x");
	ODD("/*", "/x/y");
	ODD("", "/x");
	ODD("/x", "");
	FITS("/proc/*/maps", "/proc/2/maps");
	ODD("/tmp/*", "/tmp/../etc");
}

/* Where a pattern does not end in a slash, it is what fnmatch calls a path name. */
static void paths_random(void **state)
{
	static const char letters[] = "ab/*?", plain[] = "ab/";
	char pattern[12], path[12], quoted[2];

	srand(7);
	quoted[0] = quoted[1] = 0;
	for (unsigned i = 0; i < 300000; i++) {
		unsigned n = 1 + (unsigned)rand() % 10, m = 1 + (unsigned)rand() % 10;
		for (unsigned k = 0; k < n; k++)
			pattern[k] = letters[(unsigned)rand() % 5];
		for (unsigned k = 0; k < m; k++)
			path[k] = plain[(unsigned)rand() % 3];
		pattern[n] = path[m] = 0;
		if (pattern[n - 1] == '/')
			(void)policy_path_fits(pattern, path);
		else if (policy_path_fits(pattern, path) != !fnmatch(pattern, path, FNM_PATHNAME | FNM_NOESCAPE))
			fail_msg("pattern %s, path %s", pattern, path);
	}
}

static bool fits(const char *rule, u16 family, const char *bytes, u16 port, u8 protocol)
{
	struct sock_addr a = { .len = family == LX_AF_INET6 ? 28 : 16 };
	struct policy_peer r, p;

	a.family = family;
	a.bytes[2] = (u8)(port >> 8);
	a.bytes[3] = (u8)port;
	memcpy(a.bytes + (family == LX_AF_INET6 ? 8 : 4), bytes, family == LX_AF_INET6 ? 16 : 4);
	assert_true(policy_peer_parse(rule, &r));
	assert_true(policy_peer_of(&a, &p));
	p.protocol = protocol;
	return policy_peer_fits(&r, &p);
}

#define V4(hex)  "00000000000000000000ffff" hex
#define MAPPED   "\0\0\0\0\0\0\0\0\0\0\xff\xff"
#define LOOP6    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x1"

static void peers(void **state)
{
	assert_true(fits("tcp/" V4("0a010203") "/128/80", LX_AF_INET, "\x0a\1\2\3", 80, LX_IPPROTO_TCP));
	assert_false(fits("tcp/" V4("0a010203") "/128/80", LX_AF_INET, "\x0a\1\2\3", 80, LX_IPPROTO_UDP));
	assert_false(fits("tcp/" V4("0a010203") "/128/80", LX_AF_INET, "\x0a\1\2\3", 81, LX_IPPROTO_TCP));
	assert_false(fits("tcp/" V4("0a010203") "/128/80", LX_AF_INET, "\x0a\1\2\4", 80, LX_IPPROTO_TCP));
	assert_true(fits("any/" V4("0a000000") "/104/0", LX_AF_INET, "\x0a\1\2\4", 9, LX_IPPROTO_UDP));
	assert_false(fits("any/" V4("0a000000") "/104/0", LX_AF_INET, "\x0b\1\2\4", 9, LX_IPPROTO_UDP));
	assert_true(fits("any/" V4("0a010000") "/111/0", LX_AF_INET, "\x0a\0\2\4", 9, LX_IPPROTO_UDP));
	assert_false(fits("any/" V4("0a010000") "/111/0", LX_AF_INET, "\x0a\2\2\4", 9, LX_IPPROTO_UDP));
	/* A mapped address is the IPv4 one; any host is both families. */
	assert_true(fits("tcp/" V4("0a010203") "/128/80", LX_AF_INET6, MAPPED "\x0a\1\2\3", 80, LX_IPPROTO_TCP));
	assert_false(fits("any/" V4("00000000") "/96/0", LX_AF_INET6, LOOP6, 1, LX_IPPROTO_TCP));
	assert_true(fits("any/00000000000000000000000000000000/0/0", LX_AF_INET6, LOOP6, 1, LX_IPPROTO_TCP));
	/* An unspecified address is the loopback; AF_UNSPEC is AF_INET. */
	assert_true(fits("tcp/" V4("7f000001") "/128/80", LX_AF_INET, "\0\0\0\0", 80, LX_IPPROTO_TCP));
	assert_true(fits("tcp/" V4("7f000001") "/128/80", LX_AF_INET6, MAPPED "\0\0\0\0", 80, LX_IPPROTO_TCP));
	assert_true(fits("tcp/00000000000000000000000000000001/128/80", LX_AF_INET6, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 80, LX_IPPROTO_TCP));
	assert_true(fits("udp/" V4("0a010203") "/128/80", 0, "\x0a\1\2\3", 80, LX_IPPROTO_UDP));
}

static void peers_odd(void **state)
{
	static const char *const odd[] = { "", "t", "tcp", "tcp/", "tcp/00", "icmp/" V4("0a010203") "/128/80", "tcp/" V4("0a01020") "/128/80",
		"tcp/" V4("0a01020g") "/128/80", "tcp/" V4("0a010203"), "tcp/" V4("0a010203") "/", "tcp/" V4("0a010203") "/129/80",
		"tcp/" V4("0a010203") "/128/65536", "tcp/" V4("0a010203") "/128/", "tcp/" V4("0a010203") "/128", "tcp/" V4("0a010203") "0/128/1" };
	struct policy_peer p;
	struct sock_addr a = { .len = 7 };
	char text[64];

	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
		char *exact = strdup(odd[i]);    /* the sanitizer sees any byte read beyond */
		assert_false(policy_peer_parse(exact, &p));
		free(exact);
	}
	a.family = LX_AF_INET;
	assert_false(policy_peer_of(&a, &p));
	a.len = 23;
	a.family = LX_AF_INET6;
	assert_false(policy_peer_of(&a, &p));
	a.len = 28;
	a.family = LX_AF_UNIX;
	assert_false(policy_peer_of(&a, &p));
	assert_true(policy_peer_parse("udp/fd00000000000000000000000000abcd/128/53", &p));
	policy_peer_show(&p, text, sizeof text);
	assert_string_equal(text, "[fd00:0:0:0:0:0:0:abcd]:53/udp");
	assert_true(policy_peer_parse("tcp/" V4("ff010203") "/128/65535", &p));
	policy_peer_show(&p, text, sizeof text);
	assert_string_equal(text, "255.1.2.3:65535/tcp");
}

static int init(const char *const *rules, const char *const *policies, const char **why)
{
	unsigned n = 0, m = 0;

	while (rules[n])
		n++;
	while (policies[m])
		m++;
	int r = policy_actions_init(policies, m, why);
	return r ? r : policy_init(rules, n, false, why);
}

#define LIST(...) ((const char *const[]){ __VA_ARGS__ __VA_OPT__(,) NULL })

static void records_odd(void **state)
{
	const char *why = NULL;

	assert_int_equal(init(LIST("nothing:x"), LIST(), &why), -EINVAL);
	assert_non_null(why);
	assert_int_equal(init(LIST("read"), LIST(), &why), -EINVAL);
	assert_int_equal(init(LIST(":x"), LIST(), &why), -EINVAL);
	assert_int_equal(init(LIST("syscalls:00"), LIST(), &why), -EINVAL);
	assert_int_equal(init(LIST("ioctls:x"), LIST(), &why), -EINVAL);
	assert_int_equal(init(LIST("ioctls:4294967296"), LIST(), &why), -EINVAL);
	assert_int_equal(init(LIST("connect:tcp/1/2/3"), LIST(), &why), -EINVAL);
	assert_int_equal(init(LIST(), LIST("file"), &why), -EINVAL);
	assert_int_equal(init(LIST(), LIST("file/kill"), &why), -EINVAL);
	assert_int_equal(init(LIST(), LIST("files/log"), &why), -EINVAL);
}

static void records(void **state)
{
	char calls[10 + 128] = "syscalls:03";
	const char *why = NULL;

	memset(calls + 11, '0', 126);
	calls[137 - 2] = '8';
	calls[137] = 0;
	assert_int_equal(init(LIST("syscalls:", calls, "ioctls:", "ioctls:21505", "mmap:", "mmap:5", "prctl:"), LIST("file/log"), &why), 0);
	assert_true(policy_has_number(POLICY_LIST_SYSCALLS, 0));
	assert_true(policy_has_number(POLICY_LIST_SYSCALLS, 1));
	assert_false(policy_has_number(POLICY_LIST_SYSCALLS, 2));
	assert_true(policy_has_number(POLICY_LIST_SYSCALLS, 511));
	assert_false(policy_has_number(POLICY_LIST_SYSCALLS, 512));
	assert_true(policy_has_number(POLICY_LIST_IOCTLS, 21505));
	assert_false(policy_has_number(POLICY_LIST_IOCTLS, 21506));
	assert_true(policy_has_number(POLICY_LIST_MMAP, 2));
	assert_false(policy_has_number(POLICY_LIST_MMAP, 1));
	assert_false(policy_has_number(POLICY_LIST_MMAP, 40));
	assert_false(policy_has_number(POLICY_LIST_PRCTL, 15));
	assert_true(policy_has_number(POLICY_LIST_FCNTL, 3));
	assert_true(policy_watches_calls());
	assert_false(policy_given(POLICY_LIST_CONNECT));
	assert_false(policy_stops(POLICY_ROOT));
	assert_int_equal(init(LIST(), LIST("root/stop"), &why), 0);
	assert_true(policy_stops(POLICY_ROOT));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths), cmocka_unit_test(paths_random), cmocka_unit_test(peers), cmocka_unit_test(peers_odd),
		cmocka_unit_test(records_odd), cmocka_unit_test(records),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
