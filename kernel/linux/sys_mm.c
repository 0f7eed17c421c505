/*
 * sys_mm.c - the system calls of memory: mmap and its family, brk, madvise, mlock, membarrier.
 *
 * Here arguments get Linux's checks in Linux's order and become a struct vm_map_request; the work is
 * in vm/. A mapped file is kept by its vnode. Two policies are applied here: memory of files on
 * writable file systems is not executable (as if mounted noexec), and W^X (vm/map.c); both give
 * way to vm_policy_allow_jit.
 */
#include "linux/syscall.h"
#include "linux/dispatch.h"
#include "fs/lx_file.h"
#include "proc/file.h"
#include "proc/process.h"
#include "vm/aspace.h"
#include "base/log.h"

#define LX_PROT_READ   1u
#define LX_PROT_WRITE  2u
#define LX_PROT_EXEC   4u
#define LX_PROT_SEM    8u
#define LX_PROT_GROWSDOWN 0x01000000u
#define LX_PROT_GROWSUP   0x02000000u
#define LX_PROT_RWX    (LX_PROT_READ | LX_PROT_WRITE | LX_PROT_EXEC)

#define LX_MAP_SHARED          0x01u
#define LX_MAP_PRIVATE         0x02u
#define LX_MAP_SHARED_VALIDATE 0x03u
#define LX_MAP_TYPE            0x0fu
#define LX_MAP_FIXED           0x10u
#define LX_MAP_ANONYMOUS       0x20u
#define LX_MAP_32BIT           0x40u
#define LX_MAP_GROWSDOWN       0x0100u
#define LX_MAP_DENYWRITE       0x0800u
#define LX_MAP_EXECUTABLE      0x1000u
#define LX_MAP_LOCKED          0x2000u
#define LX_MAP_NORESERVE       0x4000u
#define LX_MAP_POPULATE        0x8000u
#define LX_MAP_NONBLOCK        0x10000u
#define LX_MAP_STACK           0x20000u
#define LX_MAP_HUGETLB         0x40000u
#define LX_MAP_SYNC            0x80000u
#define LX_MAP_FIXED_NOREPLACE 0x100000u
#define LX_MAP_UNINITIALIZED   0x4000000u
#define LX_MAP_HUGE_SIZES      0x7c000000u   /* the bits of MAP_HUGE_2MB and MAP_HUGE_1GB */
#define LX_MAP_KNOWN (LX_MAP_HUGE_SIZES | LX_MAP_TYPE | LX_MAP_FIXED | LX_MAP_ANONYMOUS | LX_MAP_32BIT | LX_MAP_GROWSDOWN | LX_MAP_DENYWRITE | \
		      LX_MAP_EXECUTABLE | LX_MAP_LOCKED | LX_MAP_NORESERVE | LX_MAP_POPULATE | LX_MAP_NONBLOCK | LX_MAP_STACK | \
		      LX_MAP_HUGETLB | LX_MAP_FIXED_NOREPLACE | LX_MAP_UNINITIALIZED)

#define LX_MREMAP_MAYMOVE   1
#define LX_MREMAP_FIXED     2
#define LX_MREMAP_DONTUNMAP 4
#define LX_MADV_REMOVE      9
#define LX_MLOCK_ONFAULT    1
#define LX_MCL_CURRENT      1
#define LX_MCL_FUTURE       2
#define LX_MCL_ONFAULT      4

static u32 vm_flags_of(u32 flags)
{
	u32 f = 0;

	if (flags & (LX_MAP_FIXED | LX_MAP_FIXED_NOREPLACE))
		f |= VM_MAP_FIXED;
	if (flags & LX_MAP_FIXED_NOREPLACE)
		f |= VM_MAP_NOREPLACE;
	if (flags & LX_MAP_GROWSDOWN)
		f |= VM_MAP_STACK;
	if ((flags & LX_MAP_POPULATE) && !(flags & LX_MAP_NONBLOCK))
		f |= VM_MAP_POPULATE;
	if (flags & LX_MAP_32BIT)
		f |= VM_MAP_32BIT;
	if (flags & LX_MAP_LOCKED)
		f |= VM_MAP_LOCKED;
	if (flags & LX_MAP_NORESERVE)
		f |= VM_MAP_NORESERVE;
	return f;
}

/* The checks of mm that Linux makes before it looks at the file. */
static int mmap_check(u64 addr, size_t len, u32 flags)
{
	if (len == 0)
		return -EINVAL;
	if (len > ARCH_USER_TOP)
		return -ENOMEM;
	if ((flags & (LX_MAP_FIXED | LX_MAP_FIXED_NOREPLACE)) && (addr & ~PAGE_MASK))
		return addr > ARCH_USER_TOP - ROUND_UP(len, PAGE_SIZE) ? -ENOMEM : -EINVAL;
	return 0;
}

