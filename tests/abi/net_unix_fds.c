/* net_unix_fds.c - AF_UNIX: descriptors in circles and under MSG_PEEK, credentials, peers' groups, queues and backlogs, flags of messages. */
#include "abi.h"
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

static int ready(int fd)
{
	struct pollfd p = { fd, POLLIN | POLLOUT | POLLRDHUP, 0 };
	poll(&p, 1, 0);
	return p.revents;
}
static ssize_t send_with(int s, const void *data, size_t len, int level, int type, const void *ctl, size_t clen)
{
	char control[1200] = { 0 };
	struct iovec iov = { (void *)data, len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(clen) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(clen);
	memcpy(CMSG_DATA(c), ctl, clen);
	return sendmsg(s, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}
static ssize_t send_fd(int s, int fd) { return send_with(s, "f", 1, SOL_SOCKET, SCM_RIGHTS, &fd, sizeof fd); }

/* What came: bytes, flags, each control message. Descriptors go to *ret_fd (the last). */
static long receive(const char *what, int s, size_t room, int flags, int *ret_fd)
{
	char control[1200], b[64], line[300];
	struct iovec iov = { b, room };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
	long r = recvmsg(s, &m, flags | MSG_DONTWAIT);
	int at;

	if (r < 0)
		return CHECK(what, r);
	at = snprintf(line, sizeof line, "%ld flags %#x", r, m.msg_flags);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_type == SCM_RIGHTS) {
			int n = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int)), fds[64];
			memcpy(fds, CMSG_DATA(c), n * sizeof(int));
			at += snprintf(line + at, sizeof line - at, " rights %d", n);
			for (int i = 0; i < n; i++) {
				if (ret_fd && i == n - 1)
					*ret_fd = fds[i];
				else
					close(fds[i]);
			}
		} else if (c->cmsg_type == SCM_CREDENTIALS) {
			struct ucred u;
			memcpy(&u, CMSG_DATA(c), sizeof u);
			at += snprintf(line + at, sizeof line - at, " credentials %s %s %s", u.pid == getpid() ? "own" : u.pid ? "other" : "0",
				       u.uid == getuid() ? "own" : u.uid == 65534 ? "nobody" : "other", u.gid == getgid() ? "own" : u.gid == 65534 ? "nobody" : "other");
		}
	}
	NOTE(what, "%s", line);
	return r;
}

/* Is the writing end of the pipe gone with what it was sent in? */
static void gone(const char *what, int fd)
{
	char b;
	for (int i = 0; i < 100; i++) {
		int t[2];
		long n = read(fd, &b, 1);
		if (n == 0) {
			NOTE(what, "collected");
			return;
		}
		usleep(10000);
		socketpair(AF_UNIX, SOCK_STREAM, 0, t);  /* Linux looks when a socket ends */
		close(t[0]);
		close(t[1]);
	}
	NOTE(what, "kept");
}

static void circles(void)
{
	int a[2], b[2], p[2], keep, t;

	/* a socket that carries itself */
	socketpair(AF_UNIX, SOCK_STREAM, 0, a);
	(void)!pipe2(p, O_NONBLOCK);
	CHECK("pipe into a", send_fd(a[0], p[1]));
	CHECK("a[1] into itself", send_fd(a[0], a[1]));
	close(p[1]);
	close(a[0]);
	close(a[1]);
	gone("self", p[0]);
	close(p[0]);
	/* two pairs that carry each other */
	socketpair(AF_UNIX, SOCK_STREAM, 0, a);
	socketpair(AF_UNIX, SOCK_DGRAM, 0, b);
	(void)!pipe2(p, O_NONBLOCK);
	CHECK("b[1] into a", send_fd(a[0], b[1]));
	CHECK("a[1] into b", send_fd(b[0], a[1]));
	CHECK("pipe into b", send_fd(b[0], p[1]));
	close(p[1]);
	close(a[0]);
	close(b[0]);
	close(a[1]);
	close(b[1]);
	gone("two pairs", p[0]);
	close(p[0]);
	/* reachable from outside: not collected */
	socketpair(AF_UNIX, SOCK_STREAM, 0, a);
	socketpair(AF_UNIX, SOCK_STREAM, 0, b);
	(void)!pipe2(p, O_NONBLOCK);
	CHECK("pipe into b", send_fd(b[0], p[1]));
	CHECK("b[1] into a", send_fd(a[0], b[1]));
	close(p[1]);
	close(b[0]);
	close(b[1]);
	socketpair(AF_UNIX, SOCK_STREAM, 0, b);  /* a collection runs with these */
	send_fd(b[0], b[1]);
	close(b[0]);
	close(b[1]);
	NOTE("still there", "%ld %s", (long)read(p[0], &t, 1), strerrorname_np(errno));
	receive("b out of a", a[1], 10, 0, &keep);
	receive("pipe out of b", keep, 10, 0, &t);
	CHECK("pipe works", write(t, "x", 1));
	close(t);
	close(keep);
	close(a[0]);
	close(a[1]);
	CHECK("drain", read(p[0], &t, 1));
	gone("after", p[0]);
	close(p[0]);
	/* in the queue of a listener that nobody accepts from */
	struct sockaddr_un u = { .sun_family = AF_UNIX, .sun_path = "\0circle" };
	socklen_t len = offsetof(struct sockaddr_un, sun_path) + 7;
	int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);
	(void)!pipe2(p, O_NONBLOCK);
	bind(l, (void *)&u, len);
	listen(l, 5);
	CHECK("connect", connect(c, (void *)&u, len));
	CHECK("listener into embryo", send_fd(c, l));
	CHECK("pipe into embryo", send_fd(c, p[1]));
	close(p[1]);
	close(l);
	close(c);
	gone("embryo", p[0]);
	close(p[0]);
	/* a long chain that ends in a circle */
	int chain[20][2];
	(void)!pipe2(p, O_NONBLOCK);
	for (int i = 0; i < 20; i++)
		socketpair(AF_UNIX, SOCK_SEQPACKET, 0, chain[i]);
	for (int i = 0; i < 20; i++)
		if (send_fd(chain[i][0], chain[(i + 1) % 20][1]) != 1)
			NOTE("chain", "%d %s", i, strerrorname_np(errno));
	send_fd(chain[7][0], p[1]);
	close(p[1]);
	for (int i = 0; i < 20; i++) {
		close(chain[i][0]);
		close(chain[i][1]);
	}
	gone("chain", p[0]);
	close(p[0]);
}

