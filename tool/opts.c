/*
 * opts.c - reading the command line by the table.
 */
#include "opts.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manifest.h"
#include "opts_check.h"
#include "util/err.h"

enum opt_kind {
	OPT_FLAG,  /* bool */
	OPT_TEXT,  /* char *, the last one counts */
	OPT_LIST,  /* struct strv */
	OPT_LATER, /* known, not in this version; takes a value */
};

struct opt_def {
	const char *name;
	char letter; /* 0: none */
	enum opt_kind kind;
	size_t offset;
	unsigned int commands;
	const char *value;
	const char *help;
};

#define AT(member) offsetof(struct opts, member)
#define STARTS (OPTS_RUN | OPTS_LEARN)
#define BOTH (STARTS | OPTS_BUILD)

static const struct opt_def defs[] = {
	{ "output", 'o', OPT_TEXT, AT(output), OPTS_BUILD | OPTS_LEARN, "FILE", "the image, or the manifest, to write" },
	{ "merge", 0, OPT_FLAG, AT(merge), OPTS_LEARN, NULL, "add to a manifest that is there" },
	{ "sign", 0, OPT_TEXT, AT(sign), OPTS_BUILD, "KEY", "sign the image with an Ed25519 private key (PEM)" },
	{ "manifest", 'M', OPT_TEXT, AT(manifest), BOTH | OPTS_DOCTOR, "FILE", "read options from a manifest, pith.yaml(5)" },
	{ "publish", 'p', OPT_LIST, AT(publish), STARTS, "[ADDR:]HOST:GUEST[/udp]", "forward a host port to the program" },
	{ "env", 'e', OPT_LIST, AT(env), BOTH | OPTS_DOCTOR, "KEY[=VALUE]", "set an environment variable (KEY alone: as it is here)" },
	{ "env-file", 0, OPT_LIST, AT(env_file), BOTH | OPTS_DOCTOR, "FILE", "set variables from a file, KEY=VALUE a line" },
	{ "add", 'a', OPT_LIST, AT(add), BOTH | OPTS_DOCTOR, "SRC[:DST]", "put a file or tree into the root" },
	{ "package", 0, OPT_LIST, AT(packages), BOTH | OPTS_DOCTOR, "NAME", "put an installed Debian package's files into the root" },
	{ "workdir", 'w', OPT_TEXT, AT(workdir), BOTH, "DIR", "the program's working directory (default /)" },
	{ "hostname", 0, OPT_TEXT, AT(hostname), BOTH, "NAME", "the machine's name (default pith)" },
	{ "allow", 0, OPT_LIST, AT(allow), BOTH, "jit", "let the program make code at run time (default: refused)" },
	{ "memory", 'm', OPT_TEXT, AT(memory), STARTS, "SIZE", "memory of the VM, such as 64M (default: chosen)" },
	{ "cpus", 'c', OPT_TEXT, AT(cpus), STARTS, "N", "virtual CPUs (default 1)" },
	{ "keep-memory", 0, OPT_FLAG, AT(keep_memory), STARTS, NULL, "do not give memory that is free back to the host" },
	{ "net", 0, OPT_TEXT, AT(net), BOTH, "user|none|tap=IFNAME", "the network (default user)" },
	{ "ip", 0, OPT_LIST, AT(ip), BOTH, "CIDR", "a fixed address, such as 10.0.0.2/24 or fd00::2/64 (one of each; default: DHCP)" },
	{ "gateway", 0, OPT_LIST, AT(gateway), BOTH, "ADDR", "the router, with --ip (one of each family)" },
	{ "dns", 0, OPT_LIST, AT(dns), BOTH, "ADDR", "a name server (repeats)" },
	{ "accel", 0, OPT_TEXT, AT(accel), STARTS, "auto|kvm|tcg", "how the VM's instructions run (default auto)" },
	{ "machine", 0, OPT_TEXT, AT(machine), BOTH, "auto|microvm|q35|pc", "the machine type (default auto: microvm); of an image: the one it is for" },
	{ "disk", 0, OPT_TEXT, AT(disk), BOTH, "auto|virtio|nvme", "what the disks look like (default auto: virtio; nvme needs q35 or pc)" },
	{ "vmm", 0, OPT_TEXT, AT(vmm), STARTS, "auto|qemu", "the virtual machine monitor" },
	{ "detach", 'd', OPT_FLAG, AT(detach), OPTS_RUN, NULL, "run in the background and print the instance's name" },
	{ "name", 0, OPT_TEXT, AT(name), OPTS_RUN, "NAME", "the instance's name, with -d (default: made up)" },
	{ "stop-timeout", 0, OPT_TEXT, AT(stop_timeout), STARTS | OPTS_STOP, "SECONDS", "how long a stopped program may take (default 10)" },
	{ "require-signed", 0, OPT_TEXT, AT(require_signed), OPTS_RUN, "PUB", "run only an image signed with this key (PEM, public half)" },
	{ "key", 0, OPT_TEXT, AT(key), OPTS_VERIFY, "PUB", "the public key (PEM) that must have signed the image" },
	{ "trace", 0, OPT_FLAG, AT(trace), STARTS, NULL, "print each system call to standard error" },
	{ "verbose", 0, OPT_FLAG, AT(verbose), BOTH, NULL, "print the kernel's log to standard error" },
	{ "events", 0, OPT_TEXT, AT(events), OPTS_RUN, "FILE|unix:PATH", "write events there, a line of JSON each" },
	{ "profile", 0, OPT_TEXT, AT(profile), OPTS_RUN, "FILE", "write where the time goes, as folded stacks (for flame graphs)" },
	{ "dry-run", 0, OPT_FLAG, AT(dry_run), OPTS_RUN, NULL, "print the VMM's command line and do nothing" },
	{ "program", 0, OPT_TEXT, AT(program), OPTS_DOCTOR, "PROGRAM", "look into a program: which calls it may make and what it misses" },
	{ "json", 0, OPT_FLAG, AT(json), OPTS_INSPECT | OPTS_DOCTOR | OPTS_PS | OPTS_STATS, NULL, "print one JSON object" },
	{ "files", 0, OPT_FLAG, AT(files), OPTS_INSPECT, NULL, "list the files of the root" },
	{ "sbom", 0, OPT_TEXT, AT(sbom), OPTS_INSPECT, "spdx|cyclonedx", "print the bill of materials: SPDX 2.3 or CycloneDX 1.5, JSON" },
	{ "all", 'a', OPT_FLAG, AT(all), OPTS_PS, NULL, "also those that ended" },
	{ "follow", 'f', OPT_FLAG, AT(follow), OPTS_LOGS, NULL, "go on until it ends" },
	{ "force", 'f', OPT_FLAG, AT(force), OPTS_RM, NULL, "end it first if it runs, without asking it" },
	{ "help", 'h', OPT_FLAG, AT(help), ~0u, NULL, "print this text" },
	{ "volume", 'v', OPT_LIST, AT(volume), STARTS, "FILE:/PATH[:ro|:discard]", "attach an ext4 volume (pith volume makes one)" },
};

