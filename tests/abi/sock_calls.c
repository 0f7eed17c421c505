/* Socket calls: descriptors, addresses, flags, options; over AF_UNIX and the loopback. */
#include "abi.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

static char buf[70000];

static struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
}

static void making(void)
{
	int p[2], s[2] = { -7, -7 };

	(void)!pipe(p);
	CHECK("family 100", socket(100, SOCK_STREAM, 0));
	CHECK("type 7", socket(AF_INET, 7, 0));
	CHECK("bad flag", socket(AF_INET, SOCK_STREAM | 0x10, 0));
	CHECK("wrong protocol", socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
	CHECK("cloexec", fcntl(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), F_GETFD));
	CHECK("nonblock", fcntl(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), F_GETFL));
	CHECK("socketpair inet", socketpair(AF_INET, SOCK_STREAM, 0, s));
	CHECK("socketpair bad pointer", syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, 8));
	CHECK("socketpair bad type", socketpair(AF_UNIX, 77, 0, s));
	CHECK("bind a pipe", bind(p[0], (struct sockaddr *)buf, 16));
	CHECK("bind closed", bind(99, (struct sockaddr *)buf, 16));
	CHECK("listen on a pipe", listen(p[0], 1));
	CHECK("accept on a pipe", accept(p[0], NULL, NULL));
	CHECK("accept4 bad flag", accept4(p[0], NULL, NULL, 1));
	CHECK("connect a pipe", connect(p[0], (struct sockaddr *)buf, 16));
	CHECK("sendto on a pipe", sendto(p[1], "x", 1, 0, NULL, 0));
	CHECK("recv on a pipe", recv(p[0], buf, 1, 0));
	CHECK("shutdown a pipe", shutdown(p[0], 0));
	CHECK("getsockname of a pipe", getsockname(p[0], (struct sockaddr *)buf, &(socklen_t){ 16 }));
	CHECK("getsockopt of a pipe", getsockopt(p[0], SOL_SOCKET, SO_TYPE, buf, &(socklen_t){ 4 }));
	CHECK("setsockopt closed", setsockopt(99, SOL_SOCKET, SO_TYPE, buf, 4));
	CHECK("sendmsg on a pipe", sendmsg(p[0], &(struct msghdr){ 0 }, 0));
	CHECK("recvmsg closed", recvmsg(99, &(struct msghdr){ 0 }, 0));
}

static void addresses(void)
{
	struct sockaddr_in a = loopback(0), b;
	int s = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len;

	CHECK("bind short", bind(s, (struct sockaddr *)&a, 8));
	CHECK("bind negative length", bind(s, (struct sockaddr *)&a, -1));
	CHECK("bind too long", bind(s, (struct sockaddr *)buf, 200));
	CHECK("bind bad pointer", bind(s, (struct sockaddr *)8, 16));
	a.sin_addr.s_addr = htonl(0x01020304);
	CHECK("bind foreign", bind(s, (struct sockaddr *)&a, sizeof(a)));
	a = loopback(0);
	CHECK("bind", bind(s, (struct sockaddr *)&a, sizeof(a)));
	CHECK("bind again", bind(s, (struct sockaddr *)&a, sizeof(a)));
	len = sizeof(b);
	CHECK("getsockname", getsockname(s, (struct sockaddr *)&b, &len));
	NOTE("name", "%u %d %s port %d", len, b.sin_family, inet_ntoa(b.sin_addr), b.sin_port != 0);
	memset(&b, 0xee, sizeof(b));
	len = 4;
	CHECK("getsockname short", getsockname(s, (struct sockaddr *)&b, &len));
	NOTE("full length, cut bytes", "%u %x", len, b.sin_addr.s_addr);
	len = -1;
	CHECK("getsockname negative", getsockname(s, (struct sockaddr *)&b, &len));
	CHECK("getsockname bad pointer", getsockname(s, (struct sockaddr *)8, &(socklen_t){ 16 }));
	CHECK("getsockname bad length pointer", getsockname(s, (struct sockaddr *)&b, (socklen_t *)8));
	CHECK("getpeername", getpeername(s, (struct sockaddr *)&b, &(socklen_t){ 16 }));
	CHECK("accept, not listening", accept(s, NULL, NULL));
	CHECK("recv, not connected", recv(s, buf, 1, 0));
	signal(SIGPIPE, SIG_IGN);
	CHECK("send, not connected", send(s, buf, 1, 0));
	CHECK("shutdown, not connected", shutdown(s, SHUT_RDWR));
	CHECK("shutdown 3", shutdown(s, 3));
	close(s);
}