/* Memory that the program can both write and run was asked for: one event, and once a line that says what it means. */
long syscall_refuse_mapping(int errno_to_return)
{
	static bool told;

	if (!__atomic_exchange_n(&told, true, __ATOMIC_RELAXED))
		log_warn("the program wants to run memory that it can write (a JIT compiler?): refused; write --allow jit, or allow: [jit] in pith.yaml, to let it\n");
	return syscall_refuse_event(POLICY_MAPPING, errno_to_return);
}

/* What a file allows: fills the request's object, file and max_prot. */
static int mmap_file(struct file *f, u32 flags, struct vm_map_request *rq)
{
	bool shared = false;
	u32 kind = flags & LX_MAP_TYPE;
	int r;

	if (rq->object_off + ROUND_UP(rq->len, PAGE_SIZE) < rq->object_off || (s64)(rq->object_off + rq->len) < 0)
		return -EOVERFLOW;
	switch (kind) {
	case LX_MAP_SHARED_VALIDATE:
		if (flags & ~LX_MAP_KNOWN)
			return -EOPNOTSUPP;
		/* fall through */
	case LX_MAP_SHARED:
		if ((rq->prot & VM_PROT_WRITE) && !file_can_write(f))
			return -EACCES;
		if (!file_can_write(f))
			rq->max_prot &= ~VM_PROT_WRITE;
		shared = true;
		/* fall through */
	case LX_MAP_PRIVATE:
		if (!file_can_read(f))
			return -EACCES;
		break;
	default:
		return -EINVAL;
	}
	if (!f->ops->mmap_object)
		return -ENODEV;
	if (flags & LX_MAP_GROWSDOWN)
		return -EINVAL;
	r = f->ops->mmap_object(f, rq, shared);
	if (r)
		return r;
	if (f->vnode && f->vnode->mount && !fs_object_is_root(f->vnode, rq->object) && !vm_policy_allow_jit) {
		if (rq->prot & VM_PROT_EXEC)
			return (int)syscall_refuse_mapping(EPERM);
		rq->max_prot &= ~VM_PROT_EXEC;
	}
	if (shared)
		rq->flags |= VM_MAP_SHARED;
	rq->file = f->vnode;
	return 0;
}

static int mmap_anonymous(u32 flags, struct vm_map_request *rq)
{
	switch (flags & LX_MAP_TYPE) {
	case LX_MAP_SHARED:
		if (flags & LX_MAP_GROWSDOWN)
			return -EINVAL;
		rq->flags |= VM_MAP_SHARED;
		rq->object_off = 0;
		return 0;
	case LX_MAP_PRIVATE:
		rq->object_off = 0;
		return 0;
	}
	return -EINVAL;
}

/* vm/ refuses with -EACCES only for W^X. */
static long mapped(intptr_t r)
{
	return unlikely(r == -EACCES) ? syscall_refuse_mapping(EACCES) : r;
}

/* May anything be locked? Tells vm/ of the limit. */
static int may_lock(void)
{
	vm_limits()->memlock_max = process_rlimits[RLIM_MEMLOCK].cur;
	return vm_limits()->memlock_max ? 0 : -EPERM;
}

long sys_mmap(struct uaddr addr, size_t len, int prot, int flags, int fd, s64 offset)
{
	struct vm_map_request rq = { .addr = addr.va, .len = len, .prot = (u32)prot & LX_PROT_RWX, .max_prot = LX_PROT_RWX,
				     .flags = vm_flags_of((u32)flags), .object_off = (u64)offset };
	struct file *f = NULL;
	int r;

	if ((u64)offset & ~PAGE_MASK)
		return -EINVAL;
	if (!(flags & (int)LX_MAP_ANONYMOUS) && !(f = fd_lookup(fd)))
		return -EBADF;
	if (flags & (int)LX_MAP_HUGETLB)
		r = f ? -EINVAL : -ENOMEM;   /* no huge pages are reserved */
	else
		r = mmap_check(addr.va, len, (u32)flags);
	if (r == 0 && (flags & (int)LX_MAP_LOCKED))
		r = may_lock();
	if (r == 0)
		r = f ? mmap_file(f, (u32)flags, &rq) : mmap_anonymous((u32)flags, &rq);
	intptr_t at = r;
	if (r == 0)
		at = vm_map(&rq);
	if (rq.object)
		vm_object_put(rq.object);
	if (f)
		file_put(f);
	return r ? r : mapped(at);
}

