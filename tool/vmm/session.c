/*
 * session.c - what the machine says and is told: the control port's lines
 * (shared/bootconf.h), the log, signals, and the verdict at the end.
 *
 * The control port is untrusted: a line that is not understood is passed over.
 */
#include "vmm/session.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "advice.h"
#include "scan/table.h"
#include "util/err.h"
#include "vmm/events.h"

/* After its last word the guest flushes its ports and ends the machine; this is how long it may take. */
#define FLUSH_MS 2000

/* A second stop sooner than this is the first one again: timeout(1) and shells signal a process and its group. */
#define TWICE_MS 500

#define SAID_MAX 4096
#define QEMU_SAYS "qemu-system-x86_64: "

int64_t session_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void session_end_within(struct session *s, int64_t ms)
{
	int64_t deadline = session_now_ms() + ms;

	if (!s->deadline_ms || deadline < s->deadline_ms)
		s->deadline_ms = deadline ? deadline : 1;
}

static void status_set(struct session *s, int status)
{
	if (s->status_known)
		return; /* the first word counts */
	s->status_known = true;
	s->status = status;
	s->deadline_ms = 0;
	session_end_within(s, FLUSH_MS);
}

/* The machine's words in a message: symbol names for addresses. */
static void say(struct session *s, const char *where, const char *text, const char *todo)
{
	struct buf line = { 0 };

	symbols_translate(&s->symbols, text, strlen(text), &line);
	err_notice(where, "%s%s", line.data ? line.data : "", todo);
	buf_free(&line);
}

static bool starts_processes(const char *call)
{
	static const char *const calls[] = { "fork", "vfork", "clone", "clone3", "execve", "execveat" };

	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		if (!strcmp(calls[i], call))
			return true;
	}
	return false;
}

/* The first time that the program wants to start another one: what is refused, where, and what helps. */
static void event_hint(struct session *s, const char *text)
{
	json_t *event = s->told_process && !strstr(text, "volume-failed") ? NULL : json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	const char *path = json_string_value(json_object_get(event, "path")), *what = json_string_value(json_object_get(event, "what"));
	const char *call = json_string_value(json_object_get(event, "call"));
	const char *kind = json_string_value(json_object_get(event, "event"));
	const char *symbol = json_string_value(json_object_get(event, "symbol")), *caller = json_string_value(json_object_get(event, "caller"));
	const char *slash = strrchr(s->vm->exec, '/'), *name = slash ? slash + 1 : s->vm->exec;
	const char *advice = advice_single_process(s->vm->exec);

	if (kind && path && what && !strcmp(kind, "volume-failed"))
		err_notice(path, "the volume failed (%s) and can only be read now; what was not synced may be lost", what);
	if (!s->told_process && call && kind && !strcmp(kind, "refused-call") && starts_processes(call)) {
		s->told_process = true;
		err_notice(name, "%s (%s) is refused%s%s%s%s; %s", str_starts(call, "exec") ? "another program" : "a second process", call, symbol ? " at " : "", symbol ? symbol : "",
			   caller ? ", called from " : "", caller ? caller : "",
			   advice ? advice : "look for an option that keeps it in one process, in the foreground");
	}
	json_decref(event);
}

/* A kernel that is linked for one program knows its calls' numbers only: "#57" becomes the name. */
static char *event_name_call(const char *text)
{
	static const char mark[] = "\"call\":\"#";
	const char *at = strstr(text, mark), *digits = at ? at + sizeof mark - 1 : NULL, *end = digits ? digits + strspn(digits, "0123456789") : NULL;
	char *number = end ? xstrndup(digits, (size_t)(end - digits)) : NULL, *out = NULL;
	uint64_t nr;

	if (number && str_number(number, 0, UINT16_MAX, &nr) && scan_call_name((unsigned int)nr))
		out = xasprintf("%.*s\"call\":\"%s%s", (int)(at - text), text, scan_call_name((unsigned int)nr), end);
	free(number);
	return out ? out : xstrdup(text);
}

void session_ctl_line(struct session *s, char *line)
{
	char *rest = strchr(line, ' ');
	uint64_t number;

	if (!rest)
		return;
	*rest++ = '\0';
	if (!strcmp(line, "exit") && str_number(rest, 0, 255, &number)) {
		status_set(s, (int)number);
	} else if (!strcmp(line, "signal") && str_number(rest, 1, 64, &number)) {
		status_set(s, 128 + (int)number);
	} else if (!strcmp(line, "panic")) {
		if (!s->status_known)
			say(s, "the kernel failed", rest, "; please report it with the lines above");
		status_set(s, PITH_KERNEL);
	} else if (!strcmp(line, "stopped")) {
		if (!s->status_known)
			say(s, "stopped by policy", rest, "");
		status_set(s, PITH_POLICY);
	} else if (!strcmp(line, "cannot-run")) {
		char *text = strchr(rest, ' ');
		bool not_found = str_starts(rest, "127 ");

		if (!s->status_known)
			say(s, s->vm->program, text ? text + 1 : "the kernel cannot start it", "");
		status_set(s, not_found ? PITH_NOT_FOUND : PITH_CANNOT_RUN);
	} else if (!strcmp(line, "event")) {
		char *named = event_name_call(rest);

		rest = named;
		if (s->vm->opts->verbose)
			fprintf(stderr, "%s %s\n", line, rest);
		if (s->vm->events_fd >= 0)
			dprintf(s->vm->events_fd, "%s\n", rest);
		events_write(&s->vm->events_out, rest);
		event_hint(s, rest);
		free(named);
	} else if (!strcmp(line, "learn") && s->vm->learned) {
		s->vm->learned(s->vm->learned_context, rest);
	}
}

