/*
 * start.c - the first task: from the boot configuration to the program's first instruction.
 *
 * The task loads its own program, so that page faults, file reads and sleeping work as they do later.
 * Failures end the machine with a cannot-run line (shared/bootconf.h).
 */
#include "proc/exec.h"
#include "proc/process.h"
#include "proc/file.h"
#include "proc/crash.h"

static struct exec_args first_args;

static void first_task(void *arg)
{
	struct exec_failure failure;

	if (exec_start(&first_args, &failure))
		process_cannot_run(failure.status, "%s", failure.text);
	arch_user_enter();
}

static void enter_cwd(const char *path)
{
	struct vnode *v;
	int r = fs_namei(NULL, path, NAMEI_FOLLOW | NAMEI_DIRECTORY, &v);

	if (r == 0) {
		r = cwd_set(v);
		vnode_put(v);
	}
	if (r)
		process_cannot_run(126, "%s: %s", path, r == -ENOENT || r == -ENOTDIR ? "the working directory does not exist"
				   : "the working directory cannot be entered");
}

int process_start(const struct exec_args *a)
{
	struct task *t;

	first_args = *a;
	process_crash_hook = crash_report;
	if (a->cwd)
		enter_cwd(a->cwd);
	int r = task_create(first_task, NULL, &t);
	if (r == 0)
		task_start(t);
	return r;
}
