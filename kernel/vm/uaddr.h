/*
 * uaddr.h - an address in the program. A struct, so that C refuses to dereference it.
 * Only kernel/linux/ makes and copies through them; struct uio carries them below, opaquely.
 */
#ifndef VM_UADDR_H
#define VM_UADDR_H

#include "base/types.h"

struct uaddr {
	uintptr_t va;
};
static inline struct uaddr uaddr_make(u64 va) { return (struct uaddr){ (uintptr_t)va }; }
static inline struct uaddr uaddr_add(struct uaddr a, size_t n) { return (struct uaddr){ a.va + n }; }
static inline bool uaddr_is_null(struct uaddr a) { return a.va == 0; }

/*
 * The user copy: the range is checked against ARCH_USER_TOP, faults are recovered. 0 or -EFAULT
 * (some bytes may have been copied then). May sleep: no spinlock held, and no lock that the page
 * fault path takes. Each argument structure is fetched once.
 */
int copy_from_user(void *dst, struct uaddr src, size_t len) MUST_CHECK;
int copy_to_user(struct uaddr dst, const void *src, size_t len) MUST_CHECK;
int clear_user(struct uaddr dst, size_t len) MUST_CHECK;
/* The same for eight bytes. */
int user_get_u64(struct uaddr src, u64 *ret) MUST_CHECK;
int user_put_u64(struct uaddr dst, u64 value) MUST_CHECK;
/* A NUL-terminated string into dst (size bytes with the NUL): its length, -EFAULT, or -ENAMETOOLONG. */
ssize_t copy_string_from_user(char *dst, struct uaddr src, size_t size) MUST_CHECK;
/* Is it in the kernel's half, and no small negative number (an error taken for a pointer)? */
bool uaddr_probes(uintptr_t va);
/* The range at va is not the program's: -EFAULT, and it is noted if va probes the kernel. Any context. */
int uaddr_refuse(uintptr_t va);
/* Atomic access to an aligned word (futexes); fault in and retry inside. 0 or -EFAULT. */
int user_load_u32(struct uaddr a, u32 *ret_value) MUST_CHECK;
int user_cmpxchg_u32(struct uaddr a, u32 old, u32 new_value, u32 *ret_seen) MUST_CHECK;

#endif
