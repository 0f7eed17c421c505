/*
 * cmd_run.c - pith run: a program or an image as a machine, attached.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "cmd_run.h"
#include "image/image.h"
#include "image/inventory.h"
#include "image/program.h"
#include "image/root.h"
#include "instance/detach.h"
#include "link/kernel_link.h"
#include "opts.h"
#include "profile/profile.h"
#include "util/err.h"
#include "util/file.h"
#include "util/hash.h"
#include "vmm/events.h"
#include "vmm/host.h"
#include "vmm/kernel_file.h"
#include "vmm/vm.h"
#include "vmm/volume.h"

#define MIB               (1ull << 20)
#define MEMORY_DEFAULT    (128 * MIB)
#define MEMORY_SLACK      MIB /* page tables, heap, ports: less than this beside the kernel cannot start anything */
#define LOAD_COUNTED      (256 * MIB) /* a program's headers may claim anything; what it does not touch it does not need */
#define SEED_LEN          32

/* Everything one run holds. */
struct run {
	struct opts opts;
	struct vm vm;
	struct bootconf conf;
	struct image image;      /* fd -1: a program */
	uint64_t load_len;       /* memory that the program's files map */
	uint64_t kernel_end;
	int fds[4 + OPTS_VOLUMES_MAX], fd_count;    /* handed to the VMM by /dev/fd/N */
};

static bool json_has(const json_t *list, const char *text)
{
	size_t i;
	json_t *item;

	json_array_foreach(list, i, item) {
		if (json_is_string(item) && !strcmp(json_string_value(item), text))
			return true;
	}
	return false;
}

/* Names a descriptor in a way that the VMM can open; it takes it over. */
static char *fd_name(struct run *run, int fd)
{
	run->fds[run->fd_count++] = fd;
	return xasprintf("/dev/fd/%d", fd);
}

static int program_prepare(struct run *run, const char *path)
{
	const struct opts *opts = &run->opts;
	struct program program = { 0 };
	struct plan plan;
	int status, fd;

	plan_init(&plan);
	if (opts->require_signed)
		return err_report(PITH_USAGE, "--require-signed", "%s is a program, and programs are not signed; make an image: pith build --sign KEY", opts->args[0]);
	status = program_open(opts->args[0], path, opts->args + 1, opts->arg_count - 1, getenv("PATH"), &program);
	if (!status)
		status = root_plan(opts, &program, &plan, &run->conf, &run->load_len);
	if (!status)
		status = root_cached(&plan, &run->vm.root);
	if (!status)
		status = kernel_for(opts, &program, &run->vm.kernel, &run->vm.kernel_map);
	if (!status) {
		fd = open(run->vm.kernel, O_RDONLY | O_CLOEXEC);
		run->kernel_end = fd < 0 ? 0 : kernel_file_load_end(fd, 0);
		if (fd >= 0)
			close(fd);
		if (!run->kernel_end)
			status = err_report(PITH_FAILED, run->vm.kernel, "no x86-64 kernel; run make, or set PITH_KERNEL");
	}
	program_free(&program);
	plan_free(&plan);
	return status;
}

/* The kernel of an image as a file of its own: in memory, or in the cache for --dry-run. */
static int image_kernel_take(struct run *run)
{
	const struct image *image = &run->image;
	struct buf kernel = { 0 };
	int fd, status;

	status = image_kernel_read(image, run->opts.args[0], &kernel);
	if (!status && run->opts.dry_run) {
		char *cache;

		status = file_cache_dir(&cache);
		if (!status) {
			struct file_atomic out;

			run->vm.kernel = xasprintf("%s/boot-%s.elf", cache, "image-kernel");
			status = file_atomic_open(&out, run->vm.kernel);
			if (!status && file_pwrite_all(out.fd, kernel.data, kernel.len, 0) < 0)
				status = err_report(PITH_FAILED, run->vm.kernel, "cannot write it; check the room in the cache");
			if (!status)
				status = file_atomic_commit(&out);
			free(cache);
		}
	} else if (!status) {
		fd = file_memfd("kernel", kernel.data, kernel.len);
		if (fd < 0)
			status = PITH_FAILED;
		else
			run->vm.kernel = fd_name(run, fd);
	}
	run->kernel_end = kernel_file_load_end(image->fd, image->kernel_offset);
	buf_free(&kernel);
	return status;
}

