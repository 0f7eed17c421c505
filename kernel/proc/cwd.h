/* cwd.h - the creation mask (the working directory is in file.h). */
#ifndef PROC_CWD_H
#define PROC_CWD_H

#include "base/types.h"

u32 umask_get(void);
u32 umask_set(u32 mask);             /* the old one */

#endif
