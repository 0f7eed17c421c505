/*
 * cmd_ps.c - pith ps and pith stats: which machines run in the background, and what they take.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "instance/instance.h"
#include "opts.h"
#include "util/err.h"
#include "util/file.h"

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* 90 s -> "1m30s": two units at most. */
static char *duration_make(int64_t ns)
{
	int64_t s = ns < 0 ? 0 : ns / 1000000000;

	if (s >= 86400)
		return xasprintf("%lldd%lldh", (long long)(s / 86400), (long long)(s % 86400 / 3600));
	if (s >= 3600)
		return xasprintf("%lldh%lldm", (long long)(s / 3600), (long long)(s % 3600 / 60));
	if (s >= 60)
		return xasprintf("%lldm%llds", (long long)(s / 60), (long long)(s % 60));
	return xasprintf("%llds", (long long)s);
}

static char *ports_make(const struct instance *instance)
{
	struct buf list = { 0 };
	json_t *item;
	size_t i;

	buf_puts(&list, "");
	json_array_foreach(json_object_get(instance->info, "ports"), i, item)
		buf_printf(&list, "%s%s", i ? "," : "", json_string_value(item) ? json_string_value(item) : "?");
	if (!list.len)
		buf_puts(&list, "-");
	return list.data;
}

static void ps_line(const struct instance *instance, enum instance_state state)
{
	char *ports = ports_make(instance), *since, *word;
	int64_t start = instance_number(instance, "started_ns"), end = instance_number(instance, "ended_ns");

	if (state == INSTANCE_RUNNING) {
		since = duration_make(now_ns() - start);
		word = xasprintf("up %s", since);
	} else if (state == INSTANCE_ENDED) {
		since = duration_make(now_ns() - end);
		word = xasprintf("ended %lld, %s ago", (long long)instance_number(instance, "status"), since);
	} else {
		since = NULL;
		word = xstrdup("lost");
	}
	printf("%-20s %-22s %-20s %s\n", instance->name, word, ports, instance_text(instance, "program"));
	free(word);
	free(since);
	free(ports);
}

static json_t *ps_object(const struct instance *instance, enum instance_state state)
{
	static const char *const words[] = { [INSTANCE_RUNNING] = "running", [INSTANCE_ENDED] = "ended", [INSTANCE_LOST] = "lost" };
	json_t *object = json_copy(instance->info);

	json_object_set_new(object, "name", json_string(instance->name));
	json_object_set_new(object, "state", json_string(words[state]));
	json_object_set_new(object, "directory", json_string(instance->directory));
	return object;
}

/* The end of a listing: with --json all of it is printed now, unless it failed. */
static void list_end(const struct opts *opts, json_t *list, int status)
{
	if (!status && opts->json) {
		json_dumpf(list, stdout, JSON_INDENT(2));
		printf("\n");
	}
	json_decref(list);
}

static int ps_print(const struct opts *opts)
{
	json_t *list = json_array();
	struct strv names = { 0 };
	int status = instance_list(&names);

	if (!status && !opts->json)
		printf("%-20s %-22s %-20s %s\n", "NAME", "STATE", "PORTS", "PROGRAM");
	for (size_t i = 0; i < names.count && !status; i++) {
		struct instance instance;
		enum instance_state state;

		if (instance_open(names.items[i], &instance) == 0) {
			state = instance_state(&instance);
			if (state == INSTANCE_RUNNING || opts->all) {
				if (opts->json)
					json_array_append_new(list, ps_object(&instance, state));
				else
					ps_line(&instance, state);
			}
		}
		instance_close(&instance);
	}
	list_end(opts, list, status);
	strv_free(&names);
	return status;
}

int cmd_ps(int argc, char **argv)
{
	struct opts opts = { 0 };
	int status = opts_parse(&opts, OPTS_PS, argc, argv);

	if (status || opts.help)
		status = status ? status : cmd_help(1, (char *[]){ "ps" });
	else if (opts.arg_count)
		status = err_report(PITH_USAGE, opts.args[0], "ps takes no argument; leave it out");
	else
		status = ps_print(&opts);
	opts_free(&opts);
	return status;
}

/* What the VMM's process takes. */
struct figures {
	double cpu_s;
	int64_t memory; /* bytes on the host */
	int threads;
};

static bool figures_read(int64_t pid, struct figures *f)
{
	unsigned long long user, system;
	long rss, threads;
	struct buf text;
	const char *rest;
	char *path = xasprintf("/proc/%lld/stat", (long long)pid);
	bool good = pid > 1 && file_read(path, 4096, &text) == 0;

	free(path);
	if (!good)
		return false;
	rest = text.data ? strrchr(text.data, ')') : NULL; /* the name before it may hold anything */
	good = rest && sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %ld %*d %*u %*u %ld", &user, &system,
			      &threads, &rss) == 4;
	buf_free(&text);
	if (!good)
		return false;
	f->cpu_s = (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
	f->memory = rss * sysconf(_SC_PAGESIZE);
	f->threads = (int)threads;
	return true;
}

static void stats_one(const struct instance *instance, bool as_json, json_t *list)
{
	struct figures f = { 0 };
	int64_t up = now_ns() - instance_number(instance, "started_ns"), size = instance_number(instance, "memory_bytes");
	char *text;

	if (!figures_read(instance_number(instance, "vmm_pid"), &f))
		return; /* it has just ended */
	if (as_json) {
		json_array_append_new(list, json_pack("{s:s, s:f, s:I, s:I, s:f, s:i, s:I}", "name", instance->name, "cpu_s", f.cpu_s, "memory_bytes",
						      (json_int_t)f.memory, "memory_limit_bytes", (json_int_t)size, "uptime_s", (double)up / 1e9,
						      "threads", f.threads, "cpus", (json_int_t)instance_number(instance, "cpus")));
		return;
	}
	text = duration_make(up);
	printf("%-20s %8.2f s %6.1f %% %6lld MiB of %lld MiB   %s\n", instance->name, f.cpu_s, up > 0 ? f.cpu_s * 1e11 / (double)up : 0.0,
	       (long long)(f.memory >> 20), (long long)(size >> 20), text);
	free(text);
}

static int stats_print(const struct opts *opts)
{
	json_t *list = json_array();
	struct strv names = { 0 };
	int status = 0;

	for (int i = 0; i < opts->arg_count; i++)
		strv_add(&names, opts->args[i]);
	if (!names.count)
		status = instance_list(&names);
	if (!status && !opts->json)
		printf("%-20s %10s %8s %s\n", "NAME", "CPU", "OF TIME", "    MEMORY              UP");
	for (size_t i = 0; i < names.count && !status; i++) {
		struct instance instance;

		status = instance_open(names.items[i], &instance);
		if (!status && instance_state(&instance) == INSTANCE_RUNNING)
			stats_one(&instance, opts->json, list);
		else if (!status && opts->arg_count)
			status = err_report(PITH_FAILED, names.items[i], "it does not run; pith ps -a tells how it ended");
		instance_close(&instance);
	}
	list_end(opts, list, status);
	strv_free(&names);
	return status;
}

int cmd_stats(int argc, char **argv)
{
	struct opts opts = { 0 };
	int status = opts_parse(&opts, OPTS_STATS, argc, argv);

	if (status || opts.help)
		status = status ? status : cmd_help(1, (char *[]){ "stats" });
	else
		status = stats_print(&opts);
	opts_free(&opts);
	return status;
}
