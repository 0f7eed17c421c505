/*
 * mitigations.c - mitigations and how each is known (mitigations.h).
 *
 * The kernel names its own in a note; that each is so in a running machine is what tests/security shows. What follows from the image is
 * looked up in the image.
 */
#include "report/mitigations.h"

#include <stdbool.h>
#include <string.h>

static const struct { const char *name, *how; } said[] = {
	{ "kernel-aslr", "the kernel's note; bases of many boots: tests/security/random.sh" },
	{ "user-aslr", "the kernel's note; addresses of many boots: tests/security/random.sh" },
	{ "kernel-wx", "the kernel's note; the page tables of a running machine: tests/security/memory.sh" },
	{ "nx", "the kernel's note; the page tables of a running machine: tests/security/memory.sh" },
	{ "smep", "the kernel's note; where the CPU has it; CR4 of a running machine: tests/security/memory.sh" },
	{ "smap", "the kernel's note; where the CPU has it; CR4 of a running machine: tests/security/memory.sh" },
	{ "umip", "the kernel's note; where the CPU has it; CR4 of a running machine: tests/security/memory.sh" },
	{ "stack-canary", "the kernel's note; its code: tests/security/memory.sh" },
	{ "stack-clash-protection", "the kernel's note; its code: tests/security/memory.sh" },
	{ "zeroed-locals", "the kernel's note; its code: tests/security/memory.sh" },
	{ "guard-pages", "the kernel's note; the page tables of a running machine: tests/security/memory.sh" },
	{ "one-process", "the kernel's note; refused calls: tests/security/calls.sh" },
};

static void add(json_t *report, bool there, const char *name, const char *how)
{
	if (!there)
		return;
	json_array_append_new(json_object_get(report, "mitigations"), json_string(name));
	json_object_set_new(json_object_get(report, "mitigations_known"), name, json_string(how));
}

void mitigations_add(json_t *report)
{
	const json_t *root = json_object_get(report, "root"), *hard = json_object_get(root, "hardening"), *verified = json_object_get(report, "verified");
	json_t *known = json_object(), *name;
	size_t i;

	json_array_foreach(json_object_get(report, "mitigations"), i, name) {
		const char *how = "the kernel's note";

		for (size_t k = 0; k < sizeof said / sizeof *said; k++) {
			if (!strcmp(said[k].name, json_string_value(name)))
				how = said[k].how;
		}
		json_object_set_new(known, json_string_value(name), json_string(how));
	}
	json_object_set_new(report, "mitigations_known", known);
	add(report, json_object_get(verified, "root_hash"), "verified-root", "the root hash in this image's configuration; read errors of altered blocks: tests/vm/verity.sh");
	add(report, json_is_true(json_object_get(verified, "signed")), "signed-image", "the signature in this image; pith verify --key says whose");
	add(report, root, "read-only-root", "the root is EROFS, which cannot be written");
	add(report, root && !json_array_size(json_object_get(root, "shells")), "no-shell", "no file of this image's root has a shell's name");
	add(report, root && !json_array_size(json_object_get(root, "setuid")), "no-setuid", "no file of this image's root has the bit");
	add(report, root && json_integer_value(json_object_get(root, "executables")) == 1, "one-program",
	    "this image's root has one ELF file that can be started");
	add(report, json_is_true(json_object_get(hard, "pie")), "program-pie", "the program's ELF header in this image");
	add(report, json_is_true(json_object_get(hard, "nx_stack")), "program-nx-stack", "the program's headers in this image (GNU_STACK)");
	add(report, json_is_true(json_object_get(hard, "relro")), "program-relro", "the program's headers in this image (GNU_RELRO)");
	add(report, json_is_true(json_object_get(hard, "bind_now")), "program-bind-now", "the program's dynamic section in this image");
}