static void streams(void)
{
	struct sockaddr_in a = loopback(0), peer;
	int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), s, n;
	socklen_t len = sizeof(a);

	bind(l, (struct sockaddr *)&a, sizeof(a));
	CHECK("listen", listen(l, 5));
	getsockname(l, (struct sockaddr *)&a, &len);
	fcntl(l, F_SETFL, O_NONBLOCK);
	CHECK("accept, nobody", accept(l, NULL, NULL));
	fcntl(l, F_SETFL, 0);
	CHECK("connect", connect(c, (struct sockaddr *)&a, sizeof(a)));
	CHECK("connect again", connect(c, (struct sockaddr *)&a, sizeof(a)));
	len = sizeof(peer);
	s = accept4(l, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
	NOTE("accepted", "%d %x %u", fcntl(s, F_GETFD), fcntl(s, F_GETFL), len);
	struct sockaddr_in mine;
	len = sizeof(mine);
	getsockname(c, (struct sockaddr *)&mine, &len);
	NOTE("peer is the client", "%d", memcmp(&mine, &peer, sizeof(peer)));
	CHECK("recv empty", recv(s, buf, 10, 0));
	CHECK("send", send(c, "hello world", 11, 0));
	struct pollfd f = { s, POLLIN, 0 };
	poll(&f, 1, 1000);
	CHECK("FIONREAD", ioctl(s, FIONREAD, &n));
	NOTE("count", "%d", n);
	CHECK("peek", recv(s, buf, 5, MSG_PEEK));
	CHECK("recv", recv(s, buf, 5, 0));
	CHECK("read rest", read(s, buf, 100));
	CHECK("recv dontwait", recv(c, buf, 1, MSG_DONTWAIT));
	CHECK("recv bad buffer", (send(c, "abc", 3, 0), poll(&f, 1, 1000), recv(s, (void *)8, 3, 0)));
	CHECK("still there", recv(s, buf, 10, 0));
	CHECK("send bad buffer", send(c, (void *)8, 3, 0));
	CHECK("recvfrom with address", (send(c, "abc", 3, 0), poll(&f, 1, 1000), len = 16, recvfrom(s, buf, 10, 0, (struct sockaddr *)&peer, &len)));
	CHECK("read nothing", read(s, buf, 0));
	CHECK("lseek", lseek(s, 0, SEEK_SET));
	CHECK("pread", pread(s, buf, 1, 0));
	CHECK("ftruncate", ftruncate(s, 0));
	CHECK("fsync", fsync(s));
	CHECK("shutdown write", shutdown(c, SHUT_WR));
	f.events = POLLIN | POLLRDHUP | POLLOUT;
	poll(&f, 1, 1000);
	usleep(20000);
	poll(&f, 1, 1000);
	NOTE("half closed", "%x", f.revents);
	CHECK("end", recv(s, buf, 1, 0));
	CHECK("send after shutdown", send(c, "x", 1, 0));
	CHECK("other way", send(s, "back", 4, 0));
	CHECK("arrives", recv(c, buf, 10, 0));
	close(s);
	close(c);
	struct rlimit rl, low;
	getrlimit(RLIMIT_NOFILE, &rl);
	c = socket(AF_INET, SOCK_STREAM, 0);
	connect(c, (struct sockaddr *)&a, sizeof(a));
	low = rl;
	low.rlim_cur = dup(0);
	close(low.rlim_cur);
	setrlimit(RLIMIT_NOFILE, &low);
	CHECK("accept, no descriptor", accept(l, NULL, NULL));
	setrlimit(RLIMIT_NOFILE, &rl);
	CHECK_OK("the connection waited", s = accept(l, NULL, NULL));
	CHECK("accept into a bad address", (close(c), c = socket(AF_INET, SOCK_STREAM, 0), connect(c, (struct sockaddr *)&a, sizeof(a)), accept(l, (struct sockaddr *)8, &(socklen_t){ 16 })));
	close(s);
	close(c);
	close(l);
	c = socket(AF_INET, SOCK_STREAM, 0);
	CHECK("refused", connect(c, (struct sockaddr *)&a, sizeof(a)));
}

