/* event_files.h - eventfd, timerfd, signalfd, pidfd and memory files, for linux/. */
#ifndef PROC_EVENT_FILES_H
#define PROC_EVENT_FILES_H

#include "proc/file.h"
#include "proc/timers.h"

int eventfd_create(u32 initial, bool semaphore, struct file **ret) MUST_CHECK;
bool file_is_eventfd(const struct file *f);
/* Add n, as far as there is room, and wake. Never sleeps; not from interrupts. */
void eventfd_signal(struct file *f, u64 n);

int timerfd_create(enum proc_clock c, struct file **ret) MUST_CHECK;
bool file_is_timerfd(const struct file *f);
/* value_ns 0 disarms; absolute or from now; what was set comes back (time left, interval). */
void timerfd_set(struct file *f, bool absolute, bool cancel_on_set, u64 value_ns, u64 interval_ns, u64 *ret_left, u64 *ret_interval);
void timerfd_get(struct file *f, u64 *ret_left_ns, u64 *ret_interval_ns);

/* pack lays a taken signal out in the program's form (128 bytes): linux/ knows it. */
#define SIGNALFD_RECORD 128u
int signalfd_create(sigset mask, void (*pack)(void *ret_record, const struct siginfo *info), struct file **ret) MUST_CHECK;
bool file_is_signalfd(const struct file *f);
void signalfd_set_mask(struct file *f, sigset mask);

int pidfd_create(struct file **ret) MUST_CHECK;
bool file_is_pidfd(const struct file *f);

/* A memory file; name without "memfd:". sealable: F_ADD_SEALS is allowed. */
int memfd_create_file(const char *name, bool sealable, struct file **ret) MUST_CHECK;

#endif
