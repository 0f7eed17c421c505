/*
 * writeback.c - how many pages of files wait to be written, and what happens when they are too many.
 *
 * Pages are counted when they become dirty and when they are clean again or dropped, over all objects. From a sixteenth of
 * memory on file systems begin to write by themselves (vm_dirty_many); from an eighth on who makes pages dirty writes first
 * (vm_dirty_throttle): so dirty pages, which cannot be dropped, leave room for the program whatever it stores.
 *
 * Locks: writers_lock (sleeping) guards the list and is held while somebody writes: those who must wait for room wait for it.
 * Nothing is held by who throttles but locks that writing back does not take. Can fail: nothing; a file
 * system that cannot write is passed over.
 */
#include "vm/writeback.h"

#include "base/errno.h"
#include "mm/page.h"
#include "sched/mutex.h"

u64 vm_dirty_pages, vm_dirty_limit = UINT64_MAX;

static struct mutex writers_lock = MUTEX_INIT(writers_lock);
static struct list writers = LIST_INIT(writers);

bool vm_dirty_many(void)
{
	return READ_ONCE(vm_dirty_pages) > vm_dirty_limit / 2;
}

void vm_writer_add(struct vm_writer *w)
{
	mutex_lock(&writers_lock);
	vm_dirty_limit = MAX(page_total_count() / 8, 64ul);
	list_append(&writers, &w->link);
	mutex_unlock(&writers_lock);
}

void vm_writer_remove(struct vm_writer *w)
{
	mutex_lock(&writers_lock);
	list_remove(&w->link);
	mutex_unlock(&writers_lock);
}

void vm_dirty_wait(void)
{
	u64 enough = vm_dirty_limit - vm_dirty_limit / 4;
	struct vm_writer *w;

	mutex_lock(&writers_lock);
	/* Whoever had the lock before may have made room for all. */
	list_for_each_entry(w, &writers, link)
		if (vm_dirty_is_over())
			(void)w->write(w, enough);
	mutex_unlock(&writers_lock);
}
