/*
 * qemu.c - the command line for QEMU 7.2 and later.
 *
 * microvm: virtio over MMIO. With ACPI on, QEMU makes 24 transports of 512 bytes
 * at 0xfeb00000, on interrupt lines 24 to 47 of the second IOAPIC, and a -device
 * takes the last that is free: the first device lands at 0xfeb02e00, line 47.
 * They are in no table but the DSDT, so the kernel's command line names each one
 * that is taken, in Linux's words: virtio_mmio.device=512@ADDRESS:LINE.
 * QEMU's own such list is turned off; it would name all of them.
 *
 * q35 and pc: virtio over PCI, modern only.
 *
 * One vCPU under TCG is started as one of two: with plain -smp 1, TCG leaves out
 * the guest's memory barriers, although devices run in another thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/err.h"
#include "util/file.h"
#include "vmm/vm.h"

#define QEMU_NAME       "qemu-system-x86_64"
#define MMIO_BASE       0xfeb00000u
#define MMIO_LEN        512u
#define MMIO_TRANSPORTS 24u
#define MMIO_FIRST_LINE 24u

/* What a command line is made with: the arguments, and the transports taken so far. */
struct making {
	const struct vm *vm;
	struct strv *argv;
	struct buf append;
	unsigned int devices;
};

int qemu_find(char **ret_path)
{
	const char *given = getenv("PITH_QEMU");

	*ret_path = given && *given ? xstrdup(given) : file_find_in_path(QEMU_NAME, getenv("PATH"));
	if (!*ret_path || access(*ret_path, X_OK) < 0) {
		err_report(PITH_FAILED, *ret_path ? *ret_path : QEMU_NAME, "not found%s; install it: apt-get install qemu-system-x86",
			   *ret_path ? "" : " in PATH");
		free(*ret_path);
		*ret_path = NULL;
		return PITH_FAILED;
	}
	return 0;
}

/* QEMU's option values end at a comma; a comma inside is written twice. */
static char *escape(const char *text)
{
	struct buf b = { 0 };

	buf_puts(&b, "");
	for (; *text; text++)
		buf_append(&b, *text == ',' ? ",," : text, *text == ',' ? 2 : 1);
	return b.data;
}

/* Adds "-device virtio-KIND-{device,pci}[,EXTRA]" on the machine's bus. */
static void device_add(struct making *m, const char *kind, const char *extra)
{
	bool mmio = m->vm->machine == OPTS_MACHINE_MICROVM;

	strv_add(m->argv, "-device");
	strv_printf(m->argv, "virtio-%s-%s%s%s%s", kind, mmio ? "device" : "pci,disable-legacy=on", *extra ? "," : "", extra,
		    !mmio && !strcmp(kind, "net") ? ",romfile=" : "");
	if (mmio) {
		unsigned int slot = MMIO_TRANSPORTS - 1 - m->devices;

		buf_printf(&m->append, "%svirtio_mmio.device=%u@0x%x:%u", m->append.len ? " " : "", MMIO_LEN, MMIO_BASE + slot * MMIO_LEN,
			   MMIO_FIRST_LINE + slot);
	}
	m->devices++;
}

