/*
 * procfs_self.c - /proc/self and /proc/self/task/TID: the tables and the small files.
 *
 * The numbers in these files are the program's own, so user addresses in them are no secret. What can fail:
 * -ENOMEM at boot; -ESRCH for a task that is gone; -EINVAL, -EACCES for what is written.
 */
#include "base/link.h"
#include "proc/procfs_impl.h"
#include "proc/file.h"
#include "proc/ipc.h"
#include "base/print.h"
#include "base/string.h"
#include "fs/procfs.h"
#include "vm/aspace.h"

/* Bytes of the program's own memory, as they are now. */
static int show_user_range(struct pseudo_text *t, u64 start, u64 end)
{
	char chunk[256];
	struct uio u;

	if (end <= start)
		return 0;
	uio_init_user_one(&u, uaddr_make(start), MIN(end - start, (u64)MiB));
	while (u.resid) {
		size_t n = uio_get(&u, chunk, sizeof(chunk));
		if (!n)
			break;
		pseudo_append(t, chunk, n);
	}
	return 0;
}

static int show_cmdline(struct pseudo_text *t, u64 arg)
{
	return show_user_range(t, process_image.arg_start, process_image.arg_end);
}

static int show_environ(struct pseudo_text *t, u64 arg)
{
	return show_user_range(t, process_image.env_start, process_image.env_end);
}

static int show_auxv(struct pseudo_text *t, u64 arg)
{
	pseudo_append(t, process_image.auxv, process_image.nauxv * sizeof(process_image.auxv[0]));
	return 0;
}

static int show_statm(struct pseudo_text *t, u64 arg)
{
	struct vm_usage u;

	vm_usage(&u);
	pseudo_printf(t, "%llu %llu %llu %llu 0 %llu 0\n", (unsigned long long)u.mapped_pages,
		      (unsigned long long)(u.resident_anon_pages + u.resident_file_pages), (unsigned long long)u.resident_file_pages,
		      (unsigned long long)u.text_pages, (unsigned long long)(u.data_pages + u.stack_pages));
	return 0;
}

static int show_comm(struct pseudo_text *t, u64 arg)
{
	struct task_view v;
	int r = procfs_view(arg, &v);

	if (r == 0)
		pseudo_printf(t, "%s\n", v.name);
	return r;
}

static int store_comm(const char *data, size_t len, u64 arg)
{
	int r = -ESRCH;

	if (len && data[len - 1] == '\n')
		len--;
	irq_flags_t f = spin_lock_irqsave(&process.lock);
	struct task *t = task_find(arg ? (int)arg : PROC_PID);
	if (t) {
		task_set_name(t, data, strnlen(data, len));
		r = 0;
	}
	spin_unlock_irqrestore(&process.lock, f);
	return r;
}

static void show_limit_value(struct pseudo_text *t, u64 v)
{
	char s[24] = "unlimited";

	if (v != UINT64_MAX)
		fmt_buf(s, sizeof(s), "%llu", (unsigned long long)v);
	pseudo_printf(t, "%-20s ", s);
}

