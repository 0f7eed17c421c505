/*
 * cmd_volume.c - pith volume: making, checking, listing and copying ext4 volumes on the host, with e2fsprogs: mke2fs and
 * e2fsck as programs, its library for looking inside.
 *
 *   pith volume create -s SIZE [--from DIR] FILE     check FILE     ls FILE [PATH]
 *   pith volume cp FILE:/PATH DEST                   cp SRC FILE:/PATH
 *
 * Everything takes the volume's lock, so that it is not in use by a machine meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <ext2fs/ext2fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "util/child.h"
#include "util/err.h"
#include "util/file.h"
#include "util/str.h"
#include "vmm/volume.h"

#define SIZE_LEAST (8ull << 20) /* below that mke2fs makes no journal */

/* e2fsprogs lie where root's PATH leads; others may use them on files of their own. */
static int tool_run(char **argv, struct buf *ret_output)
{
	const char *path = getenv("PATH");
	char *wider = xasprintf("%s:/usr/sbin:/sbin", path ? path : "/usr/bin:/bin");
	int status;

	setenv("PATH", wider, 1);
	status = child_run(argv, ret_output);
	free(wider);
	if (status == -ENOENT)
		return err_report(PITH_FAILED, argv[0], "not found; install it: apt-get install e2fsprogs");
	return status;
}

/* ---- create ---- */

static int create(int argc, char **argv)
{
	const char *size_text = NULL, *from = NULL, *path = NULL;
	struct buf output = { 0 };
	uint64_t size;
	int fd, status;

	for (int i = 1; i < argc; i++) {
		if ((!strcmp(argv[i], "-s") || !strcmp(argv[i], "--size")) && i + 1 < argc)
			size_text = argv[++i];
		else if (!strcmp(argv[i], "--from") && i + 1 < argc)
			from = argv[++i];
		else if (argv[i][0] == '-' || path)
			return err_report(PITH_USAGE, argv[i], "not understood; pith volume create -s SIZE [--from DIR] FILE");
		else
			path = argv[i];
	}
	if (!path || !size_text)
		return err_report(PITH_USAGE, "volume create", "give a size and a file: pith volume create -s 1G data.img");
	if (!str_size(size_text, &size) || size < SIZE_LEAST)
		return err_report(PITH_USAGE, size_text, "no size for a volume; write it as 64M or 10G, at least 8M");
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_report(PITH_FAILED, path, "cannot make it: %s", strerror(errno));
	status = ftruncate(fd, (off_t)size) ? err_report(PITH_FAILED, path, "cannot make it that large: %s", strerror(errno)) : 0;
	close(fd);
	if (!status) {
		/* Block size 4096 whatever the size: pages of the cache are blocks of the volume then. */
		char *plain[] = { "mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", (char *)path, NULL };
		char *filled[] = { "mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-d", (char *)from, (char *)path, NULL };

		status = tool_run(from ? filled : plain, &output);
		if (status > 0 && status != PITH_FAILED)
			status = err_report(PITH_FAILED, path, "mke2fs failed: %.*s", (int)strcspn(output.data ? output.data : "", "\n"),
					    output.data ? output.data : "");
	}
	buf_free(&output);
	if (status)
		unlink(path);
	return status;
}

/* ---- check ---- */

static int check(int argc, char **argv)
{
	struct buf output = { 0 };
	int fd, status;

	if (argc != 2)
		return err_report(PITH_USAGE, "volume check", "name one file: pith volume check FILE");
	status = volume_open(argv[1], false, &fd);
	if (status)
		return status;
	/* -p: replay the journal and mend what can be mended without a question, as at a Linux boot. */
	status = tool_run((char *[]){ "e2fsck", "-f", "-p", argv[1], NULL }, &output);
	if (output.data)
		fputs(output.data, stdout);
	if (status > 1)
		status = err_report(PITH_FAILED, argv[1], "e2fsck found errors that need a decision; run e2fsck -f %s", argv[1]);
	else if (status == 1)
		status = 0; /* mended */
	close(fd);
	buf_free(&output);
	return status;
}

