/*
 * detach.c - pith run -d: the machine's keeper in the background.
 *
 * The keeper is a child in a session of its own that does what an attached `pith run`
 * does (vm_run), with files in the place of the standard streams.
 *
 * (I1) The instance's lock belongs to the keeper from before it starts the VMM until
 *      it is gone: the command only lends it on by fork.
 * (I2) A log is at most 2 * LOG_MAX long: the older half is dropped.
 */
#include "instance/detach.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "instance/instance.h"
#include "util/err.h"

#define LOG_MAX (8 << 20)

struct keeper {
	struct instance instance;
	int ready_fd; /* a byte says that the VMM runs */
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Opens a log at its end as the given descriptor; negative errno. */
static int log_open(const struct keeper *k, const char *name, int as_fd)
{
	char *path = instance_path(&k->instance, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600), error = fd < 0 ? -errno : 0;

	free(path);
	if (fd >= 0 && fd != as_fd) {
		if (dup3(fd, as_fd, O_CLOEXEC) < 0)
			error = -errno;
		close(fd);
	}
	return error;
}

static void log_turn(const struct keeper *k, const char *name, int fd)
{
	struct stat st;
	char *path, *older;

	if (fstat(fd, &st) < 0 || st.st_size < LOG_MAX)
		return;
	path = instance_path(&k->instance, name);
	older = xasprintf("%s.1", path);
	if (rename(path, older) == 0) /* keeps (I2) */
		log_open(k, name, fd);
	free(path);
	free(older);
}

static void keeper_tick(struct vm *vm)
{
	const struct keeper *k = vm->context;

	log_turn(k, "out.log", STDOUT_FILENO);
	log_turn(k, "err.log", STDERR_FILENO);
	log_turn(k, "events.log", vm->events_fd);
}

/* The VMM runs: from here on nobody listens at the terminal. */
static int keeper_started(struct vm *vm, pid_t vmm_pid)
{
	struct keeper *k = vm->context;
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC), status, error;

	json_object_set_new(k->instance.info, "pid", json_integer(getpid()));
	json_object_set_new(k->instance.info, "vmm_pid", json_integer(vmm_pid));
	json_object_set_new(k->instance.info, "started_ns", json_integer(now_ns()));
	status = instance_save(&k->instance);
	if (status)
		return status;
	vm->events_fd = fcntl(null_fd, F_DUPFD_CLOEXEC, 3);
	error = null_fd < 0 || vm->events_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 ? -errno : log_open(k, "events.log", vm->events_fd);
	if (!error)
		error = log_open(k, "out.log", STDOUT_FILENO);
	if (error)
		return err_report(PITH_FAILED, k->instance.directory, "cannot write logs: %s; free some room there", strerror(-error));
	if (write(k->ready_fd, "", 1) != 1 || log_open(k, "err.log", STDERR_FILENO) < 0)
		return PITH_FAILED;
	close(k->ready_fd);
	close(null_fd);
	return chdir("/") < 0 ? PITH_FAILED : 0;
}

static _Noreturn void keeper_run(struct vm *vm, const int *keep_fds, struct keeper *k)
{
	int status;

	setsid();
	vm->context = k;
	vm->started = keeper_started;
	vm->tick = keeper_tick;
	status = vm_run(vm, keep_fds);
	if (instance_number(&k->instance, "pid")) {
		json_object_set_new(k->instance.info, "status", json_integer(status));
		json_object_set_new(k->instance.info, "ended_ns", json_integer(now_ns()));
		instance_save(&k->instance);
	}
	fflush(NULL);
	_exit(status);
}

static void info_fill(const struct vm *vm, const struct bootconf *conf, json_t *info)
{
	json_t *args = json_array(), *ports = json_array();

	for (size_t i = 0; i < conf->args.count; i++)
		json_array_append_new(args, json_string(conf->args.items[i]));
	for (size_t i = 0; i < vm->opts->publish.count; i++)
		json_array_append_new(ports, json_string(vm->opts->publish.items[i]));
	json_object_set_new(info, "program", json_string(conf->exec));
	json_object_set_new(info, "args", args);
	json_object_set_new(info, "ports", ports);
	json_object_set_new(info, "memory_bytes", json_integer((json_int_t)vm->memory_len));
	json_object_set_new(info, "cpus", json_integer(vm->opts->cpu_count));
	json_object_set_new(info, "stop_timeout_s", json_integer(vm->opts->stop_timeout_s));
}

/* Waits for the keeper's word: 0, or its exit status after its line. */
static int keeper_wait(pid_t pid, int ready_fd)
{
	int status;
	char byte;
	ssize_t n;

	do {
		n = read(ready_fd, &byte, 1);
	} while (n < 0 && errno == EINTR);
	if (n == 1)
		return 0;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : PITH_FAILED;
}

int detach_run(struct vm *vm, const int *keep_fds, const struct bootconf *conf)
{
	struct keeper k = { 0 };
	int ready[2], status = instance_create(vm->opts->name, conf->exec, &k.instance);
	pid_t pid;

	if (status) {
		instance_close(&k.instance);
		return status;
	}
	info_fill(vm, conf, k.instance.info);
	if (pipe2(ready, O_CLOEXEC) < 0) {
		instance_remove(&k.instance);
		instance_close(&k.instance);
		return err_report(PITH_FAILED, NULL, "cannot make a pipe: %s", strerror(errno));
	}
	k.ready_fd = ready[1];
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		close(ready[0]);
		keeper_run(vm, keep_fds, &k);
	}
	close(ready[1]);
	status = pid < 0 ? err_report(PITH_FAILED, NULL, "cannot start a process: %s", strerror(errno)) : keeper_wait(pid, ready[0]);
	close(ready[0]);
	if (status)
		instance_remove(&k.instance);
	else
		printf("%s\n", k.instance.name);
	instance_close(&k.instance); /* keeps (I1): the keeper has its own hold on the lock */
	return status;
}
