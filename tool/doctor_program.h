/*
 * doctor_program.h - pith doctor --program: can this program run, and what would it miss?
 */
#ifndef TOOL_DOCTOR_PROGRAM_H
#define TOOL_DOCTOR_PROGRAM_H

#include "opts.h"

/*
 * Prints the report on the program of --program or of a manifest, with the files
 * that --add and --package bring. 0 when nothing is missing, 1 when a library is, or a
 * call may be made that the kernel refuses or does not have; another exit status
 * after a line when the program cannot be looked at.
 */
int doctor_program(const struct opts *opts);

/* Calls that the code of opts->args[0], its libraries and what is added names, by name, but for those of seen. 0 or an exit status after a line. */
int doctor_possible_calls(const struct opts *opts, const struct strv *seen, struct strv *ret_calls);

#endif
