/*
 * sys_numa.c - memory policies: there is one node, number 0.
 *
 * A task's policy is kept and told back; policies of areas (mbind) are checked and not kept, as every page comes from the
 * one node whatever they say. Can fail: -EINVAL, -EFAULT, -EPERM, -ESRCH, and statuses of pages.
 */
#include "linux/lx_process.h"
#include "linux/syscall.h"
#include "proc/process.h"
#include "vm/aspace.h"

enum { LX_MPOL_DEFAULT, LX_MPOL_PREFERRED, LX_MPOL_BIND, LX_MPOL_INTERLEAVE, LX_MPOL_LOCAL, LX_MPOL_PREFERRED_MANY, LX_MPOL_MAX };
#define LX_MPOL_F_STATIC_NODES   (1 << 15)
#define LX_MPOL_F_RELATIVE_NODES (1 << 14)
#define LX_MPOL_F_NUMA_BALANCING (1 << 13)
#define LX_MPOL_MODE_FLAGS (LX_MPOL_F_STATIC_NODES | LX_MPOL_F_RELATIVE_NODES | LX_MPOL_F_NUMA_BALANCING)
#define LX_MPOL_F_NODE         1ul
#define LX_MPOL_F_ADDR         2ul
#define LX_MPOL_F_MEMS_ALLOWED 4ul
#define LX_MPOL_MF_STRICT   1u
#define LX_MPOL_MF_MOVE     2u
#define LX_MPOL_MF_MOVE_ALL 4u
#define MAXNODE_MAX (PAGE_SIZE * 8)

/* A node mask: does it hold node 0? Nodes that cannot be are EINVAL. */
static int nodes_get(struct uaddr mask, u64 maxnode, u64 *ret)
{
	u64 bits = maxnode - 1, word;

	*ret = 0;
	if (bits == 0 || uaddr_is_null(mask))
		return 0;
	if (bits > MAXNODE_MAX)
		return -EINVAL;
	for (u64 at = 0; at < bits; at += 64) {
		if (copy_from_user(&word, uaddr_add(mask, at / 8), sizeof(word)))
			return -EFAULT;
		if (bits - at < 64)
			word &= (1ull << (bits - at)) - 1;
		/* Nodes up to 63 may be named though they are not there. */
		if (at && word)
			return -EINVAL;
		if (!at)
			*ret = word;
	}
	return 0;
}

/* Is this a policy that one could have here? *ret_mode as it is kept. */
static int policy_check(int mode, u64 nodes, int *ret_mode)
{
	int flags = mode & LX_MPOL_MODE_FLAGS, m = mode & ~LX_MPOL_MODE_FLAGS;

	*ret_mode = mode;
	if ((unsigned)m >= LX_MPOL_MAX || ((flags & LX_MPOL_F_STATIC_NODES) && (flags & LX_MPOL_F_RELATIVE_NODES)))
		return -EINVAL;
	if ((flags & LX_MPOL_F_NUMA_BALANCING) && m != LX_MPOL_BIND)
		return -EINVAL;
	if (m == LX_MPOL_DEFAULT)
		return nodes ? -EINVAL : 0;
	if (m == LX_MPOL_LOCAL || (m == LX_MPOL_PREFERRED && !nodes)) {
		*ret_mode = LX_MPOL_LOCAL;
		return nodes || (flags & (LX_MPOL_F_STATIC_NODES | LX_MPOL_F_RELATIVE_NODES)) ? -EINVAL : 0;
	}
	if (!nodes)
		return -EINVAL;
	/* Relative numbers are folded onto the nodes that there are. */
	return nodes & 1 || (flags & LX_MPOL_F_RELATIVE_NODES) ? 0 : -EINVAL;
}

long sys_set_mempolicy(int mode, struct uaddr mask, unsigned long maxnode)
{
	u64 nodes;
	int kept, r = nodes_get(mask, maxnode, &nodes);

	if (r == 0)
		r = policy_check(mode, nodes, &kept);
	if (r == 0)
		task_current()->mempolicy = kept;
	return r;
}

static int mask_put(struct uaddr mask, u64 maxnode, u64 nodes)
{
	u64 bytes = ROUND_UP(maxnode - 1, 64) / 8;

	if (bytes > sizeof(nodes)) {
		if (bytes > PAGE_SIZE)
			return -EINVAL;
		if (clear_user(uaddr_add(mask, sizeof(nodes)), bytes - sizeof(nodes)))
			return -EFAULT;
		bytes = sizeof(nodes);
	}
	return copy_to_user(mask, &nodes, bytes) ? -EFAULT : 0;
}

/* With MPOL_F_ADDR: the node of the page there, which is made to be there. */
static int node_of_page(uintptr_t va)
{
	struct vm_area a;

	if (!vm_find_area(va, &a))
		return -EFAULT;
	int r = vm_populate(va & PAGE_MASK, 1);
	return r == -EIO ? -EFAULT : r;
}

