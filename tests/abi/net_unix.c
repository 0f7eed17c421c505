/* net_unix.c - AF_UNIX: pairs, names, streams, datagrams, sequenced packets, descriptors, credentials. */
#include "abi.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static int ready(int fd)
{
	struct pollfd p = { fd, POLLIN | POLLOUT | POLLRDHUP, 0 };
	poll(&p, 1, 0);
	return p.revents;
}
static struct sockaddr_un un(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	strncpy(a.sun_path, path, sizeof a.sun_path - 1);
	return a;
}
static struct sockaddr_un abstract(const char *name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	strcpy(a.sun_path + 1, name);
	return a;
}
#define ALEN(name) ((socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name)))

static void pairs(void)
{
	int sv[2], n;
	char b[32];

	CHECK("pair", socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	NOTE("poll", "%#x", ready(sv[0]));
	CHECK("write", write(sv[0], "hello", 5));
	CHECK("write more", write(sv[0], "world", 5));
	CHECK("FIONREAD", ioctl(sv[1], FIONREAD, &n));
	NOTE("is", "%d", n);
	CHECK("peek", recv(sv[1], b, sizeof b, MSG_PEEK));
	CHECK("read 7", read(sv[1], b, 7));
	CHECK("read rest", read(sv[1], b, sizeof b));
	CHECK("read nothing", recv(sv[1], b, 1, MSG_DONTWAIT));
	CHECK("send 0", send(sv[0], b, 0, 0));
	CHECK("shutdown", shutdown(sv[0], SHUT_WR));
	NOTE("peer poll", "%#x", ready(sv[1]));
	CHECK("read end", read(sv[1], b, 1));
	CHECK("write after shutdown", send(sv[0], "x", 1, MSG_NOSIGNAL));
	CHECK("other way", write(sv[1], "back", 4));
	CHECK("read", read(sv[0], b, sizeof b));
	CHECK("sendto connected", sendto(sv[1], "x", 1, 0, (void *)&(struct sockaddr_un){ .sun_family = AF_UNIX }, 10));
	close(sv[0]);
	NOTE("closed poll", "%#x", ready(sv[1]));
	CHECK("write to closed", send(sv[1], "x", 1, MSG_NOSIGNAL));
	close(sv[1]);
	socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
	(void)!write(sv[0], "unread", 6);
	close(sv[1]);
	CHECK("unread reset", read(sv[0], b, 1));
	CHECK("then", read(sv[0], b, 1));
	close(sv[0]);
	CHECK("seqpacket pair", socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv));
	CHECK("send a", send(sv[0], "abc", 3, 0));
	CHECK("send b", send(sv[0], "defgh", 5, 0));
	CHECK("recv a", recv(sv[1], b, sizeof b, 0));
	CHECK("recv cut", recv(sv[1], b, 2, MSG_TRUNC));
	close(sv[0]);
	CHECK("recv end", recv(sv[1], b, 2, 0));
	close(sv[1]);
	CHECK("dgram pair", socketpair(AF_UNIX, SOCK_DGRAM, 0, sv));
	CHECK("send", send(sv[0], "", 0, 0));
	CHECK("recv", recv(sv[1], b, sizeof b, MSG_DONTWAIT));
	CHECK("recv again", recv(sv[1], b, sizeof b, MSG_DONTWAIT));
	close(sv[1]);
	CHECK("send to closed", send(sv[0], "x", 1, 0));
	CHECK("and again", send(sv[0], "x", 1, 0));
	close(sv[0]);
}

