/*
 * target.c - a server with every hole of the book, for the attacks of this folder. It is compiled without mitigations of its own: no stack
 * protector, fixed addresses, static (and once with an executable stack), so that what stops an attack is the system under it.
 *
 *   target PORT             one connection after the other; a line is a command
 *
 *   PING host               system("ping host")                    command injection
 *   DIG name                popen("dig name"), its output          command injection
 *   NAME len + bytes        into 64 bytes on the stack             stack overflow
 *   NOTE len + bytes        into 64 bytes on the heap, before a pointer to a function
 *   ECHO len text           len bytes back, whatever text was      over-read
 *   WHERE                   addresses of stack and heap            information leak
 *   GET path                a file below /srv/www                  path traversal
 *   PUT path len + bytes    a file below /srv/www/up, mode 755     unrestricted upload
 *   RUN path                starts a helper that was uploaded
 *   FETCH address port      what is there, fetched                 request forgery
 *   EAT mib, OPEN n         memory and descriptors                 exhaustion
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static int peer;

/* What a larger program has anyway. */
__asm__(".text\n.globl gadget_rdi, gadget_rsi, gadget_rdx, gadget_rsp\n"
	"gadget_rdi: pop %rdi\n ret\n"
	"gadget_rsi: pop %rsi\n ret\n"
	"gadget_rdx: pop %rdx\n ret\n"
	"gadget_rsp: jmp *%rsp\n");

static void reply(const char *text) { (void)!write(peer, text, strlen(text)); }

static void take(void *buf, size_t len)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = read(peer, (char *)buf + at, len - at);
		if (n <= 0)
			exit(0);
		at += (size_t)n;
	}
}

static void do_ping(const char *host)
{
	char command[512];

	snprintf(command, sizeof(command), "ping -c 1 %s", host);
	fflush(NULL);
	reply(system(command) < 0 ? "failed\n" : "done\n");
}

static void do_dig(const char *name)
{
	char command[512], line[256];

	snprintf(command, sizeof(command), "dig %s", name);
	FILE *f = popen(command, "r");
	if (!f)
		reply("failed\n");
	while (f && fgets(line, sizeof(line), f))
		reply(line);
	if (f)
		pclose(f);
	reply(".\n");
}

static __attribute__((noinline)) void do_name(size_t len)
{
	char name[64];
	static char in[4096];

	take(in, len > sizeof(in) ? sizeof(in) : len);
	__asm__ volatile("" : : "r"(name) : "memory");
	memcpy(name, in, len);
	__asm__ volatile("" : : "r"(name) : "memory");
	reply("noted\n");
}

struct note {
	char text[64];
	int (*show)(const char *);
};
static int show_plain(const char *s) { return (int)strlen(s); }
static struct note *note;

static void do_note(size_t len)
{
	note->show = show_plain;
	take(note->text, len > 4096 ? 4096 : len);
	note->show(note->text);
	reply("noted\n");
}

static void do_echo(const char *args)
{
	static char *key;
	char *text = malloc(128);
	size_t len = strtoul(args, NULL, 10);

	/* The server's own key, as it lies in the memory of whoever signs with it. */
	if (!key) {
		int f = open("/srv/key", O_RDONLY);
		key = calloc(1, 4096);
		(void)!read(f, key, 4095);
		close(f);
	}
	snprintf(text, 128, "%s", strchr(args, ' ') ? strchr(args, ' ') + 1 : "");
	(void)!write(peer, text, len);
	reply("\n.\n");
}

static __attribute__((noinline)) void do_where(void)
{
	char line[128], here[64];

	snprintf(line, sizeof(line), "%p %p\n", (void *)here, (void *)note);
	reply(line);
}

static void do_get(const char *name)
{
	char path[600], buf[4096];
	ssize_t n;

	snprintf(path, sizeof(path), "/srv/www/%s", name);
	int f = open(path, O_RDONLY);
	if (f < 0)
		reply("no such page\n");
	while (f >= 0 && (n = read(f, buf, sizeof(buf))) > 0)
		(void)!write(peer, buf, (size_t)n);
	close(f);
	reply("\n.\n");
}

