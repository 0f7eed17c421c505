/* proc_identity.c - who the program is, and what it may not become. Run as root on Linux it first becomes an ordinary user. */
#include "abi.h"
#include <grp.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <sys/types.h>

static void become_ordinary(void)
{
	if (geteuid() != 0)
		return;
	if (setgroups(0, NULL) || setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))
		exit(1);
}

int main(void)
{
	uid_t r, e, s;
	gid_t list[64];
	become_ordinary();
	uid_t me = getuid();
	gid_t mine = getgid();

	NOTE("uid == euid", "%d", getuid() == geteuid());
	NOTE("gid == egid", "%d", getgid() == getegid());
	NOTE("not root", "%d", me != 0);
	CHECK("getresuid", getresuid(&r, &e, &s));
	NOTE("resuid", "%d", r == me && e == me && s == me);
	CHECK("getresgid", getresgid(&r, &e, &s));
	NOTE("resgid", "%d", r == mine && e == mine && s == mine);
	CHECK("getresuid bad", syscall(SYS_getresuid, 0, 0, 0));
	CHECK("setuid self", setuid(me));
	CHECK("setgid self", setgid(mine));
	CHECK("seteuid self", seteuid(me));
	CHECK("setresuid -1", setresuid(-1, -1, -1));
	CHECK("setreuid self", setreuid(me, me));
	CHECK("setregid -1", setregid(-1, -1));
	CHECK("setuid 0", setuid(0));
	CHECK("setgid 0", setgid(0));
	CHECK("setuid 12345", setuid(12345));
	CHECK("setresuid 0", setresuid(0, 0, 0));
	CHECK("setresgid mixed", setresgid(mine, 0, mine));
	CHECK("setreuid 0", setreuid(0, -1));
	CHECK("setuid -1", syscall(SYS_setuid, -1));
	NOTE("setfsuid", "%d", setfsuid(-1) == (int)me);
	NOTE("setfsuid 0", "%d", setfsuid(0) == (int)me && setfsuid(-1) == (int)me);
	CHECK_OK("getgroups", getgroups(64, list));
	CHECK("getgroups -1", syscall(SYS_getgroups, -1, list));
	CHECK("setgroups 0", setgroups(1, (gid_t[]){ 0 }));
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2] = { { 9, 9, 9 }, { 9, 9, 9 } };
	CHECK("capget", syscall(SYS_capget, &h, d));
	NOTE("caps", "%x %x %x", d[0].effective, d[0].permitted, d[1].effective);
	h.version = 1;
	CHECK("capget version", syscall(SYS_capget, &h, NULL));
	NOTE("version", "%x", h.version);
	h.version = 1;
	CHECK("capget version data", syscall(SYS_capget, &h, d));
	h.version = _LINUX_CAPABILITY_VERSION_3;
	h.pid = -1;
	CHECK("capget pid", syscall(SYS_capget, &h, d));
	h.pid = 0;
	memset(d, 0, sizeof(d));
	CHECK("capset none", syscall(SYS_capset, &h, d));
	d[0].effective = d[0].permitted = 1u << CAP_NET_ADMIN;
	CHECK("capset some", syscall(SYS_capset, &h, d));
	NOTE("gettid", "%d", syscall(SYS_gettid) == getpid());
	NOTE("getppid", "%d", getppid() > 0 && getppid() != getpid());
	CHECK("getpgid nobody", getpgid(4194303));
	CHECK("getsid nobody", getsid(4194303));
	CHECK("setpgid negative", setpgid(0, -1));
	CHECK("setpgid nobody", setpgid(4194303, 0));
	return 0;
}
