/*
 * memory.c - what memory a program can have: W^X, nothing in the first 64 KiB, RELRO, guards, no code in data, nothing learnt from
 * the CPU's tables. Built as a position-independent program with full RELRO. Prints a verdict a line; on Linux too.
 */
#include "probe.h"
#include <cpuid.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/shm.h>

static const char constant[] = "constant";
static int (*const relocated[])(const char *) = { puts, puts };     /* .data.rel.ro: written by the loader, then sealed */
static char data[PAGE] __attribute__((aligned(4096)));

static void write_then_execute(void)
{
	static const unsigned char ret[] = { 0xc3 };
	char *p = pages(1);
	int fd, r;

	verdict("user-wx/mmap", mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED, "granted");
	verdict("user-wx/mmap-shared", mmap(NULL, PAGE, PROT_WRITE | PROT_EXEC, MAP_SHARED | MAP_ANONYMOUS, -1, 0) == MAP_FAILED, "granted");
	verdict("user-wx/mprotect", mprotect(p, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) < 0, "granted");
	memcpy(p, ret, sizeof(ret));
	verdict("user-wx/write-then-execute", mprotect(p, PAGE, PROT_READ | PROT_EXEC) < 0, "granted");
	mprotect(p, PAGE, PROT_READ);
	verdict("user-wx/in-steps", mprotect(p, PAGE, PROT_READ | PROT_EXEC) < 0, "granted");
	char *moved = mremap(p, PAGE, 2 * PAGE, MREMAP_MAYMOVE);
	verdict("user-wx/moved", moved == MAP_FAILED || mprotect(moved, PAGE, PROT_READ | PROT_EXEC) < 0, "granted");
	r = (int)syscall(SYS_pkey_mprotect, pages(1), PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, -1);
	verdict("user-wx/pkey-mprotect", r < 0, "granted");
	fd = open("/tmp/code", O_RDWR | O_CREAT, 0700);
	r = fd >= 0 && write(fd, ret, 1) == 1;
	verdict("user-wx/written-file", !r || mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED, "granted");
	unlink("/tmp/code");
	fd = memfd_create("code", 0);
	r = fd >= 0 && write(fd, ret, 1) == 1;
	verdict("user-wx/memfd", !r || mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0) == MAP_FAILED, "granted");
	r = shmget(IPC_PRIVATE, PAGE, 0700 | IPC_CREAT);
	verdict("user-wx/shm", r < 0 || shmat(r, NULL, SHM_EXEC) == (void *)-1, "granted");
	shmctl(r, IPC_RMID, NULL);
	/* Text: a second view of our own, made writable, and back. */
	fd = open("/proc/self/exe", O_RDONLY);
	char *text = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	r = text != MAP_FAILED && mprotect(text, PAGE, PROT_READ | PROT_WRITE) == 0 && mprotect(text, PAGE, PROT_READ | PROT_EXEC) == 0;
	verdict("user-wx/text-rewritten", text != MAP_FAILED && !r, text == MAP_FAILED ? "no text" : "granted");
	close(fd);
}

static void no_code_in_data(void)
{
	char on_stack[64];
	char *heap = malloc(64), *fresh = pages(1);
	char *where[] = { data, on_stack, heap, fresh };
	static const char *const names[] = { "no-execute/data", "no-execute/stack", "no-execute/heap", "no-execute/mapping" };

	for (int i = 0; i < 4; i++) {
		memset(where[i], 0xc3, 64);
		verdict(names[i], RAISES(((void (*)(void))where[i])()) == SIGSEGV, "it ran");
	}
	free(heap);
}

static void read_only(void)
{
	verdict("relro/rodata", RAISES(*(volatile char *)constant = 'C') == SIGSEGV, "written");
	verdict("relro/relocated", RAISES(*(void *volatile *)relocated = NULL) == SIGSEGV, "written");
	verdict("relro/text", RAISES(*(volatile char *)read_only = 0) == SIGSEGV, "written");
	extern const void *_GLOBAL_OFFSET_TABLE_[];
	verdict("relro/got", RAISES(((void *volatile *)_GLOBAL_OFFSET_TABLE_)[3] = NULL) == SIGSEGV, "written");
}

