# The parts of lwIP that are built: names below src/, without the directory of the package.
# Left out on purpose: mem.c, memp.c (kernel/net/inet_mem.c), timeouts.c (kernel/net/inet_timer.c),
# dns.c (the program resolves), raw.c, stats.c, sys.c, autoip.c, dhcp6.c.
LWIP_SRC := $(addprefix core/,init.c def.c inet_chksum.c ip.c netif.c pbuf.c tcp.c tcp_in.c tcp_out.c udp.c) \
            $(addprefix core/ipv4/,dhcp.c etharp.c icmp.c igmp.c ip4_frag.c ip4.c ip4_addr.c) \
            $(addprefix core/ipv6/,ethip6.c icmp6.c ip6.c ip6_addr.c ip6_frag.c mld6.c nd6.c) netif/ethernet.c
# What runs for each packet is compiled as one file in the kernel, in this order, so that its functions can be inlined into one another.
LWIP_JOINED := $(addprefix core/,pbuf.c inet_chksum.c ip.c ipv4/ip4.c ipv4/etharp.c) netif/ethernet.c $(addprefix core/,tcp.c tcp_out.c tcp_in.c)
# tcp_input is inet_demux.c's, which finds the connection and then calls lwIP's. Fragments are copies: lwIP's other
# way changes the packet, which may be a segment that TCP will send again.
lwip_flags = $(if $(filter core/tcp_in,$(1)),-Dtcp_input=lwip_tcp_input) \
             $(if $(filter %_frag,$(1)),-DLWIP_NETIF_TX_SINGLE_PBUF=1) $(if $(filter %/nd6,$(1)),-DINET_PREFIXES)
