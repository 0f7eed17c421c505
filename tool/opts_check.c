/*
 * opts_check.c - the values of options, understood and checked.
 *
 * Only what the words say is judged here; whether a port is free or a file is
 * there is found out where it is used. The same checks judge the command line and
 * a manifest; the messages name the option there and the line of the file here.
 */
#include "opts_check.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "instance/instance.h"
#include "manifest.h"
#include "util/err.h"

#define CPUS_MAX     32 /* what the kernel runs on */
#define HOSTNAME_MAX 63 /* Linux has room for 64; a label of the domain name system for 63 */

/* Reports a value of an option: its index counts in lists. */
__attribute__((format(printf, 4, 5)))
static int bad(const struct opts *opts, const char *option, size_t index, const char *format, ...)
{
	char *where = opts->tree ? manifest_where(opts, option, index) : xasprintf("--%s", option);
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	err_report(PITH_USAGE, where, "%s", text);
	free(where);
	return PITH_USAGE;
}

struct choice {
	const char *word;
	int value;
};

static int choice_parse(const struct opts *opts, const char *option, const char *word, const struct choice *choices, size_t count, int *ret_value)
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
	status = bad(opts, option, 0, "\"%s\" is no such thing; choose one of %s", word, list.data);
	buf_free(&list);
	return status;
}

static bool is_ipv4(const char *text)
{
	struct in_addr address;

	return inet_pton(AF_INET, text, &address) == 1;
}

/* Plain groups: no scope, and no IPv4 tail, which the kernel does not read. */
static bool is_ipv6(const char *text)
{
	struct in6_addr address;

	return !strchr(text, '.') && inet_pton(AF_INET6, text, &address) == 1;
}

static bool is_ip(const char *text) { return is_ipv4(text) || is_ipv6(text); }

static bool is_cidr(const char *text)
{
	const char *slash = strchr(text, '/');
	char address[INET6_ADDRSTRLEN];
	uint64_t prefix;

	if (!slash || (size_t)(slash - text) >= sizeof address || !str_number(slash + 1, 1, 128, &prefix))
		return false;
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	return is_ipv6(address) || (prefix <= 30 && is_ipv4(address));
}

/* Not two of one family. */
static bool one_of_each(const struct strv *list)
{
	return list->count < 2 || (list->count == 2 && !strchr(list->items[0], ':') != !strchr(list->items[1], ':'));
}

bool opts_publish_parse(const char *text, struct opts_publish *ret_publish)
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

/* FILE:/PATH[:ro|:discard] */
static bool volume_parse(const char *text, struct opts_volume *ret_volume)
{
	size_t len = strlen(text);
	const char *colon;

	*ret_volume = (struct opts_volume){ .readonly = len > 3 && !strcmp(text + len - 3, ":ro"),
					    .discard = len > 8 && !strcmp(text + len - 8, ":discard") };
	len -= ret_volume->readonly ? 3 : ret_volume->discard ? 8 : 0;
	for (colon = text + len; colon > text && !(colon[0] == ':' && colon[1] == '/'); colon--)
		;
	size_t path_len = len - (size_t)(colon + 1 - text);
	if (colon == text || path_len < 2 || path_len >= sizeof ret_volume->path)
		return false;
	memcpy(ret_volume->path, colon + 1, path_len);
	ret_volume->file = xasprintf("%.*s", (int)(colon - text), text);
	return true;
}

