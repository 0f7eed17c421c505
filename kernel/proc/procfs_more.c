/*
 * procfs_more.c - the smaller files of /proc/self and of its tasks: io, sched, settings that are kept, the
 * working directory, the names of namespaces. All are registered when somebody looks (procfs_more_populate).
 *
 * Locks: process.lock through procfs_view. What can fail: -ESRCH for a task that is gone; -EINVAL for what is written.
 */
#include "base/print.h"
#include "base/string.h"
#include "dev/blkdev.h"
#include "mm/heap.h"
#include "proc/file.h"
#include "proc/procfs_impl.h"

#define ULL(x) ((unsigned long long)(x))

static u64 disk_bytes(enum blk_op op)
{
	u64 sectors = 0;

	for (unsigned i = 0; i < blkdev_count(); i++) {
		const struct blkdev *d = blkdev_by_index(i);
		sectors += d ? READ_ONCE(d->sectors[op]) : 0;
	}
	return sectors * 512;
}

/* Bytes of disks are not told apart by task: the process has all, since nobody else reads or writes. */
int procfs_show_io(struct pseudo_text *t, u64 arg)
{
	struct process_sums s;
	struct task_view v;
	int r = procfs_view(arg, &v);

	if (r)
		return r;
	if (arg)
		s = (struct process_sums){ .rchar = v.rchar, .wchar = v.wchar, .syscr = v.syscr, .syscw = v.syscw };
	else
		process_usage(&s);
	pseudo_printf(t, "rchar: %llu\nwchar: %llu\nsyscr: %llu\nsyscw: %llu\nread_bytes: %llu\nwrite_bytes: %llu\ncancelled_write_bytes: 0\n", ULL(s.rchar),
		      ULL(s.wchar), ULL(s.syscr), ULL(s.syscw), ULL(arg ? 0 : disk_bytes(BLK_READ)), ULL(arg ? 0 : disk_bytes(BLK_WRITE)));
	return 0;
}

static void sched_ms(struct pseudo_text *t, const char *name, u64 ns)
{
	pseudo_printf(t, "%-45s:%14llu.%06llu\n", name, ULL(ns / NSEC_PER_MSEC), ULL(ns % NSEC_PER_MSEC));
}

int procfs_show_sched(struct pseudo_text *t, u64 arg)
{
	struct task_view v;
	int r = procfs_view(arg, &v);

	if (r)
		return r;
	pseudo_printf(t, "%s (%d, #threads: %u)\n-------------------------------------------------------------------\n", v.name, v.tid, task_count());
	sched_ms(t, "se.exec_start", arch_clock_mono_ns());
	sched_ms(t, "se.sum_exec_runtime", v.cpu_ns);
	pseudo_printf(t, "%-45s:%21llu\n%-45s:%21llu\n%-45s:%21llu\n", "nr_switches", ULL(v.voluntary + v.forced), "nr_voluntary_switches", ULL(v.voluntary),
		      "nr_involuntary_switches", ULL(v.forced));
	pseudo_printf(t, "%-45s:%21u\n%-45s:%21d\n", "policy", v.policy, "prio", 120 + v.nice);
	return 0;
}

/* ---- Settings ---- */

/* Recorded: there are no core files. */
static u32 coredump_filter = 0x33;   /* atomic */

static int show_coredump_filter(struct pseudo_text *t, u64 arg)
{
	pseudo_printf(t, "%08x\n", __atomic_load_n(&coredump_filter, __ATOMIC_RELAXED));
	return 0;
}

