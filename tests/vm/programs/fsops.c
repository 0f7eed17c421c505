/*
 * fsops.c - random operations on files and directories, the same ones for the same seed: what they answered, and the tree
 * that they leave, must be the same on every file system.
 *
 *   fsops DIR SEED OPS [hold]    do them (a line with a hash of all answers each tenth), then print the tree;
 *                                hold: sync, say so and wait to be killed
 *   fsops DIR                    print the tree: kind, mode, links, size, a hash of the contents, attributes
 *
 * One thread, no clock. Sizes of directories and places of holes are the file system's own and are not looked at.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define FILE_MAX (768 * 1024)

static uint64_t state, answers = 14695981039346656037ull;
static unsigned char block[65536], other[FILE_MAX + 65536];

static uint32_t rnd(uint32_t below)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)((state >> 33) % below);
}

static uint64_t mix(uint64_t h, const void *data, size_t len)
{
	const unsigned char *p = data;

	while (len--)
		h = (h ^ *p++) * 1099511628211ull;
	return h;
}

/* The answer of a call, with what it brought. */
static void note(long r, const void *data, size_t len)
{
	int64_t v[2] = { r, r < 0 ? errno : 0 };

	answers = mix(answers, v, sizeof v);
	if (r >= 0 && len)
		answers = mix(answers, data, len);
}

