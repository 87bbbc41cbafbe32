#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# when: all
# limit: 90
# systemd-networkd: interfaces, peers, addresses and routes from .netdev and .network files;
# reloading; taking away.

. "$(dirname "$0")/../lib.sh"

# networkd: starts it in namespace a. It has neither udev nor a bus, as in a container, where /sys
# is read-only.
networkd() {
	# shellcheck disable=SC2016 # the inner shell expands it
	in_ns a unshare --mount bash -c 'mount -o remount,ro /sys
		exec /usr/lib/systemd/systemd-networkd' >>"$work/networkd.log" 2>&1 &
	networkd=$!
}

# has PATTERN COMMAND…: whether the output of the command has it.
has() {
	local pattern=$1
	shift
	"$@" 2>/dev/null | grep -- "$pattern" >/dev/null
}

# soon PATTERN COMMAND…: it must have within some seconds.
soon() {
	eventually 20 has "$@" || fail "no '$1' in $("${@:2}" 2>&1); networkd: $(tail -n 20 "$work/networkd.log")"
}

load_module
joined a b
interface b 2
keys a
psk=$(wg genpsk)
other=$(wg genkey | wg pubkey)
peer b a allowed-ips 192.168.7.1/32,fd77::1/128 preshared-key /dev/stdin <<<"$psk"
ip -n b addr add 10.66.0.1/24 dev wg0
ip -n b link set wg0 up

mkdir -p /run/systemd/network /run/systemd/netif/{links,leases,lldp} /run/dbus
cat >/run/systemd/network/wg0.netdev <<-END
	[NetDev]
	Name=wg0
	Kind=wireguard

	[WireGuard]
	PrivateKey=${private[a]}
	ListenPort=51821
	FirewallMark=51820
	RouteTable=main

	[WireGuardPeer]
	PublicKey=${public[b]}
	PresharedKey=$psk
	AllowedIPs=192.168.7.2/32,fd77::2/128
	AllowedIPs=10.66.0.0/24
	Endpoint=10.0.0.2:51822
	PersistentKeepalive=25

	[WireGuardPeer]
	PublicKey=$other
	AllowedIPs=10.77.0.0/16
END
cat >/run/systemd/network/wg0.network <<-END
	[Match]
	Name=wg0

	[Network]
	Address=192.168.7.1/24
	Address=fd77::1/64
END
chown -R systemd-network: /run/systemd/netif
chgrp systemd-network /run/systemd/network/*
chmod 640 /run/systemd/network/*
networkd
soon "192.168.7.1/24" ip -n a addr show dev wg0
soon "fd77::1/64" ip -n a addr show dev wg0
soon "10.66.0.0/24" ip -n a route show dev wg0

# configured: whether wg0 has the settings that the files say. Peers are in no order of the file's,
# so the whole is compared by lines.
configured() {
	in_ns a wg showconf wg0 | sort | diff -u "$work/expected" - >"$work/difference"
}
sort >"$work/expected" <<-END
	[Interface]
	ListenPort = 51821
	FwMark = 0xca6c
	PrivateKey = ${private[a]}

	[Peer]
	PublicKey = ${public[b]}
	PresharedKey = $psk
	AllowedIPs = 10.66.0.0/24, fd77::2/128, 192.168.7.2/32
	Endpoint = 10.0.0.2:51822
	PersistentKeepalive = 25

	[Peer]
	PublicKey = $other
	AllowedIPs = 10.77.0.0/16
END
configured || fail "networkd configures something else: $(cat "$work/difference")"
eventually 7 answers a 192.168.7.2 || fail "IPv4"
answers a fd77::2 || fail "IPv6"
answers a 10.66.0.1 || fail "a routed prefix"

# Started again it takes over the interface, makes its peers anew, which ends the session, and makes
# what changed in the files.
peers=$(created Peer)
kill "$networkd"
wait "$networkd" || true
answers a 192.168.7.2 || fail "the tunnel ends with networkd"
cat >/run/systemd/network/wg1.netdev <<-END
	[NetDev]
	Name=wg1
	Kind=wireguard
	MTUBytes=1380

	[WireGuard]
	PrivateKey=$(wg genkey)
	ListenPort=auto
END
chgrp systemd-network /run/systemd/network/wg1.netdev
networkd
soon "mtu 1380" ip -n a link show wg1
eventually 20 configured || fail "networkd, started again, configures something else: $(cat "$work/difference")"
eventually 7 answers a 192.168.7.2 || fail "ping after networkd was started again"
(($(created Peer) == peers + 2)) || fail "$peers peers before, $(created Peer) after networkd was started again"
kill "$networkd"
wait "$networkd" || true
