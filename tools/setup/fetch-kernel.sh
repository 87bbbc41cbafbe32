#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Runs in the root: unpacks Debian's kernel VERSION into FOLDER: stock/ (image, modules, headers), source.tar.xz.
# usage: fetch-kernel.sh VERSION ABI FOLDER

set -euo pipefail

version=$1
abi=$2
folder=$3
series=$(cut -d. -f1,2 <<<"$version")
mkdir -p "$folder/debs" "$folder/stock"
cd "$folder/debs"

available() {
	apt-cache madison "$1" | awk -v version="$version" '$3 == version { found = 1 } END { exit !found }'
}

# Older series have it all in linux-image; newer ones have packages for the image and for the modules (and
# lists of what is built in). A signed image
# may be late, and is the same but for the signature.
parts=("linux-headers-$abi")
for image in "linux-binary-$abi" "linux-binary-unsigned-$abi" "linux-image-$abi" "linux-image-$abi-unsigned"; do
	if available "$image"; then
		parts+=("$image")
		break
	fi
done
for part in "linux-modules-$abi" "linux-base-$abi"; do
	if available "$part"; then
		parts+=("$part")
	fi
done
apt-get -q -o APT::Sandbox::User=root download "${parts[@]/%/=$version}" "linux-source-$series=$version"

for part in "${parts[@]}"; do
	dpkg -x "${part}"_*.deb "$folder/stock"
done
dpkg -x "linux-source-$series"_*.deb source
mv source/usr/src/linux-source-"$series".tar.xz "$folder/source.tar.xz"
cd "$folder"
rm -r debs

# Packages put things below /lib, /usr/lib or /boot as the fashion of their time was; depmod wants lib/modules.
if [[ -d stock/lib ]]; then
	mkdir -p stock/usr/lib
	cp -a --link stock/lib/. stock/usr/lib/
	rm -r stock/lib
fi
ln -s usr/lib stock/lib
depmod -b stock "$abi"
cp "$(find "stock/boot/vmlinuz-$abi" "stock/usr/lib/modules/$abi/vmlinuz" 2>/dev/null | head -n 1)" vmlinuz
echo "$abi" >release

for option in RUST VIRTIO_PCI VIRTIO_FS; do
	grep -qx "CONFIG_$option=y" "stock/usr/src/linux-headers-$abi/.config" || {
		echo "the kernel $abi has no built-in CONFIG_$option, without which it is of no use here"
		exit 1
	}
done
