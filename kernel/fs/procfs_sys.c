/*
 * procfs_sys.c - /proc/sys: the settings that programs read. They show what this kernel does; none
 * can be changed (a write is -EPERM by its mode: there is no administrator).
 * Locks: none. What can fail: memory.
 */
#include "fs/procfs_impl.h"
#include "sched/random.h"
#include "sched/thread.h"

unsigned (*procfs_open_files)(void) RO_AFTER_INIT;

static int show_hostname(struct pseudo_text *t, u64 arg)
{
	pseudo_printf(t, "%s\n", procfs_hostname ? procfs_hostname() : "pith");
	return 0;
}

/* A random (version 4) UUID from 16 bytes. */
static void put_uuid(struct pseudo_text *t, const u8 b[16])
{
	for (unsigned k = 0; k < 16; k++) {
		u8 x = k == 6 ? (u8)((b[k] & 0x0f) | 0x40) : k == 8 ? (u8)((b[k] & 0x3f) | 0x80) : b[k];
		pseudo_printf(t, "%s%02x", k == 4 || k == 6 || k == 8 || k == 10 ? "-" : "", x);
	}
	pseudo_printf(t, "\n");
}

static int show_uuid(struct pseudo_text *t, u64 arg)
{
	u8 b[16];
	random_bytes(b, sizeof b);
	put_uuid(t, b);
	return 0;
}

/* The same until the machine ends. */
static int show_boot_id(struct pseudo_text *t, u64 arg)
{
	static u8 id[16];
	static struct spinlock lock;
	static bool made;
	spin_lock(&lock);
	if (!made)
		random_bytes(id, sizeof id);
	made = true;
	spin_unlock(&lock);
	put_uuid(t, id);
	return 0;
}

static int show_file_max(struct pseudo_text *t, u64 arg)
{
	/* A tenth of the memory at 1 KiB a file, as Linux reckons. */
	pseudo_printf(t, "%llu\n", (unsigned long long)(page_total_count() * (PAGE_SIZE / KiB) / 10));
	return 0;
}

static int show_file_nr(struct pseudo_text *t, u64 arg)
{
	pseudo_printf(t, "%u\t0\t%llu\n", procfs_open_files ? procfs_open_files() : 0, (unsigned long long)(page_total_count() * (PAGE_SIZE / KiB) / 10));
	return 0;
}

static int show_threads_max(struct pseudo_text *t, u64 arg)
{
	pseudo_printf(t, "%u\n", MIN(thread_limit(), 32768u));
	return 0;
}

#define NUMBER(p, n) { .path = "sys/" p, .mode = 0444, .show = pseudo_show_number, .arg = (n) }
#define TEXT(p, s)   { .path = "sys/" p, .mode = 0444, .show = pseudo_show_text, .arg = PSEUDO_TEXT(s) }
#define SHOW(p, f)   { .path = "sys/" p, .mode = 0444, .show = (f) }

static const struct pseudo_file files[] = {
	TEXT("kernel/ostype", LX_UTS_SYSNAME "\n"),
	TEXT("kernel/osrelease", LX_UTS_RELEASE "\n"),
	TEXT("kernel/version", LX_UTS_VERSION "\n"),
	SHOW("kernel/hostname", show_hostname),
	TEXT("kernel/domainname", "(none)\n"),
	NUMBER("kernel/pid_max", 32768),
	SHOW("kernel/threads-max", show_threads_max),
	NUMBER("kernel/ngroups_max", 65536),
	NUMBER("kernel/cap_last_cap", 40),
	NUMBER("kernel/randomize_va_space", 2),
	NUMBER("kernel/kptr_restrict", 2),
	NUMBER("kernel/overflowuid", 65534),
	NUMBER("kernel/overflowgid", 65534),
	NUMBER("kernel/io_uring_disabled", 2),
	SHOW("kernel/random/boot_id", show_boot_id),
	SHOW("kernel/random/uuid", show_uuid),
	NUMBER("kernel/random/entropy_avail", 256),
	NUMBER("kernel/random/poolsize", 256),
	TEXT("kernel/core_pattern", "core\n"),
	NUMBER("kernel/core_uses_pid", 0),
	NUMBER("kernel/dmesg_restrict", 1),
	NUMBER("kernel/panic", 0),
	NUMBER("kernel/perf_event_paranoid", 4),
	NUMBER("kernel/sched_rr_timeslice_ms", 100),
	NUMBER("kernel/tainted", 0),
	NUMBER("kernel/unprivileged_bpf_disabled", 2),
	NUMBER("vm/overcommit_kbytes", 0),
	NUMBER("vm/page-cluster", 0),
	NUMBER("vm/panic_on_oom", 0),
	NUMBER("vm/zone_reclaim_mode", 0),
	NUMBER("vm/legacy_va_layout", 0),
	NUMBER("vm/mmap_rnd_bits", 28),
	NUMBER("vm/nr_overcommit_hugepages", 0),
	NUMBER("vm/unprivileged_userfaultfd", 0),
	NUMBER("vm/overcommit_memory", 1),           /* reservations are never refused */
	NUMBER("vm/overcommit_ratio", 50),
	NUMBER("vm/max_map_count", 65530),
	NUMBER("vm/mmap_min_addr", 65536),
	NUMBER("vm/nr_hugepages", 0),
	NUMBER("vm/swappiness", 0),
	SHOW("fs/file-max", show_file_max),
	NUMBER("fs/nr_open", 1048576),
	NUMBER("fs/pipe-max-size", 1048576),
	SHOW("fs/file-nr", show_file_nr),
	NUMBER("fs/aio-nr", 0),
	NUMBER("fs/aio-max-nr", 0),
	NUMBER("fs/mount-max", 100000),
	NUMBER("fs/overflowuid", 65534),
	NUMBER("fs/overflowgid", 65534),
	NUMBER("fs/suid_dumpable", 0),
	NUMBER("fs/leases-enable", 0),
	NUMBER("fs/dir-notify-enable", 0),
	NUMBER("fs/protected_fifos", 0),
	NUMBER("fs/protected_hardlinks", 0),
	NUMBER("fs/protected_regular", 0),
	NUMBER("fs/protected_symlinks", 0),
	NUMBER("fs/inotify/max_queued_events", 16384),
	NUMBER("net/core/somaxconn", 4096),
};

int procfs_add_sys(void)
{
	return pseudo_add_files(PSEUDO_PROC, files, ARRAY_SIZE(files));
}
