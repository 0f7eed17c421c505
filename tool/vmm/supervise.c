/*
 * supervise.c - starting the VMM and staying with it to the end.
 *
 * The command is the VMM's parent. Five socket pairs are the machine's ports;
 * one poll loop relays the standard streams, reads the log and the control port,
 * the VMM's own standard error, the command's signals, and waits for the VMM.
 *
 * (I1) The VMM is dead and reaped when vm_run returns, and dies with the command
 *      if that is killed.
 * (I2) What the machine wrote before its end is delivered before the command
 *      ends, however slowly its reader takes it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/child.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "vmm/session.h"
#include "vmm/backlog.h"

/* Looking for the sockets of published ports: how often at most, and how long between. */
/* A machine of up to so much has its memory in small pages: with huge ones an idle server holds three times of it (docs/decisions/host-memory.md). */
#define SMALL_MACHINE (256ull << 20)

#define BACKLOG_TRIES   60
#define BACKLOG_LOOK_MS 50

#define LINE_MAX_LEN 65536

static void fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Makes the socket pairs; the VMM's ends are put into vm->port_fds. */
static int ports_open(struct session *s)
{
	for (int port = 0; port < (int)PITH_NPORTS; port++)
		s->ports[port] = s->vm->port_fds[port] = -1;
	for (int port = PITH_PORT_STDIN; port < (int)PITH_NPORTS; port++) {
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
			return err_report(PITH_FAILED, NULL, "cannot make a socket pair: %s", strerror(errno));
		s->ports[port] = pair[0];
		s->vm->port_fds[port] = pair[1];
	}
	return 0;
}

static int vmm_start(struct session *s, const int *keep_fds)
{
	int keep[PITH_NPORTS + 16], count = 0, said[2];
	struct strv argv = { 0 };

	if (pipe2(said, O_CLOEXEC) < 0)
		return err_report(PITH_FAILED, NULL, "cannot make a pipe: %s", strerror(errno));
	for (int port = PITH_PORT_STDIN; port < (int)PITH_NPORTS; port++)
		keep[count++] = s->vm->port_fds[port];
	if (s->vm->debug_fd >= 0)
		keep[count++] = s->vm->debug_fd;
	while (*keep_fds >= 0 && count < (int)(sizeof keep / sizeof *keep) - 1)
		keep[count++] = *keep_fds++;
	keep[count] = -1;
	qemu_command(s->vm, &argv);
	s->pid = child_start(&(struct child_spec){ .argv = argv.items, .stdout_fd = said[1], .stderr_fd = said[1], .keep_fds = keep,
						   .small_pages = s->vm->memory_len <= SMALL_MACHINE, .own_group = true, .die_with_parent = true });
	strv_free(&argv);
	close(said[1]);
	for (int port = PITH_PORT_STDIN; port < (int)PITH_NPORTS; port++)
		fd_close(&s->vm->port_fds[port]);
	fd_close(&s->vm->debug_fd);
	s->vmm_err.fd = said[0];
	if (s->pid < 0) {
		int error = (int)-s->pid;

		s->pid = 0;
		return err_report(PITH_FAILED, s->vm->vmm_path, "cannot start it: %s; install it: apt-get install qemu-system-x86", strerror(error));
	}
	s->pid_fd = (int)syscall(SYS_pidfd_open, s->pid, 0);
	return s->pid_fd < 0 ? err_report(PITH_FAILED, NULL, "cannot watch the VMM: %s", strerror(errno)) : 0;
}

/* Reads what is there; gives each whole line to its handler. */
static void lines_read(struct session *s, struct lines *l)
{
	char block[8192], *newline;
	ssize_t n = read(l->fd, block, sizeof block);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		buf_append(&l->text, block, (size_t)n);
	if (n > 0 && l != &s->vmm_err)
		s->guest_spoke = true;
	if (n <= 0 || l->text.len > LINE_MAX_LEN) /* the end, or no line: what is there counts as one */
		buf_append(&l->text, "\n", l->text.len && l->text.data[l->text.len - 1] != '\n');
	while (l->text.len && (newline = memchr(l->text.data, '\n', l->text.len))) {
		size_t len = (size_t)(newline - l->text.data);

		*newline = '\0';
		if (l == &s->ctl)
			session_ctl_line(s, l->text.data);
		else if (l == &s->log)
			session_log_line(s, l->text.data, len);
		else
			session_vmm_line(s, l->text.data);
		buf_drop_front(&l->text, len + 1);
	}
	if (n <= 0)
		l->fd = -1;
}

static void signals_read(struct session *s)
{
	struct signalfd_siginfo info;

	while (read(s->signal_fd, &info, sizeof info) == sizeof info)
		session_signal(s, (int)info.ssi_signo);
}

