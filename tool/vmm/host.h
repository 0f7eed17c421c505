/*
 * host.h - what this host can do: KVM that is worth using, the clock's rate, free ports.
 */
#ifndef TOOL_VMM_HOST_H
#define TOOL_VMM_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "opts.h"

enum host_kvm {
	HOST_KVM_NONE,   /* no /dev/kvm, or no permission */
	HOST_KVM_SLOW,   /* it is there, but emulates instruction by instruction, or does not work */
	HOST_KVM_GOOD,
};

struct host_kvm_facts {
	enum host_kvm kind;
	char why[128];   /* one phrase for people */
};

/*
 * Times 100,000 instructions in a throw-away 64-bit VM, in a process of its own
 * that is killed after 50 ms. The answer is kept for this boot of the host.
 */
void host_kvm_probe(struct host_kvm_facts *ret_facts);

/* The rate of the time-stamp counter in kHz, measured once a boot; 0 when there is none. */
uint64_t host_tsc_khz(void);

/* Are the host's ports free? 0 or 125 after a line. */
int host_ports_check(const struct opts *opts);

/* Is the tap interface of --net tap=IFNAME there? 0 or 125 after a line. */
int host_tap_check(const struct opts *opts);

#endif
