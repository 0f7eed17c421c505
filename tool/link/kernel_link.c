/*
 * kernel_link.c - linking a kernel, and the cache of those that are linked.
 */
#include "link/kernel_link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/cache.h"
#include "link/map.h"
#include "link/select.h"
#include "util/child.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/hash.h"
#include "vmm/kernel_file.h"

#define SCRIPT_MAX (1u << 20)
#define PICK       "KEEP(*(.pick."
#define SLOT       "PROVIDE_HIDDEN(slot_"

/* The script without the lines of what is not wanted. */
static void script_filter(const char *whole, const struct selection *s, struct buf *ret_script)
{
	while (*whole) {
		const char *end = strchrnul(whole, '\n');
		char *line = xstrndup(whole, (size_t)(end - whole)), *pick = strstr(line, PICK), *slot = strstr(line, SLOT), *name;
		bool wanted = true;

		if (pick)
			name = xasprintf("%.*s", (int)strcspn(pick + strlen(PICK), ")"), pick + strlen(PICK));
		else
			name = slot ? xasprintf("slot.%.*s", (int)strcspn(slot + strlen(SLOT), " "), slot + strlen(SLOT)) : NULL;
		if (name)
			wanted = selection_has(s, name);
		free(name);
		free(line);
		if (wanted)
			buf_append(ret_script, whole, (size_t)(end - whole) + (*end == '\n'));
		whole = *end ? end + 1 : end;
	}
}

#define ARCHIVES 2u

static int hash_add_archive(struct hash *h, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), error = 0;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		error = -errno;
	if (!error)
		error = hash_add_file(h, fd, 0, (uint64_t)st.st_size);
	if (fd >= 0)
		close(fd);
	return error ? err_report(PITH_FAILED, path, "cannot read the kernel's objects: %s; install pith again", strerror(-error)) : 0;
}

/* What decides about the bytes: the script, the objects' bytes. (Those of ld too, but ld is not to matter.) */
static int key_make(const struct buf *script, char *const archives[ARCHIVES], char ret_hex[HASH_HEX_LEN])
{
	uint8_t digest[HASH_LEN];
	struct hash h;
	int status = 0;

	hash_init(&h);
	hash_add(&h, script->data, script->len);
	hash_add(&h, PITH_KLDFLAGS, strlen(PITH_KLDFLAGS));
	for (size_t i = 0; i < ARCHIVES && archives[i] && !status; i++)
		status = hash_add_archive(&h, archives[i]);
	hash_end(&h, digest);
	hash_hex(digest, ret_hex);
	return status;
}

/* The line of ld's that says most: the first with an error. */
static const char *complaint(struct buf *output)
{
	char *text = output->data, *error = text ? strstr(text, "error") : NULL;

	if (!text)
		return "no word";

	while (error && error > text && error[-1] != '\n')
		error--;
	text = error ? error : text;
	text[strcspn(text, "\n")] = '\0';
	return text;
}

static int ld_run(const char *script, char *const archives[ARCHIVES], const char *out, const char *map)
{
	char *words = xstrdup(PITH_KLDFLAGS), *next = NULL, *word;
	struct strv argv = { 0 };
	struct buf output = { 0 };
	int status;

	strv_add(&argv, "ld");
	for (word = strtok_r(words, " ", &next); word; word = strtok_r(NULL, " ", &next))
		strv_add(&argv, word);
	strv_add(&argv, "-s");
	strv_add(&argv, "-T");
	strv_add(&argv, script);
	strv_printf(&argv, "-Map=%s", map);
	strv_add(&argv, "-o");
	strv_add(&argv, out);
	strv_add(&argv, "--whole-archive");
	for (size_t i = 0; i < ARCHIVES && archives[i]; i++)
		strv_add(&argv, archives[i]);
	status = child_run(argv.items, &output);
	if (status == -ENOENT)
		status = err_report(PITH_FAILED, "ld", "not found in PATH, and the manifest asks for a kernel of its own; install it: apt-get install binutils");
	else if (status)
		status = err_report(PITH_FAILED, "ld", "failed to link the kernel (%s); it has to be GNU ld 2.38 or later", complaint(&output));
	buf_free(&output);
	strv_free(&argv);
	free(words);
	return status;
}

