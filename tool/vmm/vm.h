/*
 * vm.h - one virtual machine to be started: what, on what, and how it is wired.
 */
#ifndef TOOL_VMM_VM_H
#define TOOL_VMM_VM_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include <sys/types.h>

#include "opts.h"
#include "shared/bootconf.h"

struct vm {
	const struct opts *opts;
	const char *program;      /* for messages */
	const char *exec;         /* the program inside, for advice */
	char *vmm_path;           /* the VMM's executable */
	bool kvm;
	enum opts_machine machine; /* never AUTO */
	uint64_t memory_len;
	char *kernel;             /* names that the VMM can open: paths, or /dev/fd/N */
	json_t *kernel_map;       /* its functions (link/map.h), NULL: those of the whole kernel beside the command */
	char *config;             /* the boot configuration, as the first module */
	char *root;               /* the root's block device */
	char *volumes[OPTS_VOLUMES_MAX]; /* those of opts->volumes, as the VMM can open them */
	int debug_fd;             /* the VMM's end of a debugger's connection (profile/gdb.h), which it takes over; -1: none */
	int events_fd;            /* a keeper's log of events, a line each; -1: none */
	int events_out;           /* --events (vmm/events.h); -1: nowhere */
	void (*learned)(void *context, const char *entry); /* under learn: a `learn` line's text; or NULL */
	void *learned_context;
	/* For a keeper in the background; NULL when attached. `started` is called when the VMM runs; not 0 ends it. */
	int (*started)(struct vm *vm, pid_t vmm_pid);
	void (*tick)(struct vm *vm);  /* now and then, after something was relayed */
	void *context;
	int port_fds[PITH_NPORTS]; /* the VMM's ends of the ports; -1 for --dry-run: then the VMM's own streams */
};

/* The VMM's command line for QEMU, argv[0] first. */
void qemu_command(const struct vm *vm, struct strv *ret_argv);

/* Finds QEMU. 0 or 125 after a line. */
int qemu_find(char **ret_path);

/*
 * Starts the machine and stays until it ended: relays its streams, forwards
 * signals, prints its reports. keep_fds (ended by -1) are handed to the VMM.
 * Returns the command's exit status. No process of it is left.
 */
int vm_run(struct vm *vm, const int *keep_fds);

#endif
