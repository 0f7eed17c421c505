/*
 * log.c - the kernel's log. Lines are formatted on the caller's stack (at most 240 bytes, cut
 * with "..."), kept in a ring of 8 KiB and given to the sink.
 *
 * Locks: none. The ring is claimed by an atomic add, so two CPUs that log at once may interleave
 * lines whole but never corrupt memory; a reader at panic time sees whole lines but for the last.
 */
#include "base/log.h"
#include "base/print.h"
#include "base/string.h"

#define LOG_RING 8192u
#define LOG_LINE 240u

enum log_level log_threshold = LOG_WARN;
static void (*log_sink)(const char *line, size_t len) RO_AFTER_INIT;
static char ring[LOG_RING];
static u32 ring_next;
NORETURN void (*log_panic_handler)(const char *message) RO_AFTER_INIT;

void log_set_sink(void (*sink)(const char *line, size_t len)) { log_sink = sink; }

static void emit(const char *line, size_t len)
{
	u32 at = __atomic_fetch_add(&ring_next, (u32)len, __ATOMIC_RELAXED);
	for (size_t i = 0; i < len; i++)
		ring[(at + i) % LOG_RING] = line[i];
	void (*sink)(const char *, size_t) = READ_ONCE(log_sink);
	if (sink)
		sink(line, len);
}

static size_t format_line(char *line, const char *fmt, va_list ap)
{
	int n = fmt_vbuf(line, LOG_LINE - 1, fmt, ap);
	size_t len = (size_t)n;
	if (len > LOG_LINE - 2) {
		len = LOG_LINE - 2;
		memcpy(line + len - 3, "...", 3);
	}
	if (!len || line[len - 1] != '\n')
		line[len++] = '\n';
	return len;
}

void log_write(enum log_level level, const char *fmt, ...)
{
	if (level > log_threshold)
		return;
	char line[LOG_LINE];
	va_list ap;
	va_start(ap, fmt);
	size_t len = format_line(line, fmt, ap);
	va_end(ap);
	emit(line, len);
}

void panic(const char *fmt, ...)
{
	static char line[LOG_LINE];   /* static: the stack may be what is broken */
	va_list ap;
	va_start(ap, fmt);
	size_t len = format_line(line, fmt, ap);
	va_end(ap);
	line[len - 1] = 0;
	if (log_panic_handler)
		log_panic_handler(line);
	for (;;)
		__builtin_trap();
}
