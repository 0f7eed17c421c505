/* proc_net.c - /proc/net and /sys/class/net: headers, the shape of rows, the rows of our own sockets, what lo says. */
#include "abi.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static char buf[1 << 20];

static long slurp(const char *path)
{
	int fd = open(path, O_RDONLY);
	long n = 0, r;

	if (fd < 0)
		return -1;
	while ((r = read(fd, buf + n, sizeof buf - 1 - n)) > 0)
		n += r;
	close(fd);
	buf[n] = 0;
	return r < 0 ? -1 : n;
}

static void header(const char *path, int lines)
{
	char *p = buf;
	if (slurp(path) < 0) {
		CHECK(path, -1);
		return;
	}
	while (lines--) {
		char *end = strchr(p, '\n');
		if (!end)
			break;
		NOTE(path, "%.*s|", (int)(end - p), p);
		p = end + 1;
	}
}

/* The row that has this inode as its nth word; its length and words, some of them left out. */
static int row_once(const char *what, const char *path, int fd, int column, const char *shown)
{
	struct stat st;
	char want[32], *line, *save, *word, *save2, text[400] = "";

	fstat(fd, &st);
	snprintf(want, sizeof want, "%lu", (unsigned long)st.st_ino);
	slurp(path);
	for (line = strtok_r(buf, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char copy[400];
		int i = 0, hit = 0;
		snprintf(copy, sizeof copy, "%s", line);
		for (word = strtok_r(copy, " ", &save2); word; word = strtok_r(NULL, " ", &save2), i++)
			if (i == column && !strcmp(word, want))
				hit = 1;
		if (!hit)
			continue;
		size_t len = strlen(line);
		snprintf(copy, sizeof copy, "%s", line);
		for (i = 0, word = strtok_r(copy, " ", &save2); word; word = strtok_r(NULL, " ", &save2), i++) {
			strcat(text, i < (int)strlen(shown) && shown[i] == '+' ? word : ".");
			strcat(text, " ");
		}
		NOTE(what, "%s words %d length %zu", text, i, len > 100 && len < 155 ? len : 0); /* padded ones */
		return 1;
	}
	return 0;
}
/* A busy table may lose rows for a reader: look again. */
static void row(const char *what, const char *path, int fd, int column, const char *shown)
{
	for (int i = 0; i < (*shown ? 20 : 1); i++)
		if (row_once(what, path, fd, column, shown))
			return;
	NOTE(what, "no row");
}

static void sockets(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(21811) };
	struct sockaddr_un u = { .sun_family = AF_UNIX, .sun_path = "\0abi proc_net" };
	struct sockaddr_nl n = { .nl_family = AF_NETLINK, .nl_groups = 5 };
	int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), d = socket(AF_INET, SOCK_DGRAM, 0), e = socket(AF_INET, SOCK_DGRAM, 0);
	int x = socket(AF_UNIX, SOCK_STREAM, 0), y = socket(AF_UNIX, SOCK_STREAM, 0), s, sv[2], nl = socket(AF_NETLINK, SOCK_RAW, 0), one = 1;

	row("tcp closed", "/proc/net/tcp", l, 9, "");
	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	CHECK("bind", bind(l, (void *)&a, sizeof a));
	row("tcp bound", "/proc/net/tcp", l, 9, "");
	CHECK("listen", listen(l, 5));
	row("tcp listening", "/proc/net/tcp", l, 9, ".++++++.+.+");
	CHECK("connect", connect(c, (void *)&a, sizeof a));
	s = accept(l, 0, 0);
	CHECK("send", send(c, "hello", 5, 0));
	usleep(100000);
	row("tcp client", "/proc/net/tcp", c, 9, "..++");
	row("tcp server", "/proc/net/tcp", s, 9, ".+.++");
	row("udp new", "/proc/net/udp", d, 9, "");
	CHECK("bind udp", bind(d, (void *)&a, sizeof a));
	row("udp bound", "/proc/net/udp", d, 9, ".++++++.+.+");
	CHECK("connect udp", connect(e, (void *)&a, sizeof a));
	row("udp connected", "/proc/net/udp", e, 9, "..+++++");
	CHECK("send udp", send(e, "abc", 3, 0));
	row("udp with data", "/proc/net/udp", d, 9, ".+++");
	row("unix new", "/proc/net/unix", x, 6, ".+++++");
	CHECK("bind unix", bind(x, (void *)&u, offsetof(struct sockaddr_un, sun_path) + 13));
	row("unix bound", "/proc/net/unix", x, 6, "..++++.++");
	CHECK("listen unix", listen(x, 1));
	row("unix listening", "/proc/net/unix", x, 6, "..++++.++");
	CHECK("connect unix", connect(y, (void *)&u, offsetof(struct sockaddr_un, sun_path) + 13));
	row("unix connected", "/proc/net/unix", y, 6, ".+++++");
	socketpair(AF_UNIX, SOCK_DGRAM, 0, sv);
	row("unix dgram", "/proc/net/unix", sv[0], 6, "..++++");
	CHECK("bind netlink", bind(nl, (void *)&n, sizeof n));
	row("netlink", "/proc/net/netlink", nl, 9, ".+.++++");
}

