/*
 * start.c - the first task: it loads the program in its own context and enters user mode.
 *
 * Invariant: the machine ends from here only if the program cannot be started (`cannot-run`).
 */
#include "proc/file.h"
#include "proc/process.h"
#include "proc/exec.h"
#include "base/string.h"

static struct exec_args start_args;

static void first_task(void *arg)
{
	struct exec_failure failure = { 0 };

	if (exec_start(&start_args, &failure))
		process_cannot_run(failure.status ? failure.status : 126, "%s", failure.text);
	arch_user_enter();
}

int process_start(const struct exec_args *a)
{
	const char *base = strrchr(a->path, '/');
	struct task *t;

	start_args = *a;
	str_copy(process.name, base ? base + 1 : a->path, sizeof(process.name));
	if (a->cwd && cwd_set_path(a->cwd) < 0)
		process_cannot_run(126, "%s: no such working directory", a->cwd);
	int r = task_create(first_task, NULL, &t);
	if (r)
		process_cannot_run(126, "%s: not enough memory to start it", a->path);
	task_start(t);
	return 0;
}
