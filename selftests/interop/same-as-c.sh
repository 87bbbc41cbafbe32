#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp
# when: all
# limit: 120
# needs: c-module
# What tools show of an interface and of the module is what they show of the C driver's, except a
# short list.

. "$(dirname "$0")/../lib.sh"

# Where we differ on purpose: the title of a comparison, then the lines that differ: ours, or the C
# driver's.
intended() {
	case $1 in
	# There is no kernel thread per peer (see docs/differences.md).
	"sysfs, "*) printf -- '-./threaded:0\n+./threaded:1\n' ;;
	# The counters of drops, and the private flags udp-gso and udp-gro.
	"ethtool -i, "*)
		printf -- '%s: %s\n' -supports-statistics yes +supports-statistics no \
			-supports-priv-flags yes +supports-priv-flags no
		;;
	# The counters of drops.
	"ethtool -S, "*) grep -E '^(-NIC statistics: ?|-     [a-z0-9-]+: [0-9]+|\+no stats available|-status 0|\+status 94)$' ;;
	# A number of the source's files, the modules whose functions are used, and the switch of
	# what C does not do.
	modinfo) grep -E '^([-+](srcversion|depends):|-parm: +udp_gso:)' ;;
	parameters)
		echo "-parameters: udp_gso"
		echo "+parameters: ls: cannot access '/sys/module/wireguard/parameters': No such file or directory"
		;;
	esac
}

failed=0

# same TITLE OURS THEIRS: two texts, without the names of the module.
same() {
	local title=$1 ours=$2 theirs=$3 found expected
	[[ $ours && $theirs ]] || fail "$title: there is nothing to compare"
	found=$(diff -U 0 <(printf '%s\n' "$ours") <(printf '%s\n' "${theirs//wireguarc/wireguard}") | sed '1,2d; /^@@/d' || true)
	expected=$(intended "$title" <<<"$found")
	if [[ $found != "$expected" ]]; then
		printf -- '%s: ours (-) and the C driver (+) differ:\n%s\n' "$title" "$found"
		[[ ! $expected ]] || printf 'expected was:\n%s\n' "$expected"
		failed=1
	fi
}

