/*
 * init.c - the first program of the Linux guest in comparisons: mounts the same EROFS root that Pith's
 * machine gets, gives it a /tmp, /run, /dev and /proc and the loopback device, and becomes the program. Words come from the kernel's command line:
 *
 *   pith.exec=PATH pith.cwd=DIR pith.env=NAME=VALUE ... pith.arg=WORD ...     (arg 0 first; %20 for a blank)
 *   pith.volume=PATH                                                          (ext4 on the second disk)
 *
 * What the root has below /tmp, /run and /var/tmp is copied into them; the program is user 1000, who may use all
 * ports, as in Pith. mk_exec is called right before the program's execve, for bench/plugin/count.c.
 *
 * A failure prints one line and ends the machine.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_WORDS 256
#define USER      1000

static char line[65536];
static char *args[MAX_WORDS + 1], *envs[MAX_WORDS + 1];

static void fail(const char *what)
{
	perror(what);
	sync();
	reboot(RB_AUTOBOOT);
	_exit(1);
}

static void mount_or_fail(const char *from, const char *to, const char *type, unsigned long flags)
{
	/* Half of the memory, which is tmpfs's own limit, is too little for a database that lives there. */
	if (mount(from, to, type, flags, !strcmp(type ? type : "", "tmpfs") ? "size=90%" : NULL))
		fail(to);
}

/* %XX back into its byte, in place. */
static char *decode(char *word)
{
	char *out = word;

	for (char *p = word; *p; p++) {
		unsigned byte;

		if (*p == '%' && sscanf(p + 1, "%2x", &byte) == 1) {
			*out++ = (char)byte;
			p += 2;
		} else {
			*out++ = *p;
		}
	}
	*out = 0;
	return word;
}

static const char *volume_path, *volume_disk = "/dev/vdb";

static const char *words_read(const char **ret_cwd)
{
	const char *exec = NULL;
	int nargs = 0, nenvs = 0, fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof line - 1);

	if (n < 0)
		fail("/proc/cmdline");
	close(fd);
	for (char *w = strtok(line, " \n"); w; w = strtok(NULL, " \n")) {
		if (!strncmp(w, "pith.exec=", 10))
			exec = decode(w + 10);
		else if (!strncmp(w, "pith.cwd=", 9))
			*ret_cwd = decode(w + 9);
		else if (!strncmp(w, "pith.volume=", 12))
			volume_path = decode(w + 12);
		else if (!strncmp(w, "pith.arg=", 9) && nargs < MAX_WORDS)
			args[nargs++] = decode(w + 9);
		else if (!strncmp(w, "pith.env=", 9) && nenvs < MAX_WORDS)
			envs[nenvs++] = decode(w + 9);
	}
	return exec;
}

static const char *copy_from;

/* One name of a tree below copy_from, as user 1000's below /mnt. */
static int copy_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	char to[4096], target[4096];
	ssize_t n;
	int in, out;

	snprintf(to, sizeof to, "/mnt%s", path + strlen(copy_from));
	if (kind == FTW_D) {
		if (at->level && mkdir(to, st->st_mode & 07777))
			fail(to);
	} else if (kind == FTW_SL) {
		if ((n = readlink(path, target, sizeof target - 1)) < 0)
			fail(path);
		target[n] = 0;
		if (symlink(target, to))
			fail(to);
	} else {
		in = open(path, O_RDONLY | O_CLOEXEC);
		out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, st->st_mode & 07777);
		if (in < 0 || out < 0)
			fail(to);
		while ((n = sendfile(out, in, NULL, 1 << 20)) > 0)
			;
		if (n < 0)
			fail(to);
		close(in);
		close(out);
	}
	return lchown(to, USER, USER);
}

/* A tmpfs over a directory of the root, with what the directory has. */
static void mount_copied(const char *directory)
{
	if (access(directory, F_OK))
		return;
	mount_or_fail("tmpfs", "/mnt", "tmpfs", 0);
	copy_from = directory;
	if (nftw(directory, copy_one, 16, FTW_PHYS))
		fail(directory);
	mount_or_fail("/mnt", directory, NULL, MS_MOVE);
}

static void setting_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		fail(path);
	close(fd);
}

/* 127.0.0.1 is there with the device. */
static void loopback_up(void)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &r))
		fail("lo");
	close(fd);
}

__attribute__((noinline, noclone)) void mk_exec(void);
void mk_exec(void) { __asm__ volatile("" ::: "memory"); }

int main(void)
{
	const char *cwd = "/", *exec;

	mount_or_fail("proc", "/proc", "proc", 0);
	mount_or_fail("devtmpfs", "/dev", "devtmpfs", 0);
	exec = words_read(&cwd);
	/* With two disks, which is the first is the VMM's choice. */
	if (mount("/dev/vda", "/root", "erofs", MS_RDONLY, NULL)) {
		volume_disk = "/dev/vda";
		mount_or_fail("/dev/vdb", "/root", "erofs", MS_RDONLY);
	}
	mount_copied("/root/tmp");
	mount_copied("/root/run");
	mount_copied("/root/var/tmp");
	loopback_up();
	setting_write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
	if (chmod("/dev/hvc0", 0666) || chmod("/dev/console", 0666))
		fail("/dev/console");
	if (volume_path) {
		char at[4096];

		snprintf(at, sizeof at, "/root%s", volume_path);
		mount_or_fail(volume_disk, at, "ext4", 0);
		if (chown(at, USER, USER) || chmod(at, 0777))
			fail(at);
	}
	mount_or_fail("/dev", "/root/dev", NULL, MS_MOVE);
	mount_or_fail("/proc", "/root/proc", NULL, MS_MOVE);
	if (access("/root/sys", F_OK) == 0)
		mount_or_fail("sysfs", "/root/sys", "sysfs", 0);
	if (chroot("/root") || chdir(cwd))
		fail("chroot");
	if (symlink("/proc/self/fd", "/dev/fd") || symlink("fd/0", "/dev/stdin") || symlink("fd/1", "/dev/stdout") || symlink("fd/2", "/dev/stderr"))
		fail("/dev/stderr");
	mkdir("/dev/shm", 01777);
	mount_or_fail("tmpfs", "/dev/shm", "tmpfs", 0);
	if (!exec)
		fail("pith.exec");
	if (setgroups(0, NULL) || setgid(USER) || setuid(USER))
		fail("setuid");
	mk_exec();
	execve(exec, args, envs);
	fail(exec);
}