static void sockets6(void)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT, .sin6_port = htons(21813) };
	struct sockaddr_in b = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(21813) };
	int l = socket(AF_INET6, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), d = socket(AF_INET6, SOCK_DGRAM, 0), s, one = 1;

	row("udp6 new", "/proc/net/udp6", d, 9, "");
	CHECK("bind udp6", bind(d, (void *)&a, sizeof a));
	row("udp6 bound", "/proc/net/udp6", d, 9, ".++++++.+.+");
	a.sin6_addr = in6addr_any;
	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	CHECK("bind tcp6", bind(l, (void *)&a, sizeof a));
	CHECK("listen tcp6", listen(l, 5));
	row("tcp6 listening", "/proc/net/tcp6", l, 9, ".++++++.+.+");
	CHECK("connect by IPv4", connect(c, (void *)&b, sizeof b));
	s = accept(l, 0, 0);
	row("tcp6 mapped", "/proc/net/tcp6", s, 9, ".+.+");
	row("its peer", "/proc/net/tcp", c, 9, "..++");
}

static void sys(const char *name)
{
	char path[100];
	snprintf(path, sizeof path, "/sys/class/net/lo/%s", name);
	long n = slurp(path);
	if (n < 0)
		CHECK(path, -1);
	else
		NOTE(path, "%ld %s", n, buf[0] ? (buf[strcspn(buf, "\n")] = 0, buf) : "");
}

static int is_number(const char *path)
{
	char *end;
	long n = slurp(path);
	if (n <= 0)
		return 0;
	strtoull(buf, &end, 10);
	return end > buf && *end == '\n' && end[1] == 0;
}

static void lo(void)
{
	static const char *const files[] = { "address", "addr_len", "broadcast", "carrier", "carrier_changes", "carrier_up_count", "carrier_down_count", "dormant", "duplex",
					     "flags", "ifalias", "ifindex", "iflink", "link_mode", "mtu", "operstate", "speed", "tx_queue_len", "type", "uevent",
					     "dev_id", "dev_port", "netdev_group", "addr_assign_type", "name_assign_type", "nosuch", "statistics/nosuch" };
	struct stat st;
	char link[200];
	long n;

	for (unsigned i = 0; i < sizeof files / sizeof files[0]; i++)
		sys(files[i]);
	n = readlink("/sys/class/net/lo", link, sizeof link - 1);
	NOTE("link", "%.*s", (int)(n > 0 ? n : 0), link);
	n = readlink("/sys/class/net/lo/subsystem", link, sizeof link - 1);
	NOTE("subsystem", "%.*s", (int)(n > 0 ? n : 0), link);
	stat("/sys/class/net/lo/mtu", &st);
	NOTE("size", "%ld", (long)st.st_size);
	DIR *d = opendir("/sys/class/net/lo/statistics");
	unsigned count = 0, good = 0;
	for (struct dirent *e; d && (e = readdir(d));) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(link, sizeof link, "/sys/class/net/lo/statistics/%.100s", e->d_name);
		count++;
		good += is_number(link);
	}
	NOTE("statistics", "%u numbers of %u", good, count);
}

/* The row of a group on lo without what timers do; nothing if there is none. */
static void group_row(const char *what, const char *path, const char *group, unsigned words)
{
	int on_lo = 0, shown = 0;

	slurp(path);
	for (char *line = strtok(buf, "\n"); line && !shown; line = strtok(NULL, "\n")) {
		char name[20];
		unsigned index;
		if (sscanf(line, "%u %19s", &index, name) == 2 && line[0] != '\t')
			on_lo = !strcmp(name, "lo");
		char *at = strstr(line, group);
		if (!on_lo || !at)
			continue;
		char *end = at;
		for (unsigned i = 0; i < words; i++)
			end += strspn(end, " ") + strcspn(end + strspn(end, " "), " ");
		NOTE(what, "%.*s|", (int)(end - line), line);
		shown = 1;
	}
	if (!shown)
		NOTE(what, "absent");
}

