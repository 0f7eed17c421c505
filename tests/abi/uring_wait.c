/* uring_wait.c - io_uring: what waits. Polls, timeouts, link timeouts, cancelling, pipes, sockets, buffers to choose from, workers, rings that are closed. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "uring.h"

#define OP(x) IORING_OP_##x
#define MS 1000000ll

static struct ring r;

static struct io_uring_sqe *sqe(int op, int fd, const void *addr, unsigned len, unsigned long long off, unsigned long long id)
{
	return ring_sqe(&r, op, fd, addr, len, off, id);
}

static void pipes(void)
{
	int p[2], q[2];
	char in[16] = { 0 };
	struct iovec v = { in, 16 };

	if (pipe(p) || pipe2(q, O_NONBLOCK))
		exit(1);
	sqe(OP(READ), p[0], in, 16, 0, 1);
	CHECK("read of an empty pipe", ring_go(&r, 0));
	NOTE("pending", "%u", ring_ready(&r));
	NOTE("write", "%ld", (long)write(p[1], "hello", 5));
	ring_print(&r, "read done", 1);
	NOTE("bytes", "%.5s", in);
	/* Many wait for one byte each; all are woken each time. */
	struct ring many;
	ring_open(&many, 128, 0);
	for (unsigned i = 0; i < 100; i++)
		ring_sqe(&many, OP(READ), p[0], in, 1, 0, 1);
	NOTE("many readers", "%ld", ring_go(&many, 0));
	unsigned served = 0, rounds = 0;
	for (unsigned i = 0; i < 100; i++) {
		struct io_uring_cqe e;
		if (write(p[1], "m", 1) != 1)
			break;
		ring_enter(many.fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0);
		while (ring_take(&many, &e))
			served += e.res == 1;
		rounds++;
	}
	NOTE("served", "%u in %u", served, rounds);
	ring_close(&many);
	sqe(OP(READV), q[0], &v, 1, -1, 2);
	ring_go(&r, 0);
	NOTE("pending nonblock", "%u", ring_ready(&r));
	NOTE("write", "%ld", (long)write(q[1], "abc", 3));
	ring_print(&r, "readv done", 1);
	sqe(OP(READ), q[0], in, 16, 0, 3)->rw_flags = 8;
	ring_run(&r, "nowait", 1);
	sqe(OP(WRITE), p[1], "xyz", 3, 0, 4)->flags = IOSQE_IO_LINK;
	sqe(OP(READ), p[0], in, 3, 0, 5);
	ring_run(&r, "write and read", 2);
	sqe(OP(READ), p[0], in, 16, 0, 6);
	ring_go(&r, 0);
	close(p[1]);
	ring_print(&r, "end of the pipe", 1);
	sqe(OP(WRITE), q[1], "1", 1, 0, 7);
	ring_run(&r, "write", 1);
	close(q[0]);
	signal(SIGPIPE, SIG_IGN);
	sqe(OP(WRITE), q[1], "1", 1, 0, 8);
	ring_run(&r, "nobody reads", 1);
	close(p[0]);
	close(q[1]);
}

static void polls(void)
{
	int p[2], e = eventfd(0, EFD_NONBLOCK), fd = open("pollfile", O_RDWR | O_CREAT, 0600);
	unsigned long long one = 1;

	if (pipe(p))
		exit(1);
	sqe(OP(POLL_ADD), p[0], NULL, 0, 0, 1)->poll32_events = POLLIN;
	ring_go(&r, 0);
	NOTE("poll waits", "%u", ring_ready(&r));
	NOTE("write", "%ld", (long)write(p[1], "x", 1));
	ring_print(&r, "readable", 1);
	sqe(OP(POLL_ADD), p[0], NULL, 0, 0, 2)->poll32_events = POLLIN;
	ring_run(&r, "readable at once", 1);
	sqe(OP(POLL_ADD), p[1], NULL, 0, 0, 3)->poll32_events = POLLOUT;
	ring_run(&r, "writable", 1);
	sqe(OP(POLL_ADD), fd, NULL, 0, 0, 4)->poll32_events = POLLIN;
	ring_run(&r, "a file", 1);
	sqe(OP(POLL_ADD), 999, NULL, 0, 0, 5)->poll32_events = POLLIN;
	ring_run(&r, "nothing", 1);
	sqe(OP(POLL_ADD), p[0], (void *)1, 0, 0, 6)->poll32_events = POLLIN;
	ring_run(&r, "bad poll", 1);
	sqe(OP(POLL_ADD), p[0], NULL, 16, 0, 6)->poll32_events = POLLIN;
	ring_run(&r, "bad poll flags", 1);
	/* Again and again. */
	sqe(OP(POLL_ADD), e, NULL, IORING_POLL_ADD_MULTI, 0, 7)->poll32_events = POLLIN;
	ring_go(&r, 0);
	for (int i = 0; i < 3; i++) {
		NOTE("signal", "%ld", (long)write(e, &one, 8));
		ring_print(&r, "multishot", 1);
		NOTE("take", "%ld", (long)read(e, &one, 8));
		one = 1;
	}
	sqe(OP(POLL_REMOVE), -1, (void *)7, 0, 0, 8);
	ring_run(&r, "poll removed", 2);
	sqe(OP(POLL_REMOVE), -1, (void *)7, 0, 0, 9);
	ring_run(&r, "removed again", 1);
	/* Another user_data, other events. */
	sqe(OP(POLL_ADD), e, NULL, 0, 0, 10)->poll32_events = POLLIN;
	ring_go(&r, 0);
	sqe(OP(POLL_REMOVE), -1, (void *)10, IORING_POLL_UPDATE_USER_DATA, 11, 12);
	ring_run(&r, "renamed", 1);
	struct io_uring_sqe *s = sqe(OP(POLL_REMOVE), -1, (void *)11, IORING_POLL_UPDATE_EVENTS, 0, 13);
	s->poll32_events = POLLOUT;
	ring_run(&r, "changed", 2);
	sqe(OP(POLL_REMOVE), -1, (void *)11, IORING_POLL_ADD_MULTI, 0, 14);
	ring_run(&r, "bad update", 1);
	/* The other end goes. */
	sqe(OP(POLL_ADD), p[1], NULL, 0, 0, 15)->poll32_events = POLLPRI;
	ring_go(&r, 0);
	close(p[0]);
	ring_print(&r, "hung up", 1);
	close(p[1]);
	close(e);
	close(fd);
}