/* ---- ls and cp ---- */

/* Opens the file system of a locked volume. */
static int fs_open(const char *path, bool write, int *ret_fd, ext2_filsys *ret_fs)
{
	errcode_t error;
	int status = volume_open(path, !write, ret_fd);

	if (status)
		return status;
	error = ext2fs_open(path, (write ? EXT2_FLAG_RW : 0) | EXT2_FLAG_64BITS | EXT2_FLAG_SOFTSUPP_FEATURES, 0, 0, unix_io_manager, ret_fs);
	if (!error && ext2fs_has_feature_journal_needs_recovery((*ret_fs)->super)) {
		ext2fs_close_free(ret_fs);
		status = err_report(PITH_FAILED, path, "its journal must be replayed first; run pith volume check %s", path);
	} else if (error) {
		status = err_report(PITH_FAILED, path, "cannot read the volume: %s", error_message(error));
	}
	if (!status && write) {
		error = ext2fs_read_bitmaps(*ret_fs);
		if (error) {
			ext2fs_close_free(ret_fs);
			status = err_report(PITH_FAILED, path, "cannot read its bitmaps: %s", error_message(error));
		}
	}
	if (status)
		close(*ret_fd);
	return status;
}

static int fs_done(const char *path, int fd, ext2_filsys fs, int status)
{
	errcode_t error = ext2fs_close_free(&fs);

	close(fd);
	if (error && !status)
		status = err_report(PITH_FAILED, path, "cannot write the volume: %s", error_message(error));
	return status;
}

static int ls_entry(ext2_ino_t dir, int entry, struct ext2_dir_entry *d, int offset, int block_size, char *buf, void *private)
{
	ext2_filsys fs = private;
	struct ext2_inode inode;
	char when[32], name[EXT2_NAME_LEN + 1];
	int len = ext2fs_dirent_name_len(d);
	time_t mtime;
	struct tm tm;

	(void)dir, (void)entry, (void)offset, (void)block_size, (void)buf;
	snprintf(name, sizeof name, "%.*s", len, d->name);
	for (char *p = name; *p; p++)
		*p = (unsigned char)*p < ' ' ? '?' : *p;
	if (!strcmp(name, ".") || !strcmp(name, "..") || ext2fs_read_inode(fs, d->inode, &inode))
		return 0;
	mtime = inode.i_mtime;
	gmtime_r(&mtime, &tm);
	strftime(when, sizeof when, "%Y-%m-%d %H:%M", &tm);
	printf("%c%03o %12llu %s %s\n", LINUX_S_ISDIR(inode.i_mode) ? 'd' : LINUX_S_ISLNK(inode.i_mode) ? 'l' : '-', inode.i_mode & 0777u,
	       (unsigned long long)EXT2_I_SIZE(&inode), when, name);
	return 0;
}

static int ls(int argc, char **argv)
{
	const char *path = argc > 2 ? argv[2] : "/";
	ext2_filsys fs;
	ext2_ino_t ino;
	errcode_t error;
	int fd, status;

	if (argc < 2 || argc > 3)
		return err_report(PITH_USAGE, "volume ls", "name a volume: pith volume ls FILE [PATH]");
	status = fs_open(argv[1], false, &fd, &fs);
	if (status)
		return status;
	error = ext2fs_namei_follow(fs, EXT2_ROOT_INO, EXT2_ROOT_INO, path, &ino);
	if (!error)
		error = ext2fs_dir_iterate2(fs, ino, 0, NULL, ls_entry, fs);
	if (error)
		status = err_report(PITH_FAILED, path, "cannot be listed: %s", error_message(error));
	return fs_done(argv[1], fd, fs, status);
}

