/*
 * manifest.c - pith.yaml: options in a file, beside the program they are for.
 *
 * The schema below is the one list of keys. libcyaml fills struct manifest by it;
 * when it refuses, manifest_tree_explain() says by the same schema which line is
 * wrong. The values then become options and are judged by opts_check().
 */
#include "manifest.h"

#include <cyaml/cyaml.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "manifest_tree.h"
#include "opts_check.h"
#include "util/err.h"
#include "util/file.h"

#define MANIFEST_MAX (1u << 20)

/* The file's keys. `env` may be a list or a mapping with free keys: it is read from the tree. */
struct manifest {
	char *program, *workdir, *hostname, *memory, *cpus, *machine, *net, *ip, *gateway, *stop_timeout;
	char **args, **env_file, **add, **packages, **ports, **volumes, **dns, **allow, **without;
	unsigned int args_count, env_file_count, add_count, packages_count, ports_count, volumes_count, dns_count, allow_count, without_count;
	/* The rules (rules.h). */
	char **syscalls, **sockets, **devices, **listen, **connect, **ioctls, **mmap, **prctl, **fcntl, **canary, **secret;
	unsigned int syscalls_count, sockets_count, devices_count, listen_count, connect_count, ioctls_count, mmap_count, prctl_count, fcntl_count,
		canary_count, secret_count;
	struct manifest_files {
		char **read, **write;
		unsigned int read_count, write_count;
	} files;
	struct manifest_policy {
		char *kinds[RULES_KINDS];
	} policy;
};

#define TEXT(key)  CYAML_FIELD_STRING_PTR(#key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct manifest, key, 0, CYAML_UNLIMITED)
#define TEXTS(key) CYAML_FIELD_SEQUENCE(#key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct manifest, key, &text_value, 0, CYAML_UNLIMITED)

static const cyaml_schema_value_t text_value = { CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED) };
static const cyaml_schema_field_t file_fields[] = {
	CYAML_FIELD_SEQUENCE("read", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct manifest_files, read, &text_value, 0, CYAML_UNLIMITED),
	CYAML_FIELD_SEQUENCE("write", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct manifest_files, write, &text_value, 0, CYAML_UNLIMITED),
	CYAML_FIELD_END
};
static const cyaml_schema_field_t policy_fields[] = {
#define POLICY_KIND(id, word, action, event) \
	CYAML_FIELD_STRING_PTR(word, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct manifest_policy, kinds[RULES_KIND_##id], 0, CYAML_UNLIMITED),
#include "shared/policy.def"
#undef POLICY_KIND
	CYAML_FIELD_END
};
static const cyaml_schema_field_t fields[] = {
	TEXT(program),
	TEXTS(args),
	CYAML_FIELD_IGNORE("env", CYAML_FLAG_OPTIONAL),
	TEXTS(env_file),
	TEXT(workdir),
	TEXT(hostname),
	TEXTS(add),
	TEXTS(packages),
	TEXTS(ports),
	TEXTS(volumes),
	TEXT(net),
	TEXT(ip),
	TEXT(gateway),
	TEXTS(dns),
	TEXT(memory),
	TEXT(cpus),
	TEXT(machine),
	TEXTS(allow),
	TEXTS(without),
	TEXT(stop_timeout),
	TEXTS(syscalls),
	TEXTS(sockets),
	TEXTS(devices),
	CYAML_FIELD_MAPPING("files", CYAML_FLAG_OPTIONAL, struct manifest, files, file_fields),
	TEXTS(listen),
	TEXTS(connect),
	TEXTS(ioctls),
	TEXTS(mmap),
	TEXTS(prctl),
	TEXTS(fcntl),
	TEXTS(canary),
	TEXTS(secret),
	CYAML_FIELD_MAPPING("policy", CYAML_FLAG_OPTIONAL, struct manifest, policy, policy_fields),
	CYAML_FIELD_END
};
static const cyaml_schema_value_t schema = { CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct manifest, fields) };
static const cyaml_config_t config = { .mem_fn = cyaml_mem };

/* Where the key of an option is not the option's own name. */
static const struct { const char *option, *key; } names[] = {
	{ "publish", "ports" }, { "volume", "volumes" }, { "package", "packages" }, { "env-file", "env_file" }, { "stop-timeout", "stop_timeout" },
};

char *manifest_where(const struct opts *opts, const char *option, size_t index)
{
	const char *key = option;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (!strcmp(names[i].option, option))
			key = names[i].key;
	}
	return xasprintf("%s:%zu: %s", opts->tree_path, manifest_tree_line(opts->tree, key, index), key);
}

