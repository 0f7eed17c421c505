/*
 * report.c - making the report about an image (report.h).
 *
 * Where a figure comes from: the kernel's bytes (calls, drivers, file systems, mitigations, gadgets), the root's bytes (files, programs,
 * shells, gadgets), the configuration (program, arguments, network, root hash), and the meta partition, which says what
 * only the host that built the image knew (packages, ports, functions and lines of the kernel). The seal covers all of them.
 */
#include "report/report.h"

#include <stdlib.h>
#include <string.h>

#include "image/inventory.h"
#include "link/map.h"
#include "report/container.h"
#include "report/gadgets.h"
#include "report/kernel_facts.h"
#include "report/mitigations.h"
#include "report/root_facts.h"
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

static json_t *hex_text(const uint8_t *bytes, size_t len)
{
	struct buf b = { 0 };
	json_t *text;

	for (size_t i = 0; i < len; i++)
		buf_printf(&b, "%02x", bytes[i]);
	text = json_string(b.data);
	buf_free(&b);
	return text;
}

static int digest_add(const char *path, const struct image *image, json_t *report)
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
	json_object_set_new(report, "digest", json_string(text));
	free(text);
	return 0;
}

static void start_add(const struct image *image, json_t *report)
{
	json_object_set_new(report, "program", json_string(image->conf.exec));
	json_object_set_new(report, "args", strings(&image->conf.args));
	json_object_set_new(report, "env", strings(&image->conf.env));
	json_object_set_new(report, "workdir", json_string(image->conf.cwd ? image->conf.cwd : "/"));
	json_object_set_new(report, "net", net_text(&image->conf.net));
	/* Those of the manifest; an image without one does not promise any port. */
	json_object_set_new(report, "ports", meta_list(image, "ports"));
}

/* "kernel": functions, bytes and lines of code as counted when it was linked; gadgets as counted now. */
static int kernel_add(const char *path, const struct image *image, json_t *report)
{
	struct gadget_count gadgets = { 0 };
	json_t *facts = json_object_get(image->meta, "kernel");
	struct buf kernel = { 0 };
	int status = image_kernel_read(image, path, &kernel);

	if (status)
		return status;
	facts = json_is_object(facts) ? json_copy(facts) : json_object();
	if (gadgets_count_elf((const uint8_t *)kernel.data, kernel.len, &gadgets)) {
		json_object_set_new(facts, "executable_bytes", json_integer((json_int_t)gadgets.code_bytes));
		json_object_set_new(facts, "gadgets", json_integer((json_int_t)gadgets.gadgets));
	}
	buf_free(&kernel);
	json_object_set_new(report, "kernel", facts);
	json_object_set_new(report, "kernel_bytes", json_integer((json_int_t)image->kernel_len));
	json_object_set_new(report, "kernel_packages", meta_list(image, "kernel_packages"));
	json_object_set_new(report, "kernel_functions", meta_list(image, "kernel_functions"));
	json_object_set_new(report, "kernel_rooms", map_rooms(json_object_get(report, "kernel_functions")));
	inventory_read(image->fd, image->kernel_offset, image->kernel_len, report);
	return 0;
}

static int root_add(const char *path, const struct image *image, json_t *report)
{
	json_t *files = NULL, *facts = root_facts(image, &files);

	if (!facts)
		return err_report(PITH_CANNOT_RUN, path, "its root cannot be read: it is damaged, or was not made by pith build");
	json_object_set_new(report, "root_bytes", json_integer((json_int_t)image->root_len));
	json_object_set_new(report, "root_inodes", json_integer((json_int_t)image->root_inodes));
	json_object_set_new(report, "root", facts);
	json_object_set_new(report, "files", files);
	json_object_set_new(report, "packages", meta_list(image, "packages"));
	if (json_object_get(image->meta, "distribution"))
		json_object_set(report, "distribution", json_object_get(image->meta, "distribution"));
	return 0;
}

static void verified_add(const struct image *image, json_t *report)
{
	json_t *verified = json_pack("{s:o, s:b}", "root_hash", hex_text(image->verity.root, HASH_LEN), "signed", image->seal.is_signed);

	if (image->seal.is_signed)
		json_object_set_new(verified, "key", hex_text(image->seal.key, SIGN_KEY_LEN));
	json_object_set_new(report, "verified", verified);
}

static void container_add(json_t *report)
{
	json_t *figures = json_object();

	for (unsigned int i = 0; i < container_fact_count; i++)
		json_object_set_new(figures, container_facts[i].key,
				    json_pack("{s:I, s:s}", "value", (json_int_t)container_facts[i].value, "source", container_facts[i].source));
	json_object_set_new(report, "container", figures);
}

int report_make(const char *path, struct image *image, json_t *report)
{
	int status = digest_add(path, image, report);

	json_object_set_new(report, "image", json_string(path));
	json_object_set_new(report, "image_bytes", json_integer((json_int_t)image->file_len));
	start_add(image, report);
	if (!status)
		status = kernel_add(path, image, report);
	if (!status)
		status = root_add(path, image, report);
	verified_add(image, report);
	mitigations_add(report);
	container_add(report);
	return status;
}