static int copy_out(ext2_filsys fs, const char *inside, const char *outside)
{
	struct file_atomic out;
	ext2_file_t file;
	ext2_ino_t ino;
	char block[65536];
	uint64_t at = 0;
	unsigned int got = 0;
	errcode_t error = ext2fs_namei_follow(fs, EXT2_ROOT_INO, EXT2_ROOT_INO, inside, &ino);
	int status;

	if (!error)
		error = ext2fs_check_directory(fs, ino) ? ext2fs_file_open(fs, ino, 0, &file) : EXT2_ET_FILE_EXISTS;
	if (error)
		return err_report(PITH_FAILED, inside, "no such file in the volume: %s", error_message(error));
	status = file_atomic_open(&out, outside);
	while (!status) {
		error = ext2fs_file_read(file, block, sizeof block, &got);
		if (error)
			status = err_report(PITH_FAILED, inside, "cannot be read: %s", error_message(error));
		if (error || !got)
			break;
		if (file_pwrite_all(out.fd, block, got, at) < 0)
			status = err_report(PITH_FAILED, outside, "cannot be written; check the room there");
		at += got;
	}
	ext2fs_file_close(file);
	if (!status)
		return file_atomic_commit(&out);
	file_atomic_abort(&out);
	return status;
}

/* The directory and the name of a path inside; name points into path. */
static errcode_t parent_of(ext2_filsys fs, const char *path, ext2_ino_t *ret_dir, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	char *dir = xasprintf("%.*s", (int)(slash - path), path);
	errcode_t error = ext2fs_namei_follow(fs, EXT2_ROOT_INO, EXT2_ROOT_INO, *dir ? dir : "/", ret_dir);

	*ret_name = slash + 1;
	free(dir);
	return error;
}

static int block_unmake(ext2_filsys fs, blk64_t *block, e2_blkcnt_t count, blk64_t ref, int ref_offset, void *private)
{
	(void)count, (void)ref, (void)ref_offset, (void)private;
	ext2fs_block_alloc_stats2(fs, *block, -1);
	return 0;
}

/* What was copied in part goes again: its name, its blocks, its inode. */
static void inode_unmake(ext2_filsys fs, ext2_ino_t dir, const char *name, ext2_ino_t ino)
{
	struct ext2_inode inode;

	if (ext2fs_unlink(fs, dir, name, ino, 0) || ext2fs_block_iterate3(fs, ino, BLOCK_FLAG_READ_ONLY, NULL, block_unmake, NULL) ||
	    ext2fs_read_inode(fs, ino, &inode))
		return;
	inode.i_links_count = 0;
	inode.i_dtime = (uint32_t)time(NULL);
	if (!ext2fs_write_inode(fs, ino, &inode))
		ext2fs_inode_alloc_stats2(fs, ino, -1, 0);
}

/* A new, empty file in a directory, owned by the program's identity. */
static errcode_t inode_make(ext2_filsys fs, ext2_ino_t dir, const char *name, mode_t mode, ext2_ino_t *ret_ino)
{
	struct ext2_inode inode = { 0 };
	ext2_extent_handle_t extents;
	errcode_t error = ext2fs_new_inode(fs, dir, mode, 0, ret_ino);

	if (error)
		return error;
	error = ext2fs_link(fs, dir, name, *ret_ino, EXT2_FT_REG_FILE);
	if (error == EXT2_ET_DIR_NO_SPACE && !(error = ext2fs_expand_dir(fs, dir)))
		error = ext2fs_link(fs, dir, name, *ret_ino, EXT2_FT_REG_FILE);
	if (error)
		return error;
	ext2fs_inode_alloc_stats2(fs, *ret_ino, 1, 0);
	inode.i_mode = (mode & 0777) | LINUX_S_IFREG;
	inode.i_uid = inode.i_gid = 1000;
	inode.i_links_count = 1;
	inode.i_mtime = inode.i_ctime = inode.i_atime = (uint32_t)time(NULL);
	if (ext2fs_has_feature_extents(fs->super))
		inode.i_flags |= EXT4_EXTENTS_FL;
	error = ext2fs_write_new_inode(fs, *ret_ino, &inode);
	if (!error && ext2fs_has_feature_extents(fs->super)) {
		error = ext2fs_extent_open2(fs, *ret_ino, &inode, &extents);
		if (!error) {
			error = ext2fs_write_inode(fs, *ret_ino, &inode);
			ext2fs_extent_free(extents);
		}
	}
	return error;
}