static int volumes_check(struct opts *opts)
{
	if (opts->volume.count > OPTS_VOLUMES_MAX)
		return bad(opts, "volume", OPTS_VOLUMES_MAX, "a machine has at most %d volumes", OPTS_VOLUMES_MAX);
	for (size_t i = 0; i < opts->volume.count; i++) {
		if (!volume_parse(opts->volume.items[i], &opts->volumes[i]))
			return bad(opts, "volume", i, "\"%s\" is no volume; write it as FILE:/PATH, FILE:/PATH:ro or FILE:/PATH:discard", opts->volume.items[i]);
	}
	return 0;
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
		return bad(opts, "net", 0, "\"%s\" is no such thing; choose one of user, none, tap=IFNAME", opts->net);
	}
	for (size_t i = 0; i < opts->ip.count; i++) {
		if (!is_cidr(opts->ip.items[i]))
			return bad(opts, "ip", 0, "\"%s\" is no address with a prefix; write it as 10.0.0.2/24 or fd00::2/64", opts->ip.items[i]);
	}
	for (size_t i = 0; i < opts->gateway.count; i++) {
		if (!is_ip(opts->gateway.items[i]))
			return bad(opts, "gateway", 0, "\"%s\" is no IP address; write it as 10.0.0.1 or fd00::1", opts->gateway.items[i]);
	}
	if (!one_of_each(&opts->ip))
		return bad(opts, "ip", 0, "there can be one address of IPv4 and one of IPv6; leave out the others");
	if (!one_of_each(&opts->gateway))
		return bad(opts, "gateway", 0, "there can be one router of IPv4 and one of IPv6; leave out the others");
	for (size_t i = 0; i < opts->dns.count; i++) {
		if (!is_ip(opts->dns.items[i]))
			return bad(opts, "dns", i, "\"%s\" is no IP address; write it as 10.0.0.3 or fd00::3", opts->dns.items[i]);
	}
	if (opts->publish.count && opts->net_kind != OPTS_NET_USER)
		return bad(opts, "publish", 0, "ports are forwarded only with --net user; reach the VM at its own address, or leave --net out");
	opts->publishes = xcalloc(opts->publish.count, sizeof *opts->publishes);
	for (size_t i = 0; i < opts->publish.count; i++) {
		if (!opts_publish_parse(opts->publish.items[i], &opts->publishes[i]))
			return bad(opts, "publish", i, "\"%s\" names no ports; write it as 8080:80, 127.0.0.1:8080:80 or 5353:53/udp",
					  opts->publish.items[i]);
	}
	return 0;
}

static bool is_hostname(const char *text)
{
	size_t len = strlen(text);

	if (!len || len > HOSTNAME_MAX || text[0] == '-' || text[len - 1] == '-')
		return false;
	for (; *text; text++) {
		if (!isalnum((unsigned char)*text) && *text != '-' && *text != '.' && *text != '_')
			return false;
	}
	return true;
}

