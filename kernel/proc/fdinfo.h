/* fdinfo.h - /proc/self/fdinfo. */
#ifndef PROC_FDINFO_H
#define PROC_FDINFO_H

int fdinfo_init(void);               /* boot; -ENOMEM */

#endif
