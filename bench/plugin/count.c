/*
 * count.c - a QEMU TCG plugin (API version 1, QEMU 7.0 and later) that counts guest instructions.
 *
 *   -plugin count.so,out=FILE[,series=ADDRESS][,mark=NAME:ADDRESS|NAME:syscall|NAME:after-OTHER]...
 *
 * The counters lie in FILE, which is mapped, so that a script reads them while the guest runs:
 *   u64 magic, counters, marks, taken;  u64 counter[8];  64 x { char name[16]; u64 address, hits, counter[8] };
 *   taken x u64 counter[8]
 * Counters: 0 instructions below 2^47 (the program, firmware, early boot), 1 above (the kernel),
 * 2 and 3 the iterations of repeated string instructions in each half, 4 system calls, 5 hlt.
 * A mark keeps the counters of the first time its address was executed; mark=NAME:syscall, of the first
 * SYSCALL instruction; mark=NAME:after-OTHER, of the second one after the mark OTHER (which stands before it
 * in the list): when OTHER is right before an execve, that is the new program's first call. series=ADDRESS keeps
 * the counters of each time (the first 1024) that address was executed. Counts are exact with one
 * vCPU (the additions are not atomic). The plugin API has no package of headers on Debian 12, so the
 * few declarations that are used stand here.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef struct qemu_info_t qemu_info_t;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, enum qemu_plugin_op, void *, uint64_t);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *, enum qemu_plugin_op, void *, uint64_t);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, void (*)(unsigned, void *), enum qemu_plugin_cb_flags, void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);

#define EXPORT __attribute__((visibility("default")))
EXPORT int qemu_plugin_version = 1;
EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv);

#define ON_SYSCALL 1 /* in place of a mark's address: nothing is executed there */
enum { LOW, HIGH, REP_LOW, REP_HIGH, SYSCALL, HLT, COUNTERS = 8, MARKS = 64, SERIES = 1024 };
struct mark {
	char name[16];
	uint64_t address, hits, counter[COUNTERS];
};
struct shared {
	uint64_t magic, counters, marks, taken;
	uint64_t counter[COUNTERS];
	struct mark mark[MARKS];
	uint64_t series[SERIES][COUNTERS];
};
static struct shared *shared;
static struct mark *after[MARKS]; /* the mark that has to be hit before, by index */
static uint64_t passed[MARKS];    /* SYSCALL instructions since then */
static uint64_t series;           /* its address, or 0 */

static void on_mark(unsigned vcpu, void *arg)
{
	struct mark *m = arg, *other = after[m - shared->mark];
	if (other && (!other->hits || passed[m - shared->mark]++ == 0))
		return;
	if (!m->hits++)
		memcpy(m->counter, shared->counter, sizeof m->counter);
}

static void on_series(unsigned vcpu, void *arg)
{
	if (shared->taken < SERIES)
		memcpy(shared->series[shared->taken++], shared->counter, sizeof shared->counter);
}

/* A counter besides LOW and HIGH that this instruction bumps, or -1. */
static int classify(const uint8_t *p, size_t n, bool high)
{
	bool rep = false;
	while (n > 1 && (*p == 0xf3 || *p == 0xf2 || *p == 0x66 || (*p & 0xf0) == 0x40)) {
		rep |= *p == 0xf3 || *p == 0xf2;
		p++, n--;
	}
	if (rep && n == 1 && ((*p >= 0xa4 && *p <= 0xa7) || (*p >= 0xaa && *p <= 0xaf)))
		return high ? REP_HIGH : REP_LOW;
	if (*p == 0xf4)
		return HLT;
	return n == 2 && p[0] == 0x0f && p[1] == 0x05 ? SYSCALL : -1;
}

static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	uint64_t half[2] = { 0, 0 };
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
		struct qemu_plugin_insn *in = qemu_plugin_tb_get_insn(tb, i);
		uint64_t va = qemu_plugin_insn_vaddr(in);
		bool high = va >> 47;
		half[high]++;
		int k = classify(qemu_plugin_insn_data(in), qemu_plugin_insn_size(in), high);
		if (k >= 0)
			qemu_plugin_register_vcpu_insn_exec_inline(in, QEMU_PLUGIN_INLINE_ADD_U64, &shared->counter[k], 1);
		if (series && va == series)
			qemu_plugin_register_vcpu_insn_exec_cb(in, on_series, QEMU_PLUGIN_CB_NO_REGS, NULL);
		for (uint64_t m = 0; m < shared->marks; m++)
			if (shared->mark[m].address == va || (k == SYSCALL && shared->mark[m].address == ON_SYSCALL))
				qemu_plugin_register_vcpu_insn_exec_cb(in, on_mark, QEMU_PLUGIN_CB_NO_REGS, &shared->mark[m]);
	}
	for (int h = 0; h < 2; h++)
		if (half[h])
			qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &shared->counter[h], half[h]);
}

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
	const char *out = NULL, *others[MARKS + 1] = { 0 };
	struct mark marks[MARKS] = { 0 };
	uint64_t n = 0;

	for (int i = 0; i < argc; i++) {
		char *colon;
		if (!strncmp(argv[i], "out=", 4)) {
			out = argv[i] + 4;
		} else if (!strncmp(argv[i], "series=", 7)) {
			series = strtoull(argv[i] + 7, NULL, 0);
		} else if (!strncmp(argv[i], "mark=", 5) && n < MARKS && (colon = strchr(argv[i] + 5, ':'))) {
			*colon = 0;
			snprintf(marks[n].name, sizeof marks[n].name, "%s", argv[i] + 5);
			others[n] = strncmp(colon + 1, "after-", 6) ? NULL : colon + 7;
			marks[n].address = others[n] || !strcmp(colon + 1, "syscall") ? ON_SYSCALL : strtoull(colon + 1, NULL, 0);
			n++;
		} else {
			fprintf(stderr, "count: unknown argument %s\n", argv[i]);
			return -1;
		}
	}
	int fd = out ? open(out, O_RDWR | O_CREAT | O_TRUNC, 0644) : -1;
	if (fd < 0 || ftruncate(fd, sizeof *shared)) {
		perror("count: out=");
		return -1;
	}
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (shared == MAP_FAILED)
		return -1;
	close(fd);
	shared->magic = 0x746e756f63;
	shared->counters = COUNTERS;
	shared->marks = n;
	memcpy(shared->mark, marks, sizeof marks);
	for (uint64_t i = 0; i < n; i++)
		for (uint64_t k = 0; others[i] && k < n; k++)
			if (!strcmp(marks[k].name, others[i]))
				after[i] = &shared->mark[k];
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
	return 0;
}
