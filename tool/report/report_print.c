/*
 * report_print.c - the report on one screen (report.h): who, how much beside how much, which ones.
 */
#include <stdio.h>
#include <string.h>

#include "report/container.h"
#include "report/report.h"

#define LINE 110

static const char *text_of(const json_t *report, const char *key)
{
	const char *text = json_string_value(json_object_get(report, key));

	return text ? text : "?";
}

static json_int_t number_of(const json_t *report, const char *group, const char *key)
{
	const json_t *value = json_object_get(group ? json_object_get(report, group) : report, key);

	return json_is_array(value) ? (json_int_t)json_array_size(value) : json_is_integer(value) ? json_integer_value(value) : -1;
}

/* 1234567 as 1,234,567; a negative one as a dash. */
static const char *with_commas(long long value, char text[32])
{
	char digits[24];
	int len, at = 0;

	if (value < 0)
		return strcpy(text, "-");
	len = snprintf(digits, sizeof digits, "%lld", value);
	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			text[at++] = ',';
		text[at++] = digits[i];
	}
	text[at] = '\0';
	return text;
}

static void figure_print(const char *what, long long value, const char *container_key)
{
	char here[32], there[32];

	printf("  %-38s %16s %16s\n", what, with_commas(value, here), container_key ? with_commas(container_value(container_key), there) : "-");
}

static void figures_print(const json_t *report)
{
	printf("\n  %-38s %16s %16s\n", "", "this image", "Linux container");
	figure_print("system calls", number_of(report, NULL, "syscalls"), "syscalls");
	figure_print("kernel code, bytes", number_of(report, "kernel", "code_bytes"), "kernel_code_bytes");
	figure_print("kernel functions", number_of(report, "kernel", "functions"), NULL);
	figure_print("lines of source they came from", number_of(report, "kernel", "lines"), NULL);
	figure_print("ROP gadgets in the kernel", number_of(report, "kernel", "gadgets"), "kernel_gadgets");
	figure_print("drivers; modules that can be loaded", number_of(report, NULL, "drivers"), "kernel_modules");
	figure_print("packages", number_of(report, NULL, "packages"), "packages");
	figure_print("files", number_of(report, "root", "files"), "files");
	figure_print("bytes in them", number_of(report, "root", "file_bytes"), "file_bytes");
	figure_print("programs that can be started", number_of(report, "root", "executables"), "executables");
	figure_print("shells", number_of(report, "root", "shells"), "shells");
	figure_print("set-uid files", number_of(report, "root", "setuid"), "setuid");
	figure_print("ROP gadgets in programs and libraries", number_of(report, "root", "gadgets"), "gadgets");
	printf("\n");
}

/* A list's names on lines of their own width; what does not fit on two lines is counted. */
static void list_print(const char *title, const json_t *list, const char *key, const char *more)
{
	size_t i, column = 13, lines = 1;
	json_t *item;

	printf("%-12s", title);
	json_array_foreach(list, i, item) {
		const char *text = key ? json_string_value(json_object_get(item, key)) : json_string_value(item);
		const char *extra = key && more ? json_string_value(json_object_get(item, more)) : NULL;
		size_t len = strlen(text ? text : "?") + (extra ? strlen(extra) + 1 : 0) + 2;

		if (column + len > LINE && lines++ == 2) {
			printf(" ... and %zu more (--json)", json_array_size(list) - i);
			break;
		}
		if (column + len > LINE) {
			printf("\n%-12s", "");
			column = 13;
		}
		printf(" %s%s%s%s", text ? text : "?", extra ? " " : "", extra ? extra : "", i + 1 < json_array_size(list) ? "," : "");
		column += len;
	}
	printf("%s\n", json_array_size(list) ? "" : " none");
}

/* Where the kernel's code is, in kB: the largest rooms. */
static void rooms_print(const json_t *rooms)
{
	json_t *names = json_array(), *room;
	char text[80];
	size_t i;

	json_array_foreach(rooms, i, room) {
		snprintf(text, sizeof text, "%.40s %lld kB", text_of(room, "room"), (long long)(number_of(room, NULL, "bytes") + 999) / 1000);
		json_array_append_new(names, json_string(text));
	}
	if (json_array_size(names))
		list_print("kernel code", names, NULL, NULL);
	json_decref(names);
}

static void head_print(const json_t *report)
{
	const json_t *verified = json_object_get(report, "verified"), *args = json_object_get(report, "args");
	json_t *item;
	size_t i;

	printf("%-12s %s, %lld bytes\n", "image", text_of(report, "image"), (long long)number_of(report, NULL, "image_bytes"));
	printf("%-12s %s\n", "digest", text_of(report, "digest"));
	printf("%-12s %s\n", "root hash", text_of(verified, "root_hash"));
	if (json_is_true(json_object_get(verified, "signed")))
		printf("%-12s Ed25519, key %s\n", "signature", text_of(verified, "key"));
	else
		printf("%-12s none\n", "signature");
	printf("%-12s %s\n%-12s", "program", text_of(report, "program"), "arguments");
	json_array_foreach(args, i, item)
		printf(" %s", json_string_value(item));
	printf("\n%-12s %s\n", "network", text_of(report, "net"));
}

void report_print(const json_t *report, bool files)
{
	json_t *item;
	size_t i;

	head_print(report);
	figures_print(report);
	list_print("open ports", json_object_get(report, "ports"), NULL, NULL);
	rooms_print(json_object_get(report, "kernel_rooms"));
	list_print("drivers", json_object_get(report, "drivers"), NULL, NULL);
	list_print("filesystems", json_object_get(report, "filesystems"), NULL, NULL);
	list_print("packages", json_object_get(report, "packages"), "name", "version");
	list_print("mitigations", json_object_get(report, "mitigations"), NULL, NULL);
	list_print("system calls", json_object_get(report, "syscalls"), NULL, NULL);
	if (!files)
		return;
	printf("files\n");
	json_array_foreach(json_object_get(report, "files"), i, item)
		printf("%13lld  %s\n", (long long)json_integer_value(json_object_get(item, "bytes")), text_of(item, "path"));
}
