/* chacha20.c - the ChaCha20 block function (RFC 8439). Pure. */
#include "base/chacha20.h"
#include "base/string.h"

static u32 rotl(u32 x, int n) { return x << n | x >> (32 - n); }

static void quarter(u32 s[16], int a, int b, int c, int d)
{
	s[a] += s[b]; s[d] = rotl(s[d] ^ s[a], 16);
	s[c] += s[d]; s[b] = rotl(s[b] ^ s[c], 12);
	s[a] += s[b]; s[d] = rotl(s[d] ^ s[a], 8);
	s[c] += s[d]; s[b] = rotl(s[b] ^ s[c], 7);
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