#define DEF_COUNT (sizeof defs / sizeof *defs)

static const struct opt_def *def_by_name(const char *name, size_t len, enum opts_command command)
{
	for (size_t i = 0; i < DEF_COUNT; i++) {
		if (strlen(defs[i].name) == len && !strncmp(defs[i].name, name, len) && (defs[i].commands & command))
			return &defs[i];
	}
	return NULL;
}

static const struct opt_def *def_by_letter(char letter, enum opts_command command)
{
	for (size_t i = 0; i < DEF_COUNT; i++) {
		if (defs[i].letter == letter && (defs[i].commands & command))
			return &defs[i];
	}
	return NULL;
}

static bool takes_value(const struct opt_def *def)
{
	return def->kind == OPT_TEXT || def->kind == OPT_LIST || def->kind == OPT_LATER;
}

static int def_apply(struct opts *opts, const struct opt_def *def, const char *word, const char *value)
{
	char *field = (char *)opts + def->offset;

	switch (def->kind) {
	case OPT_FLAG:
		*(bool *)field = true;
		break;
	case OPT_TEXT:
		free(*(char **)field);
		*(char **)field = xstrdup(value);
		break;
	case OPT_LIST:
		strv_add((struct strv *)field, value);
		break;
	case OPT_LATER:
		return err_report(PITH_USAGE, word, "not in this version; pith help run lists what is");
	}
	return 0;
}