static void groups(void)
{
	struct ip_mreqn m = { .imr_ifindex = 1 };
	struct ipv6_mreq m6 = { .ipv6mr_interface = 1 };
	int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0), c = socket(AF_INET6, SOCK_DGRAM, 0);

	header("/proc/net/igmp", 1);
	group_row("all systems", "/proc/net/igmp", "010000E0", 2);
	group_row("all nodes", "/proc/net/igmp6", "ff020000000000000000000000000001", 3);
	group_row("all nodes of the interface", "/proc/net/igmp6", "ff010000000000000000000000000001", 3);
	inet_pton(AF_INET, "239.1.2.3", &m.imr_multiaddr);
	inet_pton(AF_INET6, "ff12::77", &m6.ipv6mr_multiaddr);
	group_row("not joined", "/proc/net/igmp", "030201EF", 2);
	CHECK("join", setsockopt(a, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof m));
	group_row("joined", "/proc/net/igmp", "030201EF", 2);
	CHECK("join", setsockopt(b, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof m));
	group_row("joined twice", "/proc/net/igmp", "030201EF", 2);
	CHECK("join", setsockopt(c, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &m6, sizeof m6));
	group_row("joined", "/proc/net/igmp6", "ff120000000000000000000000000077", 2);
	close(a);
	group_row("left once", "/proc/net/igmp", "030201EF", 2);
	close(b);
	group_row("left", "/proc/net/igmp", "030201EF", 2);
	close(c);
	group_row("left", "/proc/net/igmp6", "ff120000000000000000000000000077", 2);
}

int main(void)
{
	char *p;

	header("/proc/net/dev", 2);
	p = strstr(buf, "    lo:");
	NOTE("lo has a row", "%d", p != NULL);
	int words = 0;
	for (p = p ? strchr(p, ':') + 1 : "\n"; *p && *p != '\n';) {
		unsigned long v;
		int n;
		if (sscanf(p, "%lu%n", &v, &n) != 1)
			break;
		words++;
		p += n;
	}
	NOTE("numbers of lo", "%d", words);
	header("/proc/net/tcp", 1);
	header("/proc/net/udp", 1);
	header("/proc/net/tcp6", 1);
	header("/proc/net/udp6", 1);
	header("/proc/net/unix", 1);
	header("/proc/net/route", 1);
	header("/proc/net/arp", 1);
	header("/proc/net/netlink", 1);
	header("/proc/net/nosuch", 1);
	NOTE("if_inet6 is there", "%d", slurp("/proc/net/if_inet6") >= 0);
	NOTE("ipv6_route is there", "%d", slurp("/proc/net/ipv6_route") >= 0);
	NOTE("sockstat", "%d", slurp("/proc/net/sockstat") > 0 && !strncmp(buf, "sockets: used ", 14) && strstr(buf, "\nTCP: inuse ") && strstr(buf, "\nUDP: inuse ") && strstr(buf, " mem "));
	NOTE("protocols", "%d", slurp("/proc/net/protocols") > 0 && strstr(buf, "\nTCP ") && strstr(buf, "\nUDP ") && strstr(buf, "\nUNIX ") && strstr(buf, "\nNETLINK "));
	slurp("/proc/net/snmp");
	for (p = buf; (p = strstr(p, "\nTcp: ")); p++)
		NOTE("snmp tcp", "%.*s", p[6] > '9' ? (int)strcspn(p + 1, "\n") : 8, p + 1);
	NOTE("netstat", "%d", slurp("/proc/net/netstat") > 0 && strstr(buf, "IpExt: ") && strstr(buf, "InOctets"));
	NOTE("net is self/net", "%d", (int)readlink("/proc/net", buf, 100));
	NOTE("it says", "%.8s", buf);
	slurp("/proc/net/if_inet6");
	for (p = strtok(buf, "\n"); p; p = strtok(NULL, "\n"))
		if (strstr(p, " lo"))
			NOTE("if_inet6 of lo", "%s|", p);
	sockets();
	sockets6();
	lo();
	groups();
	return 0;
}
