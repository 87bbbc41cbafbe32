#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# when: all
# limit: 90
# wg-quick: up and down with routes, hooks, DNS and SaveConfig; and with everything through the
# tunnel.

. "$(dirname "$0")/../lib.sh"

# snapshot: all that wg-quick may change in a's namespace and in the file for name servers.
snapshot() {
	local family
	for family in -4 -6; do
		ip -n a $family rule
		# The link-local address of veth comes when it likes.
		ip -n a $family route show table all | grep -v fe80: | sort
	done
	in_ns a nft list ruleset
	ip -n a -br link | awk '{ print $1 }'
	cat /etc/resolv.conf
}

quick() {
	in_ns a wg-quick "$@" >>"$work/wg-quick.log" 2>&1 || fail "wg-quick $*: $(tail -n 20 "$work/wg-quick.log")"
}

load_module
# It writes into /etc, which is read-only here.
modprobe overlay
mkdir "$work/etc" "$work/work"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$work/etc,workdir=$work/work" /etc
rm -f /etc/resolv.conf
echo 'nameserver 10.0.0.53' >/etc/resolv.conf
mkdir -p /etc/wireguard

joined a b
interface b 2
keys a
peer b a allowed-ips 192.168.7.1/32,fd77::1/128
ip -n b link set wg0 up
ip -n b addr add 10.66.0.1/24 dev wg0
ip -n a route add default via 10.0.0.2

# Some prefixes only.
umask 077
cat >/etc/wireguard/wg0.conf <<-END
	[Interface]
	Address = 192.168.7.1/24, fd77::1/64
	ListenPort = 51821
	PrivateKey = ${private[a]}
	DNS = 192.168.7.53, fd77::53, example.org
	PostUp = echo up %i >>$work/hooks; wg show %i listen-port >>$work/hooks
	PreDown = wg show %i listen-port >>$work/hooks
	PostDown = echo down %i >>$work/hooks

	[Peer]
	PublicKey = ${public[b]}
	AllowedIPs = 192.168.7.2/32, fd77::2/128, 10.66.0.0/24
	Endpoint = 10.0.0.2:51822
END
snapshot >"$work/before"
quick up wg0
[[ $(cat "$work/hooks") == $'up wg0\n51821' ]] || fail "hooks on the way up: $(cat "$work/hooks")"
answers a 192.168.7.2 || fail "IPv4"
answers a fd77::2 || fail "IPv6"
[[ $(ip -n a route show 10.66.0.0/24) == *"dev wg0"* ]] || fail "no route for an allowed prefix"
answers a 10.66.0.1 || fail "a routed prefix"
# 80 bytes less than the way to the endpoint has.
[[ $(ip -n a link show wg0) == *"mtu 1420"* ]] || fail "mtu: $(ip -n a link show wg0)"
grep -q 192.168.7.53 /etc/resolv.conf || fail "no name server of the tunnel: $(cat /etc/resolv.conf)"
grep -q example.org /etc/resolv.conf || fail "no search domain of the tunnel: $(cat /etc/resolv.conf)"
refuses in_ns a wg-quick up wg0
[[ $message == *"already exists"* ]] || fail "up twice: $message"
in_ns a wg-quick strip wg0 >"$work/stripped"
! grep -qE 'Address|DNS|Post|Pre' "$work/stripped" || fail "strip leaves $(cat "$work/stripped")"
in_ns a wg syncconf wg0 "$work/stripped"
answers a 192.168.7.2 || fail "ping after syncconf of the stripped file"
quick down wg0
[[ $(tail -n 2 "$work/hooks") == $'51821\ndown wg0' ]] || fail "hooks on the way down: $(cat "$work/hooks")"
snapshot >"$work/after"
diff -u "$work/before" "$work/after" || fail "down does not undo up"

# SaveConfig: what was changed by hand is in the file afterwards, and comes back.
sed -i '/^DNS\|^P.*=.*hooks/d; s/^\[Interface\]/&\nSaveConfig = true/' /etc/wireguard/wg0.conf
other=$(wg genkey | wg pubkey)
quick up wg0
in_ns a wg set wg0 listen-port 51831 peer "$other" allowed-ips 10.77.0.0/24 persistent-keepalive 21
ip -n a addr add 192.168.7.11/24 dev wg0
quick down wg0
for line in 'ListenPort = 51831' "PublicKey = $other" 'AllowedIPs = 10.77.0.0/24' 'PersistentKeepalive = 21' \
	'Address = 192.168.7.11/24' "PublicKey = ${public[b]}" "PrivateKey = ${private[a]}"; do
	grep -qxF "$line" /etc/wireguard/wg0.conf || fail "'$line' is not saved in $(cat /etc/wireguard/wg0.conf)"
done
quick up wg0
[[ $(in_ns a wg show wg0 listen-port) == 51831 ]] || fail "the saved port does not come back"
[[ $(in_ns a wg show wg0 allowed-ips) == *"$other"$'\t10.77.0.0/24'* ]] || fail "the saved peer does not come back"
quick down wg0

# Everything: a mark, a table and rules; IPv6 too. The endpoint lies behind the default route, which
# is the tunnel's for all but marked packets.
cat >/etc/wireguard/wg0.conf <<-END
	[Interface]
	Address = 192.168.7.1/24, fd77::1/64
	PrivateKey = ${private[a]}

	[Peer]
	PublicKey = ${public[b]}
	AllowedIPs = 0.0.0.0/0, ::/0
	Endpoint = 203.0.113.2:51822
END
ip -n b addr add 203.0.113.1/32 dev lo
ip -n b addr add 203.0.113.2/32 dev lo
ip -n b addr add 2001:db8::1/128 dev lo nodad
snapshot >"$work/before"
capture b veth "$work/bare" 'icmp or icmp6 and host 2001:db8::1'
quick up wg0
[[ $(in_ns a wg show wg0 fwmark) == 0xca6c ]] || fail "mark: $(in_ns a wg show wg0 fwmark)"
for family in -4 -6; do
	rules=$(ip -n a $family rule)
	[[ $rules == *"not from all fwmark 0xca6c lookup 51820"* ]] || fail "rules $family: $rules"
	[[ $rules == *"from all lookup main suppress_prefixlength 0"* ]] || fail "rules $family: $rules"
	[[ $(ip -n a $family route show table 51820) == "default dev wg0"* ]] || fail "no default route $family"
done
[[ $(in_ns a sysctl -n net.ipv4.conf.all.src_valid_mark) == 1 ]] || fail "src_valid_mark is off"
answers a 203.0.113.1 || fail "an address far away, IPv4"
answers a 2001:db8::1 || fail "an address far away, IPv6"
captured "$work/bare"
(($(lines "$work/bare") == 0)) || fail "packets beside the tunnel: $(cat "$work/bare")"
# No host on the wire may send to the tunnel's address.
ip -n b addr add 192.168.8.8/24 dev veth
ip -n b route add 192.168.7.1/32 via 10.0.0.1 dev veth
unanswered b 192.168.7.1 -I 10.0.0.2 || fail "the tunnel's address answers beside the tunnel"
ip -n b route del 192.168.7.1/32 via 10.0.0.1 dev veth
quick down wg0
in_ns a sysctl -qw net.ipv4.conf.all.src_valid_mark=0
snapshot >"$work/after"
diff -u "$work/before" "$work/after" || fail "down does not undo up with all traffic"
unanswered a 2001:db8::1 || fail "the address is reached without the tunnel"
