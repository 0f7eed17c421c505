/* net_ioctl.c - ioctls about interfaces, on sockets of every family; the loopback is the one that all machines have. */
#include "abi.h"
#include <grp.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static const struct { unsigned cmd; const char *name; } gets[] = {
	{ SIOCGIFFLAGS, "SIOCGIFFLAGS" }, { SIOCGIFADDR, "SIOCGIFADDR" }, { SIOCGIFDSTADDR, "SIOCGIFDSTADDR" }, { SIOCGIFBRDADDR, "SIOCGIFBRDADDR" },
	{ SIOCGIFNETMASK, "SIOCGIFNETMASK" }, { SIOCGIFMETRIC, "SIOCGIFMETRIC" }, { SIOCGIFMTU, "SIOCGIFMTU" }, { SIOCGIFHWADDR, "SIOCGIFHWADDR" },
	{ SIOCGIFINDEX, "SIOCGIFINDEX" }, { SIOCGIFTXQLEN, "SIOCGIFTXQLEN" }, { SIOCGIFMAP, "SIOCGIFMAP" }, { SIOCGIFMEM, "SIOCGIFMEM" },
	{ SIOCGIFSLAVE, "SIOCGIFSLAVE" }, { SIOCGIFPFLAGS, "SIOCGIFPFLAGS" }, { SIOCGIFCOUNT, "SIOCGIFCOUNT" }, { SIOCGIFENCAP, "SIOCGIFENCAP" },
	{ SIOCGIFBR, "SIOCGIFBR" }, { SIOCGMIIPHY, "SIOCGMIIPHY" }, { SIOCGMIIREG, "SIOCGMIIREG" },
};
static const struct { unsigned cmd; const char *name; } sets[] = {
	{ SIOCSIFFLAGS, "SIOCSIFFLAGS" }, { SIOCSIFADDR, "SIOCSIFADDR" }, { SIOCSIFDSTADDR, "SIOCSIFDSTADDR" }, { SIOCSIFBRDADDR, "SIOCSIFBRDADDR" },
	{ SIOCSIFNETMASK, "SIOCSIFNETMASK" }, { SIOCSIFMETRIC, "SIOCSIFMETRIC" }, { SIOCSIFMTU, "SIOCSIFMTU" }, { SIOCSIFHWADDR, "SIOCSIFHWADDR" },
	{ SIOCSIFTXQLEN, "SIOCSIFTXQLEN" }, { SIOCSIFMAP, "SIOCSIFMAP" }, { SIOCSIFNAME, "SIOCSIFNAME" }, { SIOCADDMULTI, "SIOCADDMULTI" },
	{ SIOCDELMULTI, "SIOCDELMULTI" }, { SIOCDIFADDR, "SIOCDIFADDR" }, { SIOCSIFHWBROADCAST, "SIOCSIFHWBROADCAST" }, { SIOCSIFPFLAGS, "SIOCSIFPFLAGS" },
	{ SIOCSIFLINK, "SIOCSIFLINK" }, { SIOCSIFMEM, "SIOCSIFMEM" }, { SIOCSIFENCAP, "SIOCSIFENCAP" }, { SIOCADDRT, "SIOCADDRT" }, { SIOCDELRT, "SIOCDELRT" },
	{ SIOCSARP, "SIOCSARP" }, { SIOCDARP, "SIOCDARP" }, { SIOCGARP, "SIOCGARP" }, { SIOCRTMSG, "SIOCRTMSG" }, { SIOCBRADDBR, "SIOCBRADDBR" },
	{ SIOCDRARP, "SIOCDRARP" }, { SIOCGRARP, "SIOCGRARP" }, { SIOCSRARP, "SIOCSRARP" }, { 0x89ff, "0x89ff" }, { 0x8980, "0x8980" },
};

static struct ifreq lo(void)
{
	struct ifreq r;
	memset(&r, 0, sizeof r);
	strcpy(r.ifr_name, "lo");
	return r;
}

static void ask(const char *family, int fd)
{
	char line[80];
	struct ifreq r;

	for (unsigned i = 0; i < sizeof gets / sizeof gets[0]; i++) {
		r = lo();
		snprintf(line, sizeof line, "%s %s", family, gets[i].name);
		if (CHECK(line, ioctl(fd, gets[i].cmd, &r)) < 0)
			continue;
		char text[64] = "";
		for (unsigned k = 16; k < 32; k++)
			sprintf(text + strlen(text), "%02x", ((unsigned char *)&r)[k]);
		NOTE(line, "%s %s", r.ifr_name, text);
	}
	for (unsigned i = 0; i < sizeof gets / sizeof gets[0]; i++) {
		r = lo();
		strcpy(r.ifr_name, "nosuch");
		snprintf(line, sizeof line, "%s %s nosuch", family, gets[i].name);
		CHECK(line, ioctl(fd, gets[i].cmd, &r));
	}
}

