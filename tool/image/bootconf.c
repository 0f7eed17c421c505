/*
 * bootconf.c - writing and reading the boot configuration block.
 */
#include "image/bootconf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/bootconf.h"
#include "util/err.h"

void bootconf_set_env(struct bootconf *conf, const char *assignment)
{
	size_t len = strcspn(assignment, "=") + 1;

	for (size_t i = 0; i < conf->env.count; i++) {
		if (strncmp(conf->env.items[i], assignment, len) == 0) {
			free(conf->env.items[i]);
			conf->env.items[i] = xstrdup(assignment);
			return;
		}
	}
	strv_add(&conf->env, assignment);
}

const char *bootconf_get_env(const struct bootconf *conf, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < conf->env.count; i++) {
		if (!strncmp(conf->env.items[i], name, len) && conf->env.items[i][len] == '=')
			return conf->env.items[i] + len + 1;
	}
	return NULL;
}

static void record(struct buf *b, const char *key, const char *value)
{
	if (!value)
		return;
	buf_puts(b, key);
	buf_puts(b, "=");
	buf_append(b, value, strlen(value) + 1);
}

static void record_number(struct buf *b, const char *key, uint64_t value)
{
	char text[24];

	if (!value)
		return;
	snprintf(text, sizeof text, "%llu", (unsigned long long)value);
	record(b, key, text);
}

static void record_list(struct buf *b, const char *key, const struct strv *list)
{
	for (size_t i = 0; i < list->count; i++)
		record(b, key, list->items[i]);
}

int bootconf_make(const struct bootconf *conf, struct buf *ret_block)
{
	struct buf b = { 0 };

	buf_append(&b, BOOTCONF_MAGIC, BOOTCONF_MAGIC_LEN);
	record(&b, "exec", conf->exec);
	record_list(&b, "arg", &conf->args);
	record_list(&b, "env", &conf->env);
	record(&b, "cwd", conf->cwd);
	record(&b, "hostname", conf->hostname);
	if (conf->root_len) {
		char text[48];

		snprintf(text, sizeof text, "%llu:%llu", (unsigned long long)conf->root_offset, (unsigned long long)conf->root_len);
		record(&b, "root", text);
	}
	record(&b, "verity", conf->verity);
	record_list(&b, "volume", &conf->volumes);
	record_list(&b, "net", &conf->net);
	record_list(&b, "gateway", &conf->gateway);
	record_list(&b, "dns", &conf->dns);
	record(&b, "allow", conf->allow_jit ? "jit" : NULL);
	record_list(&b, "rule", &conf->rules);
	record_list(&b, "policy", &conf->policies);
	record(&b, "learn", conf->learn ? "1" : NULL);
	record(&b, "trace", conf->trace ? "1" : NULL);
	record(&b, "verbose", conf->verbose ? "1" : NULL);
	record_number(&b, "tsc_khz", conf->tsc_khz);
	record_number(&b, "time_ns", conf->time_ns);
	record(&b, "seed", conf->seed);
	if (b.len > BOOTCONF_MAX) {
		buf_free(&b);
		return err_report(PITH_USAGE, "arguments and environment", "longer than %u bytes together; shorten them", BOOTCONF_MAX);
	}
	*ret_block = b;
	return 0;
}

static bool root_parse(const char *value, struct bootconf *conf)
{
	char text[48], *colon;

	if (strlen(value) >= sizeof text)
		return false;
	strcpy(text, value);
	colon = strchr(text, ':');
	if (!colon)
		return false;
	*colon = '\0';
	return str_number(text, 0, UINT64_MAX, &conf->root_offset) && str_number(colon + 1, 1, UINT64_MAX, &conf->root_len);
}

static void text_set(char **field, const char *value)
{
	free(*field);
	*field = xstrdup(value);
}

/* One record; unknown keys are passed over, as the kernel does. */
static bool record_parse(const char *key, size_t key_len, const char *value, struct bootconf *conf)
{
#define IS(name) (key_len == strlen(name) && !memcmp(key, name, key_len))
	if (IS("exec"))
		text_set(&conf->exec, value);
	else if (IS("arg"))
		strv_add(&conf->args, value);
	else if (IS("env"))
		strv_add(&conf->env, value);
	else if (IS("cwd"))
		text_set(&conf->cwd, value);
	else if (IS("hostname"))
		text_set(&conf->hostname, value);
	else if (IS("net"))
		strv_add(&conf->net, value);
	else if (IS("gateway"))
		strv_add(&conf->gateway, value);
	else if (IS("dns"))
		strv_add(&conf->dns, value);
	else if (IS("allow"))
		conf->allow_jit = !strcmp(value, "jit");
	else if (IS("rule"))
		strv_add(&conf->rules, value);
	else if (IS("policy"))
		strv_add(&conf->policies, value);
	else if (IS("verity"))
		text_set(&conf->verity, value);
	else if (IS("root"))
		return root_parse(value, conf);
#undef IS
	return true;
}

bool bootconf_parse(const char *data, size_t len, struct bootconf *ret_conf)
{
	const char *p = data + BOOTCONF_MAGIC_LEN, *end = data + len;

	*ret_conf = (struct bootconf){ 0 };
	if (len < BOOTCONF_MAGIC_LEN || len > BOOTCONF_MAX || memcmp(data, BOOTCONF_MAGIC, BOOTCONF_MAGIC_LEN))
		return false;
	while (p < end && *p) {
		const char *nul = memchr(p, '\0', (size_t)(end - p));
		const char *equals = nul ? memchr(p, '=', (size_t)(nul - p)) : NULL;

		if (!equals || !record_parse(p, (size_t)(equals - p), equals + 1, ret_conf)) {
			bootconf_free(ret_conf);
			return false;
		}
		p = nul + 1;
	}
	if (!ret_conf->exec || !ret_conf->args.count) {
		bootconf_free(ret_conf);
		return false;
	}
	return true;
}

void bootconf_free(struct bootconf *conf)
{
	free(conf->exec);
	free(conf->cwd);
	free(conf->hostname);
	strv_free(&conf->net);
	strv_free(&conf->gateway);
	free(conf->seed);
	free(conf->verity);
	strv_free(&conf->args);
	strv_free(&conf->env);
	strv_free(&conf->dns);
	strv_free(&conf->volumes);
	strv_free(&conf->rules);
	strv_free(&conf->policies);
	*conf = (struct bootconf){ 0 };
}
