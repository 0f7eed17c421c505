/*
 * init.c - the first program of the Linux guest in comparisons: mounts the same EROFS root that Pith's
 * machine gets, gives it a /tmp, /run, /dev and /proc, sets the address that the kernel got on its
 * command line aside, and becomes the program. Words come from the kernel's command line:
 *
 *   pith.exec=PATH pith.cwd=DIR pith.env=NAME=VALUE ... pith.arg=WORD ...     (arg 0 first; %20 for a blank)
 *
 * A failure prints one line and ends the machine.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_WORDS 256

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
	if (mount(from, to, type, flags, NULL))
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
		else if (!strncmp(w, "pith.arg=", 9) && nargs < MAX_WORDS)
			args[nargs++] = decode(w + 9);
		else if (!strncmp(w, "pith.env=", 9) && nenvs < MAX_WORDS)
			envs[nenvs++] = decode(w + 9);
	}
	return exec;
}

int main(void)
{
	const char *cwd = "/", *exec;
	static const char *const tmpfs[] = { "/root/tmp", "/root/run", "/root/var/tmp" };

	mount_or_fail("proc", "/proc", "proc", 0);
	mount_or_fail("devtmpfs", "/dev", "devtmpfs", 0);
	exec = words_read(&cwd);
	mount_or_fail("/dev/vda", "/root", "erofs", MS_RDONLY);
	for (unsigned i = 0; i < sizeof tmpfs / sizeof *tmpfs; i++)
		if (access(tmpfs[i], F_OK) == 0)
			mount_or_fail("tmpfs", tmpfs[i], "tmpfs", 0);
	mount_or_fail("/dev", "/root/dev", NULL, MS_MOVE);
	mount_or_fail("/proc", "/root/proc", NULL, MS_MOVE);
	if (access("/root/sys", F_OK) == 0)
		mount_or_fail("sysfs", "/root/sys", "sysfs", 0);
	if (chroot("/root") || chdir(cwd))
		fail("chroot");
	mkdir("/dev/shm", 01777);
	mount_or_fail("tmpfs", "/dev/shm", "tmpfs", 0);
	if (!exec)
		fail("pith.exec");
	execve(exec, args, envs);
	fail(exec);
}
