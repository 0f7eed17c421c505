/*
 * proc_files.c - /proc, /proc/sys and /sys: which files there are, their words and shapes, and that numbers about
 * this process are true: what was touched, read, opened.
 */
#include "abi.h"
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static char buf[1 << 20];

static long slurp(const char *path)
{
	int fd = open(path, O_RDONLY);
	long n = 0, r;

	if (fd < 0)
		return -1;
	while ((r = read(fd, buf + n, sizeof buf - 1 - n)) > 0)
		n += r;
	close(fd);
	buf[n] = 0;
	return r < 0 ? -1 : n;
}

/* A line with its numbers as N and blanks as one. */
static void shape(const char *path, int line)
{
	char out[300], name[200], *p = buf;
	unsigned n = 0;

	snprintf(name, sizeof name, "%s line %d", path, line);
	if (slurp(path) < 0) {
		CHECK(name, -1);
		return;
	}
	while (line-- > 1 && p)
		p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL;
	for (; p && *p && *p != '\n' && n < sizeof out - 2; p++) {
		if (isdigit((unsigned char)*p)) {
			out[n++] = 'N';
			while (isdigit((unsigned char)p[1]))
				p++;
		} else if (*p == ' ' && n && out[n - 1] == ' ') {
			continue;
		} else {
			out[n++] = *p;
		}
	}
	out[n] = 0;
	NOTE(name, "%s|", out);
}

/* Do lines begin with these words? */
static void words(const char *path, const char *list)
{
	char copy[4000], line[300], *save;

	snprintf(copy, sizeof copy, "%s", list);
	if (slurp(path) < 0)
		CHECK(path, -1);
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		char key[100];
		snprintf(key, sizeof key, "\n%s", w);
		snprintf(line, sizeof line, "%s %s", path, w);
		NOTE(line, "%d", !strncmp(buf, w, strlen(w)) || strstr(buf, key));
	}
}

static long value(const char *path, const char *key)
{
	char *p;
	char k[100];
	snprintf(k, sizeof k, "\n%s", key);
	if (slurp(path) < 0)
		return -1;
	p = !strncmp(buf, key, strlen(key)) ? buf : strstr(buf, k);
	if (!p)
		return -1;
	p += strlen(key) + (p != buf);
	while (*p && !isdigit((unsigned char)*p))
		p++;
	return strtol(p, NULL, 10);
}

static void there(const char *dir, const char *list)
{
	char copy[4000], path[300], *save;

	snprintf(copy, sizeof copy, "%s", list);
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		struct stat st;
		snprintf(path, sizeof path, "%s/%s", dir, w);
		int r = lstat(path, &st);
		NOTE(path, "%s", r ? strerrorname_np(errno) : S_ISREG(st.st_mode) ? "file" : S_ISDIR(st.st_mode) ? "directory" : S_ISLNK(st.st_mode) ? "link" : "other");
	}
}

/* Rss, Anonymous of the mapping that begins at p. */
static void smaps_of(const char *what, void *p)
{
	char key[40], *at, *f;
	long rss = -1, anon = -1, size = -1;

	snprintf(key, sizeof key, "%lx-", (long)p);
	slurp("/proc/self/smaps");
	at = strstr(buf, key);
	if (at && (f = strstr(at, "Size:")))
		size = strtol(f + 5, NULL, 10);
	if (at && (f = strstr(at, "Rss:")))
		rss = strtol(f + 4, NULL, 10);
	if (at && (f = strstr(at, "Anonymous:")))
		anon = strtol(f + 10, NULL, 10);
	NOTE(what, "size %ld rss %ld anonymous %ld", size, rss, anon);
}

