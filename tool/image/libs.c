/*
 * libs.c - which shared libraries a program needs and where they are.
 *
 * The order of search is the loader's (ld.so(8)): DT_RPATH of the object and of
 * those that asked for it, if it has no DT_RUNPATH; LD_LIBRARY_PATH; DT_RUNPATH;
 * the directories of /etc/ld.so.conf; the default directories. A file of another
 * class or machine is passed over, as the loader does.
 *
 * (I1) An object is in the list once; the list grows behind the index that is
 *      being worked on, so the loop ends when every need is looked up.
 */
#include "image/libs.h"

#include <elf.h>
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "image/ld_cache.h"
#include "util/err.h"
#include "util/file.h"

#define CONF_DEPTH_MAX 8
#define CONF_LEN_MAX   (1u << 20)

static void strv_add_split(struct strv *v, const char *list, const char *separators)
{
	while (*list) {
		size_t len = strcspn(list, separators);

		if (len)
			strv_take(v, xstrndup(list, len));
		list += len + (list[len] != '\0');
	}
}

/* /etc/ld.so.conf: a directory a line, "include PATTERN", '#' to the end of the line. */
static void conf_read(struct strv *dirs, const char *path, unsigned int depth)
{
	struct buf text;
	char *line, *rest;

	if (depth > CONF_DEPTH_MAX || file_read(path, CONF_LEN_MAX, &text) < 0)
		return;
	for (line = strtok_r(text.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		glob_t found;

		line[strcspn(line, "#")] = '\0';
		line += strspn(line, " \t");
		for (size_t len = strlen(line); len && strchr(" \t\r", line[len - 1]); len--)
			line[len - 1] = '\0';
		if (str_starts(line, "include ") || str_starts(line, "include\t")) {
			char *pattern = line + 7 + strspn(line + 7, " \t");
			char *full = pattern[0] == '/' ? xstrdup(pattern) : xasprintf("/etc/%s", pattern);

			if (glob(full, 0, NULL, &found) == 0) {
				for (size_t i = 0; i < found.gl_pathc; i++)
					conf_read(dirs, found.gl_pathv[i], depth + 1);
				globfree(&found);
			}
			free(full);
		} else if (line[0] == '/') {
			strv_add(dirs, line);
		}
	}
	buf_free(&text);
}

void libs_init(struct libs *libs, const char *interp, const char *library_path)
{
	static const char *const defaults[] = { "/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu",
						"/lib64", "/usr/lib64", "/lib", "/usr/lib" };
	const char *base = interp ? strrchr(interp, '/') : NULL;
	struct buf text;

	*libs = (struct libs){ 0 };
	libs->musl = base && str_starts(base, "/ld-musl-");
	if (library_path)
		strv_add_split(&libs->search_env, library_path, ":;");
	if (libs->musl) {
		if (file_read("/etc/ld-musl-x86_64.path", CONF_LEN_MAX, &text) == 0) {
			strv_add_split(&libs->search_conf, text.data ? text.data : "", ":\n");
			buf_free(&text);
		} else {
			strv_add_split(&libs->search_conf, "/lib:/usr/local/lib:/usr/lib", ":");
		}
		return;
	}
	conf_read(&libs->search_conf, "/etc/ld.so.conf", 0);
	for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
		strv_add(&libs->search_conf, defaults[i]);
}

void libs_free(struct libs *libs)
{
	for (size_t i = 0; i < libs->count; i++) {
		free(libs->objects[i].path);
		free(libs->objects[i].name);
		elf_file_free(&libs->objects[i].elf);
	}
	free(libs->objects);
	strv_free(&libs->search_env);
	strv_free(&libs->search_conf);
	strv_free(&libs->missing);
	*libs = (struct libs){ 0 };
}

/* Replaces $ORIGIN, $LIB and $PLATFORM (with or without braces) as the loader does. */
static char *expand_tokens(const char *dir, const char *object_path)
{
	static const struct { const char *token; const char *value; } tokens[] = {
		{ "ORIGIN", NULL }, { "LIB", "lib/x86_64-linux-gnu" }, { "PLATFORM", "x86_64" },
	};
	const char *slash = strrchr(object_path, '/');
	struct buf out = { 0 };

	buf_puts(&out, "");
	while (*dir) {
		bool done = false;

		for (size_t i = 0; *dir == '$' && i < sizeof tokens / sizeof *tokens && !done; i++) {
			bool braces = dir[1] == '{';
			size_t len = strlen(tokens[i].token);
			const char *name = dir + 1 + braces;

			if (strncmp(name, tokens[i].token, len) != 0 || (braces && name[len] != '}'))
				continue;
			if (tokens[i].value)
				buf_puts(&out, tokens[i].value);
			else
				buf_append(&out, object_path, slash ? (size_t)(slash - object_path) : 0);
			dir = name + len + braces;
			done = true;
		}
		if (!done && *dir)
			buf_append(&out, dir++, 1);
	}
	return out.data;
}

static char *find_in_dir(const char *dir, const char *name)
{
	char *path = xasprintf("%s/%s", dir, name);
	struct elf_file elf;

	if (elf_file_read(path, &elf) == 0) {
		bool native = elf_file_is_native(&elf) && elf.type == ET_DYN;

		elf_file_free(&elf);
		if (native)
			return path;
	}
	free(path);
	return NULL;
}

static char *find_in_list(const char *list, const char *object_path, const char *name)
{
	struct strv dirs = { 0 };
	char *found = NULL;

	strv_add_split(&dirs, list, ":");
	for (size_t i = 0; i < dirs.count && !found; i++) {
		char *dir = expand_tokens(dirs.items[i], object_path);

		found = find_in_dir(dir, name);
		free(dir);
	}
	strv_free(&dirs);
	return found;
}

static char *find_in_dirs(const struct strv *dirs, const char *name)
{
	char *found = NULL;

	for (size_t i = 0; i < dirs->count && !found; i++)
		found = find_in_dir(dirs->items[i], name);
	return found;
}

static char *find_library(const struct libs *libs, size_t asker, const char *name)
{
	const struct libs_object *object = &libs->objects[asker];
	char *found = NULL;

	if (strchr(name, '/'))
		return xstrdup(name);
	if (!object->elf.runpath || libs->musl) {
		for (size_t i = asker; !found; i = libs->objects[i].parent) {
			const struct libs_object *up = &libs->objects[i];
			const char *list = up->elf.rpath ? up->elf.rpath : libs->musl ? up->elf.runpath : NULL;

			if (list)
				found = find_in_list(list, up->path, name);
			if (up->parent == i)
				break;
		}
	}
	if (!found)
		found = find_in_dirs(&libs->search_env, name);
	if (!found && object->elf.runpath)
		found = find_in_list(object->elf.runpath, object->path, name);
	if (!found)
		found = find_in_dirs(&libs->search_conf, name);
	return found;
}

static bool is_loaded(const struct libs *libs, const char *name)
{
	for (size_t i = 0; i < libs->count; i++) {
		const struct libs_object *o = &libs->objects[i];

		if ((o->name && !strcmp(o->name, name)) || (o->elf.soname && !strcmp(o->elf.soname, name)))
			return true;
	}
	return false;
}

/* musl's loader is the C library and answers to all its old names. */
static bool is_builtin(const struct libs *libs, const char *name)
{
	static const char *const names[] = { "libc.so", "libc.musl-x86_64.so.1", "libpthread.so", "libm.so",
					     "librt.so", "libdl.so", "libutil.so", "libxnet.so", "libcrypt.so" };

	for (size_t i = 0; libs->musl && i < sizeof names / sizeof *names; i++) {
		if (!strcmp(names[i], name))
			return true;
	}
	return false;
}

static int object_add(struct libs *libs, const char *path, const char *name, size_t parent)
{
	struct libs_object object = { .path = xstrdup(path), .name = name ? xstrdup(name) : NULL };
	int error = elf_file_read(path, &object.elf);

	if (error) {
		free(object.path);
		free(object.name);
		return error;
	}
	object.parent = name ? parent : libs->count;
	if (libs->count == libs->cap) {
		libs->cap = libs->cap ? libs->cap * 2 : 16;
		libs->objects = xrealloc(libs->objects, libs->cap * sizeof *libs->objects);
	}
	libs->objects[libs->count++] = object;
	return 0;
}

static int needs_add(struct libs *libs, size_t at, bool must)
{
	for (size_t i = 0; i < libs->objects[at].elf.needed.count; i++) {
		const char *name = libs->objects[at].elf.needed.items[i];
		char *found;
		int error;

		if (is_loaded(libs, name) || is_builtin(libs, name))
			continue;
		found = find_library(libs, at, name);
		error = found ? object_add(libs, found, name, at) : -ENOENT;
		free(found);
		if (error && must)
			return err_report(PITH_CANNOT_RUN, libs->objects[at].path,
					  "needs the library %s, which is not on this host; install it, or say where it is with -e LD_LIBRARY_PATH=DIR",
					  name);
		if (error)
			strv_printf(&libs->missing, "%s, which %s needs", name, libs->objects[at].path);
	}
	return 0;
}

static void optional_add(struct libs *libs, size_t asker, const char *name)
{
	char *found = is_loaded(libs, name) ? NULL : find_library(libs, asker, name);

	if (found)
		object_add(libs, found, name, asker);
	free(found);
}

/*
 * What comes without being needed: glibc loads libgcc_s by itself to unwind a thread that ends early, and some
 * programs open the libraries by name that libc took over.
 */
static void unneeded_add(struct libs *libs, size_t first)
{
	static const char unwinder[] = "libgcc_s.so.1";
	static const char *const stubs[] = { "libpthread.so.0", "libdl.so.2", "librt.so.1" };

	for (size_t i = first; i < libs->count && !libs->musl; i++) {
		const char *soname = libs->objects[i].elf.soname;

		if (soname && !strcmp(soname, "libc.so.6"))
			continue;
		if (libs->objects[i].elf.unwinds_threads)
			optional_add(libs, i, unwinder);
		for (size_t k = 0; libs->objects[i].elf.opens_libraries && k < sizeof stubs / sizeof *stubs; k++) {
			if (is_loaded(libs, stubs[k]) || !elf_file_holds(libs->objects[i].path, stubs[k]))
				continue;
			optional_add(libs, i, stubs[k]);
			optional_add(libs, i, unwinder);
		}
	}
}

int libs_add(struct libs *libs, const char *path, bool must)
{
	size_t first = libs->count;
	int status = 0, error = object_add(libs, path, NULL, 0);

	if (error)
		return must ? err_report(PITH_CANNOT_RUN, path, "cannot read it as an ELF file: %s", strerror(-error)) : 0;
	for (size_t at = first; at < libs->count && !status; at++) /* keeps (I1) */
		status = needs_add(libs, at, must);
	unneeded_add(libs, first);
	return status;
}

int libs_to_plan(struct libs *libs, const char *interp, struct plan *plan)
{
	struct ld_cache_entry *entries = xcalloc(libs->count ? libs->count : 1, sizeof *entries);
	size_t entry_count = 0;
	struct buf cache = { 0 };
	int error = 0;

	for (size_t i = 0; i < libs->count && !error; i++) {
		const struct libs_object *o = &libs->objects[i];

		if (!o->name)
			continue;
		error = plan_mirror(plan, o->path);
		if (error)
			err_report(PITH_CANNOT_RUN, o->path, "cannot put it into the root: %s", strerror(-error));
		if (!strchr(o->name, '/'))
			entries[entry_count++] = (struct ld_cache_entry){ .name = o->name, .path = o->path };
	}
	if (!error && interp && libs->musl) {
		/* What is not there need not be mirrored. */
		if (plan_mirror(plan, "/etc/ld-musl-x86_64.path") == -ENOENT)
			plan_put_dir(plan, "/etc");
	} else if (!error && interp && entry_count) {
		ld_cache_make(entries, entry_count, &cache);
		error = plan_put_text(plan, "/etc/ld.so.cache", cache.data, cache.len, 0644);
		buf_free(&cache);
	}
	free(entries);
	return error ? PITH_CANNOT_RUN : 0;
}
