/*
 * fake_vmm.c - stands in for QEMU in the tests of the command: it takes QEMU's
 * command line, finds the five ports, and behaves as FAKE_VMM says. So streams,
 * signals and ends are tested without a kernel, and to the byte.
 */
#define _GNU_SOURCE 1
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int port_in = -1, port_out = -1, port_err = -1, port_log = -1, port_ctl = -1;

static void ports_find(char **argv)
{
	struct { const char *name; int *fd; } ports[] = {
		{ "socket,id=stdin,fd=%d", &port_in }, { "socket,id=stdout,fd=%d", &port_out }, { "socket,id=stderr,fd=%d", &port_err },
		{ "socket,id=log,fd=%d", &port_log }, { "socket,id=ctl,fd=%d", &port_ctl },
	};

	for (; *argv; argv++) {
		for (size_t i = 0; i < sizeof ports / sizeof *ports; i++)
			sscanf(*argv, ports[i].name, ports[i].fd);
	}
}

static void put(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(fd, text, len);

		if (n <= 0)
			_exit(0);
		text += n;
		len -= (size_t)n;
	}
}

static void say(int fd, const char *text)
{
	put(fd, text, strlen(text));
}

static size_t copy(int from, int to)
{
	char block[8192];
	size_t total = 0;
	ssize_t n;

	while ((n = read(from, block, sizeof block)) > 0) {
		put(to, block, (size_t)n);
		total += (size_t)n;
	}
	return total;
}

/* Writes a pattern of the given length that tells its own place. */
static void flood(int fd, size_t len)
{
	char line[17];

	for (size_t at = 0; at < len; at += 16) {
		snprintf(line, sizeof line, "%015zx\n", at);
		put(fd, line, 16);
	}
}

static void wait_stop(void)
{
	char line[64];
	ssize_t n = read(port_ctl, line, sizeof line - 1);

	line[n > 0 ? n : 0] = '\0';
	say(port_out, line);
}

static void config_show(char **argv)
{
	for (; *argv; argv++) {
		if (!strcmp(*argv, "-initrd")) {
			FILE *f = fopen(argv[1], "r");
			int c;

			while (f && (c = getc(f)) != EOF)
				dprintf(port_out, "%c", c ? c : '\n');
		}
	}
}

int main(int argc, char **argv)
{
	const char *mode = getenv("FAKE_VMM") ? getenv("FAKE_VMM") : "";

	(void)argc;
	signal(SIGPIPE, SIG_IGN);
	ports_find(argv);
	if (!strcmp(mode, "echo")) {
		copy(port_in, port_out);
		say(port_ctl, "exit 0\n");
	} else if (!strcmp(mode, "status")) {
		say(port_out, "out\n");
		say(port_err, "err\n");
		say(port_ctl, "exit 42\n");
	} else if (!strcmp(mode, "late")) { /* the status first, the output behind it */
		say(port_ctl, "exit 3\n");
		flood(port_out, 1 << 20);
	} else if (!strcmp(mode, "flood")) {
		flood(port_out, 8 << 20);
		say(port_ctl, "exit 0\n");
	} else if (!strcmp(mode, "long")) {
		flood(port_out, 20 << 20);
		say(port_ctl, "exit 0\n");
	} else if (!strcmp(mode, "events")) {
		say(port_ctl, "event {\"event\":\"refused-call\",\"call\":\"fork\",\"symbol\":\"f+0x1 (prog)\",\"seq\":1}\n");
		say(port_ctl, "event {\"event\":\"refused-call\",\"call\":\"fork\",\"seq\":2}\nevent no JSON\n");
		say(port_out, "ready\n");
		wait_stop();
		say(port_ctl, "exit 0\n");
	} else if (!strcmp(mode, "pipe")) { /* writes until its reader is gone */
		char byte[4096] = { 'y' };

		while (send(port_out, byte, sizeof byte, MSG_NOSIGNAL) > 0)
			;
		say(port_ctl, "signal 13\n");
	} else if (!strcmp(mode, "signal")) {
		say(port_ctl, "signal 11\n");
	} else if (!strcmp(mode, "panic")) {
		say(port_log, "at [kernel+0x0]\n");
		say(port_ctl, "panic page fault\n");
	} else if (!strcmp(mode, "policy")) {
		say(port_ctl, "stopped execve\n");
	} else if (!strcmp(mode, "cannot")) {
		say(port_ctl, "cannot-run 126 its headers overlap\n");
	} else if (!strcmp(mode, "mute")) {
		fprintf(stderr, "CPU Reset (CPU 0)\nEAX=00000000 EBX=00000000\nXMM00=0000000000000000 XMM01=0000000000000000\n");
		return 0;
	} else if (!strcmp(mode, "terminated")) {
		say(port_log, "up\n");
		fprintf(stderr, "qemu-system-x86_64: terminating on signal 15 from pid 1 (init)\n");
	} else if (!strcmp(mode, "words")) {
		say(port_log, "up\n");
		fprintf(stderr, "panic: a reason\n  rax 0x1\n");
	} else if (!strcmp(mode, "stuck")) {
		fprintf(stderr, "KVM internal error. Suberror: 1\nRAX=0000000000000000\n");
		pause();
	} else if (!strcmp(mode, "fail")) {
		fprintf(stderr, "qemu-system-x86_64: cannot set up guest memory 'pc.ram': Cannot allocate memory\nmore\n");
		return 1;
	} else if (!strcmp(mode, "garbage")) {
		say(port_ctl, "exit 999\nexit -1\nexit\nsignal 0\nnonsense 1\n\nexit 5\nexit 6\n");
	} else if (!strcmp(mode, "stop")) {
		wait_stop();
		say(port_ctl, "exit 7\n");
	} else if (!strcmp(mode, "forward")) {
		say(port_out, "ready\n");
		wait_stop();
		say(port_ctl, "exit 0\n");
	} else if (!strcmp(mode, "hang")) {
		say(port_out, "ready\n");
		for (;;)
			pause();
	} else if (!strcmp(mode, "config")) {
		config_show(argv);
		say(port_ctl, "exit 0\n");
	} else if (!strcmp(mode, "linger")) { /* says its status and does not end */
		say(port_out, "done\n");
		say(port_ctl, "exit 4\n");
		for (;;)
			pause();
	}
	return 0;
}