long sys_get_mempolicy(struct uaddr mode, struct uaddr mask, unsigned long maxnode, struct uaddr addr, unsigned long flags)
{
	int policy = task_current()->mempolicy, m = policy & ~LX_MPOL_MODE_FLAGS, r;
	u64 nodes = m == LX_MPOL_DEFAULT || m == LX_MPOL_LOCAL ? 0 : 1;
	struct vm_area a;

	if (!uaddr_is_null(mask) && maxnode < 1)
		return -EINVAL;
	if (flags & ~(LX_MPOL_F_NODE | LX_MPOL_F_ADDR | LX_MPOL_F_MEMS_ALLOWED))
		return -EINVAL;
	if (flags & LX_MPOL_F_MEMS_ALLOWED) {
		if (flags & (LX_MPOL_F_NODE | LX_MPOL_F_ADDR))
			return -EINVAL;
		policy = 0;
		nodes = 1;
	} else if (flags & LX_MPOL_F_ADDR) {
		if (!vm_find_area(addr.va, &a))
			return -EFAULT;
		if ((flags & LX_MPOL_F_NODE) && (r = node_of_page(addr.va)))
			return r;
		if (flags & LX_MPOL_F_NODE)
			policy = 0;
	} else if (!uaddr_is_null(addr)) {
		return -EINVAL;
	} else if (flags & LX_MPOL_F_NODE) {
		if (m != LX_MPOL_INTERLEAVE)
			return -EINVAL;
		policy = 0;
	}
	if (!uaddr_is_null(mode) && copy_to_user(mode, &policy, sizeof(policy)))
		return -EFAULT;
	return uaddr_is_null(mask) ? 0 : mask_put(mask, maxnode, nodes);
}

/* The start and length of mbind and set_mempolicy_home_node. 1: nothing to do; the end goes to *ret_end. */
static int range_check(struct uaddr addr, u64 len, uintptr_t *ret_end)
{
	if (addr.va & ~PAGE_MASK)
		return -EINVAL;
	*ret_end = addr.va + ROUND_UP(len, PAGE_SIZE);
	if (*ret_end < addr.va)
		return -EINVAL;
	return *ret_end == addr.va;
}

long sys_mbind(struct uaddr addr, unsigned long len, int mode, struct uaddr mask, unsigned long maxnode, unsigned flags)
{
	uintptr_t end;
	u64 nodes;
	int kept, r;

	if ((unsigned)(mode & ~LX_MPOL_MODE_FLAGS) >= LX_MPOL_MAX)
		return -EINVAL;
	if ((r = nodes_get(mask, maxnode, &nodes)))
		return r;
	if (flags & ~(LX_MPOL_MF_STRICT | LX_MPOL_MF_MOVE | LX_MPOL_MF_MOVE_ALL))
		return -EINVAL;
	if (flags & LX_MPOL_MF_MOVE_ALL)
		return -EPERM;
	r = range_check(addr, len, &end);
	if (r)
		return r > 0 ? 0 : r;
	if ((r = policy_check(mode, nodes, &kept)))
		return r;
	for (uintptr_t at = addr.va; at < end;) {
		struct vm_area a;
		if (!vm_find_area(at, &a))
			return -EFAULT;
		at = a.end;
	}
	return 0;
}

long sys_set_mempolicy_home_node(struct uaddr addr, unsigned long len, unsigned long node, unsigned long flags)
{
	uintptr_t end;

	if (addr.va & ~PAGE_MASK || flags || node)
		return -EINVAL;
	int r = range_check(addr, len, &end);
	if (r)
		return r > 0 ? 0 : r;
	return -ENOENT;                      /* no area has a policy */
}

static bool is_own(int pid)
{
	irq_flags_t f = spin_lock_irqsave(&process.lock);
	bool found = pid == 0 || task_find(pid) != NULL;

	spin_unlock_irqrestore(&process.lock, f);
	return found;
}

long sys_migrate_pages(int pid, unsigned long maxnode, struct uaddr old, struct uaddr new)
{
	u64 from, to;
	int r = nodes_get(old, maxnode, &from);

	if (r || (r = nodes_get(new, maxnode, &to)))
		return r;
	if (!is_own(pid))
		return -ESRCH;
	if (to & ~1ull)
		return -EPERM;
	return to ? 0 : -EINVAL;
}

/* Where it is, after it was "moved" to the one node, if it is anywhere. */
static int page_status(u64 va, bool move, s32 node, int *ret_error)
{
	if (move && node != 0) {
		*ret_error = -ENODEV;
		return 0;
	}
	return va < ARCH_USER_TOP ? vm_page_present(va) : -EFAULT;
}

long sys_move_pages(int pid, unsigned long nr, struct uaddr pages, struct uaddr nodes, struct uaddr status, int flags)
{
	if (flags & ~(int)(LX_MPOL_MF_MOVE | LX_MPOL_MF_MOVE_ALL))
		return -EINVAL;
	if (flags & (int)LX_MPOL_MF_MOVE_ALL)
		return -EPERM;
	if (!is_own(pid))
		return -ESRCH;
	for (u64 i = 0; i < nr; i++) {
		u64 va;
		s32 node = 0;
		int error = 0;
		if (copy_from_user(&va, uaddr_add(pages, i * sizeof(va)), sizeof(va)))
			return -EFAULT;
		if (!uaddr_is_null(nodes) && copy_from_user(&node, uaddr_add(nodes, i * sizeof(node)), sizeof(node)))
			return -EFAULT;
		s32 s = page_status(va, !uaddr_is_null(nodes), node, &error);
		if (error)
			return error;
		if (copy_to_user(uaddr_add(status, i * sizeof(s)), &s, sizeof(s)))
			return -EFAULT;
		sched_poll();
		if (thread_interrupted())
			return -EINTR;
	}
	return 0;
}
