/*
 * image.h - the image file (shared/image.h): writing, opening, checking.
 */
#ifndef TOOL_IMAGE_IMAGE_H
#define TOOL_IMAGE_IMAGE_H

#include <jansson.h>

#include "image/bootconf.h"
#include "image/gpt.h"
#include "image/seal.h"
#include "image/verity.h"

struct image_spec {
	const char *kernel_path; /* stripped ELF */
	const char *root_path;   /* EROFS */
	struct bootconf *conf;   /* its root range is filled in */
	const json_t *meta;      /* what went in */
	const struct sign_key *key; /* who signs it; NULL: nobody */
};

/* Writes an image under a temporary name and renames it. 0 or an exit status after a line. */
int image_write(const char *path, const struct image_spec *spec);

struct image {
	int fd;
	uint64_t file_len;
	struct gpt gpt;
	uint64_t kernel_offset, kernel_len; /* exact length of the ELF file */
	uint64_t root_offset, root_len;     /* exact length of the filesystem */
	uint64_t root_inodes;
	struct bootconf conf;
	json_t *meta;                       /* an object, never NULL */
	struct seal seal;
	struct verity verity;
};

/*
 * Opens an image and checks all of its bytes, or with ALWAYS not set those of the small partitions, if all was good when this
 * file was looked at last. 0, 127 (no such file) or 126 (damaged) after a line.
 */
enum image_open_flags { IMAGE_CHECK_ALWAYS = 1 };
int image_open(const char *path, unsigned int flags, struct image *ret_image);
/* Is it signed with the private half of this key? 0 or 126 after a line. */
int image_signed_check(const struct image *image, const char *path, const uint8_t public[SIGN_KEY_LEN]);
/* The kernel's bytes, as the seal has them. 0 or an exit status after a line. */
int image_kernel_read(const struct image *image, const char *path, struct buf *ret_kernel);
void image_close(struct image *image);

/* The exact length of the ELF file that begins at an offset and has at most max bytes; 0 if there is none. */
uint64_t image_elf_len(int fd, uint64_t offset, uint64_t max);

#endif