/* Every way to a page below 64 KiB. */
static void first_64k(void)
{
	char *high = pages(2);
	int id = shmget(IPC_PRIVATE, PAGE, 0600 | IPC_CREAT), granted = 0;

	for (uintptr_t at = 0; at < 0x10000; at += PAGE) {
		void *p = mmap((void *)at, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		granted += p != MAP_FAILED;
		p = mmap((void *)at, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
		granted += p != MAP_FAILED;
		p = mmap((void *)at, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		granted += p != MAP_FAILED && (uintptr_t)p < 0x10000;
		p = mremap(high, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at);
		granted += p != MAP_FAILED;
		granted += at && shmat(id, (void *)at, 0) != (void *)-1;
	}
	verdict("null-page/no-way-to-map", granted == 0, "%d ways", granted);
	/* A stack that grows does not grow into it. */
	char *low = mmap((void *)0x12000, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
	int s = low == MAP_FAILED ? SIGSEGV : RAISES(for (char *p = low; p > (char *)0x1000; p -= PAGE) *(volatile char *)p = 1);
	verdict("null-page/no-growth-into", s == SIGSEGV, "it grew");
	if (low != MAP_FAILED)
		munmap((void *)0x1000, 0x12000);
	verdict("null-page/faults", RAISES(*(volatile char *)(uintptr_t)constant[8]) == SIGSEGV && RAISES(*(volatile char *)0xfff8) == SIGSEGV, "read");
	shmctl(id, IPC_RMID, NULL);
}

static __attribute__((noinline)) int deeper(int n)
{
	volatile char frame[2048];

	frame[0] = (char)n;
	return deeper(n + 1) + frame[0];
}

static uintptr_t stack_low(void)
{
	unsigned long low = 0, high;
	char line[512];
	FILE *f = fopen("/proc/self/maps", "r");

	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, "[stack]"))
			(void)!sscanf(line, "%lx-%lx", &low, &high);
	if (f)
		fclose(f);
	return low;
}

static void guards(void)
{
	uintptr_t low = stack_low();

	/* A neighbour right below: nothing may be written over from the stack, whatever it grows to. */
	char *near = mmap((void *)((low & -PAGE) - 40 * PAGE), 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (near != MAP_FAILED)
		memset(near, 0x77, 8 * PAGE);
	verdict("guard/stack-overflow", RAISES(deeper(0)) == SIGSEGV, "no fault");
	int whole = near != MAP_FAILED;
	for (unsigned i = 0; whole && i < 8 * PAGE; i++)
		whole = near[i] == 0x77;
	verdict("guard/neighbour-of-stack", whole, "the stack ran over it");
	low = stack_low();
	verdict("guard/gap", near == MAP_FAILED || low - ((uintptr_t)near + 8 * PAGE) >= 16 * PAGE, "%lu bytes", low - ((uintptr_t)near + 8 * PAGE));
	munmap(near, 8 * PAGE);
	/* Nothing is placed within the gap when the kernel chooses. */
	char *p = mmap((void *)(low - 2 * PAGE), PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	verdict("guard/hint-near-stack", p == MAP_FAILED || (uintptr_t)p + PAGE <= low - 200 * PAGE || (uintptr_t)p > low, "placed at %p, stack from %lx", (void *)p, low);
}

struct table_ptr {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

/* With UMIP these fault; Linux then answers with constants. Nothing true about the kernel may come out. */
static void cpu_tables(void)
{
	static struct table_ptr gdt, idt;
	static uint64_t msw, tr;
	int s[4];

	s[0] = RAISES(__asm__ volatile("sgdt %0" : "=m"(gdt)));
	s[1] = RAISES(__asm__ volatile("sidt %0" : "=m"(idt)));
	s[2] = RAISES(__asm__ volatile("smsw %0" : "=r"(msw)));
	s[3] = RAISES(__asm__ volatile("str %0" : "=r"(tr)));
	verdict("umip/sgdt", s[0] || gdt.base >= 0xfffffffffffe0000, "base %lx", (unsigned long)gdt.base);
	verdict("umip/sidt", s[1] || idt.base >= 0xfffffffffffe0000, "base %lx", (unsigned long)idt.base);
	verdict("umip/smsw", s[2] || msw == 0x80050033, "%lx", (unsigned long)msw);
	verdict("umip/str", s[3] || tr == 0x40, "%lx", (unsigned long)tr);
	verdict("privileged/rdmsr", RAISES(__asm__ volatile("rdmsr" :: "c"(0xc0000082) : "eax", "edx")) != 0, "read");
	verdict("privileged/cr4", RAISES(__asm__ volatile("mov %%cr4, %%rax" ::: "rax")) != 0, "read");
	verdict("privileged/ports", RAISES(__asm__ volatile("outb %%al, $0x80" ::: "memory")) != 0, "written");
	verdict("privileged/hlt", RAISES(__asm__ volatile("hlt")) != 0, "done");
	verdict("privileged/rdpmc", RAISES(__asm__ volatile("rdpmc" :: "c"(0) : "eax", "edx")) != 0, "read");
}

/* Shadow stacks and branch tracking are not used: that passes only where the CPU has neither, and says so by name. */
static void control_flow(void)
{
	unsigned a, b, c = 0, d = 0;

	if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
		verdict("cet/no-shadow-stacks-in-the-cpu", !(c >> 7 & 1), "this CPU has them, and they are not used");
		verdict("cet/no-branch-tracking-in-the-cpu", !(d >> 20 & 1), "this CPU has it, and it is not used");
	}
}

/* The kernel's half from the program: loads, stores and jumps end with a signal that tells nothing, wherever they go. */
static void kernel_half(void)
{
	static const uintptr_t where[] = { 0x800000000000, 0x7ffffffff000, 0xffff7fffffffffff, 0xffff800000000000, 0xffff888000000000, 0xffffe00000000000,
					   0xffffff8000000000, 0xffffffff80000000, 0xffffffff81000000, 0xffffffffff600000, 0xfffffffffffff000 };
	static volatile int reached;

	for (volatile unsigned i = 0; i < sizeof(where) / sizeof(where[0]); i++) {
		reached += !RAISES(*(volatile char *)where[i]);
		reached += !RAISES(*(volatile char *)where[i] = 1);
		if (where[i] != 0xffffffffff600000)
			reached += !RAISES(((void (*)(void))where[i])());
	}
	/* Steps of 1 GiB and 2 MiB over the windows that are chosen from. */
	for (volatile unsigned i = 0; i < 512; i++) {
		reached += !RAISES(*(volatile char *)(0xffff800000000000 + ((uintptr_t)i << 30)));
		reached += !RAISES(*(volatile char *)(0xffffff8000000000 + ((uintptr_t)i << 21)));
	}
	verdict("kernel-half/direct", reached == 0, "%d accesses", reached);
}

static void dontneed(void)
{
	char *p = pages(4);
	int zero = 1;

	memset(p, 5, 4 * PAGE);
	madvise(p + PAGE, 2 * PAGE, MADV_DONTNEED);
	for (unsigned i = 0; i < 2 * PAGE; i++)
		zero &= p[PAGE + i] == 0;
	verdict("madvise/dontneed-zeroes", zero && p[0] == 5 && p[3 * PAGE] == 5, "it shows what was there");
	/* Fresh memory shows nothing of before. */
	memset(p, 0x5a, 4 * PAGE);
	munmap(p, 4 * PAGE);
	int clean = 1;
	for (int k = 0; k < 16; k++) {
		unsigned char *q = pages(4);
		for (unsigned i = 0; i < 4 * PAGE; i++)
			clean &= q[i] == 0;
	}
	verdict("madvise/fresh-is-zero", clean, "it shows what was there");
}

int main(void)
{
	setbuf(stdout, NULL);
	faults_catch();
	write_then_execute();
	no_code_in_data();
	read_only();
	first_64k();
	guards();
	cpu_tables();
	control_flow();
	kernel_half();
	dontneed();
	return 0;
}
