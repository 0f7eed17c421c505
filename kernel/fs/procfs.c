/*
 * procfs.c - /proc: what it says about the machine. The process's own part is proc/'s.
 *
 * What is shown is measured or counted, or left out; formats are Linux's, since programs parse them.
 * Locks: load_lock around the load averages. What can fail: memory.
 */
#include "base/counter.h"
#include "base/link.h"
#include "base/print.h"
#include "fs/procfs_impl.h"
#include "sched/thread.h"
#include "vm/aspace.h"

const char *(*procfs_hostname)(void) RO_AFTER_INIT;
void (*procfs_tasks)(unsigned *ret_count, unsigned *ret_running, unsigned *ret_last_tid) RO_AFTER_INIT;

u64 (*procfs_switches)(void) RO_AFTER_INIT;

#define USER_HZ_NS (NSEC_PER_SEC / 100)

int pseudo_show_text(struct pseudo_text *t, u64 arg)
{
	const char *s = (const char *)(uintptr_t)arg;
	pseudo_append(t, s, strlen(s));
	return 0;
}

int pseudo_show_number(struct pseudo_text *t, u64 arg)
{
	pseudo_printf(t, "%llu\n", (unsigned long long)arg);
	return 0;
}

static void tasks(unsigned *count, unsigned *running, unsigned *last)
{
	*count = *running = *last = 1;
	if (procfs_tasks)
		procfs_tasks(count, running, last);
}

static u64 idle_ns(void)
{
	u64 sum = 0;
	for (unsigned c = 0; c < arch_cpu_count(); c++)
		sum += sched_idle_ns(c);
	return sum;
}

/* ---- Memory ---- */

static void mem_line(struct pseudo_text *t, const char *name, u64 pages)
{
	pseudo_printf(t, "%-16s%8llu kB\n", name, (unsigned long long)(pages * (PAGE_SIZE / KiB)));
}

static int show_meminfo(struct pseudo_text *t, u64 arg)
{
	struct vm_usage vm;
	vm_usage(&vm);
	u64 total = page_total_count(), free = page_free_count();
	u64 clean = page_kind_count(PAGE_KIND_FILE), shmem = page_kind_count(PAGE_KIND_SHMEM), slab = page_kind_count(PAGE_KIND_SLAB);
	mem_line(t, "MemTotal:", total);
	mem_line(t, "MemFree:", free);
	mem_line(t, "MemAvailable:", MIN(total, free + clean));
	mem_line(t, "Buffers:", 0);
	mem_line(t, "Cached:", clean + shmem);
	mem_line(t, "SwapCached:", 0);
	mem_line(t, "Active:", vm.resident_anon_pages + clean);
	mem_line(t, "Inactive:", 0);
	mem_line(t, "Active(anon):", vm.resident_anon_pages);
	mem_line(t, "Inactive(anon):", 0);
	mem_line(t, "Active(file):", clean);
	mem_line(t, "Inactive(file):", 0);
	mem_line(t, "Unevictable:", vm.locked_pages);
	mem_line(t, "Mlocked:", vm.locked_pages);
	mem_line(t, "SwapTotal:", 0);
	mem_line(t, "SwapFree:", 0);
	mem_line(t, "AnonPages:", vm.resident_anon_pages);
	mem_line(t, "Mapped:", vm.resident_file_pages);
	mem_line(t, "Shmem:", shmem);
	mem_line(t, "KReclaimable:", 0);
	mem_line(t, "Slab:", slab);
	mem_line(t, "SReclaimable:", 0);
	mem_line(t, "SUnreclaim:", slab);
	mem_line(t, "KernelStack:", page_kind_count(PAGE_KIND_STACK));
	mem_line(t, "PageTables:", page_kind_count(PAGE_KIND_TABLE));
	mem_line(t, "CommitLimit:", total);
	mem_line(t, "Committed_AS:", vm.data_pages + vm.stack_pages);
	pseudo_printf(t, "HugePages_Total:       0\nHugePages_Free:        0\nHugePages_Rsvd:        0\nHugePages_Surp:        0\nHugepagesize:       2048 kB\n");
	return 0;
}

/* ---- Time and load ---- */

static int show_uptime(struct pseudo_text *t, u64 arg)
{
	u64 up = arch_clock_mono_ns() / (NSEC_PER_SEC / 100), idle = idle_ns() / (NSEC_PER_SEC / 100);
	pseudo_printf(t, "%llu.%02llu %llu.%02llu\n", (unsigned long long)(up / 100), (unsigned long long)(up % 100), (unsigned long long)(idle / 100), (unsigned long long)(idle % 100));
	return 0;
}

/*
 * Load averages: no timer runs for them; when someone asks, the mean number of busy CPUs since
 * the last time is fed into the decay, one step for each 5 s (Linux's fixed point, 11 bits).
 */
#define LOAD_SHIFT 11u
static const u64 load_decay[3] = { 1884, 2014, 2037 };  /* 2048 / exp(5 s / 1, 5, 15 min) */
static struct spinlock load_lock;
static u64 load_value[3], load_at_ns, load_idle_ns;