static void names(void)
{
	int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), s, d;
	struct sockaddr_un a = un("/tmp/net_unix.sock"), x;
	socklen_t n = sizeof x;
	struct stat st;
	char b[16];

	unlink(a.sun_path);
	CHECK("listen unbound", listen(l, 1));
	NOTE("fresh poll", "%#x", ready(c));
	CHECK("fresh recv", recv(c, b, 1, 0));
	CHECK("fresh send", send(c, b, 1, MSG_NOSIGNAL));
	CHECK("unbound name", getsockname(l, (void *)&x, &n));
	NOTE("length", "%d", (int)n);
	CHECK("connect to nothing", connect(c, (void *)&a, sizeof a));
	CHECK("bind", bind(l, (void *)&a, sizeof a));
	CHECK("bind twice", bind(l, (void *)&a, sizeof a));
	CHECK("stat", stat(a.sun_path, &st));
	NOTE("is a socket", "%d", S_ISSOCK(st.st_mode));
	CHECK("open it", open(a.sun_path, O_RDWR));
	CHECK("bind existing", bind(c, (void *)&a, sizeof a));
	n = sizeof x;
	CHECK("name", getsockname(l, (void *)&x, &n));
	NOTE("is", "%d %s", (int)n, x.sun_path);
	CHECK("connect before listen", connect(c, (void *)&a, sizeof a));
	CHECK("listen", listen(l, 0));
	NOTE("listener poll", "%#x", ready(l));
	CHECK("connect", connect(c, (void *)&a, sizeof a));
	CHECK("connect again", connect(c, (void *)&a, sizeof a));
	NOTE("listener poll", "%#x", ready(l));
	d = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CHECK("queue full", connect(d, (void *)&a, sizeof a));
	CHECK("write before accept", write(c, "early", 5));
	n = sizeof x;
	s = accept(l, (void *)&x, &n);
	NOTE("accept", "%d %d", s >= 0, (int)n);
	CHECK("read", read(s, b, sizeof b));
	n = sizeof x;
	write(c, "from nobody", 11);
	CHECK("recvfrom an unnamed one", recvfrom(s, b, sizeof b, 0, (void *)&x, &n));
	NOTE("address", "%d", (int)n);
	n = sizeof x;
	write(s, "from a name", 11);
	CHECK("recvfrom a named one", recvfrom(c, b, sizeof b, 0, (void *)&x, &n));
	NOTE("address", "%d %s", (int)n, x.sun_path);
	n = sizeof x;
	CHECK("peer name", getpeername(c, (void *)&x, &n));
	NOTE("is", "%d", (int)n);
	close(l);
	CHECK("connect to closed", connect(d, (void *)&a, sizeof a));
	unlink(a.sun_path);
	close(s);
	close(c);
	close(d);

	l = socket(AF_UNIX, SOCK_STREAM, 0);
	a = abstract("pith-abi");
	CHECK("bind abstract", bind(l, (void *)&a, ALEN("pith-abi")));
	n = sizeof x;
	getsockname(l, (void *)&x, &n);
	NOTE("abstract name", "%d %s", (int)n, x.sun_path + 1);
	c = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK("bind same", bind(c, (void *)&a, ALEN("pith-abi")));
	listen(l, 5);
	CHECK("connect longer", connect(c, (void *)&a, ALEN("pith-abi") + 1));
	CHECK("connect", connect(c, (void *)&a, ALEN("pith-abi")));
	d = socket(AF_UNIX, SOCK_DGRAM, 0);
	CHECK("wrong type", connect(d, (void *)&a, ALEN("pith-abi")));
	CHECK("autobind", bind(d, (void *)&a, 2));
	n = sizeof x;
	getsockname(d, (void *)&x, &n);
	NOTE("autobind length", "%d %d", (int)n, x.sun_path[0]);
	CHECK("connect short", connect(c, (void *)&a, 1));
	a.sun_family = AF_INET;
	CHECK("connect wrong family", connect(d, (void *)&a, 10));
	CHECK("name too long", bind(d, (void *)&a, 200));
	close(l);
	close(c);
	close(d);
}

static void datagrams(void)
{
	int a = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0), b = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0), n = 0;
	struct sockaddr_un na = abstract("da"), nb = abstract("db"), x;
	socklen_t len = sizeof x;
	char buf[100];

	bind(b, (void *)&nb, ALEN("db"));
	CHECK("send nowhere", send(a, "x", 1, 0));
	CHECK("from unnamed", sendto(a, "x", 1, 0, (void *)&nb, ALEN("db")));
	CHECK("recvfrom", recvfrom(b, buf, sizeof buf, 0, (void *)&x, &len));
	NOTE("address", "%d", (int)len);
	bind(a, (void *)&na, ALEN("da"));
	CHECK("from named", sendto(a, "12345", 5, 0, (void *)&nb, ALEN("db")));
	len = sizeof x;
	CHECK("recvfrom cut", recvfrom(b, buf, 2, MSG_TRUNC, (void *)&x, &len));
	NOTE("address", "%d %s", (int)len, x.sun_path + 1);
	CHECK("to nobody", sendto(a, "x", 1, 0, (void *)&nb, ALEN("db") + 1));
	CHECK("connect", connect(a, (void *)&nb, ALEN("db")));
	while (send(a, "q", 1, 0) == 1 && n < 100)
		n++;
	NOTE("queue holds", "%d", n);
	NOTE("poll", "%#x", ready(a));
	CHECK("listen", listen(a, 1));
	CHECK("accept", accept(a, NULL, NULL));
	close(a);
	close(b);
}

static ssize_t send_fds(int s, const int *fds, int n)
{
	char control[CMSG_SPACE(sizeof(int) * 8)] = { 0 };
	struct iovec iov = { "f", 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(sizeof(int) * n) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * n);
	memcpy(CMSG_DATA(c), fds, sizeof(int) * n);
	return sendmsg(s, &m, 0);
}
static int recv_fds(int s, int *fds, size_t room, int *flags)
{
	char control[256], b[10];
	struct iovec iov = { b, sizeof b };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = room };
	ssize_t r = recvmsg(s, &m, MSG_CMSG_CLOEXEC);
	int n = 0;

	*flags = m.msg_flags & (MSG_CTRUNC | MSG_TRUNC);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); r >= 0 && c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_type == SCM_RIGHTS) {
			n = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
			memcpy(fds, CMSG_DATA(c), n * sizeof(int));
		} else if (c->cmsg_type == SCM_CREDENTIALS) {
			struct ucred u;
			memcpy(&u, CMSG_DATA(c), sizeof u);
			NOTE("credentials", "%d %d %d", u.pid == getpid(), u.uid == getuid(), u.gid == getgid());
		}
	}
	return r < 0 ? (int)r : n;
}

