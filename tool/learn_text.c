/*
 * learn_text.c - what was learned, as a manifest that a person can read and edit.
 *
 * A file that is added to keeps its lines but for the lists that are written anew, so what a person wrote about the rest
 * stays. Lists are sorted, so two runs that saw the same write the same.
 */
#include "learn_text.h"

#include <stdlib.h>
#include <string.h>

#include "util/file.h"

#define MANY 3    /* more files of one directory are written as the directory */
#define WIDTH 110

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list_sort(struct strv *v)
{
	if (v->count)
		qsort(v->items, v->count, sizeof *v->items, compare);
}

/* ---- Paths ---- */

static bool is_below(const char *path, const char *directory)
{
	size_t len = strlen(directory);

	return len && directory[len - 1] == '/' && (!strncmp(path, directory, len) || (strlen(path) == len - 1 && !strncmp(path, directory, len - 1)));
}

/* /proc/123/task/4 as /proc/[*]/task/[*]: the numbers are others next time. */
static char *path_general(const char *path)
{
	struct buf b = { 0 };

	if (!str_starts(path, "/proc/"))
		return xstrdup(path);
	while (*path) {
		size_t len = strcspn(path + 1, "/") + 1;
		bool number = len > 1 && strspn(path + 1, "0123456789") == len - 1;

		if (number)
			buf_puts(&b, "/*");
		else
			buf_append(&b, path, len);
		path += len;
	}
	return b.data;
}

/* The directory of a path with its slash. */
static char *directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t len = strlen(path);

	if (len > 1 && slash == path + len - 1) { /* a directory: what it is in */
		while (slash > path && slash[-1] != '/')
			slash--;
		return xstrndup(path, (size_t)(slash - path));
	}
	return xstrndup(path, (size_t)(slash + 1 - path));
}

static unsigned int depth_of(const char *path)
{
	unsigned int n = 0;

	for (; *path; path++)
		n += *path == '/';
	return n;
}

static void strv_set(struct strv *v, struct strv *by)
{
	strv_free(v);
	*v = *by;
	*by = (struct strv){ 0 };
}

/* Entries that another one of the list, or of more, holds go; so do doubles. */
static void covered_drop(struct strv *v, const struct strv *more)
{
	struct strv kept = { 0 };

	list_sort(v);
	for (size_t i = 0; i < v->count; i++) {
		bool covered = (kept.count && !strcmp(kept.items[kept.count - 1], v->items[i])) || (more && strv_has(more, v->items[i]));

		for (size_t k = 0; k < v->count && !covered; k++)
			covered = k != i && strcmp(v->items[k], v->items[i]) && is_below(v->items[i], v->items[k]);
		for (size_t k = 0; more && k < more->count && !covered; k++)
			covered = is_below(v->items[i], more->items[k]);
		if (!covered)
			strv_add(&kept, v->items[i]);
	}
	strv_set(v, &kept);
}

/* More than MANY entries of one directory at least least deep become the directory: true if anything changed. */
static bool fold(struct strv *v, unsigned int least)
{
	struct strv folded = { 0 };

	list_sort(v);
	for (size_t i = 0; i < v->count; i++) {
		char *directory = directory_of(v->items[i]);
		size_t same = 0;

		for (size_t k = 0; k < v->count && depth_of(directory) > least; k++) {
			char *other = directory_of(v->items[k]);

			same += !strcmp(other, directory);
			free(other);
		}
		if (same > MANY && !strv_has(&folded, directory))
			strv_add(&folded, directory);
		free(directory);
	}
	for (size_t i = 0; i < folded.count; i++)
		strv_add(v, folded.items[i]);
	bool any = folded.count;
	strv_free(&folded);
	if (any)
		covered_drop(v, NULL);
	return any;
}

/* Devices and the kernel's own files are named one by one; other written files make their directory one that is written to. */
static char *written(const char *path)
{
	char *directory;

	if (str_starts(path, "/proc/") || str_starts(path, "/dev/") || str_starts(path, "/sys/") || str_ends(path, "/"))
		return xstrdup(path);
	directory = directory_of(path);
	if (strcmp(directory, "/"))
		return directory;
	free(directory);
	return xstrdup(path);
}