/* Links into names beside the final ones and renames: a kernel in the cache is whole. The map goes first. */
static int link_into(const struct buf *script, char *const archives[ARCHIVES], const char *path, const char *map_path)
{
	char *tmp = xasprintf("%s.%ld", path, (long)getpid()), *tmp_script = xasprintf("%s.ld", tmp), *tmp_map = xasprintf("%s.map", tmp);
	const char *const all[] = { tmp, tmp_script, tmp_map };
	int fd, status = 0;

	for (size_t i = 0; i < 3; i++)
		cleanup_add(all[i]);
	err_progress("linking the kernel");
	fd = open(tmp_script, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || file_pwrite_all(fd, script->data, script->len, 0) < 0)
		status = err_report(PITH_FAILED, tmp_script, "cannot write it; check the room in the cache directory");
	if (fd >= 0)
		close(fd);
	if (!status)
		status = ld_run(tmp_script, archives, tmp, tmp_map);
	if (!status) {
		json_t *map = map_read(tmp_map);

		if (json_dump_file(map, tmp_map, JSON_COMPACT) < 0 || rename(tmp_map, map_path) < 0 || chmod(tmp, 0644) < 0 || rename(tmp, path) < 0)
			status = err_report(PITH_FAILED, path, "cannot keep the kernel: %s; check the cache directory", strerror(errno));
		json_decref(map);
	}
	err_progress(NULL);
	for (size_t i = 0; i < 3; i++) {
		unlink(all[i]);
		cleanup_forget(all[i]);
	}
	free(tmp);
	free(tmp_script);
	free(tmp_map);
	return status;
}

static int linked_get(const struct selection *s, char **ret_path, json_t **ret_map)
{
	char hex[HASH_HEX_LEN], *cache = NULL, *whole = NULL, *archives[ARCHIVES] = { 0 }, *path = NULL, *map_path = NULL;
	struct buf text = { 0 }, script = { 0 };
	int status = kernel_file_find_part("kernel.ld", &whole), error = 0;

	/* One CPU, hence no network: the objects for that have neither. */
	if (!status)
		status = kernel_file_find_part(s->needs & NEED_CPUS ? "kernel.a" : "small.a", &archives[0]);
	if (!status && s->needs & NEED_CPUS)
		status = kernel_file_find_part(s->needs & NEED_INET6 ? "ip6.a" : "without_ip6.a", &archives[1]);
	if (!status)
		error = file_read(whole, SCRIPT_MAX, &text);
	if (error)
		status = err_report(PITH_FAILED, whole, "cannot read the kernel's link script: %s; install pith again", strerror(-error));
	if (!status) {
		script_filter(text.data ? text.data : "", s, &script);
		status = key_make(&script, archives, hex);
	}
	if (!status)
		status = file_cache_dir(&cache);
	if (!status) {
		path = xasprintf("%s/kernel-%.40s.elf", cache, hex);
		map_path = xasprintf("%s/kernel-%.40s.map", cache, hex);
		if (access(path, R_OK) < 0 || access(map_path, R_OK) < 0) {
			cache_prune(cache);
			status = link_into(&script, archives, path, map_path);
		} else {
			utimensat(AT_FDCWD, path, NULL, 0);
			utimensat(AT_FDCWD, map_path, NULL, 0);
		}
	}
	if (!status)
		*ret_map = json_load_file(map_path, 0, NULL);
	buf_free(&text);
	buf_free(&script);
	free(cache);
	free(whole);
	for (size_t i = 0; i < ARCHIVES; i++)
		free(archives[i]);
	free(map_path);
	if (status)
		free(path);
	else
		*ret_path = path;
	return status;
}

int kernel_for(const struct opts *opts, const struct program *program, char **ret_path, json_t **ret_map)
{
	struct selection selection;

	*ret_map = NULL;
	if (!getenv("PITH_KERNEL") && selection_make(opts, program, &selection))
		return linked_get(&selection, ret_path, ret_map);
	return kernel_file_find(ret_path);
}

json_t *kernel_whole_map(void)
{
	char *path = kernel_file_find_map();
	json_t *map = path ? map_read(path) : NULL;

	free(path);
	return map;
}
