/*
 * add.c - files that the user names for the root: trees, patterns, packages.
 */
#include "image/add.h"

#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/packages.h"
#include "util/err.h"
#include "util/file.h"

/* Puts a tree or file from the host at a path of the plan. Device nodes and sockets are passed over with a notice. */
static int tree_add(struct plan *plan, const char *source, const char *path, struct libs *libs)
{
	char target[4096], **names = NULL;
	size_t count = 0;
	struct stat st;
	struct dirent *entry;
	int status = 0, error = 0;
	ssize_t n;
	DIR *dir;

	if (lstat(source, &st) < 0)
		return err_report(PITH_FAILED, source, "cannot add it: %s; check the path", strerror(errno));
	if (S_ISLNK(st.st_mode)) {
		n = readlink(source, target, sizeof target - 1);
		target[n < 0 ? 0 : n] = '\0';
		error = n < 0 ? -errno : plan_put_link(plan, path, target);
	} else if (S_ISREG(st.st_mode)) {
		error = access(source, R_OK) < 0 ? -errno : plan_put_file(plan, path, source, st.st_mode);
		if (!error)
			libs_add(libs, source, false);
	} else if (!S_ISDIR(st.st_mode)) {
		err_notice(source, "left out of the root: neither a file, a directory nor a link");
	} else {
		error = plan_put_dir(plan, path);
		if (!error)
			plan_find(plan, path)->mode = (st.st_mode & 01777) | 0500; /* the tool reads it, too */
		dir = error ? NULL : opendir(source);
		if (!error && !dir)
			error = -errno;
		while (dir && (entry = readdir(dir))) {
			if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
				continue;
			names = xrealloc(names, (count + 1) * sizeof *names);
			names[count++] = xstrdup(entry->d_name);
		}
		if (dir)
			closedir(dir);
	}
	if (error)
		status = err_report(PITH_FAILED, source, "cannot add it as %s: %s; choose another place with --add SRC:DST", path, strerror(-error));
	for (size_t i = 0; i < count; i++) {
		char *from = xasprintf("%s/%s", source, names[i]), *to = xasprintf("%s/%s", path, names[i]);

		if (!status)
			status = tree_add(plan, from, to, libs);
		free(from);
		free(to);
		free(names[i]);
	}
	free(names);
	return status;
}

/* One file or tree at its place; place NULL: its own path. A link named as source itself is followed; a place that ends in '/' is a directory to put it in. */
static int source_add(struct plan *plan, const char *source, const char *place, struct libs *libs)
{
	char *path, *real = realpath(source, NULL);
	int status;

	if (!real)
		return err_report(PITH_FAILED, source, "cannot add it: %s; check the path", strerror(errno));
	if (!place) {
		path = file_absolute(source);
	} else if (str_ends(place, "/") && place[1]) {
		char *absolute = file_absolute(source);

		path = xasprintf("%s%s", place, strrchr(absolute, '/') + 1);
		free(absolute);
	} else {
		path = xstrdup(place);
	}
	if (!place && plan_mirror(plan, path) == 0 && !strcmp(real, path))
		status = tree_add(plan, real, path, libs);
	else
		status = tree_add(plan, real, place ? path : real, libs);
	free(real);
	free(path);
	return status;
}

int add_path(struct plan *plan, const char *word, struct libs *libs)
{
	const char *colon = strrchr(word, ':');
	char *source = colon ? xstrndup(word, (size_t)(colon - word)) : xstrdup(word);
	const char *place = colon ? colon + 1 : NULL;
	int status = 0;
	glob_t found;

	if (!strpbrk(source, "*?[") || access(source, F_OK) == 0) {
		status = source_add(plan, source, place, libs);
	} else if (place && !str_ends(place, "/")) {
		status = err_report(PITH_USAGE, word, "several files may fit, and %s is one place; end it with a /", place);
	} else if (glob(source, GLOB_ERR, NULL, &found)) {
		status = err_report(PITH_FAILED, source, "cannot add it: no file fits; check the pattern");
	} else {
		for (size_t i = 0; i < found.gl_pathc && !status; i++)
			status = source_add(plan, found.gl_pathv[i], place, libs);
		globfree(&found);
	}
	free(source);
	return status;
}

int add_package(struct plan *plan, const char *name, struct libs *libs)
{
	static const char *const unread[] = { "/usr/share/doc", "/usr/share/man", "/usr/share/info", "/usr/share/lintian", "/usr/share/bug",
					      "/usr/share/doc-base", "/usr/share/locale", "/usr/share/menu" };
	struct strv files = { 0 };
	int status = packages_files(name, &files);

	for (size_t i = 0; i < files.count && !status; i++) {
		const char *path = files.items[i];
		bool wanted = true;
		struct stat st;
		int error;

		for (size_t j = 0; j < sizeof unread / sizeof *unread; j++)
			wanted = wanted && !(str_starts(path, unread[j]) && strchr("/", path[strlen(unread[j])]));
		if (!wanted || lstat(path, &st) < 0) /* what the package shipped may have been removed since */
			continue;
		error = plan_mirror(plan, path);
		if (error && error != -ENOENT && error != -EINVAL)
			status = err_report(PITH_FAILED, path, "cannot add it from package %s: %s; leave the package out and add files with --add", name,
					    strerror(-error));
		if (!error && S_ISREG(st.st_mode))
			libs_add(libs, path, false);
	}
	strv_free(&files);
	return status;
}
