/*
 * random.h - the kernel's generator: ChaCha20 with fast key erasure.
 *
 * Seeded from the CPU, virtio-rng and the boot seed; random_ready() is false until
 * 256 bits have been credited, and init does not start the program before that.
 * Any context may call; a spinlock inside (irq-safe).
 */
#ifndef SCHED_RANDOM_H
#define SCHED_RANDOM_H

#include "base/types.h"

/*
 * Boot: 16 bytes that differ in each copy of this machine, or NULL. They are looked at whenever something is asked for; once they have
 * changed, they and what the CPU gives are mixed in first.
 */
void random_watch(const volatile u64 *generation);
void random_mix(const void *data, size_t len, unsigned credited_bits);
bool random_ready(void);
void random_bytes(void *buf, size_t len);
u64 random_u64(void);
/* Uniform in [0, bound); bound > 0. */
u64 random_below(u64 bound);

#endif