static void datagrams(void)
{
	struct sockaddr_in a = loopback(0), b = loopback(0), from;
	int x = socket(AF_INET, SOCK_DGRAM, 0), y = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t len = sizeof(a);

	bind(x, (struct sockaddr *)&a, sizeof(a));
	bind(y, (struct sockaddr *)&b, sizeof(b));
	getsockname(x, (struct sockaddr *)&a, &len);
	getsockname(y, (struct sockaddr *)&b, &len);
	CHECK("sendto nowhere", send(x, "x", 1, 0));
	CHECK("sendto", sendto(x, "datagram", 8, 0, (struct sockaddr *)&b, sizeof(b)));
	len = sizeof(from);
	CHECK("recvfrom cut", recvfrom(y, buf, 4, 0, (struct sockaddr *)&from, &len));
	NOTE("from", "%u %d", len, from.sin_port == a.sin_port);
	CHECK("rest is gone", recv(y, buf, 100, MSG_DONTWAIT));
	CHECK("empty datagram", sendto(x, NULL, 0, 0, (struct sockaddr *)&b, sizeof(b)));
	CHECK("arrives", recv(y, buf, 100, 0));
	sendto(x, "datagram", 8, 0, (struct sockaddr *)&b, sizeof(b));
	CHECK("MSG_TRUNC", recv(y, buf, 4, MSG_TRUNC));
	CHECK("short address", sendto(x, "x", 1, 0, (struct sockaddr *)&b, 8));
	CHECK("too large", sendto(x, buf, 70000, 0, (struct sockaddr *)&b, sizeof(b)));
	CHECK("connect", connect(x, (struct sockaddr *)&b, sizeof(b)));
	CHECK("write", write(x, "connected", 9));
	CHECK("read", read(y, buf, 100));
	CHECK("listen", listen(x, 1));
	struct mmsghdr mm[3];
	struct iovec iov[3] = { { "one", 3 }, { "two", 3 }, { "three", 5 } }, in[3] = { { buf, 10 }, { buf + 100, 10 }, { buf + 200, 10 } };
	memset(mm, 0, sizeof(mm));
	for (int i = 0; i < 3; i++)
		mm[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
	CHECK("sendmmsg", sendmmsg(x, mm, 3, 0));
	NOTE("lengths", "%u %u %u", mm[0].msg_len, mm[1].msg_len, mm[2].msg_len);
	for (int i = 0; i < 3; i++)
		mm[i].msg_hdr = (struct msghdr){ .msg_iov = &in[i], .msg_iovlen = 1 };
	CHECK("recvmmsg", recvmmsg(y, mm, 3, MSG_WAITFORONE, NULL));
	NOTE("lengths", "%u %u %u", mm[0].msg_len, mm[1].msg_len, mm[2].msg_len);
	CHECK("recvmmsg, nothing", recvmmsg(y, mm, 3, MSG_DONTWAIT, NULL));
	CHECK("recvmmsg bad time", recvmmsg(y, mm, 3, 0, &(struct timespec){ -1, 0 }));
}

static int send_fds(int s, const int *fds, int n)
{
	char c[CMSG_SPACE(sizeof(int) * 8)] = { 0 };
	struct iovec iov = { "f", 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = c, .msg_controllen = CMSG_SPACE(sizeof(int) * n) };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	*h = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int) * n), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(h), fds, sizeof(int) * n);
	return sendmsg(s, &m, 0);
}

