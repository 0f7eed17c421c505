/*
 * image_open.c - opening an image: nothing of it is believed before it is checked.
 *
 * (I1) Every partition's bytes are hashed against its GUID once; a mark in the
 *      cache, named by the file's identity and times, saves the second time.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/cache.h"
#include "image/erofs.h"
#include "image/image.h"
#include "shared/bootconf.h"
#include "shared/image.h"
#include "util/err.h"
#include "util/file.h"
#include "util/hash.h"

#define META_MAX (64u << 20)

uint64_t image_elf_len(int fd, uint64_t offset, uint64_t max)
{
	Elf64_Ehdr ehdr;
	uint64_t len;

	if (max < sizeof ehdr || file_pread_all(fd, &ehdr, sizeof ehdr, offset) < 0 || memcmp(ehdr.e_ident, ELFMAG, SELFMAG) ||
	    ehdr.e_ident[EI_CLASS] != ELFCLASS64 || ehdr.e_machine != EM_X86_64 || ehdr.e_phentsize != sizeof(Elf64_Phdr))
		return 0;
	len = sizeof ehdr;
	if (ehdr.e_shoff <= max && (uint64_t)ehdr.e_shentsize * ehdr.e_shnum <= max - ehdr.e_shoff)
		len = ehdr.e_shoff + (uint64_t)ehdr.e_shentsize * ehdr.e_shnum;
	for (unsigned int i = 0; i < ehdr.e_phnum; i++) {
		Elf64_Phdr phdr;

		if (ehdr.e_phoff > max || file_pread_all(fd, &phdr, sizeof phdr, offset + ehdr.e_phoff + i * sizeof phdr) < 0 ||
		    phdr.p_filesz > max || phdr.p_offset > max - phdr.p_filesz)
			return 0;
		if (phdr.p_offset + phdr.p_filesz > len)
			len = phdr.p_offset + phdr.p_filesz;
	}
	return len;
}

static const struct gpt_part *part_find(const struct gpt *gpt, const char *type)
{
	struct gpt_guid guid = gpt_guid_from_text(type);

	for (size_t i = 0; i < gpt->count; i++) {
		if (!memcmp(&gpt->parts[i].type, &guid, sizeof guid))
			return &gpt->parts[i];
	}
	return NULL;
}

/* Each partition against its GUID, the disk's GUID against all. Keeps (I1). */
static const char *contents_check(const struct image *image)
{
	char key[65], *cache, *mark = NULL;
	uint8_t digest[HASH_LEN];
	struct hash all, one;
	struct gpt_guid guid;
	struct stat st;

	if (fstat(image->fd, &st) == 0 && file_cache_dir(&cache) == 0) {
		cache_file_key(&st, key);
		mark = xasprintf("%s/good-%s", cache, key);
		free(cache);
		if (utimensat(AT_FDCWD, mark, NULL, 0) == 0) {
			free(mark);
			return NULL;
		}
	}
	hash_init(&all);
	for (size_t i = 0; i < image->gpt.count; i++) {
		const struct gpt_part *part = &image->gpt.parts[i];

		hash_init(&one);
		if (hash_add_file(&one, image->fd, part->offset, part->len) < 0) {
			free(mark);
			return "it is cut off";
		}
		hash_end(&one, digest);
		hash_add(&all, digest, HASH_LEN);
		guid = gpt_guid_from_digest(digest);
		if (memcmp(&guid, &part->unique, sizeof guid)) {
			free(mark);
			return "its contents were altered";
		}
	}
	hash_end(&all, digest);
	guid = gpt_guid_from_digest(digest);
	if (mark && !memcmp(&guid, &image->gpt.disk, sizeof guid)) {
		int fd = open(mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

		if (fd >= 0)
			close(fd);
	}
	free(mark);
	return memcmp(&guid, &image->gpt.disk, sizeof guid) ? "its contents were altered" : NULL;
}

static const char *conf_read(struct image *image, const struct gpt_part *part)
{
	struct buf block = { 0 };
	bool good;

	if (part->len > BOOTCONF_MAX)
		return "its configuration is damaged";
	buf_zero(&block, (size_t)part->len);
	good = file_pread_all(image->fd, block.data, block.len, part->offset) == 0 &&
	       bootconf_parse(block.data, block.len, &image->conf);
	buf_free(&block);
	return good ? NULL : "its configuration is damaged";
}

static void meta_read(struct image *image, const struct gpt_part *part)
{
	struct buf text = { 0 };

	if (part && part->len <= META_MAX) {
		buf_zero(&text, (size_t)part->len);
		if (file_pread_all(image->fd, text.data, text.len, part->offset) == 0)
			image->meta = json_loads(text.data, 0, NULL);
		buf_free(&text);
	}
	if (!json_is_object(image->meta)) {
		json_decref(image->meta);
		image->meta = json_object();
	}
}

static const char *image_read(struct image *image)
{
	const struct gpt_part *kernel, *conf, *root;
	struct erofs_facts facts;
	const char *wrong = gpt_read(image->fd, image->file_len, &image->gpt);

	if (wrong)
		return wrong;
	kernel = part_find(&image->gpt, PITH_GUID_KERNEL);
	conf = part_find(&image->gpt, PITH_GUID_CONFIG);
	root = part_find(&image->gpt, PITH_GUID_ROOT);
	if (!kernel || !conf || !root)
		return "it is a disk, but not one made by pith build";
	wrong = contents_check(image);
	if (!wrong)
		wrong = conf_read(image, conf);
	if (wrong)
		return wrong;
	image->kernel_offset = kernel->offset;
	image->kernel_len = image_elf_len(image->fd, kernel->offset, kernel->len);
	if (!image->kernel_len)
		return "its kernel is damaged";
	if (!erofs_facts_read(image->fd, root->offset, &facts) || facts.len > root->len)
		return "its root is damaged";
	image->root_offset = root->offset;
	image->root_len = facts.len;
	image->root_inodes = facts.inodes;
	meta_read(image, part_find(&image->gpt, PITH_GUID_META));
	return NULL;
}

int image_open(const char *path, struct image *ret_image)
{
	const char *wrong;
	struct stat st;

	*ret_image = (struct image){ .fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) };
	if (ret_image->fd < 0)
		return err_report(errno == ENOENT ? PITH_NOT_FOUND : PITH_CANNOT_RUN, path, "cannot open: %s; check the path", strerror(errno));
	if (fstat(ret_image->fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		image_close(ret_image);
		return err_report(PITH_CANNOT_RUN, path, "no image: not a regular file; give one made by pith build");
	}
	ret_image->file_len = (uint64_t)st.st_size;
	wrong = image_read(ret_image);
	if (wrong) {
		image_close(ret_image);
		return err_report(PITH_CANNOT_RUN, path, "no good image: %s; build it again with pith build, or copy it again", wrong);
	}
	return 0;
}

void image_close(struct image *image)
{
	if (image->fd >= 0)
		close(image->fd);
	bootconf_free(&image->conf);
	json_decref(image->meta);
	*image = (struct image){ .fd = -1 };
}
