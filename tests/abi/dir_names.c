/* Directories and names: making, removing, renaming, reading, the working directory. */
#include "abi.h"
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static int touch(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0644);

	return close(fd);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list(const char *name, const char *path)
{
	char *names[64], all[512] = "";
	int n = 0;
	DIR *d = opendir(path);

	for (struct dirent *e; d && (e = readdir(d)) && n < 64;) {
		char with_type[300];
		snprintf(with_type, sizeof(with_type), "%s(%d)", e->d_name, e->d_type);
		names[n++] = strdup(with_type);
	}
	qsort(names, n, sizeof(names[0]), compare);
	for (int i = 0; i < n; i++) {
		strcat(all, " ");
		strcat(all, names[i]);
	}
	NOTE(name, "%s", all);
	if (d)
		closedir(d);
}

static void making(void)
{
	CHECK("mkdir", mkdir("d", 0755));
	CHECK("mkdir again", mkdir("d", 0755));
	CHECK("mkdir below nothing", mkdir("none/x", 0755));
	CHECK("mkdir below file", (touch("f"), mkdir("f/x", 0755)));
	CHECK("mkdir empty", mkdir("", 0755));
	CHECK("mkdir .", mkdir(".", 0755));
	CHECK("mkdir d/..", mkdir("d/..", 0755));
	CHECK("mkdir trailing slash", mkdir("d2/", 0755));
	CHECK("mkdir on dangling link", (symlink("nowhere", "dl"), mkdir("dl", 0755)));
	CHECK("mkdirat", mkdirat(open("d", O_RDONLY), "in", 0700));
	touch("d/file");
	symlink("file", "d/link");
	mkfifo("d/fifo", 0600);
	list("readdir", "d");
	struct stat st = { 0 };
	stat("d", &st);
	NOTE("links of d", "%lu", (unsigned long)st.st_nlink);
}

static void removing(void)
{
	CHECK("rmdir not empty", rmdir("d"));
	CHECK("rmdir file", rmdir("f"));
	CHECK("rmdir absent", rmdir("none"));
	CHECK("rmdir .", rmdir("d/."));
	CHECK("rmdir ..", rmdir("d/.."));
	CHECK("rmdir /", rmdir("/"));
	CHECK("rmdir link", (symlink("d2", "ld2"), rmdir("ld2")));
	CHECK("rmdir", rmdir("d/in"));
	CHECK("unlink directory", unlink("d"));
	CHECK("unlink absent", unlink("none"));
	CHECK("unlink with slash", unlink("f/"));
	CHECK("unlink empty", unlink(""));
	CHECK("unlink link", unlink("d/link"));
	CHECK("unlink fifo", unlink("d/fifo"));
	CHECK("unlinkat bad flag", unlinkat(AT_FDCWD, "f", 1));
	CHECK("unlinkat AT_REMOVEDIR", unlinkat(AT_FDCWD, "d2", AT_REMOVEDIR));
	list("left", "d");
	int fd = open("d/file", O_RDWR);
	CHECK("unlink open file", unlink("d/file"));
	CHECK("write to it", write(fd, "gone", 4));
	struct stat st = { 0 };
	fstat(fd, &st);
	NOTE("its links", "%lu", (unsigned long)st.st_nlink);
	char b[PATH_MAX] = "", link[64];
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	int n = readlink(link, b, sizeof(b) - 1);
	NOTE("its name", "%s", n > 10 ? b + n - 10 : "?");
}

static void renaming(void)
{
	mkdir("r", 0755);
	mkdir("r/sub", 0755);
	mkdir("e", 0755);
	touch("a");
	touch("b");
	CHECK("rename", rename("a", "a2"));
	CHECK("old is gone", access("a", F_OK));
	CHECK("rename over", rename("a2", "b"));
	CHECK("rename absent", rename("none", "x"));
	CHECK("rename file over directory", rename("b", "r"));
	CHECK("rename directory over file", rename("r", "b"));
	CHECK("rename over full directory", rename("e", "r"));
	CHECK("rename over empty directory", rename("r", "e"));
	list("moved", "e");
	CHECK("rename into itself", rename("e", "e/sub/x"));
	CHECK("rename to itself", rename("b", "b"));
	CHECK("rename .", rename(".", "x"));
	CHECK("rename to ..", rename("b", ".."));
	link("b", "b3");
	CHECK("rename between links of one file", rename("b", "b3"));
	CHECK("both stay", access("b", F_OK));
	CHECK("rename with slash", rename("b", "c/"));
	CHECK("NOREPLACE", renameat2(AT_FDCWD, "b", AT_FDCWD, "b3", RENAME_NOREPLACE));
	CHECK("NOREPLACE free", renameat2(AT_FDCWD, "b", AT_FDCWD, "b4", RENAME_NOREPLACE));
	CHECK("EXCHANGE", renameat2(AT_FDCWD, "b4", AT_FDCWD, "e", RENAME_EXCHANGE));
	CHECK("EXCHANGE absent", renameat2(AT_FDCWD, "b4", AT_FDCWD, "none", RENAME_EXCHANGE));
	CHECK("both flags", renameat2(AT_FDCWD, "b4", AT_FDCWD, "e", RENAME_EXCHANGE | RENAME_NOREPLACE));
	CHECK("unknown flag", renameat2(AT_FDCWD, "b4", AT_FDCWD, "e", 16));
	list("after", ".");
}

