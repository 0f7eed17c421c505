/*
 * calls.c - which system calls a program may make.
 *
 * (I1) A function of the C library is decoded once, and walked once for each name that leads to it.
 */
#include "scan/calls.h"

#include <stdlib.h>
#include <string.h>

#include "scan/sites.h"

#define CALL_SIGACTION 13 /* rt_sigaction, rt_sigreturn */
#define CALL_SIGRETURN 15
#define PROT_WX 6u /* PROT_WRITE | PROT_EXEC */
#define PROT_X  4u

/* The functions that a function branches to, as indexes. */
struct edges {
	uint32_t *targets;
	size_t count, cap;
	bool known;
};

/* The C library's object with what its functions do. */
struct graph {
	const struct scan_object *object;
	uint64_t (*numbers)[SCAN_CALLS_MAX / 64]; /* for each function, in the order of object->starts */
	uint32_t *visited;                        /* the walk that saw it last */
	struct edges *edges;                      /* where its branches lead */
};

struct survey {
	struct code code;
	struct scan_object *objects;
	size_t count;
	struct graph *graphs;     /* one for each object; empty where it is not of the C library */
	struct scan_calls *calls;
	uint32_t walk;            /* number of the walk through the graph */
	struct scan_object *asking;
	const char *via;
	struct graph *graph;      /* being decoded: its function number `decoding` */
	size_t decoding;
};

static void use_add(struct survey *s, unsigned int number, const struct scan_object *object, uint64_t site, const char *via)
{
	struct scan_use *use = &s->calls->uses[number];

	if (!use->used)
		*use = (struct scan_use){ .used = true, .object = object, .site = site, .via = via };
}

static size_t function_index(const struct scan_object *o, uint64_t address)
{
	uint64_t start = scan_object_start(o, address);
	const uint64_t *found;
	size_t low = 0, high = o->start_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (o->starts[middle] < start)
			low = middle + 1;
		else
			high = middle;
	}
	found = low < o->start_count && o->starts[low] == start ? &o->starts[low] : NULL;
	return found ? low : SIZE_MAX;
}

static void own_site_found(void *context, uint64_t site, unsigned int number)
{
	struct survey *s = context;

	use_add(s, number, s->asking, site, NULL);
}

static void library_site_found(void *context, uint64_t site, unsigned int number)
{
	struct graph *g = context;
	size_t i = function_index(g->object, site);

	if (i != SIZE_MAX)
		g->numbers[i][number / 64] |= 1ull << number % 64;
}

static void edge_add(void *context, uint64_t target)
{
	struct survey *s = context;
	struct edges *e = &s->graph->edges[s->decoding];
	size_t to = scan_object_code(s->graph->object, target, 1) ? function_index(s->graph->object, target) : SIZE_MAX;

	if (to == SIZE_MAX)
		return;
	for (size_t i = 0; i < e->count; i++) {
		if (e->targets[i] == to)
			return;
	}
	if (e->count == e->cap) {
		e->cap = e->cap ? e->cap * 2 : 8;
		e->targets = xrealloc(e->targets, e->cap * sizeof *e->targets);
	}
	e->targets[e->count++] = (uint32_t)to;
}

static void function_decode(struct survey *s, struct graph *g, size_t i)
{
	const struct scan_object *o = g->object;
	uint64_t end = i + 1 < o->start_count ? o->starts[i + 1] : UINT64_MAX;

	for (size_t r = 0; r < o->range_count; r++) {
		if (o->starts[i] >= o->ranges[r].start && o->starts[i] < o->ranges[r].end && end > o->ranges[r].end)
			end = o->ranges[r].end;
	}
	s->graph = g;
	s->decoding = i;
	code_each_branch(&s->code, o, o->starts[i], end, edge_add, s);
	g->edges[i].known = true;
}

/* Everything that a function of the C library may do, by direct calls. */
static void function_walk(struct survey *s, struct graph *g, size_t i)
{
	if (i == SIZE_MAX || g->visited[i] == s->walk)
		return;
	g->visited[i] = s->walk;
	for (unsigned int number = 0; number < SCAN_CALLS_MAX; number++) {
		if (g->numbers[i][number / 64] >> number % 64 & 1)
			use_add(s, number, s->asking, 0, s->via);
	}
	if (!g->edges[i].known) /* keeps (I1) */
		function_decode(s, g, i);
	for (size_t e = 0; e < g->edges[i].count; e++)
		function_walk(s, g, g->edges[i].targets[e]);
}

static const char *const starters[] = { "fork", "_Fork", "vfork", "posix_spawn", "posix_spawnp", "system", "popen", "execl", "execle", "execlp",
					"execv", "execve", "execvp", "execvpe", "fexecve", "execveat", "daemon", "forkpty", "wordexp", "__libc_fork" };