static void vmm_reap(struct session *s)
{
	while (waitpid(s->pid, &s->wait_status, 0) < 0 && errno == EINTR)
		;
	s->pid = 0;
	fd_close(&s->pid_fd);
}

/* Bytes of the machine that wait for a slow reader: (I2). */
static bool output_waits(const struct session *s)
{
	return s->out.len || s->err.len;
}

/* The VMM makes the sockets of published ports while it starts, and does not say when. */
static void backlog_look(struct session *s)
{
	unsigned int wanted = 0;

	for (size_t i = 0; i < s->vm->opts->publish.count; i++)
		wanted += !s->vm->opts->publishes[i].udp;
	if (!s->backlog_tries || !wanted || !s->pid || backlog_deepen(s->pid_fd, s->pid) >= wanted)
		s->backlog_tries = 0;
	else
		s->backlog_tries--;
}

static int poll_timeout(const struct session *s)
{
	int64_t left;

	if (s->backlog_tries)
		return BACKLOG_LOOK_MS;
	if (!s->pid || !s->deadline_ms || (s->status_known && output_waits(s)))
		return -1;
	left = s->deadline_ms - session_now_ms();
	return left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
}

/* One turn of the loop. */
static void turn(struct session *s)
{
	struct relay *relays[3] = { &s->in, &s->out, &s->err };
	struct lines *lines[3] = { &s->log, &s->ctl, &s->vmm_err };
	struct pollfd fds[11];

	for (int i = 0; i < 3; i++) {
		relay_poll(relays[i], &fds[2 * i]);
		fds[6 + i] = (struct pollfd){ .fd = lines[i]->fd, .events = POLLIN };
	}
	fds[9] = (struct pollfd){ .fd = s->signal_fd, .events = POLLIN };
	fds[10] = (struct pollfd){ .fd = s->pid_fd, .events = POLLIN };
	if (poll(fds, 11, poll_timeout(s)) < 0)
		return;
	backlog_look(s);
	if (fds[9].revents)
		signals_read(s);
	for (int i = 0; i < 3; i++) {
		relay_move(relays[i], &fds[2 * i]);
		if (lines[i]->fd >= 0 && fds[6 + i].revents)
			lines_read(s, lines[i]);
	}
	if (s->vm->tick)
		s->vm->tick(s->vm);
	if (fds[10].revents)
		vmm_reap(s);
	if (s->pid && s->deadline_ms && session_now_ms() >= s->deadline_ms && !(s->status_known && output_waits(s)))
		kill(s->pid, SIGKILL);
}

static void session_loop(struct session *s)
{
	/* The ports end when the VMM does; then only delivery is left. */
	while (s->pid || !relay_done(&s->out) || !relay_done(&s->err) || s->log.fd >= 0 || s->ctl.fd >= 0 || s->vmm_err.fd >= 0) {
		turn(s);
		if (!s->pid && s->stopping && s->deadline_ms && session_now_ms() >= s->deadline_ms)
			break; /* the reader does not read, and the user wants an end */
	}
}

static void session_close(struct session *s)
{
	if (s->pid) {
		kill(s->pid, SIGKILL); /* keeps (I1) */
		vmm_reap(s);
	}
	for (int port = 0; port < (int)PITH_NPORTS; port++)
		fd_close(&s->ports[port]);
	fd_close(&s->signal_fd);
	buf_free(&s->log.text);
	buf_free(&s->ctl.text);
	buf_free(&s->vmm_err.text);
	buf_free(&s->vmm_said);
	symbols_free(&s->symbols);
}

int vm_run(struct vm *vm, const int *keep_fds)
{
	struct session *s = xcalloc(1, sizeof *s);
	sigset_t signals;
	int status;

	s->vm = vm;
	s->symbols.map = vm->kernel_map;
	s->pid_fd = s->signal_fd = -1;
	cleanup_signals(&signals);
	status = ports_open(s);
	if (!status)
		status = vmm_start(s, keep_fds);
	if (!status && vm->started)
		status = vm->started(vm, s->pid);
	if (!status) {
		s->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
		relay_init(&s->in, STDIN_FILENO, s->ports[PITH_PORT_STDIN]);
		relay_init(&s->out, s->ports[PITH_PORT_STDOUT], STDOUT_FILENO);
		relay_init(&s->err, s->ports[PITH_PORT_STDERR], STDERR_FILENO);
		s->log.fd = s->ports[PITH_PORT_LOG];
		s->ctl.fd = s->ports[PITH_PORT_CTL];
		s->backlog_tries = vm->opts->publish.count ? BACKLOG_TRIES : 0;
		session_loop(s);
		session_verdict(s);
		status = s->status;
	}
	session_close(s);
	free(s);
	return status;
}
