/*
 * spinlock.h - ticket spinlocks. They do not mask interrupts by themselves; a lock that an
 * interrupt handler also takes is always taken with the _irqsave form. A holder must not sleep.
 * They need no scheduler: mm/ uses them too.
 */
#ifndef ARCH_SPINLOCK_H
#define ARCH_SPINLOCK_H

#include "arch/arch.h"

struct spinlock {
	u16 next, owner;
};
#define SPINLOCK_INIT { 0, 0 }

static inline void spin_init(struct spinlock *l) { l->next = l->owner = 0; }
static inline void spin_lock(struct spinlock *l)
{
	u16 t = __atomic_fetch_add(&l->next, 1, __ATOMIC_RELAXED);
	while (unlikely(__atomic_load_n(&l->owner, __ATOMIC_ACQUIRE) != t))
		arch_cpu_relax();
}
static inline bool spin_trylock(struct spinlock *l)
{
	u16 t = __atomic_load_n(&l->owner, __ATOMIC_RELAXED);
	u16 n = t;
	return __atomic_compare_exchange_n(&l->next, &n, (u16)(t + 1), false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}
static inline void spin_unlock(struct spinlock *l)
{
	__atomic_store_n(&l->owner, (u16)(l->owner + 1), __ATOMIC_RELEASE);
}
static inline bool spin_is_locked(const struct spinlock *l)
{
	return READ_ONCE(l->next) != READ_ONCE(l->owner);
}
static inline irq_flags_t spin_lock_irqsave(struct spinlock *l)
{
	irq_flags_t f = arch_irq_save();
	spin_lock(l);
	return f;
}
static inline void spin_unlock_irqrestore(struct spinlock *l, irq_flags_t f)
{
	spin_unlock(l);
	arch_irq_restore(f);
}

#endif