static void machine_add(struct making *m)
{
	const struct vm *vm = m->vm;
	static const char *const machines[] = {
		[OPTS_MACHINE_MICROVM] = "microvm,acpi=on,auto-kernel-cmdline=off",
		[OPTS_MACHINE_Q35] = "q35,vmport=off",
		[OPTS_MACHINE_PC] = "pc,vmport=off",
	};

	strv_add(m->argv, vm->vmm_path);
	strv_add(m->argv, "-machine");
	strv_add(m->argv, machines[vm->machine]);
	strv_add(m->argv, "-accel");
	strv_add(m->argv, vm->kvm ? "kvm" : "tcg");
	strv_add(m->argv, "-cpu");
	strv_add(m->argv, vm->kvm ? "host" : "max");
	strv_add(m->argv, "-smp");
	if (vm->opts->cpu_count == 1 && !vm->kvm)
		strv_add(m->argv, "1,maxcpus=2");
	else
		strv_printf(m->argv, "%u", vm->opts->cpu_count);
	strv_add(m->argv, "-m");
	strv_printf(m->argv, "%lluM", (unsigned long long)(vm->memory_len >> 20));
	for (const char *const *word = (const char *const[]){ "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", NULL }; *word;
	     word++)
		strv_add(m->argv, *word);
	/* The VMM itself runs confined: no new programs, no other rights, no odd calls. */
	strv_add(m->argv, "-sandbox");
	strv_add(m->argv, "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
	if (vm->opts->verbose && !vm->kvm) { /* says where a triple fault was */
		strv_add(m->argv, "-d");
		strv_add(m->argv, "cpu_reset");
	}
	if (vm->machine == OPTS_MACHINE_MICROVM) {
		strv_add(m->argv, "-global");
		strv_add(m->argv, "virtio-mmio.force-legacy=false");
	} else if (vm->opts->disk_kind == OPTS_DISK_NVME) {
		/* The firmware is to leave the disks alone: what it takes for its NVMe driver lies where QEMU puts the configuration. */
		strv_add(m->argv, "-boot");
		strv_add(m->argv, "strict=on");
	}
}

/* A disk; with several vCPUs a queue for each, which virtio-blk-pci and nvme have by themselves. */
static void disk_add(struct making *m, const char *drive, const char *serial)
{
	char *extra = NULL;
	unsigned int cpus = m->vm->opts->cpu_count;

	if (m->vm->opts->disk_kind == OPTS_DISK_NVME) {
		strv_add(m->argv, "-device");
		strv_printf(m->argv, "nvme,drive=%s,serial=%s", drive, serial);
		return;
	}
	if (m->vm->machine == OPTS_MACHINE_MICROVM && cpus > 1)
		extra = xasprintf("drive=%s,serial=%s,num-queues=%u", drive, serial, cpus);
	else
		extra = xasprintf("drive=%s,serial=%s", drive, serial);
	device_add(m, "blk", extra);
	free(extra);
}

static void root_add(struct making *m)
{
	char *path = escape(m->vm->root);

	strv_add(m->argv, "-blockdev");
	strv_printf(m->argv, "driver=raw,node-name=root,read-only=on,file.driver=file,file.filename=%s", path);
	disk_add(m, "root", "root");
	free(path);
}

/* Volumes have a serial number, by which the kernel knows them. */
static void volumes_add(struct making *m)
{
	const struct opts *opts = m->vm->opts;

	for (size_t i = 0; i < opts->volume.count; i++) {
		char *path = escape(m->vm->volumes[i]), name[16];

		strv_add(m->argv, "-blockdev");
		strv_printf(m->argv, "driver=raw,node-name=vol%zu,read-only=%s,discard=unmap,file.driver=file,file.filename=%s", i,
			    opts->volumes[i].readonly ? "on" : "off", path);
		snprintf(name, sizeof name, "vol%zu", i);
		disk_add(m, name, name);
		free(path);
	}
}

static void ports_add(struct making *m)
{
	static const char *const names[PITH_NPORTS] = {
		[PITH_PORT_STDIN] = "stdin", [PITH_PORT_STDOUT] = "stdout", [PITH_PORT_STDERR] = "stderr",
		[PITH_PORT_LOG] = "log", [PITH_PORT_CTL] = "ctl",
	};
	static const char *const plain[PITH_NPORTS] = {
		[PITH_PORT_STDIN] = "stdio,id=stdin",
		[PITH_PORT_STDOUT] = "file,id=stdout,path=/dev/stdout,append=on",
		[PITH_PORT_STDERR] = "file,id=stderr,path=/dev/stderr,append=on",
		[PITH_PORT_LOG] = "file,id=log,path=/dev/stderr,append=on",
		[PITH_PORT_CTL] = "null,id=ctl",
	};

	for (unsigned int port = PITH_PORT_STDIN; port < PITH_NPORTS; port++) {
		strv_add(m->argv, "-chardev");
		if (m->vm->port_fds[port] >= 0)
			strv_printf(m->argv, "socket,id=%s,fd=%d", names[port], m->vm->port_fds[port]);
		else
			strv_add(m->argv, plain[port]);
	}
	/* The kernel's last words while it has no ports, or none that work, go where QEMU's own complaints go. */
	strv_add(m->argv, "-chardev");
	strv_add(m->argv, "file,id=words,path=/dev/stderr,append=on");
	strv_add(m->argv, "-device");
	strv_add(m->argv, "isa-debugcon,iobase=0xe9,chardev=words");
	device_add(m, "serial", "id=ports,max_ports=6");
	for (unsigned int port = PITH_PORT_STDIN; port < PITH_NPORTS; port++) {
		strv_add(m->argv, "-device");
		strv_printf(m->argv, "virtserialport,bus=ports.0,nr=%u,chardev=%s,name=pith.%s", port, names[port], names[port]);
	}
}

static void net_add(struct making *m)
{
	const struct opts *opts = m->vm->opts;
	struct buf b = { 0 };
	char mac[40] = "";

	if (opts->net_kind == OPTS_NET_NONE)
		return;
	if (opts->net_kind == OPTS_NET_TAP) {
		/* Several machines may share a bridge: each has an address of its own. */
		buf_printf(&b, "tap,id=net,ifname=%s,script=no,downscript=no", opts->tap_name);
		snprintf(mac, sizeof mac, ",mac=52:54:00:%02x:%02x:%02x", (unsigned int)getpid() & 0xff, (unsigned int)(getpid() >> 8) & 0xff,
			 (unsigned int)(getpid() >> 16) & 0xff);
	} else {
		buf_puts(&b, "user,id=net");
		for (size_t i = 0; i < opts->publish.count; i++) {
			const struct opts_publish *p = &opts->publishes[i];

			buf_printf(&b, ",hostfwd=%s:%s:%u-:%u", p->udp ? "udp" : "tcp", p->address, p->host_port, p->guest_port);
		}
	}
	strv_add(m->argv, "-netdev");
	strv_add(m->argv, b.data);
	buf_free(&b);
	b = (struct buf){ 0 };
	buf_printf(&b, "netdev=net%s", mac);
	device_add(m, "net", b.data);
	buf_free(&b);
}

void qemu_command(const struct vm *vm, struct strv *ret_argv)
{
	struct making m = { .vm = vm, .argv = ret_argv };

	buf_puts(&m.append, "");
	machine_add(&m);
	root_add(&m);
	volumes_add(&m);
	ports_add(&m);
	device_add(&m, "rng", "");
	net_add(&m);
	if (!vm->opts->keep_memory)
		device_add(&m, "balloon", "free-page-reporting=on");
	if (vm->debug_fd >= 0) {
		strv_add(m.argv, "-chardev");
		strv_printf(m.argv, "socket,id=debug,fd=%d", vm->debug_fd);
		strv_add(m.argv, "-gdb");
		strv_add(m.argv, "chardev:debug");
	}
	strv_add(m.argv, "-kernel");
	strv_add(m.argv, vm->kernel);
	strv_add(m.argv, "-initrd");
	strv_add(m.argv, vm->config);
	if (m.append.len) {
		strv_add(m.argv, "-append");
		strv_add(m.argv, m.append.data);
	}
	buf_free(&m.append);
}
