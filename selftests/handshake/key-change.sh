#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# limit: 120
# A new private key works at once, the same key changes nothing, and no interface is its own peer.

. "$(dirname "$0")/../lib.sh"

# private NS KEY
own_key() {
	in_ns "$1" wg set wg0 private-key /dev/stdin <<<"$2"
}

load_module
joined a b
tunnel a b
answers a 192.168.7.2 || fail "the first ping"

# The same key again: the session stays.
at=$(created Keypair)
own_key a "${private[a]}"
[[ $(in_ns a wg show wg0 private-key) == "${private[a]}" ]] || fail "the key is not shown as it was set"
answers a 192.168.7.2 || fail "after the same key"
# row SK1
[[ $(created Keypair) == "$at" ]] || fail "the same key ended the session"

# A new one, a moment after the last handshake: a new handshake within a second, not after five, and
# b, which has the new key, answers.
peer b a remove
keys a
peer b a allowed-ips 192.168.7.1/32,fd77::1/128
own_key a "${private[a]}"
[[ $(in_ns a wg show wg0 public-key) == "${public[a]}" ]] || fail "the public key of a new private key"
# rows SK2 SK4
answers a 192.168.7.2 || fail "no handshake at once after a new key"
(($(created Keypair) > at)) || fail "no new session after a new key"
answers b 192.168.7.1 || fail "from the other side"

# The other side's key changes, for which a is the initiator.
peer a b remove
keys b
own_key b "${private[b]}"
peer a b allowed-ips 192.168.7.2/32,fd77::2/128 endpoint 10.0.0.2:51822
answers a 192.168.7.2 || fail "no handshake at once with a new peer key"

# No key at all: nothing is sent, though a session still receives; what waits leaves as soon as
# there is a key.
in_ns a wg set wg0 private-key /dev/null
[[ $(in_ns a wg show wg0 private-key) == "(none)" ]] || fail "a removed key is shown"
[[ $(in_ns a wg show wg0 public-key) == "(none)" ]] || fail "the public key of no key"
before=$(shown a transfer b)
datagram a 192.168.7.2
datagram a fd77::2
pass 2
# row SK3
[[ $(shown a transfer b) == "$before" ]] || fail "$before before, $(shown a transfer b) after packets without a key"
read -r rx tx <<<"$before"
datagram b 192.168.7.1
pass 1
counted a b $((rx + 64)) "$tx" || fail "$before before, $(shown a transfer b) after one from b without a key"
own_key a "${private[a]}"
eventually 1 counted a b $((rx + 92 + 64)) $((tx + 148 + 64 + 96)) || fail "$before before, $(shown a transfer b) after"

# Its own key is no peer's, whichever comes first, and takes no prefix from others.
peer a a allowed-ips 192.168.7.2/32
# row SF1
[[ $(in_ns a wg show wg0 peers) == "${public[b]}" ]] || fail "the interface is its own peer"
[[ $(shown a allowed-ips b) == "192.168.7.2/32 fd77::2/128" ]] || fail "b lost a prefix: $(shown a allowed-ips b)"
keys c
peer a c allowed-ips 192.168.8.0/24
own_key a "${private[c]}"
[[ $(in_ns a wg show wg0 peers) == "${public[b]}" ]] || fail "a peer with the interface's new key stayed"
[[ $(in_ns a wg show wg0 public-key) == "${public[c]}" ]] || fail "the public key"
refuses datagram a 192.168.8.1
own_key a "${private[a]}"
answers a 192.168.7.2 || fail "back at the old key"
