#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# when: all
# Configuration by wg setconf, addconf, syncconf and showconf, and what each does to sessions that
# are there.

. "$(dirname "$0")/../lib.sh"

# shows FILE TEXT: whether showconf of a's wg0 prints what the file says.
shows() {
	in_ns a wg showconf wg0 >"$work/shown.conf"
	diff -u "$1" "$work/shown.conf" || fail "$2"
}

load_module
joined a b
interface a 1
interface b 2
key=$(wg genkey)
one=$(wg genkey | wg pubkey)
two=$(wg genkey | wg pubkey)
psk=$(wg genpsk)

# Written as showconf writes it: the list of prefixes as it was given, defaults left out.
cat >"$work/full.conf" <<-END
	[Interface]
	ListenPort = 4000
	FwMark = 0xca6c
	PrivateKey = $key

	[Peer]
	PublicKey = $one
	PresharedKey = $psk
	AllowedIPs = 10.1.0.0/16, fd01::/16, 10.2.3.4/32, ::/0
	Endpoint = 10.0.0.2:51822
	PersistentKeepalive = 25

	[Peer]
	PublicKey = $two
	AllowedIPs = 0.0.0.0/0
	Endpoint = [fd00::2]:51823
END
in_ns a wg setconf wg0 "$work/full.conf"
# wg ends each peer but the last with an empty line.
shows "$work/full.conf" "setconf, then showconf"
[[ $(in_ns a wg show wg0 public-key) == $(wg pubkey <<<"$key") ]] || fail "the public key of another private key"

# Words that people write: host bits, a single address, off, a mark in decimal, comments.
cat >"$work/loose.conf" <<-END
	# a comment
	[interface]
	privatekey=$key
	listenport=4000 # another
	FwMark = off
	[peer]
	PublicKey=$one
	AllowedIPs = 10.1.2.3/16,10.9.0.1
	AllowedIPs = fd01:2::3/16
	PersistentKeepalive = off
END
cat >"$work/tight.conf" <<-END
	[Interface]
	ListenPort = 4000
	PrivateKey = $key

	[Peer]
	PublicKey = $one
	AllowedIPs = 10.1.0.0/16, 10.9.0.1/32, fd01::/16
END
in_ns a wg setconf wg0 "$work/loose.conf"
shows "$work/tight.conf" "setconf of loosely written settings"

# addconf adds: settings that it does not name stay, peers too; a prefix moves to the peer that
# named it last.
cat >"$work/more.conf" <<-END
	[Interface]
	FwMark = 77

	[Peer]
	PublicKey = $two
	AllowedIPs = 10.9.0.1/32
	Endpoint = 10.0.0.2:51823
END
cat >"$work/sum.conf" <<-END
	[Interface]
	ListenPort = 4000
	FwMark = 0x4d
	PrivateKey = $key

	[Peer]
	PublicKey = $one
	AllowedIPs = 10.1.0.0/16, fd01::/16

	[Peer]
	PublicKey = $two
	AllowedIPs = 10.9.0.1/32
	Endpoint = 10.0.0.2:51823
END
in_ns a wg addconf wg0 "$work/more.conf"
shows "$work/sum.conf" "addconf"

# Single prefixes, with a sign.
in_ns a wg set wg0 peer "$two" allowed-ips +10.9.0.2/32
[[ $(in_ns a wg show wg0 allowed-ips) == *"$two"$'\t'"10.9.0.1/32 10.9.0.2/32"* ]] || fail "a prefix was not added"
in_ns a wg set wg0 peer "$two" allowed-ips -10.9.0.1/32
[[ $(in_ns a wg show wg0 allowed-ips) == *"$two"$'\t10.9.0.2/32'* ]] || fail "a prefix was not removed"

# setconf forgets what the file does not name: peers, the mark, the port.
printf '[Interface]\nPrivateKey = %s\n' "$key" >"$work/bare.conf"
in_ns a wg setconf wg0 "$work/bare.conf"
[[ $(in_ns a wg showconf wg0 | grep -cE 'Peer|FwMark') == 0 ]] || fail "setconf keeps: $(in_ns a wg showconf wg0)"
[[ $(in_ns a wg show wg0 listen-port) != 4000 ]] || fail "setconf keeps the port"

# What cannot be read changes nothing.
cp "$work/full.conf" "$work/bad.conf"
echo 'AllowedIPs = 10.0.0.0/33' >>"$work/bad.conf"
in_ns a wg showconf wg0 >"$work/before.conf"
refuses in_ns a wg setconf wg0 "$work/bad.conf"
shows "$work/before.conf" "a file with a mistake"

# A session with b, and its numbers.
cat >"$work/session.conf" <<-END
	[Interface]
	ListenPort = 51821
	PrivateKey = ${private[a]}

	[Peer]
	PublicKey = ${public[b]}
	AllowedIPs = 192.168.7.2/32
	Endpoint = 10.0.0.2:51822
END
in_ns a wg setconf wg0 "$work/session.conf"
peer b a allowed-ips 192.168.7.1/32
for ns in a b; do ip -n $ns link set wg0 up; done
answers a 192.168.7.2 || fail "ping with the configuration"
at=$(shown a latest-handshakes b)
sent=$(shown a transfer b)
[[ $at != 0 && $sent != 0* ]] || fail "no session to look at"

# syncconf leaves alone what does not change, also beside a peer that comes and one that goes.
cat "$work/session.conf" - >"$work/wider.conf" <<-END

	[Peer]
	PublicKey = $two
	AllowedIPs = 10.9.0.2/32
END
for file in session wider session wider; do
	in_ns a wg syncconf wg0 "$work/$file.conf"
	shows "$work/$file.conf" "syncconf $file"
	[[ $(shown a transfer b) == "$sent" && $(shown a latest-handshakes b) == "$at" ]] || fail "syncconf touches the session"
done
sed 's,192.168.7.2/32,192.168.7.0/24,' "$work/session.conf" >"$work/changed.conf"
in_ns a wg syncconf wg0 "$work/changed.conf"
shows "$work/changed.conf" "syncconf with other prefixes"
[[ $(shown a latest-handshakes b) == "$at" ]] || fail "syncconf with other prefixes ends the session"
answers a 192.168.7.2 || fail "ping in the old session"
[[ $(shown a latest-handshakes b) == "$at" ]] || fail "another handshake after syncconf"

# setconf makes every peer anew.
in_ns a wg setconf wg0 "$work/session.conf"
[[ $(shown a latest-handshakes b) == 0 && $(shown a transfer b) == 0$'\t'0 ]] || fail "setconf keeps a session"
answers a 192.168.7.2 || fail "ping in a new session"
