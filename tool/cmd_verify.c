/*
 * cmd_verify.c - pith verify: is an image what it was when it was made, and who made it?
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "image/image.h"
#include "opts.h"
#include "util/err.h"

static void hex_print(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		printf("%02x", bytes[i]);
}

/* The tree and the root against the root hash: image_open has compared their bytes with the seal only. */
static int root_check(const char *path, const struct image *image)
{
	const char *what;
	uint64_t at;

	if (verity_check(image->fd, &image->verity, &at, &what))
		return 0;
	return err_report(PITH_CANNOT_RUN, path, "no good image: the root does not match its hash: %s, byte %llu; build it again with pith build", what,
			  (unsigned long long)at);
}

static void result_print(const char *path, const struct image *image, const char *key_path)
{
	printf("%s: good\n", path);
	printf("contents   %zu partitions, both partition tables and what lies between match the seal\n", image->gpt.count);
	printf("root       %llu blocks match the root hash ", (unsigned long long)(image->root_len / VERITY_BLOCK));
	hex_print(image->verity.root, sizeof image->verity.root);
	printf("\nsignature  ");
	if (!image->seal.is_signed) {
		printf("none\n");
		return;
	}
	printf("Ed25519, key ");
	hex_print(image->seal.key, sizeof image->seal.key);
	if (key_path)
		printf(", which is %s\n", key_path);
	else
		printf(": give --key PUB to know whose it is\n");
}

int cmd_verify(int argc, char **argv)
{
	struct opts opts = { 0 };
	struct image image = { .fd = -1 };
	uint8_t public[SIGN_KEY_LEN];
	int status = opts_parse(&opts, OPTS_VERIFY, argc, argv);

	if (status || opts.help) {
		status = status ? status : cmd_help(1, (char *[]){ "verify" });
		opts_free(&opts);
		return status;
	}
	if (opts.arg_count != 1)
		status = err_report(PITH_USAGE, "verify", "give one image: pith verify [--key PUB] IMAGE");
	if (!status && opts.key)
		status = sign_public_read(opts.key, public);
	if (!status)
		status = image_open(opts.args[0], IMAGE_CHECK_ALWAYS, &image);
	if (!status)
		status = root_check(opts.args[0], &image);
	if (!status && (opts.key || image.seal.is_signed))
		status = image_signed_check(&image, opts.args[0], opts.key ? public : image.seal.key);
	if (!status)
		result_print(opts.args[0], &image, opts.key);
	image_close(&image);
	opts_free(&opts);
	return status;
}
