/*
 * cc.h - what lwIP wants to know of the compiler and the platform. Freestanding in the kernel;
 * on the host (unit tests) the same, but lwIP's own assertions abort.
 */
#ifndef LWIP_ARCH_CC_H
#define LWIP_ARCH_CC_H

#include "base/types.h"
#include "base/string.h"
#include "sched/random.h"

#ifndef LITTLE_ENDIAN
#define LITTLE_ENDIAN 1234
#define BIG_ENDIAN    4321
#endif
#ifndef BYTE_ORDER
#define BYTE_ORDER LITTLE_ENDIAN
#endif

#define LWIP_NO_INTTYPES_H 1
#define LWIP_NO_LIMITS_H   1
#define LWIP_NO_UNISTD_H   1
#define LWIP_NO_CTYPE_H    1
#ifndef SSIZE_MAX
#define SSIZE_MAX INT64_MAX
#endif
#ifndef INT_MAX
#define INT_MAX 0x7fffffff
#endif
#define X8_F  "02x"
#define U16_F "u"
#define S16_F "d"
#define X16_F "x"
#define U32_F "u"
#define S32_F "d"
#define X32_F "x"
#define SZT_F "zu"

#define LWIP_PLATFORM_DIAG(x) do { } while (0)
#ifdef PITH_HOST
#define LWIP_PLATFORM_ASSERT(x) __builtin_trap()
#else
/* The kernel never stops for what a packet said: lwIP's checks with an error path stay, its assertions go. */
#define LWIP_NOASSERT 1
#define LWIP_PLATFORM_ASSERT(x) do { } while (0)
#endif

/* lwIP makes ntohs and ntohl of these. */
#define lwip_htons(x) ((u16)__builtin_bswap16(x))
#define lwip_htonl(x) ((u32)__builtin_bswap32(x))

#define LWIP_RAND() ((u32)random_u64())

#endif
