/*
 * manifest_tree.h - the manifest as libyaml reads it: nodes that know their lines.
 *
 * libcyaml fills the manifest's struct by its schema, but it forgets where a value
 * stood, names the line before an unknown key, and has no mapping with free
 * keys. This tree is made of the same bytes and answers those questions.
 */
#ifndef TOOL_MANIFEST_TREE_H
#define TOOL_MANIFEST_TREE_H

#include <cyaml/cyaml.h>
#include <stddef.h>

#include "util/str.h"

struct manifest_tree;

/* Reads one document whose top is a mapping, without aliases. 0, or PITH_USAGE after a line with path and line number. */
int manifest_tree_load(const char *path, const struct buf *text, struct manifest_tree **ret_tree);
void manifest_tree_free(struct manifest_tree *tree);

/*
 * The line, counted from 1, of an entry of a key's list or mapping, or of its value; 0 when it is not there. "outer.inner" is
 * a key inside a mapping.
 */
size_t manifest_tree_line(const struct manifest_tree *tree, const char *key, size_t index);

/*
 * Says why the tree does not fit the schema of its top mapping: a line is printed
 * with path and line number. Returns PITH_USAGE, or 0 when nothing wrong is found.
 */
int manifest_tree_explain(const struct manifest_tree *tree, const char *path, const cyaml_schema_field_t *fields);

/*
 * Adds the entries of a top-level key that is a mapping of texts, or a list, as
 * KEY=VALUE or KEY (no value given). 0, or PITH_USAGE after a line.
 */
int manifest_tree_assignments(const struct manifest_tree *tree, const char *path, const char *key, struct strv *list);

#endif
