/* chacha20.c - the ChaCha20 block function (RFC 8439). Pure. */
#include "base/chacha20.h"
#include "base/string.h"

static ALWAYS_INLINE u32 rotl(u32 x, int n) { return x << n | x >> (32 - n); }

static ALWAYS_INLINE void quarter(u32 s[16], int a, int b, int c, int d)
{
	u32 x = s[a], y = s[b], z = s[c], w = s[d];
	x += y; w = rotl(w ^ x, 16);
	z += w; y = rotl(y ^ z, 12);
	x += y; w = rotl(w ^ x, 8);
	z += w; y = rotl(y ^ z, 7);
	s[a] = x; s[b] = y; s[c] = z; s[d] = w;
}

void chacha20_block(const u32 key[8], u32 counter, const u32 nonce[3], u8 out[64])
{
	u32 init[16] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 }, s[16];

	memcpy(init + 4, key, 32);
	init[12] = counter;
	memcpy(init + 13, nonce, 12);
	memcpy(s, init, sizeof s);
	for (int i = 0; i < 10; i++) {
		quarter(s, 0, 4, 8, 12);
		quarter(s, 1, 5, 9, 13);
		quarter(s, 2, 6, 10, 14);
		quarter(s, 3, 7, 11, 15);
		quarter(s, 0, 5, 10, 15);
		quarter(s, 1, 6, 11, 12);
		quarter(s, 2, 7, 8, 13);
		quarter(s, 3, 4, 9, 14);
	}
	for (int i = 0; i < 16; i++)
		s[i] += init[i];
	memcpy(out, s, 64);           /* the machine is little-endian, as the RFC's words are */
}
