/*
 * sites.c - places in an object's code.
 *
 * Instructions are looked for by their bytes, and then confirmed by decoding from
 * the function's beginning: bytes in the middle of other instructions fall out.
 *
 * (I1) A wrapper is asked about once, and there are at most WRAPPERS_MAX: the work ends.
 */
#include "scan/sites.h"

#include <string.h>

#include "scan/calls.h"

#define WRAPPERS_MAX 64u

struct wrapper {
	uint64_t start;
	struct code_place place; /* where the number is when it is entered */
};

struct search {
	struct code *code;
	const struct scan_object *object;
	struct scan_sites *sites;
	struct wrapper wrappers[WRAPPERS_MAX];
	size_t wrapper_count;
};

static void wrapper_add(struct search *s, uint64_t start, struct code_place place)
{
	for (size_t i = 0; i < s->wrapper_count; i++) {
		const struct wrapper *w = &s->wrappers[i];

		if (w->start == start && w->place.stack == place.stack && w->place.n == place.n)
			return;
	}
	if (s->wrapper_count < WRAPPERS_MAX) /* keeps (I1) */
		s->wrappers[s->wrapper_count++] = (struct wrapper){ start, place };
}

/* What a place holds at a site is a call's number, a wrapper's argument, or not known. */
static void number_take(struct search *s, uint64_t site, struct code_place place)
{
	struct code_value value;

	if (!code_value_at(s->code, s->object, site, place, &value))
		return;
	if (value.kind == CODE_CONSTANT && value.number < SCAN_CALLS_MAX)
		s->sites->found(s->sites->context, site, (unsigned int)value.number);
	else if (value.kind == CODE_ARGUMENT)
		wrapper_add(s, scan_object_start(s->object, site), value.place);
	else
		s->sites->unresolved++;
}

static uint64_t branch_target(const uint8_t *p, uint64_t at)
{
	int32_t offset;

	memcpy(&offset, p + 1, 4);
	return at + 5 + (uint64_t)(int64_t)offset;
}

/* Direct calls of and jumps to a wrapper, anywhere in the object. */
static void callers_ask(struct search *s, const struct wrapper *w)
{
	struct wrapper wrapper = *w; /* the list may grow meanwhile */

	for (size_t i = 0; i < s->object->range_count; i++) {
		const struct scan_range *r = &s->object->ranges[i];

		for (uint64_t at = r->start; r->end - at >= 5; at++) {
			const uint8_t *p = r->bytes + (at - r->start);
			struct code_place place = wrapper.place;

			if ((*p != 0xe8 && *p != 0xe9) || branch_target(p, at) != wrapper.start)
				continue;
			if (place.stack && *p == 0xe8)
				place.n -= 8; /* the call pushes the return address */
			number_take(s, at, place);
		}
	}
}

void scan_sites_each(struct code *code, const struct scan_object *object, struct scan_sites *sites)
{
	struct search s = { .code = code, .object = object, .sites = sites };

	for (size_t i = 0; i < object->range_count; i++) {
		const struct scan_range *r = &object->ranges[i];
		const uint8_t *p = r->bytes, *end = r->bytes + (r->end - r->start);

		while (end - p >= 2 && (p = memchr(p, 0x0f, (size_t)(end - p - 1)))) {
			if (p[1] == 0x05)
				number_take(&s, r->start + (uint64_t)(p - r->bytes), (struct code_place){ .n = CODE_RAX });
			p++;
		}
	}
	for (size_t i = 0; i < s.wrapper_count; i++)
		callers_ask(&s, &s.wrappers[i]);
}

static bool is_slot_of(const struct scan_object *object, const char *name, uint64_t slot)
{
	for (size_t i = 0; i < object->imports.count; i++) {
		if (object->imports.items[i].value == slot && !strcmp(object->imports.items[i].name, name))
			return true;
	}
	return false;
}

/* The entries of the linkage table that jump through a slot of this name: at most two (.plt and .plt.sec). */
static size_t stubs_find(const struct scan_object *object, const char *name, uint64_t *stubs, size_t max)
{
	size_t count = 0;

	for (size_t i = 0; i < object->range_count; i++) {
		const struct scan_range *r = &object->ranges[i];

		for (uint64_t at = r->start; r->end - at >= 6 && count < max; at++) {
			const uint8_t *p = r->bytes + (at - r->start);

			if (p[0] == 0xff && p[1] == 0x25 && is_slot_of(object, name, branch_target(p + 1, at + 1)))
				stubs[count++] = at;
		}
	}
	return count;
}

void scan_import_each(const struct scan_object *object, const char *name, void (*visit)(void *context, uint64_t site), void *context)
{
	uint64_t stubs[4];
	size_t stub_count = stubs_find(object, name, stubs, 4);

	for (size_t i = 0; i < object->range_count; i++) {
		const struct scan_range *r = &object->ranges[i];

		for (uint64_t at = r->start; r->end - at >= 6; at++) {
			const uint8_t *p = r->bytes + (at - r->start);

			if (p[0] == 0xff && p[1] == 0x15 && is_slot_of(object, name, branch_target(p + 1, at + 1)))
				visit(context, at);
			/* Before the jump an entry may have endbr64 (4 bytes), bnd (1), or both. */
			for (size_t j = 0; (p[0] == 0xe8 || p[0] == 0xe9) && j < stub_count; j++) {
				uint64_t before = stubs[j] - branch_target(p, at);

				if (before == 0 || before == 1 || before == 4 || before == 5)
					visit(context, at);
			}
		}
	}
}

static void wrapper_import_visit(void *context, uint64_t site)
{
	number_take(context, site, (struct code_place){ .n = CODE_RDI });
}

void scan_wrapper_import_each(struct code *code, const struct scan_object *object, struct scan_sites *sites)
{
	struct search s = { .code = code, .object = object, .sites = sites };

	scan_import_each(object, "syscall", wrapper_import_visit, &s);
	for (size_t i = 0; i < s.wrapper_count; i++)
		callers_ask(&s, &s.wrappers[i]);
}
