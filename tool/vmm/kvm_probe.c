/*
 * kvm_probe.c - is /dev/kvm worth using?
 *
 * On some hosts (a cloud VM without nested virtualisation, for one) /dev/kvm is
 * there and runs guests through an instruction emulator, at about a microsecond
 * an instruction. Only timing tells.
 *
 * The probe is a 64-bit VM of its own: one page table that maps 2 MiB, and a
 * loop of 50,000 times two instructions that ends in HLT. It runs in a child
 * process; whatever goes wrong there, the answer is "do not use it".
 *
 * (I1) The child is dead when the probe returns.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "image/cache.h"
#include "vmm/host.h"

#if defined(__x86_64__)
#include <linux/kvm.h>

#define PROBE_TIMEOUT_MS 50
#define PROBE_GOOD_US    10000 /* 100,000 instructions take some 50 us on a CPU that runs them itself */
#define PROBE_MEMORY     0x10000u
#define PROBE_CODE       0x4000u

static const uint8_t probe_code[] = {
	0xb9, 0x50, 0xc3, 0x00, 0x00, /* mov ecx, 50000 */
	0xff, 0xc9,                   /* 1: dec ecx */
	0x75, 0xfc,                   /* jnz 1b */
	0xf4,                         /* hlt */
};

static void tables_make(uint8_t *memory)
{
	uint64_t pml4 = 0x2000 | 7, pdpt = 0x3000 | 7, large_page = 0 | 0x87;

	memcpy(memory + 0x1000, &pml4, 8);      /* PML4 at 0x1000 */
	memcpy(memory + 0x2000, &pdpt, 8);      /* PDPT at 0x2000 */
	memcpy(memory + 0x3000, &large_page, 8); /* PD at 0x3000: 2 MiB at 0 */
	memcpy(memory + PROBE_CODE, probe_code, sizeof probe_code);
}

static bool long_mode_set(int vcpu)
{
	struct kvm_segment code = { .limit = 0xffffffff, .selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1 };
	struct kvm_segment data = { .limit = 0xffffffff, .selector = 16, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1 };
	struct kvm_regs regs = { .rip = PROBE_CODE, .rflags = 2, .rsp = PROBE_MEMORY };
	struct kvm_sregs sregs;

	if (ioctl(vcpu, KVM_GET_SREGS, &sregs) < 0)
		return false;
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.ss = sregs.fs = sregs.gs = data;
	sregs.cr0 = 0x80000001;
	sregs.cr3 = 0x1000;
	sregs.cr4 = 0x20;
	sregs.efer = 0x500;
	return ioctl(vcpu, KVM_SET_SREGS, &sregs) == 0 && ioctl(vcpu, KVM_SET_REGS, &regs) == 0;
}

/* In the child: 0 when the loop ran to its HLT. */
static int probe_run(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm, vcpu;
	uint8_t *memory = mmap(NULL, PROBE_MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct kvm_userspace_memory_region region = { .memory_size = PROBE_MEMORY, .userspace_addr = (uintptr_t)memory };
	struct kvm_run *run;
	int run_len;

	if (kvm < 0 || memory == MAP_FAILED)
		return 1;
	tables_make(memory);
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0 || ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		return 1;
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	run_len = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (vcpu < 0 || run_len < (int)sizeof *run)
		return 1;
	run = mmap(NULL, (size_t)run_len, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED || !long_mode_set(vcpu))
		return 1;
	if (ioctl(vcpu, KVM_RUN, 0) < 0)
		return 1;
	return run->exit_reason == KVM_EXIT_HLT ? 0 : 1;
}

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void probe_measure(struct host_kvm_facts *facts)
{
	int64_t start = now_us(), took;
	bool late = false;
	int status = 0, fd;
	pid_t pid = fork();

	if (pid == 0)
		_exit(probe_run());
	facts->kind = HOST_KVM_SLOW;
	if (pid < 0) {
		snprintf(facts->why, sizeof facts->why, "the probe could not start");
		return;
	}
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0 || poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, PROBE_TIMEOUT_MS) <= 0) {
		late = true;
		kill(pid, SIGKILL); /* keeps (I1) */
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (fd >= 0)
		close(fd);
	took = now_us() - start;
	if (late) {
		snprintf(facts->why, sizeof facts->why, "/dev/kvm emulates: 100,000 instructions took more than %d ms", PROBE_TIMEOUT_MS);
	} else if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		snprintf(facts->why, sizeof facts->why, "/dev/kvm cannot run a 64-bit VM");
	} else if (took > PROBE_GOOD_US) {
		snprintf(facts->why, sizeof facts->why, "/dev/kvm is slow: 100,000 instructions took %lld us", (long long)took);
	} else {
		facts->kind = HOST_KVM_GOOD;
		snprintf(facts->why, sizeof facts->why, "100,000 instructions took %lld us", (long long)took);
	}
}

void host_kvm_probe(struct host_kvm_facts *ret_facts)
{
	struct buf text = { 0 };
	char line[160];

	*ret_facts = (struct host_kvm_facts){ .kind = HOST_KVM_NONE };
	if (access("/dev/kvm", R_OK | W_OK) < 0) {
		snprintf(ret_facts->why, sizeof ret_facts->why, errno == ENOENT ? "there is no /dev/kvm" : "no permission for /dev/kvm");
		return;
	}
	if (cache_fact_get("kvm", &text) && text.len > 2) {
		ret_facts->kind = text.data[0] == 'g' ? HOST_KVM_GOOD : HOST_KVM_SLOW;
		snprintf(ret_facts->why, sizeof ret_facts->why, "%s", text.data + 2);
		buf_free(&text);
		return;
	}
	probe_measure(ret_facts);
	snprintf(line, sizeof line, "%c %s", ret_facts->kind == HOST_KVM_GOOD ? 'g' : 's', ret_facts->why);
	cache_fact_put("kvm", line);
}
#else
void host_kvm_probe(struct host_kvm_facts *ret_facts)
{
	*ret_facts = (struct host_kvm_facts){ .kind = HOST_KVM_NONE, .why = "this host is not x86-64" };
}
#endif
