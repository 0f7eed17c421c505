/*
 * image_write.c - laying out and writing an image.
 *
 *   0        MBR, GPT
 *   1 MiB    kernel
 *   ...      configuration: always 1 MiB, so that the root's place, which stands
 *            in it, does not depend on its length
 *   ...      root
 *   ...      hash tree
 *   ...      meta
 *   ...      seal
 *   end      the second GPT in a last MiB of its own
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/image.h"
#include "shared/bootconf.h"
#include "shared/image.h"
#include "util/err.h"
#include "util/file.h"
#include "util/hash.h"

static uint64_t align_up(uint64_t value)
{
	return (value + PITH_IMAGE_ALIGN - 1) / PITH_IMAGE_ALIGN * PITH_IMAGE_ALIGN;
}

static int file_len_get(const char *path, int *ret_fd, uint64_t *ret_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		int error = errno;

		if (fd >= 0)
			close(fd);
		return err_report(PITH_FAILED, path, "cannot open: %s", strerror(error));
	}
	*ret_fd = fd;
	*ret_len = (uint64_t)st.st_size;
	return 0;
}

static void part_add(struct gpt *gpt, const char *type, const char *name, uint64_t len)
{
	struct gpt_part *part = &gpt->parts[gpt->count];
	const struct gpt_part *before = gpt->count ? part - 1 : NULL;

	gpt->count++;
	part->type = gpt_guid_from_text(type);
	part->offset = before ? before->offset + align_up(before->len) : PITH_IMAGE_ALIGN;
	part->len = align_up(len ? len : 1);
	strcpy(part->name, name);
	gpt->disk_len = part->offset + part->len + PITH_IMAGE_ALIGN;
}

/* Each partition's GUID from its bytes, the disk's from the partitions' digests. */
static int guids_make(int fd, struct gpt *gpt)
{
	uint8_t digest[HASH_LEN];
	struct hash all, one;
	int error = 0;

	hash_init(&all);
	for (size_t i = 0; i < gpt->count && !error; i++) {
		hash_init(&one);
		error = hash_add_file(&one, fd, gpt->parts[i].offset, gpt->parts[i].len);
		hash_end(&one, digest);
		gpt->parts[i].unique = gpt_guid_from_digest(digest);
		hash_add(&all, digest, HASH_LEN);
	}
	hash_end(&all, digest);
	gpt->disk = gpt_guid_from_digest(digest);
	return error;
}

enum { KERNEL, CONFIG, ROOT, TREE, META, SEAL };

/* The root and its tree, whose hash goes into the configuration, then all else but the seal. */
static int contents_write(int fd, const struct gpt *gpt, int kernel_fd, uint64_t kernel_len, int root_fd, struct bootconf *conf, const char *meta)
{
	struct verity v = { .data_offset = conf->root_offset, .data_len = conf->root_len, .offset = gpt->parts[TREE].offset };
	int error = ftruncate(fd, (off_t)gpt->disk_len) < 0 ? -errno : 0;
	struct buf block = { 0 };

	if (!error)
		error = file_copy_range(kernel_fd, 0, fd, gpt->parts[KERNEL].offset, kernel_len);
	if (!error)
		error = file_copy_range(root_fd, 0, fd, v.data_offset, v.data_len);
	if (!error)
		error = verity_write(fd, &v);
	if (!error) {
		free(conf->verity);
		conf->verity = verity_text(&v);
		error = bootconf_make(conf, &block) ? -E2BIG : 0;
	}
	if (!error)
		error = file_pwrite_all(fd, block.data, block.len, gpt->parts[CONFIG].offset);
	if (!error)
		error = file_pwrite_all(fd, meta, strlen(meta), gpt->parts[META].offset);
	buf_free(&block);
	return error;
}

static int seal_write(int fd, struct gpt *gpt, const struct sign_key *key, const char *path)
{
	struct buf seal = { 0 };
	int status = seal_make(fd, gpt, key, path, &seal), error;

	if (status)
		return status;
	error = file_pwrite_all(fd, seal.data, seal.len, gpt->parts[SEAL].offset);
	if (!error)
		error = guids_make(fd, gpt);
	if (!error)
		error = gpt_write(fd, gpt);
	buf_free(&seal);
	return error ? err_report(PITH_FAILED, path, "cannot write: %s; choose another place", strerror(-error)) : 0;
}

int image_write(const char *path, const struct image_spec *spec)
{
	int kernel_fd = -1, root_fd = -1, status, error;
	uint64_t kernel_len = 0, root_len = 0;
	struct gpt gpt = { 0 };
	struct file_atomic out;
	char *meta = json_dumps(spec->meta, JSON_COMPACT | JSON_SORT_KEYS);

	status = file_len_get(spec->kernel_path, &kernel_fd, &kernel_len);
	if (!status)
		status = file_len_get(spec->root_path, &root_fd, &root_len);
	if (!status) {
		part_add(&gpt, PITH_GUID_KERNEL, "pith-kernel", kernel_len);
		part_add(&gpt, PITH_GUID_CONFIG, "pith-config", BOOTCONF_MAX);
		part_add(&gpt, PITH_GUID_ROOT, "pith-root", root_len);
		part_add(&gpt, PITH_GUID_VERITY, "pith-verity", verity_len(root_len));
		part_add(&gpt, PITH_GUID_META, "pith-meta", meta ? strlen(meta) : 0);
		part_add(&gpt, PITH_GUID_SEAL, "pith-seal", 1);
		gpt.disk_len += align_up(seal_len(&gpt)) - gpt.parts[SEAL].len;
		gpt.parts[SEAL].len = align_up(seal_len(&gpt));
		spec->conf->root_offset = gpt.parts[ROOT].offset;
		spec->conf->root_len = root_len;
	}
	if (!status)
		status = file_atomic_open(&out, path);
	if (!status) {
		error = contents_write(out.fd, &gpt, kernel_fd, kernel_len, root_fd, spec->conf, meta ? meta : "{}");
		if (error && error != -E2BIG)
			err_report(PITH_FAILED, path, "cannot write: %s; choose another place", strerror(-error));
		status = error == -E2BIG ? PITH_USAGE : error ? PITH_FAILED : seal_write(out.fd, &gpt, spec->key, path);
		if (status)
			file_atomic_abort(&out);
		else
			status = file_atomic_commit(&out);
	}
	if (kernel_fd >= 0)
		close(kernel_fd);
	if (root_fd >= 0)
		close(root_fd);
	free(meta);
	return status;
}
