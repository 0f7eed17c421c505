/*
 * uio.c - moving bytes between the kernel and a list of buffers.
 *
 * Invariants:
 *  (I1) left is not 0, or resid is; resid is what is left of all buffers. Who makes resid smaller for a while and then
 *       larger again may find left 0: a move goes to the next buffer.
 *  (I2) After a fault nothing more moves: resid stays, fault is set.
 *
 * No locks. May sleep when the buffers are the program's (page faults).
 */
#include "vm/uio.h"
#include "arch/arch.h"
#include "base/string.h"

enum uio_dir { UIO_PUT, UIO_GET, UIO_ZERO, UIO_SKIP };

/* Step over n bytes of the current buffer; keeps (I1). */
static void uio_advance(struct uio *u, size_t n)
{
	u->cur += n;
	u->left -= n;
	u->resid -= n;
	while (!u->left && u->more) {
		u->more--;
		u->seg++;
		u->cur = u->seg->base;
		u->left = u->seg->len;
	}
}

void uio_init_user(struct uio *u, const struct uio_seg *segs, unsigned nsegs)
{
	*u = (struct uio){ .seg = segs, .kind = UIO_USER };
	for (unsigned i = 0; i < nsegs; i++)
		u->resid += segs[i].len;
	if (nsegs) {
		u->cur = segs->base;
		u->left = segs->len;
		u->more = nsegs - 1;
		uio_advance(u, 0);
	}
}

void uio_init_user_one_call(struct uio *u, struct uaddr base, size_t len) { uio_init_user_one_here(u, base, len); }

void uio_init_kernel(struct uio *u, void *base, size_t len)
{
	uio_init_user_one(u, uaddr_make((uintptr_t)base), len);
	u->user = false;
}

void uio_init_kernel_segs(struct uio *u, const struct uio_seg *segs, unsigned nsegs)
{
	uio_init_user(u, segs, nsegs);
	u->user = false;
}

/* Move up to n bytes at a user address; returns how many were moved. */
static ALWAYS_INLINE size_t uio_move_user(enum uio_dir dir, uintptr_t va, void *buf, size_t n)
{
	if (unlikely(va > ARCH_USER_TOP || n > ARCH_USER_TOP - va)) {
		(void)uaddr_refuse(va);
		return 0;
	}
	switch (dir) {
	case UIO_PUT:
		return n - arch_copy_to_user(va, buf, n);
	case UIO_GET:
		return n - arch_copy_from_user(buf, va, n);
	case UIO_ZERO:
		return n - arch_clear_user(va, n);
	case UIO_SKIP:
		break;
	}
	return n;
}

static size_t uio_move_kernel(enum uio_dir dir, uintptr_t base, void *buf, size_t n)
{
	if (dir == UIO_PUT)
		memcpy((void *)base, buf, n);
	else if (dir == UIO_GET)
		memcpy(buf, (const void *)base, n);
	else if (dir == UIO_ZERO)
		memset((void *)base, 0, n);
	return n;
}

static NOINLINE size_t uio_move_slow(struct uio *u, enum uio_dir dir, void *buf, size_t len)
{
	size_t done = 0;

	if (len > u->resid)
		len = u->resid;
	while (done < len && !u->fault) {
		size_t n = MIN(u->left, len - done);
		uintptr_t at = u->cur;
		void *kbuf = dir == UIO_PUT || dir == UIO_GET ? (u8 *)buf + done : NULL;
		size_t moved = u->user ? uio_move_user(dir, at, kbuf, n) : uio_move_kernel(dir, at, kbuf, n);

		uio_advance(u, moved);
		done += moved;
		if (unlikely(moved < n))
			u->fault = true;
	}
	return done;
}

/* The common case, all inside one buffer of the program, in a few instructions. */
static ALWAYS_INLINE size_t uio_move(struct uio *u, enum uio_dir dir, void *buf, size_t len)
{
	/* len - 1: an empty move is not common either. */
	if (unlikely(u->kind != UIO_USER || len - 1 >= u->resid || len > u->left))
		return uio_move_slow(u, dir, buf, len);
	size_t moved = uio_move_user(dir, u->cur, buf, len);
	u->cur += moved;
	u->resid -= moved;
	u->left -= moved;
	if (unlikely(!u->left && u->more))
		uio_advance(u, 0);
	if (unlikely(moved < len))
		u->fault = true;
	return moved;
}

size_t uio_put(struct uio *u, const void *src, size_t len)
{
	return uio_move(u, UIO_PUT, (void *)src, len);
}

size_t uio_get(struct uio *u, void *dst, size_t len)
{
	return uio_move(u, UIO_GET, dst, len);
}

/* In the only buffer, of the program: then one step is all. */
static ALWAYS_INLINE bool uio_has_u64(const struct uio *u)
{
	return likely(u->kind == UIO_USER && !u->more && u->left >= 8 && u->resid >= 8 && u->cur <= ARCH_USER_TOP - 8);
}

static ALWAYS_INLINE bool uio_step_u64(struct uio *u)
{
	u->cur += 8;
	u->left -= 8;
	u->resid -= 8;
	return true;
}

bool uio_put_u64(struct uio *u, u64 value)
{
	if (uio_has_u64(u) && likely(arch_user_put_u64(u->cur, value)))
		return uio_step_u64(u);
	return uio_move_slow(u, UIO_PUT, &value, sizeof(value)) == sizeof(value);
}

bool uio_get_u64(struct uio *u, u64 *ret)
{
	if (uio_has_u64(u) && likely(arch_user_get_u64(u->cur, ret)))
		return uio_step_u64(u);
	return uio_move_slow(u, UIO_GET, ret, sizeof(*ret)) == sizeof(*ret);
}

size_t uio_put_zero(struct uio *u, size_t len)
{
	return uio_move(u, UIO_ZERO, NULL, len);
}

size_t uio_skip(struct uio *u, size_t len)
{
	size_t done = 0;

	if (len > u->resid)
		len = u->resid;
	while (done < len) {
		size_t n = MIN(u->left, len - done);

		done += n;
		uio_advance(u, n);
	}
	return len;
}

void uio_revert(struct uio *u, size_t len)
{
	u->resid += len;
	while (u->seg && len > u->cur - u->seg->base) {
		len -= u->cur - u->seg->base;
		u->more++;
		u->seg--;
		u->cur = u->seg->base + u->seg->len;
		u->left = 0;
	}
	u->cur -= len;
	u->left += len;
}