/* A path of the manifest as seen from here; directory ends in a slash or is empty. */
static char *path_join(const char *directory, const char *path)
{
	if (path[0] == '/')
		return xstrdup(path);
	while (path[0] == '.' && path[1] == '/')
		path += 2 + strspn(path + 2, "/");
	return xasprintf("%s%s", *directory ? directory : "./", path);
}

/* The program: a word without a slash may stand beside the manifest or in PATH. */
static char *program_name(const char *directory, const char *word)
{
	char *path = path_join(directory, word);

	if (strchr(word, '/') || (*word && access(path, F_OK) == 0))
		return path;
	free(path);
	return xstrdup(word);
}

static void text_move(char **to, const char *from)
{
	if (from)
		*to = xstrdup(from);
}

static void texts_move(struct strv *to, char *const *from, unsigned int count, const char *directory)
{
	for (unsigned int i = 0; i < count; i++)
		strv_take(to, directory && from[i][0] && from[i][0] != ':' ? path_join(directory, from[i]) : xstrdup(from[i]));
}

/* One text of words between commas or blanks. */
static void words_move(struct strv *to, const char *from)
{
	while (from && *(from += strspn(from, ", "))) {
		size_t n = strcspn(from, ", ");

		strv_printf(to, "%.*s", (int)n, from);
		from += n;
	}
}

static void rules_list_make(struct rules_list *to, const struct manifest_tree *tree, const char *key, char *const *from, unsigned int count)
{
	to->given = manifest_tree_line(tree, key, 0) != 0;
	texts_move(&to->items, from, count, NULL);
}

static void rules_make(const struct manifest *m, const struct manifest_tree *tree, struct rules *r)
{
#define LIST(key) rules_list_make(&r->key, tree, #key, m->key, m->key##_count)
	LIST(syscalls);
	LIST(sockets);
	LIST(devices);
	LIST(listen);
	LIST(connect);
	LIST(ioctls);
	LIST(mmap);
	LIST(prctl);
	LIST(fcntl);
	LIST(canary);
	LIST(secret);
#undef LIST
	rules_list_make(&r->read, tree, "files", m->files.read, m->files.read_count);
	rules_list_make(&r->write, tree, "files", m->files.write, m->files.write_count);
	for (unsigned int k = 0; k < RULES_KINDS; k++)
		text_move(&r->policy[k], m->policy.kinds[k]);
}

/* The manifest's values as options; paths are made relative to here. */
static int options_make(const struct manifest *m, const char *directory, struct opts *opts)
{
	text_move(&opts->workdir, m->workdir);
	text_move(&opts->hostname, m->hostname);
	text_move(&opts->memory, m->memory);
	text_move(&opts->cpus, m->cpus);
	text_move(&opts->machine, m->machine);
	text_move(&opts->net, m->net);
	words_move(&opts->ip, m->ip);
	words_move(&opts->gateway, m->gateway);
	text_move(&opts->stop_timeout, m->stop_timeout);
	texts_move(&opts->env_file, m->env_file, m->env_file_count, directory);
	texts_move(&opts->add, m->add, m->add_count, directory);
	texts_move(&opts->packages, m->packages, m->packages_count, NULL);
	texts_move(&opts->publish, m->ports, m->ports_count, NULL);
	texts_move(&opts->volume, m->volumes, m->volumes_count, directory);
	texts_move(&opts->dns, m->dns, m->dns_count, NULL);
	texts_move(&opts->allow, m->allow, m->allow_count, NULL);
	texts_move(&opts->without, m->without, m->without_count, NULL);
	rules_make(m, opts->tree, &opts->rules);
	return manifest_tree_assignments(opts->tree, opts->tree_path, "env", &opts->env);
}

/* Puts the manifest's list before what the command line says. */
static void list_prepend(struct strv *list, struct strv *first)
{
	for (size_t i = 0; i < list->count; i++)
		strv_add(first, list->items[i]);
	strv_free(list);
	*list = *first;
	*first = (struct strv){ 0 };
}

/* The manifest's ports before those of the command line, but for guest ports that are published there. */
static void ports_merge(struct opts *opts, struct opts *from)
{
	struct strv kept = { 0 };
	struct opts_publish own;

	for (size_t i = 0; i < from->publish.count; i++) {
		bool replaced = false;

		for (size_t k = 0; k < opts->publish.count && !replaced; k++)
			replaced = opts_publish_parse(opts->publish.items[k], &own) && own.guest_port == from->publishes[i].guest_port &&
				   own.udp == from->publishes[i].udp;
		if (!replaced)
			strv_add(&kept, from->publish.items[i]);
	}
	list_prepend(&opts->publish, &kept);
	strv_free(&kept);
}

static void text_default(char **text, char **value)
{
	if (*text)
		return;
	*text = *value;
	*value = NULL;
}

