/* net_udp.c - datagrams on the loopback: addresses, truncation, connected sockets, control data, errors. */
#include "abi.h"
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>

static struct sockaddr_in lo(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	return a;
}
static int udp(void) { return socket(AF_INET, SOCK_DGRAM, 0); }
static int port_of(int fd)
{
	struct sockaddr_in a;
	socklen_t n = sizeof a;
	return getsockname(fd, (void *)&a, &n) ? -1 : ntohs(a.sin_port);
}
static int ready(int fd)
{
	struct pollfd p = { fd, POLLIN | POLLOUT | POLLRDHUP, 0 };
	poll(&p, 1, 0);
	return p.revents;
}
static void settle(void) { usleep(20000); }

int main(void)
{
	int a = udp(), b = udp(), n = 0, one = 1;
	struct sockaddr_in to = lo(0), from;
	socklen_t len = sizeof from;
	static char buf[70000];

	NOTE("fresh poll", "%#x", ready(a));
	CHECK("send without address", send(a, "x", 1, 0));
	CHECK("recv nothing", recv(a, buf, 1, MSG_DONTWAIT));
	CHECK("listen", listen(a, 1));
	CHECK("accept", accept(a, NULL, NULL));
	CHECK("shutdown unconnected", shutdown(b, SHUT_RD));
	close(b);
	b = udp();
	CHECK("getpeername", getpeername(a, (void *)&from, &len));
	CHECK("bind", bind(b, (void *)&to, sizeof to));
	CHECK("bind twice", bind(b, (void *)&to, sizeof to));
	to = lo(port_of(b));
	CHECK("bind in use", bind(a, (void *)&to, sizeof to));
	CHECK("sendto", sendto(a, "hello", 5, 0, (void *)&to, sizeof to));
	NOTE("autobound", "%d", port_of(a) > 0);
	CHECK("sendto empty", sendto(a, "", 0, 0, (void *)&to, sizeof to));
	CHECK("sendto third", sendto(a, "0123456789", 10, 0, (void *)&to, sizeof to));
	settle();
	NOTE("readable poll", "%#x", ready(b));
	CHECK("FIONREAD", ioctl(b, FIONREAD, &n));
	NOTE("FIONREAD says", "%d", n);
	CHECK("peek", recv(b, buf, 3, MSG_PEEK));
	CHECK("peek with trunc", recv(b, buf, 3, MSG_PEEK | MSG_TRUNC));
	CHECK("recvfrom", recvfrom(b, buf, sizeof buf, 0, (void *)&from, &len));
	NOTE("from", "%d %d %d", (int)len, from.sin_addr.s_addr == htonl(INADDR_LOOPBACK), ntohs(from.sin_port) == port_of(a));
	CHECK("recv empty one", recv(b, buf, sizeof buf, 0));
	struct iovec iov = { buf, 4 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_name = &from, .msg_namelen = sizeof from };
	CHECK("recvmsg cut", recvmsg(b, &m, 0));
	NOTE("flags", "%#x", m.msg_flags);
	CHECK("recv nothing left", recv(b, buf, 1, MSG_DONTWAIT));
	CHECK("back", sendto(b, "y", 1, 0, (void *)&from, sizeof from));
	CHECK("recv trunc", recv(a, buf, 0, MSG_TRUNC));
	CHECK("largest", sendto(a, buf, 65507, 0, (void *)&to, sizeof to));
	CHECK("recv largest", recv(b, buf, sizeof buf, 0));
	CHECK("too large", sendto(a, buf, 65508, 0, (void *)&to, sizeof to));
	CHECK("short address", sendto(a, buf, 1, 0, (void *)&to, 8));
	to.sin_port = 0;
	CHECK("port 0", sendto(a, buf, 1, 0, (void *)&to, sizeof to));
	to = lo(port_of(b));
	to.sin_family = AF_INET6;
	CHECK("wrong family", sendto(a, buf, 1, 0, (void *)&to, sizeof to));
	to.sin_family = AF_INET;
	CHECK("bad buffer", sendto(a, (void *)8, 10, 0, (void *)&to, sizeof to));
	CHECK("sendto any", sendto(a, "any", 3, 0, (void *)&(struct sockaddr_in){ AF_INET, to.sin_port, { 0 }, { 0 } }, sizeof to));
	CHECK("recv any", recv(b, buf, sizeof buf, 0));

	/* control data */
	setsockopt(b, SOL_IP, IP_PKTINFO, &one, sizeof one);
	setsockopt(b, SOL_SOCKET, SO_TIMESTAMP, &one, sizeof one);
	sendto(a, "c", 1, 0, (void *)&to, sizeof to);
	char control[256];
	iov.iov_len = sizeof buf;
	m = (struct msghdr){ .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
	CHECK("recvmsg control", recvmsg(b, &m, 0));
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		NOTE("control", "level %d type %d len %d", c->cmsg_level, c->cmsg_type, (int)c->cmsg_len);
		if (c->cmsg_level == SOL_IP) {
			struct in_pktinfo p;
			memcpy(&p, CMSG_DATA(c), sizeof p);
			NOTE("pktinfo", "if %d addr %d", p.ipi_ifindex, p.ipi_addr.s_addr == htonl(INADDR_LOOPBACK));
		}
	}
	one = 0;
	setsockopt(b, SOL_IP, IP_PKTINFO, &one, sizeof one);
	setsockopt(b, SOL_SOCKET, SO_TIMESTAMP, &one, sizeof one);

	/* connected */
	CHECK("connect", connect(a, (void *)&to, sizeof to));
	len = sizeof from;
	CHECK("getpeername", getpeername(a, (void *)&from, &len));
	NOTE("peer", "%d", from.sin_port == to.sin_port);
	CHECK("send", send(a, "hi", 2, 0));
	CHECK("recv", recv(b, buf, sizeof buf, 0));
	CHECK("sendto elsewhere", sendto(a, "hi", 2, 0, (void *)&to, sizeof to));
	CHECK("recv", recv(b, buf, sizeof buf, 0));
	int c = udp();
	struct sockaddr_in at = lo(port_of(a));
	CHECK("a stranger", sendto(c, "no", 2, 0, (void *)&at, sizeof at));
	settle();
	CHECK("is not heard", recv(a, buf, 10, MSG_DONTWAIT));
	struct mmsghdr mm[3] = { 0 };
	struct iovec iv[3] = { { "one", 3 }, { "three", 5 }, { "", 0 } };
	for (int i = 0; i < 3; i++) {
		mm[i].msg_hdr.msg_iov = &iv[i];
		mm[i].msg_hdr.msg_iovlen = 1;
	}
	CHECK("sendmmsg", sendmmsg(a, mm, 3, 0));
	NOTE("lengths", "%u %u %u", mm[0].msg_len, mm[1].msg_len, mm[2].msg_len);
	settle();
	for (int i = 0; i < 3; i++)
		iv[i] = (struct iovec){ buf + 100 * i, 100 };
	CHECK("recvmmsg", recvmmsg(b, mm, 3, MSG_DONTWAIT, NULL));
	NOTE("lengths", "%u %u %u", mm[0].msg_len, mm[1].msg_len, mm[2].msg_len);
	CHECK("shutdown rd", shutdown(a, SHUT_RD));
	CHECK("recv after", recv(a, buf, 10, 0));
	NOTE("poll after", "%#x", ready(a));
	close(a);
	a = udp();
	connect(a, (void *)&to, sizeof to);
	close(b);
	CHECK("send to closed", send(a, "x", 1, 0));
	settle();
	NOTE("error poll", "%#x", ready(a));
	CHECK("refused", send(a, "x", 1, 0));
	settle();
	CHECK("refused recv", recv(a, buf, 1, MSG_DONTWAIT));
	CHECK("then nothing", recv(a, buf, 1, MSG_DONTWAIT));
	from = (struct sockaddr_in){ .sin_family = AF_UNSPEC };
	CHECK("disconnect", connect(a, (void *)&from, sizeof from));
	CHECK("send", send(a, "x", 1, 0));
	struct timeval tv = { 0, 30000 };
	setsockopt(a, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
	CHECK("timeout", recv(a, buf, 1, 0));
	from = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = 0xffffffff };
	CHECK("broadcast not allowed", sendto(a, "x", 1, 0, (void *)&from, sizeof from));

	/* sharing a port */
	int r[2];
	one = 1;
	to = lo(0);
	for (int i = 0; i < 2; i++) {
		r[i] = udp();
		setsockopt(r[i], SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
		CHECK("reuseport", bind(r[i], (void *)&to, sizeof to));
		to = lo(port_of(r[i]));
	}
	for (int i = 0; i < 40; i++) {
		int s = udp();
		sendto(s, "x", 1, 0, (void *)&to, sizeof to);
		close(s);
	}
	settle();
	n = 0;
	for (int i = 0; i < 2; i++)
		while (recv(r[i], buf, 1, MSG_DONTWAIT) == 1)
			n++;
	NOTE("all came", "%d", n);
	return 0;
}
