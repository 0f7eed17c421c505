/*
 * spawn.c - tries to start others, in every way that the C library has, and says what it was told.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static char *const arguments[] = { "true", NULL };

static void say(const char *name, int error)
{
	printf("%s: %s\n", name, strerrorname_np(error));
}

__attribute__((noinline)) void start_helper(void)
{
	pid_t pid;

	say("posix_spawn", posix_spawn(&pid, "/bin/true", NULL, NULL, arguments, environ));
}

static int child(void *argument)
{
	_exit(argument != NULL);
}

int main(int argc, char **argv)
{
	static char stack[65536];
	int status;
	FILE *f;

	setvbuf(stdout, NULL, _IONBF, 0);
	start_helper();
	if (argc > 1) { /* again and again: the host is told once */
		for (int i = 0; i < 200; i++)
			fork();
		say("many forks", errno);
		return 0;
	}
	say("fork", fork() < 0 ? errno : 0);
	say("vfork", (int)syscall(SYS_vfork) < 0 ? errno : 0);
	say("clone", clone(child, stack + sizeof stack, SIGCHLD, NULL) < 0 ? errno : 0);
	say("clone for a thread's memory", clone(child, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL) < 0 ? errno : 0);
	f = popen("true", "r");
	printf("popen: %s\n", f ? "a stream" : "NULL");
	status = system("true");
	printf("system: %s\n", WIFEXITED(status) && WEXITSTATUS(status) == 127 ? "status 127" : "another status");
	say("execve", execve("/bin/true", arguments, environ) < 0 ? errno : 0);
	say("execlp", execlp("true", "true", (char *)NULL) < 0 ? errno : 0);
	say("fexecve", fexecve(1, arguments, environ) < 0 ? errno : 0);
	say("wait", wait(&status) < 0 ? errno : 0);
	say("daemon", daemon(0, 0) < 0 ? errno : 0);
	(void)argv;
	return 0;
}