static void do_put(const char *args)
{
	char name[300], path[600];
	size_t len = 0;
	static char buf[1 << 20];

	if (sscanf(args, "%299s %zu", name, &len) != 2 || len > sizeof(buf))
		return;
	take(buf, len);
	snprintf(path, sizeof(path), "/srv/www/up/%s", name);
	int f = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755);
	ssize_t n = f >= 0 ? write(f, buf, len) : -1;
	if (n < 0)
		reply("failed: ");
	reply(n < 0 ? strerror(errno) : "stored");
	reply("\n");
	close(f);
}

static void do_run(const char *name)
{
	char path[600];
	char *argv[] = { path, NULL };

	snprintf(path, sizeof(path), "/srv/www/up/%s", name);
	pid_t p = fork();
	if (p == 0) {
		dup2(peer, 1);
		execve(path, argv, environ);
		_exit(127);
	}
	if (p < 0)
		reply("failed\n");
	else
		waitpid(p, NULL, 0);
	reply(".\n");
}

static void do_fetch(const char *args)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	struct timeval patience = { 3, 0 };
	char address[64], buf[512];
	int port, s = socket(AF_INET, SOCK_STREAM, 0);
	ssize_t n;

	if (sscanf(args, "%63s %d", address, &port) != 2)
		return;
	a.sin_port = htons((unsigned short)port);
	inet_pton(AF_INET, address, &a.sin_addr);
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(s, (struct sockaddr *)&a, sizeof(a)) < 0)
		reply("failed\n");
	else
		while ((n = read(s, buf, sizeof(buf))) > 0)
			(void)!write(peer, buf, (size_t)n);
	close(s);
	reply(".\n");
}

static void do_eat(size_t mib)
{
	char line[64];
	size_t n = 0;

	for (; n < mib; n++) {
		char *p = malloc(1 << 20);
		if (!p)
			break;
		memset(p, 1, 1 << 20);
	}
	snprintf(line, sizeof(line), "%zu MiB\n", n);
	reply(line);
}

static void do_open(long count)
{
	char line[64];
	long n = 0;

	while (n < count && open("/dev/null", O_RDONLY) >= 0)
		n++;
	snprintf(line, sizeof(line), "%ld open\n", n);
	reply(line);
}

static void serve(void)
{
	char line[1024];
	size_t at = 0;

	for (;;) {
		at = 0;
		for (;;) {
			take(line + at, 1);
			if (line[at] == '\n' || at == sizeof(line) - 1)
				break;
			at++;
		}
		line[at] = 0;
		char *rest = strchr(line, ' ');
		rest = rest ? rest + 1 : line + at;
		if (!strncmp(line, "PING ", 5)) do_ping(rest);
		else if (!strncmp(line, "DIG ", 4)) do_dig(rest);
		else if (!strncmp(line, "NAME ", 5)) do_name(strtoul(rest, NULL, 10));
		else if (!strncmp(line, "NOTE ", 5)) do_note(strtoul(rest, NULL, 10));
		else if (!strncmp(line, "ECHO ", 5)) do_echo(rest);
		else if (!strncmp(line, "WHERE", 5)) do_where();
		else if (!strncmp(line, "GET ", 4)) do_get(rest);
		else if (!strncmp(line, "PUT ", 4)) do_put(rest);
		else if (!strncmp(line, "RUN ", 4)) do_run(rest);
		else if (!strncmp(line, "FETCH ", 6)) do_fetch(rest);
		else if (!strncmp(line, "EAT ", 4)) do_eat(strtoul(rest, NULL, 10));
		else if (!strncmp(line, "OPEN ", 5)) do_open(strtol(rest, NULL, 10));
		else reply("what?\n");
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons((unsigned short)(argc > 1 ? atoi(argv[1]) : 80)) };
	int on = 1, s = socket(AF_INET, SOCK_STREAM, 0);

	signal(SIGPIPE, SIG_IGN);
	note = malloc(sizeof(*note));
	if (getenv("NEVER"))                 /* linked in, as in any larger program */
		mprotect(note, 1, PROT_READ);
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(s, (struct sockaddr *)&any, sizeof(any)) || listen(s, 8)) {
		perror("listen");
		return 1;
	}
	puts("listening");
	fflush(stdout);
	/* One attacker, one connection, one life. */
	peer = accept(s, NULL, NULL);
	serve();
	return 0;
}
