/*
 * sysfs.c - /sys: what programs ask it for: the CPUs, the one memory node, large pages, the clock.
 *
 * Invariant: files of a CPU are made from one table for each CPU that is up at the mount.
 * Locks: none. What can fail: memory.
 */
#include "base/print.h"
#include "fs/procfs_impl.h"

void pseudo_cpu_list(struct pseudo_text *t)
{
	unsigned n = arch_cpu_count();
	if (n > 1)
		pseudo_printf(t, "0-%u\n", n - 1);
	else
		pseudo_printf(t, "0\n");
}

static int show_cpu_list(struct pseudo_text *t, u64 arg)
{
	pseudo_cpu_list(t);
	return 0;
}

static int show_cpu_mask(struct pseudo_text *t, u64 arg)
{
	unsigned n = arch_cpu_count();
	pseudo_printf(t, "%08x\n", n >= 32 ? ~0u : (1u << n) - 1);
	return 0;
}

/* arg: a CPU; it alone, as a list and as a mask. */
static int show_own_mask(struct pseudo_text *t, u64 cpu)
{
	pseudo_printf(t, "%08x\n", 1u << cpu);
	return 0;
}

static int show_node_meminfo(struct pseudo_text *t, u64 arg)
{
	unsigned long long total = page_total_count() * (PAGE_SIZE / KiB), free = page_free_count() * (PAGE_SIZE / KiB);
	pseudo_printf(t, "Node 0 MemTotal:       %8llu kB\nNode 0 MemFree:        %8llu kB\nNode 0 MemUsed:        %8llu kB\n", total, free, total - free);
	return 0;
}

#define TEXT(p, s) { .path = p, .mode = 0444, .show = pseudo_show_text, .arg = PSEUDO_TEXT(s) }
static const struct pseudo_file files[] = {
	{ .path = "devices/system/cpu/online", .mode = 0444, .show = show_cpu_list },
	{ .path = "devices/system/cpu/possible", .mode = 0444, .show = show_cpu_list },
	{ .path = "devices/system/cpu/present", .mode = 0444, .show = show_cpu_list },
	{ .path = "devices/system/cpu/kernel_max", .mode = 0444, .show = pseudo_show_number, .arg = ARCH_MAX_CPUS - 1 },
	TEXT("devices/system/cpu/offline", "\n"),
	TEXT("devices/system/cpu/isolated", "\n"),
	{ .path = "devices/system/cpu/enabled", .mode = 0444, .show = show_cpu_list },
	TEXT("devices/system/cpu/smt/active", "0\n"),
	TEXT("devices/system/cpu/smt/control", "notsupported\n"),
	TEXT("devices/system/node/online", "0\n"),
	TEXT("devices/system/node/possible", "0\n"),
	TEXT("devices/system/node/has_cpu", "0\n"),
	TEXT("devices/system/node/has_memory", "0\n"),
	{ .path = "devices/system/node/node0/cpulist", .mode = 0444, .show = show_cpu_list },
	{ .path = "devices/system/node/node0/cpumap", .mode = 0444, .show = show_cpu_mask },
	{ .path = "devices/system/node/node0/meminfo", .mode = 0444, .show = show_node_meminfo },
	TEXT("devices/system/node/node0/distance", "10\n"),
	TEXT("devices/system/clocksource/clocksource0/current_clocksource", "tsc\n"),
	TEXT("devices/system/clocksource/clocksource0/available_clocksource", "tsc\n"),
	TEXT("kernel/mm/transparent_hugepage/enabled", "always madvise [never]\n"),
	TEXT("kernel/mm/transparent_hugepage/defrag", "always defer defer+madvise madvise [never]\n"),
	TEXT("kernel/mm/transparent_hugepage/shmem_enabled", "always within_size advise [never] deny force\n"),
	TEXT("kernel/mm/transparent_hugepage/use_zero_page", "0\n"),
	{ .path = "kernel/mm/transparent_hugepage/hpage_pmd_size", .mode = 0444, .show = pseudo_show_number, .arg = 2 * MiB },
};

/* Below devices/system/cpu/cpuN/; own: arg is the CPU. */
static const struct {
	const char *path;
	int (*show)(struct pseudo_text *t, u64 arg);
	bool own;
} cpu_files[] = {
	{ "topology/core_id", pseudo_show_number, true },
	{ "topology/physical_package_id", pseudo_show_number, false },
	{ "topology/thread_siblings", show_own_mask, true },
	{ "topology/thread_siblings_list", pseudo_show_number, true },
	{ "topology/core_siblings", show_cpu_mask, false },
	{ "topology/core_siblings_list", show_cpu_list, false },
	{ "topology/core_cpus_list", pseudo_show_number, true },
	{ "topology/package_cpus_list", show_cpu_list, false },
	{ "topology/core_cpus", show_own_mask, true },
	{ "topology/package_cpus", show_cpu_mask, false },
	{ "topology/die_cpus", show_cpu_mask, false },
	{ "topology/die_cpus_list", show_cpu_list, false },
	{ "topology/cluster_id", pseudo_show_number, true },
	{ "topology/cluster_cpus", show_own_mask, true },
	{ "topology/cluster_cpus_list", pseudo_show_number, true },
	{ "topology/die_id", pseudo_show_number, false },
};

static int sysfs_add_cpu(unsigned cpu)
{
	char path[96];
	for (unsigned k = 0; k < ARRAY_SIZE(cpu_files); k++) {
		struct pseudo_file *f = heap_alloc(sizeof *f);
		fmt_buf(path, sizeof path, "devices/system/cpu/cpu%u/%s", cpu, cpu_files[k].path);
		if (f)
			*f = (struct pseudo_file){ .path = heap_strdup(path), .mode = 0444, .show = cpu_files[k].show, .arg = cpu_files[k].own ? cpu : 0 };
		if (!f || !f->path) {
			heap_free(f);
			return -ENOMEM;
		}
		int r = pseudo_add_file(PSEUDO_SYS, f);  /* keeps it */
		if (r)
			return r;
	}
	return 0;
}

static ssize_t node_cpu_target(char *buf, size_t size, u64 cpu)
{
	return fmt_buf(buf, size, "../../cpu/cpu%u", (unsigned)cpu);
}

static int sysfs_add_node_link(unsigned cpu)
{
	char path[64];
	struct pseudo_link *l = heap_alloc(sizeof *l);
	fmt_buf(path, sizeof path, "devices/system/node/node0/cpu%u", cpu);
	if (l)
		*l = (struct pseudo_link){ .path = heap_strdup(path), .target = node_cpu_target, .arg = cpu };
	if (!l || !l->path) {
		heap_free(l);
		return -ENOMEM;
	}
	return pseudo_add_link(PSEUDO_SYS, l);
}

static int sysfs_populate(void)
{
	return pseudo_add_files(PSEUDO_SYS, files, ARRAY_SIZE(files));
}

/* By itself, since most programs ask for none of these. */
static int sysfs_populate_cpus(void)
{
	int r = 0;
	for (unsigned c = 0; !r && c < arch_cpu_count(); c++) {
		r = sysfs_add_cpu(c);
		if (!r)
			r = sysfs_add_caches(c);
		if (!r)
			r = sysfs_add_node_link(c);
	}
	return r;
}

int fs_mount_sysfs(const char *path)
{
	int r = pseudo_mount(PSEUDO_SYS, "sysfs", path, LX_SYSFS_MAGIC, sysfs_populate);
	return r ? r : pseudo_on_look(PSEUDO_SYS, sysfs_populate_cpus);
}
