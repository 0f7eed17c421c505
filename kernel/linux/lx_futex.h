/* lx_futex.h - Linux's constants of futexes (uapi/linux/futex.h). */
#ifndef LINUX_LX_FUTEX_H
#define LINUX_LX_FUTEX_H

#include "base/types.h"

enum {
	LX_FUTEX_WAIT = 0, LX_FUTEX_WAKE = 1, LX_FUTEX_REQUEUE = 3, LX_FUTEX_CMP_REQUEUE = 4, LX_FUTEX_WAKE_OP = 5,
	LX_FUTEX_LOCK_PI = 6, LX_FUTEX_UNLOCK_PI = 7, LX_FUTEX_TRYLOCK_PI = 8, LX_FUTEX_WAIT_BITSET = 9, LX_FUTEX_WAKE_BITSET = 10,
	LX_FUTEX_WAIT_REQUEUE_PI = 11, LX_FUTEX_CMP_REQUEUE_PI = 12, LX_FUTEX_LOCK_PI2 = 13,
};
#define LX_FUTEX_PRIVATE        128
#define LX_FUTEX_CLOCK_REALTIME 256
#define LX_FUTEX_CMD_MASK       (~(LX_FUTEX_PRIVATE | LX_FUTEX_CLOCK_REALTIME))

enum { LX_FUTEX_OP_SET, LX_FUTEX_OP_ADD, LX_FUTEX_OP_OR, LX_FUTEX_OP_ANDN, LX_FUTEX_OP_XOR };
enum { LX_FUTEX_CMP_EQ, LX_FUTEX_CMP_NE, LX_FUTEX_CMP_LT, LX_FUTEX_CMP_LE, LX_FUTEX_CMP_GT, LX_FUTEX_CMP_GE };

#define LX_FUTEX_WAITERS    0x80000000u
#define LX_FUTEX_OWNER_DIED 0x40000000u
#define LX_FUTEX_TID_MASK   0x3fffffffu

#define LX_FUTEX_WAITV_MAX 128u
#define LX_FUTEX_32        2u
struct lx_futex_waitv {
	u64 val, uaddr;
	u32 flags, reserved;
};
_Static_assert(sizeof(struct lx_futex_waitv) == 24, "struct futex_waitv");

#define LX_ROBUST_LIST_HEAD_SIZE 24u
#define LX_ROBUST_LIST_LIMIT     2048u
struct lx_robust_head {
	u64 next;                    /* of the list; bit 0: the entry is a PI futex */
	s64 futex_offset;            /* from an entry to its word */
	u64 pending;                 /* an entry being taken or given up */
};
_Static_assert(sizeof(struct lx_robust_head) == LX_ROBUST_LIST_HEAD_SIZE, "struct robust_list_head");

#endif