static void names(int fd)
{
	struct ifreq r = lo(), list[64];
	struct ifconf c = { .ifc_len = sizeof list, .ifc_req = list };

	r.ifr_ifindex = 1;
	CHECK("SIOCGIFNAME", ioctl(fd, SIOCGIFNAME, &r));
	NOTE("name", "%s", r.ifr_name);
	r.ifr_ifindex = 9999;
	CHECK("SIOCGIFNAME 9999", ioctl(fd, SIOCGIFNAME, &r));
	strcpy(r.ifr_name, "lo:1");
	CHECK("alias index", ioctl(fd, SIOCGIFINDEX, &r));
	strcpy(r.ifr_name, "lo:1");
	CHECK("alias addr", ioctl(fd, SIOCGIFADDR, &r));
	strcpy(r.ifr_name, "lo:1");
	CHECK("alias flags", ioctl(fd, SIOCGIFFLAGS, &r));
	memcpy(r.ifr_name, "sixteencharacter", 16);
	CHECK("no end", ioctl(fd, SIOCGIFINDEX, &r));
	CHECK("SIOCGIFCONF", ioctl(fd, SIOCGIFCONF, &c));
	NOTE("first", "%s %s", c.ifc_len >= (int)sizeof list[0] ? list[0].ifr_name : "", inet_ntoa(((struct sockaddr_in *)&list[0].ifr_addr)->sin_addr));
	c.ifc_len = 10;
	CHECK("SIOCGIFCONF short", ioctl(fd, SIOCGIFCONF, &c));
	NOTE("len", "%d", c.ifc_len);
	c = (struct ifconf){ 0 };
	CHECK("SIOCGIFCONF size", ioctl(fd, SIOCGIFCONF, &c));
	NOTE("some", "%d", c.ifc_len >= (int)sizeof list[0] && c.ifc_len % (int)sizeof list[0] == 0);
	CHECK("bad pointer", ioctl(fd, SIOCGIFINDEX, (void *)8));
	CHECK("conf bad pointer", ioctl(fd, SIOCGIFCONF, (void *)8));
}

static void ethtool(int fd)
{
	static const struct { unsigned cmd; const char *name; } cmds[] = {
		{ ETHTOOL_GSET, "GSET" }, { ETHTOOL_SSET, "SSET" }, { ETHTOOL_GWOL, "GWOL" }, { ETHTOOL_SWOL, "SWOL" }, { ETHTOOL_GMSGLVL, "GMSGLVL" },
		{ ETHTOOL_GLINK, "GLINK" }, { ETHTOOL_GEEPROM, "GEEPROM" }, { ETHTOOL_GCOALESCE, "GCOALESCE" }, { ETHTOOL_SCOALESCE, "SCOALESCE" },
		{ ETHTOOL_GRINGPARAM, "GRINGPARAM" }, { ETHTOOL_GPAUSEPARAM, "GPAUSEPARAM" }, { ETHTOOL_GREGS, "GREGS" }, { ETHTOOL_NWAY_RST, "NWAY_RST" },
		{ ETHTOOL_GCHANNELS, "GCHANNELS" }, { ETHTOOL_SGSO, "SGSO" }, { ETHTOOL_GLINKSETTINGS, "GLINKSETTINGS" },
		{ ETHTOOL_GEEE, "GEEE" }, { ETHTOOL_GMODULEINFO, "GMODULEINFO" }, { ETHTOOL_PHYS_ID, "PHYS_ID" }, { ETHTOOL_RESET, "RESET" }, { 0x999, "0x999" },
	};
	char line[64];
	unsigned data[64];

	for (unsigned i = 0; i < sizeof cmds / sizeof cmds[0]; i++) {
		struct ifreq r = lo();
		memset(data, 0, sizeof data);
		data[0] = cmds[i].cmd;
		r.ifr_data = (void *)data;
		snprintf(line, sizeof line, "ethtool %s", cmds[i].name);
		if (CHECK(line, ioctl(fd, SIOCETHTOOL, &r)) == 0)
			NOTE(line, "%#x %#x", data[0], data[1]);
	}
	struct ifreq r = lo();
	strcpy(r.ifr_name, "nosuch");
	r.ifr_data = (void *)data;
	data[0] = ETHTOOL_GLINK;
	CHECK("ethtool nosuch", ioctl(fd, SIOCETHTOOL, &r));
	r = lo();
	CHECK("ethtool no data", ioctl(fd, SIOCETHTOOL, &r));
}

int main(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), tcp = socket(AF_INET, SOCK_STREAM, 0), un = socket(AF_UNIX, SOCK_STREAM, 0), nl = socket(AF_NETLINK, SOCK_RAW, 0);
	char line[80];
	struct timespec ts;
	int n = -1;

	(void)!setgroups(0, 0);
	(void)!setresgid(1000, 1000, 1000);
	(void)!setresuid(1000, 1000, 1000);
	names(fd);
	ask("udp", fd);
	ask("unix", un);
	ask("netlink", nl);
	for (unsigned i = 0; i < sizeof sets / sizeof sets[0]; i++) {
		struct ifreq r = lo();
		snprintf(line, sizeof line, "udp %s", sets[i].name);
		CHECK(line, ioctl(fd, sets[i].cmd, &r));
		snprintf(line, sizeof line, "unix %s", sets[i].name);
		CHECK(line, ioctl(un, sets[i].cmd, &r));
	}
	ethtool(fd);
	CHECK("SIOCATMARK tcp", ioctl(tcp, SIOCATMARK, &n));
	CHECK("SIOCATMARK udp", ioctl(fd, SIOCATMARK, &n));
	CHECK("SIOCATMARK unix", ioctl(un, SIOCATMARK, &n));
	CHECK("SIOCGSTAMP", ioctl(fd, 0x8906, &ts));
	CHECK("SIOCGSTAMPNS", ioctl(fd, 0x8907, &ts));
	CHECK("SIOCINQ netlink", ioctl(nl, FIONREAD, &n));
	CHECK("SIOCOUTQ netlink", ioctl(nl, TIOCOUTQ, &n));
	CHECK("SIOCINQ udp", ioctl(fd, FIONREAD, &n));
	CHECK("SIOCOUTQ udp", ioctl(fd, TIOCOUTQ, &n));
	CHECK("SIOCINQ tcp", ioctl(tcp, FIONREAD, &n));
	CHECK("SIOCOUTQ tcp", ioctl(tcp, TIOCOUTQ, &n));
	CHECK("SIOCINQ unix", ioctl(un, FIONREAD, &n));
	CHECK("SIOCOUTQ unix", ioctl(un, TIOCOUTQ, &n));
	return 0;
}
