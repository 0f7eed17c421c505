/*
 * control.c - the control port (shared/bootconf.h): lines to the host, and the thread that obeys it.
 *
 * Invariant: lines go out whole; control_mutex orders them. What the host says is checked: unknown lines are
 * counted and dropped, overlong ones too. Can fail: the thread cannot be made (-ENOMEM).
 */
#include "proc/process.h"
#include "proc/signal.h"
#include "dev/port.h"
#include "base/counter.h"
#include "base/print.h"
#include "base/string.h"
#include "shared/bootconf.h"

#define LINE_MAX_OUT 4096u
#define LINE_MAX_IN  64u

COUNTER(control_bad_lines);
static struct mutex control_mutex = MUTEX_INIT(control_mutex);
static char control_buf[LINE_MAX_OUT];   /* control_mutex */

void control_line(const char *fmt, ...)
{
	va_list ap;

	mutex_lock(&control_mutex);
	va_start(ap, fmt);
	int n = fmt_vbuf(control_buf, sizeof(control_buf) - 1, fmt, ap);
	va_end(ap);
	size_t len = n < 0 ? 0 : MIN((size_t)n, sizeof(control_buf) - 2);
	/* One line is one line, whatever the text holds. */
	for (size_t i = 0; i < len; i++)
		if (control_buf[i] == '\n')
			control_buf[i] = ' ';
	control_buf[len++] = '\n';
	(void)port_write(PITH_PORT_CTL, control_buf, len, false);
	mutex_unlock(&control_mutex);
}

static void control_obey(const char *line, size_t len)
{
	u64 n;

	if (len == 4 && memcmp(line, "stop", 4) == 0)
		process_stop_request(SIG_TERM);
	else if (len > 7 && memcmp(line, "signal ", 7) == 0 && str_parse_u64(line + 7, len - 7, &n) && n >= 1 && n <= NSIG)
		process_stop_request((int)n);
	else
		counter_bump(control_bad_lines);
}

static void control_thread(void *arg)
{
	char line[LINE_MAX_IN], in[LINE_MAX_IN];
	size_t len = 0;
	bool overlong = false;
	ssize_t n;

	while ((n = port_read(PITH_PORT_CTL, in, sizeof(in), false)) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (in[i] == '\n') {
				if (overlong)
					counter_bump(control_bad_lines);
				else
					control_obey(line, len);
				len = 0;
				overlong = false;
			} else if (len < sizeof(line)) {
				line[len++] = in[i];
			} else {
				overlong = true;
			}
		}
	}
	thread_exit();
}

int control_start(void)
{
	return thread_spawn("control", control_thread, NULL);
}