static int recv_fds(int s, int *fds, size_t room, int flags, int *ret_flags)
{
	char c[256];
	struct iovec iov = { buf, 10 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = c, .msg_controllen = room };
	int r = recvmsg(s, &m, flags);
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	*ret_flags = m.msg_flags;
	fds[0] = -1;
	if (r >= 0 && h && m.msg_controllen)
		memcpy(fds, CMSG_DATA(h), h->cmsg_len - CMSG_LEN(0));
	return r >= 0 ? (int)m.msg_controllen : r;
}

static void rights(void)
{
	int s[2], p[2], got[8], fl, closed[2] = { 99, 99 };

	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	(void)!pipe(p);
	CHECK("pass", send_fds(s[0], p, 2));
	CHECK("control length", recv_fds(s[1], got, sizeof(buf) > 256 ? 256 : 0, 0, &fl));
	NOTE("flags", "%x", fl);
	CHECK("works", (write(got[1], "via", 3), read(p[0], buf, 10)));
	CHECK("cloexec off", fcntl(got[0], F_GETFD));
	CHECK("pass one", send_fds(s[0], p, 1));
	recv_fds(s[1], got, 256, MSG_CMSG_CLOEXEC, &fl);
	CHECK("cloexec on", fcntl(got[0], F_GETFD));
	CHECK("pass closed", send_fds(s[0], closed, 2));
	CHECK("pass two", send_fds(s[0], p, 2));
	CHECK("room for one", recv_fds(s[1], got, CMSG_LEN(sizeof(int)), 0, &fl));
	NOTE("cut", "%x", fl);
	CHECK("pass", send_fds(s[0], p, 2));
	CHECK("no room", recv_fds(s[1], got, 0, 0, &fl));
	NOTE("cut", "%x", fl);
	CHECK("pass, read plainly", (send_fds(s[0], p, 2), read(s[1], buf, 10)));
	CHECK("pass to itself, close", (send_fds(s[0], s, 2), close(s[0]), close(s[1])));
	struct msghdr m = { .msg_iov = &(struct iovec){ "x", 1 }, .msg_iovlen = 1, .msg_control = buf, .msg_controllen = 16 };
	socketpair(AF_UNIX, SOCK_DGRAM, 0, s);
	memset(buf, 0, 16);
	CHECK("bad control", sendmsg(s[0], &m, 0));
	m.msg_controllen = 8;
	CHECK("short control", sendmsg(s[0], &m, 0));
	m = (struct msghdr){ .msg_iov = &(struct iovec){ "x", 1 }, .msg_iovlen = 2000 };
	CHECK("too many iovecs", sendmsg(s[0], &m, 0));
	CHECK("bad header", sendmsg(s[0], (void *)8, 0));
	CHECK("bad header", recvmsg(s[0], (void *)8, 0));
	(void)!write(s[1], "longer", 6);
	recv(s[0], buf, 100, 0);
	(void)!write(s[1], "longer", 6);
	m = (struct msghdr){ .msg_iov = &(struct iovec){ buf, 3 }, .msg_iovlen = 1 };
	CHECK("cut", recvmsg(s[0], &m, 0));
	NOTE("flags", "%x", m.msg_flags);
}

