# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154 # set in tools/test/install.sh
# The part of tools/test/install.sh that is about Secure Boot: a machine with UEFI firmware that has
# Microsoft's keys, the shim that Microsoft signed, and GRUB and kernel, which Debian signed. So
# nothing is signed here but the module.

uefi=/root/uefi

# uefi_ready: firmware, its variables without a key of ours, the shim and GRUB.
uefi_ready() {
	apt install ovmf python3-virt-firmware mtools
	on_machine bash -ec "
		mkdir -p $uefi
		cd $uefi
		apt-get -q -o APT::Sandbox::User=root download shim-signed grub-efi-amd64-signed
		dpkg --fsys-tarfile shim-signed_*.deb | tar -xO ./usr/lib/shim/shimx64.efi.signed >shim.efi
		dpkg --fsys-tarfile grub-efi-*.deb | tar -xO ./usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed >grub.efi
		rm ./*.deb
		cp /usr/share/OVMF/OVMF_CODE_4M.secboot.fd code.fd
		cp /usr/share/OVMF/OVMF_VARS_4M.ms.fd vars.fd"
}

# booted_uefi WORDS: as booted, under Secure Boot.
booted_uefi() {
	WG_UEFI=$uefi booted "/lib/modules/$release/vmlinuz" "$1"
}

# enrolled: what 'mokutil --import' and the shim's dialogue at the next boot do.
enrolled() {
	on_machine virt-fw-vars --inplace "$uefi/vars.fd" \
		--add-mok 605dab50-e046-4300-abb6-3dd810dd8b23 /root/certificate.der
}

test_secureboot() {
	new_machine secureboot "$kernel/stock"
	check "UEFI firmware, shim, GRUB" uefi_ready
	check "make install" make_install
	check "Secure Boot: an unsigned module is refused" booted_uefi refused
	check "make install SIGN_KEY=…" make_install_signed
	check "Secure Boot: the key is not enrolled, so it is refused" booted_uefi refused
	check "the key is enrolled" enrolled
	check "Secure Boot: the module loads and carries traffic" booted_uefi Rust
}
