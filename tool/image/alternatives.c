/*
 * alternatives.c - which links of update-alternatives(1) lead to a package's files.
 *
 * A package's installation makes them, so dpkg does not list them. A link NAME leads to CHOICES/NAME, which is a link to what was
 * chosen. DATABASE has a file for each group: how it was chosen, the link that the group is named after, then name and link of each that
 * is switched with it, an empty line, and what could be chosen, which does not matter here.
 *
 * What cannot be read is passed over: a host without them has none.
 */
#include "image/alternatives.h"

#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/file.h"

#define CHOICES "/etc/alternatives"
#define DATABASE "/var/lib/dpkg/alternatives"
#define GROUP_MAX (1u << 20)

static void link_add(const char *name, const char *link, struct strv *files)
{
	char *choice = xasprintf("%s/%s", CHOICES, name), chosen[PATH_MAX];
	ssize_t n = readlink(choice, chosen, sizeof chosen - 1);

	if (n > 0 && link[0] == '/') {
		chosen[n] = '\0';
		if (strv_has(files, chosen) && !strv_has(files, link))
			strv_add(files, link);
	}
	free(choice);
}

static void group_add(const char *path, struct strv *files)
{
	struct buf text = { 0 };
	char *name = xstrdup(strrchr(path, '/') + 1), *line, *rest;

	if (file_read(path, GROUP_MAX, &text) == 0 && text.data) {
		rest = text.data;
		(void)strsep(&rest, "\n");      /* automatic or by hand */
		while ((line = strsep(&rest, "\n")) != NULL && line[0]) {
			link_add(name, line, files);
			line = strsep(&rest, "\n");
			if (!line || !line[0])
				break;
			free(name);
			name = xstrdup(line);
		}
	}
	free(name);
	buf_free(&text);
}

void alternatives_add(struct strv *files)
{
	glob_t groups;

	if (glob(DATABASE "/*", 0, NULL, &groups))
		return;
	for (size_t i = 0; i < groups.gl_pathc; i++)
		group_add(groups.gl_pathv[i], files);
	globfree(&groups);
}