void learn_paths(struct strv *read, struct strv *write)
{
	struct strv reads = { 0 }, writes = { 0 };

	for (size_t i = 0; i < write->count; i++)
		strv_take(&writes, written(write->items[i]));
	for (size_t i = 0; i < read->count; i++)
		strv_take(&reads, path_general(read->items[i]));
	strv_set(write, &writes);
	strv_set(read, &reads);
	covered_drop(write, NULL);
	covered_drop(read, write);
	while (fold(read, 2))
		;
	while (fold(write, 2))
		;
	covered_drop(read, write);
}

/* ---- The text ---- */

/* Plain where YAML takes it for nothing else. */
static void value_put(struct buf *b, const char *value)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+-";

	if (*value && *value != '-' && *value != '.' && *value != '+' && strspn(value, plain) == strlen(value)) {
		buf_puts(b, value);
		return;
	}
	buf_puts(b, "\"");
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			buf_printf(b, "\\%c", *value);
		else if ((unsigned char)*value < ' ' || *value == 0x7f)
			buf_printf(b, "\\x%02x", (unsigned char)*value);
		else
			buf_append(b, value, 1);
	}
	buf_puts(b, "\"");
}

/* [A, B, C] over several lines, each after lead. */
static void words_put(struct buf *b, const struct strv *v, const char *lead, bool brackets)
{
	size_t line = b->len;

	buf_puts(b, brackets ? "[" : "");
	for (size_t i = 0; i < v->count; i++) {
		if (i)
			buf_puts(b, ",");
		if (b->len - line > WIDTH - 20) {
			line = b->len;
			buf_printf(b, "\n%s", lead);
		} else if (i) {
			buf_puts(b, " ");
		}
		value_put(b, v->items[i]);
	}
	buf_puts(b, brackets ? "]\n" : "\n");
}

static void list_put(struct buf *b, const char *key, const char *comment, const struct strv *v)
{
	if (!v->count) {
		buf_printf(b, "%s: [] # %s\n", key, comment);
		return;
	}
	buf_printf(b, "%s: # %s\n  ", key, comment);
	words_put(b, v, "   ", true);
}

static void items_put(struct buf *b, const char *key, const struct strv *v)
{
	buf_printf(b, "  %s:%s\n", key, v->count ? "" : " []");
	for (size_t i = 0; i < v->count; i++) {
		buf_puts(b, "    - ");
		value_put(b, v->items[i]);
		buf_puts(b, "\n");
	}
}

static void option_put(struct buf *b, const char *key, const char *value)
{
	if (!value)
		return;
	buf_printf(b, "%s: ", key);
	value_put(b, value);
	buf_puts(b, "\n");
}

static void options_put(struct buf *b, const char *key, const struct strv *values)
{
	if (!values->count)
		return;
	buf_printf(b, "%s: ", key);
	words_put(b, values, "  ", true);
}

/* SRC[:DST] with a source that does not depend on where the file lies. */
static char *source_absolute(const char *text)
{
	const char *colon = strstr(text, ":/");
	char *source = colon ? xstrndup(text, (size_t)(colon - text)) : xstrdup(text), *path = file_absolute(source), *result;

	result = xasprintf("%s%s", path ? path : source, colon ? colon : "");
	free(source);
	free(path);
	return result;
}

static void sources_put(struct buf *b, const char *key, const struct strv *values)
{
	struct strv absolute = { 0 };

	for (size_t i = 0; i < values->count; i++)
		strv_take(&absolute, source_absolute(values->items[i]));
	options_put(b, key, &absolute);
	strv_free(&absolute);
}