static void timeouts(void)
{
	struct __kernel_timespec soon = { 0, 20 * MS }, late = { 60, 0 }, bad = { -1, 0 }, now = { 0, 0 };
	struct timespec t;
	struct __kernel_timespec at;

	sqe(OP(TIMEOUT), -1, &soon, 1, 0, 1);
	ring_run(&r, "timeout", 1);
	sqe(OP(TIMEOUT), -1, &now, 1, 0, 1);
	ring_run(&r, "timeout now", 1);
	sqe(OP(TIMEOUT), -1, &soon, 1, 0, 2)->timeout_flags = IORING_TIMEOUT_ETIME_SUCCESS;
	ring_run(&r, "timeout is success", 1);
	clock_gettime(CLOCK_MONOTONIC, &t);
	at = (struct __kernel_timespec){ t.tv_sec, t.tv_nsec + 1000 };
	sqe(OP(TIMEOUT), -1, &at, 1, 0, 3)->timeout_flags = IORING_TIMEOUT_ABS;
	ring_run(&r, "absolute", 1);
	clock_gettime(CLOCK_REALTIME, &t);
	at = (struct __kernel_timespec){ t.tv_sec, t.tv_nsec + 1000 };
	sqe(OP(TIMEOUT), -1, &at, 1, 0, 4)->timeout_flags = IORING_TIMEOUT_ABS | IORING_TIMEOUT_REALTIME;
	ring_run(&r, "absolute real", 1);
	sqe(OP(TIMEOUT), -1, &soon, 1, 0, 5)->timeout_flags = IORING_TIMEOUT_BOOTTIME | IORING_TIMEOUT_REALTIME;
	ring_run(&r, "two clocks", 1);
	sqe(OP(TIMEOUT), -1, &bad, 1, 0, 6);
	ring_run(&r, "negative", 1);
	sqe(OP(TIMEOUT), -1, (void *)8, 1, 0, 7);
	ring_run(&r, "bad memory", 1);
	sqe(OP(TIMEOUT), -1, &soon, 2, 0, 8);
	ring_run(&r, "two of them", 1);
	sqe(OP(TIMEOUT), -1, &late, 1, 2, 1);
	sqe(OP(NOP), -1, NULL, 0, 0, 2);
	sqe(OP(NOP), -1, NULL, 0, 0, 3);
	ring_run(&r, "after two completions", 3);
	sqe(OP(TIMEOUT), -1, &late, 1, 0, 1);
	ring_go(&r, 0);
	sqe(OP(TIMEOUT_REMOVE), -1, (void *)1, 0, 0, 2);
	ring_run(&r, "timeout removed", 2);
	sqe(OP(TIMEOUT_REMOVE), -1, (void *)1, 0, 0, 2);
	ring_run(&r, "removed again", 1);
	sqe(OP(TIMEOUT), -1, &late, 1, 0, 1);
	ring_go(&r, 0);
	sqe(OP(TIMEOUT_REMOVE), -1, (void *)1, 0, (unsigned long)&soon, 2)->timeout_flags = IORING_TIMEOUT_UPDATE;
	ring_run(&r, "timeout moved", 2);
	sqe(OP(TIMEOUT_REMOVE), -1, (void *)1, 0, 0, 2)->timeout_flags = IORING_TIMEOUT_ABS;
	ring_run(&r, "bad flags", 1);

	struct io_uring_getevents_arg arg = { .ts = (unsigned long)&soon };
	CHECK("wait with a timeout", ring_enter(r.fd, 0, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &arg, sizeof(arg)));
	CHECK("wait with a bad size", ring_enter(r.fd, 0, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &arg, 8));
	arg.ts = 8;
	CHECK("wait with bad memory", ring_enter(r.fd, 0, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &arg, sizeof(arg)));
}