static int compare(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* ---- The tree ---- */

static void attributes(const char *path)
{
	char list[4096], value[4096], *names[64];
	ssize_t n = listxattr(path, list, sizeof list);
	int k = 0;

	for (char *p = list; n > 0 && p < list + n && k < 64; p += strlen(p) + 1)
		if (!strncmp(p, "user.", 5))
			names[k++] = p;
	qsort(names, (size_t)k, sizeof *names, compare);
	for (int i = 0; i < k; i++) {
		ssize_t size = getxattr(path, names[i], value, sizeof value);
		printf(" %s=%zd:%016llx", names[i], size, (unsigned long long)mix(1, value, size > 0 ? (size_t)size : 0));
	}
}

static unsigned long long contents(const char *path)
{
	int fd = open(path, O_RDONLY);
	uint64_t h = 1;
	ssize_t n;

	while ((n = read(fd, block, sizeof block)) > 0)
		h = mix(h, block, (size_t)n);
	close(fd);
	return n < 0 ? 0 : h;
}

static void tree(const char *path, const char *name)
{
	char *names[4096], sub[1024];
	struct dirent *e;
	struct stat st;
	int n = 0;

	if (lstat(path, &st)) {
		printf("%s: error %d\n", name, errno);
		return;
	}
	printf("%s %o", name, st.st_mode);
	if (S_ISREG(st.st_mode))
		printf(" links %lu size %lld %016llx", (unsigned long)st.st_nlink, (long long)st.st_size, contents(path));
	ssize_t len = S_ISLNK(st.st_mode) ? readlink(path, sub, sizeof sub - 1) : 0;
	if (len > 0)
		printf(" -> %.*s", (int)len, sub);
	if (!S_ISLNK(st.st_mode))
		attributes(path);
	putchar('\n');
	DIR *d = S_ISDIR(st.st_mode) ? opendir(path) : NULL;
	while (d && (e = readdir(d)) && n < 4096)
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..") && strcmp(e->d_name, "lost+found"))
			names[n++] = strdup(e->d_name);
	if (d)
		closedir(d);
	qsort(names, (size_t)n, sizeof *names, compare);
	for (int k = 0; k < n; k++) {
		snprintf(sub, sizeof sub, "%s/%s", path, names[k]);
		tree(sub, sub + 2);
		free(names[k]);
	}
}

/* ---- Operations ---- */

static const char *some_path(void)
{
	static char paths[4][64];
	static int k;
	char *p = paths[k++ % 4];
	uint32_t dir = rnd(6);

	if (dir < 4)
		snprintf(p, 64, "./d%u/%s%u", dir, rnd(8) ? "f" : "a-name-that-is-so-long-that-few-fit-", rnd(24));
	else if (dir == 4)
		snprintf(p, 64, "./d%u/sub%u/f%u", rnd(4), rnd(3), rnd(6));
	else
		snprintf(p, 64, "./f%u", rnd(12));
	return p;
}

static void bytes(void)
{
	uint32_t seed = rnd(65536);

	for (unsigned k = 0; k < sizeof block; k++)
		block[k] = (unsigned char)(seed + k * 31 + (k >> 8) * 7);
}

static size_t length(void) { return 1 + rnd(rnd(4) ? 5000 : rnd(4) ? 20000 : sizeof block - 1); }

/* Bytes of one open file; most operations on one, some after its name is gone. */
static void data_operations(void)
{
	const char *path = some_path();
	int fd = open(path, O_RDWR | (rnd(2) ? O_CREAT : 0) | (rnd(20) ? 0 : O_TRUNC) | (rnd(10) ? 0 : O_APPEND), 0644);
	struct stat st;

	note(fd < 0 ? -1 : 0, NULL, 0);
	if (fd < 0)
		return;
	bytes();
	for (unsigned n = 1 + rnd(6); n; n--) {
		off_t off = rnd(rnd(3) ? 60000 : FILE_MAX - 65536);
		size_t len = length();
		long r;
		switch (rnd(16)) {
		case 0: case 1: case 2: case 3: case 4:
			note(pwrite(fd, block, len, off), NULL, 0);
			break;
		case 5: case 6: case 7:
			r = pread(fd, other, len, off);
			note(r, other, r > 0 ? (size_t)r : 0);
			break;
		case 8:
			note(ftruncate(fd, rnd(3) ? off : (off_t)rnd(100)), NULL, 0);
			break;
		case 9:
			note(fallocate(fd, rnd(2) ? FALLOC_FL_KEEP_SIZE : 0, off, (off_t)len), NULL, 0);
			break;
		case 10:
			note(fallocate(fd, rnd(2) ? FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE : FALLOC_FL_ZERO_RANGE, off, (off_t)len), NULL, 0);
			break;
		case 11:
			note(rnd(2) ? fsync(fd) : fdatasync(fd), NULL, 0);
			break;
		case 12:
			if (!rnd(4))
				note(unlink(path), NULL, 0);
			break;
		case 13:
			r = fstat(fd, &st);
			note(r, &st.st_size, sizeof st.st_size);
			note((long)st.st_nlink, NULL, 0);
			break;
		default:
			/* A mapping of what is there: stores into some of it. */
			if (!fstat(fd, &st) && st.st_size > 4096) {
				size_t size = (size_t)st.st_size;
				unsigned char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
				size_t at = (size_t)off % size;
				if (p == MAP_FAILED)
					break;
				memcpy(p + at, block, size - at < len ? size - at : len);
				answers = mix(answers, p + size / 2, size - size / 2 < 3000 ? size - size / 2 : 3000);
				if (!rnd(3))
					note(msync(p, size, MS_SYNC), NULL, 0);
				munmap(p, size);
			}
		}
	}
	close(fd);
}

static void attribute_operation(void)
{
	const char *path = some_path();
	static char value[3000];
	char name[40];
	long r;

	snprintf(name, sizeof name, "user.n%u", rnd(5));
	switch (rnd(4)) {
	case 0:
		r = getxattr(path, name, other, sizeof other);
		note(r, other, r > 0 ? (size_t)r : 0);
		break;
	case 1:
		note(removexattr(path, name), NULL, 0);
		break;
	default:
		memset(value, (int)rnd(256), sizeof value);
		note(setxattr(path, name, value, rnd(3) ? rnd(60) : rnd(500), (int)rnd(3)), NULL, 0);
	}
}

static void list_operation(void)
{
	char path[16], *names[512];
	struct dirent *e;
	int n = 0;

	snprintf(path, sizeof path, "./d%u", rnd(4));
	DIR *d = opendir(path);
	note(d ? 0 : -1, NULL, 0);
	while (d && (e = readdir(d)) && n < 512)
		names[n++] = strdup(e->d_name);
	if (d)
		closedir(d);
	qsort(names, (size_t)n, sizeof *names, compare);
	for (int k = 0; k < n; k++) {
		answers = mix(answers, names[k], strlen(names[k]));
		free(names[k]);
	}
}

static void name_operation(void)
{
	static const char text[] = "a target that is longer than the sixty bytes which fit into an inode itself";
	const char *a = some_path(), *b = some_path();
	char dir[32];
	struct stat st;
	long r;

	snprintf(dir, sizeof dir, "./d%u/sub%u", rnd(4), rnd(3));
	switch (rnd(14)) {
	case 0: case 1: note(unlink(a), NULL, 0); break;
	case 2: case 3: note(rename(a, b), NULL, 0); break;
	case 4: note(renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE), NULL, 0); break;
	case 5: note(renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_NOREPLACE), NULL, 0); break;
	case 6: note(link(a, b), NULL, 0); break;
	case 7: note(symlink(rnd(2) ? "f1" : text, a), NULL, 0); break;
	case 8: r = readlink(a, (char *)other, 200); note(r, other, r > 0 ? (size_t)r : 0); break;
	case 9: note(mkdir(dir, 0755), NULL, 0); break;
	case 10: note(rnd(3) ? rmdir(dir) : rename(dir, rnd(2) ? "./d1/sub1" : a), NULL, 0); break;
	case 11: note(chmod(a, 0600 | rnd(0100)), NULL, 0); break;
	case 12: list_operation(); break;
	default:
		r = lstat(a, &st);
		note(r, &st.st_mode, sizeof st.st_mode);
	}
}

int main(int argc, char **argv)
{
	if (argc < 2 || chdir(argv[1])) {
		fprintf(stderr, "usage: fsops DIR [SEED OPS [hold]]\n");
		return 2;
	}
	long ops = argc > 3 ? atol(argv[3]) : 0;
	umask(022);
	state = argc > 2 ? (uint64_t)atol(argv[2]) * 7919 + 1 : 1;
	for (int k = 0; k < 4 && ops; k++) {
		char dir[8];
		snprintf(dir, sizeof dir, "d%d", k);
		mkdir(dir, 0755);
	}
	for (long k = 0; k < ops; k++) {
		uint32_t what = rnd(100);
		if (what < 45)
			data_operations();
		else if (what < 88)
			name_operation();
		else
			attribute_operation();
		if ((k + 1) % ((ops + 9) / 10) == 0)
			printf("%ld: %016llx\n", k + 1, (unsigned long long)answers);
		fflush(stdout);
	}
	tree(".", ".");
	if (argc > 4) {
		sync();
		printf("held\n");
		fflush(stdout);
		pause();
	}
	return 0;
}
