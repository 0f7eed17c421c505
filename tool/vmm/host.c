/*
 * host.c - the clock's rate and free ports.
 */
#include "vmm/host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "image/cache.h"
#include "util/err.h"

#if defined(__x86_64__)
#include <x86intrin.h>

#define MEASURE_NS 50000000 /* 50 ms; each end is known to some 100 ns: 2 parts in a million */

struct moment {
	uint64_t tsc;
	int64_t ns;
};

/* A pair of readings taken as close together as eight tries get them. */
static struct moment moment_now(void)
{
	struct moment best = { 0 };
	uint64_t best_gap = UINT64_MAX;

	for (int i = 0; i < 8; i++) {
		struct timespec now;
		uint64_t before = __rdtsc(), after;

		clock_gettime(CLOCK_MONOTONIC_RAW, &now);
		after = __rdtsc();
		if (after - before < best_gap) {
			best_gap = after - before;
			best.tsc = before + best_gap / 2;
			best.ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
		}
	}
	return best;
}

uint64_t host_tsc_khz(void)
{
	struct moment start, end;
	struct buf text = { 0 };
	char line[24];
	uint64_t khz;

	if (cache_fact_get("tsc-khz", &text)) {
		bool good = str_number(text.data, 100000, 100000000, &khz);

		buf_free(&text);
		if (good)
			return khz;
	}
	start = moment_now();
	nanosleep(&(struct timespec){ .tv_nsec = MEASURE_NS }, NULL);
	end = moment_now();
	if (end.ns <= start.ns || end.tsc <= start.tsc)
		return 0;
	khz = (uint64_t)((double)(end.tsc - start.tsc) * 1e6 / (double)(end.ns - start.ns));
	snprintf(line, sizeof line, "%llu", (unsigned long long)khz);
	cache_fact_put("tsc-khz", line);
	return khz;
}
#else
uint64_t host_tsc_khz(void)
{
	return 0;
}
#endif

static int port_check(const struct opts_publish *publish)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)publish->host_port) };
	int fd = socket(AF_INET, (publish->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
	int on = 1, error = 0;

	if (publish->address[0])
		inet_pton(AF_INET, publish->address, &address.sin_addr);
	if (fd < 0)
		return 0; /* the VMM will say what is wrong */
	if (!publish->udp)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || (!publish->udp && listen(fd, 1) < 0))
		error = errno;
	close(fd);
	if (!error)
		return 0;
	if (error == EADDRINUSE)
		return err_report(PITH_FAILED, "--publish", "port %u is in use on this host; end what listens there, or publish another port",
				  publish->host_port);
	return err_report(PITH_FAILED, "--publish", "cannot listen on %s%sport %u: %s; publish another port or address", publish->address,
			  publish->address[0] ? " " : "", publish->host_port, strerror(error));
}

int host_tap_check(const struct opts *opts)
{
	if (opts->net_kind != OPTS_NET_TAP || if_nametoindex(opts->tap_name))
		return 0;
	return err_report(PITH_FAILED, "--net", "there is no tap interface %s on this host; make it: ip tuntap add %s mode tap", opts->tap_name,
			  opts->tap_name);
}

int host_ports_check(const struct opts *opts)
{
	int status = 0;

	for (size_t i = 0; i < opts->publish.count && !status; i++)
		status = port_check(&opts->publishes[i]);
	return status;
}
