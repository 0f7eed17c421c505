/*
 * lwipopts.h - how lwIP is built into Pith.
 *
 * One lock of ours around everything (NO_SYS, raw API), memory from the kernel heap through
 * inet_mem.c, timers from inet_timer.c, sizes that follow the machine's memory: the two window
 * sizes are "a constant plus a variable", so that lwIP's own preprocessor checks still work.
 */
#ifndef LWIP_LWIPOPTS_H
#define LWIP_LWIPOPTS_H

#include "base/types.h"

/* Set once at boot, from the size of memory (inet.c). */
extern u32 inet_tcp_wnd_more, inet_tcp_sndbuf_more;

/* The system */
#define NO_SYS                          1
#define SYS_LIGHTWEIGHT_PROT            0
#define LWIP_SOCKET                     0
#define LWIP_NETCONN                    0
#define LWIP_TIMERS                     1
#define LWIP_TIMERS_CUSTOM              1
#define LWIP_HOOK_FILENAME              "inet_hooks.h"
#define LWIP_STATS                      0
#define LWIP_DISABLE_TCP_SANITY_CHECKS  1

/* In this file and not in inet_hooks.h because lwIP's own headers look for it. */
struct netif;
struct ip4_addr;
/* The interface for a destination where lwIP's own table would be wrong (our own addresses), or NULL. */
struct netif *inet_ip4_route(const struct ip4_addr *src, const struct ip4_addr *dst);
#define LWIP_HOOK_IP4_ROUTE_SRC(src, dst) inet_ip4_route((src), (dst))
struct ip6_addr;
struct netif *inet_ip6_route(const struct ip6_addr *src, const struct ip6_addr *dst);
#define LWIP_HOOK_IP6_ROUTE(src, dst) inet_ip6_route((src), (dst))
/* The next hop to a destination that no router announced: itself on a static prefix, else the static gateway, or NULL. */
const struct ip6_addr *inet_ip6_next_hop(const struct ip6_addr *dst);
#define LWIP_HOOK_ND6_GET_GW(netif, dst) inet_ip6_next_hop(dst)

/* Memory */
/* The short ones have constant lengths. */
#define SMEMCPY(to, from, len)          __builtin_memcpy(to, from, len)
#define MEM_LIBC_MALLOC                 1
#define MEMP_MEM_MALLOC                 1
#define MEM_ALIGNMENT                   8
#define LWIP_PBUF_REF_T                 u16_t
#define LWIP_SUPPORT_CUSTOM_PBUF        1
#define PBUF_POOL_BUFSIZE               1536
/* A second link: of the transmit queue and the loopback queue (a pbuf is on one of them at most). */
/* ... and, of a TCP segment, what the peer takes in one packet (its MSS); see inet_tcp_io.c. */
#define LWIP_PBUF_CUSTOM_DATA           struct pbuf *queue_next; u16_t peer_mss;

/* Families */
#define LWIP_IPV4                       1
#define LWIP_IPV6                       1
#define LWIP_IPV6_NUM_ADDRESSES         6    /* the link-local one is number 0 */
#define IPV6_FRAG_COPYHEADER            1
#define IPV6_REASS_MAXAGE               15   /* as IPv4: while the link timer still runs */
#define LWIP_ND6_NUM_NEIGHBORS          64
#define LWIP_ND6_NUM_DESTINATIONS       96
#define LWIP_ND6_NUM_PREFIXES           8
#define LWIP_ND6_NUM_ROUTERS            4
#define LWIP_ND6_RDNSS_MAX_DNS_SERVERS  3
#define LWIP_IPV6_DUP_DETECT_ATTEMPTS   1
#define LWIP_RAW                        0
/* Only so that DHCP asks for servers: dns.c is not built, inet.c takes what it finds. */
#define LWIP_DNS                        1
#define DNS_MAX_SERVERS                 3
#define LWIP_UDP                        1
#define LWIP_TCP                        1
#define LWIP_IGMP                       1
#define LWIP_DHCP                       1
#define DHCP_DOES_ARP_CHECK             0
#define LWIP_DHCP_MAX_DNS_SERVERS       3
#define LWIP_NETIF_HOSTNAME             1
#define LWIP_NETIF_STATUS_CALLBACK      1
#define LWIP_NETIF_HWADDRHINT           1
#define LWIP_HAVE_LOOPIF                0
#define LWIP_NETIF_LOOPBACK             0

/* Links */
#define ETHARP_SUPPORT_STATIC_ENTRIES   0
#define ARP_TABLE_SIZE                  64
#define ARP_QUEUEING                    1
#define ARP_QUEUE_LEN                   16

/* IP */
#define IP_FORWARD                      0
#define IP_REASSEMBLY                   1
#define IP_REASS_MAX_PBUFS              192
#define MEMP_NUM_REASSDATA              16
#define IP_FRAG                         1
#define IP_SOF_BROADCAST                0
#define SO_REUSE                        1
#define SO_REUSE_RXTOALL                1
#define LWIP_MULTICAST_TX_OPTIONS       1
u16 inet_checksum(const void *data, int len);
#define LWIP_CHKSUM                     inet_checksum
#define LWIP_CHECKSUM_CTRL_PER_NETIF    1
/* Linux answers a ping of a group. */
#define LWIP_MULTICAST_PING             1

/* TCP: a 50 ms fast tick (delayed acknowledgements) and a 100 ms slow tick (retransmission). */
#define TCP_TMR_INTERVAL                50
#define LWIP_TCP_RTO_TIME               1000
#define TCP_MSS                         61440
#define TCP_CALCULATE_EFF_SEND_MSS      1
#define LWIP_WND_SCALE                  1
#define TCP_RCV_SCALE                   5
#define TCP_WND                         (65536u + inet_tcp_wnd_more)
#define TCP_SND_BUF                     (131072u + inet_tcp_sndbuf_more)
#define TCP_SND_QUEUELEN                16384
#define TCP_SNDLOWAT                    2048
#define TCP_SNDQUEUELOWAT               8
/* At most a quarter of the window that a peer without window scaling sees: it would never be told otherwise. */
#define TCP_WND_UPDATE_THRESHOLD        LWIP_MIN(TCP_WND / 8u, 16384u)
#define TCP_OVERSIZE                    512
#define TCP_QUEUE_OOSEQ                 1
#define TCP_OOSEQ_MAX_BYTES             (TCP_WND)
#define TCP_OOSEQ_MAX_PBUFS             2048
#define LWIP_TCP_SACK_OUT               1
#define LWIP_TCP_TIMESTAMPS             1
#define LWIP_TCP_PCB_NUM_EXT_ARGS       1
#define TCP_LISTEN_BACKLOG              1
#define TCP_MSL                         15000
#define TCP_MAXRTX                      12
#define TCP_SYNMAXRTX                   12   /* inet_tcp_tick counts: TCP_SYNCNT */
#define LWIP_TCP_KEEPALIVE              1

#endif
