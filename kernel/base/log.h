/*
 * log.h - the kernel's log, assertions and panic.
 *
 * Lines go into a ring in memory (the last 8 KiB are kept for a panic report) and to
 * the sink, once one is set. Any context may log; the sink must not sleep.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/types.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_write(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);
#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)

/* Lines above this level are dropped before formatting (default LOG_WARN: silent unless asked). */
extern enum log_level log_threshold;

/* Who receives each finished line (with its '\n'). Called with no lock held, from any context; must not sleep or log. */
void log_set_sink(void (*sink)(const char *line, size_t len));

/* Set once by arch: prints registers and backtrace, tells the host, ends the machine. */
extern NORETURN void (*log_panic_handler)(const char *message);
void panic(const char *fmt, ...) NORETURN PRINTF_LIKE(1, 2);

/* For our own bugs only; never on what a device, a packet, an image or the program said. */
#define ASSERT(c) ((c) ? (void)0 : panic("%s:%d: assertion failed: %s", __FILE_NAME__, __LINE__, #c))
#ifndef __FILE_NAME__
#define __FILE_NAME__ __FILE__
#endif

#endif