/* A number as kstrtouint takes it: 0x for sixteen, then digits, a line's end. */
static bool parse_number(const char *s, size_t len, u64 *ret)
{
	u64 v = 0;

	while (len && (s[len - 1] == '\n' || s[len - 1] == ' '))
		len--;
	if (len < 3 || s[0] != '0' || (s[1] | 32) != 'x')
		return len && str_parse_u64(s, len, ret);
	if (len > 18)
		return false;
	for (size_t i = 2; i < len; i++) {
		char c = s[i] | 32;
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
		v = v << 4 | (u64)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	*ret = v;
	return true;
}

static int store_coredump_filter(const char *data, size_t len, u64 arg)
{
	u64 v;

	if (!parse_number(data, len, &v) || v > UINT32_MAX)
		return -EINVAL;
	__atomic_store_n(&coredump_filter, (u32)v & 0x1ff, __ATOMIC_RELAXED);
	return 0;
}

/* The first task's, as prctl sets it. */
static struct task *first_task_locked(void)
{
	struct task *t = task_find(PROC_PID);

	return t || list_empty(&process.tasks) ? t : list_entry(list_first(&process.tasks), struct task, link);
}

static int show_timerslack(struct pseudo_text *t, u64 arg)
{
	irq_flags_t f = spin_lock_irqsave(&process.lock);
	const struct task *first = first_task_locked();
	u64 ns = first ? first->timer_slack_ns : 0;

	spin_unlock_irqrestore(&process.lock, f);
	if (!first)
		return -ESRCH;
	pseudo_printf(t, "%llu\n", ULL(ns));
	return 0;
}

static int store_timerslack(const char *data, size_t len, u64 arg)
{
	u64 ns;

	if (!parse_number(data, len, &ns))
		return -EINVAL;
	irq_flags_t f = spin_lock_irqsave(&process.lock);
	struct task *first = first_task_locked();
	if (first)
		first->timer_slack_ns = ns ? ns : 50000;
	spin_unlock_irqrestore(&process.lock, f);
	return first ? 0 : -ESRCH;
}

static int show_oom_adj(struct pseudo_text *t, u64 arg)
{
	pseudo_printf(t, "%d\n", process.oom_score_adj == 1000 ? 15 : process.oom_score_adj * 17 / 1000);
	return 0;
}

static int show_cpuset(struct pseudo_text *t, u64 arg)
{
	pseudo_printf(t, "/\n");
	return 0;
}

/* ---- Links ---- */

ssize_t procfs_cwd_target(char *buf, size_t size, u64 arg)
{
	struct vnode *v = cwd_get();
	char *path = heap_alloc(FS_PATH_MAX);
	ssize_t n = -ENOMEM;

	if (path)
		n = fs_path_of(v, path, FS_PATH_MAX);
	if (n >= 0)
		n = (ssize_t)str_copy(buf, path, size);
	heap_free(path);
	vnode_put(v);
	return n;
}

int procfs_cwd_resolve(u64 arg, struct vnode **ret)
{
	*ret = cwd_get();
	return 0;
}

/* There is one namespace of each kind, Linux's first; the links tell its number and lead nowhere. */
static const struct {
	const char *path, *kind;
	u32 ino;
} namespaces[] = {
	{ "self/ns/cgroup", "cgroup", 4026531835u }, { "self/ns/ipc", "ipc", 4026531839u }, { "self/ns/mnt", "mnt", 4026531841u },
	{ "self/ns/net", "net", 4026531840u }, { "self/ns/pid", "pid", 4026531836u }, { "self/ns/pid_for_children", "pid", 4026531836u },
	{ "self/ns/time", "time", 4026531834u }, { "self/ns/time_for_children", "time", 4026531834u }, { "self/ns/user", "user", 4026531837u },
	{ "self/ns/uts", "uts", 4026531838u },
};
static struct pseudo_link ns_links[ARRAY_SIZE(namespaces)];

static ssize_t ns_target(char *buf, size_t size, u64 i)
{
	return fmt_buf(buf, size, "%s:[%u]", namespaces[i].kind, namespaces[i].ino);
}

static const struct pseudo_file files[] = {
	{ .path = "self/io", .mode = 0400, .show = procfs_show_io },
	{ .path = "self/sched", .mode = 0444, .show = procfs_show_sched },
	{ .path = "self/smaps_rollup", .mode = 0444, .show = procfs_show_smaps_rollup },
	{ .path = "self/coredump_filter", .mode = 0644, .show = show_coredump_filter, .store = store_coredump_filter },
	{ .path = "self/timerslack_ns", .mode = 0666, .show = show_timerslack, .store = store_timerslack },
	{ .path = "self/oom_adj", .mode = 0444, .show = show_oom_adj },
	{ .path = "self/cpuset", .mode = 0444, .show = show_cpuset },
};
static const struct pseudo_link cwd_link = { .path = "self/cwd", .target = procfs_cwd_target, .resolve = procfs_cwd_resolve };

int procfs_more_populate(void)
{
	int r = pseudo_add_link(PSEUDO_PROC, &cwd_link);

	for (unsigned i = 0; i < ARRAY_SIZE(files) && r == 0; i++)
		r = pseudo_add_file(PSEUDO_PROC, &files[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(ns_links) && r == 0; i++) {
		ns_links[i] = (struct pseudo_link){ .path = namespaces[i].path, .target = ns_target, .arg = i };
		r = pseudo_add_link(PSEUDO_PROC, &ns_links[i]);
	}
	return r;
}
