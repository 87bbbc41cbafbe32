# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154 # guest.sh ends $servers; $work comes of selftests/lib.sh
# VPNs that are not WireGuard in the kernel, between the joined namespaces left and right and with
# the same addresses inside. Each is set up as its users have it, and has the MTU that comes of
# that. For guest.sh.

# What runs in the background until the topology goes: VPNs in user space, and iperf's servers.
declare -A servers=()

# all_read PROGRAM: reads it and its libraries before time passes: see never_idle.
all_read() {
	local libraries
	mapfile -t libraries < <(ldd "$1" | grep -o '/[^ ]*' || true)
	cat "$1" "${libraries[@]}" >/dev/null
}

# wireguard_go NS NAME: makes the interface, for "tunnel".
wireguard_go() {
	modprobe tun
	all_read /usr/bin/wireguard-go
	rm -f "/var/run/wireguard/$2.sock"
	ip netns exec "$1" wireguard-go -f "$2" >"$work/$2" 2>&1 &
	servers[$2]=$!
	eventually 20 test -S "/var/run/wireguard/$2.sock" || fail "wireguard-go does not start: $(cat "$work/$2")"
}

# ipsec ALGORITHM BYTES: ESP in tunnel mode, by policies. The kernel takes the MTU from what ESP
# adds. BYTES is the length of a key and its salt.
ipsec() {
	local here there from to way ns=(- left right) keys=(-)
	keys+=("0x$(openssl rand -hex "$2")" "0x$(openssl rand -hex "$2")")
	for here in 1 2; do
		there=$((3 - here))
		ip -n "${ns[here]}" addr add "192.168.7.$here/32" dev veth
		ip -n "${ns[here]}" route add "192.168.7.$there" via "10.0.0.$there" src "192.168.7.$here"
		for from in 1 2; do
			to=$((3 - from)) way=in
			((from != here)) || way=out
			ip -n "${ns[here]}" xfrm state add src "10.0.0.$from" dst "10.0.0.$to" proto esp spi "$from" reqid 1 \
				mode tunnel replay-window 32 aead "$1" "${keys[from]}" 128
			ip -n "${ns[here]}" xfrm policy add src "192.168.7.$from/32" dst "192.168.7.$to/32" dir $way \
				tmpl src "10.0.0.$from" dst "10.0.0.$to" proto esp reqid 1 mode tunnel
		done
	done
}

vpn_ipsec-chacha() {
	ipsec 'rfc7539esp(chacha20,poly1305)' 36
}

vpn_ipsec-gcm() {
	# Elsewhere udev loads it. Without it, AES does without the processor's instructions for it.
	modprobe aesni-intel
	ipsec 'rfc4106(gcm(aes))' 20
}

# openvpn_end NS OTHER OPTIONS…: one end, which knows the other one's certificate.
openvpn_end() {
	local print
	print=$(openssl x509 -in "$work/$2.crt" -noout -fingerprint -sha256)
	ip netns exec "$1" openvpn --dev "vpn-$1" --dev-type tun --proto udp --port 1194 --keepalive 10 60 \
		--cert "$work/$1.crt" --key "$work/$1.key" --peer-fingerprint "${print#*=}" \
		--data-ciphers AES-256-GCM --disable-dco "${@:3}" >"$work/vpn-$1" 2>&1 &
	servers[vpn-$1]=$!
}

# Without its kernel module (--disable-dco), so in user space.
vpn_openvpn() {
	local ns
	modprobe tun
	all_read /usr/sbin/openvpn
	for ns in left right; do
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -subj "/CN=$ns" \
			-keyout "$work/$ns.key" -out "$work/$ns.crt" 2>"$work/openssl" || fail "openssl says: $(cat "$work/openssl")"
	done
	openvpn_end right left --tls-server --dh none --ifconfig 192.168.7.2 192.168.7.1
	openvpn_end left right --tls-client --remote 10.0.0.2 --ifconfig 192.168.7.1 192.168.7.2
	eventually 30 grep -q 'Initialization Sequence Completed' "$work/vpn-left" ||
		fail "OpenVPN does not start: $(cat "$work/vpn-left" "$work/vpn-right")"
}