static int copy_in(ext2_filsys fs, const char *outside, const char *inside)
{
	const char *name;
	ext2_ino_t dir, ino;
	ext2_file_t file;
	char block[65536];
	struct stat st;
	errcode_t error;
	ssize_t n = 0;
	int status = 0, fd = open(outside, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		if (fd >= 0)
			close(fd);
		return err_report(PITH_FAILED, outside, "no file that can be read; directories are filled with volume create --from");
	}
	error = parent_of(fs, inside, &dir, &name);
	if (!error && (!*name || !ext2fs_lookup(fs, dir, name, (int)strlen(name), NULL, &ino))) {
		close(fd);
		return err_report(PITH_FAILED, inside, "there is such a name already, or none is given");
	}
	if (!error)
		error = inode_make(fs, dir, name, st.st_mode, &ino);
	if (!error)
		error = ext2fs_file_open(fs, ino, EXT2_FILE_WRITE, &file);
	if (!error) {
		while (!error && (n = read(fd, block, sizeof block)) > 0) {
			unsigned int put;
			for (ssize_t at = 0; at < n && !error; at += put)
				error = ext2fs_file_write(file, block + at, (unsigned int)(n - at), &put);
		}
		errcode_t closed = ext2fs_file_close(file);
		error = error ? error : closed;
		if (error || n < 0)
			inode_unmake(fs, dir, name, ino);
	}
	if (error || n < 0)
		status = err_report(PITH_FAILED, inside, "cannot be written: %s", error ? error_message(error) : strerror(errno));
	close(fd);
	return status;
}

static int cp(int argc, char **argv)
{
	char *volume = NULL, *inside = NULL;
	bool in;
	ext2_filsys fs;
	int fd, status;

	if (argc != 3)
		return err_report(PITH_USAGE, "volume cp", "pith volume cp FILE:/PATH DEST, or pith volume cp SRC FILE:/PATH");
	in = strstr(argv[2], ":/") != NULL;
	volume = xstrdup(argv[in ? 2 : 1]);
	inside = strstr(volume, ":/");
	if (!inside || (in && strstr(argv[1], ":/"))) {
		free(volume);
		return err_report(PITH_USAGE, "volume cp", "one of the two is a place in a volume, written as FILE:/PATH");
	}
	*inside++ = '\0';
	status = fs_open(volume, in, &fd, &fs);
	if (!status)
		status = fs_done(volume, fd, fs, in ? copy_in(fs, argv[1], inside) : copy_out(fs, inside, argv[2]));
	free(volume);
	return status;
}

int cmd_volume(int argc, char **argv)
{
	static const struct { const char *name; int (*run)(int argc, char **argv); } verbs[] = {
		{ "create", create }, { "check", check }, { "ls", ls }, { "cp", cp },
	};

	initialize_ext2_error_table();       /* else error_message knows only numbers */
	if (argc && (!strcmp(argv[0], "-h") || !strcmp(argv[0], "--help")))
		return cmd_help(1, (char *[]){ "volume" });
	for (size_t i = 0; argc && i < sizeof verbs / sizeof *verbs; i++) {
		if (!strcmp(argv[0], verbs[i].name))
			return verbs[i].run(argc, argv);
	}
	return err_report(PITH_USAGE, "volume", "pith volume create|check|ls|cp; pith help volume tells more");
}
