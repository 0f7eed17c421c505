/*
 * sysfs_cpu.c - /sys/devices/system/cpu/cpuN/cache: the caches as CPUID tells them (leaf 4, or AMD's 0x8000001D).
 * Locks: none. What can fail: memory.
 */
#include <cpuid.h>

#include "base/print.h"
#include "fs/procfs_impl.h"

struct cache {
	unsigned type, level, line, partitions, ways, sets, sharing;
};

/* The i-th cache of this CPU; false past the last. All CPUs are taken to be alike. */
static bool cache_get(unsigned i, struct cache *ret)
{
	static const u32 leaves[] = { 4, 0x8000001d };
	u32 a, b, c, d, max;

	for (unsigned k = 0; k < ARRAY_SIZE(leaves); k++) {
		__cpuid(leaves[k] & 0x80000000u, max, b, c, d);
		if (max < leaves[k] || (leaves[k] & 0x80000000u && !(max & 0x80000000u)))
			continue;
		__cpuid_count(leaves[k], i, a, b, c, d);
		if (!(a & 0x1f))
			continue;
		*ret = (struct cache){ .type = a & 0x1f, .level = a >> 5 & 7, .sharing = (a >> 14 & 0xfff) + 1, .line = (b & 0xfff) + 1,
				       .partitions = (b >> 12 & 0x3ff) + 1, .ways = (b >> 22) + 1, .sets = c + 1 };
		return true;
	}
	return false;
}

enum what { LEVEL, TYPE, SIZE, LINE, SETS, WAYS, PARTITION, LIST, MAP, ID };
static const struct { const char *name; u8 what; } entries[] = {
	{ "level", LEVEL }, { "type", TYPE }, { "size", SIZE }, { "coherency_line_size", LINE }, { "number_of_sets", SETS }, { "ways_of_associativity", WAYS },
	{ "physical_line_partition", PARTITION }, { "shared_cpu_list", LIST }, { "shared_cpu_map", MAP }, { "id", ID },
};

/* The CPUs that share it: the highest level is everybody's, others a CPU's own (the machine's topology has one thread a core). */
static bool is_shared(unsigned i, const struct cache *c)
{
	struct cache next;

	return c->level > 1 && c->sharing > 1 && !cache_get(i + 1, &next);
}

/* arg: CPU << 16 | cache << 8 | what */
static int show(struct pseudo_text *t, u64 arg)
{
	static const char *const types[] = { "Unknown", "Data", "Instruction", "Unified" };
	unsigned cpu = (unsigned)(arg >> 16), i = arg >> 8 & 0xff;
	struct cache c;

	if (!cache_get(i, &c))
		return -ENODEV;
	bool all = is_shared(i, &c);
	switch ((enum what)(arg & 0xff)) {
	case LEVEL: pseudo_printf(t, "%u\n", c.level); break;
	case TYPE: pseudo_printf(t, "%s\n", types[c.type < ARRAY_SIZE(types) ? c.type : 0]); break;
	case SIZE: pseudo_printf(t, "%lluK\n", (unsigned long long)c.line * c.partitions * c.ways * c.sets / KiB); break;
	case LINE: pseudo_printf(t, "%u\n", c.line); break;
	case SETS: pseudo_printf(t, "%u\n", c.sets); break;
	case WAYS: pseudo_printf(t, "%u\n", c.ways); break;
	case PARTITION: pseudo_printf(t, "%u\n", c.partitions); break;
	case LIST:
		if (all)
			pseudo_cpu_list(t);
		else
			pseudo_printf(t, "%u\n", cpu);
		break;
	case MAP: pseudo_printf(t, "%x\n", all ? (unsigned)((1ull << arch_cpu_count()) - 1) : 1u << cpu); break;
	case ID: pseudo_printf(t, "%u\n", all ? 0 : cpu); break;
	}
	return 0;
}

int sysfs_add_caches(unsigned cpu)
{
	struct cache c;
	char path[96];

	for (unsigned i = 0; i < 8 && cache_get(i, &c); i++)
		for (unsigned k = 0; k < ARRAY_SIZE(entries); k++) {
			struct pseudo_file *f = heap_alloc(sizeof *f);
			if (!f)
				return -ENOMEM;
			fmt_buf(path, sizeof path, "devices/system/cpu/cpu%u/cache/index%u/%s", cpu, i, entries[k].name);
			*f = (struct pseudo_file){ .path = heap_strdup(path), .mode = 0444, .show = show, .arg = (u64)cpu << 16 | i << 8 | entries[k].what };
			int r = f->path ? pseudo_add_file(PSEUDO_SYS, f) : -ENOMEM;      /* kept */
			if (r)
				return r;
		}
	return 0;
}
