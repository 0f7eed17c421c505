/*
 * cmd_build.c - pith build: a program as one bootable image.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "image/image.h"
#include "image/packages.h"
#include "image/program.h"
#include "image/root.h"
#include "link/kernel_link.h"
#include "opts.h"
#include "report/kernel_facts.h"
#include "util/err.h"
#include "util/file.h"

/* The host's distribution, whose packages these are: {"id", "version"}; NULL where nobody says. */
static json_t *distribution_read(void)
{
	struct buf text = { 0 };
	char *line, *rest, *id = NULL, *version = NULL;
	json_t *d = NULL;

	if (file_read("/etc/os-release", 1 << 16, &text) == 0 && text.data) {
		for (line = strtok_r(text.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
			char **to = str_starts(line, "ID=") ? &id : str_starts(line, "VERSION_ID=") ? &version : NULL;

			if (to) {
				*to = strchr(line, '=') + 1;
				*to += strspn(*to, "\"'");
				(*to)[strcspn(*to, "\"'")] = '\0';
			}
		}
		d = id ? json_pack("{s:s, s:s}", "id", id, "version", version ? version : "") : NULL;
	}
	buf_free(&text);
	return d;
}

/* What only this host knows; functions: of a kernel that was linked for this image, NULL: the whole one. */
static json_t *meta_make(const struct opts *opts, const struct plan *plan, const struct bootconf *conf, const json_t *functions)
{
	json_t *ports = json_array(), *others = json_array(), *meta, *more;

	for (size_t i = 0; i < opts->publish.count; i++)
		json_array_append_new(ports, json_string(opts->publish.items[i]));
	meta = json_pack("{s:s, s:s, s:o, s:o, s:o}", "pith", PITH_VERSION, "program", conf->exec, "ports", ports, "packages", packages_list(plan, others),
			 "kernel_packages", kernel_packages(functions));
	json_object_set_new(meta, "unpackaged", others);
	more = kernel_facts(functions);
	if (more)
		json_object_set_new(meta, "kernel", more);
	more = distribution_read();
	if (more)
		json_object_set_new(meta, "distribution", more);
	return meta;
}

static void network_configure(const struct opts *opts, struct bootconf *conf)
{
	if (opts->net_kind == OPTS_NET_NONE || !opts->ip.count)
		strv_add(&conf->net, opts->net_kind == OPTS_NET_NONE ? "none" : "dhcp");
	else
		strv_copy(&conf->net, &opts->ip);
	strv_copy(&conf->gateway, &opts->gateway);
	strv_copy(&conf->dns, &opts->dns);
}

static int image_make(const struct opts *opts, const struct program *program, const struct plan *plan, struct bootconf *conf)
{
	char *kernel = NULL, *root = NULL;
	struct sign_key *key = NULL;
	json_t *meta = NULL, *map = NULL;
	int status = opts->sign ? sign_key_read(opts->sign, &key) : 0;

	if (!status)
		status = kernel_for(opts, program, &kernel, &map);
	if (!status)
		status = root_cached(plan, &root);
	if (!status) {
		err_progress("writing the image");
		if (!map)
			map = kernel_whole_map();
		meta = meta_make(opts, plan, conf, map);
		if (map)
			json_object_set(meta, "kernel_functions", map);
		status = image_write(opts->output, &(struct image_spec){ .kernel_path = kernel, .root_path = root, .conf = conf, .meta = meta, .key = key });
		err_progress(NULL);
	}
	json_decref(meta);
	json_decref(map);
	sign_key_free(key);
	free(kernel);
	free(root);
	return status;
}

static int program_build(const struct opts *opts)
{
	struct program program = { 0 };
	struct bootconf conf = { 0 };
	enum program_kind kind;
	char *path = NULL;
	struct plan plan;
	uint64_t load_len;
	int status = program_find(opts->args[0], &path);

	plan_init(&plan);
	if (!status)
		status = program_classify(path, &kind);
	if (!status && kind == PROGRAM_IMAGE)
		status = err_report(PITH_USAGE, path, "an image already; give a program");
	if (!status)
		status = program_open(opts->args[0], path, opts->args + 1, opts->arg_count - 1, getenv("PATH"), &program);
	if (!status)
		status = root_plan(opts, &program, &plan, &conf, &load_len);
	if (!status) {
		network_configure(opts, &conf);
		status = image_make(opts, &program, &plan, &conf);
	}
	free(path);
	program_free(&program);
	bootconf_free(&conf);
	plan_free(&plan);
	return status;
}

int cmd_build(int argc, char **argv)
{
	struct opts opts = { 0 };
	int status = opts_parse(&opts, OPTS_BUILD, argc, argv);

	if (status || opts.help)
		status = status ? status : cmd_help(1, (char *[]){ "build" });
	else if (!opts.arg_count)
		status = err_report(PITH_USAGE, "build", "no program is named; pith build [options] -o IMAGE PROGRAM [ARG...]");
	else if (!opts.output)
		status = err_report(PITH_USAGE, "build", "no image is named; give -o IMAGE");
	else
		status = program_build(&opts);
	opts_free(&opts);
	return status;
}