static void link_timeouts(void)
{
	struct __kernel_timespec soon = { 0, 20 * MS }, late = { 60, 0 };
	int p[2];
	char c;

	if (pipe(p))
		exit(1);
	sqe(OP(READ), p[0], &c, 1, 0, 1)->flags = IOSQE_IO_LINK;
	sqe(OP(LINK_TIMEOUT), -1, &soon, 1, 0, 2);
	ring_run(&r, "too slow", 2);
	sqe(OP(NOP), -1, NULL, 0, 0, 1)->flags = IOSQE_IO_LINK;
	sqe(OP(LINK_TIMEOUT), -1, &late, 1, 0, 2);
	ring_run(&r, "fast enough", 2);
	sqe(OP(READ), p[0], &c, 1, 0, 1)->flags = IOSQE_IO_LINK;
	sqe(OP(LINK_TIMEOUT), -1, &late, 1, 0, 2)->flags = IOSQE_IO_LINK;
	sqe(OP(NOP), -1, NULL, 0, 0, 3);
	ring_go(&r, 0);
	NOTE("write", "%ld", (long)write(p[1], "x", 1));
	ring_print(&r, "in time, and on", 3);
	sqe(OP(READ), p[0], &c, 1, 0, 1)->flags = IOSQE_IO_LINK;
	sqe(OP(LINK_TIMEOUT), -1, &soon, 1, 0, 2)->flags = IOSQE_IO_LINK;
	sqe(OP(NOP), -1, NULL, 0, 0, 3);
	ring_run(&r, "too slow, not on", 3);
	sqe(OP(LINK_TIMEOUT), -1, &soon, 1, 0, 2);
	ring_run(&r, "a link timeout alone", 1);
	close(p[0]);
	close(p[1]);
}

static void cancels(void)
{
	int p[2], q[2];
	char c[4];
	struct __kernel_timespec late = { 60, 0 };

	if (pipe(p) || pipe(q))
		exit(1);
	sqe(OP(READ), p[0], &c[0], 1, 0, 1);
	ring_go(&r, 0);
	sqe(OP(ASYNC_CANCEL), -1, (void *)1, 0, 0, 2);
	ring_run(&r, "cancelled", 2);
	sqe(OP(ASYNC_CANCEL), -1, (void *)1, 0, 0, 2);
	ring_run(&r, "nothing to cancel", 1);
	sqe(OP(READ), p[0], &c[0], 1, 0, 1);
	sqe(OP(READ), p[0], &c[1], 1, 0, 1);
	sqe(OP(READ), q[0], &c[2], 1, 0, 3);
	ring_go(&r, 0);
	sqe(OP(ASYNC_CANCEL), -1, (void *)1, 0, 0, 4)->cancel_flags = IORING_ASYNC_CANCEL_ALL;
	ring_run(&r, "all of that name", 3);
	sqe(OP(ASYNC_CANCEL), q[0], NULL, 0, 0, 4)->cancel_flags = IORING_ASYNC_CANCEL_FD;
	ring_run(&r, "by descriptor", 2);
	sqe(OP(ASYNC_CANCEL), 999, NULL, 0, 0, 4)->cancel_flags = IORING_ASYNC_CANCEL_FD;
	ring_run(&r, "by no descriptor", 1);
	sqe(OP(READ), p[0], &c[0], 1, 0, 1);
	sqe(OP(TIMEOUT), -1, &late, 1, 0, 2);
	sqe(OP(POLL_ADD), q[0], NULL, 0, 0, 3)->poll32_events = POLLIN;
	ring_go(&r, 0);
	sqe(OP(ASYNC_CANCEL), -1, NULL, 0, 0, 4)->cancel_flags = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL;
	ring_run(&r, "any", 4);
	sqe(OP(ASYNC_CANCEL), -1, NULL, 0, 0, 4)->cancel_flags = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_FD;
	ring_run(&r, "bad flags", 1);
	sqe(OP(TIMEOUT), -1, &late, 1, 0, 1);
	ring_go(&r, 0);
	sqe(OP(ASYNC_CANCEL), -1, (void *)1, 0, 0, 2);
	ring_run(&r, "a timeout cancelled", 2);
	/* A worker sleeps in it. */
	struct io_uring_sqe *s = sqe(OP(SPLICE), q[1], (void *)-1, 10, -1, 1);
	s->splice_fd_in = p[0];
	ring_go(&r, 0);
	usleep(50000);
	sqe(OP(ASYNC_CANCEL), -1, (void *)1, 0, 0, 2);
	ring_go(&r, 2);
	struct io_uring_cqe c1 = { 0 }, c2 = { 0 };
	ring_take(&r, &c1);
	ring_take(&r, &c2);
	if (c1.user_data == 2) {
		struct io_uring_cqe t = c1;
		c1 = c2;
		c2 = t;
	}
	NOTE("a sleeping one", "interrupted %d, %s", c1.res < 0, res_name(c2.res));
	for (int i = 0; i < 2; i++) {
		close(p[i]);
		close(q[i]);
	}
}

static void splices(void)
{
	int p[2], q[2], fd = open("splicefile", O_RDWR | O_CREAT | O_TRUNC, 0600);
	char in[32] = { 0 };

	if (pipe(p) || pipe(q))
		exit(1);
	NOTE("write", "%ld", (long)write(fd, "0123456789", 10));
	struct io_uring_sqe *s = sqe(OP(SPLICE), p[1], (void *)2, 6, -1, 1);
	s->splice_fd_in = fd;
	ring_run(&r, "file to pipe", 1);
	s = sqe(OP(TEE), q[1], NULL, 4, 0, 2);
	s->splice_fd_in = p[0];
	ring_run(&r, "tee", 1);
	NOTE("tee gave", "%ld %.4s", (long)read(q[0], in, 32), in);
	s = sqe(OP(SPLICE), fd, (void *)-1, 6, 20, 3);
	s->splice_fd_in = p[0];
	ring_run(&r, "pipe to file", 1);
	NOTE("file has", "%ld %.6s", (long)pread(fd, in, 32, 20), in);
	s = sqe(OP(SPLICE), p[1], (void *)-1, 6, -1, 4);
	s->splice_fd_in = 999;
	ring_run(&r, "from nothing", 1);
	s = sqe(OP(SPLICE), p[1], (void *)-1, 6, -1, 4);
	s->splice_fd_in = fd;
	s->splice_flags = 64;
	ring_run(&r, "bad splice flags", 1);
	for (int i = 0; i < 2; i++) {
		close(p[i]);
		close(q[i]);
	}
	close(fd);
}

