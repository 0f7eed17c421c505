/*
 * gdb.c - a client of GDB's remote protocol.
 *
 * Packets are $TEXT#XX with a sum of the text's bytes; each is acknowledged by '+'. The socket is reliable, so that a
 * wrong sum is an end and not a reason to ask again. A stopped machine says so with T..., its end with W or X.
 */
#include "profile/gdb.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MS 20000
#define ASK_AGAIN_MS 250 /* before the machine runs, a wish to stop it is not heard */
#define REG_RBP 6
#define REG_RSP 7
#define REG_RIP 16

/* 1: bytes came; 0: none in time; -1: the end. */
static int receive(struct gdb *gdb, int ms)
{
	struct pollfd p = { .fd = gdb->fd, .events = POLLIN };
	char block[8192];
	ssize_t n;
	int ready;

	do
		ready = poll(&p, 1, ms);
	while (ready < 0 && errno == EINTR);
	if (ready <= 0)
		return ready;
	n = read(gdb->fd, block, sizeof block);
	if (n <= 0)
		return -1;
	buf_append(&gdb->in, block, (size_t)n);
	return 1;
}

static bool send_all(struct gdb *gdb, const char *text, size_t len)
{
	while (len) {
		ssize_t n = send(gdb->fd, text, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		text += n;
		len -= (size_t)n;
	}
	return true;
}

/* Takes the next packet out of what came, into gdb->packet; false when it is not whole yet. */
static bool packet_take(struct gdb *gdb)
{
	char *begin = gdb->in.len ? memchr(gdb->in.data, '$', gdb->in.len) : NULL;
	char *end = begin ? memchr(begin, '#', gdb->in.len - (size_t)(begin - gdb->in.data)) : NULL;

	if (!end || (size_t)(end - gdb->in.data) + 3 > gdb->in.len)
		return false;
	gdb->packet.len = 0;
	buf_append(&gdb->packet, begin + 1, (size_t)(end - begin - 1));
	buf_drop_front(&gdb->in, (size_t)(end - gdb->in.data) + 3);
	return true;
}

/* Waits for a packet. 1, 0 (none in time) or -1. */
static int packet_wait(struct gdb *gdb, int ms)
{
	int n = 1;

	while (!packet_take(gdb)) {
		n = receive(gdb, ms);
		if (n <= 0)
			return n;
	}
	return send_all(gdb, "+", 1) ? 1 : -1;
}

static bool packet_send(struct gdb *gdb, const char *text)
{
	char packet[64];
	unsigned int sum = 0;

	for (const char *p = text; *p; p++)
		sum += (unsigned char)*p;
	return send_all(gdb, packet, (size_t)snprintf(packet, sizeof packet, "$%s#%02x", text, sum & 0xff));
}

static bool ask(struct gdb *gdb, const char *text)
{
	return packet_send(gdb, text) && packet_wait(gdb, ANSWER_MS) == 1;
}

bool gdb_stop(struct gdb *gdb)
{
	for (int waited = 0; waited < ANSWER_MS; waited += ASK_AGAIN_MS) {
		int got;

		if (!send_all(gdb, "\3", 1))
			return false;
		got = packet_wait(gdb, ASK_AGAIN_MS);
		if (got)
			return got == 1 && gdb->packet.len && (gdb->packet.data[0] == 'T' || gdb->packet.data[0] == 'S');
	}
	return false;
}

bool gdb_continue(struct gdb *gdb)
{
	return packet_send(gdb, "c");
}

bool gdb_registers(struct gdb *gdb, unsigned int cpu, struct gdb_regs *ret_regs)
{
	char text[32];
	uint64_t regs[REG_RIP + 1];

	snprintf(text, sizeof text, "Hg%x", cpu);
	if (!ask(gdb, text) || gdb->packet.len != 2 || memcmp(gdb->packet.data, "OK", 2))
		return false;
	if (!ask(gdb, "g") || gdb->packet.len < 2 * sizeof regs || !str_hex(gdb->packet.data, (uint8_t *)regs, sizeof regs))
		return false;
	*ret_regs = (struct gdb_regs){ .ip = regs[REG_RIP], .frame = regs[REG_RBP], .stack = regs[REG_RSP] };
	return true;
}

bool gdb_memory(struct gdb *gdb, uint64_t address, void *ret_bytes, size_t len)
{
	char text[48];

	snprintf(text, sizeof text, "m%llx,%zx", (unsigned long long)address, len);
	return ask(gdb, text) && gdb->packet.len == 2 * len && str_hex(gdb->packet.data, ret_bytes, len);
}

void gdb_free(struct gdb *gdb)
{
	buf_free(&gdb->in);
	buf_free(&gdb->packet);
	close(gdb->fd);
}
