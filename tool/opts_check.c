/*
 * opts_check.c - the values of options, understood and checked.
 *
 * Only what the words say is judged here; whether a port is free or a file is
 * there is found out where it is used.
 */
#include "opts_check.h"

#include <arpa/inet.h>
#include <string.h>

#include "util/err.h"

#define CPUS_MAX 32             /* what the kernel runs on */

struct choice {
	const char *word;
	int value;
};

static int choice_parse(const char *option, const char *word, const struct choice *choices, size_t count, int *ret_value)
{
	struct buf list = { 0 };
	int status;

	for (size_t i = 0; i < count; i++) {
		if (!strcmp(choices[i].word, word)) {
			*ret_value = choices[i].value;
			buf_free(&list);
			return 0;
		}
		buf_printf(&list, "%s%s", i ? ", " : "", choices[i].word);
	}
	status = err_report(PITH_USAGE, option, "\"%s\" is no such thing; choose one of %s", word, list.data);
	buf_free(&list);
	return status;
}

static bool is_ipv4(const char *text)
{
	struct in_addr address;

	return inet_pton(AF_INET, text, &address) == 1;
}

static bool is_cidr(const char *text)
{
	const char *slash = strchr(text, '/');
	char address[INET_ADDRSTRLEN];
	uint64_t prefix;

	if (!slash || (size_t)(slash - text) >= sizeof address || !str_number(slash + 1, 1, 30, &prefix))
		return false;
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	return is_ipv4(address);
}

/* [ADDR:]HOST:GUEST[/tcp|/udp] */
static bool publish_parse(const char *text, struct opts_publish *ret_publish)
{
	char copy[128], *guest, *host, *slash;
	uint64_t port;

	*ret_publish = (struct opts_publish){ 0 };
	if (strlen(text) >= sizeof copy)
		return false;
	strcpy(copy, text);
	slash = strchr(copy, '/');
	if (slash) {
		if (strcmp(slash, "/udp") && strcmp(slash, "/tcp"))
			return false;
		ret_publish->udp = slash[1] == 'u';
		*slash = '\0';
	}
	guest = strrchr(copy, ':');
	if (!guest)
		return false;
	*guest++ = '\0';
	host = strrchr(copy, ':');
	if (host) {
		*host++ = '\0';
		if (!is_ipv4(copy))
			return false;
		strcpy(ret_publish->address, copy);
	} else {
		host = copy;
	}
	if (!str_number(host, 1, 65535, &port))
		return false;
	ret_publish->host_port = (unsigned int)port;
	if (!str_number(guest, 1, 65535, &port))
		return false;
	ret_publish->guest_port = (unsigned int)port;
	return true;
}

static int net_check(struct opts *opts)
{
	opts->net_given = opts->net != NULL;
	if (!opts->net || !strcmp(opts->net, "user")) {
		opts->net_kind = OPTS_NET_USER;
	} else if (!strcmp(opts->net, "none")) {
		opts->net_kind = OPTS_NET_NONE;
	} else if (str_starts(opts->net, "tap=") && opts->net[4] && strlen(opts->net + 4) < 16 && !strpbrk(opts->net + 4, "/,")) {
		opts->net_kind = OPTS_NET_TAP;
		opts->tap_name = opts->net + 4;
	} else {
		return err_report(PITH_USAGE, "--net", "\"%s\" is no such thing; choose one of user, none, tap=IFNAME", opts->net);
	}
	if (opts->ip && !is_cidr(opts->ip))
		return err_report(PITH_USAGE, "--ip", "\"%s\" is no address with a prefix; write it as 10.0.0.2/24", opts->ip);
	if (opts->gateway && !is_ipv4(opts->gateway))
		return err_report(PITH_USAGE, "--gateway", "\"%s\" is no IPv4 address; write it as 10.0.0.1", opts->gateway);
	for (size_t i = 0; i < opts->dns.count; i++) {
		if (!is_ipv4(opts->dns.items[i]))
			return err_report(PITH_USAGE, "--dns", "\"%s\" is no IPv4 address; write it as 10.0.0.3", opts->dns.items[i]);
	}
	if (opts->publish.count && opts->net_kind != OPTS_NET_USER)
		return err_report(PITH_USAGE, "--publish", "ports are forwarded only with --net user; reach the VM at its own address, or leave --net out");
	opts->publishes = xcalloc(opts->publish.count, sizeof *opts->publishes);
	for (size_t i = 0; i < opts->publish.count; i++) {
		if (!publish_parse(opts->publish.items[i], &opts->publishes[i]))
			return err_report(PITH_USAGE, "--publish", "\"%s\" names no ports; write it as 8080:80, 127.0.0.1:8080:80 or 5353:53/udp",
					  opts->publish.items[i]);
	}
	return 0;
}

static int env_check(const struct opts *opts)
{
	for (size_t i = 0; i < opts->env.count; i++) {
		if (opts->env.items[i][0] == '=' || !opts->env.items[i][0])
			return err_report(PITH_USAGE, "--env", "\"%s\" names no variable; write it as KEY=VALUE", opts->env.items[i]);
	}
	if (opts->workdir && opts->workdir[0] != '/')
		return err_report(PITH_USAGE, "--workdir", "\"%s\" is not absolute; begin it with a /", opts->workdir);
	return 0;
}

int opts_check(struct opts *opts)
{
	static const struct choice accels[] = { { "auto", OPTS_ACCEL_AUTO }, { "kvm", OPTS_ACCEL_KVM }, { "tcg", OPTS_ACCEL_TCG } };
	static const struct choice machines[] = { { "auto", OPTS_MACHINE_AUTO }, { "microvm", OPTS_MACHINE_MICROVM },
						  { "q35", OPTS_MACHINE_Q35 }, { "pc", OPTS_MACHINE_PC } };
	static const struct choice vmms[] = { { "auto", 0 }, { "qemu", 0 } };
	uint64_t number;
	int value = 0, status;

	opts->cpu_count = 1;
	opts->stop_timeout_s = 10;
	if (opts->memory && (!str_size(opts->memory, &opts->memory_len) || opts->memory_len == 0))
		return err_report(PITH_USAGE, "--memory", "\"%s\" is no size; write it as 64M or 1G", opts->memory);
	if (opts->cpus) {
		if (!str_number(opts->cpus, 1, CPUS_MAX, &number))
			return err_report(PITH_USAGE, "--cpus", "\"%s\" is no number of CPUs; give 1 to %d", opts->cpus, CPUS_MAX);
		opts->cpu_count = (unsigned int)number;
	}
	if (opts->stop_timeout) {
		if (!str_number(opts->stop_timeout, 0, 86400, &number))
			return err_report(PITH_USAGE, "--stop-timeout", "\"%s\" is no number of seconds; give 0 to 86400", opts->stop_timeout);
		opts->stop_timeout_s = (unsigned int)number;
	}
	if (opts->allow && strcmp(opts->allow, "jit"))
		return err_report(PITH_USAGE, "--allow", "\"%s\" is no such thing; there is jit", opts->allow);
	if (opts->accel) {
		status = choice_parse("--accel", opts->accel, accels, 3, &value);
		if (status)
			return status;
		opts->accel_kind = (enum opts_accel)value;
	}
	if (opts->machine) {
		status = choice_parse("--machine", opts->machine, machines, 4, &value);
		if (status)
			return status;
		opts->machine_kind = (enum opts_machine)value;
	}
	if (opts->vmm) {
		status = choice_parse("--vmm", opts->vmm, vmms, 2, &value);
		if (status)
			return status;
	}
	status = net_check(opts);
	return status ? status : env_check(opts);
}
