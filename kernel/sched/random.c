/*
 * random.c - the kernel's generator: ChaCha20 with fast key erasure (each refill makes a new key
 * first, so what was given out cannot be recomputed from memory).
 *
 * Seeds are mixed by absorbing: the key is xored with the input in 32-byte pieces and run through
 * the block function after each. Lock: random_lock (irq-safe). Cannot fail.
 */
#include "sched/random.h"
#include "base/chacha20.h"
#include "base/counter.h"
#include "base/string.h"
#include "arch/spinlock.h"

COUNTER(random_reseeds);
static struct spinlock random_lock = SPINLOCK_INIT;
static u32 key[8];                   /* R: random_lock */
static u8 stock[160];                /* R: unused output; consumed bytes are erased */
static unsigned stock_left;          /* R */
static unsigned credit_bits;         /* R */
static bool mixed;                   /* R: the key is new: little may be asked before it is mixed again */
static const volatile u64 *generation RO_AFTER_INIT;
static u64 generation_seen[2];       /* R */
static const u32 nonce[3] = { 0x68746950, 0, 0 };

/* Three blocks, or one after the key was mixed: the first half of the last one becomes the key, the rest is new stock. */
static void refill_locked(void)
{
	u8 block[64];

	stock_left = mixed ? 32 : sizeof stock;
	if (!mixed) {
		chacha20_block(key, 0, nonce, stock);
		chacha20_block(key, 1, nonce, stock + 64);
	}
	chacha20_block(key, 2, nonce, block);
	memcpy(key, block, sizeof key);
	memcpy(stock + 128, block + 32, 32);
	memset(block, 0, sizeof block);
	barrier();
	mixed = false;
}

static void mix_locked(const void *data, size_t len)
{
	const u8 *p = data;

	while (len) {
		size_t n = MIN(len, sizeof key);
		for (size_t i = 0; i < n; i++)
			((u8 *)key)[i] ^= p[i];
		u8 block[64];
		chacha20_block(key, 0, nonce, block);
		memcpy(key, block, sizeof key);
		p += n;
		len -= n;
	}
	stock_left = 0;
	mixed = true;
}

void random_mix(const void *data, size_t len, unsigned credited_bits)
{
	irq_flags_t f = spin_lock_irqsave(&random_lock);

	mix_locked(data, len);
	credit_bits = MIN(credit_bits + credited_bits, 100000u);
	spin_unlock_irqrestore(&random_lock, f);
}

void random_watch(const volatile u64 *g)
{
	generation = g;
	if (g) {
		generation_seen[0] = g[0];
		generation_seen[1] = g[1];
	}
}

/* Is this another machine than the one that was asked last? */
static NOINLINE void generation_look_locked(void)
{
	u64 now[2] = { generation[0], generation[1] };
	u8 cpu[32] = { 0 };

	if (now[0] == generation_seen[0] && now[1] == generation_seen[1])
		return;
	memcpy(generation_seen, now, sizeof now);
	counter_bump(random_reseeds);
	(void)arch_random_seed(cpu);
	mix_locked(now, sizeof now);
	mix_locked(cpu, sizeof cpu);
	memset(cpu, 0, sizeof cpu);
	barrier();
}

bool random_ready(void) { return READ_ONCE(credit_bits) >= 256; }

void random_bytes(void *buf, size_t len)
{
	u8 *out = buf;

	while (len) {
		irq_flags_t f = spin_lock_irqsave(&random_lock);
		if (unlikely(generation != NULL))
			generation_look_locked();
		if (!stock_left)
			refill_locked();
		size_t n = MIN(len, (size_t)stock_left);
		u8 *from = stock + sizeof stock - stock_left;
		memcpy(out, from, n);
		memset(from, 0, n);
		stock_left -= (unsigned)n;
		spin_unlock_irqrestore(&random_lock, f);
		out += n;
		len -= n;
	}
}

u64 random_u64(void)
{
	u64 v;
	random_bytes(&v, sizeof v);
	return v;
}

u64 random_below(u64 bound)
{
	u64 limit = ~0ull - ~0ull % bound, v;   /* the largest multiple of bound that fits */
	do
		v = random_u64();
	while (v >= limit);
	return v % bound;
}
