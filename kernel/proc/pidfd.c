/*
 * pidfd.c - a descriptor that stands for the process: there is one, and it does not end while anybody can ask.
 * So it is never readable. What can fail: memory.
 */
#include "proc/event_files.h"
#include "base/print.h"
#include "proc/process.h"

static u32 pidfd_poll(struct file *f, struct poll_table *pt)
{
	/* It would be woken at the process's end. */
	poll_add(pt, &process.task_gone);
	return 0;
}

static ssize_t pidfd_fdinfo(struct file *f, char *buf, size_t size)
{
	return fmt_buf(buf, size, "Pid:\t%d\nNSpid:\t%d\n", PROC_PID, PROC_PID);
}

static const struct file_ops pidfd_file_ops = { .kind = "pidfd", .poll = pidfd_poll, .fdinfo = pidfd_fdinfo };

bool file_is_pidfd(const struct file *f)
{
	return f->ops == &pidfd_file_ops;
}

int pidfd_create(struct file **ret)
{
	*ret = file_alloc(&pidfd_file_ops, LX_O_RDWR);
	return *ret ? 0 : -ENOMEM;
}
