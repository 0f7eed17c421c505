/*
 * crash.c - the last words of a program that died of a signal: which, where, registers, backtrace.
 *
 * Frames are found by following frame pointers while they make sense (rising, aligned, inside the
 * stack's area, with a return address in executable memory behind a call instruction). Where that ends
 * early, the stack is scanned for such return addresses; those lines carry a "?".
 *
 * All of the program's memory is hostile: words are fetched by uio, every address is checked, and the
 * number of frames and of scanned words is bounded. Sleeps. Nothing can fail but in being shorter.
 */
#include "proc/crash.h"
#include "proc/policy.h"
#include "proc/process.h"
#include "proc/signal.h"
#include "base/link.h"
#include "base/print.h"
#include "base/string.h"
#include "dev/port.h"
#include "fs/vnode.h"
#include "shared/bootconf.h"
#include "vm/aspace.h"

#define FRAMES_MAX 24u
#define SCAN_WORDS 2048u
#define CALLER_WORDS 512u

static const char *const signal_names[] = {
	[SIG_QUIT] = "SIGQUIT", [SIG_ILL] = "SIGILL", [SIG_TRAP] = "SIGTRAP", [SIG_ABRT] = "SIGABRT", [SIG_BUS] = "SIGBUS",
	[SIG_FPE] = "SIGFPE", [SIG_SEGV] = "SIGSEGV", [SIG_XCPU] = "SIGXCPU", [SIG_XFSZ] = "SIGXFSZ", [SIG_SYS] = "SIGSYS",
};

static void say(const char *fmt, ...) PRINTF_LIKE(1, 2);
static void say(const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	int n = fmt_vbuf(line, sizeof(line), fmt, ap);
	va_end(ap);
	(void)port_write(PITH_PORT_LOG, line, MIN((size_t)n, sizeof(line) - 1), false);
}

static bool fetch(uintptr_t va, void *buf, size_t len)
{
	struct uio u;

	uio_init_user_one(&u, uaddr_make(va), len);
	return uio_get(&u, buf, len) == len;
}

/* The length of an indirect call (ff /2) by its ModRM and SIB bytes. */
static unsigned indirect_call_len(u8 modrm, u8 sib)
{
	unsigned mod = modrm >> 6, rm = modrm & 7;

	if (((modrm >> 3) & 7) != 2)
		return 0;
	if (mod == 3)
		return 2;
	unsigned len = 2 + (rm == 4) + (mod == 1 ? 1 : mod == 2 ? 4 : 0);
	if (mod == 0 && (rm == 5 || (rm == 4 && (sib & 7) == 5)))
		len += 4;
	return len;
}

bool crash_is_return_address(uintptr_t ret)
{
	struct vm_area a;
	u8 b[8];                     /* b[8 - k] is k bytes before ret */

	if (ret < sizeof(b) || ret >= ARCH_USER_TOP || !vm_find_area(ret - 1, &a) || !(a.prot & VM_PROT_EXEC))
		return false;
	if (!fetch(ret - sizeof(b), b, sizeof(b)))
		return false;
	if (b[3] == 0xe8)
		return true;
	for (unsigned k = 2; k <= 7; k++)
		if (b[8 - k] == 0xff && indirect_call_len(b[9 - k], k > 2 ? b[10 - k] : 0) == k)
			return true;
	return false;
}

/* The file that is mapped at va, for comparing only; NULL when there is none. */
static const void *file_at(uintptr_t va)
{
	struct vm_area a;

	if (!vm_find_area_with_file(va, &a))
		return NULL;
	vnode_put(a.file);
	return a.file;
}

static const void *interpreter;

void crash_set_interpreter(const void *file)
{
	interpreter = file;
}

uintptr_t crash_caller(const struct user_regs *r)
{
	const void *own = file_at(r->rip);
	u64 word;

	for (unsigned i = 0; own && i < CALLER_WORDS; i++) {
		if (!fetch(r->rsp + 8 * i, &word, sizeof(word)))
			break;
		if (word >= PAGE_SIZE && word < ARCH_USER_TOP && crash_is_return_address(word)) {
			const void *other = file_at(word);
			if (other && other != own && other != interpreter)
				return word;
		}
	}
	return 0;
}

/* The C library's functions that report a broken stack or an overflow: the frame after them is where it was found. */
static void smash_look(struct crash_backtrace *bt)
{
	static const char *const checks[] = { "__stack_chk_fail", "__fortify_fail", "__chk_fail" };

	for (unsigned i = 0; i < ARRAY_SIZE(checks); i++)
		if (!memcmp(bt->symbol, checks[i], strlen(checks[i]))) {
			bt->smashed = true;
			return;
		}
	if (bt->smashed && !bt->victim[0])
		str_copy(bt->victim, bt->symbol, sizeof(bt->victim));
}

static void say_frame(struct crash_backtrace *bt, uintptr_t pc, bool exact, bool sure)
{
	/* A return address may be the first byte of the next function: look at the call. */
	crash_symbol(exact ? pc : pc - 1, bt->symbol, sizeof(bt->symbol));
	smash_look(bt);
	say("crash:  #%-2u 0x%012llx %s%s\n", bt->frames++, (unsigned long long)pc, sure ? "" : "? ", bt->symbol);
}

/* Follow frame pointers; returns the stack address up to which frames are known. */
static uintptr_t follow_frames(struct crash_backtrace *bt, uintptr_t rbp, uintptr_t rsp, uintptr_t stack_end)
{
	uintptr_t known = rsp;

	while (bt->frames < FRAMES_MAX) {
		u64 pair[2];
		if (rbp < known || (rbp & 7) || rbp > stack_end - 16 || !fetch(rbp, pair, sizeof(pair)) || !crash_is_return_address(pair[1]))
			break;
		say_frame(bt, pair[1], false, true);
		known = rbp + 16;
		rbp = pair[0];
	}
	return known;
}