static void sockets(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	char in[64] = { 0 };
	struct iovec v[2] = { { "one ", 4 }, { "two", 3 } }, w = { in, 64 };
	struct msghdr out = { .msg_iov = v, .msg_iovlen = 2 }, back = { .msg_iov = &w, .msg_iovlen = 1 };
	struct io_uring_cqe c;

	sqe(OP(SOCKET), AF_INET, NULL, 0, SOCK_STREAM, 1);
	ring_go(&r, 1);
	ring_take(&r, &c);
	int l = c.res;
	NOTE("socket", "%d", l > 2);
	if (bind(l, (void *)&a, sizeof(a)) || listen(l, 8) || getsockname(l, (void *)&a, &len))
		perror("listen");
	sqe(OP(SOCKET), AF_INET, NULL, 0, SOCK_STREAM | 0x10000, 1);
	ring_run(&r, "bad type", 1);
	struct io_uring_sqe *s = sqe(OP(ACCEPT), l, NULL, 0, 0, 1);
	s->accept_flags = SOCK_CLOEXEC;
	ring_go(&r, 0);
	NOTE("accept waits", "%u", ring_ready(&r));
	int k = socket(AF_INET, SOCK_STREAM, 0);
	sqe(OP(CONNECT), k, &a, 0, sizeof(a), 2);
	ring_go(&r, 2);
	int d = -1, connected = -1;
	while (ring_take(&r, &c))
		*(c.user_data == 1 ? &d : &connected) = c.res;
	NOTE("connection", "%d %d", d > 2, connected);
	NOTE("cloexec", "%d", fcntl(d, F_GETFD));
	sqe(OP(CONNECT), k, &a, 0, sizeof(a), 2);
	ring_run(&r, "connect again", 1);
	sqe(OP(RECV), d, in, 64, 0, 1);
	ring_go(&r, 0);
	sqe(OP(SEND), k, "hello", 5, 0, 2);
	ring_run(&r, "send and receive", 2);
	NOTE("got", "%.5s", in);
	sqe(OP(RECVMSG), d, &back, 1, 0, 1);
	ring_go(&r, 0);
	sqe(OP(SENDMSG), k, &out, 1, 0, 2);
	ring_run(&r, "messages", 2);
	NOTE("got", "%.7s", in);
	sqe(OP(RECV), d, in, 64, 0, 1)->msg_flags = MSG_DONTWAIT;
	ring_run(&r, "not waiting", 1);
	sqe(OP(RECV), d, in, 6, 0, 1)->msg_flags = MSG_WAITALL;
	ring_go(&r, 0);
	NOTE("send", "%ld", (long)send(k, "abc", 3, 0));
	usleep(20000);
	NOTE("half", "%u", ring_ready(&r));
	NOTE("send", "%ld", (long)send(k, "def", 3, 0));
	ring_print(&r, "all of it", 1);
	NOTE("got", "%.6s", in);
	sqe(OP(RECV), d, in, 64, 0, 1)->ioprio = IORING_RECVSEND_POLL_FIRST;
	ring_go(&r, 0);
	NOTE("send", "%ld", (long)send(k, "pf", 2, 0));
	ring_print(&r, "poll first", 1);
	sqe(OP(SHUTDOWN), k, NULL, SHUT_WR, 0, 1);
	ring_run(&r, "shutdown", 1);
	sqe(OP(RECV), d, in, 64, 0, 1);
	ring_run(&r, "the end", 1);
	sqe(OP(SEND), k, "x", 1, 0, 1);
	ring_run(&r, "send after it", 1);
	sqe(OP(RECV), 0, in, 64, 0, 1);
	sqe(OP(SHUTDOWN), 0, NULL, 0, 0, 2);
	sqe(OP(ACCEPT), 0, NULL, 0, 0, 3);
	ring_run(&r, "no socket", 3);
	sqe(OP(CLOSE), k, NULL, 0, 0, 1);
	sqe(OP(CLOSE), 999, NULL, 0, 0, 2);
	ring_run(&r, "close", 2);
	close(d);
	/* Nobody listens there. */
	close(l);
	k = socket(AF_INET, SOCK_STREAM, 0);
	sqe(OP(CONNECT), k, &a, 0, sizeof(a), 1);
	ring_run(&r, "refused", 1);
	close(k);
}

static void multishot_accept(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int l = socket(AF_INET, SOCK_STREAM, 0), k[3];
	struct io_uring_cqe c;

	if (bind(l, (void *)&a, sizeof(a)) || listen(l, 8) || getsockname(l, (void *)&a, &len))
		perror("listen");
	sqe(OP(ACCEPT), l, NULL, 0, 0, 1)->ioprio = IORING_ACCEPT_MULTISHOT;
	ring_go(&r, 0);
	for (int i = 0; i < 3; i++) {
		k[i] = socket(AF_INET, SOCK_STREAM, 0);
		NOTE("connect", "%d", connect(k[i], (void *)&a, sizeof(a)));
		while (!ring_take(&r, &c))
			ring_enter(r.fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0);
		NOTE("accepted", "%d more %d", c.res > 2, !!(c.flags & IORING_CQE_F_MORE));
		close(c.res);
		close(k[i]);
	}
	sqe(OP(ASYNC_CANCEL), -1, (void *)1, 0, 0, 2);
	ring_run(&r, "no more", 2);
	close(l);
}

