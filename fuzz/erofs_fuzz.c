/*
 * erofs_fuzz.c - a hostile EROFS image: mounted as the root, every name listed, looked up and read.
 *
 * The whole input is the image, filled up to whole blocks; the superblock's checksum flag is taken
 * away, so that a changed superblock is not all that is ever refused. The root is taken down after each
 * input, and all memory must be back.
 */
#include "fs_erofs_fixture.h"
#include "fuzz/fuzz.h"

#define IMAGE_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	struct ram_disk d;

	if (!ready) {
		host_sched_start();
		log_threshold = LOG_ERROR - 1;
		ready = true;
	}
	if (size > IMAGE_MAX)
		return 0;
	size_t len = MAX(ROUND_UP(size, (size_t)4096), (size_t)4096);
	u8 *image = calloc(1, len);
	u64 before = heap_used_bytes();
	memcpy(image, data, size);
	image[1024 + 8] &= 0xfe;
	if (image_mount(&d, image, len) == 0) {
		struct image_walk w = { .budget = 300, .dir = fs_root() };
		image_walk_dir(&w);
		image_unmount(&d);
	} else {
		heap_free(d.dev.queue);
	}
	free(image);
	if (heap_used_bytes() > before + 4096)   /* trees and caches may keep a little */
		abort();
	return 0;
}