static void reading(void)
{
	char b[1024], name[32];
	int fd, n, total = 0, rounds = 0;
	long at = 0;

	mkdir("many", 0755);
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "many/file-%03d", i);
		touch(name);
	}
	fd = open("many", O_RDONLY);
	while ((n = syscall(SYS_getdents64, fd, b, sizeof(b))) > 0) {
		for (int i = 0; i < n; i += *(unsigned short *)(b + i + 16))
			total++;
		rounds++;
	}
	NOTE("entries", "%d, rounds > 5: %d, end %d", total, rounds > 5, n);
	CHECK("rewind", lseek(fd, 0, SEEK_SET));
	CHECK("too small", syscall(SYS_getdents64, fd, b, 10));
	CHECK("bad buffer", syscall(SYS_getdents64, fd, 8, 1000));
	CHECK("not a directory", syscall(SYS_getdents64, open("many/file-001", O_RDONLY), b, 100));
	CHECK("closed", syscall(SYS_getdents64, 99, b, 100));
	n = syscall(SYS_getdents64, fd, b, sizeof(b));
	at = *(long *)(b + 8);               /* go on after the first entry */
	char second[64];
	strcpy(second, b + *(unsigned short *)(b + 16) + 19);
	lseek(fd, at, SEEK_SET);
	n = syscall(SYS_getdents64, fd, b, sizeof(b));
	NOTE("seek to a cookie", "%d", n > 0 && strcmp(b + 19, second) == 0);
	lseek(fd, 0, SEEK_SET);
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "many/file-%03d", i);
		unlink(name);
	}
	total = 0;
	while ((n = syscall(SYS_getdents, fd, b, sizeof(b))) > 0)
		for (int i = 0; i < n; i += *(unsigned short *)(b + i + 16))
			total++;
	NOTE("after removing all", "%d", total);
	CHECK("rmdir", rmdir("many"));
	lseek(fd, 0, SEEK_SET);
	CHECK("read the dead directory", syscall(SYS_getdents64, fd, b, sizeof(b)) >= 0 || errno == ENOENT);
	CHECK("make a file in it", openat(fd, "x", O_CREAT | O_RDWR, 0600));
}

static void cwd(void)
{
	char start[PATH_MAX], b[PATH_MAX];

	getcwd(start, sizeof(start));
	mkdir("w", 0755);
	symlink("w", "lw");
	CHECK("chdir", chdir("w"));
	CHECK("getcwd ends in w", (getcwd(b, sizeof(b)), strcmp(b + strlen(start), "/w")));
	CHECK("getcwd length", syscall(SYS_getcwd, b, sizeof(b)) == (long)strlen(b) + 1);
	CHECK("getcwd short", syscall(SYS_getcwd, b, 3));
	CHECK("getcwd bad", syscall(SYS_getcwd, 8, 100));
	CHECK("chdir ..", chdir(".."));
	CHECK("chdir file", (touch("plain"), chdir("plain")));
	CHECK("chdir absent", chdir("none"));
	CHECK("chdir link", chdir("lw"));
	CHECK("real name", (getcwd(b, sizeof(b)), strcmp(b + strlen(start), "/w")));
	CHECK("fchdir", fchdir(open("..", O_RDONLY)));
	CHECK("fchdir file", fchdir(open("plain", O_RDONLY)));
	CHECK("fchdir closed", fchdir(99));
	CHECK("fchdir O_PATH", fchdir(open("w", O_PATH)));
	CHECK("remove it", rmdir("../w"));
	CHECK("getcwd of nothing", syscall(SYS_getcwd, b, sizeof(b)));
	CHECK("open in nothing", open("x", O_CREAT | O_RDWR, 0600));
	CHECK("stat .", access(".", F_OK));
	CHECK("back", chdir(start));
}

int main(void)
{
	umask(022);
	mkdir("names", 0755);
	(void)!chdir("names");
	making();
	removing();
	renaming();
	reading();
	cwd();
	return 0;
}
