#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# when: all
# A container whose only interface is wg0; the socket stays in the host's namespace.
#
#	+- host -------------------- eth0 198.51.100.1 --- Internet --- server 198.51.100.2
#	|                socket, port 51821                             wg0 192.168.7.2
#	|  +- container ----+
#	|  |  wg0 192.168.7.1
#	|  +----------------+

. "$(dirname "$0")/../lib/topology.sh"

load_module
internet
public host 1
host server 2
namespace container

# Made in the host's namespace, moved, and set up from inside.
keys container
ip -n host link add wg0 type wireguard
ip -n host link set wg0 netns container
in_ns container wg set wg0 private-key /dev/stdin listen-port 51821 <<<"${private[container]}"
ip -n container addr add 192.168.7.1/24 dev wg0
ip -n container route add default dev wg0 2>/dev/null && fail "a route through an interface that is down"
peer container server allowed-ips 0.0.0.0/0 endpoint 198.51.100.2:51822
peer server container allowed-ips 192.168.7.1/32
up server container
ip -n container route add default dev wg0

[[ $(ip -n container -br link | awk '{ print $1 }' | paste -sd ' ') == "lo wg0" ]] || fail "the container has other interfaces"
listens host 51821 -u || fail "the host has no socket"
! listens container 51821 -u || fail "the container has the socket"
refuses in_ns host wg show wg0
answers container 192.168.7.2 || fail "from the container"
answers server 192.168.7.1 || fail "to the container"
[[ $(shown server endpoints container) == 198.51.100.1:51821 ]] || fail "the server has the container at $(shown server endpoints container)"

# Nothing gets past the tunnel: neither to the host nor, the host's way, to the Internet.
unanswered container 198.51.100.1 || fail "the container reaches the host"
unanswered container 198.51.100.254 || fail "the container reaches the Internet"
unanswered host 192.168.7.1 || fail "the host reaches the container"
capture net host "$work/bare" 'ip and not udp'
answers container 198.51.100.2 || fail "the server's outer address, through the tunnel"
captured "$work/bare"
(($(lines "$work/bare") == 0)) || fail "packets beside the tunnel: $(cat "$work/bare")"

# The port is the host's: it can be changed from inside, and is free again when the interface is
# down.
in_ns container wg set wg0 listen-port 51831
listens host 51831 -u || fail "no socket on the new port"
answers container 192.168.7.2 || fail "from a new port"
ip -n container link set wg0 down
! listens host 51831 -u || fail "the socket outlives the interface being up"
ip -n container link set wg0 up
answers container 192.168.7.2 -I wg0 || fail "after down and up"

# The host's wire is what it hangs on.
ip -n host link set eth0 down
unanswered container 192.168.7.2 -I wg0 || fail "an answer without the host's wire"
