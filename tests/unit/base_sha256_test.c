/*
 * base_sha256_test.c - SHA-256: FIPS 180-4's examples by the portable code, and the CPU's instructions against it.
 *
 * The code for the CPU's instructions is the kernel's own (arch/x86_64/sha256_ni.S). Where the CPU of this host has none of
 * them, each is an undefined instruction, and the handler here does what the manual says it does (Intel SDM 2B).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <ucontext.h>

#include "base/sha256.h"
#include "base/string.h"

void sha256_ni_blocks(u32 state[8], const void *data, size_t n, const u32 *k);

static unsigned emulated;

static u32 ror(u32 v, unsigned by) { return v >> by | v << (32 - by); }
static u32 sigma(u32 v, unsigned a, unsigned b, unsigned shift) { return ror(v, a) ^ ror(v, b) ^ v >> shift; }

static void rnds2(u32 cdgh[4], const u32 abef[4], const u32 wk[4])
{
	u32 a = abef[3], b = abef[2], e = abef[1], f = abef[0], c = cdgh[3], d = cdgh[2], g = cdgh[1], h = cdgh[0];

	for (unsigned i = 0; i < 2; i++) {
		u32 t = h + ((e & f) ^ (~e & g)) + (ror(e, 6) ^ ror(e, 11) ^ ror(e, 25)) + wk[i];
		u32 u = ((a & b) ^ (a & c) ^ (b & c)) + (ror(a, 2) ^ ror(a, 13) ^ ror(a, 22));

		h = g, g = f, f = e, e = d + t, d = c, c = b, b = a, a = t + u;
	}
	cdgh[3] = a, cdgh[2] = b, cdgh[1] = e, cdgh[0] = f;
}

static void msg1(u32 to[4], const u32 next[4])
{
	u32 w4 = next[0], w[4] = { to[1], to[2], to[3], w4 };

	for (unsigned i = 0; i < 4; i++)
		to[i] += sigma(w[i], 7, 18, 3);
}

static void msg2(u32 to[4], const u32 last[4])
{
	to[0] += sigma(last[2], 17, 19, 10);
	to[1] += sigma(last[3], 17, 19, 10);
	to[2] += sigma(to[0], 17, 19, 10);
	to[3] += sigma(to[1], 17, 19, 10);
}

/* [REX] 0f 38 cb|cc|cd, two registers. */
static void on_undefined(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	u8 *pc = (u8 *)uc->uc_mcontext.gregs[REG_RIP];
	u8 rex = (*pc & 0xf0) == 0x40 ? *pc++ : 0;
	u32 *to, *from, *xmm0 = uc->uc_mcontext.fpregs->_xmm[0].element;

	if (pc[0] != 0x0f || pc[1] != 0x38 || pc[2] < 0xcb || pc[2] > 0xcd || pc[3] < 0xc0)
		abort();
	to = uc->uc_mcontext.fpregs->_xmm[(pc[3] >> 3 & 7) | (rex & 4) << 1].element;
	from = uc->uc_mcontext.fpregs->_xmm[(pc[3] & 7) | (rex & 1) << 3].element;
	if (pc[2] == 0xcb)
		rnds2(to, from, xmm0);
	else if (pc[2] == 0xcc)
		msg1(to, from);
	else
		msg2(to, from);
	uc->uc_mcontext.gregs[REG_RIP] = (greg_t)(pc + 4);
	emulated++;
}

static void digest(const u8 *text, size_t len, u8 ret[SHA256_LEN])
{
	u8 last[2 * SHA256_BLOCK] = { 0 };
	size_t whole = len / SHA256_BLOCK, rest = len % SHA256_BLOCK, padded = rest < 56 ? 1 : 2;
	u64 bits = __builtin_bswap64(len * 8);
	u32 state[8];

	memcpy(last, text + whole * SHA256_BLOCK, rest);
	last[rest] = 0x80;
	memcpy(last + padded * SHA256_BLOCK - 8, &bits, 8);
	sha256_start(state);
	sha256_blocks(state, text, whole);
	sha256_blocks(state, last, padded);
	sha256_digest(state, ret);
}