static void buffers(void)
{
	static char area[8][32];
	int s[2], p[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s) || pipe(p))
		exit(1);
	sqe(OP(RECV), s[0], NULL, 32, 0, 1)->flags = IOSQE_BUFFER_SELECT;
	NOTE("send", "%ld", (long)send(s[1], "q", 1, 0));
	ring_run(&r, "no group", 1);
	sqe(OP(PROVIDE_BUFFERS), 4, area, 32, 10, 1)->buf_group = 7;
	ring_run(&r, "provide", 1);
	struct io_uring_sqe *e = sqe(OP(RECV), s[0], NULL, 32, 0, 1);
	e->flags = IOSQE_BUFFER_SELECT;
	e->buf_group = 7;
	ring_run(&r, "picked", 1);
	e = sqe(OP(READ), p[0], NULL, 32, 0, 1);
	e->flags = IOSQE_BUFFER_SELECT;
	e->buf_group = 7;
	ring_go(&r, 0);
	NOTE("write", "%ld", (long)write(p[1], "pipe!", 5));
	ring_print(&r, "picked late", 1);
	NOTE("in the second", "%.5s", area[1]);
	sqe(OP(REMOVE_BUFFERS), 9, NULL, 0, 0, 1)->buf_group = 7;
	ring_run(&r, "remove", 1);
	sqe(OP(REMOVE_BUFFERS), 9, NULL, 0, 0, 1)->buf_group = 8;
	ring_run(&r, "remove none", 1);
	e = sqe(OP(RECV), s[0], NULL, 32, 0, 1);
	e->flags = IOSQE_BUFFER_SELECT;
	e->buf_group = 7;
	NOTE("send", "%ld", (long)send(s[1], "w", 1, 0));
	ring_run(&r, "none left", 1);
	sqe(OP(PROVIDE_BUFFERS), 0, area, 32, 10, 1);
	ring_run(&r, "no buffers at all", 1);
	sqe(OP(PROVIDE_BUFFERS), 4, (void *)-4096ul, 32, 10, 2);
	ring_run(&r, "bad memory", 1);
	/* A ring of buffers. */
	struct io_uring_buf_ring *br = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct io_uring_buf_reg reg = { .ring_addr = (unsigned long)br, .ring_entries = 4, .bgid = 3 };
	CHECK("buffer ring", ring_register(r.fd, IORING_REGISTER_PBUF_RING, &reg, 1));
	CHECK("buffer ring again", ring_register(r.fd, IORING_REGISTER_PBUF_RING, &reg, 1));
	reg.ring_entries = 3;
	reg.bgid = 4;
	CHECK("buffer ring of three", ring_register(r.fd, IORING_REGISTER_PBUF_RING, &reg, 1));
	reg.ring_entries = 4;
	reg.ring_addr = 4096;
	CHECK("buffer ring in no memory", ring_register(r.fd, IORING_REGISTER_PBUF_RING, &reg, 1));
	reg.ring_entries = 512;
	reg.ring_addr = (unsigned long)br;
	munmap((char *)br + 4096, 4096);
	CHECK("buffer ring beyond its memory", ring_register(r.fd, IORING_REGISTER_PBUF_RING, &reg, 1));
	for (unsigned short i = 0; i < 3; i++) {
		br->bufs[i].addr = (unsigned long)area[4 + i];
		br->bufs[i].len = 32;
		br->bufs[i].bid = (unsigned short)(20 + i);
	}
	__atomic_store_n(&br->tail, 3, __ATOMIC_RELEASE);
	e = sqe(OP(RECV), s[0], NULL, 0, 0, 5);
	e->flags = IOSQE_BUFFER_SELECT;
	e->buf_group = 3;
	e->ioprio = IORING_RECV_MULTISHOT;
	ring_go(&r, 0);
	ring_print(&r, "what was there", 1);
	for (int i = 0; i < 3; i++) {
		NOTE("send", "%ld", (long)send(s[1], "abcdef", (size_t)i + 2, 0));
		ring_print(&r, "multishot", 1);
	}
	reg.bgid = 3;
	CHECK("buffer ring off", ring_register(r.fd, IORING_UNREGISTER_PBUF_RING, &reg, 1));
	CHECK("buffer ring off again", ring_register(r.fd, IORING_UNREGISTER_PBUF_RING, &reg, 1));
	munmap(br, 4096);
	close(s[0]);
	close(s[1]);
	close(p[0]);
	close(p[1]);
}

