/*
 * cmd_learn.c - pith learn: run a program and write down what it does, as a manifest.
 *
 * The kernel tells each thing once (`learn` lines, shared/bootconf.h); learn_text.c makes the file of them. It is written
 * when the machine has ended, at once and whole.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "cmd_run.h"
#include "doctor_program.h"
#include "learn_text.h"
#include "manifest.h"
#include "scan/table.h"
#include "util/err.h"
#include "util/file.h"

#define MANIFEST_MAX (1u << 20)

static struct rules_list *list_named(struct rules *r, const char *name, size_t len)
{
	static const char *const names[] = { "syscalls", "sockets", "devices", "read", "write", "listen", "connect", "ioctls", "mmap", "prctl", "fcntl" };
	struct rules_list *lists[] = { &r->syscalls, &r->sockets, &r->devices, &r->read, &r->write, &r->listen, &r->connect, &r->ioctls, &r->mmap,
				       &r->prctl, &r->fcntl };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (strlen(names[i]) == len && !memcmp(names[i], name, len))
			return lists[i];
	}
	return NULL;
}

/* An entry as the kernel tells it, as a word of a manifest; NULL for what cannot be understood. */
static char *word_make(const struct rules *r, const struct rules_list *list, const char *entry)
{
	unsigned int family, type;
	uint64_t n = 0;
	char *word;

	if (list == &r->sockets) {
		if (!rules_socket(entry, &family, &type))
			return NULL;
		return rules_socket_word(family, type);
	}
	if (list == &r->syscalls || list == &r->ioctls || list == &r->prctl || list == &r->fcntl || list == &r->mmap) {
		if (!str_number(entry, 0, UINT32_MAX, &n))
			return NULL;
		if (list == &r->syscalls)
			return scan_call_name((unsigned int)n) ? xstrdup(scan_call_name((unsigned int)n)) : NULL;
		if (list == &r->mmap)
			return n < 16 ? xstrdup(rules_mmap_word((unsigned int)n)) : NULL;
		word = rules_name(list == &r->ioctls ? RULES_IOCTL : list == &r->prctl ? RULES_PRCTL : RULES_FCNTL, n);
		return word;
	}
	return *entry ? xstrdup(entry) : NULL;
}

/* One line of the control port, which is untrusted: odd ones are passed over. */
static void entry_take(void *context, const char *line)
{
	struct learned *l = context;
	size_t len = strcspn(line, " ");
	struct rules_list *list = list_named(&l->rules, line, len);
	char *word = list && line[len] ? word_make(&l->rules, list, line + len + 1) : NULL;

	if (!strcmp(line, "full"))
		l->full = true;
	if (word && list->items.count < LEARN_ENTRIES_MAX && !strv_has(&list->items, word))
		strv_take(&list->items, word);
	else
		free(word);
}

/* What an earlier run learned, and how its file says the rest. */
static int earlier_take(struct learned *l, const char *path)
{
	struct opts old = { .manifest = (char *)path };
	int error = file_read(path, MANIFEST_MAX, &l->earlier), status;

	if (error)
		return err_report(PITH_FAILED, path, "cannot read it: %s; check the path after -o", strerror(-error));
	status = manifest_apply(&old, false);
	if (!status) {
		l->rules = old.rules;
		old.rules = (struct rules){ 0 };
	}
	old.manifest = NULL;
	opts_free(&old);
	return status;
}

static int begin(void *context, struct opts *opts)
{
	struct learned *l = context;
	bool there;

	if (!opts->output)
		return err_report(PITH_USAGE, "learn", "no file is named; pith learn [options] -o pith.yaml PROGRAM [ARG...]");
	there = access(opts->output, F_OK) == 0;
	if (there && !opts->merge)
		return err_report(PITH_USAGE, opts->output, "it is there already; give --merge to add to it, or another name");
	rules_free(&opts->rules); /* nothing is refused while it is watched */
	return there ? earlier_take(l, opts->output) : 0;
}

static int end(void *context, const struct opts *opts, int status)
{
	struct learned *l = context;
	struct buf text = { 0 };
	struct file_atomic out;

	if (!l->rules.syscalls.items.count)
		return status ? status : err_report(PITH_FAILED, opts->output, "nothing was seen of the program, so nothing is written; look at the lines above");
	if (doctor_possible_calls(opts, &l->rules.syscalls.items, &l->possible))
		strv_free(&l->possible);
	learn_text(l, opts, &text);
	status = file_atomic_open(&out, opts->output);
	if (!status && file_pwrite_all(out.fd, text.data, text.len, 0) < 0)
		status = err_report(PITH_FAILED, opts->output, "cannot write it: %s", strerror(errno));
	if (!status)
		status = file_atomic_commit(&out);
	file_atomic_abort(&out);
	buf_free(&text);
	if (!status)
		err_notice(opts->output, "%zu system calls, %zu files to read and %zu to write, %zu ports, %zu peers; read it, then pith run -M %s",
			   l->rules.syscalls.items.count, l->rules.read.items.count, l->rules.write.items.count, l->rules.listen.items.count,
			   l->rules.connect.items.count, opts->output);
	return status;
}

int cmd_learn(int argc, char **argv)
{
	struct learned learned = { 0 };
	const struct run_watch watch = { .context = &learned, .begin = begin, .entry = entry_take, .end = end };
	int status = run_machine("learn", OPTS_LEARN, argc, argv, &watch);

	rules_free(&learned.rules);
	strv_free(&learned.possible);
	buf_free(&learned.earlier);
	return status;
}
