/*
 * child.c - starting other programs.
 *
 * The child tells the parent about a failed exec through a pipe that closes on
 * exec, so that "not in PATH" is an answer of child_start and not a mystery
 * exit status later.
 */
#include "util/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_MAX (16u << 20)

static _Noreturn void child_become(const struct child_spec *spec, int report_fd, pid_t parent)
{
	int null_fd = open("/dev/null", O_RDWR);
	sigset_t none;
	int error;

	if (spec->die_with_parent) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent) /* it ended before the call above */
			_exit(127);
	}
	if (spec->own_group)
		setpgid(0, 0);
	if (spec->small_pages)
		prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	dup2(null_fd, STDIN_FILENO);
	dup2(spec->stdout_fd >= 0 ? spec->stdout_fd : null_fd, STDOUT_FILENO);
	dup2(spec->stderr_fd >= 0 ? spec->stderr_fd : null_fd, STDERR_FILENO);
	for (const int *fd = spec->keep_fds; fd && *fd >= 0; fd++)
		fcntl(*fd, F_SETFD, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	execvp(spec->argv[0], spec->argv);
	error = errno;
	if (write(report_fd, &error, sizeof error) < 0)
		_exit(126);
	_exit(127);
}

pid_t child_start(const struct child_spec *spec)
{
	int report[2], error = 0;
	pid_t pid, parent = getpid();
	ssize_t n;

	if (pipe2(report, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		child_become(spec, report[1], parent);
	if (pid < 0)
		error = errno;
	close(report[1]);
	if (pid > 0) {
		do {
			n = read(report[0], &error, sizeof error);
		} while (n < 0 && errno == EINTR);
		if (n == sizeof error)
			waitpid(pid, NULL, 0);
		else
			error = 0;
	}
	close(report[0]);
	return error ? -error : pid;
}

int child_run(char *const *argv, struct buf *ret_output)
{
	int output[2], status;
	char block[4096];
	ssize_t n;
	pid_t pid;

	*ret_output = (struct buf){ 0 };
	if (pipe2(output, O_CLOEXEC) < 0)
		return -errno;
	pid = child_start(&(struct child_spec){ .argv = argv, .stdout_fd = output[1], .stderr_fd = output[1],
						.die_with_parent = true });
	close(output[1]);
	if (pid < 0) {
		close(output[0]);
		return (int)pid;
	}
	while ((n = read(output[0], block, sizeof block)) != 0) {
		if (n < 0 && errno != EINTR)
			break;
		if (n > 0 && ret_output->len < OUTPUT_MAX)
			buf_append(ret_output, block, (size_t)n);
	}
	close(output[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
