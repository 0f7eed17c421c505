/*
 * uio.h - where bytes come from or go to: a cursor over a list of buffers, which are the
 * program's or the kernel's. File systems and sockets move bytes with uio_put and uio_get and
 * never see the addresses.
 *
 * uio_put: from the kernel into the buffers (read). uio_get: from the buffers into the kernel
 * (write). Both return the bytes moved, which is less than asked only at the end of the buffers or
 * at a fault (then uio->fault is set). They may sleep when the buffers are the program's.
 * A uio belongs to one thread.
 */
#ifndef VM_UIO_H
#define VM_UIO_H

#include "vm/uaddr.h"
#include "base/errno.h"

struct uio_seg {
	uintptr_t base;              /* user or kernel, by uio->user: touched by uio.c only */
	size_t len;
};

struct uio {
	uintptr_t cur;               /* where the next byte is: touched by uio.c only */
	size_t left;                 /* bytes from there to the end of its buffer */
	size_t resid;                /* bytes left in all */
	const struct uio_seg *seg;   /* that buffer in the caller's list, alive while the uio is; NULL: there is only one */
	unsigned more;               /* buffers behind it */
	union {
		struct {
			bool user;
			bool fault;              /* a user address could not be used */
		};
		u16 kind;                /* both: a comparison finds the common case */
	};
};
#define UIO_USER 1u                  /* kind: the program's, without a fault */

void uio_init_user(struct uio *u, const struct uio_seg *segs, unsigned nsegs);
static ALWAYS_INLINE void uio_init_user_one_here(struct uio *u, struct uaddr base, size_t len)
{
	u->cur = base.va;
	u->left = len;
	u->resid = len;
	u->seg = NULL;
	u->more = 0;
	u->kind = UIO_USER;
}
void uio_init_user_one_call(struct uio *u, struct uaddr base, size_t len);
static ALWAYS_INLINE void uio_init_user_one(struct uio *u, struct uaddr base, size_t len)
{
	FOR_SIZE ? uio_init_user_one_call(u, base, len) : uio_init_user_one_here(u, base, len);
}
void uio_init_kernel(struct uio *u, void *base, size_t len);
void uio_init_kernel_segs(struct uio *u, const struct uio_seg *segs, unsigned nsegs);
size_t uio_put(struct uio *u, const void *src, size_t len);
size_t uio_get(struct uio *u, void *dst, size_t len);
/* The same for eight bytes: true if all were moved. */
bool uio_put_u64(struct uio *u, u64 value);
bool uio_get_u64(struct uio *u, u64 *ret);
size_t uio_put_zero(struct uio *u, size_t len);
size_t uio_skip(struct uio *u, size_t len);
/* Go back by len bytes that were moved before (an operation that failed half way). */
void uio_revert(struct uio *u, size_t len);
/* What a transfer that moved `done` bytes should return: done, or -EFAULT if nothing moved because of a fault. */
static inline ssize_t uio_result(const struct uio *u, size_t done)
{
	return done == 0 && u->fault ? -EFAULT : (ssize_t)done;
}

#endif
