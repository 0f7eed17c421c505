/*
 * doctor_program.c - pith doctor --program: can this program run, and what would it miss?
 *
 * The code of the program and its libraries is read (scan/), the calls that it may
 * make are held against the kernel's table. Nothing is run. A call that may be made
 * is not one that will be: a program with a function that nobody uses names it all the same.
 */
#include "doctor_program.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "advice.h"
#include "image/libs.h"
#include "image/program.h"
#include "image/root.h"
#include "scan/calls.h"
#include "scan/table.h"
#include "util/err.h"

struct subject {
	struct program program;
	struct libs libs;
	struct scan_object *objects; /* the program, its libraries, its interpreter */
	size_t count;
	struct scan_calls calls;
	bool interp_missing;
};

static const char *const level_words[] = {
	[SCAN_UNKNOWN] = "unknown", [SCAN_FULL] = "complete", [SCAN_PART] = "part", [SCAN_REFUSE] = "refused", [SCAN_NONE] = "missing",
};

static void object_add(struct subject *s, const char *path)
{
	s->objects = xrealloc(s->objects, (s->count + 1) * sizeof *s->objects);
	if (scan_object_open(path, &s->objects[s->count]) == 0)
		s->count++;
}

static bool is_listed(const struct subject *s, const char *path)
{
	for (size_t i = 0; i < s->count; i++) {
		if (!strcmp(s->objects[i].path, path))
			return true;
	}
	return false;
}

static void host_file_visit(void *context, const char *path)
{
	struct subject *s = context;

	if (!is_listed(s, path))
		object_add(s, path);
}

/* What the user adds is loaded at run time, perhaps: its code counts too. */
static int added_open(struct subject *s, const struct opts *opts)
{
	struct bootconf conf = { 0 };
	struct plan plan;
	uint64_t load_len;
	int status;

	plan_init(&plan);
	status = root_plan(opts, &s->program, &plan, &conf, &load_len);
	if (!status)
		plan_each_host_file(&plan, host_file_visit, s);
	bootconf_free(&conf);
	plan_free(&plan);
	return status;
}

static int subject_open(struct subject *s, const struct opts *opts)
{
	const char *word = opts->program ? opts->program : opts->own_args.count ? opts->own_args.items[0] : opts->args[0];
	enum program_kind kind;
	struct elf_file elf;
	char *path = NULL;
	int status = program_find(word, &path);

	if (!status)
		status = program_classify(path, &kind);
	if (!status && kind == PROGRAM_IMAGE)
		status = err_report(PITH_USAGE, path, "an image; give a program, and look into images with pith inspect");
	if (!status)
		status = program_open(word, path, NULL, 0, getenv("PATH"), &s->program);
	free(path);
	if (status)
		return status;
	libs_init(&s->libs, s->program.elf.interp, getenv("LD_LIBRARY_PATH"));
	status = libs_add(&s->libs, s->program.exec, false);
	for (size_t i = 0; i < s->libs.count; i++)
		object_add(s, s->libs.objects[i].path);
	if (s->program.elf.interp) {
		s->interp_missing = elf_file_read(s->program.elf.interp, &elf) != 0;
		if (!s->interp_missing)
			elf_file_free(&elf);
		if (!s->interp_missing && !is_listed(s, s->program.elf.interp))
			object_add(s, s->program.elf.interp);
	}
	if (!status && !s->count)
		status = err_report(PITH_CANNOT_RUN, s->program.exec, "cannot read its code; get an undamaged copy");
	if (!status && (opts->add.count || opts->packages.count) && !s->libs.missing.count && !s->interp_missing)
		status = added_open(s, opts);
	return status ? status : scan_calls_collect(s->objects, s->count, &s->calls);
}

static void subject_close(struct subject *s)
{
	for (size_t i = 0; i < s->count; i++)
		scan_object_close(&s->objects[i]);
	free(s->objects);
	scan_calls_free(&s->calls);
	libs_free(&s->libs);
	program_free(&s->program);
}

static char *place_make(const struct scan_object *o, uint64_t site)
{
	const char *name = scan_object_name(o, site);

	if (name)
		return xasprintf("%s (%s)", o->path, name);
	return xasprintf("%s (0x%llx)", o->path, (unsigned long long)site);
}

static char *use_place(const struct scan_use *use)
{
	return use->site ? place_make(use->object, use->site) : xasprintf("%s (%s)", use->object->path, use->via);
}

static json_t *calls_make(const struct subject *s, size_t *ret_bad)
{
	json_t *list = json_array();

	*ret_bad = 0;
	for (unsigned int number = 0; number < SCAN_CALLS_MAX; number++) {
		const struct scan_use *use = &s->calls.uses[number];
		enum scan_level level = scan_call_level(number);
		json_t *call;
		char *place;

		if (!use->used)
			continue;
		place = use_place(use);
		call = json_pack("{s:i, s:s, s:s%}", "number", (int)number, "level", level_words[level], "where", place, strlen(place));
		if (scan_call_name(number))
			json_object_set_new(call, "name", json_string(scan_call_name(number)));
		else
			json_object_set_new(call, "name", json_sprintf("call %u", number));
		if (scan_call_note(number))
			json_object_set_new(call, "note", json_string(scan_call_note(number)));
		json_array_append_new(list, call);
		free(place);
		*ret_bad += level != SCAN_FULL && level != SCAN_PART;
	}
	return list;
}

/* What may be made at run time: memory that is executable, libraries that are loaded. */
static const char *jit_word(const struct subject *s)
{
	return s->calls.jit == SCAN_JIT_CERTAIN ? "yes" : s->calls.jit == SCAN_JIT_LIKELY ? "likely" : "no";
}