/* A word that begins with "--". */
static int long_parse(struct opts *opts, enum opts_command command, int argc, char **argv, int *at)
{
	const char *word = argv[*at], *name = word + 2;
	size_t len = strcspn(name, "=");
	const struct opt_def *def = def_by_name(name, len, command);
	const char *value = name[len] == '=' ? name + len + 1 : NULL;

	if (!def)
		return err_report(PITH_USAGE, word, "no such option here; pith help COMMAND lists them");
	if (!takes_value(def) && value)
		return err_report(PITH_USAGE, word, "this option takes no value; leave out what follows the '='");
	if (takes_value(def) && !value) {
		if (*at + 1 >= argc)
			return err_report(PITH_USAGE, word, "this option needs a value: --%s %s", def->name, def->value);
		value = argv[++*at];
	}
	return def_apply(opts, def, word, value);
}

/* A word that begins with one "-": flags may be joined, and a value may follow at once. */
static int short_parse(struct opts *opts, enum opts_command command, int argc, char **argv, int *at)
{
	const char *word = argv[*at];
	int status = 0;

	for (const char *p = word + 1; *p && !status; p++) {
		const struct opt_def *def = def_by_letter(*p, command);
		const char *value = NULL;

		if (!def)
			return err_report(PITH_USAGE, word, "no such option here: -%c; pith help COMMAND lists them", *p);
		if (takes_value(def)) {
			if (p[1])
				value = p[1] == '=' ? p + 2 : p + 1;
			else if (*at + 1 < argc)
				value = argv[++*at];
			else
				return err_report(PITH_USAGE, word, "this option needs a value: -%c %s", *p, def->value);
			return def_apply(opts, def, word, value);
		}
		status = def_apply(opts, def, word, NULL);
	}
	return status;
}

int opts_parse(struct opts *opts, enum opts_command command, int argc, char **argv)
{
	bool only_args = false; /* "--" stood before what is left */
	int at = 0, status = 0;

	for (; at < argc && argv[at][0] == '-' && argv[at][1]; at++) {
		if (!strcmp(argv[at], "--")) {
			at++;
			only_args = true;
			break;
		}
		if (argv[at][1] == '-')
			status = long_parse(opts, command, argc, argv, &at);
		else
			status = short_parse(opts, command, argc, argv, &at);
		if (status)
			return status;
	}
	opts->args = argv + at;
	opts->arg_count = argc - at;
	if (opts->help)
		return 0;
	if (command & (BOTH | OPTS_DOCTOR))
		status = manifest_apply(opts, only_args);
	return status ? status : opts_check(opts);
}

void opts_free(struct opts *opts)
{
	for (size_t i = 0; i < DEF_COUNT; i++) {
		char *field = (char *)opts + defs[i].offset;

		if (defs[i].kind == OPT_TEXT)
			free(*(char **)field);
		else if (defs[i].kind == OPT_LIST)
			strv_free((struct strv *)field);
	}
	for (size_t i = 0; i < OPTS_VOLUMES_MAX; i++)
		free(opts->volumes[i].file);
	free(opts->publishes);
	strv_free(&opts->own_args);
	strv_free(&opts->without);
	rules_free(&opts->rules);
	*opts = (struct opts){ 0 };
}

void opts_print(enum opts_command command)
{
	for (size_t i = 0; i < DEF_COUNT; i++) {
		const struct opt_def *def = &defs[i];
		char left[64];

		if (!(def->commands & command))
			continue;
		if (def->letter)
			snprintf(left, sizeof left, "-%c, --%s %s", def->letter, def->name, def->value ? def->value : "");
		else
			snprintf(left, sizeof left, "    --%s %s", def->name, def->value ? def->value : "");
		printf("  %-38s %s\n", left, def->help);
	}
}
