/*
 * image.h - the image file (shared/image.h): writing, opening, checking.
 */
#ifndef TOOL_IMAGE_IMAGE_H
#define TOOL_IMAGE_IMAGE_H

#include <jansson.h>

#include "image/bootconf.h"
#include "image/gpt.h"

struct image_spec {
	const char *kernel_path; /* stripped ELF */
	const char *root_path;   /* EROFS */
	struct bootconf *conf;   /* its root range is filled in */
	const json_t *meta;      /* what went in */
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
};

/* Opens an image and checks all of it. 0, 127 (no such file) or 126 (damaged) after a line. */
int image_open(const char *path, struct image *ret_image);
void image_close(struct image *image);

/* The exact length of the ELF file that begins at an offset and has at most max bytes; 0 if there is none. */
uint64_t image_elf_len(int fd, uint64_t offset, uint64_t max);

#endif
