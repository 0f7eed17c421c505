/*
 * sysfiles.c - the few files of /etc that a C library reads, and the directories to mount on.
 *
 * They are made here and not taken from the host: its users, names and zone are
 * nobody's business inside the machine. The clock is UTC, as in a container, unless
 * TZ says otherwise; then that zone's rules are copied from the host.
 */
#include "image/sysfiles.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/err.h"

#define HOSTNAME_DEFAULT "pith" /* the kernel's own default too */
#define ZONES            "/usr/share/zoneinfo"

static int hosts_put(struct plan *plan, const char *hostname)
{
	struct buf hosts = { 0 }, name = { 0 };
	size_t label = strcspn(hostname, ".");
	int error;

	/* A name with a domain is known by its first part too. */
	buf_printf(&hosts, "127.0.0.1\tlocalhost\n127.0.0.1\t%s", hostname);
	if (hostname[label])
		buf_printf(&hosts, " %.*s", (int)label, hostname);
	buf_puts(&hosts, "\n::1\tlocalhost ip6-localhost ip6-loopback\n");
	buf_printf(&name, "%s\n", hostname);
	error = plan_put_text(plan, "/etc/hosts", hosts.data, hosts.len, 0644);
	if (!error)
		error = plan_put_text(plan, "/etc/hostname", name.data, name.len, 0644);
	buf_free(&hosts);
	buf_free(&name);
	return error;
}

/* Is this the name of a zone's file, and not a rule such as CET-1CEST? */
static bool is_zone(const char *zone)
{
	return *zone && *zone != '/' && !strstr(zone, "..") && strspn(zone, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/") == strlen(zone);
}

static int zone_put(struct plan *plan, const char *zone)
{
	char *path, *text;
	int error = 0;

	if (zone && *zone == ':')
		zone++;
	if (!zone || !is_zone(zone))
		return plan_put_text(plan, "/etc/timezone", "Etc/UTC\n", 8, 0644);
	path = xasprintf(ZONES "/%s", zone);
	if (access(path, R_OK) == 0) {
		text = xasprintf("%s\n", zone);
		error = plan_mirror(plan, path);
		if (!error)
			error = plan_put_link(plan, "/etc/localtime", path);
		if (!error)
			error = plan_put_text(plan, "/etc/timezone", text, strlen(text), 0644);
		free(text);
	} else if (strchr(zone, '/')) {
		err_notice("TZ", "the zone %s is not on this host, so the program has UTC; install tzdata", zone);
	}
	free(path);
	return error;
}

int sysfiles_put(struct plan *plan, const struct bootconf *conf)
{
	static const char *const dirs[] = { "/dev", "/proc", "/sys", "/tmp", "/run", "/etc", "/var/tmp" };
	static const struct { const char *path, *text; } files[] = {
		{ "/etc/passwd", "root:x:0:0:root:/:/nonexistent\npith:x:1000:1000:pith:/:/nonexistent\n"
				 "nobody:x:65534:65534:nobody:/:/nonexistent\n" },
		{ "/etc/group", "root:x:0:\npith:x:1000:\nnogroup:x:65534:\n" },
		{ "/etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\nprotocols: files\n" },
	};
	int error = 0;

	for (size_t i = 0; i < sizeof dirs / sizeof *dirs && !error; i++)
		error = plan_put_dir(plan, dirs[i]);
	for (size_t i = 0; i < sizeof files / sizeof *files && !error; i++)
		error = plan_put_text(plan, files[i].path, files[i].text, strlen(files[i].text), 0644);
	if (!error)
		error = hosts_put(plan, conf->hostname ? conf->hostname : HOSTNAME_DEFAULT);
	if (!error)
		error = zone_put(plan, bootconf_get_env(conf, "TZ"));
	/* The kernel writes the lease's name servers there. */
	if (!error)
		error = plan_put_link(plan, "/etc/resolv.conf", "/run/resolv.conf");
	/* The older name, which many programs have compiled in. */
	if (!error)
		error = plan_put_link(plan, "/var/run", "/run");
	return error ? err_report(PITH_FAILED, "the root", "cannot plan it: %s", strerror(-error)) : 0;
}
