/*
 * cmd_inspect.c - pith inspect: what is inside an image, read from the image.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "image/image.h"
#include "opts.h"
#include "report/report.h"
#include "report/sbom.h"
#include "util/err.h"

static void json_print(const json_t *value)
{
	json_dumpf(value, stdout, JSON_INDENT(2) | JSON_SORT_KEYS);
	printf("\n");
}

static int sbom_print(const json_t *report, const char *kind)
{
	json_t *sbom = !strcmp(kind, "spdx") ? sbom_spdx(report) : sbom_cyclonedx(report);

	if (!sbom)
		return err_report(PITH_FAILED, "--sbom", "a name in the image is no UTF-8; build it from files with plain names");
	json_print(sbom);
	json_decref(sbom);
	return 0;
}

static int options_check(const struct opts *opts)
{
	if (opts->arg_count != 1)
		return err_report(PITH_USAGE, "inspect", "give one image: pith inspect [--json | --sbom KIND] [--files] IMAGE");
	if (opts->sbom && strcmp(opts->sbom, "spdx") && strcmp(opts->sbom, "cyclonedx"))
		return err_report(PITH_USAGE, "--sbom", "no such kind: %s; give spdx or cyclonedx", opts->sbom);
	return 0;
}

int cmd_inspect(int argc, char **argv)
{
	struct opts opts = { 0 };
	struct image image = { .fd = -1 };
	json_t *report = json_object();
	int status = opts_parse(&opts, OPTS_INSPECT, argc, argv);

	if (status || opts.help) {
		status = status ? status : cmd_help(1, (char *[]){ "inspect" });
	} else {
		status = options_check(&opts);
		if (!status)
			status = image_open(opts.args[0], IMAGE_CHECK_ALWAYS, &image);
		if (!status)
			status = report_make(opts.args[0], &image, report);
		if (!status && opts.sbom)
			status = sbom_print(report, opts.sbom);
		else if (!status && opts.json)
			json_print(report);
		else if (!status)
			report_print(report, opts.files);
	}
	json_decref(report);
	image_close(&image);
	opts_free(&opts);
	return status;
}
