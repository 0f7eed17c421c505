/* init_bootconf_test.c - the boot configuration (shared/bootconf.h): what is right, what is wrong, what is hostile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/errno.h"
#include "init/bootconf.h"
#include "mm/heap.h"
#include "shared/bootconf.h"

static char *block;              /* exactly as long as the configuration: the sanitizer sees any byte read beyond */

static int parse_bytes(const void *bytes, size_t len, struct bootconf *c, const char **why)
{
	free(block);
	block = malloc(len ? len : 1);
	memcpy(block, bytes, len);
	return bootconf_parse(block, len, c, why);
}

static void drop(struct bootconf *c)
{
	heap_free(c->argv);
	heap_free(c->envp);
	heap_free(c->rules);
	heap_free(c->policies);
}

#define PARSE(c, why, text) parse_bytes(BOOTCONF_MAGIC text, sizeof(BOOTCONF_MAGIC text) - 1, c, why)
#define BASE "exec=/bin/x\0arg=x\0"

static void everything(void **state)
{
	struct bootconf c;
	const char *why;

#define ROOT_64 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	assert_int_equal(PARSE(&c, &why, BASE "root=1048576:4096\0verity=2101248:" ROOT_64 ":" ROOT_64 ROOT_64 "\0"), 0);
	assert_true(c.has_verity);
	assert_int_equal(c.verity_off, 2101248);
	assert_int_equal(c.verity_root[31], 31);
	assert_int_equal(c.verity_salt_len, 64);
	assert_int_equal(c.verity_salt[63], 31);
	drop(&c);
	assert_int_equal(PARSE(&c, &why, BASE "volume=a:/d:ro\0volume=b:/e:discard\0volume=c:/f\0"), 0);
	assert_true(c.nvolumes == 3 && c.volumes[0].readonly && !c.volumes[0].discard && !c.volumes[1].readonly && c.volumes[1].discard);
	assert_false(c.volumes[2].readonly || c.volumes[2].discard);
	assert_string_equal(c.volumes[1].path, "/e");
	drop(&c);
	assert_int_equal(PARSE(&c, &why, BASE "root=0:4096\0verity=8192:" ROOT_64 ":\0"), 0);
	assert_int_equal(c.verity_salt_len, 0);
	drop(&c);
	assert_int_equal(PARSE(&c, &why, BASE "verity=8192:" ROOT_64 ":\0"), -EINVAL);        /* of what? */
	drop(&c);
	assert_int_equal(PARSE(&c, &why, BASE "root=0:4096\0verity=8192:" ROOT_64 "\0"), -EINVAL);
	drop(&c);
	assert_int_equal(PARSE(&c, &why, BASE "root=0:4096\0verity=8192:" ROOT_64 "00:\0"), -EINVAL);
	drop(&c);
	assert_int_equal(PARSE(&c, &why, BASE "root=0:4096\0verity=8192:" ROOT_64 ":00\0"), -EINVAL);
	drop(&c);
	assert_int_equal(PARSE(&c, &why, BASE "root=0:4096\0verity=x:" ROOT_64 ":\0"), -EINVAL);
	drop(&c);
	assert_int_equal(PARSE(&c, &why, "exec=/bin/sh\0arg=sh\0arg=-c\0arg=\0env=A=b=c\0cwd=/tmp\0hostname=h\0root=1048576:4096\0"
			       "net=10.0.2.15/24\0gateway=10.0.2.2\0dns=1.2.3.4\0dns=8.8.8.8\0trace=1\0verbose=0\0tsc_khz=2100000\0"
			       "time_ns=1795310400000000000\0seed=00ffA5\0rule=read:\0rule=read:/etc/\0policy=file/stop\0learn=1\0"), 0);
	assert_string_equal(c.exec, "/bin/sh");
	assert_int_equal(c.argc, 3);
	assert_string_equal(c.argv[1], "-c");
	assert_string_equal(c.argv[2], "");
	assert_null(c.argv[3]);
	assert_int_equal(c.envc, 1);
	assert_string_equal(c.envp[0], "A=b=c");
	assert_string_equal(c.cwd, "/tmp");
	assert_int_equal(c.root_off, 1048576);
	assert_int_equal(c.root_len, 4096);
	assert_int_equal(c.net, BOOTCONF_NET_STATIC);
	assert_memory_equal(&c.addr, "\x0a\0\x02\x0f", 4);
	assert_memory_equal(&c.mask, "\xff\xff\xff\0", 4);
	assert_int_equal(c.ndns, 2);
	assert_memory_equal(c.dns[1].bytes, "\x8\x8\x8\x8", 4);
	assert_int_equal(c.nrules, 2);
	assert_string_equal(c.rules[1], "read:/etc/");
	assert_null(c.rules[2]);
	assert_int_equal(c.npolicies, 1);
	assert_string_equal(c.policies[0], "file/stop");
	assert_true(c.learn);
	assert_true(c.trace);
	assert_false(c.verbose);
	assert_int_equal(c.tsc_khz, 2100000);
	assert_int_equal(c.seed_len, 3);
	assert_memory_equal(c.seed, "\0\xff\xa5", 3);
	drop(&c);
}