static json_t *strings_make(const struct strv *v)
{
	json_t *list = json_array();

	for (size_t i = 0; i < v->count; i++)
		json_array_append_new(list, json_string(v->items[i]));
	return list;
}

static json_t *hints_make(const struct subject *s)
{
	const char *advice = advice_single_process(s->program.exec), *name = strrchr(s->program.exec, '/') + 1;
	json_t *hints = json_array();
	char *place;

	if (s->interp_missing)
		json_array_append_new(hints, json_sprintf("install the C library that it was built for: %s is not here", s->program.elf.interp));
	for (size_t i = 0; i < s->libs.missing.count; i++)
		json_array_append_new(hints, json_sprintf("install %s", s->libs.missing.items[i]));
	if (s->calls.jit != SCAN_JIT_NO) {
		place = place_make(s->calls.jit_object, s->calls.jit_site);
		json_array_append_new(hints, json_sprintf("it makes code at run time, at %s: write --allow jit, or allow: [jit] in the manifest", place));
		free(place);
	}
	if (advice)
		json_array_append_new(hints, json_sprintf("%s: %s", name, advice));
	else if (s->calls.starters.count)
		json_array_append_new(hints, json_string("it can start other processes, which is refused: look for options that keep it in one process, in the foreground"));
	if (s->calls.loads)
		json_array_append_new(hints, json_string("it loads libraries at run time (dlopen): they have to be added, and were looked at only if --add or --package names them here"));
	if (s->calls.unresolved)
		json_array_append_new(hints, json_sprintf("%zu calls have a number that only running it tells", s->calls.unresolved));
	return hints;
}

static void wrapped_print(const char *title, json_t *calls, const char *level)
{
	json_t *call;
	size_t i, count = 0;

	json_array_foreach(calls, i, call)
		count += !strcmp(json_string_value(json_object_get(call, "level")), level);
	if (!count)
		return;
	printf("%s: %zu\n", title, count);
	json_array_foreach(calls, i, call) {
		const char *note = json_string_value(json_object_get(call, "note"));

		if (strcmp(json_string_value(json_object_get(call, "level")), level))
			continue;
		printf("  %-20s %s%sin %s\n", json_string_value(json_object_get(call, "name")), note ? note : "", note ? "; " : "",
		       json_string_value(json_object_get(call, "where")));
	}
}

static void report_print(const struct subject *s, json_t *report)
{
	json_t *calls = json_object_get(report, "calls"), *item;
	size_t i;

	printf("program      %s\n", s->program.exec);
	printf("interpreter  %s%s\n", s->program.elf.interp ? s->program.elf.interp : "none (static)", s->interp_missing ? ": MISSING" : "");
	printf("libraries    %zu found, %zu missing\n", s->libs.count - 1, s->libs.missing.count);
	for (i = 0; i < s->libs.missing.count; i++)
		printf("  %s\n", s->libs.missing.items[i]);
	printf("code made at run time  %s\n", jit_word(s));
	printf("calls it may make: %zu\n", json_array_size(calls));
	wrapped_print("refused", calls, "refused");
	wrapped_print("not there (ENOSYS)", calls, "missing");
	wrapped_print("not known", calls, "unknown");
	wrapped_print("there in part", calls, "part");
	json_array_foreach(json_object_get(report, "hints"), i, item)
		printf("hint: %s\n", json_string_value(item));
}

static int report_make(const struct subject *s, bool as_json)
{
	json_t *report = json_object(), *libraries = json_array();
	size_t bad;
	bool good;

	json_object_set_new(report, "program", json_string(s->program.exec));
	json_object_set_new(report, "interpreter", s->program.elf.interp ? json_string(s->program.elf.interp) : json_null());
	for (size_t i = 1; i < s->libs.count; i++)
		json_array_append_new(libraries, json_string(s->libs.objects[i].path));
	json_object_set_new(report, "libraries", libraries);
	json_object_set_new(report, "missing", strings_make(&s->libs.missing));
	json_object_set_new(report, "calls", calls_make(s, &bad));
	json_object_set_new(report, "jit", json_string(jit_word(s)));
	json_object_set_new(report, "starts", strings_make(&s->calls.starters));
	json_object_set_new(report, "unresolved", json_integer((json_int_t)s->calls.unresolved));
	json_object_set_new(report, "hints", hints_make(s));
	good = !bad && !s->libs.missing.count && !s->interp_missing && !s->calls.starters.count;
	json_object_set_new(report, "ok", json_boolean(good));
	if (as_json) {
		json_dumpf(report, stdout, JSON_INDENT(2));
		printf("\n");
	} else {
		report_print(s, report);
	}
	json_decref(report);
	return good ? PITH_OK : 1;
}

int doctor_program(const struct opts *opts)
{
	struct subject subject = { 0 };
	int status = subject_open(&subject, opts);

	if (!status)
		status = report_make(&subject, opts->json);
	subject_close(&subject);
	return status;
}

int doctor_possible_calls(const struct opts *opts, const struct strv *seen, struct strv *ret_calls)
{
	struct subject subject = { 0 };
	int status = subject_open(&subject, opts);

	for (unsigned int number = 0; number < SCAN_CALLS_MAX && !status; number++) {
		const char *name = scan_call_name(number);
		enum scan_level level = scan_call_level(number);

		if (subject.calls.uses[number].used && name && (level == SCAN_FULL || level == SCAN_PART) && !strv_has(seen, name))
			strv_add(ret_calls, name);
	}
	subject_close(&subject);
	return status;
}
