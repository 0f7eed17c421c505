/*
 * program.c - from the word PROGRAM to the file that the machine will run.
 *
 * A script's first line is read as Linux reads it: 255 bytes, the interpreter,
 * then everything else as at most one argument. "#!/usr/bin/env NAME" would need
 * a second program in the machine, so NAME is looked up here instead.
 */
#include "image/program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/err.h"
#include "util/file.h"

#define SCRIPT_DEPTH_MAX 4
#define HASHBANG_MAX     256
#define GPT_HEADER_AT    512

int program_find(const char *word, char **ret_path)
{
	struct stat st;
	char *found = NULL;
	int error = 0;

	if (!*word)
		return err_report(PITH_NOT_FOUND, "PROGRAM", "the name is empty; give the path of a program or an image");
	if (stat(word, &st) == 0)
		found = xstrdup(word);
	else
		error = errno;
	if (!found && !strchr(word, '/'))
		found = file_find_in_path(word, getenv("PATH"));
	if (found) {
		*ret_path = found;
		return 0;
	}
	if (error != ENOENT && error != ENOTDIR)
		return err_report(PITH_CANNOT_RUN, word, "cannot open: %s; check the path and its permissions", strerror(error));
	return err_report(PITH_NOT_FOUND, word, "no such file%s; check the path", strchr(word, '/') ? "" : " here or in PATH");
}

static int head_read(const char *path, char *head, size_t cap, size_t *ret_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return err_report(PITH_CANNOT_RUN, path, "cannot open: %s; check its permissions", strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return err_report(PITH_CANNOT_RUN, path, "%s, not a file; give the path of a program or an image",
				  S_ISDIR(st.st_mode) ? "a directory" : "a special file");
	}
	n = pread(fd, head, cap, 0);
	if (n < 0) {
		int error = errno;

		close(fd);
		return err_report(PITH_CANNOT_RUN, path, "cannot read: %s", strerror(error));
	}
	close(fd);
	*ret_len = (size_t)n;
	return 0;
}

int program_classify(const char *path, enum program_kind *ret_kind)
{
	char head[GPT_HEADER_AT + 8];
	size_t len;
	int status = head_read(path, head, sizeof head, &len);

	if (status)
		return status;
	if (len >= SELFMAG && !memcmp(head, ELFMAG, SELFMAG))
		*ret_kind = PROGRAM_ELF;
	else if (len >= 2 && head[0] == '#' && head[1] == '!')
		*ret_kind = PROGRAM_SCRIPT;
	else if (len >= GPT_HEADER_AT && head[510] == 0x55 && head[511] == (char)0xaa)
		*ret_kind = PROGRAM_IMAGE;
	else
		return err_report(PITH_CANNOT_RUN, path, "%s; give a Linux program for x86-64 or an image made by pith build",
				  len ? "neither an ELF program, nor a script with #!, nor an image" : "the file is empty");
	return 0;
}

/* Splits "#! INTERPRETER [ARGUMENT]"; false when no interpreter is named. */
static bool hashbang_split(char *head, char **ret_interp, char **ret_arg)
{
	char *p = head + 2, *end;

	head[strcspn(head, "\n")] = '\0';
	for (end = head + strlen(head); end > p && strchr(" \t\r", end[-1]); end--)
		end[-1] = '\0';
	p += strspn(p, " \t");
	*ret_interp = p;
	p += strcspn(p, " \t");
	*ret_arg = NULL;
	if (*p) {
		*p++ = '\0';
		*ret_arg = p + strspn(p, " \t");
	}
	return **ret_interp != '\0';
}

/* "#!/usr/bin/env NAME [ARG]" and "#!/usr/bin/env -S NAME [ARG]": what env would start. */
static int env_resolve(const char *script, char *arg, const char *path_list, char **ret_path, char **ret_arg)
{
	char *name = arg;

	if (name && str_starts(name, "-S"))
		name += 2 + strspn(name + 2, " \t");
	if (!name || !*name || *name == '-' || strchr(name, '='))
		return err_report(PITH_CANNOT_RUN, script, "its #! line uses env in a way that needs a second program; name the interpreter itself");
	arg = name + strcspn(name, " \t");
	if (*arg) {
		*arg++ = '\0';
		arg += strspn(arg, " \t");
	}
	*ret_path = file_find_in_path(name, path_list);
	if (!*ret_path)
		return err_report(PITH_CANNOT_RUN, script, "its #! line asks for %s, which is not in PATH; install it", name);
	*ret_arg = *arg ? xstrdup(arg) : NULL;
	return 0;
}

