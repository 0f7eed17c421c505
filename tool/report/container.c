/*
 * container.c - a default Linux container in figures (container.h): Docker on Debian 12, with Debian's own base image.
 */
#include "report/container.h"

#include <string.h>

#define PROFILE "Docker 20.10.24's default seccomp profile (moby, tag v20.10.24, profiles/seccomp/default.json) with Docker's default capabilities on amd64"
#define KERNEL  "Debian's linux-image-6.1.0-50-amd64 6.1.176-1"
#define BASE    "mmdebstrap --variant=minbase bookworm, November 2026: what Debian's container image is made of"

const struct container_fact container_facts[] = {
	{ "syscalls", 290, PROFILE ": calls that it allows, of the 350 that x86-64 has in Linux 6.1" },
	{ "kernel_code_bytes", 14687538, KERNEL ": section .text of vmlinux; modules come on top" },
	{ "kernel_modules", 4022, KERNEL ": files *.ko" },
	{ "kernel_gadgets", 207245, KERNEL ": the same counter over section .text, returns that are patched in at boot not counted" },
	{ "files", 6946, BASE ": regular files" },
	{ "file_bytes", 164038818, BASE ": bytes in them" },
	{ "executables", 315, BASE ": ELF files that are meant to be started" },
	{ "shells", 4, BASE ": bash, dash, rbash, sh" },
	{ "setuid", 11, BASE ": files with the set-uid or set-gid bit" },
	{ "packages", 96, BASE ": packages" },
	{ "gadgets", 1576553, BASE ": the same counter over its 751 ELF files" },
};
const unsigned int container_fact_count = sizeof container_facts / sizeof *container_facts;

long long container_value(const char *key)
{
	for (unsigned int i = 0; i < container_fact_count; i++) {
		if (!strcmp(container_facts[i].key, key))
			return container_facts[i].value;
	}
	return -1;
}
