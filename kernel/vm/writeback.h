/*
 * writeback.h - limits on dirty pages. File systems that write pages back tell how (struct vm_writer); vm/ counts pages and lets
 * those who store through mappings wait; file systems let those who write(2) wait.
 */
#ifndef VM_WRITEBACK_H
#define VM_WRITEBACK_H

#include "base/list.h"
#include "base/types.h"

struct vm_writer {
	struct list link;
	/* Write dirty pages back until vm_dirty_pages is at most this. 0 or errno. May sleep. */
	int (*write)(struct vm_writer *w, u64 until_pages);
};
/* A file system can be written, and no more. The second returns when w->write does not run. May sleep. */
void vm_writer_add(struct vm_writer *w);
void vm_writer_remove(struct vm_writer *w);

extern u64 vm_dirty_pages;           /* atomic: in all objects */
extern u64 vm_dirty_limit;           /* pages; set with the first writer */

static inline bool vm_dirty_is_over(void) { return unlikely(READ_ONCE(vm_dirty_pages) > READ_ONCE(vm_dirty_limit)); }
/* Half of what is allowed is dirty: time to write without being asked. */
bool vm_dirty_many(void);
/* Too much is dirty: write until there is room. May sleep; no lock held that write-back takes (pages', file systems' metadata). */
void vm_dirty_wait(void);
static inline void vm_dirty_throttle(void)
{
	if (vm_dirty_is_over())
		vm_dirty_wait();
}

#endif
