/*
 * cmd_doctor.c - pith doctor: what this host can do, and what to install.
 *
 * Exit status 0 when `pith run` and `pith build` can work, 125 otherwise. With
 * --program it looks into a program instead (doctor_program.h).
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "doctor_program.h"
#include "opts.h"
#include "util/child.h"
#include "util/err.h"
#include "util/file.h"
#include "vmm/host.h"
#include "vmm/kernel_file.h"

/* What was found about one thing. */
struct finding {
	bool good;
	char *text;
};

struct check {
	const char *name;
	bool needed;     /* nothing runs without it */
	struct finding (*look)(void);
};

static struct finding found(bool good, char *text)
{
	return (struct finding){ .good = good, .text = text };
}

static struct finding look_tool(const char *name, const char *package)
{
	char *path = file_find_in_path(name, getenv("PATH"));

	return path ? found(true, path) : found(false, xasprintf("not found in PATH; install it: apt-get install %s", package));
}

static struct finding look_qemu(void)
{
	struct finding f = look_tool("qemu-system-x86_64", "qemu-system-x86");
	struct buf output = { 0 };

	if (!f.good)
		return f;
	f.good = child_run((char *[]){ f.text, "--version", NULL }, &output) == 0;
	free(f.text);
	if (output.data)
		output.data[strcspn(output.data, "\n")] = '\0';
	f.text = xstrdup(output.data && *output.data ? output.data : "does not say its version; install it again");
	buf_free(&output);
	return f;
}

static struct finding look_mkfs(void)
{
	return look_tool("mkfs.erofs", "erofs-utils");
}

/* For kernels of one program. */
static struct finding look_ld(void)
{
	return look_tool("ld", "binutils");
}

static struct finding look_kernel(void)
{
	char *path = kernel_file_locate();

	return path ? found(true, path) : found(false, xstrdup("not found; run make, or set PITH_KERNEL"));
}

static struct finding look_kvm(void)
{
	struct host_kvm_facts facts;

	host_kvm_probe(&facts);
	return found(facts.kind == HOST_KVM_GOOD,
		     xasprintf("%s%s", facts.why, facts.kind == HOST_KVM_GOOD ? "" : "; VMs run by emulation (TCG)"));
}

static struct finding look_tap(void)
{
	bool good = access("/dev/net/tun", R_OK | W_OK) == 0;

	return found(good, xstrdup(!good ? "no permission for /dev/net/tun; --net user works without"
					 : geteuid() == 0 ? "usable: --net tap=IFNAME" : "usable for interfaces that were made for this user"));
}

static struct finding look_dpkg(void)
{
	struct finding f = look_tool("dpkg-query", "dpkg");

	if (!f.good) {
		free(f.text);
		f.text = xstrdup("not found; images are made without a list of packages");
	}
	return f;
}

static struct finding look_cache(void)
{
	char *path;

	if (file_cache_dir(&path))
		return found(false, xstrdup("not usable; set XDG_CACHE_HOME"));
	return found(true, path);
}

static const struct check checks[] = {
	{ "qemu", true, look_qemu },   { "mkfs.erofs", true, look_mkfs }, { "kernel", true, look_kernel }, { "cache", true, look_cache },
	{ "ld", false, look_ld },      { "kvm", false, look_kvm },        { "tap", false, look_tap }, { "dpkg-query", false, look_dpkg },
};

static int report_make(bool as_json)
{
	json_t *report = json_object();
	int status = PITH_OK;

	for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
		struct finding f = checks[i].look();

		if (as_json)
			json_object_set_new(report, checks[i].name, json_pack("{s:b, s:s}", "ok", f.good, "text", f.text));
		else
			printf("%-11s %-8s %s\n", checks[i].name, f.good ? "ok" : checks[i].needed ? "MISSING" : "-", f.text);
		if (!f.good && checks[i].needed)
			status = PITH_FAILED;
		free(f.text);
	}
	if (as_json) {
		json_dumpf(report, stdout, JSON_INDENT(2));
		printf("\n");
	}
	json_decref(report);
	return status;
}

int cmd_doctor(int argc, char **argv)
{
	struct opts opts = { 0 };
	int status = opts_parse(&opts, OPTS_DOCTOR, argc, argv);

	if (status || opts.help)
		status = status ? status : cmd_help(1, (char *[]){ "doctor" });
	else if (opts.program || opts.own_args.count)
		status = doctor_program(&opts);
	else if (opts.arg_count)
		status = err_report(PITH_USAGE, opts.args[0], "doctor takes no argument; leave it out, or write --program PROGRAM");
	else if (opts.add.count || opts.packages.count || opts.manifest)
		status = err_report(PITH_USAGE, "doctor", "no program is named; write --program PROGRAM, or program: in the manifest");
	else
		status = report_make(opts.json);
	opts_free(&opts);
	return status;
}
