/*
 * image_open.c - opening an image: nothing of it is believed before it is checked.
 *
 * (I1) All bytes are checked once (image_check.h); a mark in the cache, named by
 *      the file's identity and times, saves the second time.
 * (I2) What is used of the small partitions, the kernel and the configuration above all, is
 *      the very bytes whose digest the seal has: nobody can change them between a look and
 *      the use. The root's bytes the kernel checks, by the root hash in the configuration.
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
#include "image/image_check.h"
#include "shared/bootconf.h"
#include "shared/image.h"
#include "util/err.h"
#include "util/file.h"
#include "util/hash.h"

#define META_MAX   (64u << 20)
#define KERNEL_MAX (64u << 20)

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

/* Where the mark is that says "all was good"; NULL where there can be none. */
static char *mark_path(const struct image *image)
{
	char key[65], *cache, *mark = NULL;
	struct stat st;

	if (fstat(image->fd, &st) == 0 && file_cache_dir(&cache) == 0) {
		cache_file_key(&st, key);
		mark = xasprintf("%s/good-%s", cache, key);
		free(cache);
	}
	return mark;
}

/* All bytes, once. Keeps (I1). */
static char *contents_check(const struct image *image, unsigned int flags)
{
	char *mark = mark_path(image), *wrong = NULL;
	struct image_fault fault;
	int fd;

	if (mark && !(flags & IMAGE_CHECK_ALWAYS) && utimensat(AT_FDCWD, mark, NULL, 0) == 0) {
		free(mark);
		return NULL;
	}
	if (!image_check_all(image->fd, image->file_len, &image->gpt, &image->seal, &image->verity, &fault)) {
		wrong = image_fault_text(&image->gpt, &fault);
	} else if (mark) {
		fd = open(mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		if (fd >= 0)
			close(fd);
	}
	free(mark);
	return wrong;
}

/* A partition's bytes, if they are what the seal says. Keeps (I2). */
static bool part_read(const struct image *image, const struct gpt_part *part, size_t max, struct buf *ret_bytes)
{
	uint8_t digest[HASH_LEN];
	struct hash h;

	if (!part || part->len > max)
		return false;
	buf_zero(ret_bytes, (size_t)part->len);
	if (file_pread_all(image->fd, ret_bytes->data, ret_bytes->len, part->offset)) {
		buf_free(ret_bytes);
		return false;
	}
	hash_init(&h);
	hash_add(&h, ret_bytes->data, ret_bytes->len);
	hash_end(&h, digest);
	if (!memcmp(digest, image->seal.digests[part - image->gpt.parts], HASH_LEN))
		return true;
	buf_free(ret_bytes);
	return false;
}

/* Keeps (I2). What the configuration is wrong about is found later, if its bytes are not what the seal says. */
static void conf_read(struct image *image, const struct gpt_part *part, const struct gpt_part *root, const struct gpt_part *tree, bool *ret_good)
{
	struct buf block = { 0 };

	*ret_good = part_read(image, part, BOOTCONF_MAX, &block) && bootconf_parse(block.data, block.len, &image->conf) && image->conf.verity &&
		    verity_parse(image->conf.verity, &image->verity) && image->verity.offset == tree->offset &&
		    image->conf.root_offset == root->offset && image->conf.root_len % VERITY_BLOCK == 0 && image->conf.root_len <= root->len &&
		    verity_len(image->conf.root_len) <= tree->len;
	image->verity.data_offset = image->conf.root_offset;
	image->verity.data_len = image->conf.root_len;
	buf_free(&block);
}

int image_kernel_read(const struct image *image, const char *path, struct buf *ret_kernel)
{
	if (!part_read(image, part_find(&image->gpt, PITH_GUID_KERNEL), KERNEL_MAX, ret_kernel))
		return err_report(PITH_CANNOT_RUN, path, "no good image: its contents were altered: pith-kernel; build it again with pith build, or copy it again");
	ret_kernel->len = (size_t)image->kernel_len;
	return 0;
}

int image_signed_check(const struct image *image, const char *path, const uint8_t public[SIGN_KEY_LEN])
{
	const struct seal *seal = &image->seal;
	bool good;
	int status;

	if (!seal->is_signed)
		return err_report(PITH_CANNOT_RUN, path, "it is not signed; sign it: pith build --sign KEY");
	if (memcmp(seal->key, public, SIGN_KEY_LEN))
		return err_report(PITH_CANNOT_RUN, path, "it is signed with another key; get the right public key, or do not trust it");
	status = sign_check(public, seal->all.data, seal->signed_len, seal->signature, &good);
	if (!status && !good)
		status = err_report(PITH_CANNOT_RUN, path, "its signature is false: pith-seal; do not trust it");
	return status;
}

static void meta_read(struct image *image, const struct gpt_part *part)
{
	struct buf text = { 0 };

	if (part_read(image, part, META_MAX, &text))
		image->meta = json_loads(text.data, 0, NULL);
	buf_free(&text);
	if (!json_is_object(image->meta)) {
		json_decref(image->meta);
		image->meta = json_object();
	}
}

/* The first table, or where it is damaged. */
static char *table_read(struct image *image)
{
	const char *wrong = gpt_read(image->fd, image->file_len, &image->gpt);
	struct image_fault fault;

	if (wrong && image_check_first_table(image->fd, image->file_len, &fault))
		return image_fault_text(&image->gpt, &fault);
	return wrong ? xstrdup(wrong) : NULL;
}

/* NULL, or what is wrong: the caller frees it. */
static char *image_read(struct image *image, unsigned int flags)
{
	const struct gpt_part *kernel, *conf, *root, *tree;
	struct image_fault fault;
	struct erofs_facts facts;
	char *wrong = table_read(image);
	bool conf_good;

	if (wrong)
		return wrong;
	kernel = part_find(&image->gpt, PITH_GUID_KERNEL);
	conf = part_find(&image->gpt, PITH_GUID_CONFIG);
	root = part_find(&image->gpt, PITH_GUID_ROOT);
	tree = part_find(&image->gpt, PITH_GUID_VERITY);
	if (!kernel || !conf || !root || !tree || !part_find(&image->gpt, PITH_GUID_SEAL))
		return xstrdup("it is a disk, but not one made by this version of pith build");
	if (!seal_read(image->fd, &image->gpt, &image->seal)) {
		if (gpt_check(image->fd, &image->gpt, &fault.at) == 0 && fault.at != UINT64_MAX)
			fault = (struct image_fault){ .part = "partition table", .at = fault.at, .what = "its contents were altered" };
		else
			image_check_seal(image->fd, &image->gpt, &fault);
		return image_fault_text(&image->gpt, &fault);
	}
	conf_read(image, conf, root, tree, &conf_good);
	if (!conf_good)
		flags |= IMAGE_CHECK_ALWAYS;
	wrong = contents_check(image, flags);
	if (wrong)
		return wrong;
	if (!conf_good)
		return xstrdup("its configuration is damaged");
	image->kernel_offset = kernel->offset;
	image->kernel_len = image_elf_len(image->fd, kernel->offset, kernel->len);
	if (!image->kernel_len || image->kernel_len > kernel->len)
		return xstrdup("its kernel is damaged");
	if (!erofs_facts_read(image->fd, root->offset, &facts) || facts.len != image->conf.root_len)
		return xstrdup("its root is damaged");
	image->root_offset = root->offset;
	image->root_len = facts.len;
	image->root_inodes = facts.inodes;
	meta_read(image, part_find(&image->gpt, PITH_GUID_META));
	return NULL;
}

int image_open(const char *path, unsigned int flags, struct image *ret_image)
{
	char *wrong;
	struct stat st;

	*ret_image = (struct image){ .fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) };
	if (ret_image->fd < 0)
		return err_report(errno == ENOENT ? PITH_NOT_FOUND : PITH_CANNOT_RUN, path, "cannot open: %s; check the path", strerror(errno));
	if (fstat(ret_image->fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		image_close(ret_image);
		return err_report(PITH_CANNOT_RUN, path, "no image: not a regular file; give one made by pith build");
	}
	ret_image->file_len = (uint64_t)st.st_size;
	wrong = image_read(ret_image, flags);
	if (wrong) {
		image_close(ret_image);
		err_report(PITH_CANNOT_RUN, path, "no good image: %s; build it again with pith build, or copy it again", wrong);
		free(wrong);
		return PITH_CANNOT_RUN;
	}
	return 0;
}

void image_close(struct image *image)
{
	if (image->fd >= 0)
		close(image->fd);
	bootconf_free(&image->conf);
	seal_free(&image->seal);
	json_decref(image->meta);
	*image = (struct image){ .fd = -1 };
}