/* One "#!" step: program->exec is a script; afterwards it is the interpreter and args are rewritten. */
static int script_follow(struct program *program, char *head, const char *path_list)
{
	char *interp, *arg, *path, *free_arg = NULL;
	struct strv args = { 0 };
	const char *base;
	struct stat st;

	if (!hashbang_split(head, &interp, &arg))
		return err_report(PITH_CANNOT_RUN, program->exec, "its #! line names no interpreter; write one there");
	base = strrchr(interp, '/');
	if (!base)
		return err_report(PITH_CANNOT_RUN, program->exec, "its #! line names %s, which is no absolute path; write one there", interp);
	if (!strcmp(base, "/env")) {
		int status = env_resolve(program->exec, arg, path_list, &path, &free_arg);

		if (status)
			return status;
		arg = free_arg;
	} else {
		path = file_absolute(interp);
	}
	if (stat(path, &st) < 0) {
		err_report(PITH_CANNOT_RUN, program->exec, "its interpreter %s is not on this host; install it", path);
		free(path);
		return PITH_CANNOT_RUN;
	}
	strv_add(&args, path);
	if (arg)
		strv_add(&args, arg);
	free(free_arg);
	strv_add(&args, program->scripts.count ? program->args.items[0] : program->exec);
	for (size_t i = 1; i < program->args.count; i++)
		strv_add(&args, program->args.items[i]);
	strv_free(&program->args);
	program->args = args;
	strv_take(&program->scripts, program->exec);
	program->exec = path;
	return 0;
}

static int elf_check(struct program *program, const char *shown)
{
	int error = elf_file_read(program->exec, &program->elf);

	if (error)
		return err_report(PITH_CANNOT_RUN, shown, "%s; get an undamaged copy",
				  error == -ENOEXEC ? "its ELF headers are damaged" : strerror(-error));
	if (!elf_file_is_native(&program->elf))
		return err_report(PITH_CANNOT_RUN, shown, "built for %s; build it for 64-bit x86-64", elf_machine_name(&program->elf));
	if ((program->elf.type != ET_EXEC && program->elf.type != ET_DYN) || !program->elf.entry)
		return err_report(PITH_CANNOT_RUN, shown, "%s, not a program; link it as a program",
				  program->elf.type == ET_REL ? "an object file" : "an ELF file without an entry point");
	return 0;
}

int program_open(const char *word, const char *path, char **argv, int argc, const char *path_list, struct program *ret_program)
{
	struct program *p = ret_program;
	int status = 0;

	*p = (struct program){ .exec = file_absolute(path) };
	strv_add(&p->args, word);
	for (int i = 0; i < argc; i++)
		strv_add(&p->args, argv[i]);
	while (!status) {
		char head[HASHBANG_MAX] = { 0 };
		const char *shown = p->scripts.count ? p->exec : path;
		size_t len;

		status = head_read(p->exec, head, sizeof head - 1, &len);
		if (status)
			break;
		if (access(p->exec, X_OK) < 0) {
			status = err_report(PITH_CANNOT_RUN, shown, "not executable; chmod +x it");
			break;
		}
		if (len < 2 || head[0] != '#' || head[1] != '!') {
			status = elf_check(p, shown);
			break;
		}
		if (p->scripts.count == SCRIPT_DEPTH_MAX)
			status = err_report(PITH_CANNOT_RUN, path, "scripts name each other as interpreter without end; name a program");
		else
			status = script_follow(p, head, path_list);
	}
	if (status)
		program_free(p);
	return status;
}

void program_free(struct program *program)
{
	free(program->exec);
	strv_free(&program->args);
	strv_free(&program->scripts);
	elf_file_free(&program->elf);
	*program = (struct program){ 0 };
}
