/*
 * syscall.h - what the files of linux/ share: prototypes of all handlers, made from syscalls.def.
 *
 * A handler takes its arguments typed as the table says and returns a value >= 0 or a negative
 * errno (also the kernel's own restart codes, base/errno.h). It copies each user structure in once,
 * checks it, calls the rooms below with kernel data, and copies results out.
 */
#ifndef LINUX_SYSCALL_H
#define LINUX_SYSCALL_H

#include "vm/uaddr.h"
#include "vm/uio.h"
#include "base/errno.h"
#include "base/string.h"

#define LX_T_FD    int
#define LX_T_INT   int
#define LX_T_UINT  unsigned
#define LX_T_LONG  long
#define LX_T_ULONG unsigned long
#define LX_T_SIZE  size_t
#define LX_T_OFF   s64
#define LX_T_PTR   struct uaddr
#define LX_T_STR   struct uaddr

#define LX_HANDLER_FULL(...)   long __VA_ARGS__;
#define LX_HANDLER_PART(...)   long __VA_ARGS__;
#define LX_HANDLER_REFUSE(...)
#define LX_HANDLER_NONE(...)

#define SYSCALL0(nr, name, lvl) LX_HANDLER_##lvl(sys_##name(void))
#define SYSCALL1(nr, name, lvl, t1, a1) LX_HANDLER_##lvl(sys_##name(LX_T_##t1 a1))
#define SYSCALL2(nr, name, lvl, t1, a1, t2, a2) LX_HANDLER_##lvl(sys_##name(LX_T_##t1 a1, LX_T_##t2 a2))
#define SYSCALL3(nr, name, lvl, t1, a1, t2, a2, t3, a3) \
	LX_HANDLER_##lvl(sys_##name(LX_T_##t1 a1, LX_T_##t2 a2, LX_T_##t3 a3))
#define SYSCALL4(nr, name, lvl, t1, a1, t2, a2, t3, a3, t4, a4) \
	LX_HANDLER_##lvl(sys_##name(LX_T_##t1 a1, LX_T_##t2 a2, LX_T_##t3 a3, LX_T_##t4 a4))
#define SYSCALL5(nr, name, lvl, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5) \
	LX_HANDLER_##lvl(sys_##name(LX_T_##t1 a1, LX_T_##t2 a2, LX_T_##t3 a3, LX_T_##t4 a4, LX_T_##t5 a5))
#define SYSCALL6(nr, name, lvl, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5, t6, a6) \
	LX_HANDLER_##lvl(sys_##name(LX_T_##t1 a1, LX_T_##t2 a2, LX_T_##t3 a3, LX_T_##t4 a4, LX_T_##t5 a5, LX_T_##t6 a6))
#include "linux/syscalls.def"
#undef SYSCALL0
#undef SYSCALL1
#undef SYSCALL2
#undef SYSCALL3
#undef SYSCALL4
#undef SYSCALL5
#undef SYSCALL6

#endif
