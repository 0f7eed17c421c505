/*
 * profile.c - taking stacks from a running machine.
 *
 * The kernel keeps no frame pointers: its frames are the words on its stack that are behind a call of the function below, or
 * behind a call by a pointer (an older call's word may be taken for one). Right above the first one's return address lies struct
 * user_regs (kernel/arch/x86_64/entry.S, (E2)), which has the program's place. The program's own frames are followed as long as
 * its frame pointer leads upward to an address behind a call: code without frame pointers has its innermost function only.
 *
 * What the machine holds is not trusted: a stack ends at FRAMES_MAX frames, and names have no ';' and no line's end.
 */
#include "profile/profile.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "profile/names.h"
#include "profile/gdb.h"
#include "util/err.h"
#include "util/file.h"
#include "util/str.h"

#define PERIOD_NS   10000000
#define FRAMES_MAX  64
#define USER_END    (1ull << 47)
#define KERNEL_HALF (1ull << 63)

/* In words, within struct user_regs. */
#define REGS_RBP 4
#define REGS_RIP 16
#define REGS_CS  17
#define REGS_RSP 19
#define REGS_SS  20

#define STACK_WORDS 2048 /* a kernel stack */

struct stacks {
	char **items;  /* sorted */
	uint64_t *counts;
	size_t count;
};

struct sampler {
	const struct profile *profile;
	struct gdb gdb;
	struct names *names;
	struct stacks stacks;
};

static bool memory_read(void *context, uint64_t address, void *ret_bytes, size_t len)
{
	struct sampler *s = context;

	return gdb_memory(&s->gdb, address, ret_bytes, len);
}

/* Does a call end right before this address? Its opcodes: Intel SDM 2A, CALL. */
static bool call_before(struct sampler *s, uint64_t address)
{
	uint8_t b[7];

	if (address < sizeof b || !memory_read(s, address - sizeof b, b, sizeof b))
		return false;
	for (size_t len = 2; len <= sizeof b; len++) {
		const uint8_t *p = b + sizeof b - len;

		if ((p[0] == 0xe8 && len == 5) || (p[0] == 0xff && (p[1] & 0x38) == 0x10))
			return true;
	}
	return false;
}

/* The program's frames from its registers on, into out; how many. */
static size_t program_frames(struct sampler *s, const struct gdb_regs *regs, uint64_t *out, size_t room)
{
	size_t n = 0;
	uint64_t words[2], top = 0, frame = regs->frame;

	if (room)
		out[n++] = regs->ip;
	/* A function that has no frame yet, or calls none and needs none, has its return address on top. */
	if (n < room && regs->stack < USER_END && memory_read(s, regs->stack, &top, sizeof top) && top < USER_END && call_before(s, top))
		out[n++] = top - 1;
	while (n < room && frame && frame < USER_END && frame % 8 == 0 && memory_read(s, frame, words, sizeof words)) {
		if (words[1] >= USER_END || !call_before(s, words[1]))
			break;
		if (words[1] != top)
			out[n++] = words[1] - 1; /* in the call, not behind it */
		if (words[0] <= frame)
			break;
		frame = words[0];
	}
	return n;
}

/* The words of a kernel stack from its pointer on, as far as they are there; how many. */
static size_t stack_read(struct sampler *s, uint64_t at, uint64_t *words)
{
	size_t n = 0;

	while (at >= KERNEL_HALF && at % 8 == 0 && n + GDB_READ_MAX / 8 <= STACK_WORDS) {
		uint64_t len = GDB_READ_MAX - at % GDB_READ_MAX; /* a piece is all there or not at all */

		if (!memory_read(s, at, words + n, len))
			break;
		n += len / 8;
		at += len;
	}
	return n;
}

/* Is this a struct user_regs, of the program (ring 3) or of the kernel itself, interrupted (ring 0)? */
static bool is_regs(const uint64_t *words, size_t count, unsigned int ring)
{
	bool user = ring == 3;

	return count > REGS_SS && words[REGS_CS] && words[REGS_CS] < 256 && (words[REGS_CS] & 3) == ring && words[REGS_SS] < 256 &&
	       (words[REGS_RIP] < USER_END) == user && (words[REGS_RSP] < USER_END) == user;
}

/* One processor's stack, innermost first. */
static size_t frames_take(struct sampler *s, const struct gdb_regs *regs, uint64_t *out)
{
	uint64_t words[STACK_WORDS], pc = regs->ip;
	size_t n = 0, count;

	if (pc < USER_END)
		return program_frames(s, regs, out, FRAMES_MAX);
	out[n++] = pc;
	names_find(s->names, pc, memory_read, s); /* where the kernel is */
	count = stack_read(s, regs->stack, words);
	for (size_t i = 0; i < count && n < FRAMES_MAX; i++) {
		const uint64_t *above = words + i + 1;
		size_t left = count - i - 1;
		bool entered = is_regs(above, left, 3), interrupted = is_regs(above, left, 0);

		if (words[i] < KERNEL_HALF || (!entered && !interrupted && !names_returns(s->names, words[i], pc)))
			continue;
		out[n++] = pc = words[i] - 1; /* in the call, not behind it */
		if (entered) {
			struct gdb_regs user = { above[REGS_RIP], above[REGS_RBP], above[REGS_RSP] };

			return n + program_frames(s, &user, out + n, FRAMES_MAX - n);
		}
		if (interrupted && n < FRAMES_MAX) {
			out[n++] = pc = above[REGS_RIP];
			i += 1 + REGS_SS;
		}
	}
	return n;
}

