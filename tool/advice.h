/*
 * advice.h - what is known of programs that start others: which option keeps them to one process.
 */
#ifndef TOOL_ADVICE_H
#define TOOL_ADVICE_H

/*
 * Advice for a program by its path or name: "give it -g 'daemon off; ...'", or NULL
 * when nothing is known.
 */
const char *advice_single_process(const char *program);

#endif
