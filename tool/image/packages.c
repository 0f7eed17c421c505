/*
 * packages.c - asking dpkg whose files these are.
 *
 * dpkg knows a file by the name it was shipped under, which on a host with
 * merged /usr may be /lib/x or /usr/lib/x: both are asked for.
 */
#include "image/packages.h"

#include <glob.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "image/alternatives.h"
#include "report/licences.h"
#include "util/child.h"
#include "util/err.h"
#include "util/str.h"

#define BATCH 400

static void visit_file(void *context, const char *source)
{
	strv_add(context, source);
	if (str_starts(source, "/usr/"))
		strv_add(context, source + 4);
	else
		strv_printf(context, "/usr%s", source);
}

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Lines "package:arch[, package:arch...]: /path"; diversions and complaints do not look like that. */
static void owners_collect(char *text, struct strv *packages, struct strv *owned)
{
	char *line, *rest;

	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char *end = strstr(line, ": /"), *name, *more;

		if (!end || str_starts(line, "diversion ") || str_starts(line, "dpkg-query:"))
			continue;
		*end = '\0';
		strv_add(owned, end + 2);
		for (name = strtok_r(line, ", ", &more); name; name = strtok_r(NULL, ", ", &more)) {
			if (!strv_has(packages, name))
				strv_add(packages, name);
		}
	}
}

static void owners_ask(const struct strv *files, struct strv *packages, struct strv *owned)
{
	for (size_t at = 0; at < files->count; at += BATCH) {
		char *argv[BATCH + 4] = { "dpkg-query", "-S", "--" };
		struct buf output;

		for (size_t i = 0; i < BATCH && at + i < files->count; i++)
			argv[3 + i] = files->items[at + i];
		if (child_run(argv, &output) >= 0 && output.data)
			owners_collect(output.data, packages, owned);
		buf_free(&output);
	}
}

/* source: "NAME VERSION" of the source package. */
static void package_add(json_t *list, const char *name, const char *version, char *architecture)
{
	char *source = strchr(architecture, ' '), *source_version = source ? strchr(source + 1, ' ') : NULL;
	char *copyright = xasprintf("/usr/share/doc/%s/copyright", name);
	struct strv licences = { 0 };
	json_t *package, *names = json_array();

	if (source_version) {
		*source++ = '\0';
		*source_version++ = '\0';
	}
	licences_read(copyright, &licences);
	for (size_t i = 0; i < licences.count; i++)
		json_array_append_new(names, json_string(licences.items[i]));
	package = json_pack("{s:s, s:s, s:s, s:o}", "name", name, "version", version, "architecture", architecture, "licences", names);
	if (source_version) {
		json_object_set_new(package, "source", json_string(source));
		json_object_set_new(package, "source_version", json_string(source_version));
	}
	json_array_append_new(list, package);
	strv_free(&licences);
	free(copyright);
}

static void versions_ask(const struct strv *packages, json_t *list)
{
	for (size_t at = 0; at < packages->count; at += BATCH) {
		char *argv[BATCH + 5] = { "dpkg-query", "-W", "-f=${Package} ${Version} ${Architecture} ${source:Package} ${source:Version}\n", "--" };
		struct buf output;
		char *line, *rest;

		for (size_t i = 0; i < BATCH && at + i < packages->count; i++)
			argv[4 + i] = packages->items[at + i];
		if (child_run(argv, &output) == 0 && output.data) {
			for (line = strtok_r(output.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
				char *version = strchr(line, ' '), *architecture = version ? strchr(version + 1, ' ') : NULL;

				if (!architecture)
					continue;
				*version++ = '\0';
				*architecture++ = '\0';
				package_add(list, line, version, architecture);
			}
		}
		buf_free(&output);
	}
}

/* The modules that a package's installation compiled beside a source: dpkg does not know them. */
static void compiled_add(const char *source, struct strv *files)
{
	const char *slash = strrchr(source, '/');
	size_t len = strlen(source);
	char *pattern;
	glob_t found;

	if (!slash || len < 3 || strcmp(source + len - 3, ".py"))
		return;
	pattern = xasprintf("%.*s/__pycache__/%.*s.*.pyc", (int)(slash - source), source, (int)(source + len - 3 - slash - 1), slash + 1);
	if (glob(pattern, GLOB_NOSORT, NULL, &found) == 0) {
		if (found.gl_pathc) {
			char *directory = xasprintf("%.*s/__pycache__", (int)(slash - source), source);

			if (!strv_has(files, directory))
				strv_add(files, directory);
			free(directory);
		}
		for (size_t i = 0; i < found.gl_pathc; i++)
			strv_add(files, found.gl_pathv[i]);
		globfree(&found);
	}
	free(pattern);
}

int packages_files(const char *name, struct strv *files)
{
	char *argv[] = { "dpkg-query", "-L", "--", (char *)name, NULL };
	struct buf output = { 0 };
	char *line, *rest;
	int result = child_run(argv, &output), status = 0;

	if (result < 0)
		status = err_report(PITH_FAILED, name, "cannot ask for its files: dpkg-query: %s; name files with --add", strerror(-result));
	else if (result)
		status = err_report(PITH_USAGE, name, "no package that is installed here; apt-get install it, or correct its name");
	for (line = !status && output.data ? strtok_r(output.data, "\n", &rest) : NULL; line; line = strtok_r(NULL, "\n", &rest)) {
		if (line[0] == '/' && strcmp(line, "/."))
			strv_add(files, line);
	}
	for (size_t i = 0, listed = files->count; i < listed; i++)
		compiled_add(files->items[i], files);
	if (files->count)
		alternatives_add(files);
	buf_free(&output);
	return status;
}

static bool is_owned(const struct strv *owned, const char *source)
{
	char *other = str_starts(source, "/usr/") ? xstrdup(source + 4) : xasprintf("/usr%s", source);
	bool found = owned->count && (bsearch(&source, owned->items, owned->count, sizeof *owned->items, compare_text) ||
				      bsearch(&other, owned->items, owned->count, sizeof *owned->items, compare_text));

	free(other);
	return found;
}

/* The paths in the root of what no package brought: the host's own files, and those that were made for the root. */
static void others_add(const struct plan_node *node, const char *path, const struct strv *owned, json_t *list)
{
	if (node->kind == PLAN_TEXT || (node->kind == PLAN_HOST_FILE && !is_owned(owned, node->source)))
		json_array_append_new(list, json_string(path));
	for (size_t i = 0; node->kind == PLAN_DIR && i < node->count; i++) {
		char *below = xasprintf("%s/%s", path, node->children[i]->name);

		others_add(node->children[i], below, owned, list);
		free(below);
	}
}

json_t *packages_list(const struct plan *plan, json_t *others)
{
	struct strv files = { 0 }, packages = { 0 }, owned = { 0 };
	json_t *list = json_array();

	plan_each_host_file(plan, visit_file, &files);
	owners_ask(&files, &packages, &owned);
	if (packages.count) {
		qsort(packages.items, packages.count, sizeof *packages.items, compare_text);
		versions_ask(&packages, list);
	}
	if (owned.count)
		qsort(owned.items, owned.count, sizeof *owned.items, compare_text);
	others_add(plan->root, "", &owned, others);
	strv_free(&files);
	strv_free(&packages);
	strv_free(&owned);
	return list;
}
