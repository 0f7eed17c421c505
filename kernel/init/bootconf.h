/*
 * bootconf.h - the boot configuration, read: see shared/bootconf.h for the format. Pure but for the heap; hostile input.
 * Strings point into the block, which must stay.
 */
#ifndef INIT_BOOTCONF_H
#define INIT_BOOTCONF_H

#include "base/types.h"

#define BOOTCONF_DNS_MAX 3u
#define BOOTCONF_SEED_MAX 64u
#define BOOTCONF_SALT_MAX 64u
#define BOOTCONF_VOLUMES_MAX 8u

struct bootconf {
	const char *exec, *cwd, *hostname;
	const char **argv, **envp;       /* NULL-terminated, on the heap */
	unsigned argc, envc;
	const char **rules, **policies;  /* likewise; judged by proc/policy.h */
	unsigned nrules, npolicies;
	u64 root_off, root_len;          /* root_len 0: the whole device */
	bool has_verity;
	u64 verity_off;
	u8 verity_root[32], verity_salt[BOOTCONF_SALT_MAX];
	unsigned verity_salt_len;        /* bytes, 0 or BOOTCONF_SALT_MAX */
	struct bootconf_volume {
		char serial[21], path[64];
		bool readonly, discard;
	} volumes[BOOTCONF_VOLUMES_MAX];
	unsigned nvolumes;
	enum { BOOTCONF_NET_NONE, BOOTCONF_NET_DHCP, BOOTCONF_NET_STATIC } net;
	u32 addr, mask, gateway;         /* network byte order; addr 0 with BOOTCONF_NET_STATIC: IPv6 only */
	u8 addr6[16], gateway6[16], prefix6;    /* prefix6 0: no fixed address */
	bool has_gateway6;
	struct bootconf_ip {
		bool ipv6;
		u8 bytes[16];            /* an IPv4 address in the first 4 */
	} dns[BOOTCONF_DNS_MAX];
	unsigned ndns;
	bool trace, verbose, allow_jit, learn;
	u64 tsc_khz, time_ns;
	u8 seed[BOOTCONF_SEED_MAX];
	unsigned seed_len;
};

/*
 * 0; -EINVAL with *ret_why (a constant string: which key) for what cannot be used, -ENOMEM. What could be read is in *ret even then.
 */
int bootconf_parse(const char *block, size_t len, struct bootconf *ret, const char **ret_why) MUST_CHECK;

/* Parts of it that a kernel may lack: records net, gateway and dns (key: their first letter), and volume. False: not understood. */
bool bootconf_net(struct bootconf *c, char key, const char *v);
bool bootconf_volume(struct bootconf *c, const char *v);

/* Overwrite the seed in the block itself, once it has been mixed into the generator. */
void bootconf_wipe_seed(char *block, size_t len);

#endif