static void import_follow(struct survey *s, const char *name)
{
	uint64_t address;

	for (size_t i = 0; i < s->count; i++) {
		if (!s->objects[i].is_libc && scan_object_export(&s->objects[i], name, &address))
			return; /* that library's code is counted as a whole */
	}
	for (size_t i = 0; i < sizeof starters / sizeof *starters; i++) {
		if (!strcmp(starters[i], name) && !strv_has(&s->calls->starters, name))
			strv_add(&s->calls->starters, name);
	}
	if (!strcmp(name, "dlopen") || !strcmp(name, "dlmopen"))
		s->calls->loads = true;
	for (size_t i = 0; i < s->count; i++) {
		if (s->objects[i].is_libc && scan_object_export(&s->objects[i], name, &address)) {
			s->walk++;
			s->via = name;
			function_walk(s, &s->graphs[i], function_index(&s->objects[i], address));
			return;
		}
	}
}

/* Libraries that make code when they may and interpret when they may not. */
static bool falls_back(const char *path)
{
	const char *slash = strrchr(path, '/');

	return str_starts(slash ? slash + 1 : path, "libpcre");
}

static void protection_visit(void *context, uint64_t site)
{
	struct survey *s = context;
	struct code_value value;
	enum scan_jit jit;

	if (!code_value_at(&s->code, s->asking, site, (struct code_place){ .n = CODE_RDX }, &value) || value.kind != CODE_CONSTANT)
		return;
	jit = (value.number & PROT_WX) == PROT_WX ? SCAN_JIT_CERTAIN : value.number & PROT_X ? SCAN_JIT_LIKELY : SCAN_JIT_NO;
	if (jit > s->calls->jit && !falls_back(s->asking->path)) {
		s->calls->jit = jit;
		s->calls->jit_object = s->asking;
		s->calls->jit_site = site;
	}
}

static void object_survey(struct survey *s, struct scan_object *o)
{
	static const char *const protecting[] = { "mmap", "mmap64", "mprotect", "pkey_mprotect" };
	struct scan_sites sites = { .found = own_site_found, .context = s };

	s->asking = o;
	scan_sites_each(&s->code, o, &sites);
	for (size_t i = 0; i < o->imports.count; i++) {
		const char *name = o->imports.items[i].name;

		if (i && !strcmp(name, o->imports.items[i - 1].name))
			continue;
		import_follow(s, name);
		if (!strcmp(name, "syscall"))
			scan_wrapper_import_each(&s->code, o, &sites);
		for (size_t j = 0; j < sizeof protecting / sizeof *protecting; j++) {
			if (!strcmp(name, protecting[j]))
				scan_import_each(o, name, protection_visit, s);
		}
	}
	s->calls->unresolved += sites.unresolved;
}

static void graph_make(struct survey *s, struct graph *g, const struct scan_object *o)
{
	struct scan_sites sites = { .found = library_site_found, .context = g };

	g->object = o;
	g->numbers = xcalloc(o->start_count, sizeof *g->numbers);
	g->visited = xcalloc(o->start_count, sizeof *g->visited);
	g->edges = xcalloc(o->start_count, sizeof *g->edges);
	scan_sites_each(&s->code, o, &sites);
}

/* What runs without being named: the loader, and the C library's streams, which are reached by pointers. */
static void library_roots_follow(struct survey *s, struct graph *g)
{
	static const char *const roots[] = { "_dl_start", "_IO_file_read", "_IO_file_write", "_IO_file_seek", "_IO_file_close", "_IO_file_stat",
					     "_IO_file_doallocate", "exit", "__stdio_read", "__stdio_write" };
	uint64_t address;

	s->asking = (struct scan_object *)g->object;
	for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
		if (!scan_object_export(g->object, roots[i], &address))
			continue;
		s->walk++;
		s->via = roots[i];
		function_walk(s, g, function_index(g->object, address));
	}
}

int scan_calls_collect(struct scan_object *objects, size_t count, struct scan_calls *ret_calls)
{
	struct survey s = { .objects = objects, .count = count, .calls = ret_calls };
	int status = code_open(&s.code);

	*ret_calls = (struct scan_calls){ 0 };
	s.graphs = xcalloc(count, sizeof *s.graphs);
	for (size_t i = 0; i < count && !status; i++) {
		if (objects[i].is_libc)
			graph_make(&s, &s.graphs[i], &objects[i]);
	}
	for (size_t i = 0; i < count && !status; i++) {
		if (!objects[i].is_libc)
			object_survey(&s, &objects[i]);
	}
	for (size_t i = 0; i < count && !status; i++) {
		if (objects[i].is_libc)
			library_roots_follow(&s, &s.graphs[i]);
	}
	/* A handler returns by an address that the library hands to the kernel. */
	if (ret_calls->uses[CALL_SIGACTION].used && !ret_calls->uses[CALL_SIGRETURN].used)
		ret_calls->uses[CALL_SIGRETURN] = ret_calls->uses[CALL_SIGACTION];
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; s.graphs[i].edges && j < objects[i].start_count; j++)
			free(s.graphs[i].edges[j].targets);
		free(s.graphs[i].edges);
		free(s.graphs[i].numbers);
		free(s.graphs[i].visited);
	}
	free(s.graphs);
	code_close(&s.code);
	return status;
}

void scan_calls_free(struct scan_calls *calls)
{
	strv_free(&calls->starters);
	*calls = (struct scan_calls){ 0 };
}
