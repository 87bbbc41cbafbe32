#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp
# limit: 120
# A tunnel whose datagrams leave by IPsec, in transport mode: they arrive, encrypted once more, and
# no debugging option of the kernel finds fault with how they are handed over.

. "$(dirname "$0")/../lib.sh"

# state NAMESPACE FROM TO SPI
state() {
	ip -n "$1" xfrm state add src "10.0.0.$2" dst "10.0.0.$3" proto esp spi "$4" mode transport \
		aead 'rfc4106(gcm(aes))' 0x0123456789abcdef0123456789abcdef01234567 128
}

# policy NAMESPACE FROM TO DIRECTION
policy() {
	ip -n "$1" xfrm policy add src "10.0.0.$2" dst "10.0.0.$3" proto udp dir "$4" \
		tmpl src "10.0.0.$2" dst "10.0.0.$3" proto esp mode transport
}

load_module
debug_kernel || modprobe -a esp4 xfrm_user
joined a b
own=1 other=2
for ns in a b; do
	state $ns 1 2 100
	state $ns 2 1 200
	policy $ns $own $other out
	policy $ns $other $own in
	own=2 other=1
done
tunnel a b
for ns in a b; do ip -n $ns link set wg0 mtu 1360; done
capture b veth "$work/seen" udp or esp
answers a 192.168.7.2 || fail "a ping"
answers a 192.168.7.2 -c 20 -i 0.01 -s 1300 || fail "full packets"
enough() {
	(($(grep -c ESP "$work/seen") >= 42))
}
eventually 5 enough || fail "IPsec did not carry the datagrams: $(cat "$work/seen")"
captured "$work/seen"
! grep -q UDP "$work/seen" || fail "left without IPsec: $(grep -m 3 UDP "$work/seen")"
