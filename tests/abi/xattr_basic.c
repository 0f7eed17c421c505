/* xattr_basic.c - user attributes of files and directories, what is refused, sizes and limits; holes in files. */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "abi.h"

static void list(const char *name, const char *path)
{
	char buf[512], *names[32], text[600] = "";
	ssize_t n = listxattr(path, buf, sizeof(buf));
	int k = 0;

	/* The order is the file system's; other namespaces are the host's affair. */
	for (char *p = buf; n > 0 && p < buf + n && k < 32; p += strlen(p) + 1)
		if (strncmp(p, "user.", 5) == 0)
			names[k++] = p;
	for (int i = 1; i < k; i++)
		for (int j = i; j > 0 && strcmp(names[j], names[j - 1]) < 0; j--) {
			char *t = names[j];
			names[j] = names[j - 1];
			names[j - 1] = t;
		}
	for (int i = 0; i < k; i++) {
		strcat(text, " ");
		strcat(text, names[i]);
	}
	NOTE(name, "%d%s", k, text);
}

static void holes(void)
{
	char page[4096];
	int fd = open("holes", O_RDWR | O_CREAT | O_TRUNC, 0600);

	memset(page, 'x', sizeof(page));
	NOTE("written", "%ld", (long)pwrite(fd, page, 4096, 65536));
	CHECK("truncate", ftruncate(fd, 262144));
	CHECK("data from 0", lseek(fd, 0, SEEK_DATA));
	CHECK("data from inside", lseek(fd, 65537, SEEK_DATA));
	CHECK("data behind", lseek(fd, 131072, SEEK_DATA));
	CHECK("hole from 0", lseek(fd, 5, SEEK_HOLE));
	CHECK("hole from inside", lseek(fd, 65540, SEEK_HOLE));
	CHECK("hole behind", lseek(fd, 131073, SEEK_HOLE));
	CHECK("data at the end", lseek(fd, 262144, SEEK_DATA));
	CHECK("hole at the end", lseek(fd, 262144, SEEK_HOLE));
	NOTE("written", "%ld", (long)pwrite(fd, page, 100, 262144));
	CHECK("data in the tail", lseek(fd, 200000, SEEK_DATA));
	CHECK("hole at the very end", lseek(fd, 262144, SEEK_HOLE));
	CHECK("punch", fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 65536, 4096));
	CHECK("data is gone", lseek(fd, 0, SEEK_DATA));
	close(fd);
}

int main(void)
{
	char buf[256];
	static char big[65537];
	int fd = open("f", O_RDWR | O_CREAT, 0644);
	char name[300] = "user.";

	mkdir("d", 0755);
	if (symlink("f", "s") || mkfifo("p", 0600))
		exit(1);
	CHECK("get none", getxattr("f", "user.a", buf, sizeof(buf)));
	CHECK("remove none", removexattr("f", "user.a"));
	CHECK("set", setxattr("f", "user.a", "value", 5, 0));
	CHECK("get", getxattr("f", "user.a", buf, sizeof(buf)));
	NOTE("value", "%.5s", buf);
	CHECK("length", getxattr("f", "user.a", NULL, 0));
	CHECK("too small", getxattr("f", "user.a", buf, 4));
	CHECK("just right", getxattr("f", "user.a", buf, 5));
	CHECK("create again", setxattr("f", "user.a", "x", 1, XATTR_CREATE));
	CHECK("replace", setxattr("f", "user.a", "other", 5, XATTR_REPLACE));
	CHECK("replace none", setxattr("f", "user.b", "x", 1, XATTR_REPLACE));
	CHECK("both flags", setxattr("f", "user.b", "x", 1, XATTR_CREATE | XATTR_REPLACE));
	CHECK("unknown flag", setxattr("f", "user.b", "x", 1, 8));
	CHECK("empty", setxattr("f", "user.b", "", 0, XATTR_CREATE));
	CHECK("get empty", getxattr("f", "user.b", buf, sizeof(buf)));
	CHECK("by descriptor", fsetxattr(fd, "user.c", "three", 5, 0));
	CHECK("get by descriptor", fgetxattr(fd, "user.c", buf, sizeof(buf)));
	CHECK("through the link", setxattr("s", "user.d", "4", 1, 0));
	CHECK("the link itself", lsetxattr("s", "user.d", "4", 1, 0));
	CHECK("of the link itself", lgetxattr("s", "user.d", buf, sizeof(buf)));
	CHECK("a fifo", setxattr("p", "user.d", "4", 1, 0));
	CHECK("of a fifo", getxattr("p", "user.d", buf, sizeof(buf)));
	CHECK("a directory", setxattr("d", "user.dir", "yes", 3, 0));
	CHECK("of a directory", getxattr("d", "user.dir", buf, sizeof(buf)));
	list("names", "f");
	list("names of the directory", "d");
	CHECK("list too small", listxattr("f", buf, 3));
	CHECK("list into bad memory", listxattr("d", (void *)8, 64));
	CHECK("list by descriptor", flistxattr(fd, buf, sizeof(buf)) == listxattr("f", buf, sizeof(buf)));
	CHECK("list of no descriptor", flistxattr(999, buf, sizeof(buf)));
	CHECK("list through the link", listxattr("s", NULL, 0) == flistxattr(fd, NULL, 0));
	CHECK("list of the link itself is shorter", llistxattr("s", NULL, 0) < flistxattr(fd, NULL, 0));
	CHECK("list of nothing", llistxattr("none", buf, sizeof(buf)));
	CHECK("remove", removexattr("f", "user.b"));
	CHECK("remove again", removexattr("f", "user.b"));
	CHECK("remove by descriptor", fremovexattr(fd, "user.c"));
	CHECK("remove from the link", lremovexattr("s", "user.d"));
	list("names left", "f");
	CHECK("no name", setxattr("f", "", "x", 1, 0));
	CHECK("only a prefix", setxattr("f", "user.", "x", 1, 0));
	CHECK("get only a prefix", getxattr("f", "user.", buf, 1));
	CHECK("no namespace", setxattr("f", "plain", "x", 1, 0));
	CHECK("get no namespace", getxattr("f", "plain", buf, 1));
	CHECK("unknown namespace", setxattr("f", "other.a", "x", 1, 0));
	memset(name + 5, 'n', 250);
	CHECK("longest name", setxattr("f", name, "x", 1, 0));
	CHECK("get it", getxattr("f", name, buf, sizeof(buf)));
	CHECK("remove it", removexattr("f", name));
	memset(name + 5, 'n', 251);
	CHECK("name too long", setxattr("f", name, "x", 1, 0));
	CHECK("value too long", setxattr("f", "user.big", big, 65537, 0));
	CHECK("value in bad memory", setxattr("f", "user.big", (void *)8, 64, 0));
	CHECK("get into bad memory", getxattr("f", "user.a", (void *)8, 64));
	CHECK("name in bad memory", setxattr("f", (void *)8, "x", 1, 0));
	CHECK("no file", setxattr("none", "user.a", "x", 1, 0));
	CHECK("no descriptor", fsetxattr(999, "user.a", "x", 1, 0));
	CHECK("get of no descriptor", fgetxattr(999, "user.a", buf, 1));
	CHECK("security", getxattr("f", "security.none", buf, 1));
	CHECK("trusted", getxattr("f", "trusted.none", buf, 1));
	close(fd);
	holes();
	return 0;
}
