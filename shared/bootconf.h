/*
 * bootconf.h - what the host command tells the kernel: the boot configuration.
 *
 * One block of bytes, handed over as the first boot module (an initrd, in the
 * VMM's words) and stored in an image's configuration partition:
 *
 *   magic    "PITHCONF1\n"                              (10 bytes)
 *   records  KEY '=' VALUE NUL, one after the other      (UTF-8, any byte but NUL)
 *   end      the end of the block, or a record of length zero (a lone NUL:
 *            what follows is padding)
 *
 * The block is at most BOOTCONF_MAX bytes. Keys may repeat only where the list
 * says so; an unknown key is ignored with a line in the kernel's log, so that an
 * older kernel runs under a newer command. The kernel treats the block as
 * hostile: lengths are checked, numbers are parsed with range checks.
 *
 *   exec=PATH        the program, an absolute path inside the root (required)
 *   arg=TEXT         one argument, argv[0] first (repeats; required)
 *   env=NAME=VALUE   one environment variable (repeats)
 *   cwd=PATH         working directory (default /)
 *   hostname=NAME    (default pith)
 *   root=OFF:LEN     where the EROFS root lies on block device 0, bytes
 *                    (default: the whole device)
 *   verity=OFF:ROOT:SALT   the hash tree of the root in dm-verity's format: where it begins on the root's device (behind
 *                    the superblock), bytes; the root hash, 64 hexadecimal digits; the salt, 128 or none (default:
 *                    nothing is checked). Needs root=
 *   volume=SERIAL:PATH[:ro|:discard]  the ext4 volume on the virtio block device with that serial number, mounted
 *                    at PATH, a directory of the root (repeats, at most 8)
 *   net=none|dhcp|ADDR/PREFIX      (default none; repeats for a second family: IPv4 and IPv6. Where
 *                    there is a network, IPv6 also listens to router advertisements)
 *   gateway=ADDR     (repeats for a second family)
 *   dns=ADDR         (repeats; IPv4 or IPv6)
 *   allow=jit        what is refused by default is not: memory that is writable and executable
 *   rule=LIST:       what is not named by a list that is there is a departure (shared/policy.def); each of its entries is a
 *                    record rule=LIST:ENTRY (repeats). Lists and entries:
 *                      syscalls   128 hexadecimal digits: a set, call 0 the lowest bit of the first byte
 *                      sockets    FAMILY/TYPE, numbers (netlink: FAMILY/PROTOCOL)
 *                      devices, read, write, canary   absolute paths; "/" at the end: all below; * and ? fit within a name
 *                      secret     an absolute path, or env:NAME of a variable above: what the file, or the variable, holds
 *                      listen     tcp/PORT or udp/PORT; 0: one that the kernel chooses
 *                      connect    tcp|udp|any/32 HEX DIGITS/PREFIX/PORT: an IPv6 or mapped address; port 0: any
 *                      ioctls, prctl, fcntl   a number
 *                      mmap       a number: bit PROT for private, bit 8 + PROT for shared mappings
 *   policy=KIND/ACTION             log, refuse or stop for a kind of departure (repeats)
 *   learn=1          report what the program does for the first time, as `learn` lines
 *   trace=1          print each system call on the log port
 *   verbose=1        print the kernel's log on the log port
 *   tsc_khz=N        a hint for the time-stamp counter's rate; used where
 *                    neither the CPU nor the hypervisor states it
 *   time_ns=N        wall clock at start, ns since 1970; used where there is
 *                    no kvmclock and no RTC
 *   seed=HEX         up to 64 bytes for the random generator, on top of what the
 *                    CPU and virtio-rng give
 *
 * Ports of the virtio console (QEMU: virtserialport ...,nr=N), fixed numbers so
 * that the boot need not wait for names:
 */
#ifndef PITH_SHARED_BOOTCONF_H
#define PITH_SHARED_BOOTCONF_H

#define BOOTCONF_MAGIC     "PITHCONF1\n"
#define BOOTCONF_MAGIC_LEN 10
#define BOOTCONF_MAX       (1u << 20)

#define PITH_PORT_STDIN    1u  /* host to guest; host end closed = end of file */
#define PITH_PORT_STDOUT   2u  /* guest to host */
#define PITH_PORT_STDERR   3u  /* guest to host */
#define PITH_PORT_LOG      4u  /* guest to host: log, trace, crash reports (text lines) */
#define PITH_PORT_CTL      5u  /* both ways, the lines below */
#define PITH_NPORTS        6u  /* max_ports of the device; port 0 is unused */

/*
 * Lines on the control port, each ended by '\n':
 *   guest to host:  exit N          the program left with status N (0..255)
 *                   signal N        the program was killed by signal N
 *                   panic TEXT      the kernel failed (exit status 122)
 *                   stopped TEXT    policy ended the machine (exit status 121)
 *                   cannot-run N TEXT   the program could not be started; N is
 *                                   the command's exit status (126 or 127)
 *                   event JSON      one event object
 *                   learn LIST ENTRY   under learn=1: what rule=LIST:ENTRY would allow (syscalls: a number;
 *                                   mmap: a bit), once each
 *   host to guest:  stop            deliver SIGTERM to the program
 *                   signal N        deliver signal N to the program
 * After exit, signal, panic, stopped or cannot-run the guest flushes its ports
 * and ends the machine.
 */
#endif