# both TITLE COMMAND…: in both namespaces; "%wg" is the driver's own wg, and "%kind" its kind.
# Errors count as well.
both() {
	local title=$1 ns word status
	local -A output wg=([ours]=wg [c]=wgc) kind=([ours]=wireguard [c]=wireguarc)
	shift
	for ns in ours c; do
		local words=()
		for word; do
			word=${word//%kind/${kind[$ns]}}
			words+=("${word//%wg/${wg[$ns]}}")
		done
		status=0
		output[$ns]=$(in_ns $ns "${words[@]}" 2>&1) || status=$?
		output[$ns]+=$'\n'"status $status"
	done
	same "$title" "${output[ours]}" "${output[c]}"
}

# The attributes in a folder of sysfs or procfs that can be read, each line with its name; by few
# processes, as an emulated machine starts them slowly.
# shellcheck disable=SC2016 # another shell expands it
attributes='cd "$1" && find -L . -maxdepth 1 -type f | sort | xargs grep -sH "" || true'

# shown_in STATE: all that is shown of an interface.
shown_in() {
	echo "second $SECONDS: $1"
	both "ip -d link, $1" ip -d link show wg0
	both "ip -s -s link, $1" ip -s -s link show wg0
	both "ip addr, $1" ip addr show wg0
	both "ip -d -j link, $1" ip -d -j link show wg0
	both "ethtool -i, $1" ethtool -i wg0
	both "ethtool -k, $1" ethtool -k wg0
	both "ethtool, $1" ethtool wg0
	both "ethtool -S, $1" ethtool -S wg0
	both "qdisc, $1" tc qdisc show dev wg0
	both "sysfs, $1" bash -c "$attributes" - /sys/class/net/wg0
	both "statistics, $1" bash -c "$attributes" - /sys/class/net/wg0/statistics
	both "queues, $1" ls /sys/class/net/wg0/queues
	both "IPv4, $1" bash -c "$attributes" - /proc/sys/net/ipv4/conf/wg0
	both "IPv4 of the namespace, $1" bash -c "$attributes" - /proc/sys/net/ipv4/conf/all
	both "IPv6, $1" bash -c "$attributes" - /proc/sys/net/ipv6/conf/wg0
	both "net/dev, $1" cat /proc/net/dev
	both "sockets, $1" ss -Hlun
	both "sockets in detail, $1" bash -c 'ss -Hlune | sed "s/ino:[0-9]* sk:[0-9a-f]*//"'
	both "showconf, $1" %wg showconf wg0
	both "wg, $1" %wg show wg0
	both "wg dump, $1" %wg show wg0 dump
	both "all interfaces, $1" %wg show interfaces
}

load_module
load_c_module
for ns in ours c; do namespace $ns; done
# The same index on both sides, and the order of bytes in it as well.
ip -n ours link add wg0 index 10 type wireguard
ip -n c link add wg0 index 10 type wireguarc
shown_in new

key=$(wg genkey)
one=$(wg genkey | wg pubkey)
two=$(wg genkey | wg pubkey)
cat >"$work/conf" <<-END
	[Interface]
	PrivateKey = $key
	ListenPort = 51820
	FwMark = 0x51820
	[Peer]
	PublicKey = $one
	PresharedKey = $(wg genpsk)
	Endpoint = 192.0.2.1:5
	AllowedIPs = 10.1.2.3/8, fd00::1/64, 0.0.0.0/0
	PersistentKeepalive = 25
	[Peer]
	PublicKey = $two
	Endpoint = [2001:db8::1]:6
	AllowedIPs = ::/0, 10.0.0.0/9
END
both setconf %wg setconf wg0 "$work/conf"
shown_in configured
both up ip link set wg0 up
# What is sent at once finds no route on either side; both have counted it after a moment.
pass 1
shown_in up
both "another port" %wg set wg0 listen-port 51821
both "a prefix moves" %wg set wg0 peer "$two" allowed-ips 10.1.2.3/8
both "a peer goes" %wg set wg0 peer "$one" remove
shown_in changed
both down ip link set wg0 down
shown_in down

# What is dropped, and what is not.
both "largest MTU" ip link set wg0 mtu 2147483552
both "larger MTU" ip link set wg0 mtu 2147483553
both "no MTU" ip link set wg0 mtu 0
both MTU ip link set wg0 mtu 1420
both "hardware address" ip link set wg0 address 02:00:00:00:00:01
both "native XDP" ip link set wg0 xdpdrv off
both multicast ip link set wg0 multicast on
both "large packets" ip link set wg0 gso_max_size 200000
both features ethtool -K wg0 tx off rx off tso off
both rings ethtool -g wg0
both "changed link" ip link set wg0 type %kind
both "bad port" %wg set wg0 listen-port 65536
both "second one of this name" ip link add wg0 type %kind
both bridge bash -c 'ip link add br0 type bridge && ip link set wg0 master br0'
both alias ip link set wg0 alias words
both rename ip link set wg0 name wg1
both "renamed back" ip link set wg1 name wg0
shown_in last

# The module and the family, whose numbers are given as they come.
same "genl ctrl" "$(genl ctrl get name wireguard | sed '/ID:/s/0x[0-9a-f]*//')" \
	"$(genl ctrl get name wireguarc | sed '/ID:/s/0x[0-9a-f]*//')"
same "genl policy" "$(genl ctrl policy name wireguard | sed 's/ID: 0x[0-9a-f]*//')" \
	"$(genl ctrl policy name wireguarc | sed 's/ID: 0x[0-9a-f]*//')"
information() {
	modinfo "$1" | sed 's/wireguarc/wireguard/g' | grep -Ev '^(filename|name|retpoline|vermagic):' | sort
}
same modinfo "$(information "$WG_KO")" "$(information "$WG_C_MODULE/wireguarc.ko")"
# Without what the linker has made.
module() {
	bash -c "$attributes" - "/sys/module/$1" | grep -Ev '^./(coresize|initsize|srcversion|uevent)'
}
same "sysfs of the module" "$(module wireguard)" "$(module wireguarc)"
same parameters "parameters: $(ls /sys/module/wireguard/parameters 2>&1)" "parameters: $(ls /sys/module/wireguarc/parameters 2>&1)"

both deleted ip link del wg0
both gone bash -c 'ip link show wg0; ss -Hlun; wg show interfaces'
((!failed))