void session_log_line(struct session *s, const char *line, size_t len)
{
	struct buf out = { 0 };

	symbols_translate(&s->symbols, line, len, &out);
	buf_puts(&out, "\n");
	fwrite(out.data, 1, out.len, stderr);
	fflush(stderr);
	buf_free(&out);
}

static void ctl_send(struct session *s, const char *line)
{
	if (s->ports[PITH_PORT_CTL] >= 0)
		send(s->ports[PITH_PORT_CTL], line, strlen(line), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void session_signal(struct session *s, int number)
{
	char line[32];

	if (number == SIGINT || number == SIGTERM) {
		if (s->stopping) { /* the second time: at once */
			if (session_now_ms() - s->stopping_since_ms >= TWICE_MS)
				session_end_within(s, 0);
			return;
		}
		s->stopping = true;
		s->stopping_since_ms = session_now_ms();
		ctl_send(s, "stop\n");
		if (!s->status_known)
			session_end_within(s, (int64_t)s->vm->opts->stop_timeout_s * 1000);
		return;
	}
	snprintf(line, sizeof line, "signal %d\n", number);
	ctl_send(s, line);
}

/* What QEMU says when it cannot go on with the machine, which then stands still. */
static const char *const stuck[] = { "KVM internal error", "error: kvm run failed", NULL };

/* A register dump of -d cpu_reset: "RAX=...", "ES =...", "XMM00=...". */
static bool is_registers(const char *line)
{
	return str_starts(line, "CPU Reset") || memchr(line, '=', strnlen(line, 6));
}

void session_vmm_line(struct session *s, const char *line)
{
	if (str_starts(line, "Triple fault"))
		s->triple_fault = true;
	if (s->triple_fault && s->vm->opts->verbose)
		fprintf(stderr, "%s\n", line);
	if (is_registers(line) || strstr(line, "warning:"))
		return;
	if (s->vmm_said.len < SAID_MAX)
		buf_printf(&s->vmm_said, "%s\n", line);
	for (const char *const *text = stuck; *text; text++) {
		if (str_starts(line, *text))
			session_end_within(s, 0);
	}
}

/* The first line that QEMU said with this text in it, from there on; NULL. The caller frees it. */
static char *said(struct session *s, const char *text)
{
	const char *at = s->vmm_said.data ? strstr(s->vmm_said.data, text) : NULL;

	return at ? xstrndup(at, strcspn(at, "\n")) : NULL;
}

/* The first line of what QEMU said, without its own name. */
static char *vmm_complaint(struct session *s)
{
	char *line = said(s, QEMU_SAYS);

	if (line)
		memmove(line, line + strlen(QEMU_SAYS), strlen(line + strlen(QEMU_SAYS)) + 1);
	return line ? line : said(s, "");
}

/* The kernel's words where it has no port: on the debug port, which ends in what QEMU says. */
static bool last_words(struct session *s)
{
	static const char *const marks[] = { "panic: ", "pith: cannot boot: " };
	char *line = NULL;

	for (size_t i = 0; i < sizeof marks / sizeof *marks && !line; i++) {
		line = said(s, marks[i]);
		if (line) {
			const char *from = strstr(s->vmm_said.data, marks[i]);

			session_log_line(s, from, strlen(from) - (from[strlen(from) - 1] == '\n'));
			say(s, "the kernel failed", line + strlen(marks[i]), "; please report it with the lines above");
		}
	}
	free(line);
	return line != NULL;
}

/* QEMU ended, and not because the machine did. False if it did nothing wrong. */
static bool vmm_failed(struct session *s)
{
	char *ended = said(s, "terminating on signal"), *complaint = vmm_complaint(s), *stood = NULL;
	bool failed = true;

	for (const char *const *text = stuck; *text && !stood; text++)
		stood = said(s, *text);
	if (stood)
		err_notice("QEMU", "%s; its VM was ended", stood);
	else if (ended)
		err_notice("QEMU", "%s: somebody on the host ended it", ended);
	else if (WIFSIGNALED(s->wait_status))
		err_notice("QEMU", "was killed by signal %d%s%s; look for what killed it, such as a lack of memory on the host", WTERMSIG(s->wait_status),
			   complaint ? ": " : "", complaint ? complaint : "");
	else if (WEXITSTATUS(s->wait_status) && complaint)
		err_notice("QEMU", "%s%s", complaint, s->guest_spoke ? "" : "; --dry-run shows its command line");
	else if (WEXITSTATUS(s->wait_status))
		err_notice("QEMU", "ended with status %d", WEXITSTATUS(s->wait_status));
	else
		failed = false;
	free(ended);
	free(complaint);
	free(stood);
	return failed;
}

void session_verdict(struct session *s)
{
	if (s->status_known)
		return;
	s->status_known = true;
	if (s->stopping) {
		s->status = 128 + SIGKILL;
		err_notice(s->vm->program, "did not end within %u s of being stopped; its VM was ended", s->vm->opts->stop_timeout_s);
	} else if (last_words(s)) {
		s->status = PITH_KERNEL;
	} else if (vmm_failed(s)) {
		s->status = PITH_FAILED;
	} else {
		char *complaint = vmm_complaint(s);

		s->status = PITH_KERNEL;
		err_notice("the kernel failed", "the virtual CPU was reset without a word from it%s%s; run it with --verbose and report what it prints",
			   complaint ? "; QEMU: " : "", complaint ? complaint : "");
		free(complaint);
	}
}