static void options_merge(struct opts *opts, struct opts *from)
{
	/* With another network on the command line there is nothing to publish ports on. */
	bool user_net = !opts->net || !strcmp(opts->net, "user");

	opts->first_env_count = from->env.count;
	opts->first_env_file_count = from->env_file.count;
	text_default(&opts->workdir, &from->workdir);
	text_default(&opts->hostname, &from->hostname);
	text_default(&opts->memory, &from->memory);
	text_default(&opts->cpus, &from->cpus);
	text_default(&opts->machine, &from->machine);
	text_default(&opts->net, &from->net);
	text_default(&opts->stop_timeout, &from->stop_timeout);
	list_prepend(&opts->env, &from->env);
	list_prepend(&opts->env_file, &from->env_file);
	list_prepend(&opts->add, &from->add);
	list_prepend(&opts->packages, &from->packages);
	if (user_net)
		ports_merge(opts, from);
	list_prepend(&opts->volume, &from->volume);
	list_prepend(&opts->allow, &from->allow);
	list_prepend(&opts->without, &from->without);
	opts->rules = from->rules; /* the command line has none */
	from->rules = (struct rules){ 0 };
	if (!opts->dns.count)
		list_prepend(&opts->dns, &from->dns);
	if (!opts->ip.count)
		list_prepend(&opts->ip, &from->ip);
	if (!opts->gateway.count)
		list_prepend(&opts->gateway, &from->gateway);
}

/* The program's place in opts->args, and its arguments: those given here take the place of the manifest's. */
static void program_merge(struct opts *opts, const struct manifest *m, const char *directory, bool only_args)
{
	if (!m->program || (opts->arg_count && !only_args))
		return;
	strv_take(&opts->own_args, program_name(directory, m->program));
	for (int i = 0; i < opts->arg_count; i++)
		strv_add(&opts->own_args, opts->args[i]);
	for (unsigned int i = 0; !opts->arg_count && i < m->args_count; i++)
		strv_add(&opts->own_args, m->args[i]);
	opts->args = opts->own_args.items;
	opts->arg_count = (int)opts->own_args.count;
}

static int manifest_take(struct opts *opts, const char *path, const struct buf *text, const struct manifest_tree *tree, bool only_args)
{
	const char *slash = strrchr(path, '/');
	char *directory = slash ? xstrndup(path, (size_t)(slash + 1 - path)) : xstrdup("");
	struct opts from = { .tree = tree, .tree_path = path };
	struct manifest *m = NULL;
	cyaml_err_t error = cyaml_load_data((const uint8_t *)text->data, text->len, &config, &schema, (cyaml_data_t **)&m, NULL);
	int status = 0;

	if (error != CYAML_OK || !m) {
		status = manifest_tree_explain(tree, path, fields);
		if (!status)
			status = err_report(PITH_USAGE, path, "cannot be read: %s; pith.yaml(5) says what may stand in it", cyaml_strerror(error));
	}
	if (!status)
		status = options_make(m, directory, &from);
	if (!status)
		status = opts_check(&from);
	if (!status) {
		options_merge(opts, &from);
		program_merge(opts, m, directory, only_args);
	}
	opts_free(&from);
	if (m)
		cyaml_free(&config, &schema, m, 0);
	free(directory);
	return status;
}

static int manifest_read(struct opts *opts, const char *path, bool only_args)
{
	struct manifest_tree *tree = NULL;
	struct buf text;
	int error = file_read(path, MANIFEST_MAX, &text), status;

	if (error)
		return err_report(PITH_FAILED, path, "cannot read the manifest: %s; check the path after --manifest", strerror(-error));
	buf_puts(&text, ""); /* even an empty file has an address */
	status = manifest_tree_load(path, &text, &tree);
	if (!status)
		status = manifest_take(opts, path, &text, tree, only_args);
	manifest_tree_free(tree);
	buf_free(&text);
	return status;
}

int manifest_apply(struct opts *opts, bool only_args)
{
	struct stat st;
	char *path;
	int status;

	if (opts->manifest)
		return manifest_read(opts, opts->manifest, only_args);
	if (!opts->arg_count || stat(opts->args[0], &st) < 0 || !S_ISDIR(st.st_mode))
		return 0;
	path = xasprintf("%s%s" MANIFEST_NAME, opts->args[0], str_ends(opts->args[0], "/") ? "" : "/");
	if (access(path, F_OK) < 0) {
		free(path);
		return 0; /* what a directory is instead is said where the program is opened */
	}
	opts->args++;
	opts->arg_count--;
	if (opts->arg_count && !strcmp(opts->args[0], "--")) {
		opts->args++;
		opts->arg_count--;
	}
	status = manifest_read(opts, path, true);
	if (!status && !opts->own_args.count)
		status = err_report(PITH_USAGE, path, "names no program; add a line \"program: PATH\"");
	free(path);
	return status;
}