static void descriptors(void)
{
	int sv[2], p[2], got[8], flags, one = 1;
	char b[8];

	socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
	(void)!pipe(p);
	(void)!write(sv[0], "pre", 3);
	CHECK("send two", send_fds(sv[0], p, 2));
	(void)!write(sv[0], "post", 4);
	CHECK("plain and two", recv_fds(sv[1], got, 256, &flags));
	NOTE("cloexec", "%d", fcntl(got[0], F_GETFD));
	(void)!write(got[1], "pipe", 4);
	CHECK("they work", read(p[0], b, 8));
	CHECK("then the rest", read(sv[1], b, 8));
	CHECK("send bad", send_fds(sv[0], (int[]){ 99 }, 1));
	CHECK("send", send_fds(sv[0], p, 2));
	CHECK("room for one", recv_fds(sv[1], got, CMSG_SPACE(sizeof(int)) - 4, &flags));
	NOTE("flags", "%#x", flags);
	CHECK("send", send_fds(sv[0], p, 2));
	CHECK("no room", recv_fds(sv[1], got, 0, &flags));
	NOTE("flags", "%#x", flags);
	CHECK("send", send_fds(sv[0], p, 1));
	CHECK("read drops them", read(sv[1], b, 8));
	CHECK("passcred", setsockopt(sv[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof one));
	CHECK("send", send(sv[0], "x", 1, 0));
	CHECK("recv", recv_fds(sv[1], got, 256, &flags));
	struct ucred u;
	socklen_t n = sizeof u;
	CHECK("peercred", getsockopt(sv[0], SOL_SOCKET, SO_PEERCRED, &u, &n));
	NOTE("is us", "%d %d", u.pid == getpid(), u.uid == getuid());
	CHECK("send itself", send_fds(sv[0], &sv[1], 1));
	close(sv[0]);
	close(sv[1]);
}

/* Messages of all sizes in turn, each read in two pieces: nothing of one is left in another. */
static void sizes(const char *name, int from, int to)
{
	static const size_t lengths[] = { 1, 16, 17, 1, 80, 400, 464, 465, 5, 3000, 1, 31000, 40000, 2 };
	static unsigned char out[40000], in[40000];
	int wrong = 0;

	for (unsigned i = 0; i < 3 * sizeof(lengths) / sizeof(*lengths); i++) {
		size_t n = lengths[i % (sizeof(lengths) / sizeof(*lengths))], got = 0;

		for (size_t k = 0; k < n; k++)
			out[k] = (unsigned char)(7 * i + k);
		memset(in, 0, sizeof in);
		wrong += write(from, out, n) != (ssize_t)n;
		while (got < n) {
			ssize_t r = read(to, in + got, got ? n - got : n / 2 + 1);
			if (r <= 0)
				break;
			got += (size_t)r;
		}
		wrong += got != n || memcmp(in, out, n);
	}
	NOTE(name, "%d wrong", wrong);
}

static int stream_fd;
static void *stream_writer(void *arg)
{
	char c[20];

	memset(c, *(const char *)arg, sizeof c);
	for (int i = 0; i < 500; i++)
		if (write(stream_fd, c, 1 + (size_t)i % sizeof c) != 1 + i % (int)sizeof c)
			return NULL;
	return arg;
}

/* Two threads write to one end while the other is read: each byte comes once. */
static void writers(void)
{
	int sv[2], a = 0, b = 0, others = 0;
	char in[64], letters[2] = { 'a', 'b' };
	pthread_t t[2];
	void *good[2];

	socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
	stream_fd = sv[0];
	for (int i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, stream_writer, &letters[i]);
	while (a + b + others < 2 * 5250) {
		ssize_t n = read(sv[1], in, sizeof in);
		for (ssize_t k = 0; k < n; k++)
			*(in[k] == 'a' ? &a : in[k] == 'b' ? &b : &others) += 1;
		if (n <= 0)
			break;
	}
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], &good[i]);
	NOTE("two writers", "%d %d %d, %d", a, b, others, good[0] && good[1]);
	close(sv[0]);
	close(sv[1]);
}

static void contents(void)
{
	struct sockaddr_un a = un("sizes");
	int sv[2], l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0), s;

	socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
	sizes("a pair", sv[0], sv[1]);
	sizes("the other way", sv[1], sv[0]);
	CHECK("bind sizes", bind(l, (void *)&a, sizeof a));
	CHECK("listen sizes", listen(l, 1));
	CHECK("connect sizes", connect(c, (void *)&a, sizeof a));
	s = accept(l, NULL, NULL);
	sizes("to a name", c, s);
	sizes("from a name", s, c);
	close(sv[0]);
	sizes("after one end is gone", c, s);
	close(sv[1]);
	writers();
}

int main(void)
{
	contents();
	pairs();
	names();
	datagrams();
	descriptors();
	return 0;
}
