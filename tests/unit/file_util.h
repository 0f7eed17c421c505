/* file_util.h - what the tests of open files share: cmocka, a process to be in, small helpers. */
#ifndef FILE_UTIL_H
#define FILE_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "arch/host/host.h"
#include "base/string.h"
#include "mm/heap.h"
#include "proc/file.h"
#include "proc/process.h"
#include "proc/signal.h"
#include "sched/thread.h"

static inline int file_setup(void **state)
{
	host_sched_start();
	list_init(&process.tasks);
	list_init(&process.queue);
	waitq_init(&process.sig_waitq);
	waitq_init(&process.task_gone);
	for (unsigned i = 0; i < TASK_HASH; i++)
		list_init(&process.hash[i]);
	for (unsigned i = 0; i < 16; i++)
		process_rlimits[i] = (struct rlimit64){ UINT64_MAX, UINT64_MAX };
	process_rlimits[RLIM_NOFILE] = (struct rlimit64){ 1024, FD_MAX };
	return 0;
}

/* A small generator of its own, so that a failure can be repeated. */
static u64 test_seed = 88172645463325252ull;
static inline u64 test_random(u64 bound)
{
	test_seed ^= test_seed << 13;
	test_seed ^= test_seed >> 7;
	test_seed ^= test_seed << 17;
	return test_seed % bound;
}

static inline ssize_t test_read(struct file *f, void *buf, size_t len)
{
	struct uio u;

	uio_init_kernel(&u, buf, len);
	return file_read(f, &u, NULL, true);
}

static inline ssize_t test_write(struct file *f, const void *buf, size_t len)
{
	struct uio u;

	uio_init_kernel(&u, (void *)buf, len);
	return file_write(f, &u, NULL, true);
}

#endif