/* Keeps the list sorted. */
static void stack_count(struct stacks *stacks, const char *text)
{
	size_t low = 0, high = stacks->count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strcmp(stacks->items[middle], text);

		if (!order) {
			stacks->counts[middle]++;
			return;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	stacks->items = xrealloc(stacks->items, (stacks->count + 1) * sizeof *stacks->items);
	stacks->counts = xrealloc(stacks->counts, (stacks->count + 1) * sizeof *stacks->counts);
	memmove(stacks->items + low + 1, stacks->items + low, (stacks->count - low) * sizeof *stacks->items);
	memmove(stacks->counts + low + 1, stacks->counts + low, (stacks->count - low) * sizeof *stacks->counts);
	stacks->items[low] = xstrdup(text);
	stacks->counts[low] = 1;
	stacks->count++;
}

static void name_add(struct buf *text, const char *name)
{
	size_t from = text->len;

	buf_puts(text, name);
	for (size_t i = from; i < text->len; i++) {
		if (text->data[i] == ';' || (unsigned char)text->data[i] <= ' ')
			text->data[i] = '_';
	}
}

static void processor_sample(struct sampler *s, const struct gdb_regs *regs)
{
	uint64_t frames[FRAMES_MAX];
	size_t n = frames_take(s, regs, frames);
	struct buf text = { 0 };

	name_add(&text, s->profile->program);
	while (n-- > 0) {
		buf_puts(&text, ";");
		name_add(&text, names_find(s->names, frames[n], memory_read, s));
	}
	stack_count(&s->stacks, text.data);
	buf_free(&text);
}

static bool sample(struct sampler *s)
{
	if (!gdb_stop(&s->gdb))
		return false;
	for (unsigned int cpu = 1; cpu <= s->profile->cpu_count; cpu++) {
		struct gdb_regs regs;

		if (!gdb_registers(&s->gdb, cpu, &regs))
			return false;
		processor_sample(s, &regs);
	}
	return gdb_continue(&s->gdb);
}

static int stacks_write(const struct sampler *s)
{
	struct buf text = { 0 };
	struct file_atomic out;
	int status = file_atomic_open(&out, s->profile->path);

	buf_puts(&text, "");
	for (size_t i = 0; i < s->stacks.count; i++)
		buf_printf(&text, "%s %llu\n", s->stacks.items[i], (unsigned long long)s->stacks.counts[i]);
	if (!status && file_pwrite_all(out.fd, text.data, text.len, 0) < 0)
		status = err_report(PITH_FAILED, s->profile->path, "cannot write the profile: %s", strerror(errno));
	if (!status)
		status = file_atomic_commit(&out);
	file_atomic_abort(&out);
	buf_free(&text);
	return status;
}

static int sampler_run(const struct profile *profile, int fd)
{
	struct sampler s = { .profile = profile, .gdb.fd = fd };
	struct timespec next;
	struct stat st;
	int root = open(profile->root, O_RDONLY | O_CLOEXEC), status;

	if (root < 0 || fstat(root, &st) < 0)
		return err_report(PITH_FAILED, profile->root, "cannot read the root: %s", strerror(errno));
	s.names = names_open(root, profile->root_offset, (uint64_t)st.st_size - profile->root_offset, profile->kernel, profile->symbols);
	clock_gettime(CLOCK_MONOTONIC, &next);
	while (sample(&s)) {
		struct timespec now;

		clock_gettime(CLOCK_MONOTONIC, &now);
		next.tv_nsec += PERIOD_NS;
		next.tv_sec += next.tv_nsec / 1000000000;
		next.tv_nsec %= 1000000000;
		if (now.tv_sec > next.tv_sec || (now.tv_sec == next.tv_sec && now.tv_nsec > next.tv_nsec))
			next = now; /* late: as often as it goes, the machine runs at least as long as it stands */
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
	}
	status = stacks_write(&s);
	for (size_t i = 0; i < s.stacks.count; i++)
		free(s.stacks.items[i]);
	free(s.stacks.items);
	free(s.stacks.counts);
	names_close(s.names);
	gdb_free(&s.gdb);
	close(root);
	return status;
}

int profile_start(const struct profile *profile, pid_t *ret_pid, int *ret_fd)
{
	int pair[2];
	pid_t parent = getpid();
	struct file_atomic trial; /* better no start than no profile at the end */
	int status = file_atomic_open(&trial, profile->path);

	if (status)
		return status;
	file_atomic_abort(&trial);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_report(PITH_FAILED, NULL, "cannot make a socket pair: %s", strerror(errno));
	*ret_pid = fork();
	if (*ret_pid < 0) {
		close(pair[0]);
		close(pair[1]);
		return err_report(PITH_FAILED, NULL, "cannot start a process: %s", strerror(errno));
	}
	if (!*ret_pid) {
		close(pair[1]);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setpgid(0, 0); /* the terminal's ^C is not for it: it ends with the machine */
		_exit(getppid() == parent ? sampler_run(profile, pair[0]) : PITH_FAILED);
	}
	close(pair[0]);
	*ret_fd = pair[1];
	return 0;
}

int profile_end(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return PITH_FAILED;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : err_report(PITH_FAILED, "--profile", "the sampler ended by signal %d", WTERMSIG(status));
}
