#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Runs in the root: prints "VERSION ABI" of the newest kernel of SERIES whose source, headers and modules the archive
# has in one version, of this flavour; nothing when it has none.
# usage: find-kernel.sh SERIES FLAVOUR    ("7.3 amd64" is the ordinary kernel)

set -euo pipefail

series=$1
flavour=$2

versions() {
	apt-cache madison "$1" | awk '{ print $3 }' | sort -rVu
}

for version in $(versions "linux-source-$series"); do
	for headers in $(apt-cache search --names-only "^linux-headers-${series//./\\.}(\\.[0-9]+)?[^-]*-$flavour\$" | awk '{ print $1 }'); do
		if versions "$headers" | grep -qxF "$version"; then
			echo "$version ${headers#linux-headers-}"
			exit 0
		fi
	done
done
