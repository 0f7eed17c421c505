/*
 * cmd_inspect.c - pith inspect: what is inside an image, read from the image.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "image/image.h"
#include "image/inventory.h"
#include "link/map.h"
#include "opts.h"
#include "util/err.h"
#include "util/hash.h"

static json_t *strings(const struct strv *v)
{
	json_t *list = json_array();

	for (size_t i = 0; i < v->count; i++)
		json_array_append_new(list, json_string(v->items[i]));
	return list;
}

/* none, dhcp, or the fixed addresses. */
static json_t *net_text(const struct strv *net)
{
	char *text = net->count > 1 ? xasprintf("%s, %s", net->items[0], net->items[1]) : xstrdup(net->count ? net->items[0] : "none");
	json_t *value = json_string(text);

	free(text);
	return value;
}

static json_t *meta_list(const struct image *image, const char *key)
{
	json_t *list = json_object_get(image->meta, key);

	return json_is_array(list) ? json_incref(list) : json_array();
}

static int report_make(const char *path, struct image *image, json_t *report)
{
	uint8_t digest[HASH_LEN];
	char hex[HASH_HEX_LEN], *text;
	struct hash h;
	int error;

	hash_init(&h);
	error = hash_add_file(&h, image->fd, 0, image->file_len);
	if (error)
		return err_report(PITH_FAILED, path, "cannot read it: %s", strerror(-error));
	hash_end(&h, digest);
	hash_hex(digest, hex);
	text = xasprintf("sha256:%s", hex);
	json_object_set_new(report, "image", json_string(path));
	json_object_set_new(report, "digest", json_string(text));
	free(text);
	json_object_set_new(report, "image_bytes", json_integer((json_int_t)image->file_len));
	json_object_set_new(report, "kernel_bytes", json_integer((json_int_t)image->kernel_len));
	json_object_set_new(report, "root_bytes", json_integer((json_int_t)image->root_len));
	json_object_set_new(report, "root_inodes", json_integer((json_int_t)image->root_inodes));
	json_object_set_new(report, "program", json_string(image->conf.exec));
	json_object_set_new(report, "args", strings(&image->conf.args));
	json_object_set_new(report, "env", strings(&image->conf.env));
	json_object_set_new(report, "workdir", json_string(image->conf.cwd ? image->conf.cwd : "/"));
	json_object_set_new(report, "net", net_text(&image->conf.net));
	/* Those of the manifest; an image without one does not promise any port. */
	json_object_set_new(report, "ports", meta_list(image, "ports"));
	json_object_set_new(report, "kernel_functions", meta_list(image, "kernel_functions"));
	json_object_set_new(report, "kernel_rooms", map_rooms(json_object_get(report, "kernel_functions")));
	inventory_read(image->fd, image->kernel_offset, image->kernel_len, report);
	json_object_set_new(report, "packages", meta_list(image, "packages"));
	json_object_set_new(report, "files", meta_list(image, "files"));
	return 0;
}

static void list_print(const char *title, json_t *list, const char *key)
{
	size_t i;
	json_t *item;

	printf("%-12s %zu", title, json_array_size(list));
	json_array_foreach(list, i, item) {
		const char *text = key ? json_string_value(json_object_get(item, key)) : json_string_value(item);

		if (i == 8 && json_array_size(list) > 10) {
			printf(", ... (--json has all)");
			break;
		}
		printf("%s%s", i ? ", " : ": ", text ? text : "?");
	}
	printf("\n");
}

static void report_print(json_t *report)
{
	static const struct { const char *title, *key; } lists[] = {
		{ "system calls", "syscalls" }, { "drivers", "drivers" }, { "filesystems", "filesystems" }, { "mitigations", "mitigations" },
		{ "ports", "ports" },
	};
	json_t *args = json_object_get(report, "args");
	json_t *item;
	size_t i;

	printf("%-12s %s\n", "image", json_string_value(json_object_get(report, "image")));
	printf("%-12s %s\n", "digest", json_string_value(json_object_get(report, "digest")));
	printf("%-12s %s\n", "program", json_string_value(json_object_get(report, "program")));
	printf("%-12s", "arguments");
	json_array_foreach(args, i, item)
		printf(" %s", json_string_value(item));
	printf("\n%-12s %lld bytes\n", "kernel", (long long)json_integer_value(json_object_get(report, "kernel_bytes")));
	json_array_foreach(json_object_get(report, "kernel_rooms"), i, item)
		printf("  %-10s %8lld bytes, %lld functions\n", json_string_value(json_object_get(item, "room")),
		       (long long)json_integer_value(json_object_get(item, "bytes")), (long long)json_integer_value(json_object_get(item, "functions")));
	printf("%-12s %lld bytes, %lld inodes\n", "root", (long long)json_integer_value(json_object_get(report, "root_bytes")),
	       (long long)json_integer_value(json_object_get(report, "root_inodes")));
	list_print("files", json_object_get(report, "files"), "path");
	list_print("packages", json_object_get(report, "packages"), "name");
	for (i = 0; i < sizeof lists / sizeof *lists; i++)
		list_print(lists[i].title, json_object_get(report, lists[i].key), NULL);
}

int cmd_inspect(int argc, char **argv)
{
	struct opts opts = { 0 };
	struct image image = { .fd = -1 };
	json_t *report = json_object();
	int status = opts_parse(&opts, OPTS_INSPECT, argc, argv);

	if (status || opts.help)
		status = status ? status : cmd_help(1, (char *[]){ "inspect" });
	else if (opts.arg_count != 1)
		status = err_report(PITH_USAGE, "inspect", "give one image: pith inspect [--json] IMAGE");
	else
		status = image_open(opts.args[0], IMAGE_CHECK_ALWAYS, &image);
	if (!status && !opts.help)
		status = report_make(opts.args[0], &image, report);
	if (!status && !opts.help && opts.json) {
		json_dumpf(report, stdout, JSON_INDENT(2) | JSON_SORT_KEYS);
		printf("\n");
	} else if (!status && !opts.help) {
		report_print(report);
	}
	json_decref(report);
	image_close(&image);
	opts_free(&opts);
	return status;
}
