/*
 * root_facts.h - what is in an image's root, read from the root itself.
 */
#ifndef TOOL_REPORT_ROOT_FACTS_H
#define TOOL_REPORT_ROOT_FACTS_H

#include <jansson.h>

#include "image/image.h"

/*
 * {"files", "directories", "links", "file_bytes", "executables", "libraries", "shells": [PATH], "setuid": [PATH], "code_bytes", "gadgets",
 * "hardening": {"pie", "nx_stack", "relro", "bind_now"}}: hardening is the program's, "code_bytes" and "gadgets" are of
 * all ELF files together (left out beyond 256 MiB of them). NULL: the root is damaged. ret_files: [{"path", "bytes"}].
 */
json_t *root_facts(const struct image *image, json_t **ret_files);

#endif
