/*
 * spinlock.h - spinlocks. They do not mask interrupts by themselves; a lock that an interrupt
 * handler also takes is always taken with the _irqsave form. A holder must not sleep. They need
 * no scheduler: mm/ uses them too.
 *
 * Not fair on purpose: virtual CPUs lose their processor at any time, and a queue in which the
 * next one is not running stops all the others (four vCPUs on two busy processors: 60 s and more
 * with tickets for what takes 4 s so). Whoever runs may have the lock.
 */
#ifndef ARCH_SPINLOCK_H
#define ARCH_SPINLOCK_H

#include "arch/arch.h"

struct spinlock {
	u32 held;
};
#define SPINLOCK_INIT { 0 }

#ifdef PITH_SMALL
/* Who masks interrupts where a handler takes the lock too, and does not sleep, is alone: nothing is stored. */
static inline void spin_init(struct spinlock *l) { l->held = 0; }
static ALWAYS_INLINE bool spin_trylock(struct spinlock *l)
{
	barrier();
	return true;
}
static ALWAYS_INLINE void spin_lock(struct spinlock *l) { barrier(); }
static ALWAYS_INLINE void spin_unlock(struct spinlock *l) { barrier(); }
static inline bool spin_is_locked(const struct spinlock *l) { return false; }
static ALWAYS_INLINE irq_flags_t spin_lock_irqsave(struct spinlock *l) { return arch_irq_save(); }
static ALWAYS_INLINE void spin_unlock_irqrestore(struct spinlock *l, irq_flags_t f) { arch_irq_restore(f); }
#else
static inline void spin_init(struct spinlock *l) { l->held = 0; }
static inline bool spin_trylock(struct spinlock *l)
{
	return !__atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE);
}
/* Take l, which is held just now. Panics after 10 s. */
void spin_lock_wait(struct spinlock *l);
void spin_lock_call(struct spinlock *l);
irq_flags_t spin_lock_irqsave_call(struct spinlock *l);
void spin_unlock_irqrestore_call(struct spinlock *l, irq_flags_t f);
static ALWAYS_INLINE void spin_lock_here(struct spinlock *l)
{
	if (unlikely(!spin_trylock(l)))
		spin_lock_wait(l);
}
static ALWAYS_INLINE void spin_lock(struct spinlock *l)
{
	FOR_SIZE ? spin_lock_call(l) : spin_lock_here(l);
}
static inline void spin_unlock(struct spinlock *l)
{
	__atomic_store_n(&l->held, 0, __ATOMIC_RELEASE);
}
static inline bool spin_is_locked(const struct spinlock *l)
{
	return READ_ONCE(l->held) != 0;
}
static ALWAYS_INLINE irq_flags_t spin_lock_irqsave_here(struct spinlock *l)
{
	irq_flags_t f = arch_irq_save();
	spin_lock_here(l);
	return f;
}
static ALWAYS_INLINE irq_flags_t spin_lock_irqsave(struct spinlock *l)
{
	return FOR_SIZE ? spin_lock_irqsave_call(l) : spin_lock_irqsave_here(l);
}
static ALWAYS_INLINE void spin_unlock_irqrestore_here(struct spinlock *l, irq_flags_t f)
{
	spin_unlock(l);
	arch_irq_restore(f);
}
static ALWAYS_INLINE void spin_unlock_irqrestore(struct spinlock *l, irq_flags_t f)
{
	FOR_SIZE ? spin_unlock_irqrestore_call(l, f) : spin_unlock_irqrestore_here(l, f);
}

#endif

#endif
