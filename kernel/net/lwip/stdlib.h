/* stdlib.h - what lwIP means by <stdlib.h>: atoi, in netif_find only, which is never called. */
#ifndef LWIP_PORT_STDLIB_H
#define LWIP_PORT_STDLIB_H
#ifdef PITH_HOST
#include_next <stdlib.h>
#else
static inline int atoi(const char *s)
{
	int n = 0;

	while (*s >= '0' && *s <= '9')
		n = n * 10 + (*s++ - '0');
	return n;
}
#endif
#endif