/* One line if the machine needs what the image's kernel was linked without. */
static int image_kernel_check(struct run *run)
{
	struct opts *opts = &run->opts;
	json_t *kernel = json_object();
	const struct { bool wanted; const char *list, *name, *option, *what; } needs[] = {
		{ opts->publish.count || opts->net_given, "drivers", "virtio_net", opts->publish.count ? "-p" : "--net", "a network; name sockets in the manifest" },
		{ opts->volume.count, "filesystems", "ext4", "-v", "ext4; name a volume in the manifest" },
		{ opts->disk_kind == OPTS_DISK_NVME, "drivers", "nvme", "--disk", "a driver for NVMe; give --disk nvme to pith build" },
		{ run->vm.machine != OPTS_MACHINE_MICROVM, "kernel_parts", "pci", "--machine", "PCI; it is for microvm" },
		{ opts->trace, "kernel_parts", "strace", "--trace", "the tracer; run the program itself with the manifest" },
	};
	int status = 0;

	if (inventory_read(run->image.fd, run->image.kernel_offset, run->image.kernel_len, kernel)) {
		for (size_t i = 0; i < sizeof needs / sizeof *needs && !status; i++) {
			bool there = json_has(json_object_get(kernel, needs[i].list), needs[i].name);

			if (needs[i].wanted && !there && !(i == 0 && opts->net_kind == OPTS_NET_NONE))
				status = err_report(PITH_USAGE, needs[i].option, "the image's kernel is linked without %s", needs[i].what);
			else if (i == 0 && !there)
				opts->net_kind = OPTS_NET_NONE;
		}
	}
	json_decref(kernel);
	return status;
}

static int image_prepare(struct run *run, const char *path)
{
	const struct opts *opts = &run->opts;
	uint8_t public[SIGN_KEY_LEN];
	int status = 0;

	if (opts->add.count || opts->packages.count)
		return err_report(PITH_USAGE, opts->add.count ? "--add" : "--package", "an image's root is finished; add to it with pith build");
	if (opts->require_signed)
		status = sign_public_read(opts->require_signed, public);
	if (!status)
		status = image_open(path, 0, &run->image);
	if (!status && opts->require_signed)
		status = image_signed_check(&run->image, path, public);
	if (status)
		return status;
	run->vm.kernel_map = json_incref(json_object_get(run->image.meta, "kernel_functions"));
	run->conf = run->image.conf;
	run->image.conf = (struct bootconf){ 0 };
	run->load_len = run->image.root_len;
	if (opts->arg_count > 1) { /* as in a container: given arguments take the place of the image's */
		char *first = xstrdup(run->conf.args.items[0]);

		strv_free(&run->conf.args);
		strv_take(&run->conf.args, first);
		for (int i = 1; i < opts->arg_count; i++)
			strv_add(&run->conf.args, opts->args[i]);
	}
	status = root_environment(opts, &run->conf);
	if (!status)
		status = image_kernel_check(run);
	if (!status)
		status = image_kernel_take(run);
	if (!status)
		run->vm.root = opts->dry_run ? file_absolute(path) : fd_name(run, dup(run->image.fd));
	return status;
}

/* Volumes are opened and locked here, and stay so until the machine ended. */
static int volumes_prepare(struct run *run)
{
	const struct opts *opts = &run->opts;
	int status = 0, fd;

	for (size_t i = 0; i < opts->volume.count && !status; i++) {
		const struct opts_volume *v = &opts->volumes[i];

		strv_printf(&run->conf.volumes, "vol%zu:%s%s", i, v->path, v->readonly ? ":ro" : v->discard ? ":discard" : "");
		if (opts->dry_run) {
			run->vm.volumes[i] = file_absolute(v->file);
			continue;
		}
		status = volume_open(v->file, v->readonly, &fd);
		if (!status)
			run->vm.volumes[i] = fd_name(run, fd);
	}
	return status;
}

static void network_configure(struct run *run)
{
	const struct opts *opts = &run->opts;
	struct bootconf *conf = &run->conf;
	bool none = opts->net_kind == OPTS_NET_NONE;

	if (none || opts->ip.count) {
		strv_free(&conf->net);
		if (none)
			strv_add(&conf->net, "none");
		else
			strv_copy(&conf->net, &opts->ip);
	} else if (!conf->net.count || opts->net_given) {
		strv_free(&conf->net);
		strv_add(&conf->net, "dhcp");
	} else if (opts->net_kind == OPTS_NET_USER && !strcmp(conf->net.items[0], "none")) {
		run->opts.net_kind = OPTS_NET_NONE;
	}
	if (opts->gateway.count) {
		strv_free(&conf->gateway);
		strv_copy(&conf->gateway, &opts->gateway);
	}
	if (opts->dns.count) {
		strv_free(&conf->dns);
		strv_copy(&conf->dns, &opts->dns);
	}
}