static int files_check(const struct opts *opts)
{
	for (size_t i = 0; i < opts->add.count; i++) {
		const char *colon = strrchr(opts->add.items[i], ':');

		if (colon && colon[1] != '/')
			return bad(opts, "add", i, "\"%s\" has no absolute place after the colon; write it as SRC:/DST", opts->add.items[i]);
		if (!opts->add.items[i][0] || colon == opts->add.items[i])
			return bad(opts, "add", i, "\"%s\" names no file; write it as SRC or SRC:/DST", opts->add.items[i]);
	}
	for (size_t i = 0; i < opts->packages.count; i++) {
		const char *name = opts->packages.items[i];

		if (!isalnum((unsigned char)*name) || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789+-.:") != strlen(name))
			return bad(opts, "package", i, "\"%s\" is no name of a package; write it as python3-minimal", name);
	}
	return 0;
}

static int env_check(const struct opts *opts)
{
	for (size_t i = 0; i < opts->env.count; i++) {
		if (opts->env.items[i][0] == '=' || !opts->env.items[i][0])
			return bad(opts, "env", i, "\"%s\" names no variable; write it as KEY=VALUE", opts->env.items[i]);
	}
	if (opts->hostname && !is_hostname(opts->hostname))
		return bad(opts, "hostname", 0, "\"%s\" is no name for a machine; use up to %d letters, digits, '-' and '.'", opts->hostname,
			   HOSTNAME_MAX);
	if (opts->workdir && opts->workdir[0] != '/')
		return bad(opts, "workdir", 0, "\"%s\" is not absolute; begin it with a /", opts->workdir);
	return 0;
}

static int without_check(const struct opts *opts)
{
	static const char words[] = ""
#define PART_NAMED(word, need, what) " " word
#include "link/without.def"
#undef PART_NAMED
		;

	for (size_t i = 0; i < opts->without.count; i++) {
		const char *word = opts->without.items[i];
		bool known = false;

#define PART_NAMED(name, need, what) known |= !strcmp(word, name);
#include "link/without.def"
#undef PART_NAMED
		if (!known)
			return bad(opts, "without", i, "\"%s\" is no part of the kernel that can be left out; there are%s", word, words);
	}
	return 0;
}

int opts_check(struct opts *opts)
{
	static const struct choice accels[] = { { "auto", OPTS_ACCEL_AUTO }, { "kvm", OPTS_ACCEL_KVM }, { "tcg", OPTS_ACCEL_TCG } };
	static const struct choice machines[] = { { "auto", OPTS_MACHINE_AUTO }, { "microvm", OPTS_MACHINE_MICROVM },
						  { "q35", OPTS_MACHINE_Q35 }, { "pc", OPTS_MACHINE_PC } };
	static const struct choice disks[] = { { "auto", OPTS_DISK_VIRTIO }, { "virtio", OPTS_DISK_VIRTIO }, { "nvme", OPTS_DISK_NVME } };
	static const struct choice vmms[] = { { "auto", 0 }, { "qemu", 0 } };
	uint64_t number;
	int value = 0, status;

	opts->cpu_count = 1;
	opts->stop_timeout_s = 10;
	if (opts->memory && (!str_size(opts->memory, &opts->memory_len) || opts->memory_len == 0))
		return bad(opts, "memory", 0, "\"%s\" is no size; write it as 64M or 1G", opts->memory);
	if (opts->cpus) {
		if (!str_number(opts->cpus, 1, CPUS_MAX, &number))
			return bad(opts, "cpus", 0, "\"%s\" is no number of CPUs; give 1 to %d", opts->cpus, CPUS_MAX);
		opts->cpu_count = (unsigned int)number;
	}
	if (opts->stop_timeout) {
		if (!str_number(opts->stop_timeout, 0, 86400, &number))
			return bad(opts, "stop-timeout", 0, "\"%s\" is no number of seconds; give 0 to 86400", opts->stop_timeout);
		opts->stop_timeout_s = (unsigned int)number;
	}
	for (size_t i = 0; i < opts->allow.count; i++) {
		if (strcmp(opts->allow.items[i], "jit"))
			return bad(opts, "allow", i, "\"%s\" is no such thing; there is jit", opts->allow.items[i]);
	}
	status = without_check(opts);
	if (status)
		return status;
	if (opts->accel) {
		status = choice_parse(opts, "accel", opts->accel, accels, 3, &value);
		if (status)
			return status;
		opts->accel_kind = (enum opts_accel)value;
	}
	if (opts->machine) {
		status = choice_parse(opts, "machine", opts->machine, machines, 4, &value);
		if (status)
			return status;
		opts->machine_kind = (enum opts_machine)value;
	}
	if (opts->disk) {
		status = choice_parse(opts, "disk", opts->disk, disks, 3, &value);
		if (status)
			return status;
		opts->disk_kind = (enum opts_disk)value;
	}
	if (opts->disk_kind == OPTS_DISK_NVME && opts->machine_kind == OPTS_MACHINE_MICROVM)
		return bad(opts, "disk", 0, "microvm has no PCI, which NVMe disks need; use --machine q35 or pc");
	if (opts->name && !instance_name_valid(opts->name))
		return bad(opts, "name", 0, "\"%s\" is no name for an instance; use up to 63 letters, digits, '-', '_' and '.', a letter or digit first",
			   opts->name);
	if (opts->name && !opts->detach)
		return bad(opts, "name", 0, "only machines in the background have names; give -d too");
	if (opts->detach && opts->dry_run)
		return bad(opts, "detach", 0, "--dry-run starts nothing; leave one of them out");
	if (opts->profile && (opts->detach || opts->dry_run))
		return bad(opts, "profile", 0, "stacks are taken only of an attached machine; leave %s out", opts->detach ? "-d" : "--dry-run");
	if (opts->vmm) {
		status = choice_parse(opts, "vmm", opts->vmm, vmms, 2, &value);
		if (status)
			return status;
	}
	status = net_check(opts);
	if (!status)
		status = volumes_check(opts);
	if (!status)
		status = files_check(opts);
	if (!status && opts->tree)
		status = rules_check(opts);
	return status ? status : env_check(opts);
}
