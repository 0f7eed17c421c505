/*
 * container.h - the same figures for a default Linux container, to stand beside an image's. Measured once; where each comes
 * from is in docs/inspect.md, and the same words are in the JSON report.
 */
#ifndef TOOL_REPORT_CONTAINER_H
#define TOOL_REPORT_CONTAINER_H

struct container_fact {
	const char *key;   /* as in the report's "container" object */
	long long value;
	const char *source;
};

extern const struct container_fact container_facts[];
extern const unsigned int container_fact_count;

/* The figure for a key, -1: none. */
long long container_value(const char *key);

#endif
