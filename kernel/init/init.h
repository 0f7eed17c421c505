/* init.h - the steps of the boot that are more than one call; see main.c. */
#ifndef INIT_INIT_H
#define INIT_INIT_H

#include "init/bootconf.h"

/* glue.c: tie lower rooms to what they call above them. */
void glue_memory(void);
void glue_hooks(void);
/* glue.c: random numbers from the CPU and the configuration's seed, which is wiped. */
void glue_seed(struct bootconf *c);
/* glue.c: the other CPUs, in a kernel for a program that has use for them. */
void glue_cpus(void);
void glue_cpus_start(void);
/* Wait until the generator has its 256 bits (virtio-rng may be on its way); the machine ends if they do not come. */
void glue_wait_random(void);

/* What rooms registered with LINK_INIT. 0 or the first error. */
int glue_init_calls(void);

/* bootmodule.c: find and read the configuration. NULL or the reason why it cannot be used. */
const char *bootmodule_read(struct bootconf *ret);

/* mounts.c: the root and the memory file systems; the machine ends if the root cannot be mounted. */
void mounts_make(const struct bootconf *c);

/* network.c: bring up the first interface as configured and wait for its address; nothing in a kernel without network. */
void network_make(const struct bootconf *c);

#endif
