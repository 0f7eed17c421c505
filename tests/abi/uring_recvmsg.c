/* uring_recvmsg.c - io_uring: RECVMSG with MULTISHOT, whose buffers begin with a header of their own; rings do not travel in messages. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "uring.h"

#define OP(x) IORING_OP_##x
#define GROUP 5
#define SIZE  256

static struct ring r;
static unsigned char area[8][SIZE];
static struct msghdr m;
static struct iovec v[2];

/* Eight buffers again, ids from 40, filled with dots. */
static void buffers_fill(void)
{
	struct io_uring_sqe *s = ring_sqe(&r, OP(REMOVE_BUFFERS), 8, NULL, 0, 0, 90);

	s->buf_group = GROUP;
	s->flags = IOSQE_CQE_SKIP_SUCCESS | IOSQE_IO_HARDLINK;
	memset(area, '.', sizeof(area));
	s = ring_sqe(&r, OP(PROVIDE_BUFFERS), 8, area, SIZE, 40, 91);
	s->buf_group = GROUP;
	ring_go(&r, 1);
	struct io_uring_cqe c;
	while (ring_take(&r, &c))
		;
}

static void arm(int fd, unsigned flags, unsigned long long data)
{
	struct io_uring_sqe *s = ring_sqe(&r, OP(RECVMSG), fd, &m, 1, 0, data);

	s->ioprio = IORING_RECV_MULTISHOT;
	s->flags = IOSQE_BUFFER_SELECT;
	s->buf_group = GROUP;
	s->msg_flags = flags;
}

static void show(const char *name, int id)
{
	struct io_uring_recvmsg_out o;
	const unsigned char *b = area[id - 40];

	memcpy(&o, b, sizeof(o));
	printf("%s: name %u control %u payload %u flags %x \"", name, o.namelen, o.controllen, o.payloadlen, o.flags);
	size_t at = sizeof(o) + m.msg_namelen + m.msg_controllen;
	for (size_t i = at; i < at + 12 && i < SIZE; i++)
		putchar(b[i] >= 32 && b[i] < 127 ? b[i] : '?');
	printf("\"\n");
	fflush(stdout);
}

static int udp(struct sockaddr_in *a)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t n = sizeof(*a);

	*a = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (fd < 0 || bind(fd, (struct sockaddr *)a, n) || getsockname(fd, (struct sockaddr *)a, &n))
		exit(1);
	return fd;
}

static void datagrams(void)
{
	struct sockaddr_in a, b;
	int fd = udp(&a), to = udp(&b), one = 1;

	connect(to, (struct sockaddr *)&a, sizeof(a));
	buffers_fill();
	m = (struct msghdr){ .msg_namelen = sizeof(struct sockaddr_in) };
	arm(fd, 0, 1);
	ring_go(&r, 0);
	for (int i = 0; i < 3; i++) {
		NOTE("send", "%ld", (long)send(to, "abcdef", (size_t)i + 3, 0));
		ring_print(&r, "datagram", 1);
	}
	show("first", 40);
	show("third", 42);
	NOTE("whose", "%d", memcmp(area[0] + 16, &b, 8));
	NOTE("send", "%ld", (long)send(to, "", 0, 0));
	ring_print(&r, "empty one ends it", 1);
	show("empty", 43);

	/* Room for a shorter name, control messages, both too short. */
	setsockopt(fd, IPPROTO_IP, IP_TTL, &one, sizeof(one));
	setsockopt(fd, IPPROTO_IP, IP_RECVTTL, &one, sizeof(one));
	m = (struct msghdr){ .msg_namelen = 4, .msg_controllen = 64 };
	arm(fd, 0, 2);
	ring_go(&r, 0);
	send(to, "ttl", 3, 0);
	ring_print(&r, "short name", 1);
	show("short name", 44);
	const struct cmsghdr *c = (const struct cmsghdr *)(area[4] + 20);
	NOTE("control", "%zu %d %d", c->cmsg_len, c->cmsg_level, c->cmsg_type);
	ring_sqe(&r, OP(ASYNC_CANCEL), -1, (void *)2, 0, 0, 3);
	ring_run(&r, "cancelled", 2);
	m = (struct msghdr){ .msg_namelen = 0, .msg_controllen = 18 };
	arm(fd, 0, 4);
	ring_go(&r, 0);
	send(to, "cut", 3, 0);
	ring_print(&r, "short control", 1);
	show("short control", 45);
	ring_sqe(&r, OP(ASYNC_CANCEL), -1, (void *)4, 0, 0, 5);
	ring_run(&r, "cancelled", 2);
	close(fd);
	close(to);
}

