/*
 * sys_vm.c - memory in other words: one's own memory as another process's, pages of a mapping in another order, protection keys.
 * Can fail: -EFAULT, -EINVAL, -ESRCH (another process), -ENOMEM.
 */
#include "linux/filecalls.h"
#include "linux/syscall.h"
#include "mm/heap.h"
#include "proc/process.h"
#include "vm/aspace.h"

/* ---- process_vm_readv, process_vm_writev ---- */

#define CHUNK 1024u

static bool is_own_tid(int pid)
{
	irq_flags_t f = spin_lock_irqsave(&process.lock);
	bool found = task_find(pid) != NULL;

	spin_unlock_irqrestore(&process.lock, f);
	return found;
}

/* How far it is from u's position to the end of the page: a page that is missing costs nothing before it. */
static size_t left_in_page(const struct uio *u)
{
	return PAGE_SIZE - (u->cur & ~PAGE_MASK);
}

/* Bytes of one list into the other until one ends or a page is missing. */
static long move_bytes(const struct user_iov *from, const struct user_iov *to)
{
	NO_AUTO_INIT u8 chunk[CHUNK];
	struct uio src, dst;
	long done = 0;

	uio_init_user(&src, from->segs, from->n);
	uio_init_user(&dst, to->segs, to->n);
	while (src.resid && dst.resid) {
		size_t both = MIN(src.resid, dst.resid), page = MIN(left_in_page(&src), left_in_page(&dst)), want = MIN(both, page);

		want = MIN(want, (size_t)CHUNK);
		size_t n = uio_get(&src, chunk, want);
		size_t put = uio_put(&dst, chunk, n);
		done += (long)put;
		if (put < want)
			return done ? done : -EFAULT;
		sched_poll();
	}
	return done;
}

static long vm_rw(int pid, struct uaddr lvec, u64 nl, struct uaddr rvec, u64 nr, u64 flags, bool write)
{
	NO_AUTO_INIT struct user_iov local, remote;
	long r;

	if (flags)
		return -EINVAL;
	r = user_iov_get(&local, lvec, nl);
	if (r == 0 && local.total) {
		r = user_iov_get(&remote, rvec, nr);
		if (r == 0 && remote.total)
			r = !is_own_tid(pid) ? -ESRCH : write ? move_bytes(&local, &remote) : move_bytes(&remote, &local);
		user_iov_free(&remote);
	}
	user_iov_free(&local);
	return r;
}

long sys_process_vm_readv(int pid, struct uaddr lvec, unsigned long nl, struct uaddr rvec, unsigned long nr, unsigned long flags)
{
	return vm_rw(pid, lvec, nl, rvec, nr, flags, false);
}

long sys_process_vm_writev(int pid, struct uaddr lvec, unsigned long nl, struct uaddr rvec, unsigned long nr, unsigned long flags)
{
	return vm_rw(pid, lvec, nl, rvec, nr, flags, true);
}

/* ---- remap_file_pages: by mapping anew, as Linux has done since 4.0 ---- */

#define LX_MAP_NONBLOCK 0x10000

long sys_remap_file_pages(struct uaddr addr, size_t size, int prot, size_t pgoff, int flags)
{
	uintptr_t start = addr.va & PAGE_MASK;

	size &= PAGE_MASK;
	if (prot || start + size <= start || start + size > ARCH_USER_TOP)
		return -EINVAL;
	if (pgoff + (size >> PAGE_SHIFT) < pgoff || pgoff + (size >> PAGE_SHIFT) > UINT64_MAX >> PAGE_SHIFT)
		return -EINVAL;
	return vm_remap_file(start, size, (u64)pgoff << PAGE_SHIFT, !(flags & LX_MAP_NONBLOCK));
}

/* ---- Protection keys: the CPUs that we run on have none, or they are not used ---- */

long sys_pkey_alloc(unsigned long flags, unsigned long rights)
{
	return flags || (rights & ~3ul) ? -EINVAL : -ENOSPC;
}

long sys_pkey_free(int pkey)
{
	return -EINVAL;
}

long sys_pkey_mprotect(struct uaddr addr, size_t len, int prot, int pkey)
{
	return pkey == -1 ? sys_mprotect(addr, len, prot) : -EINVAL;
}