static void known_answers(void **state)
{
	static const struct { const char *text; u8 want[4], end; } cases[] = {
		{ "", { 0xe3, 0xb0, 0xc4, 0x42 }, 0x55 },
		{ "abc", { 0xba, 0x78, 0x16, 0xbf }, 0xad },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", { 0x24, 0x8d, 0x6a, 0x61 }, 0xc1 },
		{ "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
		  { 0xcf, 0x5b, 0x16, 0xa7 }, 0xd1 },
	};
	u8 have[SHA256_LEN];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		digest((const u8 *)cases[i].text, strlen(cases[i].text), have);
		assert_memory_equal(have, cases[i].want, 4);
		assert_int_equal(have[31], cases[i].end);
	}
}

static void last_block(void **state)
{
	u8 text[256], block[SHA256_BLOCK], want[SHA256_LEN], have[SHA256_LEN];
	u32 s[8];

	memset(text, 'x', sizeof(text));
	digest(text, sizeof(text), want);
	sha256_start(s);
	sha256_blocks(s, text, sizeof(text) / SHA256_BLOCK);
	sha256_last_block(block, sizeof(text));
	sha256_blocks(s, block, 1);
	sha256_digest(s, have);
	assert_memory_equal(have, want, sizeof(want));
}

static void instructions_agree(void **state)
{
	struct sigaction sa = { .sa_sigaction = on_undefined, .sa_flags = SA_SIGINFO }, old;
	u8 data[1 + 5 * SHA256_BLOCK];
	u32 want[8], have[8], seed = 1;

	sigaction(SIGILL, &sa, &old);
	for (unsigned round = 0; round < 200; round++) {
		size_t blocks = 1 + round % 5;
		u8 *from = data + round % 2;       /* also not aligned */

		for (size_t i = 0; i < sizeof(data); i++)
			data[i] = (u8)((seed = seed * 1103515245 + 12345) >> 16);
		for (unsigned i = 0; i < 8; i++)
			want[i] = have[i] = (seed = seed * 1103515245 + 12345);
		sha256_blocks(want, from, blocks);
		sha256_ni_blocks(have, from, blocks, sha256_k);
		assert_memory_equal(have, want, sizeof(want));
	}
	sigaction(SIGILL, &old, NULL);
}

/* What the handler does is right too: it is what hosts without the instructions test with. */
static void emulation_agrees(void **state)
{
	u32 a[4] = { 0x01020304, 0x55667788, 0x99aabbcc, 0xdeadbeef }, b[4] = { 0x13579bdf, 0x2468ace0, 0xfeedf00d, 0x0badcafe }, wk[4] = { 7, 9, 0, 0 };
	u32 want[4], have[4];

	if (!__builtin_cpu_supports("ssse3") || emulated)
		return;                      /* here the kernel's code ran by it, and agreed */
	for (unsigned op = 0; op < 3; op++) {
		memcpy(have, a, 16);
		memcpy(want, a, 16);
		if (op == 0)
			rnds2(have, b, wk);
		else if (op == 1)
			msg1(have, b);
		else
			msg2(have, b);
		__asm__("movdqu %1, %%xmm1\n\tmovdqu %2, %%xmm2\n\tmovdqu %3, %%xmm0\n\t"
			"cmpl $1, %4\n\tje 1f\n\tja 2f\n\tsha256rnds2 %%xmm0, %%xmm2, %%xmm1\n\tjmp 3f\n"
			"1: sha256msg1 %%xmm2, %%xmm1\n\tjmp 3f\n2: sha256msg2 %%xmm2, %%xmm1\n3: movdqu %%xmm1, %0"
			: "=m"(want) : "m"(a), "m"(b), "m"(wk), "r"(op) : "xmm0", "xmm1", "xmm2", "cc");
		assert_memory_equal(have, want, 16);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_answers), cmocka_unit_test(last_block), cmocka_unit_test(instructions_agree),
		cmocka_unit_test(emulation_agrees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