static void as_a_file(void)
{
	struct pollfd pf = { r.fd, POLLIN | POLLOUT, 0 };
	struct epoll_event ev = { EPOLLIN, { .u64 = 5 } };
	int ep = epoll_create1(0), p[2];
	char c;

	if (pipe(p))
		exit(1);
	CHECK("poll the ring", poll(&pf, 1, 0));
	NOTE("it is", "%x", pf.revents);
	CHECK("epoll the ring", epoll_ctl(ep, EPOLL_CTL_ADD, r.fd, &ev));
	CHECK("nothing yet", epoll_wait(ep, &ev, 1, 0));
	sqe(OP(READ), p[0], &c, 1, 0, 1);
	ring_go(&r, 0);
	NOTE("write", "%ld", (long)write(p[1], "x", 1));
	CHECK("completed", epoll_wait(ep, &ev, 1, 5000));
	NOTE("it is", "%x %llu", ev.events, (unsigned long long)ev.data.u64);
	ring_print(&r, "read", 1);
	struct epoll_event want = { EPOLLIN, { .u64 = 9 } };
	sqe(OP(EPOLL_CTL), ep, &want, EPOLL_CTL_ADD, (unsigned)p[0], 1);
	ring_run(&r, "epoll_ctl", 1);
	sqe(OP(EPOLL_CTL), ep, &want, EPOLL_CTL_ADD, (unsigned)p[0], 1);
	ring_run(&r, "epoll_ctl again", 1);
	CHECK("read the ring", read(r.fd, &c, 1));
	CHECK("seek the ring", lseek(r.fd, 0, SEEK_CUR));
	close(ep);
	close(p[0]);
	close(p[1]);
}

static void paths(void)
{
	struct statx sx;
	char link[16] = { 0 };

	sqe(OP(MKDIRAT), AT_FDCWD, "d", 0755, 0, 1);
	ring_run(&r, "mkdir", 1);
	sqe(OP(MKDIRAT), AT_FDCWD, "d", 0755, 0, 1);
	ring_run(&r, "mkdir again", 1);
	sqe(OP(OPENAT), AT_FDCWD, "d/f", 0644, 0, 1)->open_flags = O_CREAT | O_RDWR;
	ring_go(&r, 1);
	struct io_uring_cqe c = { 0 };
	ring_take(&r, &c);
	NOTE("open", "%d", c.res > 2);
	close(c.res);
	sqe(OP(OPENAT), AT_FDCWD, "d/none", 0, 0, 1);
	sqe(OP(OPENAT), AT_FDCWD, (void *)8, 0, 0, 2);
	sqe(OP(OPENAT), AT_FDCWD, "d/f", 0, 0, 3)->flags = IOSQE_FIXED_FILE;
	ring_run(&r, "not opened", 2);
	CHECK("the rest", ring_enter(r.fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0));
	ring_print(&r, "not opened either", 1);
	sqe(OP(LINKAT), AT_FDCWD, "d/f", (unsigned)AT_FDCWD, (unsigned long)"d/g", 1);
	ring_run(&r, "link", 1);
	sqe(OP(SYMLINKAT), AT_FDCWD, "f", 0, (unsigned long)"d/s", 1);
	ring_run(&r, "symlink", 1);
	NOTE("it says", "%ld %s", (long)readlink("d/s", link, 15), link);
	sqe(OP(STATX), AT_FDCWD, "d/f", STATX_NLINK, (unsigned long)&sx, 1);
	ring_run(&r, "statx", 1);
	NOTE("links", "%u", sx.stx_nlink);
	sqe(OP(RENAMEAT), AT_FDCWD, "d/g", (unsigned)AT_FDCWD, (unsigned long)"d/h", 1);
	ring_run(&r, "rename", 1);
	sqe(OP(RENAMEAT), AT_FDCWD, "d/g", (unsigned)AT_FDCWD, (unsigned long)"d/h", 1);
	ring_run(&r, "rename again", 1);
	sqe(OP(UNLINKAT), AT_FDCWD, "d", 0, 0, 1)->unlink_flags = AT_REMOVEDIR;
	ring_run(&r, "rmdir not empty", 1);
	/* A fifo is not waited for. */
	mkfifo("fifo", 0600);
	sqe(OP(OPENAT), AT_FDCWD, "fifo", 0, 0, 1)->open_flags = O_WRONLY;
	ring_run(&r, "nobody reads the fifo", 1);
	sqe(OP(OPENAT), AT_FDCWD, "fifo", 0, 0, 1)->open_flags = O_RDONLY;
	ring_go(&r, 1);
	ring_take(&r, &c);
	NOTE("the reader", "%d nonblock %d", c.res > 2, !!(fcntl(c.res, F_GETFL) & O_NONBLOCK));
	close(c.res);
	/* The path is the kernel's once it is submitted, even where it waits for its turn. */
	char name[16] = "d/h";
	int p[2];
	if (pipe(p))
		exit(1);
	sqe(OP(READ), p[0], link, 1, 0, 1)->flags = IOSQE_IO_LINK;
	sqe(OP(UNLINKAT), AT_FDCWD, name, 0, 0, 2);
	ring_go(&r, 0);
	strcpy(name, "d/nothing");
	NOTE("write", "%ld", (long)write(p[1], "x", 1));
	ring_print(&r, "unlink later", 2);
	sqe(OP(UNLINKAT), AT_FDCWD, "d/f", 0, 0, 1);
	sqe(OP(UNLINKAT), AT_FDCWD, "d/s", 0, 0, 2);
	sqe(OP(UNLINKAT), AT_FDCWD, "d", 0, 0, 3)->unlink_flags = AT_REMOVEDIR;
	ring_run(&r, "all gone", 3);
	close(p[0]);
	close(p[1]);
}

static void *other_thread(void *arg)
{
	struct ring *q = arg;

	ring_sqe(q, OP(NOP), -1, NULL, 0, 0, 1);
	CHECK("from another thread", ring_go(q, 0));
	return NULL;
}