static void lengths(void)
{
	int s[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, s))
		exit(1);
	buffers_fill();
	/* The iovec's length counts with the buffer's; what does not fit is cut. */
	v[0] = (struct iovec){ NULL, 24 };
	m = (struct msghdr){ .msg_iov = v, .msg_iovlen = 1 };
	arm(s[0], 0, 1);
	ring_go(&r, 0);
	send(s[1], "0123456789", 10, 0);
	ring_print(&r, "cut", 1);
	show("cut", 40);
	send(s[1], "01234567", 8, 0);
	ring_print(&r, "fits", 1);
	show("fits", 41);
	ring_sqe(&r, OP(ASYNC_CANCEL), -1, (void *)1, 0, 0, 2);
	ring_run(&r, "cancelled", 2);
	arm(s[0], MSG_TRUNC, 3);
	ring_go(&r, 0);
	send(s[1], "0123456789", 10, 0);
	ring_print(&r, "whole length", 1);
	show("whole length", 42);
	ring_sqe(&r, OP(ASYNC_CANCEL), -1, (void *)3, 0, 0, 4);
	ring_run(&r, "cancelled", 2);
	v[0].iov_len = 15;
	send(s[1], "x", 1, 0);
	arm(s[0], 0, 5);
	ring_run(&r, "no room for the header", 1);
	m.msg_namelen = SIZE;
	v[0].iov_len = 0;
	arm(s[0], 0, 6);
	ring_run(&r, "no room for the name", 1);
	m.msg_namelen = 0x7fffffff;
	arm(s[0], 0, 7);
	ring_run(&r, "name overflows", 1);
	m.msg_namelen = 16;
	m.msg_controllen = 0x7ffffff0;
	arm(s[0], 0, 8);
	ring_run(&r, "control overflows", 1);
	m = (struct msghdr){ .msg_iov = v, .msg_iovlen = 2 };
	arm(s[0], 0, 9);
	ring_run(&r, "two pieces", 1);
	arm(s[0], MSG_WAITALL, 10);
	ring_run(&r, "wait for all", 1);
	m.msg_iovlen = 0;
	struct io_uring_sqe *e = ring_sqe(&r, OP(RECVMSG), s[0], &m, 1, 0, 11);
	e->ioprio = IORING_RECV_MULTISHOT;
	ring_run(&r, "no group", 1);
	arm(s[0], 0, 12);
	ring_go(&r, 0);
	ring_print(&r, "what was left", 1);
	for (int i = 0; i < 6; i++) {
		char text[8];
		snprintf(text, sizeof(text), "m%d", i);
		if (send(s[1], text, 2, 0) != 2)
			exit(1);
		ring_print(&r, "until there are no buffers", 1);
	}
	close(s[0]);
	close(s[1]);
}

static void streams(void)
{
	int s[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s))
		exit(1);
	buffers_fill();
	m = (struct msghdr){ .msg_namelen = 16 };
	arm(s[0], 0, 1);
	ring_go(&r, 0);
	send(s[1], "some bytes", 10, 0);
	ring_print(&r, "stream", 1);
	show("stream", 40);
	close(s[1]);
	ring_print(&r, "its end", 1);
	show("its end", 41);
	close(s[0]);
	/* Descriptors come in the buffer, too. */
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s))
		exit(1);
	union {
		struct cmsghdr h;
		char bytes[CMSG_SPACE(sizeof(int))];
	} c = { .h = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct iovec one = { (char *)"x", 1 };
	struct msghdr out = { .msg_iov = &one, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof(c) };
	memcpy(CMSG_DATA(&c.h), &s[1], sizeof(int));
	m.msg_controllen = 32;
	arm(s[0], MSG_CMSG_CLOEXEC, 2);
	ring_go(&r, 0);
	NOTE("sendmsg", "%ld", (long)sendmsg(s[1], &out, 0));
	ring_print(&r, "with a descriptor", 1);
	show("with a descriptor", 42);
	int fd;
	memcpy(&fd, area[2] + 32, sizeof(fd));
	NOTE("it", "%d %d", fcntl(fd, F_GETFD), write(fd, "z", 1) == 1);
	ring_print(&r, "through it", 1);
	/* A ring itself may not be sent: it could hold the socket that holds it. */
	memcpy(CMSG_DATA(&c.h), &r.fd, sizeof(int));
	CHECK("a ring in a message", sendmsg(s[1], &out, 0));
	NOTE("nothing came", "%u", ring_ready(&r));
	close(fd);
	close(s[0]);
	close(s[1]);
}

int main(void)
{
	ring_open(&r, 16, 0);
	datagrams();
	lengths();
	streams();
	ring_close(&r);
	return 0;
}