static void memory(void)
{
	long page = 4096, before, peak;
	char *p = mmap(NULL, 64 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	mprotect(p + 63 * page, page, PROT_NONE);        /* a mapping of its own */
	p[-0] = 1;
	for (int i = 0; i < 10; i++)
		p[i * 2 * page] = 1;
	smaps_of("touched 10", p);
	madvise(p, 4 * page, MADV_DONTNEED);
	smaps_of("dropped 2", p);
	mprotect(p, 63 * page, PROT_READ);
	smaps_of("read-only", p);
	munmap(p, 64 * page);
	before = value("/proc/self/status", "VmRSS:");
	peak = value("/proc/self/status", "VmPeak:");
	p = mmap(NULL, 4096 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(p, 1, 4096 * page);
	NOTE("rss grew", "%d", value("/proc/self/status", "VmRSS:") - before >= 16000);
	munmap(p, 4096 * page);
	NOTE("rss shrank", "%d", value("/proc/self/status", "VmRSS:") - before < 4000);
	NOTE("hwm stays", "%d", value("/proc/self/status", "VmHWM:") - before >= 16000);
	NOTE("peak stays", "%d", value("/proc/self/status", "VmPeak:") >= peak + 16384);
	NOTE("exe", "%d", value("/proc/self/status", "VmExe:") > 100);
	NOTE("rollup", "%d", value("/proc/self/smaps_rollup", "Rss:") > 100);
	NOTE("statm", "%d", slurp("/proc/self/statm") > 10);
	/* a reservation that would take for ever if each page were looked at */
	p = mmap(NULL, 1ul << 42, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p != MAP_FAILED) {
		p[1ul << 41] = 1;
		smaps_of("4 TiB", p);
		munmap(p, 1ul << 42);
	}
}

static void io(void)
{
	long r = value("/proc/self/io", "rchar:"), n = value("/proc/self/io", "syscr:"), w = value("/proc/self/io", "wchar:"), m = value("/proc/self/io", "syscw:");
	int p[2];
	char b[1000];

	(void)!pipe(p);
	(void)!write(p[1], b, 1000);
	(void)!read(p[0], b, 300);
	(void)!read(p[0], b, 700);
	NOTE("written", "%ld in %ld", value("/proc/self/io", "wchar:") - w, value("/proc/self/io", "syscw:") - m);
	NOTE("read more than", "%d in %d", value("/proc/self/io", "rchar:") - r >= 1000, value("/proc/self/io", "syscr:") - n >= 4);
	close(p[0]);
	close(p[1]);
}

static void descriptors(void)
{
	char path[64];
	struct stat st;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), dir = open("/proc/self/fdinfo", O_RDONLY);

	lseek(fd, 17, SEEK_SET);
	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	CHECK("lstat fdinfo", lstat(path, &st));
	NOTE("regular", "%d %o", S_ISREG(st.st_mode), st.st_mode & 0777);
	NOTE("pos", "%ld", value(path, "pos:"));
	words(path + 0, "pos: flags: mnt_id: ino:");
	CHECK("fdinfo of none", open("/proc/self/fdinfo/999", O_RDONLY));
	CHECK("openat", openat(dir, path + strlen("/proc/self/fdinfo/"), O_RDONLY) >= 0);
	close(fd);
	CHECK("closed", open(path, O_RDONLY));
	close(dir);
}

static void *sleeper(void *arg)
{
	char path[100];
	long tid = syscall(SYS_gettid);

	snprintf(path, sizeof path, "/proc/self/task/%ld", tid);
	/* words instead of paths: the number differs */
	static const char *const names[] = { "comm", "stat", "status", "statm", "schedstat", "maps", "smaps", "smaps_rollup", "cmdline", "environ", "auxv", "limits", "children",
					     "oom_score", "oom_score_adj", "cgroup", "wchan", "loginuid", "personality", "uid_map", "io", "sched" };
	for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
		char p[160], what[64];
		snprintf(p, sizeof p, "%s/%s", path, names[i]);
		snprintf(what, sizeof what, "task %s", names[i]);
		NOTE(what, "%d", slurp(p) >= (strcmp(names[i], "children") ? 1 : 0));
	}
	for (unsigned i = 0; i < 3; i++) {
		char p[160], what[64], link[200];
		snprintf(p, sizeof p, "%s/%s", path, (const char *[]){ "cwd", "exe", "root" }[i]);
		snprintf(what, sizeof what, "task %s", (const char *[]){ "cwd", "exe", "root" }[i]);
		NOTE(what, "%d", readlink(p, link, sizeof link) > 0);
	}
	snprintf(path, sizeof path, "/proc/self/task/%ld/cwd/.", tid);
	NOTE("through cwd", "%d", access(path, F_OK));
	return arg;
}