static void kinds(void)
{
	struct ring q;
	pthread_t t;
	int p[2];
	char c;
	struct io_uring_cqe e;

	if (pipe(p))
		exit(1);
	ring_open(&q, 4, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
	pthread_create(&t, NULL, other_thread, &q);
	pthread_join(t, NULL);
	q.queued = 1;
	ring_run(&q, "from its own", 1);
	ring_sqe(&q, OP(READ), p[0], &c, 1, 0, 1);
	ring_go(&q, 0);
	NOTE("write", "%ld", (long)write(p[1], "x", 1));
	usleep(20000);
	NOTE("deferred", "%u", ring_ready(&q));
	ring_print(&q, "run by the wait", 1);
	ring_close(&q);

	ring_open(&q, 4, IORING_SETUP_SQPOLL);
	ring_sqe(&q, OP(NOP), -1, NULL, 0, 0, 1);
	if (__atomic_load_n(q.sq_flags, __ATOMIC_SEQ_CST) & IORING_SQ_NEED_WAKEUP)
		ring_enter(q.fd, 0, 0, IORING_ENTER_SQ_WAKEUP, NULL, 0);
	while (!ring_take(&q, &e))
		usleep(1000);
	NOTE("by the kernel's thread", "%llu %d", (unsigned long long)e.user_data, e.res);
	ring_sqe(&q, OP(READ), p[0], &c, 1, 0, 2);
	CHECK("enter", ring_enter(q.fd, 1, 0, IORING_ENTER_SQ_WAKEUP, NULL, 0));
	NOTE("write", "%ld", (long)write(p[1], "x", 1));
	ring_print(&q, "read", 1);
	ring_close(&q);

	ring_open(&q, 4, IORING_SETUP_IOPOLL);
	ring_sqe(&q, OP(RECV), 0, &c, 1, 0, 1);
	CHECK("iopoll", ring_go(&q, 0));
	ring_take(&q, &e);
	NOTE("not a disk", "%d", e.res);
	/* What is about the ring itself goes. */
	const int own[] = { OP(NOP), OP(REMOVE_BUFFERS), OP(FILES_UPDATE), OP(TIMEOUT_REMOVE), OP(ASYNC_CANCEL), OP(EPOLL_CTL), OP(MSG_RING) };
	for (unsigned i = 0; i < sizeof(own) / sizeof(*own); i++) {
		char name[40];
		ring_sqe(&q, own[i], 1, NULL, 0, 0, 1);
		CHECK("iopoll", ring_go(&q, 0));
		snprintf(name, sizeof(name), "iopoll operation %d", own[i]);
		NOTE(name, "%s", ring_take(&q, &e) ? res_name(e.res) : "nothing");
	}
	char area[64];
	ring_sqe(&q, OP(PROVIDE_BUFFERS), 2, area, 32, 0, 1);
	CHECK("iopoll", ring_go(&q, 0));
	NOTE("iopoll, buffers", "%s", ring_take(&q, &e) ? res_name(e.res) : "nothing");
	ring_close(&q);

	/* A place of the kernel's choice where there is no table: that comes before the descriptor. */
	ring_open(&q, 4, 0);
	int fd = 999;
	ring_sqe(&q, OP(FILES_UPDATE), -1, &fd, 1, -1, 1);
	CHECK("a file without a table", ring_go(&q, 1));
	NOTE("no table", "%s", ring_take(&q, &e) ? res_name(e.res) : "nothing");

	/* Whoever waits for more than there will be is woken by a timeout. */
	struct __kernel_timespec soon = { 0, 20000000 };
	ring_sqe(&q, OP(TIMEOUT), -1, &soon, 1, 0, 1);
	CHECK("one timeout", ring_go(&q, 0));
	CHECK("wait for four", ring_enter(q.fd, 0, 4, IORING_ENTER_GETEVENTS, NULL, 0));
	NOTE("the timeout", "%s", ring_take(&q, &e) ? res_name(e.res) : "nothing");

	/* A link timeout that is not needed says nothing if it may be silent. */
	struct __kernel_timespec late = { 60, 0 };
	for (int silent = 0; silent < 2; silent++) {
		ring_sqe(&q, OP(READ), p[0], &c, 1, -1, 1)->flags = IOSQE_IO_LINK;
		ring_sqe(&q, OP(LINK_TIMEOUT), -1, &late, 1, 0, 2)->flags = silent ? IOSQE_CQE_SKIP_SUCCESS : 0;
		CHECK("watched read", ring_go(&q, 0));
		NOTE("write", "%ld", (long)write(p[1], "x", 1));
		ring_print(&q, silent ? "silent" : "told", 2 - (unsigned)silent);
		usleep(20000);
		NOTE("more", "%d", ring_take(&q, &e));
	}

	for (int silent = 0; silent < 2; silent++) {
		ring_sqe(&q, OP(READ), p[0], &c, 1, -1, 1)->flags = IOSQE_IO_LINK;
		ring_sqe(&q, OP(LINK_TIMEOUT), -1, &soon, 1, 0, 2)->flags = silent ? IOSQE_CQE_SKIP_SUCCESS : 0;
		CHECK("read that takes too long", ring_go(&q, 0));
		ring_print(&q, silent ? "silent" : "told", 2 - (unsigned)silent);
		usleep(20000);
		NOTE("more", "%d", ring_take(&q, &e));
	}

	/* One of a chain is refused: nothing of it runs, whatever kind of link. */
	for (int k = 0; k < 4; k++) {
		for (int i = 0; i < 3; i++) {
			struct io_uring_sqe *s = ring_sqe(&q, OP(NOP), -1, NULL, 0, 0, (unsigned)i);
			s->flags = i == 2 ? 0 : k & 1 ? IOSQE_IO_HARDLINK : IOSQE_IO_LINK;
			if (i == k / 2)
				s->ioprio = 77;
		}
		CHECK("a chain with a bad one", ring_go(&q, 0));
		ring_print(&q, "chain", 3);
	}

	/* No bytes: the buffer is not used. */
	int sv[2];
	struct msghdr none = { .msg_iov = &(struct iovec){ NULL, 0 }, .msg_iovlen = 1 };
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv))
		exit(1);
	ring_sqe(&q, OP(PROVIDE_BUFFERS), 2, area, 32, 5, 1);
	ring_run(&q, "buffers", 1);
	close(sv[1]);
	for (int k = 0; k < 3; k++) {
		struct io_uring_sqe *s = ring_sqe(&q, k == 1 ? OP(RECVMSG) : OP(RECV), sv[0], k == 1 ? (void *)&none : NULL, k == 1 ? 1 : 32, 0, 1);
		s->flags = IOSQE_BUFFER_SELECT;
		if (k == 2)
			s->ioprio = IORING_RECV_MULTISHOT, s->len = 0;
		ring_run(&q, "the end of a stream", 1);
	}
	close(sv[0]);

	/* Space beyond the limit of a file's size: no signal, as a worker asks for it. */
	struct rlimit lim, small;
	getrlimit(RLIMIT_FSIZE, &lim);
	small = (struct rlimit){ 8192, lim.rlim_max };
	fd = open("limited", O_RDWR | O_CREAT | O_TRUNC, 0600);
	setrlimit(RLIMIT_FSIZE, &small);
	ring_sqe(&q, OP(FALLOCATE), fd, (void *)65536, 0, 0, 1);
	CHECK("space beyond the limit", ring_go(&q, 1));
	NOTE("beyond the limit", "%s", ring_take(&q, &e) ? res_name(e.res) : "nothing");
	setrlimit(RLIMIT_FSIZE, &lim);
	close(fd);
	unlink("limited");
	ring_close(&q);

	/* One ring tells another. */
	ring_open(&q, 4, 0);
	sqe(OP(MSG_RING), q.fd, NULL, 77, 1234, 1);
	ring_run(&r, "message", 1);
	ring_print(&q, "the other ring", 1);
	sqe(OP(MSG_RING), p[0], NULL, 77, 1234, 1);
	ring_run(&r, "no ring", 1);
	ring_close(&q);
	close(p[0]);
	close(p[1]);
}

