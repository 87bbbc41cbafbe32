#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp
# What the module is to the rest of the kernel: its names, what it says, what it shows, and what
# does not hold it.

. "$(dirname "$0")/../lib.sh"

file=${WG_KO:-$WG_TOP/wireguard.ko}
if on_c; then file=wireguard; fi
info() {
	modinfo -F "$1" "$file"
}

# row M3
[[ $(info name) == wireguard ]] || fail "name: $(info name)"
[[ $(info version) == 1.0.0 ]] || fail "version: $(info version)"
[[ $(info license) == "GPL v2" ]] || fail "license: $(info license)"
[[ $(info description) == "WireGuard secure network tunnel" ]] || fail "description: $(info description)"
[[ $(info author) == "Jason A. Donenfeld <Jason@zx2c4.com>" ]] || fail "author: $(info author)"
# row M4
[[ $(info alias | sort | paste -sd ' ') == "net-pf-16-proto-16-family-wireguard rtnl-link-wireguard" ]] ||
	fail "aliases: $(info alias)"
# row M5: one parameter, for what C does not do at all.
parameters=$(info parm | cut -d : -f 1)
if on_c; then
	[[ ! $parameters ]] || fail "parameters: $parameters"
else
	[[ $parameters == udp_gso ]] || fail "parameters: $parameters"
fi

# row M7: two lines, the first with the version and the site.
load_module
[[ $(cat /sys/module/wireguard/version) == 1.0.0 ]] || fail "version in /sys: $(cat /sys/module/wireguard/version)"
kernel_log | grep -o 'wireguard: .*' | grep -v 'loading out-of-tree\|module verification\|taint' >"$work/said"
diff - "$work/said" <<'END' || fail "loading says something else"
wireguard: WireGuard 1.0.0 loaded. See www.wireguard.com for information.
wireguard: Copyright (C) 2015-2019 Jason A. Donenfeld <Jason@zx2c4.com>. All Rights Reserved.
END

# row M5
if on_c; then
	[[ ! -e /sys/module/wireguard/parameters ]] || fail "there are parameters"
else
	[[ $(ls /sys/module/wireguard/parameters) == udp_gso ]] || fail "there are other parameters"
	[[ $(cat /sys/module/wireguard/parameters/udp_gso) == Y ]] || fail "datagrams are not sent together"
fi
[[ ! $(find /proc/sys /proc/net /proc/fs -iname '*wireguard*' 2>/dev/null) ]] || fail "something in /proc"
if grep -q ' __ksymtab.*\[wireguard\]' /proc/kallsyms; then fail "exported symbols"; fi
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null || true
tracepoints=$(find /sys/kernel/tracing/events/wireguard -name 'wg_*' -printf '%f\n' 2>/dev/null | sort | paste -sd ' ' || true)
if on_c || ! grep -qw tracefs /proc/filesystems; then
	[[ ! $tracepoints ]] || fail "tracepoints: $tracepoints"
else
	[[ $tracepoints == "wg_endpoint wg_handshake wg_refusal wg_session" ]] || fail "tracepoints: $tracepoints"
fi
if on_c; then
	[[ ! -e /sys/kernel/debug/wireguard ]] || fail "a folder in debugfs"
else
	[[ -d /sys/kernel/debug/wireguard ]] || fail "no folder in debugfs"
	[[ $(ls /sys/kernel/debug/wireguard) == rust-module-version$'\n'unreasoned-packets ]] ||
		fail "without an interface, debugfs has: $(ls /sys/kernel/debug/wireguard)"
	cmp "$WG_TOP/rust/VERSION" /sys/kernel/debug/wireguard/rust-module-version || fail "another version in debugfs"
	ip link add wg0 type wireguard
	grep -q '^rx-bad-mac1 0$' /sys/kernel/debug/wireguard/wg0/drops || fail "no counters in debugfs"
	ip link del wg0
fi

# row L24
ip link add wg0 type wireguard
caches=$(awk '/^(wireguard_peer|wg_peer|peer_cache|allowedips_node|ratelimiter_entry)/ { print $1 }' /proc/slabinfo)
if ! on_c; then
	[[ $caches == wireguard_peer ]] || fail "caches: $caches"
fi
ip link del wg0

# row M6: users, interfaces in other namespaces.
joined a b
tunnel a b
answers a 192.168.7.2 -w 5 || fail "a ping"
[[ $(cat /sys/module/wireguard/refcnt) == 0 ]] || fail "$(cat /sys/module/wireguard/refcnt) users with interfaces up"
unload_module
for ns in a b; do refuses ip -n $ns link show wg0; done
[[ ! -e /sys/kernel/tracing/events/wireguard ]] || fail "tracepoints of a module that is gone"
ip link add wg9 type dummy
ip link del wg9

# row M4: a request for the kind or the family makes the kernel ask for that alias. What it asks for
# is noted and loaded, where in an installed system modprobe would know it from modinfo's list.
cat >/run/modprobe <<END
#!/bin/bash
echo "\${@: -1}" >>/run/asked
if modinfo -F alias "$file" | grep -qxF -- "\${@: -1}"; then
	WG_TOP=$WG_TOP WG_KO=${WG_KO:-} WG_MODULE=${WG_MODULE:-ours} "$WG_TOP/tools/load.sh"
fi
END
chmod +x /run/modprobe
modprobe=$(cat /proc/sys/kernel/modprobe)
trap 'echo "$modprobe" >/proc/sys/kernel/modprobe' EXIT
# The kernel runs it in its own mount namespace, which sees another /run.
echo "$WG_OUT/rows-modprobe" >/proc/sys/kernel/modprobe
sed 's:/run/asked:'"$WG_OUT"'/rows-asked:' /run/modprobe >"$WG_OUT/rows-modprobe"
chmod +x "$WG_OUT/rows-modprobe"
rm -f "$WG_OUT/rows-asked"
ip link add wg0 type wireguard || fail "the kind is not loaded on demand: asked for $(cat "$WG_OUT/rows-asked")"
[[ $(cat "$WG_OUT/rows-asked") == rtnl-link-wireguard ]] || fail "asked for $(cat "$WG_OUT/rows-asked")"
ip link del wg0
unload_module
rm "$WG_OUT/rows-asked"
refuses wg set nothing fwmark 1
[[ -d /sys/module/wireguard ]] || fail "the family is not loaded on demand: asked for $(cat "$WG_OUT/rows-asked")"
[[ $(cat "$WG_OUT/rows-asked") == net-pf-16-proto-16-family-wireguard ]] || fail "asked for $(cat "$WG_OUT/rows-asked")"
rm "$WG_OUT/rows-asked" "$WG_OUT/rows-modprobe"