static void unix_paths(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "sock" }, b;
	int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0), s;
	socklen_t len;
	struct stat st = { 0 };

	CHECK("connect to nothing", connect(c, (struct sockaddr *)&a, sizeof(a)));
	CHECK("bind", bind(l, (struct sockaddr *)&a, sizeof(a)));
	stat("sock", &st);
	NOTE("node", "%o", st.st_mode & S_IFMT);
	CHECK("bind another there", bind(c, (struct sockaddr *)&a, sizeof(a)));
	CHECK("connect, not listening", connect(c, (struct sockaddr *)&a, sizeof(a)));
	CHECK("listen", listen(l, 1));
	CHECK("connect", connect(c, (struct sockaddr *)&a, sizeof(a)));
	len = sizeof(b);
	s = accept(l, (struct sockaddr *)&b, &len);
	NOTE("peer has no name", "%u", len);
	len = sizeof(b);
	CHECK("getpeername", getpeername(c, (struct sockaddr *)&b, &len));
	NOTE("name", "%u %s", len, b.sun_path);
	struct ucred cred = { 0 };
	len = sizeof(cred);
	CHECK("SO_PEERCRED", getsockopt(s, SOL_SOCKET, SO_PEERCRED, &cred, &len));
	NOTE("it is this process", "%d", cred.pid == getpid());
	CHECK("connect to a file", (close(open("plain", O_CREAT | O_RDWR, 0600)), strcpy(a.sun_path, "plain"), connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&a, sizeof(a))));
	CHECK("wrong type", (strcpy(a.sun_path, "sock"), connect(socket(AF_UNIX, SOCK_DGRAM, 0), (struct sockaddr *)&a, sizeof(a))));
	CHECK("open the node", open("sock", O_RDWR));
	CHECK("unlink", unlink("sock"));
	CHECK("connect to the gone", connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&a, sizeof(a)));
	CHECK("still connected", write(c, "x", 1));
	CHECK("read", read(s, buf, 10));
}

static void options(void)
{
	int s = socket(AF_INET, SOCK_STREAM, 0), v = 1;
	socklen_t len = 4;

	CHECK("set", setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &v, 4));
	v = 0;
	CHECK("get", getsockopt(s, SOL_SOCKET, SO_REUSEADDR, &v, &len));
	NOTE("value", "%d %u", v, len);
	len = 2;
	CHECK("get short", getsockopt(s, SOL_SOCKET, SO_TYPE, &v, &len));
	NOTE("length", "%u", len);
	len = 100;
	CHECK("get long", getsockopt(s, SOL_SOCKET, SO_TYPE, buf, &len));
	NOTE("length", "%u", len);
	len = -1;
	CHECK("get negative", getsockopt(s, SOL_SOCKET, SO_TYPE, &v, &len));
	CHECK("set negative", syscall(SYS_setsockopt, s, SOL_SOCKET, SO_REUSEADDR, &v, -1));
	CHECK("set short", setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &v, 2));
	CHECK("set bad pointer", setsockopt(s, SOL_SOCKET, SO_REUSEADDR, (void *)8, 4));
	CHECK("get bad pointer", getsockopt(s, SOL_SOCKET, SO_TYPE, (void *)8, &(socklen_t){ 4 }));
	CHECK("set read-only", setsockopt(s, SOL_SOCKET, SO_TYPE, &v, 4));
	CHECK("unknown", setsockopt(s, SOL_SOCKET, 9999, &v, 4));
	CHECK("unknown level", setsockopt(s, 9999, 1, &v, 4));
	CHECK("get unknown", getsockopt(s, SOL_SOCKET, 9999, &v, &(socklen_t){ 4 }));
	CHECK("nodelay", setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, 4));
	struct timeval tv = { 0, 30000 };
	int p[2];
	socketpair(AF_UNIX, SOCK_STREAM, 0, p);
	CHECK("SO_RCVTIMEO", setsockopt(p[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	CHECK("times out", recv(p[0], buf, 1, 0));
}

int main(void)
{
	making();
	addresses();
	streams();
	datagrams();
	rights();
	unix_paths();
	options();
	return 0;
}
