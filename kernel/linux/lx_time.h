/* lx_time.h - Linux's layouts and constants of time (x86-64: asm-generic/types, uapi/linux/time.h). */
#ifndef LINUX_LX_TIME_H
#define LINUX_LX_TIME_H

#include "base/types.h"
#include "net/lx_socket.h"             /* struct lx_timeval */

enum {
	LX_CLOCK_REALTIME, LX_CLOCK_MONOTONIC, LX_CLOCK_PROCESS_CPUTIME_ID, LX_CLOCK_THREAD_CPUTIME_ID, LX_CLOCK_MONOTONIC_RAW,
	LX_CLOCK_REALTIME_COARSE, LX_CLOCK_MONOTONIC_COARSE, LX_CLOCK_BOOTTIME, LX_CLOCK_REALTIME_ALARM, LX_CLOCK_BOOTTIME_ALARM,
	LX_CLOCK_SGI_CYCLE, LX_CLOCK_TAI,
};
#define LX_TIMER_ABSTIME 1
#define LX_USER_HZ       100

struct lx_timespec { s64 sec, nsec; };
struct lx_timezone { s32 minutes_west, dst_time; };
struct lx_itimerspec { struct lx_timespec interval, value; };
struct lx_itimerval { struct lx_timeval interval, value; };
struct lx_tms { s64 utime, stime, cutime, cstime; };
struct lx_rusage {
	struct lx_timeval utime, stime;
	s64 maxrss, ixrss, idrss, isrss, minflt, majflt, nswap, inblock, oublock, msgsnd, msgrcv, nsignals, nvcsw, nivcsw;
};
_Static_assert(sizeof(struct lx_rusage) == 144, "struct rusage");

struct lx_timex {
	u32 modes, pad0;
	s64 offset, freq, maxerror, esterror;
	s32 status, pad1;
	s64 constant, precision, tolerance;
	struct lx_timeval time;
	s64 tick, ppsfreq, jitter;
	s32 shift, pad2;
	s64 stabil, jitcnt, calcnt, errcnt, stbcnt;
	s32 tai;
	u8 pad3[44];
};
_Static_assert(sizeof(struct lx_timex) == 208, "struct timex");

#define LX_SIGEV_SIGNAL    0
#define LX_SIGEV_NONE      1
#define LX_SIGEV_THREAD    2
#define LX_SIGEV_THREAD_ID 4
struct lx_sigevent {
	u64 value;
	s32 signo, notify, tid;
	u8 pad[44];
};
_Static_assert(sizeof(struct lx_sigevent) == 64, "struct sigevent");

/* A valid time of the program in ns (saturating); false: EINVAL. */
static inline bool lx_timespec_to_ns(const struct lx_timespec *ts, u64 *ret_ns)
{
	if (ts->sec < 0 || (u64)ts->nsec >= NSEC_PER_SEC)
		return false;
	*ret_ns = (u64)ts->sec >= (u64)INT64_MAX / NSEC_PER_SEC ? (u64)INT64_MAX : (u64)ts->sec * NSEC_PER_SEC + (u64)ts->nsec;
	return true;
}
static inline bool lx_timeval_to_ns(const struct lx_timeval *tv, u64 *ret_ns)
{
	struct lx_timespec ts = { tv->sec, (u64)tv->usec < 1000000 ? tv->usec * 1000 : -1 };

	return lx_timespec_to_ns(&ts, ret_ns);
}
static inline struct lx_timespec lx_timespec_of(u64 ns)
{
	return (struct lx_timespec){ (s64)(ns / NSEC_PER_SEC), (s64)(ns % NSEC_PER_SEC) };
}
static inline struct lx_timeval lx_timeval_of(u64 ns)
{
	return (struct lx_timeval){ (s64)(ns / NSEC_PER_SEC), (s64)(ns % NSEC_PER_SEC / 1000) };
}

#endif
