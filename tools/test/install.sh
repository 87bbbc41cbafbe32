#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Installs, tries in virtual machines what then loads, and takes out again: by make install and by
# DKMS. The machines that this happens on are writable overlays of the trixie root, below
# out/machines.
# usage: install.sh [--short | PART… | --run FUNCTION…]
# PARTs are plain (make install), secureboot, dkms, deb (the package) and intree, default all;
# --short is the first alone; --run calls one function of this file.
# Ends with "N passed, M failed, K skipped".

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

kernel=$(kernel_folder)
release=$(cat "$kernel/release")
log=$WG_OUT/log

# check TEXT FUNCTION…: a step that counts. It is a process of its own, as "set -e" has no effect in
# one whose status is asked for.
check() {
	local text=$1
	shift
	if step "$text" "$log/install-$((passed + failed)).log" "$0" --run "$@"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
	fi
}

# wants TEXT COMMAND…: the command prints a line with this text. (Its output is kept for the log.)
wants() {
	local text=$1 output status=0
	shift
	output=$("$@" 2>&1) || status=$?
	printf '%s\n' "$output"
	[[ $output == *"$text"* ]] && return
	echo "wanted: $text (the status was $status)"
	return 1
}

# fails COMMAND…: the command must fail.
fails() {
	! "$@"
}

# new_machine NAME [LAYER]: the machine that the functions below are about.
new_machine() {
	export machine=$WG_OUT/machines/$1 layer=${2:-}
	remove_tree "$machine"
	mkdir -p "$machine"
}

# on_machine COMMAND…: natively, with this machine's cache.
on_machine() {
	in_root -w "$machine${layer:+:$layer}" -b "$WG_CACHE" "$@"
}

# booted IMAGE WORDS: starts it, and sees there what tools/vm/installed.sh sees.
booted() {
	local job=$machine/vm status=0
	"$WG_TOP/tools/vm/boot.sh" --machine "$machine${layer:+:$layer}" ${1:+--image "$1"} --job "$job" \
		--limit $((120 * ${WG_PATIENCE:-1})) -- "$WG_TOP/tools/vm/installed.sh" "$2" || status=$?
	cat "$job/output.log"
	return "$status"
}

# file_for RELEASE: the module that modprobe would take.
file_for() {
	on_machine modinfo -k "$1" -n wireguard
}

# --- make install

make_install() {
	wants "installed: /lib/modules/$release/updates/wireguard.ko" on_machine make install
	wants "/updates/wireguard.ko" file_for "$release"
	wants stripped on_machine bash -c "modinfo -k $release -n wireguard | xargs xz -dc >/run/m.ko && readelf -WS /run/m.ko |
		awk '/\.text/ { text = 1 } /\.debug/ { debug = 1 } END { print text && !debug ? \"stripped\" : \"not so\" }'"
}

# The folder of a package that is being made: nothing but the module.
make_install_into_folder() {
	on_machine make install DESTDIR=/root/package
	wants "/root/package/lib/modules/$release/updates/wireguard.ko" on_machine find /root/package -type f
	on_machine make uninstall DESTDIR=/root/package
	[[ ! $(on_machine find /root/package -type f) ]]
}

make_uninstall() {
	local before=$1 copy=$machine/upper/usr/lib/modules/$release/${1#*"$release/"}
	wants "modprobe takes $before again" on_machine make uninstall
	wants "$before" file_for "$release"
	wants none on_machine bash -c "find /lib/modules/$release/updates 2>/dev/null || echo none"
	# The C module's file was never written to: this overlay has no copy of it.
	[[ ! -e $copy ]]
	wants "Nothing is installed" on_machine make uninstall
}

make_install_signed() {
	on_machine openssl req -new -x509 -nodes -newkey rsa:2048 -subj "/CN=a key of one's own/" \
		-keyout /root/key.pem -outform DER -out /root/certificate.der
	on_machine make install SIGN_KEY=/root/key.pem SIGN_CERT=/root/certificate.der
	wants "a key of one's own" on_machine modinfo -k "$release" -F signer wireguard
}

. "$WG_TOP/tools/dkms/test.sh"
. "$WG_TOP/tools/deb/test.sh"
. "$WG_TOP/tools/secureboot/test.sh"
. "$WG_TOP/tools/intree/test.sh"
if [[ ${1:-} == --run ]]; then
	"${@:2}"
	exit
fi

test_plain() {
	local before
	new_machine plain "$kernel/stock"
	before=$(file_for "$release")
	check "make install: modprobe takes ours" make_install
	check "loaded by modprobe, ip, wg and wg-quick" booted "" Rust
	check "make install DESTDIR=…" make_install_into_folder
	check "make uninstall: modprobe takes the C module" make_uninstall "$before"
	check "loaded again: the C module" booted "" C
	check "make install SIGN_KEY=…" make_install_signed
	export WG_WORDS=module.sig_enforce=1
	check "signatures enforced: no key enrolled, so ours is refused" booted "" refused
	unset WG_WORDS
}

case ${1:-} in
'') parts=(plain secureboot dkms deb intree) ;;
--short) parts=(plain) ;;
*) parts=("$@") ;;
esac
for part in "${parts[@]}"; do
	[[ $(type -t "test_$part") == function ]] || die "there is no part '$part' (see the top of $0)"
done
for part in "${parts[@]}"; do "test_$part"; done

((failed)) || remove_tree "$WG_OUT/machines"
tally