static void settings(void)
{
	int fd;
	char cwd[4096], link[4096] = "";
	pthread_t t;

	shape("/proc/self/coredump_filter", 1);
	fd = open("/proc/self/coredump_filter", O_RDWR);
	CHECK("filter", write(fd, "0x7f\n", 5));
	NOTE("is", "%.8s", slurp("/proc/self/coredump_filter") > 0 ? buf : "");
	CHECK("filter bad", write(fd, "zz", 2));
	close(fd);
	NOTE("slack", "%ld", value("/proc/self/timerslack_ns", ""));
	prctl(PR_SET_TIMERSLACK, 70000);
	NOTE("slack", "%ld", value("/proc/self/timerslack_ns", ""));
	fd = open("/proc/self/timerslack_ns", O_WRONLY);
	CHECK("set slack", write(fd, "12345", 5));
	NOTE("slack", "%d", prctl(PR_GET_TIMERSLACK));
	CHECK("reset slack", write(fd, "0", 1));
	NOTE("slack", "%d", prctl(PR_GET_TIMERSLACK));
	CHECK("bad slack", write(fd, "x", 1));
	close(fd);
	CHECK("chdir", chdir("/proc"));
	NOTE("getcwd", "%s", getcwd(cwd, sizeof cwd));
	(void)!readlink("/proc/self/cwd", link, sizeof link - 1);
	NOTE("cwd", "%s", link);
	NOTE("through", "%d", access("/proc/self/cwd/self/stat", R_OK));
	static const char *const ns[] = { "cgroup", "ipc", "mnt", "net", "pid", "pid_for_children", "time", "time_for_children", "user", "uts" };
	for (unsigned i = 0; i < sizeof ns / sizeof ns[0]; i++) {
		snprintf(cwd, sizeof cwd, "/proc/self/ns/%s", ns[i]);
		long n = readlink(cwd, link, sizeof link - 1);
		char *colon = n > 0 ? (link[n] = 0, strchr(link, ':')) : NULL;
		NOTE(cwd, "%.*s[%d]", colon ? (int)(colon - link) : 0, link, colon && colon[1] == '[' && link[n - 1] == ']');
	}
	pthread_create(&t, NULL, sleeper, NULL);
	pthread_join(t, NULL);
}