static void peeks(int type, const char *name)
{
	int a[2], p[2], one = -1, two = -1;
	char line[64], b;

#define L(s) (snprintf(line, sizeof line, "%s %s", name, s), line)
	socketpair(AF_UNIX, type, 0, a);
	(void)!pipe(p);
	send_fd(a[0], p[1]);
	send(a[0], "more", 4, 0);
	receive(L("peek"), a[1], 10, MSG_PEEK, &one);
	receive(L("peek again"), a[1], 10, MSG_PEEK, &two);
	NOTE(L("two descriptors"), "%d", one >= 0 && two >= 0 && one != two);
	CHECK(L("first works"), write(one, "x", 1));
	CHECK(L("second works"), write(two, "y", 1));
	close(one);
	close(two);
	receive(L("take"), a[1], 10, 0, &one);
	close(p[1]);
	CHECK(L("taken works"), write(one, "z", 1));
	receive(L("rest"), a[1], 10, 0, NULL);
	close(one);
	CHECK(L("all read"), (read(p[0], &b, 1), read(p[0], &b, 1), read(p[0], &b, 1)));
	CHECK(L("end"), read(p[0], &b, 1));
	close(p[0]);
	close(a[0]);
	close(a[1]);
}

static void credentials(int type, const char *name)
{
	int a[2], one = 1;
	struct ucred own = { getpid(), getuid(), getgid() }, wrong = { getpid() + 1, getuid(), getgid() };
	char line[64];

	socketpair(AF_UNIX, type, 0, a);
	send(a[0], "before", 6, 0);
	CHECK(L("explicit"), send_with(a[0], "e", 1, SOL_SOCKET, SCM_CREDENTIALS, &own, sizeof own));
	receive(L("without the option"), a[1], 6, 0, NULL);
	setsockopt(a[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof one);
	receive(L("explicit one"), a[1], 10, 0, NULL);
	send(a[0], "after", 5, 0);
	receive(L("with the option"), a[1], 10, 0, NULL);
	setsockopt(a[1], SOL_SOCKET, SO_PASSCRED, &(int){ 0 }, sizeof one);
	send(a[0], "plain", 5, 0);
	CHECK(L("explicit second"), send_with(a[0], "e", 1, SOL_SOCKET, SCM_CREDENTIALS, &own, sizeof own));
	setsockopt(a[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof one);
	receive(L("two kinds"), a[1], 20, 0, NULL);
	receive(L("the second"), a[1], 20, 0, NULL);
	send(a[0], "one", 3, 0);
	send(a[0], "two", 3, 0);
	receive(L("same kind"), a[1], 20, 0, NULL);
	receive(L("rest"), a[1], 20, 0, NULL);
	CHECK(L("wrong pid"), send_with(a[0], "w", 1, SOL_SOCKET, SCM_CREDENTIALS, &wrong, sizeof wrong));
	wrong = (struct ucred){ getpid(), getuid() + 1, getgid() };
	CHECK(L("wrong uid"), send_with(a[0], "w", 1, SOL_SOCKET, SCM_CREDENTIALS, &wrong, sizeof wrong));
	wrong = (struct ucred){ getpid(), getuid(), getgid() + 1 };
	CHECK(L("wrong gid"), send_with(a[0], "w", 1, SOL_SOCKET, SCM_CREDENTIALS, &wrong, sizeof wrong));
	CHECK(L("short"), send_with(a[0], "w", 1, SOL_SOCKET, SCM_CREDENTIALS, &own, 8));
	CHECK(L("unknown type"), send_with(a[0], "w", 1, SOL_SOCKET, 77, &own, 8));
	CHECK(L("other level"), send_with(a[0], "w", 1, 6, 1, &own, 4));
	setsockopt(a[1], SOL_SOCKET, SO_PASSCRED, &(int){ 0 }, sizeof one);
	setsockopt(a[0], SOL_SOCKET, SO_PASSCRED, &one, sizeof one);
	send(a[0], "sender's", 8, 0);
	setsockopt(a[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof one);
	receive(L("sender has the option"), a[1], 20, 0, NULL);
	close(a[0]);
	close(a[1]);
}

static void peers(void)
{
	int a[2], s = socket(AF_UNIX, SOCK_STREAM, 0), d = socket(AF_UNIX, SOCK_DGRAM, 0), i = socket(AF_INET, SOCK_STREAM, 0), v;
	unsigned groups[64] = { 0 };
	struct ucred u;
	socklen_t n = sizeof groups;

	socketpair(AF_UNIX, SOCK_STREAM, 0, a);
	CHECK("groups", getsockopt(a[0], SOL_SOCKET, SO_PEERGROUPS, groups, &n));
	NOTE("as many as ours", "%d", (int)n == 4 * getgroups(0, NULL));
	n = 0;
	CHECK("groups no room", getsockopt(a[0], SOL_SOCKET, SO_PEERGROUPS, groups, &n));
	n = sizeof groups;
	CHECK("groups of none", getsockopt(s, SOL_SOCKET, SO_PEERGROUPS, groups, &n));
	CHECK("groups inet", getsockopt(i, SOL_SOCKET, SO_PEERGROUPS, groups, &n));
	n = sizeof u;
	CHECK("cred of none", getsockopt(s, SOL_SOCKET, SO_PEERCRED, &u, &n));
	NOTE("is", "%d %d %d", u.pid, (int)u.uid, (int)u.gid);
	n = sizeof u;
	CHECK("cred of dgram", getsockopt(d, SOL_SOCKET, SO_PEERCRED, &u, &n));
	NOTE("is", "%d %d %d", u.pid, (int)u.uid, (int)u.gid);
	n = sizeof u;
	CHECK("cred inet", getsockopt(i, SOL_SOCKET, SO_PEERCRED, &u, &n));
	NOTE("is", "%d %d %d", u.pid, (int)u.uid, (int)u.gid);
	n = 6;
	CHECK("cred short", getsockopt(a[0], SOL_SOCKET, SO_PEERCRED, &u, &n));
	NOTE("len", "%u", n);
	n = sizeof v;
	CHECK("peersec", getsockopt(a[0], SOL_SOCKET, SO_PEERSEC, &v, &n));
	CHECK("ioctl SIOCOUTQ", ioctl(a[0], TIOCOUTQ, &v));
	NOTE("empty", "%d", v);
	send(a[0], "hello", 5, 0);
	CHECK("ioctl SIOCOUTQ", ioctl(a[0], TIOCOUTQ, &v));
	NOTE("some", "%d", v > 0);
	CHECK("SIOCINQ", ioctl(a[1], FIONREAD, &v));
	NOTE("is", "%d", v);
	CHECK("SIOCINQ of idle", ioctl(s, FIONREAD, &v));
	listen(s, 1);
	close(a[0]);
	close(a[1]);
	close(s);
	close(d);
	close(i);
}

static void flags(void)
{
	int a[2], n, size;
	char b[64];
	socklen_t len = sizeof size;

	socketpair(AF_UNIX, SOCK_STREAM, 0, a);
	send(a[0], "0123456789", 10, 0);
	CHECK("stream MSG_TRUNC", recv(a[1], b, 4, MSG_TRUNC));
	CHECK("waitall short", recv(a[1], b, 20, MSG_WAITALL | MSG_DONTWAIT));
	CHECK("send oob", send(a[0], "x", 1, MSG_EOR | MSG_MORE));
	receive("EOR and MORE", a[1], 10, 0, NULL);
	CHECK("confirm", send(a[0], "x", 1, MSG_CONFIRM));
	CHECK("errqueue", recv(a[1], b, 1, MSG_ERRQUEUE | MSG_DONTWAIT));
	close(a[0]);
	NOTE("peer gone", "%#x", ready(a[1]));
	close(a[1]);
	socketpair(AF_UNIX, SOCK_SEQPACKET, 0, a);
	send(a[0], "0123456789", 10, 0);
	receive("seqpacket peek cut", a[1], 4, MSG_PEEK, NULL);
	receive("seqpacket peek all", a[1], 4, MSG_PEEK | MSG_TRUNC, NULL);
	receive("seqpacket", a[1], 4, 0, NULL);
	receive("seqpacket empty", a[1], 4, 0, NULL);
	CHECK("empty packet", send(a[0], "", 0, 0));
	NOTE("readable", "%#x", ready(a[1]));
	receive("empty packet", a[1], 4, 0, NULL);
	CHECK("sendto", sendto(a[0], "x", 1, 0, (void *)&(struct sockaddr_un){ .sun_family = AF_UNIX }, 10));
	CHECK("shutdown", shutdown(a[0], SHUT_RD));
	NOTE("after shutdown", "%#x %#x", ready(a[0]), ready(a[1]));
	CHECK("send into it", send(a[1], "x", 1, MSG_NOSIGNAL));
	close(a[0]);
	close(a[1]);
	/* buffers */
	socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, a);
	size = 10000;
	CHECK("SO_SNDBUF", setsockopt(a[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size));
	getsockopt(a[0], SOL_SOCKET, SO_SNDBUF, &size, &len);
	NOTE("is", "%d", size);
	long all = 0, r;
	static char big[300000];
	while ((r = send(a[0], big, 1000, 0)) > 0)
		all += r;
	NOTE("full", "%s %d", strerrorname_np(errno), all >= 4000 && all <= 40000);
	NOTE("not writable", "%#x", ready(a[0]));
	while ((r = recv(a[1], big, sizeof big, 0)) > 0)
		all -= r;
	NOTE("all came", "%ld", all);
	NOTE("writable", "%#x", ready(a[0]));
	CHECK("large", send(a[0], big, sizeof big, 0) > 0);
	close(a[0]);
	close(a[1]);
	socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, a);
	for (n = 0; n < 100 && send(a[0], big, 1000, 0) == 1000; n++)
		;
	NOTE("dgram pair is bounded", "%d", n < 100 || n == 100);
	CHECK("too large", send(a[0], big, sizeof big, 0));
	close(a[0]);
	close(a[1]);
}

static void backlogs(void)
{
	struct sockaddr_un u = { .sun_family = AF_UNIX, .sun_path = "\0backlog" };
	socklen_t len = offsetof(struct sockaddr_un, sun_path) + 8;
	int l = socket(AF_UNIX, SOCK_SEQPACKET, 0), c[8], n;

	bind(l, (void *)&u, len);
	CHECK("listen", listen(l, 2));
	for (n = 0; n < 8; n++) {
		c[n] = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
		if (connect(c[n], (void *)&u, len) < 0)
			break;
	}
	NOTE("connections", "%d %s", n, strerrorname_np(errno));
	CHECK("larger", listen(l, 4));
	CHECK("goes on", connect(c[n], (void *)&u, len));
	CHECK("listen on connected", listen(c[0], 1));
	CHECK("bind connected", bind(c[0], (void *)&u, 2));
	CHECK("shutdown listener", shutdown(l, SHUT_RD));
	NOTE("poll", "%#x", ready(l));
	CHECK("accept", accept(l, NULL, NULL));
	int d = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
	CHECK("connect to shut", connect(d, (void *)&u, len));
	close(l);
	CHECK("recv of unaccepted", recv(c[1], &n, 4, 0));
	CHECK("send to unaccepted", send(c[1], &n, 4, MSG_NOSIGNAL));
	for (int i = 0; i < 4; i++)
		close(c[i]);
	/* an option of the listener that its children have */
	int one = 1;
	l = socket(AF_UNIX, SOCK_STREAM, 0);
	bind(l, (void *)&u, len);
	setsockopt(l, SOL_SOCKET, SO_PASSCRED, &one, sizeof one);
	listen(l, 2);
	int x = socket(AF_UNIX, SOCK_STREAM, 0);
	connect(x, (void *)&u, len);
	send(x, "early", 5, 0);
	int s = accept(l, NULL, NULL);
	setsockopt(s, SOL_SOCKET, SO_PASSCRED, &one, sizeof one);
	receive("early", s, 10, 0, NULL);
}

int main(void)
{
	if (getuid() == 0) {
		gid_t g = 1000;
		(void)!setgroups(1, &g);
		(void)!setresgid(1000, 1000, 1000);
		(void)!setresuid(1000, 1000, 1000);
	}
	circles();
	peeks(SOCK_STREAM, "stream");
	peeks(SOCK_DGRAM, "dgram");
	peeks(SOCK_SEQPACKET, "seqpacket");
	credentials(SOCK_STREAM, "stream");
	credentials(SOCK_DGRAM, "dgram");
	peers();
	flags();
	backlogs();
	return 0;
}
