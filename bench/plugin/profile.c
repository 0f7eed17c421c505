/*
 * profile.c - a QEMU TCG plugin (API version 1, QEMU 7.0 and later) that counts how often each guest instruction ran.
 *
 *   -plugin profile.so,out=FILE[,from=ADDRESS][,to=ADDRESS]
 *
 * Counting begins when the instruction at `from` is executed for the first time (or at once) and ends when that at `to` is (or
 * with the machine). FILE is written then: u64 magic, u64 address of the first instruction in the upper half, and for each one
 * that ran u64 address, u64 times. One may be there several times (code is translated anew now and then); a repeated
 * string instruction counts once for each iteration, as in count.c. Exact with one vCPU. The few declarations of the API that are
 * used stand here, as in count.c.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef struct qemu_info_t qemu_info_t;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *, enum qemu_plugin_op, void *, uint64_t);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, void (*)(unsigned, void *), enum qemu_plugin_cb_flags, void *);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, void *), void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);

#define EXPORT __attribute__((visibility("default")))
EXPORT int qemu_plugin_version = 1;
EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv);

#define MAGIC 0x656c69666f7270ull
/* Places lie in chunks that never move: the translated code has their counters' addresses. */
struct place {
	uint64_t va, times;
};
enum { CHUNK = 8192, CHUNKS = 4096 };
static struct place *chunks[CHUNKS];
static size_t nplaces;
static uint64_t from, to, first_high;
static bool ended;
static FILE *out;

static struct place *place(size_t i)
{
	return &chunks[i / CHUNK][i % CHUNK];
}

static struct place *place_new(uint64_t va)
{
	if (nplaces == (size_t)CHUNK * CHUNKS)
		return NULL;
	if (nplaces % CHUNK == 0 && !(chunks[nplaces / CHUNK] = calloc(CHUNK, sizeof(struct place))))
		return NULL;
	struct place *b = place(nplaces++);
	b->va = va;
	return b;
}

static void on_from(unsigned vcpu, void *arg)
{
	static bool begun;
	if (begun)
		return;
	begun = true;
	for (size_t i = 0; i < nplaces; i++)
		place(i)->times = 0;
}

static void end(void)
{
	uint64_t head[2] = { MAGIC, first_high };
	if (ended)
		return;
	ended = true;
	fwrite(head, sizeof head, 1, out);
	for (size_t i = 0; i < nplaces; i++)
		if (place(i)->times)
			fwrite(place(i), sizeof(struct place), 1, out);
	fclose(out);
}

static void on_to(unsigned vcpu, void *arg)
{
	end();
}

static void on_exit_(qemu_plugin_id_t id, void *arg)
{
	end();
}

static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb);
	for (size_t i = 0; i < n; i++) {
		struct qemu_plugin_insn *in = qemu_plugin_tb_get_insn(tb, i);
		uint64_t va = qemu_plugin_insn_vaddr(in);
		if (!first_high && va >> 47)
			first_high = va;
		if (from && va == from)
			qemu_plugin_register_vcpu_insn_exec_cb(in, on_from, QEMU_PLUGIN_CB_NO_REGS, NULL);
		if (to && va == to)
			qemu_plugin_register_vcpu_insn_exec_cb(in, on_to, QEMU_PLUGIN_CB_NO_REGS, NULL);
		struct place *b = place_new(va);
		if (!b)
			return;
		qemu_plugin_register_vcpu_insn_exec_inline(in, QEMU_PLUGIN_INLINE_ADD_U64, &b->times, 1);
	}
}

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "out=", 4)) {
			out = fopen(argv[i] + 4, "wb");
		} else if (!strncmp(argv[i], "from=", 5)) {
			from = strtoull(argv[i] + 5, NULL, 0);
		} else if (!strncmp(argv[i], "to=", 3)) {
			to = strtoull(argv[i] + 3, NULL, 0);
		} else {
			fprintf(stderr, "profile: unknown argument %s\n", argv[i]);
			return -1;
		}
	}
	if (!out) {
		perror("profile: out=");
		return -1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
	qemu_plugin_register_atexit_cb(id, on_exit_, NULL);
	return 0;
}
