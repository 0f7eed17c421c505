/*
 * map.c - reading ld's map.
 *
 * Each function of the kernel has a section of its own, .text.NAME, so the sections that were kept are the functions. A
 * line is ".text.NAME 0xOFFSET 0xLENGTH FILE", or two when the name is long. The room is the folder that the object was made
 * from: kernel.a(kernel+fs+namei.o), build/kernel/fs/namei.o.
 */
#include "link/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/file.h"
#include "util/str.h"

#define MAP_MAX (64u << 20)

/* "fs" of ...kernel+fs+ext4+super.o; "lwip" of what came from there. */
static char *room_of(const char *file)
{
	char *text = xstrdup(file), *at, *end;

	for (at = text; *at; at++) {
		if (*at == '+')
			*at = '/';
	}
	at = strstr(text, "lwip-obj/");
	if (at) {
		free(text);
		return xstrdup("lwip");
	}
	at = strstr(text, "kernel/");
	while (at && strstr(at + 1, "kernel/"))
		at = strstr(at + 1, "kernel/");
	at = at ? at + strlen("kernel/") : text;
	end = strchr(at, '/');
	at = xstrndup(at, end ? (size_t)(end - at) : strlen(at));
	free(text);
	return at;
}

static void function_add(json_t *map, const char *name, unsigned long long offset, unsigned long long len, const char *file)
{
	char *room = room_of(file);

	json_array_append_new(map, json_pack("{s:s, s:s, s:I, s:I}", "name", name, "room", room, "offset", (json_int_t)offset, "bytes", (json_int_t)len));
	free(room);
}

static void line_read(json_t *map, const char *line, char name[256])
{
	unsigned long long offset, len;
	char file[1024], section[256];

	if (sscanf(line, " .text.%255s 0x%llx 0x%llx %1023s", section, &offset, &len, file) == 4) {
		if (len)
			function_add(map, section, offset, len, file);
		name[0] = '\0';
	} else if (sscanf(line, " .text.%255s", section) == 1) {
		strcpy(name, section);
	} else if (name[0] && sscanf(line, " 0x%llx 0x%llx %1023s", &offset, &len, file) == 3) {
		if (len)
			function_add(map, name, offset, len, file);
		name[0] = '\0';
	} else {
		name[0] = '\0';
	}
}

json_t *map_read(const char *path)
{
	json_t *map = json_array();
	struct buf text = { 0 };
	char name[256] = "", *line, *next = NULL;
	bool placed = false;

	if (file_read(path, MAP_MAX, &text) == 0 && text.data) {
		for (line = strtok_r(text.data, "\n", &next); line; line = strtok_r(NULL, "\n", &next)) {
			placed = placed || str_starts(line, "Linker script and memory map"); /* before: what was left out */
			if (placed)
				line_read(map, line, name);
		}
	}
	buf_free(&text);
	return map;
}

static int room_compare(const void *a, const void *b)
{
	json_int_t x = json_integer_value(json_object_get(*(json_t *const *)a, "bytes")), y = json_integer_value(json_object_get(*(json_t *const *)b, "bytes"));

	return x < y ? 1 : -(x > y);
}

json_t *map_rooms(const json_t *map)
{
	json_t *rooms = json_object(), *list = json_array(), *sorted[64], *f, *r;
	const char *key;
	size_t i, n = 0;

	json_array_foreach(map, i, f) {
		const char *room = json_string_value(json_object_get(f, "room"));

		r = room ? json_object_get(rooms, room) : NULL;
		if (!room)
			continue;
		if (!r) {
			r = json_pack("{s:s, s:i, s:i}", "room", room, "functions", 0, "bytes", 0);
			json_object_set_new(rooms, room, r);
		}
		json_integer_set(json_object_get(r, "functions"), json_integer_value(json_object_get(r, "functions")) + 1);
		json_integer_set(json_object_get(r, "bytes"), json_integer_value(json_object_get(r, "bytes")) + json_integer_value(json_object_get(f, "bytes")));
	}
	json_object_foreach(rooms, key, r) {
		if (n < sizeof sorted / sizeof *sorted)
			sorted[n++] = r;
	}
	qsort(sorted, n, sizeof *sorted, room_compare);
	for (i = 0; i < n; i++)
		json_array_append(list, sorted[i]);
	json_decref(rooms);
	return list;
}
