/*
 * root.c - what goes into a root: the program, its libraries, --add, and the few
 * files that a C library reads.
 *
 * Order matters: the program and its libraries come first, so that the host's
 * links (/lib -> usr/lib) are there when --add names a path through them; then
 * the made files, which the user's own --add may replace.
 */
#include "image/root.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/add.h"
#include "image/libs.h"
#include "image/sysfiles.h"
#include "util/err.h"
#include "util/file.h"

#define ENV_FILE_MAX (1u << 20)
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static int env_file_read(const char *path, struct bootconf *conf)
{
	struct buf text;
	char *line, *rest;
	int error = file_read(path, ENV_FILE_MAX, &text);

	if (error)
		return err_report(PITH_FAILED, path, "cannot read it: %s; check --env-file", strerror(-error));
	for (line = text.data ? strtok_r(text.data, "\n", &rest) : NULL; line; line = strtok_r(NULL, "\n", &rest)) {
		line[strcspn(line, "\r")] = '\0';
		if (!*line || *line == '#')
			continue;
		if (*line == '=') {
			buf_free(&text);
			return err_report(PITH_USAGE, path, "a line names no variable; write KEY=VALUE");
		}
		if (strchr(line, '=')) {
			bootconf_set_env(conf, line);
		} else if (getenv(line)) {
			char *assignment = xasprintf("%s=%s", line, getenv(line));

			bootconf_set_env(conf, assignment);
			free(assignment);
		}
	}
	buf_free(&text);
	return 0;
}

/* Some of the files and, over them, some of the variables. */
static int environment_add(const struct opts *opts, size_t file, size_t files_end, size_t env, size_t env_end, struct bootconf *conf)
{
	int status = 0;

	for (; file < files_end && !status; file++)
		status = env_file_read(opts->env_file.items[file], conf);
	for (; env < env_end && !status; env++) {
		const char *word = opts->env.items[env];

		if (strchr(word, '=')) {
			bootconf_set_env(conf, word);
		} else if (getenv(word)) {
			char *assignment = xasprintf("%s=%s", word, getenv(word));

			bootconf_set_env(conf, assignment);
			free(assignment);
		}
	}
	return status;
}

int root_environment(const struct opts *opts, struct bootconf *conf)
{
	int status = environment_add(opts, 0, opts->first_env_file_count, 0, opts->first_env_count, conf);

	if (!status)
		status = environment_add(opts, opts->first_env_file_count, opts->env_file.count, opts->first_env_count, opts->env.count, conf);
	if (opts->workdir) {
		free(conf->cwd);
		conf->cwd = xstrdup(opts->workdir);
	}
	if (opts->hostname) {
		free(conf->hostname);
		conf->hostname = xstrdup(opts->hostname);
	}
	if (strv_has(&opts->allow, "jit"))
		conf->allow_jit = true;
	if (!status && rules_given(&opts->rules)) { /* those of a manifest take the place of an image's */
		strv_free(&conf->rules);
		strv_free(&conf->policies);
		status = rules_records(&opts->rules, &conf->rules, &conf->policies);
	}
	return status;
}

static int program_put(const struct program *program, struct plan *plan)
{
	const char *interp = program->elf.interp;
	struct elf_file elf;
	int error = plan_mirror(plan, program->exec);

	if (error)
		return err_report(PITH_CANNOT_RUN, program->exec, "cannot put it into the root: %s", strerror(-error));
	for (size_t i = 0; i < program->scripts.count; i++) {
		error = plan_mirror(plan, program->scripts.items[i]);
		if (error)
			return err_report(PITH_CANNOT_RUN, program->scripts.items[i], "cannot put it into the root: %s", strerror(-error));
	}
	if (!interp)
		return 0;
	error = interp[0] == '/' ? elf_file_read(interp, &elf) : -ENOENT;
	if (!error) {
		bool native = elf_file_is_native(&elf);

		elf_file_free(&elf);
		error = native ? plan_mirror(plan, interp) : -ENOEXEC;
	}
	if (error)
		return err_report(PITH_CANNOT_RUN, program->exec, "its interpreter %s is %s; install the C library that it was built for", interp,
				  error == -ENOENT ? "not on this host" : "no x86-64 ELF file");
	return 0;
}

int root_plan(const struct opts *opts, const struct program *program, struct plan *plan, struct bootconf *conf, uint64_t *ret_load_len)
{
	struct libs libs;
	int status;

	conf->exec = xstrdup(program->exec);
	conf->cwd = xstrdup("/");
	for (size_t i = 0; i < program->args.count; i++)
		strv_add(&conf->args, program->args.items[i]);
	strv_add(&conf->env, "PATH=" DEFAULT_PATH);
	strv_add(&conf->env, "HOME=/");
	status = root_environment(opts, conf);
	if (status)
		return status;
	libs_init(&libs, program->elf.interp, bootconf_get_env(conf, "LD_LIBRARY_PATH"));
	status = program_put(program, plan);
	if (!status)
		status = libs_add(&libs, program->exec, true);
	if (!status)
		status = sysfiles_put(plan, conf);
	for (size_t i = 0; i < opts->packages.count && !status; i++)
		status = add_package(plan, opts->packages.items[i], &libs);
	for (size_t i = 0; i < opts->add.count && !status; i++)
		status = add_path(plan, opts->add.items[i], &libs);
	if (!status)
		status = libs_to_plan(&libs, program->elf.interp, plan);
	for (size_t i = 0; i < opts->volume.count && !status; i++) {
		if (plan_put_dir(plan, opts->volumes[i].path) < 0)
			status = err_report(PITH_FAILED, opts->volumes[i].path, "the root has something else there; a volume needs a directory");
	}
	if (!status && plan_put_dir(plan, conf->cwd) < 0)
		status = err_report(PITH_USAGE, "--workdir", "%s is no directory in the root; choose another", conf->cwd);
	*ret_load_len = 0;
	for (size_t i = 0; i < libs.count; i++)
		*ret_load_len += libs.objects[i].parent == i && i ? 0 : libs.objects[i].elf.load_len;
	libs_free(&libs);
	return status;
}
