/*
 * err.h - how the command reports failure: one line, and an exit status.
 *
 * Every function of the tool that can fail returns an exit status: 0, or one of
 * the values below, after having printed the line. Nobody prints a second line
 * about the same failure; callers pass the status up.
 */
#ifndef TOOL_UTIL_ERR_H
#define TOOL_UTIL_ERR_H

#include <stdbool.h>

enum pith_status {
	PITH_OK = 0,
	PITH_USAGE = 2,        /* wrong usage */
	PITH_POLICY = 121,     /* policy ended the machine */
	PITH_KERNEL = 122,     /* the kernel failed */
	PITH_FAILED = 125,     /* pith itself, the VMM or the host failed */
	PITH_CANNOT_RUN = 126, /* the file is no program that can run here */
	PITH_NOT_FOUND = 127,  /* no such program */
};

/*
 * Prints "pith: WHERE: WHAT; WHAT TO DO" on standard error and returns status.
 * The format makes the part after WHERE. Control characters, which a file name
 * may hold, are printed as '?', so that it stays one line. WHERE may be NULL.
 */
int err_report(int status, const char *where, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Same line, but the run goes on. */
void err_notice(const char *where, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A line of progress for work that takes long: only on a terminal, overwritten in place; NULL clears it. */
void err_progress(const char *what);

#endif
