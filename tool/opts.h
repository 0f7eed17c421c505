/*
 * opts.h - the options of all commands, as one table.
 *
 * Options come before PROGRAM; the first word that is no option, or the word
 * after "--", is PROGRAM or IMAGE, and what follows belongs to the program.
 */
#ifndef TOOL_OPTS_H
#define TOOL_OPTS_H

#include <stdbool.h>
#include <stdint.h>

#include "rules.h"
#include "util/str.h"

/* Which commands take an option. */
enum opts_command {
	OPTS_RUN = 1,
	OPTS_BUILD = 2,
	OPTS_INSPECT = 4,
	OPTS_DOCTOR = 8,
	OPTS_PS = 16,
	OPTS_LOGS = 32, /* and events */
	OPTS_STOP = 64,
	OPTS_RM = 128,
	OPTS_STATS = 256,
	OPTS_LEARN = 512,
	OPTS_VERIFY = 1024,
};

enum opts_net { OPTS_NET_USER, OPTS_NET_NONE, OPTS_NET_TAP };
enum opts_accel { OPTS_ACCEL_AUTO, OPTS_ACCEL_KVM, OPTS_ACCEL_TCG };
enum opts_disk { OPTS_DISK_VIRTIO, OPTS_DISK_NVME };
enum opts_machine { OPTS_MACHINE_AUTO, OPTS_MACHINE_MICROVM, OPTS_MACHINE_Q35, OPTS_MACHINE_PC };

/* One --publish, parsed. */
struct opts_publish {
	char address[64]; /* "" for all */
	unsigned int host_port, guest_port;
	bool udp;
};

/* One --volume, parsed. */
struct opts_volume {
	char *file;
	char path[64];    /* where it is mounted */
	bool readonly, discard;
};
#define OPTS_VOLUMES_MAX 8

struct manifest_tree;

struct opts {
	/* as written */
	struct strv publish, volume, add, packages, env, env_file, dns, allow, without;
	struct strv ip, gateway;        /* at most one of each family */
	char *memory, *cpus, *workdir, *hostname, *net, *accel, *machine, *disk, *vmm, *output, *stop_timeout, *manifest, *program, *name, *events, *profile;
	char *sign, *key, *require_signed, *sbom;
	bool merge, trace, verbose, keep_memory, dry_run, detach, json, all, follow, force, files, help;
	size_t first_env_count, first_env_file_count; /* how many of these the manifest brought: the command line's come after all of them */
	/* PROGRAM or IMAGE and what follows it */
	char **args;
	int arg_count;
	struct strv own_args; /* what args points into when a manifest named the program */
	struct rules rules;             /* what a manifest lets the program do */
	/* where values come from, when it is not the command line: for messages */
	const struct manifest_tree *tree;
	const char *tree_path;
	/* as understood */
	struct opts_publish *publishes; /* publish.count of them */
	struct opts_volume volumes[OPTS_VOLUMES_MAX]; /* volume.count of them */
	uint64_t memory_len;            /* 0: chosen by the tool */
	unsigned int cpu_count;
	unsigned int stop_timeout_s;
	enum opts_net net_kind;
	bool net_given;
	const char *tap_name;
	enum opts_accel accel_kind;
	enum opts_machine machine_kind;
	enum opts_disk disk_kind;
};

/*
 * Reads the options of one command into a zeroed struct, adds what a manifest
 * says (--manifest FILE, or a directory with a pith.yaml in the place of
 * PROGRAM) and checks the values. 0, or an exit status after a line.
 */
int opts_parse(struct opts *opts, enum opts_command command, int argc, char **argv);
void opts_free(struct opts *opts);

/* Prints the options of a command, for help. */
void opts_print(enum opts_command command);

#endif
