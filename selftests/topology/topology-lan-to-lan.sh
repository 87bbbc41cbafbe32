#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# when: all
# LAN to LAN: two routers join the networks behind them; the hosts there know nothing of it.
#
#	desk 10.1.0.2 --- east 198.51.100.1 --- Internet --- west 198.51.100.2 --- shelf 10.2.0.2
#	                  wg0 192.168.7.1                    wg0 192.168.7.2

. "$(dirname "$0")/../lib/topology.sh"

load_module
internet
public east 1
lan east desk 1
nat east
public west 2
lan west shelf 2
nat west
# The one thing to come in from outside.
for ns in east west; do in_ns $ns nft insert rule inet filter input udp dport 51821-51822 accept; done
interface east 1
interface west 2
peer east west allowed-ips 192.168.7.2/32,10.2.0.0/24 endpoint 198.51.100.2:51822
peer west east allowed-ips 192.168.7.1/32,10.1.0.0/24 endpoint 198.51.100.1:51821
up east west
ip -n east route add 10.2.0.0/24 dev wg0
unanswered desk 10.2.0.2 || fail "an answer without a route back"
ip -n west route add 10.1.0.0/24 dev wg0
answers desk 10.2.0.2 || fail "from desk to shelf"
answers shelf 10.1.0.2 || fail "from shelf to desk"

# Two hops, with the addresses that the hosts have.
in_ns desk ping -c 1 -W 1 10.2.0.2 | grep ttl=62 >/dev/null || fail "not two hops between desk and shelf"
capture shelf eth0 "$work/shelf" 'icmp and src 10.1.0.2'
answers desk 10.2.0.2 || fail "ping under observation"
captured "$work/shelf"
(($(lines "$work/shelf") == 1)) || fail "the shelf sees another address than the desk's"

# The tunnel's size reaches the hosts: 1420 bytes fit, more are said not to.
answers desk 10.2.0.2 -M "do" -s 1392 || fail "a packet of 1420 bytes"
refuses in_ns desk ping -c 1 -W 1 -M "do" -s 1393 10.2.0.2
[[ $message == *"Frag needed and DF set (mtu = 1420)"* ]] || fail "a packet of 1421 bytes: $message"
iperf3_server shelf --one-off
in_ns desk iperf3 --client 10.2.0.2 --bytes 2M >"$work/iperf3.log" || fail "a TCP stream: $(cat "$work/iperf3.log")"

# Without the network in the allowed IPs there is neither a way out nor in.
peer east west allowed-ips 192.168.7.2/32
unanswered desk 10.2.0.2 || fail "an answer from a network that is not allowed"
peer east west allowed-ips 192.168.7.2/32,10.2.0.0/24
answers desk 10.2.0.2 || fail "from desk to shelf again"
peer west east allowed-ips 192.168.7.1/32
unanswered desk 10.2.0.2 || fail "an answer to a network that is not allowed"
answers east 192.168.7.2 || fail "from router to router"