long sys_munmap(struct uaddr addr, size_t len)
{
	return vm_unmap(addr.va, len);
}

long sys_mprotect(struct uaddr addr, size_t len, int prot)
{
	u32 p = (u32)prot, grows = p & (LX_PROT_GROWSDOWN | LX_PROT_GROWSUP);
	uintptr_t start = addr.va;
	struct vm_area a;

	if (grows == (LX_PROT_GROWSDOWN | LX_PROT_GROWSUP))
		return -EINVAL;
	if (start & ~PAGE_MASK)
		return -EINVAL;
	if (!len)
		return 0;
	if (p & ~(LX_PROT_RWX | LX_PROT_SEM | grows))
		return -EINVAL;
	if (grows & LX_PROT_GROWSUP)
		return -EINVAL;
	if (grows) {
		if (!vm_find_area(start, &a))
			return -ENOMEM;
		if (!(a.flags & VM_MAP_STACK))
			return -EINVAL;
		len += start - a.start;
		start = a.start;
	}
	int r = vm_protect(start, len, p & LX_PROT_RWX);
	/* -EACCES without W^X behind it is a shared mapping of a file that was opened for reading. */
	if (unlikely(r == -EACCES) && (p & LX_PROT_EXEC))
		return syscall_refuse_mapping(EACCES);
	return r;
}

long sys_mremap(struct uaddr old, size_t old_len, size_t new_len, int flags, struct uaddr new_addr)
{
	bool may_move = flags & LX_MREMAP_MAYMOVE, fixed = flags & LX_MREMAP_FIXED, dontunmap = flags & LX_MREMAP_DONTUNMAP;

	if (flags & ~(LX_MREMAP_MAYMOVE | LX_MREMAP_FIXED | LX_MREMAP_DONTUNMAP))
		return -EINVAL;
	return vm_remap(old.va, old_len, new_len, may_move, fixed, dontunmap, new_addr.va);
}

long sys_brk(struct uaddr addr)
{
	return (long)vm_brk(addr.va);
}

long sys_msync(struct uaddr addr, size_t len, int flags)
{
	return vm_sync(addr.va, len, flags);
}

long sys_mincore(struct uaddr addr, size_t len, struct uaddr vec)
{
	u8 chunk[256];
	size_t npages = DIV_ROUND_UP(len, PAGE_SIZE), done = 0;

	if (addr.va & ~PAGE_MASK)
		return -EINVAL;
	if (addr.va > ARCH_USER_TOP || len > ARCH_USER_TOP - addr.va)
		return -ENOMEM;
	if (vec.va > ARCH_USER_TOP || npages > ARCH_USER_TOP - vec.va)
		return -EFAULT;
	while (done < npages) {
		size_t n = MIN(npages - done, sizeof(chunk));
		int r = vm_mincore(addr.va + done * PAGE_SIZE, n, chunk);
		if (r)
			return r;
		if (copy_to_user(uaddr_add(vec, done), chunk, n))
			return -EFAULT;
		done += n;
		sched_poll();
	}
	return 0;
}

/* MADV_REMOVE of a shared file mapping: a hole in the file, by its file system. */
static long madvise_remove_file(const struct vm_area *a, uintptr_t start, size_t len)
{
	if (a->flags & VM_MAP_LOCKED)
		return -EINVAL;
	if (!(a->flags & VM_MAP_SHARED) || !(a->prot & VM_PROT_WRITE))
		return -EACCES;
	return fs_fallocate(a->file, LX_FALLOC_PUNCH_HOLE | LX_FALLOC_KEEP_SIZE, a->object_off + (start - a->start), len);
}

long sys_madvise(struct uaddr addr, size_t len, int advice)
{
	struct vm_area a;
	size_t whole = ROUND_UP(len, PAGE_SIZE);

	if (advice == LX_MADV_REMOVE && whole && !(addr.va & ~PAGE_MASK) && vm_find_area_with_file(addr.va, &a)) {
		size_t here = MIN(whole, a.end - addr.va);
		long r = madvise_remove_file(&a, addr.va, here);
		vnode_put(a.file);
		return r == 0 && here < whole ? sys_madvise(uaddr_add(addr, here), whole - here, advice) : r;
	}
	return vm_advise(addr.va, len, advice);
}

/* ---- Locking ---- */

long sys_mlock(struct uaddr addr, size_t len)
{
	int r = may_lock();

	return r ? r : vm_lock(addr.va, len, true, false);
}