static void scan_stack(struct crash_backtrace *bt, uintptr_t from, uintptr_t stack_end)
{
	uintptr_t at = ROUND_UP(from, 8);

	for (unsigned i = 0; i < SCAN_WORDS && bt->frames < FRAMES_MAX && at + 8 <= stack_end; i++, at += 8) {
		u64 word;
		if (!fetch(at, &word, sizeof(word)))
			return;
		if (crash_is_return_address(word))
			say_frame(bt, word, false, false);
	}
}

static void say_frames(struct crash_backtrace *bt, const struct user_regs *r, uintptr_t stack_end)
{
	u64 word, saved;

	/* A leaf function may have no frame of its own: then its return address is the first word. */
	if (fetch(r->rsp, &word, sizeof(word)) && crash_is_return_address(word) &&
	    !(fetch(r->rbp + 8, &saved, sizeof(saved)) && saved == word))
		say_frame(bt, word, false, false);
	uintptr_t known = follow_frames(bt, r->rbp, r->rsp + (bt->frames > 1 ? 8 : 0), stack_end);
	if (bt->frames < 3)
		scan_stack(bt, known, stack_end);
}

static void say_backtrace(const struct user_regs *r, struct crash_backtrace *bt)
{
	struct vm_area stack = { .end = 0 };

	say("crash: backtrace\n");
	say_frame(bt, r->rip, true, true);
	if (!vm_find_area(r->rsp, &stack)) {
		/* Below a stack: it has overflowed. The frames above are there. */
		u64 above = r->rsp;
		for (unsigned i = 0; i < 512 && !stack.end && above < ARCH_USER_TOP - PAGE_SIZE; i++)
			if (vm_find_area(above += PAGE_SIZE, &stack))
				break;
		if (!stack.end) {
			say("crash:  the stack pointer points nowhere\n");
			return;
		}
		say("crash:  the stack pointer is below the stack: an overflow\n");
		struct user_regs moved = *r;
		moved.rsp = stack.start;
		say_frames(bt, &moved, stack.end);
		return;
	}
	if (r->rsp < stack.start + 16)           /* the next word would have been below it */
		say("crash:  the stack is full: an overflow\n");
	say_frames(bt, r, stack.end);
}

static void say_registers(const struct user_regs *r)
{
	say("crash:  rip %016llx  rsp %016llx  flags %08llx\n", (unsigned long long)r->rip, (unsigned long long)r->rsp, (unsigned long long)r->rflags);
	say("crash:  rax %016llx  rbx %016llx  rcx %016llx  rdx %016llx\n", (unsigned long long)r->rax, (unsigned long long)r->rbx, (unsigned long long)r->rcx, (unsigned long long)r->rdx);
	say("crash:  rsi %016llx  rdi %016llx  rbp %016llx  r8  %016llx\n", (unsigned long long)r->rsi, (unsigned long long)r->rdi, (unsigned long long)r->rbp, (unsigned long long)r->r8);
	say("crash:  r9  %016llx  r10 %016llx  r11 %016llx  r12 %016llx\n", (unsigned long long)r->r9, (unsigned long long)r->r10, (unsigned long long)r->r11, (unsigned long long)r->r12);
	say("crash:  r13 %016llx  r14 %016llx  r15 %016llx\n", (unsigned long long)r->r13, (unsigned long long)r->r14, (unsigned long long)r->r15);
}

void crash_say_state(const struct user_regs *r, struct crash_backtrace *bt)
{
	say_registers(r);
	say_backtrace(r, bt);
}

LINK_SLOT_OF(crash_say_state);
static __typeof__(&crash_say_state) const volatile say_state RO_AFTER_INIT = LINK_SLOT(crash_say_state);

/* What the address is to the program. */
static const char *place_of(uintptr_t va)
{
	struct vm_area a;

	if (va < PAGE_SIZE)
		return "a null pointer";
	if (va >= ARCH_USER_TOP)
		return "outside the address space";
	if (!vm_find_area(va, &a))
		return "not mapped";
	if (!a.prot)
		return "no access allowed";
	return a.prot & VM_PROT_WRITE ? "writable memory" : a.prot & VM_PROT_EXEC ? "executable, read-only memory" : "read-only memory";
}

void crash_report(int signo, const struct siginfo *info, const struct user_regs *regs)
{
	const char *name = signo > 0 && (size_t)signo < ARRAY_SIZE(signal_names) && signal_names[signo] ? signal_names[signo] : "a signal";
	struct task *t = task_current();
	char text[96];

	say("crash: %s (%d) killed the program, thread %d \"%s\"\n", name, signo, t ? t->tid : 0, t ? t->name : "?");
	str_copy(text, name, sizeof(text));
	if (info && info->code > 0 && info->code != SIGCODE_KERNEL && (SIGSET_OF(signo) & SIGSET_FAULTS)) {
		fmt_buf(text, sizeof(text), "%s, address 0x%llx (%s)", name, (unsigned long long)info->fault.addr, place_of(info->fault.addr));
		say("crash: %s, code %d\n", text + strlen(name) + 1, info->code);
	}
	if (!regs)
		return;
	struct crash_backtrace bt = { .frames = 0 };
	if (say_state)
		say_state(regs, &bt);
	if (bt.smashed)
		policy_tell(POLICY_SMASH, bt.victim[0] ? bt.victim : NULL);
	else
		policy_tell(POLICY_CRASH, text);
}
