/*
 * sha256.c - SHA-256 in portable C (FIPS 180-4), for CPUs without instructions for it: about 45 instructions a byte.
 *
 * The three rotations of a sigma are done in a chain, each on what the one before left: a rotation less to copy.
 */
#include "base/sha256.h"
#include "base/string.h"

const u32 sha256_k[64] ALIGNED(16) = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
	0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
	0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
	0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
	0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
	0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static inline u32 ror(u32 v, unsigned by) { return v >> by | v << (32 - by); }

void sha256_start(u32 state[8])
{
	static const u32 start[8] = {
		0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
	};

	memcpy(state, start, sizeof(start));
}

/* One round; b_xor_c of the next round is a_xor_b of this one. */
#define ROUND(a, b, c, d, e, f, g, h, i) do {                                                                    \
		u32 t = (h) + k[i] + w[i] + ror(ror(ror(e, 14) ^ (e), 5) ^ (e), 6) + ((((f) ^ (g)) & (e)) ^ (g));  \
		u32 a_xor_b = (a) ^ (b);                                                                         \
		(d) += t;                                                                                        \
		(h) = t + ror(ror(ror(a, 9) ^ (a), 11) ^ (a), 2) + ((b_xor_c & a_xor_b) ^ (b));                  \
		b_xor_c = a_xor_b;                                                                               \
	} while (0)

static void words_make(u32 words[64], const u8 *p)
{
	for (u32 *w = words; w < words + 16; w++, p += 4) {
		__builtin_memcpy(w, p, 4);
		*w = __builtin_bswap32(*w);
	}
	for (u32 *w = words + 16; w < words + 64; w++)
		*w = w[-16] + w[-7] + (ror(ror(w[-15], 11) ^ w[-15], 7) ^ (w[-15] >> 3)) + (ror(ror(w[-2], 2) ^ w[-2], 17) ^ (w[-2] >> 10));
}

static void block_take(u32 state[8], const u8 *p)
{
	u32 words[64] NO_AUTO_INIT, a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
	u32 b_xor_c = b ^ c;
	const u32 *k = sha256_k;

	words_make(words, p);
	for (const u32 *w = words; w < words + 64; w += 8, k += 8) {
		ROUND(a, b, c, d, e, f, g, h, 0);
		ROUND(h, a, b, c, d, e, f, g, 1);
		ROUND(g, h, a, b, c, d, e, f, 2);
		ROUND(f, g, h, a, b, c, d, e, 3);
		ROUND(e, f, g, h, a, b, c, d, 4);
		ROUND(d, e, f, g, h, a, b, c, 5);
		ROUND(c, d, e, f, g, h, a, b, 6);
		ROUND(b, c, d, e, f, g, h, a, 7);
	}
	state[0] += a;
	state[1] += b;
	state[2] += c;
	state[3] += d;
	state[4] += e;
	state[5] += f;
	state[6] += g;
	state[7] += h;
}

void sha256_blocks(u32 state[8], const void *data, size_t n)
{
	for (const u8 *p = data; n; n--, p += SHA256_BLOCK)
		block_take(state, p);
}

void sha256_last_block(u8 block[SHA256_BLOCK], u64 len)
{
	u64 bits = __builtin_bswap64(len * 8);

	memset(block, 0, SHA256_BLOCK);
	block[0] = 0x80;
	memcpy(block + SHA256_BLOCK - 8, &bits, 8);
}

void sha256_digest(const u32 state[8], u8 ret[SHA256_LEN])
{
	for (unsigned i = 0; i < 8; i++) {
		u32 v = __builtin_bswap32(state[i]);

		memcpy(ret + 4 * i, &v, 4);
	}
}