long sys_mlock2(struct uaddr addr, size_t len, int flags)
{
	int r;

	if (flags & ~LX_MLOCK_ONFAULT)
		return -EINVAL;
	r = may_lock();
	return r ? r : vm_lock(addr.va, len, true, flags & LX_MLOCK_ONFAULT);
}

long sys_munlock(struct uaddr addr, size_t len)
{
	return vm_lock(addr.va, len, false, false);
}

long sys_mlockall(int flags)
{
	int r;

	if (!flags || (flags & ~(LX_MCL_CURRENT | LX_MCL_FUTURE | LX_MCL_ONFAULT)) || flags == LX_MCL_ONFAULT)
		return -EINVAL;
	r = may_lock();
	return r ? r : vm_lock_all(flags & LX_MCL_CURRENT, flags & LX_MCL_FUTURE, flags & LX_MCL_ONFAULT);
}

long sys_munlockall(void)
{
	vm_unlock_all();
	return 0;
}

/* ---- membarrier ---- */

enum {
	LX_MEMBARRIER_QUERY = 0,
	LX_MEMBARRIER_GLOBAL = 1,
	LX_MEMBARRIER_GLOBAL_EXPEDITED = 2,
	LX_MEMBARRIER_REGISTER_GLOBAL_EXPEDITED = 4,
	LX_MEMBARRIER_PRIVATE_EXPEDITED = 8,
	LX_MEMBARRIER_REGISTER_PRIVATE_EXPEDITED = 16,
	LX_MEMBARRIER_PRIVATE_EXPEDITED_SYNC_CORE = 32,
	LX_MEMBARRIER_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE = 64,
	LX_MEMBARRIER_PRIVATE_EXPEDITED_RSEQ = 128,
	LX_MEMBARRIER_REGISTER_PRIVATE_EXPEDITED_RSEQ = 256,
	LX_MEMBARRIER_KNOWN = 511,
	LX_MEMBARRIER_FLAG_CPU = 1,
};

/* Every CPU that runs the program passes a full barrier: a flush of a page interrupts each of them. */
static long barrier_everywhere(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	arch_tlb_flush(0, PAGE_SIZE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return 0;
}

/*
 * Every critical section that runs now starts again: each task aborts its own on its way back to the program, and the
 * barrier takes all CPUs that way.
 */
static long rseq_everywhere(int only_cpu)
{
	struct task *t;
	irq_flags_t f = spin_lock_irqsave(&process.lock);

	list_for_each_entry(t, &process.tasks, link)
		if (t->thread != thread_current() && (only_cpu < 0 || (int)READ_ONCE(t->thread->cpu) == only_cpu))
			thread_set_work(t->thread, THREAD_WORK_MOVED);
	spin_unlock_irqrestore(&process.lock, f);
	return barrier_everywhere();
}

COLD long sys_membarrier(int cmd, unsigned flags, int cpu)
{
	static u32 registered;

	if (cmd == LX_MEMBARRIER_PRIVATE_EXPEDITED_RSEQ ? flags & ~(unsigned)LX_MEMBARRIER_FLAG_CPU : flags)
		return -EINVAL;
	switch (cmd) {
	case LX_MEMBARRIER_QUERY:
		return LX_MEMBARRIER_KNOWN;
	case LX_MEMBARRIER_GLOBAL:
	case LX_MEMBARRIER_GLOBAL_EXPEDITED:
		return barrier_everywhere();
	case LX_MEMBARRIER_REGISTER_GLOBAL_EXPEDITED:
	case LX_MEMBARRIER_REGISTER_PRIVATE_EXPEDITED:
	case LX_MEMBARRIER_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE:
	case LX_MEMBARRIER_REGISTER_PRIVATE_EXPEDITED_RSEQ:
		__atomic_fetch_or(&registered, (u32)cmd, __ATOMIC_SEQ_CST);
		return 0;
	case LX_MEMBARRIER_PRIVATE_EXPEDITED:
	case LX_MEMBARRIER_PRIVATE_EXPEDITED_SYNC_CORE:
		/* The command's bit shifted by one is its registration. */
		if (!(__atomic_load_n(&registered, __ATOMIC_SEQ_CST) & ((u32)cmd << 1)))
			return -EPERM;
		return barrier_everywhere();
	case LX_MEMBARRIER_PRIVATE_EXPEDITED_RSEQ:
		if (!(__atomic_load_n(&registered, __ATOMIC_SEQ_CST) & LX_MEMBARRIER_REGISTER_PRIVATE_EXPEDITED_RSEQ))
			return -EPERM;
		/* A CPU that is not there runs nothing. */
		return rseq_everywhere(flags & LX_MEMBARRIER_FLAG_CPU ? cpu : -1);
	}
	return -EINVAL;
}
