/*
 * manifest_tree.c - the manifest as libyaml reads it: nodes that know their lines.
 *
 * (I1) There are no aliases: the tree is a tree, and not larger than the file.
 */
#include "manifest_tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "util/err.h"

struct manifest_tree {
	yaml_document_t document;
};

/* libyaml gives its nodes out as not const; they are not changed here. */
static yaml_node_t *node_at(const struct manifest_tree *tree, int index)
{
	return yaml_document_get_node((yaml_document_t *)&tree->document, index);
}

static yaml_node_t *root_of(const struct manifest_tree *tree)
{
	return yaml_document_get_root_node((yaml_document_t *)&tree->document);
}

static size_t line_of(const yaml_node_t *node)
{
	return node->start_mark.line + 1;
}

static const char *text_of(const yaml_node_t *node)
{
	return (const char *)node->data.scalar.value;
}

static size_t pair_count(const yaml_node_t *mapping)
{
	return (size_t)(mapping->data.mapping.pairs.top - mapping->data.mapping.pairs.start);
}

static size_t item_count(const yaml_node_t *sequence)
{
	return (size_t)(sequence->data.sequence.items.top - sequence->data.sequence.items.start);
}

static int report(const char *path, size_t line, const char *what, const char *advice)
{
	char *where = xasprintf("%s:%zu", path, line);

	err_report(PITH_USAGE, where, "%s; %s", what, advice);
	free(where);
	return PITH_USAGE;
}

static int parser_report(const char *path, const yaml_parser_t *parser)
{
	size_t line = parser->problem_mark.line + 1;
	char *what;

	if (parser->error == YAML_READER_ERROR)
		what = xasprintf("no YAML text: %s (byte %zu)", parser->problem, parser->problem_offset);
	else
		what = xasprintf("no YAML: %s", parser->problem ? parser->problem : "it cannot be parsed");
	report(path, line, what, "look at quotes, brackets and indentation there and in the lines before");
	free(what);
	return PITH_USAGE;
}