static void load_update_locked(void)
{
	u64 now = arch_clock_mono_ns(), idle = idle_ns(), step = 5 * NSEC_PER_SEC;
	u64 steps = (now - load_at_ns) / step, wall = (now - load_at_ns) * arch_cpu_count();
	if (!steps)
		return;
	u64 idle_part = MIN(idle - load_idle_ns, wall);
	u64 busy = ((wall - idle_part) >> 10 << LOAD_SHIFT) / (((now - load_at_ns) >> 10) + 1);
	for (unsigned k = 0; k < 3; k++)
		for (u64 n = MIN(steps, (u64)1080); n; n--)
			load_value[k] = (load_value[k] * load_decay[k] + busy * (2048 - load_decay[k])) >> LOAD_SHIFT;
	load_at_ns = now;
	load_idle_ns = idle;
}

static int show_loadavg(struct pseudo_text *t, u64 arg)
{
	u64 v[3];
	unsigned count, running, last;
	tasks(&count, &running, &last);
	spin_lock(&load_lock);
	load_update_locked();
	memcpy(v, load_value, sizeof v);
	spin_unlock(&load_lock);
	for (unsigned k = 0; k < 3; k++) {
		u64 x = v[k] + 10;           /* rounds to two digits */
		pseudo_printf(t, "%llu.%02llu ", (unsigned long long)(x >> LOAD_SHIFT), (unsigned long long)((x & 2047) * 100 >> LOAD_SHIFT));
	}
	pseudo_printf(t, "%u/%u %u\n", running, count, last);
	return 0;
}

/* Busy time is shown as user time: the scheduler does not tell the two apart. */
static void stat_line(struct pseudo_text *t, const char *name, u64 wall, u64 idle)
{
	u64 busy = wall > idle ? wall - idle : 0;
	pseudo_printf(t, "%s %llu 0 0 %llu 0 0 0 0 0 0\n", name, (unsigned long long)(busy / USER_HZ_NS), (unsigned long long)(idle / USER_HZ_NS));
}

static int show_stat(struct pseudo_text *t, u64 arg)
{
	u64 up = arch_clock_mono_ns();
	unsigned count, running, last, cpus = arch_cpu_count();
	tasks(&count, &running, &last);
	stat_line(t, "cpu ", up * cpus, idle_ns());
	for (unsigned c = 0; c < cpus; c++) {
		char name[16];
		fmt_buf(name, sizeof name, "cpu%u", c);
		stat_line(t, name, up, sched_idle_ns(c));
	}
	if (procfs_switches)
		pseudo_printf(t, "ctxt %llu\n", (unsigned long long)procfs_switches());
	pseudo_printf(t, "btime %llu\nprocesses %u\nprocs_running %u\nprocs_blocked 0\n", (unsigned long long)(arch_clock_real_offset_ns() / NSEC_PER_SEC), last, running);
	return 0;
}

/* ---- Counters ---- */

static int show_counters(struct pseudo_text *t, u64 arg)
{
	struct heap_cache *at = NULL;
	struct heap_cache_info i;

	for (const struct counter *c = __start_pick_counter; c < __stop_pick_counter; c++)
		pseudo_printf(t, "%s %llu\n", c->name, (unsigned long long)(c->value ? __atomic_load_n(c->value, __ATOMIC_RELAXED) : c->read()));
	while (heap_cache_tell(&at, &i))
		pseudo_printf(t, "objects_%s %llu\n", i.name, (unsigned long long)i.used);
	return 0;
}

/* ---- Names ---- */

static const struct pseudo_file files[] = {
	{ .path = "meminfo", .mode = 0444, .show = show_meminfo },
	{ .path = "uptime", .mode = 0444, .show = show_uptime },
	{ .path = "loadavg", .mode = 0444, .show = show_loadavg },
	{ .path = "stat", .mode = 0444, .show = show_stat },
	{ .path = "version", .mode = 0444, .show = pseudo_show_text,
	  .arg = PSEUDO_TEXT(LX_UTS_SYSNAME " version " LX_UTS_RELEASE " (pith) (" __VERSION__ ") " LX_UTS_VERSION "\n") },
	{ .path = "filesystems", .mode = 0444, .show = pseudo_show_text,
	  .arg = PSEUDO_TEXT("nodev\tsysfs\nnodev\ttmpfs\nnodev\tdevtmpfs\nnodev\tproc\n\terofs\n") },
	{ .path = "pith/counters", .mode = 0444, .show = show_counters },
	{ .path = "swaps", .mode = 0444, .show = pseudo_show_text, .arg = PSEUDO_TEXT("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n") },
};

int procfs_add_kernel(void)
{
	return pseudo_add_files(PSEUDO_PROC, files, ARRAY_SIZE(files));
}

static int procfs_populate(void)
{
	int r = procfs_add_kernel();
	if (!r)
		r = procfs_add_cpuinfo();
	if (!r)
		r = procfs_add_mounts();
	if (!r)
		r = procfs_add_devices();
	return r ? r : procfs_add_sys();
}

int procfs_init(void)
{
	return pseudo_on_look(PSEUDO_PROC, procfs_populate);
}
LINK_INIT(procfs, procfs_init);

int fs_mount_procfs(const char *path)
{
	return pseudo_mount(PSEUDO_PROC, "proc", path, LX_PROC_MAGIC, NULL);
}
