/* ends.c - the ways a program ends, by name. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <errno.h>
#include <pthread.h>

static void on_term(int sig)
{
	(void)!write(1, "TERM\n", 5);
	_exit(7);
}
static void __attribute__((noinline)) fall(volatile int *p) { *p = 1; }
static void *exits(void *arg) { exit(9); }

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	if (!strcmp(how, "segv"))
		fall((int *)16);
	if (!strcmp(how, "abort"))
		abort();
	if (!strcmp(how, "kill"))
		raise(SIGKILL);
	if (!strcmp(how, "pipe"))
		raise(SIGPIPE);
	if (!strcmp(how, "fpe"))
		raise(SIGFPE);
	if (!strcmp(how, "illegal"))
		__builtin_trap();
	if (!strcmp(how, "thread")) {
		pthread_t t;
		pthread_create(&t, NULL, exits, NULL);
		pause();
	}
	if (!strcmp(how, "wait")) {
		signal(SIGTERM, on_term);
		(void)!write(1, "ready\n", 6);
		for (;;)
			pause();
	}
	if (!strcmp(how, "ignore")) {
		signal(SIGTERM, SIG_IGN);
		(void)!write(1, "ready\n", 6);
		for (;;)
			pause();
	}
	if (!strcmp(how, "fork")) {
		pid_t p = fork();
		printf("fork: %d %s\n", (int)p, p < 0 ? strerrorname_np(errno) : "");
		return p != -1;
	}
	if (!strcmp(how, "exec")) {
		int r = execl("/bin/sh", "sh", "-c", "echo pwned", NULL);
		printf("exec: %d %s\n", r, strerrorname_np(errno));
		return r != -1;
	}
	if (!strcmp(how, "system")) {
		int r = system("echo pwned");
		printf("system: %s\n", r == -1 || (WIFEXITED(r) && WEXITSTATUS(r) == 127) ? "refused" : "ran");
		return 0;
	}
	return argc > 2 ? atoi(argv[2]) : 0;
}
