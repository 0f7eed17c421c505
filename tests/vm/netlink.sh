#!/bin/sh
# netlink.sh - programs that ask the kernel about the network: ip, Go's net package, Python's socket module.
. tests/vm/lib

ip=/usr/bin/ip
py=/usr/bin/python3

cat >ifaces.go <<'G'
package main

import (
	"fmt"
	"net"
)

func main() {
	all, err := net.Interfaces()
	if err != nil {
		panic(err)
	}
	for _, i := range all {
		addrs, err := i.Addrs()
		if err != nil {
			panic(err)
		}
		fmt.Println(i.Index, i.Name, i.MTU, i.HardwareAddr, i.Flags, addrs[0])
	}
	every, err := net.InterfaceAddrs()
	if err != nil || len(every) < 2 {
		panic("too few addresses")
	}
	by, err := net.InterfaceByName("eth0")
	fmt.Println(by.Index, err)
}
G
HOME=$dir GOCACHE=${GOCACHE:-$dir/go} GO111MODULE=off CGO_ENABLED=0 go build -o ifaces ifaces.go

cat >names.py <<'P'
import errno, socket
print(socket.if_nameindex(), socket.if_nametoindex("eth0"), socket.if_indextoname(1))
print(socket.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)[0][4])
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
s.bind((0, 1))
print(s.getsockname()[1])
s.setblocking(False)
try:
    s.recv(100)
except OSError as e:
    print(errno.errorcode[e.errno])
P

for on in ${MACHINES_NETLINK:-microvm:1 q35:4}; do
    vm "$on" "$ip" -j addr >addr.json 2>addr.err
    is "netlink/$on/ip addr" "$("$py" -c '
import json
a = json.load(open("addr.json"))
print([(i["ifindex"], i["ifname"], i["operstate"], i["link_type"], [(x["local"], x["prefixlen"], x["scope"]) for x in i["addr_info"] if x["family"] == "inet"]) for i in a])
' 2>&1)" "[(1, 'lo', 'UNKNOWN', 'loopback', [('127.0.0.1', 8, 'host')]), (2, 'eth0', 'UP', 'ether', [('10.0.2.15', 24, 'global')])]"
    is "netlink/$on/ip link" "$(vm "$on" "$ip" -s -s link show dev eth0 2>&1 | sed -n '1s/ qdisc.*//p')" "2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500"
    is "netlink/$on/ip route" "$(vm "$on" "$ip" -4 route 2>&1 | sed 's/ *$//' | tr '\n' '|')" "default via 10.0.2.2 dev eth0 proto dhcp|10.0.2.0/24 dev eth0 proto kernel scope link src 10.0.2.15|"
    is "netlink/$on/ip route get" "$(vm "$on" "$ip" -4 route get 192.0.2.7 2>&1 | sed 's/ *$//' | tr '\n' '|')" "192.0.2.7 via 10.0.2.2 dev eth0 src 10.0.2.15 uid 1000|    cache|"
    is "netlink/$on/ip -6 addr" "$(vm "$on" "$ip" -6 -o addr show dev lo 2>&1 | tr -s ' ' | cut -d' ' -f2-6)" "lo inet6 ::1/128 scope host"
    is "netlink/$on/ip -6 route get" "$(vm "$on" "$ip" -6 route get ::1 2>&1 | cut -d' ' -f1-8)" "local ::1 dev lo table local src ::1"
    is "netlink/$on/ip addr add" "$(vm "$on" "$ip" addr add 10.0.0.9/8 dev lo 2>&1)" "RTNETLINK answers: Operation not permitted"
    vm "$on" "$ip" -4 neigh >neigh 2>&1
    is "netlink/$on/ip neigh" "$? $(grep -vcE '^10\.0\.2\.[0-9]+ dev eth0 lladdr [0-9a-f:]{17} REACHABLE' neigh)" "0 0"
    vm "$on" ./ifaces >go.out 2>&1
    is "netlink/$on/go" "$(sed 's/[0-9a-f:]\{17\}/MAC/; s/|running//' go.out | tr '\n' '|')" "1 lo 65536  up|loopback 127.0.0.1/8|2 eth0 1500 MAC up|broadcast|multicast 10.0.2.15/24|2 <nil>|"
    is "netlink/$on/python" "$(vm "$on" -m 256M -a /usr/lib/python3.11 -a /usr/lib/python3 -a names.py:/names.py "$py" /names.py 2>&1 | tr '\n' '|')" \
        "[(1, 'lo'), (2, 'eth0')] 2 lo|('127.0.0.1', 80)|1|EAGAIN|"
done
