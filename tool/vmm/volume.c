/*
 * volume.c - opening and locking volumes (flock(2): the lock goes with the process, however it ends).
 */
#include "vmm/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "util/err.h"
#include "util/file.h"

#define EXT4_MAGIC_AT (1024 + 56)

static int looks_right(const char *path, int fd)
{
	uint8_t magic[2];

	if (file_pread_all(fd, magic, sizeof magic, EXT4_MAGIC_AT) < 0 || magic[0] != 0x53 || magic[1] != 0xef)
		return err_report(PITH_FAILED, path, "no ext4 volume; pith volume create -s SIZE %s makes one", path);
	return 0;
}

int volume_open(const char *path, bool readonly, int *ret_fd)
{
	int fd = open(path, (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC), status;

	if (fd < 0 && errno == ENOENT)
		return err_report(PITH_FAILED, path, "no such volume; pith volume create -s SIZE %s makes one", path);
	if (fd < 0)
		return err_report(PITH_FAILED, path, "cannot open the volume: %s", strerror(errno));
	status = looks_right(path, fd);
	if (!status && flock(fd, (readonly ? LOCK_SH : LOCK_EX) | LOCK_NB))
		status = errno == EWOULDBLOCK ? err_report(PITH_FAILED, path, "the volume is in use by another machine; one at a time may write it") :
						err_report(PITH_FAILED, path, "cannot lock the volume: %s", strerror(errno));
	if (status)
		close(fd);
	else
		*ret_fd = fd;
	return status;
}
