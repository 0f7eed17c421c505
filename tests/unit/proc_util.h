/*
 * proc_util.h - the process on the host: its tables, and tasks whose "program" is a function of the test.
 */
#ifndef TESTS_UNIT_PROC_UTIL_H
#define TESTS_UNIT_PROC_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "arch/host/host.h"
#include "base/string.h"
#include "mm/heap.h"
#include "proc/futex.h"
#include "proc/process.h"
#include "proc/signal.h"
#include "proc/timers.h"

/* The shared state as after boot, without /proc; the test's own thread becomes the first task. */
static inline struct task *proc_fresh(void)
{
	static struct task first;

	host_sched_start();
	memset(&process, 0, sizeof(process));
	list_init(&process.tasks);
	for (unsigned i = 0; i < TASK_HASH; i++)
		list_init(&process.hash[i]);
	waitq_init(&process.task_gone);
	process.last_tid = PROC_PID - 1;
	signal_init();
	futex_init();
	timers_init();
	first = (struct task){ .thread = thread_current(), .tid = PROC_PID };
	list_init(&first.hash_link);
	signal_init_task(&first);
	list_append(&process.tasks, &first.link);
	list_push(&process.hash[PROC_PID % TASK_HASH], &first.hash_link);
	process.ntasks = 1;
	process.last_tid = PROC_PID;
	thread_current()->proc = &first;
	thread_clear_work(thread_current(), ~0u);
	return &first;
}

/* Run the others until they sleep. */
static inline void proc_settle(void)
{
	for (int i = 0; i < 32; i++)
		thread_yield();
}

#endif