int main(void)
{
	there("/proc", "cmdline cpuinfo devices diskstats filesystems loadavg meminfo misc mounts net partitions self stat swaps sys thread-self uptime version vmstat nosuch");
	there("/proc/self", "auxv cgroup cmdline comm coredump_filter cpuset cwd environ exe fd fdinfo gid_map io limits loginuid maps mountinfo mounts net ns oom_adj oom_score "
			    "oom_score_adj personality projid_map root sched schedstat sessionid setgroups smaps smaps_rollup stat statm status task timerslack_ns uid_map wchan");
	there("/proc/sys/kernel", "cap_last_cap core_pattern core_uses_pid dmesg_restrict domainname hostname kptr_restrict ngroups_max osrelease ostype overflowgid overflowuid panic "
				  "perf_event_paranoid pid_max random randomize_va_space sched_rr_timeslice_ms tainted threads-max version");
	there("/proc/sys/vm", "legacy_va_layout max_map_count mmap_min_addr nr_hugepages nr_overcommit_hugepages overcommit_kbytes overcommit_memory overcommit_ratio page-cluster "
			      "panic_on_oom swappiness zone_reclaim_mode");
	there("/proc/sys/fs", "aio-max-nr aio-nr dir-notify-enable file-max file-nr inotify leases-enable mount-max nr_open overflowgid overflowuid pipe-max-size "
			      "protected_fifos protected_hardlinks protected_regular protected_symlinks suid_dumpable inotify/max_queued_events");
	there("/proc/sys/net", "core/rmem_default core/rmem_max core/somaxconn core/wmem_default core/wmem_max core/optmem_max ipv4/ip_default_ttl ipv4/ip_forward "
			       "ipv4/ip_local_port_range ipv4/ip_local_reserved_ports ipv4/ip_nonlocal_bind ipv4/ip_unprivileged_port_start ipv4/ping_group_range "
			       "ipv4/tcp_available_congestion_control ipv4/tcp_congestion_control ipv4/tcp_keepalive_intvl ipv4/tcp_keepalive_probes "
			       "ipv4/tcp_keepalive_time ipv4/tcp_sack ipv4/tcp_syn_retries ipv4/tcp_timestamps ipv4/tcp_window_scaling unix/max_dgram_qlen "
			       "ipv6/bindv6only ipv6/conf/all/disable_ipv6 ipv6/conf/lo/disable_ipv6");
	there("/sys/devices/system/cpu", "cpu0 kernel_max offline online possible present isolated cpu0/topology cpu0/topology/core_id cpu0/topology/core_cpus cpu0/topology/core_cpus_list "
					 "cpu0/topology/core_siblings cpu0/topology/core_siblings_list cpu0/topology/die_id cpu0/topology/package_cpus cpu0/topology/package_cpus_list "
					 "cpu0/topology/physical_package_id cpu0/topology/thread_siblings cpu0/topology/thread_siblings_list smt/active smt/control");
	there("/sys/kernel/mm/transparent_hugepage", "defrag enabled hpage_pmd_size shmem_enabled use_zero_page");
	there("/sys", "devices kernel class");
	shape("/proc/uptime", 1);
	shape("/proc/loadavg", 1);
	shape("/proc/stat", 1);
	shape("/proc/stat", 2);
	words("/proc/stat", "cpu cpu0 ctxt btime processes procs_running procs_blocked");
	words("/proc/meminfo", "MemTotal: MemFree: MemAvailable: Buffers: Cached: SwapCached: Active: Inactive: Active(anon): Inactive(anon): Active(file): Inactive(file): Unevictable: "
			       "Mlocked: SwapTotal: SwapFree: AnonPages: Mapped: Shmem: KReclaimable: Slab: SReclaimable: SUnreclaim: CommitLimit: Committed_AS: HugePages_Total: "
			       "HugePages_Free: HugePages_Rsvd: HugePages_Surp: Hugepagesize:");
	for (int i = 1; i < 6; i++)
		shape("/proc/meminfo", i);
	words("/proc/vmstat", "nr_free_pages nr_inactive_anon nr_active_anon nr_mlock nr_anon_pages nr_mapped nr_file_pages nr_slab_reclaimable nr_slab_unreclaimable pswpin pswpout "
			      "pgfault pgmajfault oom_kill");
	words("/proc/cpuinfo", "processor vendor_id model stepping physical siblings core apicid fpu flags bugs clflush address power");
	shape("/proc/partitions", 1);
	shape("/proc/swaps", 1);
	shape("/proc/devices", 1);
	shape("/proc/devices", 2);
	shape("/proc/sys/fs/file-nr", 1);
	shape("/proc/sys/net/ipv4/ip_local_port_range", 1);
	shape("/proc/sys/net/ipv4/tcp_keepalive_time", 1);
	shape("/proc/self/statm", 1);
	shape("/proc/self/oom_score_adj", 1);
	shape("/proc/self/limits", 1);
	shape("/proc/self/limits", 2);
	shape("/proc/self/limits", 5);
	shape("/proc/self/schedstat", 1);
	shape("/proc/self/sched", 2);
	for (int i = 1; i < 8; i++)
		shape("/proc/self/io", i);
	words("/proc/self/sched", "se.exec_start se.sum_exec_runtime nr_switches nr_voluntary_switches nr_involuntary_switches policy prio");
	words("/proc/self/status", "Name: Umask: State: Tgid: Ngid: Pid: PPid: TracerPid: Uid: Gid: FDSize: Groups: NStgid: NSpid: NSpgid: NSsid: VmPeak: VmSize: VmLck: VmPin: VmHWM: VmRSS: "
				   "RssAnon: RssFile: RssShmem: VmData: VmStk: VmExe: VmLib: VmSwap: HugetlbPages: CoreDumping: THP_enabled: Threads: SigQ: SigPnd: ShdPnd: SigBlk: SigIgn: "
				   "SigCgt: CapInh: CapPrm: CapEff: CapBnd: CapAmb: NoNewPrivs: Seccomp: Seccomp_filters: Cpus_allowed: Cpus_allowed_list: Mems_allowed: "
				   "Mems_allowed_list: voluntary_ctxt_switches: nonvoluntary_ctxt_switches:");
	words("/proc/self/smaps", "Size: KernelPageSize: MMUPageSize: Rss: Pss: Pss_Dirty: Shared_Clean: Shared_Dirty: Private_Clean: Private_Dirty: Referenced: Anonymous: KSM: LazyFree: "
				  "AnonHugePages: ShmemPmdMapped: FilePmdMapped: Shared_Hugetlb: Private_Hugetlb: Swap: SwapPss: Locked: THPeligible: VmFlags:");
	shape("/proc/self/smaps", 2);
	shape("/proc/self/smaps", 5);
	shape("/proc/self/smaps", 24);
	words("/proc/self/smaps_rollup", "Rss: Pss: Pss_Dirty: Pss_Anon: Pss_File: Pss_Shmem: Private_Dirty: Locked:");
	memory();
	io();
	descriptors();
	settings();
	return 0;
}
