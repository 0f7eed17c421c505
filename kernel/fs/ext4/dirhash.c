/*
 * dirhash.c - the hashes by which directories are indexed: half MD4, TEA and the legacy one, each over signed or
 * unsigned characters. Pure. Documentation/filesystems/ext4/dynamic.rst; RFC 1320 for MD4's functions.
 */
#include "fs/ext4/ext4.h"

static u32 rol(u32 v, unsigned n) { return v << n | v >> (32 - n); }

/* ---- Half MD4 ---- */

static u32 md4_f(u32 x, u32 y, u32 z) { return z ^ (x & (y ^ z)); }
static u32 md4_g(u32 x, u32 y, u32 z) { return (x & y) + ((x ^ y) & z); }
static u32 md4_h(u32 x, u32 y, u32 z) { return x ^ y ^ z; }

static void half_md4(u32 state[4], const u32 in[8])
{
	static const struct {
		u32 (*f)(u32, u32, u32);
		u32 add;
		u8 word[8], shift[4];
	} rounds[3] = {
		{ md4_f, 0,          { 0, 1, 2, 3, 4, 5, 6, 7 }, { 3, 7, 11, 19 } },
		{ md4_g, 0x5a827999, { 1, 3, 5, 7, 0, 2, 4, 6 }, { 3, 5, 9, 13 } },
		{ md4_h, 0x6ed9eba1, { 3, 7, 2, 6, 1, 5, 0, 4 }, { 3, 9, 11, 15 } },
	};
	u32 v[4] = { state[0], state[1], state[2], state[3] };

	for (unsigned r = 0; r < 3; r++)
		for (unsigned k = 0; k < 8; k++) {
			/* The four words take turns: a, d, c, b. */
			unsigned a = (4 - k % 4) % 4;
			v[a] = rol(v[a] + rounds[r].f(v[(a + 1) % 4], v[(a + 2) % 4], v[(a + 3) % 4]) + in[rounds[r].word[k]] + rounds[r].add, rounds[r].shift[k % 4]);
		}
	for (unsigned k = 0; k < 4; k++)
		state[k] += v[k];
}

/* ---- TEA ---- */

static void tea(u32 state[4], const u32 in[4])
{
	u32 sum = 0, x = state[0], y = state[1];

	for (unsigned k = 0; k < 16; k++) {
		sum += 0x9e3779b9;
		x += ((y << 4) + in[0]) ^ (y + sum) ^ ((y >> 5) + in[1]);
		y += ((x << 4) + in[2]) ^ (x + sum) ^ ((x >> 5) + in[3]);
	}
	state[0] += x;
	state[1] += y;
}

/* ---- Legacy ---- */

static s32 char_at(const char *p, bool is_unsigned) { return is_unsigned ? (s32)(u8)*p : (s32)(s8)*p; }

static u32 legacy(const char *name, size_t len, bool is_unsigned)
{
	u32 hash0 = 0x12a3fe2d, hash1 = 0x37abe8f9;

	while (len--) {
		u32 hash = hash1 + (hash0 ^ ((u32)char_at(name++, is_unsigned) * 7152373u));
		if (hash & 0x80000000)
			hash -= 0x7fffffff;
		hash1 = hash0;
		hash0 = hash;
	}
	return hash0 << 1;
}

/* The next words of a name, padded with its length. */
static void words(const char *name, size_t len, bool is_unsigned, u32 *out, unsigned n)
{
	u32 pad = (u32)len | (u32)len << 8;

	pad |= pad << 16;
	len = MIN(len, (size_t)n * 4);
	for (unsigned k = 0; k < n; k++) {
		u32 val = pad;
		for (size_t at = (size_t)k * 4; at < len && at < (size_t)k * 4 + 4; at++)
			val = (u32)char_at(name + at, is_unsigned) + (val << 8);
		out[k] = val;
	}
}

void ext4_dirhash(const struct ext4 *e, u8 version, const char *name, size_t len, struct ext4_hash *ret)
{
	bool is_unsigned = version >= EXT4_HASH_LEGACY_U || e->hash_unsigned;
	unsigned kind = version >= EXT4_HASH_LEGACY_U ? version - EXT4_HASH_LEGACY_U : version;
	u32 state[4] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476 }, in[8];
	unsigned nwords = kind == EXT4_HASH_HALF_MD4 ? 8 : 4;

	if (e->hash_seed[0] | e->hash_seed[1] | e->hash_seed[2] | e->hash_seed[3])
		memcpy(state, e->hash_seed, sizeof state);
	*ret = (struct ext4_hash){ 0, 0 };
	if (kind == EXT4_HASH_LEGACY) {
		ret->major = legacy(name, len, is_unsigned);
	} else {
		for (size_t at = 0; at < len; at += nwords * 4) {
			words(name + at, len - at, is_unsigned, in, nwords);
			if (nwords == 8)
				half_md4(state, in);
			else
				tea(state, in);
		}
		ret->major = nwords == 8 ? state[1] : state[0];
		ret->minor = nwords == 8 ? state[2] : state[1];
	}
	ret->major &= ~1u;
	if (ret->major == 0xfffffffe)        /* means the end of a directory to those who read it */
		ret->major = 0xfffffffc;
}
