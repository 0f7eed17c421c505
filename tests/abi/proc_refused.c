/* proc_refused.c - what a process without rights may not do, and with which errno; clone's illegal flags. */
#include "abi.h"
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>

static void refused(void)
{
	struct timeval tv = { 1, 0 };
	struct timespec ts = { 1, 0 };
	struct timex tx = { .modes = ADJ_FREQUENCY };
	char buf[64] = "";

	CHECK("mount", mount("none", "/tmp", "tmpfs", 0, NULL));
	CHECK("umount", umount("/tmp"));
	CHECK("chroot", chroot("/"));
	CHECK("pivot_root", syscall(SYS_pivot_root, "/", "/"));
	CHECK("unshare mounts", unshare(CLONE_NEWNS));
	CHECK("unshare net", unshare(CLONE_NEWNET));
	CHECK("sethostname", sethostname("x", 1));
	CHECK("setdomainname", setdomainname("x", 1));
	CHECK("settimeofday", settimeofday(&tv, NULL));
	CHECK("clock_settime", clock_settime(CLOCK_REALTIME, &ts));
	CHECK("adjtimex", adjtimex(&tx));
	CHECK("clock_adjtime", syscall(SYS_clock_adjtime, CLOCK_REALTIME, &tx));
	CHECK("swapon", syscall(SYS_swapon, "/tmp", 0));
	CHECK("swapoff", syscall(SYS_swapoff, "/tmp"));
	CHECK("acct", syscall(SYS_acct, NULL));
	CHECK("vhangup", syscall(SYS_vhangup));
	CHECK("bpf", syscall(SYS_bpf, 5, buf, 64));
	CHECK("fsopen", syscall(430, "tmpfs", 0));
	CHECK("move_mount", syscall(429, -1, "", -1, "", 0));
	CHECK("fsmount", syscall(432, -1, 0, 0));
	CHECK("syslog clear", syscall(SYS_syslog, 5, NULL, 0));
	CHECK("ptrace", syscall(SYS_ptrace, 16, 1, 0, 0));
	CHECK("setuid 0", syscall(SYS_setuid, 0));
	CHECK("setgid 0", syscall(SYS_setgid, 0));
	CHECK("setresuid", syscall(SYS_setresuid, -1, 0, -1));
	CHECK("setreuid same", syscall(SYS_setreuid, 1000, 1000));
	CHECK("setfsuid", syscall(SYS_setfsuid, 0));
	CHECK("setgroups", syscall(SYS_setgroups, 1, (unsigned[1]){ 0 }));
	CHECK("uselib", syscall(SYS_uselib, "x"));
	CHECK("_sysctl", syscall(SYS__sysctl, buf));
	CHECK("lookup_dcookie", syscall(SYS_lookup_dcookie, 0, buf, 0));
}

static void capabilities(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];

	memset(d, 0xff, sizeof(d));
	CHECK("capget", syscall(SYS_capget, &h, d));
	NOTE("none", "%x %x %x", d[0].effective | d[1].effective, d[0].permitted | d[1].permitted, d[0].inheritable);
	CHECK("capset none", syscall(SYS_capset, &h, d));
	d[0].effective = 1;
	CHECK("capset effective", syscall(SYS_capset, &h, d));
	d[0].permitted = 1;
	CHECK("capset permitted", syscall(SYS_capset, &h, d));
	d[0] = (struct __user_cap_data_struct){ 0, 0, 1 };
	CHECK("capset inheritable", syscall(SYS_capset, &h, d));
	h.version = 0x12345678;
	CHECK("capget version", syscall(SYS_capget, &h, d));
	NOTE("version", "%x", h.version);
	h.version = 0;
	CHECK("capget asks", syscall(SYS_capget, &h, NULL));
	NOTE("version", "%x", h.version);
	h.pid = -1;
	CHECK("capget -1", syscall(SYS_capget, &h, d));
	h.pid = 4000000;
	CHECK("capget nobody", syscall(SYS_capget, &h, d));
	h.pid = 1;
	CHECK("capset other", syscall(SYS_capset, &h, d));
	CHECK("capget bad", syscall(SYS_capget, 8, d));
}

static void filters(void)
{
	unsigned action = SECCOMP_RET_ALLOW;

	CHECK("seccomp op 99", syscall(SYS_seccomp, 99, 0, NULL));
	CHECK("strict with flags", syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 1, NULL));
	CHECK("strict with args", syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, &action));
	CHECK("filter null", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL));
	CHECK("filter flags", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0x10000, &action));
	CHECK("action null", syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, NULL));
	CHECK("action flags", syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 1, &action));
	action = 0x12340000;
	CHECK("action unknown", syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action));
	CHECK("sizes flags", syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 1, &action));
}

static void clones(void)
{
	CHECK("thread alone", syscall(SYS_clone, CLONE_THREAD, 0, 0, 0, 0));
	CHECK("thread without sighand", syscall(SYS_clone, CLONE_THREAD | CLONE_VM, 0, 0, 0, 0));
	CHECK("sighand alone", syscall(SYS_clone, CLONE_SIGHAND, 0, 0, 0, 0));
	CHECK("newns fs", syscall(SYS_clone, CLONE_NEWNS | CLONE_FS, 0, 0, 0, 0));
	CHECK("newuser fs", syscall(SYS_clone, CLONE_NEWUSER | CLONE_FS, 0, 0, 0, 0));
	CHECK("thread newuser", syscall(SYS_clone, CLONE_THREAD | CLONE_VM | CLONE_SIGHAND | CLONE_NEWUSER, 0, 0, 0, 0));
	CHECK("thread newpid", syscall(SYS_clone, CLONE_THREAD | CLONE_VM | CLONE_SIGHAND | CLONE_NEWPID, 0, 0, 0, 0));
	CHECK("thread newnet", syscall(SYS_clone, CLONE_THREAD | CLONE_VM | CLONE_SIGHAND | CLONE_NEWNET, 0, 0, 0, 0));
	CHECK("newnet", syscall(SYS_clone, CLONE_NEWNET | SIGCHLD, 0, 0, 0, 0));
	CHECK("newipc", syscall(SYS_clone, CLONE_NEWIPC | SIGCHLD, 0, 0, 0, 0));
	CHECK("bad tls", syscall(SYS_clone, CLONE_THREAD | CLONE_VM | CLONE_SIGHAND | CLONE_FS | CLONE_FILES | CLONE_SETTLS, 0, 0, 0, -1l));
	CHECK("pidfd detached", syscall(SYS_clone, CLONE_PIDFD | CLONE_DETACHED, 0, 0, 0, 0));
	int x;
	CHECK("pidfd and parent tid", syscall(SYS_clone, CLONE_PIDFD | CLONE_PARENT_SETTID, 0, &x, 0, 0));
}

int main(void)
{
	if (geteuid() == 0 && (setgroups(0, NULL) || setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000)))
		return 1;
	refused();
	capabilities();
	filters();
	clones();
	return 0;
}