/* How the program was started, so that the file alone starts it again. */
static void start_put(struct buf *b, const struct opts *opts)
{
	struct strv args = { 0 };
	char *program = strchr(opts->args[0], '/') ? file_absolute(opts->args[0]) : NULL;

	buf_puts(b, "# What the program did while pith learn watched, and may do again: pith.yaml(5). Edit it. A list that is\n"
		    "# here names all that is allowed of its kind; without the list all of its kind is.\n\n");
	option_put(b, "program", program ? program : opts->args[0]);
	for (int i = 1; i < opts->arg_count; i++)
		strv_add(&args, opts->args[i]);
	options_put(b, "args", &args);
	options_put(b, "env", &opts->env);
	sources_put(b, "env_file", &opts->env_file);
	option_put(b, "workdir", opts->workdir);
	option_put(b, "hostname", opts->hostname);
	sources_put(b, "add", &opts->add);
	options_put(b, "packages", &opts->packages);
	options_put(b, "ports", &opts->publish);
	sources_put(b, "volumes", &opts->volume);
	option_put(b, "net", opts->net);
	options_put(b, "dns", &opts->dns);
	option_put(b, "memory", opts->memory);
	option_put(b, "cpus", opts->cpus);
	options_put(b, "allow", &opts->allow);
	buf_puts(b, "\n# What happens at a departure, for each kind: log, refuse or stop.\n# policy: { file: log, connect: stop }\n\n");
	strv_free(&args);
	free(program);
}

/* A line that begins one of the lists that are written anew. */
static bool begins_list(const char *line)
{
	static const char *const keys[] = { "syscalls:", "ioctls:", "fcntl:", "prctl:", "mmap:", "sockets:", "devices:", "files:", "listen:", "connect:", "# possible:" };

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		if (str_starts(line, keys[i]))
			return true;
	}
	return false;
}

/* The earlier file without those lists: what follows such a line, indented or as entries, goes with it. */
static void earlier_put(struct buf *b, const char *text)
{
	bool inside = false;

	while (*text) {
		size_t len = strcspn(text, "\n") + (text[strcspn(text, "\n")] == '\n');
		bool more = inside && (*text == ' ' || *text == '-' || *text == ']' || str_starts(text, "#   "));

		inside = more || begins_list(text);
		if (!inside)
			buf_append(b, text, len);
		text += len;
	}
	if (b->len && b->data[b->len - 1] != '\n')
		buf_puts(b, "\n");
}

void learn_text(struct learned *l, const struct opts *opts, struct buf *b)
{
	struct rules *r = &l->rules;
	struct strv *sorted[] = { &r->syscalls.items, &r->ioctls.items, &r->fcntl.items, &r->prctl.items, &r->mmap.items, &r->sockets.items,
				  &r->devices.items, &r->listen.items, &r->connect.items, &l->possible };

	for (size_t i = 0; i < sizeof sorted / sizeof *sorted; i++)
		list_sort(sorted[i]);
	learn_paths(&r->read.items, &r->write.items);
	if (l->earlier.len)
		earlier_put(b, l->earlier.data);
	else
		start_put(b, opts);
	list_put(b, "syscalls", "system calls", &r->syscalls.items);
	list_put(b, "ioctls", "commands of ioctl", &r->ioctls.items);
	list_put(b, "fcntl", "commands of fcntl", &r->fcntl.items);
	list_put(b, "prctl", "commands of prctl", &r->prctl.items);
	list_put(b, "mmap", "protections of memory", &r->mmap.items);
	list_put(b, "sockets", "families and types", &r->sockets.items);
	list_put(b, "devices", "opened in /dev", &r->devices.items);
	buf_puts(b, "files: # paths in the machine; a directory with its slash means all below it\n");
	items_put(b, "read", &r->read.items);
	items_put(b, "write", &r->write.items);
	list_put(b, "listen", "ports", &r->listen.items);
	list_put(b, "connect", "peers; nothing else leaves the machine", &r->connect.items);
	if (l->possible.count) {
		buf_puts(b, "# possible: calls that the code names and that were not seen; add those that you know of\n#   ");
		words_put(b, &l->possible, "#   ", false);
	}
	if (l->full)
		buf_puts(b, "# possible: more than this was seen than the kernel had room to tell: files above all\n");
}
