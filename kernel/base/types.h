/*
 * types.h - the kernel's basic types and the compiler's help.
 * Pure; usable in the kernel, in the tool and in host tests.
 */
#ifndef BASE_TYPES_H
#define BASE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdarg.h>

typedef uint8_t  u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t   s8;
typedef int16_t  s16;
typedef int32_t  s32;
typedef int64_t  s64;

#ifdef PITH_HOST
#include <sys/types.h>
#else
typedef long ssize_t;
typedef s64  off_t;
#endif

#define MUST_CHECK     __attribute__((warn_unused_result))
#define NORETURN       __attribute__((noreturn))
#define PACKED         __attribute__((packed))
#define ALIGNED(n)     __attribute__((aligned(n)))
#define USED           __attribute__((used))
#define NOINLINE       __attribute__((noinline))
/* Rarely called, in a file that is compiled for speed: this function is compiled for size, and its callers expect to go elsewhere. */
#define COLD           __attribute__((cold))
/* Locals are zeroed by the compiler; not this one: a large array on a hot path, written before it is read. */
#define NO_AUTO_INIT __attribute__((uninitialized))
/*
 * True in files that are compiled for size (all that the Makefile's KHOT does not list): what a header offers inline as
 * foo is a call of foo_call there, and its body, foo_here, everywhere else.
 */
#if defined(__OPTIMIZE_SIZE__) && !defined(PITH_HOST)
#define FOR_SIZE true
#else
#define FOR_SIZE false
#endif
#define ALWAYS_INLINE  inline __attribute__((always_inline))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
/* Written during boot only; its pages become read-only before the program starts. */
#ifdef PITH_HOST
#define RO_AFTER_INIT
#define RO_AFTER_INIT_ZERO
#else
#define RO_AFTER_INIT  RO_AFTER_INIT_AT(__LINE__)    /* a section each, so that what is unused goes */
#define RO_AFTER_INIT_AT(line) RO_AFTER_INIT_IN(line)
#define RO_AFTER_INIT_IN(line) __attribute__((section(".data.ro_after_init." #line)))
/* The same for what begins as zeros: it takes no room in the file. */
#define RO_AFTER_INIT_ZERO  RO_AFTER_INIT_ZERO_AT(__LINE__)
#define RO_AFTER_INIT_ZERO_AT(line) RO_AFTER_INIT_ZERO_IN(line)
#define RO_AFTER_INIT_ZERO_IN(line) __attribute__((section(".bss.ro_after_init." #line)))
#endif
#define likely(x)      __builtin_expect(!!(x), 1)
#define unlikely(x)    __builtin_expect(!!(x), 0)

#define ARRAY_SIZE(a)  (sizeof(a) / sizeof((a)[0]))
#define container_of(p, type, member) ((type *)(void *)((char *)(p) - offsetof(type, member)))
#define MIN(a, b)      ({ __typeof__(a) a_ = (a); __typeof__(b) b_ = (b); a_ < b_ ? a_ : b_; })
#define MAX(a, b)      ({ __typeof__(a) a_ = (a); __typeof__(b) b_ = (b); a_ > b_ ? a_ : b_; })
#define ROUND_UP(x, a)   (((x) + ((__typeof__(x))(a) - 1)) & ~((__typeof__(x))(a) - 1)) /* a: power of two */
#define ROUND_DOWN(x, a) ((x) & ~((__typeof__(x))(a) - 1))
#define DIV_ROUND_UP(x, y) (((x) + (y) - 1) / (y))
#define IS_POW2(x)     ((x) && !((x) & ((x) - 1)))

#define KiB (1024ul)
#define MiB (1024ul * KiB)
#define GiB (1024ul * MiB)

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096ul
#define PAGE_MASK  (~(PAGE_SIZE - 1))

#define NSEC_PER_SEC  1000000000ull
#define NSEC_PER_MSEC 1000000ull
#define NSEC_PER_USEC 1000ull

#define READ_ONCE(x)     (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))
#define barrier()        __asm__ volatile("" ::: "memory")

#endif