/* What only this start knows: clocks and a seed. A printed command line may run at any time: it gets neither. */
static int hints_add(struct run *run)
{
	uint8_t seed[SEED_LEN];
	struct timespec now;
	struct buf hex = { 0 };

	run->conf.trace = run->opts.trace;
	run->conf.verbose = run->opts.verbose;
	run->conf.tsc_khz = host_tsc_khz();
	if (run->opts.dry_run)
		return 0;
	clock_gettime(CLOCK_REALTIME, &now);
	run->conf.time_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	if (getrandom(seed, sizeof seed, 0) != sizeof seed)
		return err_report(PITH_FAILED, NULL, "the host gives no random bytes: %s", strerror(errno));
	for (size_t i = 0; i < sizeof seed; i++)
		buf_printf(&hex, "%02x", seed[i]);
	run->conf.seed = hex.data;
	return 0;
}

/* The configuration as the first module: in memory, or kept in the cache for --dry-run. */
static int config_make(struct run *run)
{
	struct buf block = { 0 };
	int fd, status = hints_add(run);

	if (!status)
		status = bootconf_make(&run->conf, &block);
	if (!status && run->opts.dry_run) {
		char hex[HASH_HEX_LEN], *cache;
		uint8_t digest[HASH_LEN];
		struct file_atomic out;
		struct hash h;

		hash_init(&h);
		hash_add(&h, block.data, block.len);
		hash_end(&h, digest);
		hash_hex(digest, hex);
		status = file_cache_dir(&cache);
		if (!status) {
			run->vm.config = xasprintf("%s/boot-%.16s.conf", cache, hex);
			status = file_atomic_open(&out, run->vm.config);
			if (!status && file_pwrite_all(out.fd, block.data, block.len, 0) < 0)
				status = err_report(PITH_FAILED, run->vm.config, "cannot write it; check the room in the cache");
			if (!status)
				status = file_atomic_commit(&out);
			free(cache);
		}
	} else if (!status) {
		fd = file_memfd("config", block.data, block.len);
		if (fd < 0)
			status = PITH_FAILED;
		else
			run->vm.config = fd_name(run, fd);
	}
	buf_free(&block);
	return status;
}

static int memory_choose(struct run *run)
{
	uint64_t least = (run->kernel_end + MEMORY_SLACK + MIB - 1) / MIB * MIB;
	uint64_t len = run->opts.memory_len;

	if (len && len < least)
		return err_report(PITH_FAILED, "--memory", "%s is too little to start the kernel; give at least %lluM", run->opts.memory,
				  (unsigned long long)(least / MIB));
	if (!len)
		len = MEMORY_DEFAULT + 2 * (run->load_len < LOAD_COUNTED ? run->load_len : LOAD_COUNTED);
	run->vm.memory_len = (len + MIB - 1) / MIB * MIB;
	return 0;
}

static int accel_choose(struct run *run)
{
	struct host_kvm_facts facts;

	run->vm.kvm = false;
	if (run->opts.accel_kind == OPTS_ACCEL_TCG)
		return 0;
	host_kvm_probe(&facts);
	run->vm.kvm = facts.kind == HOST_KVM_GOOD;
	if (run->vm.kvm)
		return 0;
	if (run->opts.accel_kind == OPTS_ACCEL_KVM)
		return err_report(PITH_FAILED, "--accel kvm", "%s; use --accel tcg", facts.why);
	if (run->opts.verbose)
		err_notice("no KVM", "%s; the VM runs by emulation (TCG)", facts.why);
	return 0;
}

static void dry_run_print(struct run *run)
{
	struct strv argv = { 0 };
	struct buf line = { 0 };

	for (int port = 0; port < (int)PITH_NPORTS; port++)
		run->vm.port_fds[port] = -1;
	qemu_command(&run->vm, &argv);
	for (size_t i = 0; i < argv.count; i++) {
		buf_puts(&line, i ? " " : "");
		str_shell_quote(&line, argv.items[i]);
	}
	printf("%s\n", line.data);
	buf_free(&line);
	strv_free(&argv);
}