static int show_limits(struct pseudo_text *t, u64 arg)
{
	static const struct { const char *name, *unit; } rows[RLIM_COUNT] = {
		[RLIM_CPU] = { "Max cpu time", "seconds" }, [RLIM_FSIZE] = { "Max file size", "bytes" },
		[RLIM_DATA] = { "Max data size", "bytes" }, [RLIM_STACK] = { "Max stack size", "bytes" },
		[RLIM_CORE] = { "Max core file size", "bytes" }, [RLIM_RSS] = { "Max resident set", "bytes" },
		[RLIM_NPROC] = { "Max processes", "processes" }, [RLIM_NOFILE] = { "Max open files", "files" },
		[RLIM_MEMLOCK] = { "Max locked memory", "bytes" }, [RLIM_AS] = { "Max address space", "bytes" },
		[RLIM_LOCKS] = { "Max file locks", "locks" }, [RLIM_SIGPENDING] = { "Max pending signals", "signals" },
		[RLIM_MSGQUEUE] = { "Max msgqueue size", "bytes" }, [RLIM_NICE] = { "Max nice priority", "" },
		[RLIM_RTPRIO] = { "Max realtime priority", "" }, [RLIM_RTTIME] = { "Max realtime timeout", "us" },
	};

	pseudo_printf(t, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	for (unsigned i = 0; i < RLIM_COUNT; i++) {
		pseudo_printf(t, "%-25s ", rows[i].name);
		show_limit_value(t, process_rlimits[i].cur);
		show_limit_value(t, process_rlimits[i].max);
		pseudo_printf(t, "%-10s\n", rows[i].unit);
	}
	return 0;
}

static int show_oom_score_adj(struct pseudo_text *t, u64 arg)
{
	pseudo_printf(t, "%d\n", process.oom_score_adj);
	return 0;
}

/* Recorded: there is nobody else to be killed instead. */
static int store_oom_score_adj(const char *data, size_t len, u64 arg)
{
	bool minus = len && data[0] == '-';
	u64 v;

	while (len && (data[len - 1] == '\n' || data[len - 1] == ' '))
		len--;
	if (len <= minus || !str_parse_u64(data + minus, len - minus, &v) || v > 1000)
		return -EINVAL;
	int adj = minus ? -(int)v : (int)v;
	if (adj < process.oom_score_adj && adj < 0)
		return -EACCES;
	process.oom_score_adj = adj;
	return 0;
}

static int show_sched(struct pseudo_text *t, u64 arg)
{
	struct task_view v;
	int r = procfs_view(arg, &v);

	if (r == 0)
		pseudo_printf(t, "%llu 0 %llu\n", (unsigned long long)v.cpu_ns, (unsigned long long)(v.voluntary + v.forced));
	return r;
}

static ssize_t exe_target(char *buf, size_t size, u64 arg)
{
	return (ssize_t)str_copy(buf, process_image.exe_path, size);
}

static int exe_resolve(u64 arg, struct vnode **ret)
{
	return process_image.exe_path[0] ? fs_namei(NULL, process_image.exe_path, NAMEI_FOLLOW, ret) : -ENOENT;
}

static ssize_t root_target(char *buf, size_t size, u64 arg)
{
	return (ssize_t)str_copy(buf, "/", size);
}

static ssize_t thread_self_target(char *buf, size_t size, u64 arg)
{
	const struct task *t = task_current();

	return fmt_buf(buf, size, "%d/task/%d", PROC_PID, t ? t->tid : PROC_PID);
}

static const struct pseudo_file self_files[] = {
	{ .path = "self/status", .mode = 0444, .show = procfs_show_status },
	{ .path = "self/stat", .mode = 0444, .show = procfs_show_stat },
	{ .path = "self/statm", .mode = 0444, .show = show_statm },
	{ .path = "self/maps", .mode = 0444, .show = procfs_show_maps },
	{ .path = "self/smaps", .mode = 0444, .show = procfs_show_smaps },
	{ .path = "self/cmdline", .mode = 0444, .show = show_cmdline },
	{ .path = "self/environ", .mode = 0400, .show = show_environ },
	{ .path = "self/auxv", .mode = 0400, .show = show_auxv },
	{ .path = "self/comm", .mode = 0644, .show = show_comm, .store = store_comm },
	{ .path = "self/limits", .mode = 0444, .show = show_limits },
	{ .path = "self/oom_score_adj", .mode = 0644, .show = show_oom_score_adj, .store = store_oom_score_adj },
	{ .path = "self/schedstat", .mode = 0444, .show = show_sched },
};

/* Texts that are always the same. */
#define TEXT(name, text)                                              \
	static int show_##name(struct pseudo_text *t, u64 arg)        \
	{                                                             \
		pseudo_printf(t, "%s", text);                         \
		return 0;                                             \
	}
TEXT(oom_score, "0\n")
TEXT(cgroup, "0::/\n")
TEXT(wchan, "0")
TEXT(loginuid, "4294967295")
TEXT(sessionid, "4294967295")
TEXT(personality, "00000000\n")
TEXT(setgroups, "allow\n")
TEXT(uid_map, "         0          0 4294967295\n")
TEXT(gid_map, "         0          0 4294967295\n")
TEXT(projid_map, "         0          0 4294967295\n")

static const struct pseudo_file text_files[] = {
	{ .path = "self/oom_score", .mode = 0444, .show = show_oom_score },
	{ .path = "self/cgroup", .mode = 0444, .show = show_cgroup },
	{ .path = "self/wchan", .mode = 0444, .show = show_wchan },
	{ .path = "self/loginuid", .mode = 0644, .show = show_loginuid },
	{ .path = "self/sessionid", .mode = 0444, .show = show_sessionid },
	{ .path = "self/personality", .mode = 0400, .show = show_personality },
	{ .path = "self/setgroups", .mode = 0644, .show = show_setgroups },
	{ .path = "self/uid_map", .mode = 0644, .show = show_uid_map },
	{ .path = "self/gid_map", .mode = 0644, .show = show_gid_map },
	{ .path = "self/projid_map", .mode = 0644, .show = show_projid_map },
};

/* What a task shows as the process does, or of itself. */
static int show_children(struct pseudo_text *t, u64 arg) { return 0; }

static const struct pseudo_file task_files[] = {
	{ .path = "comm", .mode = 0644, .show = show_comm, .store = store_comm },
	{ .path = "stat", .mode = 0444, .show = procfs_show_stat },
	{ .path = "status", .mode = 0444, .show = procfs_show_status },
	{ .path = "statm", .mode = 0444, .show = show_statm },
	{ .path = "schedstat", .mode = 0444, .show = show_sched },
	{ .path = "sched", .mode = 0444, .show = procfs_show_sched },
	{ .path = "io", .mode = 0400, .show = procfs_show_io },
	{ .path = "maps", .mode = 0444, .show = procfs_show_maps },
	{ .path = "smaps", .mode = 0444, .show = procfs_show_smaps },
	{ .path = "smaps_rollup", .mode = 0444, .show = procfs_show_smaps_rollup },
	{ .path = "cmdline", .mode = 0444, .show = show_cmdline },
	{ .path = "environ", .mode = 0400, .show = show_environ },
	{ .path = "auxv", .mode = 0400, .show = show_auxv },
	{ .path = "limits", .mode = 0444, .show = show_limits },
	{ .path = "children", .mode = 0444, .show = show_children },
	{ .path = "oom_score", .mode = 0444, .show = show_oom_score },
	{ .path = "oom_score_adj", .mode = 0644, .show = show_oom_score_adj, .store = store_oom_score_adj },
	{ .path = "cgroup", .mode = 0444, .show = show_cgroup },
	{ .path = "wchan", .mode = 0444, .show = show_wchan },
	{ .path = "loginuid", .mode = 0644, .show = show_loginuid },
	{ .path = "sessionid", .mode = 0444, .show = show_sessionid },
	{ .path = "personality", .mode = 0400, .show = show_personality },
	{ .path = "setgroups", .mode = 0644, .show = show_setgroups },
	{ .path = "uid_map", .mode = 0644, .show = show_uid_map },
	{ .path = "gid_map", .mode = 0644, .show = show_gid_map },
};
static const struct pseudo_link task_links[] = {
	{ .path = "cwd", .target = procfs_cwd_target, .resolve = procfs_cwd_resolve },
	{ .path = "exe", .target = exe_target, .resolve = exe_resolve },
	{ .path = "root", .target = root_target },
};
static const struct pseudo_dir task_dir = {
	.path = "self/task", .next = task_next_tid, .files = task_files, .nfiles = ARRAY_SIZE(task_files),
	.links = task_links, .nlinks = ARRAY_SIZE(task_links),
};
static const struct pseudo_link self_links[] = {
	{ .path = "self/exe", .target = exe_target, .resolve = exe_resolve },
	{ .path = "self/root", .target = root_target },
	{ .path = "thread-self", .target = thread_self_target },
};

static void count_tasks(unsigned *ret_count, unsigned *ret_running, unsigned *ret_last_tid)
{
	struct task *t;
	irq_flags_t f = spin_lock_irqsave(&process.lock);

	*ret_running = 0;
	list_for_each_entry(t, &process.tasks, link)
		*ret_running += READ_ONCE(t->thread->state) != THREAD_SLEEPING;
	*ret_count = process.ntasks;
	*ret_last_tid = (unsigned)process.last_tid;
	spin_unlock_irqrestore(&process.lock, f);
}

static void count_faults(u64 *ret_minor, u64 *ret_major)
{
	struct process_sums s;

	process_usage(&s);
	*ret_minor = s.min_faults;
	*ret_major = s.maj_faults;
}

static u64 count_switches(void)
{
	struct process_sums s;

	process_usage(&s);
	return s.voluntary + s.forced;
}

static unsigned count_files(void)
{
	unsigned n = 0;

	for (s64 fd = fd_next_used(0); fd >= 0; fd = fd_next_used((u64)fd + 1))
		n++;
	return n;
}

/* What a walk through /proc finds without opening a file. */
static int self_links_init(void)
{
	int r = 0;

	pseudo_set_pid(PROC_PID);
	for (unsigned i = 0; i < ARRAY_SIZE(self_links) && r == 0; i++)
		r = pseudo_add_link(PSEUDO_PROC, &self_links[i]);
	return r;
}
LINK_INIT(proc_links, self_links_init);

static int self_files_init(void)
{
	int r = 0;

	procfs_hostname = process_hostname;
	procfs_tasks = count_tasks;
	procfs_faults = count_faults;
	procfs_switches = count_switches;
	procfs_open_files = count_files;
	for (unsigned i = 0; i < ARRAY_SIZE(self_files) && r == 0; i++)
		r = pseudo_add_file(PSEUDO_PROC, &self_files[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(text_files) && r == 0; i++)
		r = pseudo_add_file(PSEUDO_PROC, &text_files[i]);
	if (r == 0)
		r = pseudo_add_dir(PSEUDO_PROC, &task_dir);
	return r ? r : pseudo_on_look(PSEUDO_PROC, procfs_more_populate);
}
LINK_INIT(proc_files, self_files_init);