/* One pass over the events: keeps (I1), and finds what stands behind the first document. */
static int events_check(const char *path, const struct buf *text)
{
	yaml_parser_t parser;
	yaml_event_t event;
	int status = 0;
	bool end = false;
	unsigned int documents = 0;

	if (!yaml_parser_initialize(&parser))
		return err_report(PITH_FAILED, path, "the YAML reader does not start; end something and try again");
	yaml_parser_set_input_string(&parser, (const unsigned char *)text->data, text->len);
	while (!status && !end) {
		if (!yaml_parser_parse(&parser, &event)) {
			status = parser_report(path, &parser);
			break;
		}
		if (event.type == YAML_ALIAS_EVENT)
			status = report(path, event.start_mark.line + 1, "an alias (*name), which is not taken here", "write the value out");
		else if (event.type == YAML_DOCUMENT_START_EVENT && ++documents > 1)
			status = report(path, event.start_mark.line + 1, "a second document begins", "keep one in a file");
		end = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	return status;
}

int manifest_tree_load(const char *path, const struct buf *text, struct manifest_tree **ret_tree)
{
	struct manifest_tree *tree;
	const yaml_node_t *root;
	yaml_parser_t parser;
	int status = events_check(path, text);

	if (status)
		return status;
	tree = xcalloc(1, sizeof *tree);
	if (!yaml_parser_initialize(&parser)) {
		free(tree);
		return err_report(PITH_FAILED, path, "the YAML reader does not start; end something and try again");
	}
	yaml_parser_set_input_string(&parser, (const unsigned char *)text->data, text->len);
	if (!yaml_parser_load(&parser, &tree->document)) {
		status = parser_report(path, &parser);
		free(tree);
		yaml_parser_delete(&parser);
		return status;
	}
	yaml_parser_delete(&parser);
	root = root_of(tree);
	if (!root)
		status = report(path, 1, "nothing in it", "write at least \"program: PATH\"");
	else if (root->type != YAML_MAPPING_NODE)
		status = report(path, line_of(root), "not lines of \"key: value\"", "write at least \"program: PATH\"");
	if (status)
		manifest_tree_free(tree);
	else
		*ret_tree = tree;
	return status;
}

void manifest_tree_free(struct manifest_tree *tree)
{
	if (tree)
		yaml_document_delete(&tree->document);
	free(tree);
}

/* A mapping's pair by its key, the first len bytes; NULL when it is not there. */
static const yaml_node_pair_t *pair_in(const struct manifest_tree *tree, const yaml_node_t *mapping, const char *key, size_t len)
{
	for (size_t i = 0; i < pair_count(mapping); i++) {
		const yaml_node_pair_t *pair = &mapping->data.mapping.pairs.start[i];
		const yaml_node_t *name = node_at(tree, pair->key);

		if (name->type == YAML_SCALAR_NODE && strlen(text_of(name)) == len && !strncmp(text_of(name), key, len))
			return pair;
	}
	return NULL;
}

/* A pair by its key, "outer.inner" for one inside a mapping; NULL when it is not there. */
static const yaml_node_pair_t *pair_find(const struct manifest_tree *tree, const char *key)
{
	size_t len = strcspn(key, ".");
	const yaml_node_pair_t *pair = pair_in(tree, root_of(tree), key, len);

	if (pair && key[len]) {
		const yaml_node_t *inner = node_at(tree, pair->value);

		pair = inner->type == YAML_MAPPING_NODE ? pair_in(tree, inner, key + len + 1, strlen(key + len + 1)) : NULL;
	}
	return pair;
}

size_t manifest_tree_line(const struct manifest_tree *tree, const char *key, size_t index)
{
	const yaml_node_pair_t *pair = pair_find(tree, key);
	const yaml_node_t *value;

	if (!pair)
		return 0;
	value = node_at(tree, pair->value);
	if (value->type == YAML_SEQUENCE_NODE && index < item_count(value))
		return line_of(node_at(tree, value->data.sequence.items.start[index]));
	if (value->type == YAML_MAPPING_NODE && index < pair_count(value))
		return line_of(node_at(tree, value->data.mapping.pairs.start[index].key));
	return line_of(node_at(tree, pair->key));
}

/* How many letters must be changed, added or taken away to make b of a; long words are far from all. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int row[33], above, corner;
	size_t a_len = strlen(a), b_len = strlen(b);

	if (a_len > 32 || b_len > 32)
		return 99;
	for (size_t j = 0; j <= b_len; j++)
		row[j] = (unsigned int)j;
	for (size_t i = 1; i <= a_len; i++) {
		corner = row[0];
		row[0] = (unsigned int)i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned int best = corner + (a[i - 1] != b[j - 1]);

			above = row[j];
			if (above + 1 < best)
				best = above + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			corner = above;
			row[j] = best;
		}
	}
	return row[b_len];
}

static int unknown_key_report(const char *path, const yaml_node_t *key, const cyaml_schema_field_t *fields)
{
	char *what = xasprintf("unknown key \"%s\"", text_of(key));
	char *advice = xstrdup("pith.yaml(5) lists the keys");
	unsigned int best = 3;

	for (; fields->key; fields++) {
		unsigned int d = distance(text_of(key), fields->key);

		if (d < best) {
			best = d;
			free(advice);
			advice = xasprintf("did you mean \"%s\"?", fields->key);
		}
	}
	report(path, line_of(key), what, advice);
	free(what);
	free(advice);
	return PITH_USAGE;
}

static int mapping_explain(const struct manifest_tree *tree, const char *path, const cyaml_schema_field_t *fields, const yaml_node_t *mapping);

/* Does a value have the form that its field asks for? */
static int value_explain(const struct manifest_tree *tree, const char *path, const cyaml_schema_field_t *field, const yaml_node_t *value)
{
	const yaml_node_t *odd = NULL;
	char *what;

	if (field->value.type == CYAML_STRING && value->type != YAML_SCALAR_NODE) {
		what = xasprintf("%s: one value is expected, not a %s", field->key, value->type == YAML_SEQUENCE_NODE ? "list" : "mapping");
		report(path, line_of(value), what, "write it as key: value");
		free(what);
		return PITH_USAGE;
	}
	if (field->value.type == CYAML_MAPPING && value->type != YAML_MAPPING_NODE) {
		what = xasprintf("%s: lines of \"key: value\" are expected", field->key);
		report(path, line_of(value), what, "pith.yaml(5) says which");
		free(what);
		return PITH_USAGE;
	}
	if (field->value.type == CYAML_MAPPING)
		return mapping_explain(tree, path, field->value.mapping.fields, value);
	if (field->value.type != CYAML_SEQUENCE)
		return 0;
	if (value->type != YAML_SEQUENCE_NODE)
		odd = value;
	for (size_t i = 0; !odd && i < item_count(value); i++) {
		odd = node_at(tree, value->data.sequence.items.start[i]);
		if (odd->type == YAML_SCALAR_NODE)
			odd = NULL;
	}
	if (!odd)
		return 0;
	what = xasprintf("%s: a list of texts is expected", field->key);
	report(path, line_of(odd), what, "write [A, B], or lines that begin with \"- \", and quotes around what has a colon and a space");
	free(what);
	return PITH_USAGE;
}

/* The schema nests as deep as it says, not the file. */
static int mapping_explain(const struct manifest_tree *tree, const char *path, const cyaml_schema_field_t *fields, const yaml_node_t *mapping)
{
	int status = 0;

	for (size_t i = 0; i < pair_count(mapping) && !status; i++) {
		const yaml_node_pair_t *pair = &mapping->data.mapping.pairs.start[i];
		const yaml_node_t *key = node_at(tree, pair->key);
		const cyaml_schema_field_t *field = fields;

		if (key->type != YAML_SCALAR_NODE)
			return report(path, line_of(key), "a key that is no word", "write lines of \"key: value\"");
		while (field->key && strcmp(field->key, text_of(key)))
			field++;
		if (!field->key)
			status = unknown_key_report(path, key, fields);
		else if (pair_in(tree, mapping, field->key, strlen(field->key)) != pair)
			status = report(path, line_of(key), "this key stands there for the second time", "keep one of them");
		else
			status = value_explain(tree, path, field, node_at(tree, pair->value));
	}
	return status;
}

int manifest_tree_explain(const struct manifest_tree *tree, const char *path, const cyaml_schema_field_t *fields)
{
	return mapping_explain(tree, path, fields, root_of(tree));
}

static int assignment_report(const char *path, const yaml_node_t *node, const char *key)
{
	char *what = xasprintf("%s: neither KEY: VALUE nor KEY=VALUE", key);

	report(path, line_of(node), what, "write a mapping of texts, or a list of KEY=VALUE");
	free(what);
	return PITH_USAGE;
}

int manifest_tree_assignments(const struct manifest_tree *tree, const char *path, const char *key, struct strv *list)
{
	const yaml_node_pair_t *found = pair_find(tree, key);
	const yaml_node_t *value = found ? node_at(tree, found->value) : NULL;

	if (!value)
		return 0;
	if (value->type == YAML_SCALAR_NODE)
		return *text_of(value) ? assignment_report(path, value, key) : 0;
	for (size_t i = 0; value->type == YAML_SEQUENCE_NODE && i < item_count(value); i++) {
		const yaml_node_t *item = node_at(tree, value->data.sequence.items.start[i]);

		if (item->type != YAML_SCALAR_NODE)
			return assignment_report(path, item, key);
		strv_add(list, text_of(item));
	}
	for (size_t i = 0; value->type == YAML_MAPPING_NODE && i < pair_count(value); i++) {
		const yaml_node_t *name = node_at(tree, value->data.mapping.pairs.start[i].key);
		const yaml_node_t *text = node_at(tree, value->data.mapping.pairs.start[i].value);

		if (name->type != YAML_SCALAR_NODE || text->type != YAML_SCALAR_NODE || strchr(text_of(name), '='))
			return assignment_report(path, name, key);
		if (!*text_of(text) && text->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
			strv_add(list, text_of(name));
		else
			strv_printf(list, "%s=%s", text_of(name), text_of(text));
	}
	return 0;
}
