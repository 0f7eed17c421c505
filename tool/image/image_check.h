/*
 * image_check.h - is every byte of an image what it was when it was made?
 */
#ifndef TOOL_IMAGE_IMAGE_CHECK_H
#define TOOL_IMAGE_IMAGE_CHECK_H

#include "image/gpt.h"
#include "image/seal.h"
#include "image/verity.h"

/* What is wrong, and where. */
struct image_fault {
	const char *part; /* a partition's name, or "partition table", or NULL: outside of all */
	uint64_t at;      /* byte of the file; UINT64_MAX: not known */
	const char *what;
};

/* A sentence's end for it: "its contents were altered: partition pith-root, byte 3145728 (block 0 of it)". The caller frees it. */
char *image_fault_text(const struct gpt *gpt, const struct image_fault *fault);

/*
 * All bytes: both partition tables, what lies between partitions, each partition against the seal and its GUID. The
 * tree's own consistency with the root is verity_check's. v (may be NULL): where the tree is, for the place of damage
 * in the root. True when all is well.
 */
bool image_check_all(int fd, uint64_t file_len, const struct gpt *gpt, const struct seal *seal, const struct verity *v, struct image_fault *ret_fault);

/* The seal is not good: where is it damaged? */
void image_check_seal(int fd, const struct gpt *gpt, struct image_fault *ret_fault);

/* The first table cannot be read: where is it damaged? True if the second one tells. */
bool image_check_first_table(int fd, uint64_t file_len, struct image_fault *ret_fault);

#endif
