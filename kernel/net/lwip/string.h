/* string.h - what lwIP means by <string.h>: the kernel's (or, on the host, libc's). */
#ifndef LWIP_PORT_STRING_H
#define LWIP_PORT_STRING_H
#ifdef PITH_HOST
#include_next <string.h>
#else
#include "base/string.h"
#endif
#endif
