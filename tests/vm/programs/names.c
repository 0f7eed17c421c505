/*
 * names.c - asks the C library who it is, what the machine is called and which time zone it has.
 */
#include <arpa/inet.h>
#include <grp.h>
#include <netdb.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void address_print(const char *name)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *list;
	char text[INET_ADDRSTRLEN];
	int error = getaddrinfo(name, NULL, &hints, &list);

	if (error) {
		printf("%s: error %d\n", name, error);
		return;
	}
	inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)list->ai_addr)->sin_addr, text, sizeof text);
	printf("%s: %s\n", name, text);
	freeaddrinfo(list);
}

int main(void)
{
	struct passwd *user = getpwuid(getuid()), *named;
	struct group *group = getgrgid(getgid());
	time_t when = 1700000000;
	char host[65], file[80] = "";
	struct tm local;
	FILE *f;

	printf("user: %s %s\n", user ? user->pw_name : "?", user ? user->pw_dir : "?");
	printf("group: %s\n", group ? group->gr_name : "?");
	named = getpwnam("nobody"); /* may lie where the other one did */
	printf("nobody: %d\n", named ? (int)named->pw_uid : -1);
	gethostname(host, sizeof host);
	printf("hostname: %s\n", host);
	f = fopen("/etc/hostname", "r");
	if (f && fgets(file, sizeof file, f))
		file[strcspn(file, "\n")] = '\0';
	printf("file: %s\n", file);
	address_print("localhost");
	address_print(host);
	localtime_r(&when, &local);
	printf("time: %02d:%02d %s\n", local.tm_hour, local.tm_min, local.tm_zone);
	return 0;
}
