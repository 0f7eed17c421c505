/*
 * kernel_facts.c - functions, bytes and lines of a kernel (kernel_facts.h).
 *
 * A name may stand in the table more than once (functions of one file only); then the one of the same length is meant.
 */
#include "report/kernel_facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/file.h"
#include "vmm/kernel_file.h"

#define TABLE_MAX (16u << 20)

/* "NAME BYTES" to lines, and "NAME" to those of the last of that name. */
static json_t *table_read(json_int_t *ret_functions, json_int_t *ret_bytes, json_int_t *ret_lines)
{
	char *path = kernel_file_find_lines(), *line, *rest, name[256], key[300];
	struct buf text = { 0 };
	json_t *table = NULL;
	long long bytes, lines;

	if (path && file_read(path, TABLE_MAX, &text) == 0 && text.data)
		table = json_object();
	for (line = table ? strtok_r(text.data, "\n", &rest) : NULL; line; line = strtok_r(NULL, "\n", &rest)) {
		if (sscanf(line, "%255s %lld %lld", name, &bytes, &lines) != 3)
			continue;
		snprintf(key, sizeof key, "%s %lld", name, bytes);
		json_object_set_new(table, key, json_integer(lines));
		json_object_set_new(table, name, json_integer(lines));
		++*ret_functions;
		*ret_bytes += bytes;
		*ret_lines += lines;
	}
	buf_free(&text);
	free(path);
	return table;
}

json_t *kernel_facts(const json_t *functions)
{
	json_int_t all_functions = 0, all_bytes = 0, all_lines = 0, bytes = 0, lines = 0;
	json_t *table = table_read(&all_functions, &all_bytes, &all_lines), *f;
	char key[300];
	size_t i;

	if (!table)
		return NULL;
	json_array_foreach(functions, i, f) {
		const char *name = json_string_value(json_object_get(f, "name"));
		json_int_t len = json_integer_value(json_object_get(f, "bytes"));
		json_t *known;

		snprintf(key, sizeof key, "%s %lld", name ? name : "", (long long)len);
		known = json_object_get(table, key);
		if (!known && name)
			known = json_object_get(table, name);
		bytes += len;
		lines += json_integer_value(known);
	}
	json_decref(table);
	if (!functions)
		return json_pack("{s:I, s:I, s:I}", "functions", all_functions, "code_bytes", all_bytes, "lines", all_lines);
	return json_pack("{s:I, s:I, s:I}", "functions", (json_int_t)json_array_size(functions), "code_bytes", bytes, "lines", lines);
}

json_t *kernel_packages(const json_t *functions)
{
	json_t *list = json_array(), *f;
	bool lwip = !functions;
	size_t i;

	json_array_foreach(functions, i, f) {
		const char *name = json_string_value(json_object_get(f, "name"));

		lwip = lwip || (name && !strcmp(name, "ip4_input"));
	}
	json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:[s]}", "name", "pith-kernel", "version", PITH_VERSION, "architecture", "source", "licences",
					      "Apache-2.0"));
	if (lwip)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:[s]}", "name", "lwip", "version", "2.1.3", "architecture", "source", "licences",
						      "BSD-3-Clause"));
	return list;
}