static int run_prepare(struct run *run)
{
	enum program_kind kind;
	char *path = NULL;
	int status = program_find(run->opts.args[0], &path);

	run->vm.opts = &run->opts;
	run->vm.program = run->opts.args[0];
	run->vm.machine = run->opts.machine_kind;
	if (run->vm.machine == OPTS_MACHINE_AUTO)
		run->vm.machine = run->opts.disk_kind == OPTS_DISK_NVME ? OPTS_MACHINE_Q35 : OPTS_MACHINE_MICROVM;
	if (!status)
		status = program_classify(path, &kind);
	if (!status)
		status = kind != PROGRAM_IMAGE ? program_prepare(run, path) :
			run->vm.learned ? err_report(PITH_USAGE, run->vm.program, "an image; its kernel may hold only what its manifest names: learn from the program") :
			image_prepare(run, path);
	free(path);
	if (status)
		return status;
	run->vm.exec = run->conf.exec;
	network_configure(run);
	status = volumes_prepare(run);
	if (!status)
		status = memory_choose(run);
	if (!status)
		status = qemu_find(&run->vm.vmm_path);
	if (!status)
		status = accel_choose(run);
	if (!status && !run->opts.dry_run)
		status = host_ports_check(&run->opts);
	if (!status && !run->opts.dry_run)
		status = host_tap_check(&run->opts);
	if (!status && run->opts.events && !run->opts.dry_run)
		status = events_open(run->opts.events, &run->vm.events_out);
	return status ? status : config_make(run);
}

/* The machine with a debugger that takes its stacks down. Its exit status is the program's, unless the profile fails. */
static int profiled_run(struct run *run)
{
	const char *base = strrchr(run->conf.exec, '/');
	char *symbols = run->vm.kernel_map ? NULL : kernel_file_find_debug();
	struct profile profile = {
		.path = run->opts.profile, .program = base ? base + 1 : run->conf.exec, .root = run->vm.root, .kernel = run->vm.kernel,
		.symbols = symbols, .root_offset = run->image.fd >= 0 ? run->image.root_offset : 0, .cpu_count = run->opts.cpu_count,
	};
	pid_t pid;
	int status = profile_start(&profile, &pid, &run->vm.debug_fd), end;

	if (!status) {
		status = vm_run(&run->vm, run->fds);
		end = profile_end(pid);
		status = end ? end : status;
	}
	free(symbols);
	return status;
}

static int machine_start(struct run *run, const struct run_watch *watch)
{
	int status;

	run->fds[run->fd_count] = -1;
	if (run->opts.dry_run) {
		dry_run_print(run);
		return 0;
	}
	if (run->opts.detach)
		return detach_run(&run->vm, run->fds, &run->conf);
	status = run->opts.profile ? profiled_run(run) : vm_run(&run->vm, run->fds);
	return watch ? watch->end(watch->context, &run->opts, status) : status;
}

static int watch_begin(struct run *run, const struct run_watch *watch)
{
	if (!watch)
		return 0;
	run->conf.learn = true;
	run->vm.learned = watch->entry;
	run->vm.learned_context = watch->context;
	return watch->begin(watch->context, &run->opts);
}

int run_machine(const char *name, enum opts_command command, int argc, char **argv, const struct run_watch *watch)
{
	struct run run = { .image.fd = -1, .vm.debug_fd = -1, .vm.events_fd = -1, .vm.events_out = -1 };
	int status = opts_parse(&run.opts, command, argc, argv);

	if (status || run.opts.help)
		status = status ? status : cmd_help(1, (char *[]){ (char *)name });
	else if (!run.opts.arg_count)
		status = err_report(PITH_USAGE, name, "no program is named; pith %s [options] %s [ARG...]", name, watch ? "-o pith.yaml PROGRAM" : "PROGRAM|IMAGE");
	else
		status = watch_begin(&run, watch);
	if (!status && !run.opts.help)
		status = run_prepare(&run);
	if (!status && !run.opts.help)
		status = machine_start(&run, watch);
	image_close(&run.image);
	bootconf_free(&run.conf);
	free(run.vm.vmm_path);
	free(run.vm.kernel);
	json_decref(run.vm.kernel_map);
	free(run.vm.config);
	free(run.vm.root);
	for (size_t i = 0; i < OPTS_VOLUMES_MAX; i++)
		free(run.vm.volumes[i]);
	opts_free(&run.opts);
	return status;
}

int cmd_run(int argc, char **argv)
{
	return run_machine("run", OPTS_RUN, argc, argv, NULL);
}