/* Rings that go while requests wait, and a wait that a signal ends. */
static void nothing(int sig) { (void)sig; }

static void ends(void)
{
	struct ring q;
	int p[2];
	char c[8];
	struct __kernel_timespec late = { 60, 0 };

	if (pipe(p))
		exit(1);
	for (int i = 0; i < 20; i++) {
		ring_open(&q, 16, 0);
		ring_sqe(&q, OP(READ), p[0], &c[0], 1, 0, 1);
		ring_sqe(&q, OP(POLL_ADD), p[0], NULL, 0, 0, 2)->poll32_events = POLLIN;
		ring_sqe(&q, OP(TIMEOUT), -1, &late, 1, 0, 3);
		ring_sqe(&q, OP(NOP), -1, NULL, 0, 0, 4)->flags = IOSQE_IO_DRAIN;
		struct io_uring_sqe *s = ring_sqe(&q, OP(SPLICE), p[1], (void *)-1, 10, -1, 5);
		s->splice_fd_in = p[0];
		ring_go(&q, 0);
		ring_close(&q);
	}
	NOTE("closed", "%d", 20);
	signal(SIGALRM, nothing);
	struct sigaction sa = { .sa_handler = nothing };
	sigaction(SIGALRM, &sa, NULL);
	struct itimerspec its = { { 0, 30 * MS }, { 0, 30 * MS } };      /* again: the first may come before the wait on a busy host */
	timer_t timer;
	timer_create(CLOCK_MONOTONIC, NULL, &timer);
	sa.sa_handler = nothing;
	sigaction(SIGALRM, &sa, NULL);
	timer_settime(timer, 0, &its, NULL);
	CHECK("interrupted", ring_enter(r.fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0));
	/* A mask that keeps the signal out: the wait ends by time. */
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	struct __kernel_timespec t = { 0, 60 * MS };
	struct io_uring_getevents_arg arg = { .sigmask = (unsigned long)&set, .sigmask_sz = 8, .ts = (unsigned long)&t };
	its.it_interval.tv_nsec = 0;
	timer_settime(timer, 0, &its, NULL);
	CHECK("masked", ring_enter(r.fd, 0, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &arg, sizeof(arg)));
	arg.sigmask_sz = 3;
	CHECK("bad mask", ring_enter(r.fd, 0, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &arg, sizeof(arg)));
	timer_delete(timer);
	close(p[0]);
	close(p[1]);
}

int main(void)
{
	ring_open(&r, 32, 0);
	pipes();
	polls();
	timeouts();
	link_timeouts();
	cancels();
	splices();
	sockets();
	multishot_accept();
	buffers();
	as_a_file();
	paths();
	kinds();
	ends();
	ring_close(&r);
	/* The process ends with requests under way. */
	int p[2];
	char c;
	if (pipe(p))
		exit(1);
	ring_open(&r, 4, 0);
	sqe(OP(READ), p[0], &c, 1, 0, 1);
	ring_go(&r, 0);
	return 0;
}