/* Both families, and IPv6 alone. */
static void two_families(void **state)
{
	struct bootconf c;
	const char *why;

	assert_int_equal(PARSE(&c, &why, BASE "net=10.0.0.2/24\0net=2001:db8:1::2/48\0gateway=fe80::1\0gateway=10.0.0.1\0dns=::1\0dns=1:2:3:4:5:6:7:8\0"), 0);
	assert_int_equal(c.net, BOOTCONF_NET_STATIC);
	assert_memory_equal(&c.addr, "\x0a\0\0\2", 4);
	assert_memory_equal(c.addr6, "\x20\1\xd\xb8\0\1\0\0\0\0\0\0\0\0\0\2", 16);
	assert_int_equal(c.prefix6, 48);
	assert_true(c.has_gateway6);
	assert_memory_equal(c.gateway6, "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16);
	assert_memory_equal(&c.gateway, "\x0a\0\0\1", 4);
	assert_int_equal(c.ndns, 2);
	assert_true(c.dns[0].ipv6);
	assert_memory_equal(c.dns[0].bytes, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16);
	assert_memory_equal(c.dns[1].bytes, "\0\1\0\2\0\3\0\4\0\5\0\6\0\7\0\10", 16);
	drop(&c);
	assert_int_equal(PARSE(&c, &why, BASE "net=fd00::/1\0"), 0);
	assert_int_equal(c.net, BOOTCONF_NET_STATIC);
	assert_int_equal(c.addr, 0);
	drop(&c);
	assert_int_equal(PARSE(&c, &why, BASE "net=dhcp\0net=fd00::5/128\0"), 0);
	assert_int_equal(c.net, BOOTCONF_NET_DHCP);
	assert_int_equal(c.prefix6, 128);
	drop(&c);
}

static void defaults_and_padding(void **state)
{
	struct bootconf c;
	const char *why;

	assert_int_equal(PARSE(&c, &why, BASE "\0" "garbage without an end"), 0);
	assert_string_equal(c.cwd, "/");
	assert_string_equal(c.hostname, "pith");
	assert_int_equal(c.net, BOOTCONF_NET_NONE);
	assert_int_equal(c.root_len, 0);
	drop(&c);
	/* An unknown key is ignored; a record cut off by the end of the block does not count. */
	assert_int_equal(PARSE(&c, &why, BASE "future=1\0arg=cut"), 0);
	assert_int_equal(c.argc, 1);
	drop(&c);
}

#define REFUSED(text)                                                  \
	do {                                                           \
		struct bootconf c_;                                    \
		const char *why_;                                      \
		assert_int_equal(PARSE(&c_, &why_, text), -EINVAL);    \
		assert_non_null(why_);                                 \
		drop(&c_);                                             \
	} while (0)

static void refused(void **state)
{
	struct bootconf c;
	const char *why;

	assert_int_equal(parse_bytes("", 0, &c, &why), -EINVAL);
	assert_int_equal(parse_bytes("PITHCONF2\nexec=/x", 17, &c, &why), -EINVAL);
	assert_int_equal(parse_bytes("PITHCONF1", 9, &c, &why), -EINVAL);
	REFUSED("");
	REFUSED("arg=x\0");
	REFUSED("exec=/bin/x\0");
	REFUSED("exec=bin/x\0arg=x\0");
	REFUSED("exec\0arg=x\0");
	REFUSED(BASE "net=10.0.0.1\0");
	REFUSED(BASE "net=10.0.0.1/33\0");
	REFUSED(BASE "net=10.0.0.256/8\0");
	REFUSED(BASE "net=10.0..1/8\0");
	REFUSED(BASE "net=10.0.0/8\0");
	REFUSED(BASE "net=10.0.0.1.2/8\0");
	REFUSED(BASE "gateway=\0");
	REFUSED(BASE "dns=1.2.3.\0");
	REFUSED(BASE "net=fd00::1\0");
	REFUSED(BASE "net=fd00::1/129\0");
	REFUSED(BASE "net=fd00::1/0\0");
	REFUSED(BASE "net=fd00::1::2/64\0");
	REFUSED(BASE "net=fd00:1:2:3:4:5:6:7:8/64\0");
	REFUSED(BASE "net=fd00:1:2:3:4:5:6/64\0");
	REFUSED(BASE "net=:fd00::/64\0");
	REFUSED(BASE "net=fd00:/64\0");
	REFUSED(BASE "gateway=fe80::g\0");
	REFUSED(BASE "gateway=fe80::12345\0");
	REFUSED(BASE "dns=1:2:3:4:5:6:7\0");
	REFUSED(BASE "dns=1:2:3:4:5:6:7::8\0");
	REFUSED(BASE "dns=fe80::1%eth0\0");
	REFUSED(BASE "root=12:34\0");
	REFUSED(BASE "root=512\0");
	REFUSED(BASE "root=512:18446744073709551615\0");
	REFUSED(BASE "seed=0\0");
	REFUSED(BASE "seed=zz\0");
	REFUSED(BASE "trace=yes\0");
	REFUSED(BASE "tsc_khz=-1\0");
	REFUSED(BASE "tsc_khz=100000000001\0");
	REFUSED(BASE "time_ns=18446744073709551615\0");
	REFUSED(BASE "hostname=\0");
}

/* Bytes at random, and right configurations with bytes changed: no read outside, no crash. */
static void hostile(void **state)
{
	static const char good[] = BOOTCONF_MAGIC BASE "root=512:4096\0net=1.2.3.4/8\0dns=9.9.9.9\0seed=0011\0env=A=b\0";
	char bytes[sizeof(good)];
	struct bootconf c;
	const char *why;

	srandom(7);
	for (unsigned i = 0; i < 20000; i++) {
		size_t len = (size_t)random() % sizeof(good);

		memcpy(bytes, good, sizeof(good));
		for (unsigned n = (unsigned)random() % 6; n > 0; n--)
			bytes[BOOTCONF_MAGIC_LEN + (size_t)random() % (sizeof(good) - BOOTCONF_MAGIC_LEN)] = (char)random();
		int err = parse_bytes(bytes, len, &c, &why);
		assert_true(err == 0 || err == -EINVAL);
		if (err == 0)
			assert_true(c.exec && c.exec[0] == '/' && c.argc >= 1);
		drop(&c);
	}
}

static void seed_is_wiped(void **state)
{
	static const char text[] = BOOTCONF_MAGIC BASE "seed=00ffA5\0env=A=b\0";
	char bytes[sizeof(text)];

	memcpy(bytes, text, sizeof(text));
	bootconf_wipe_seed(bytes, sizeof(text) - 1);
	assert_null(memmem(bytes, sizeof(bytes), "00ffA5", 6));
	assert_non_null(memmem(bytes, sizeof(bytes), "seed=000000\0env=A=b", 19));
}

static void no_memory(void **state)
{
	struct bootconf c;
	const char *why;

	for (unsigned n = 1; n <= 2; n++) {
		heap_fail_nth(n);
		assert_int_equal(PARSE(&c, &why, BASE), -ENOMEM);
		heap_fail_nth(0);
		drop(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything), cmocka_unit_test(two_families), cmocka_unit_test(defaults_and_padding), cmocka_unit_test(refused),
		cmocka_unit_test(hostile), cmocka_unit_test(seed_is_wiped), cmocka_unit_test(no_memory),
	};
	int r = cmocka_run_group_tests(tests, NULL, NULL);

	free(block);
	return r;
}
