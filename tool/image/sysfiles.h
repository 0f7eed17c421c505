/*
 * sysfiles.h - the few files of /etc that a C library reads, and the directories to mount on.
 */
#ifndef TOOL_IMAGE_SYSFILES_H
#define TOOL_IMAGE_SYSFILES_H

#include "image/bootconf.h"
#include "image/plan.h"

/*
 * Puts them into a plan: names for the machine's one user (uid 1000), for the
 * machine itself, and the time zone that the variable TZ asks for. What the user
 * adds later takes their place. 0 or an exit status after a line.
 */
int sysfiles_put(struct plan *plan, const struct bootconf *conf);

#endif
