#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Builds another form of the module from a copy of the sources: out/variants/NAME/wireguard.ko.
# usage: variant.sh NAME     faults: with switches for tests that provoke faults

set -euo pipefail
. "$(dirname "$0")/lib.sh"

name=${1:-}
case $name in
faults) arguments=(WG_FAULTS=y) ;;
*) die "unknown variant '$name' (faults)" ;;
esac

copy=$WG_OUT/variants/$name
mkdir -p "$copy"
# With their times, so that a second build is a quick one.
git -C "$WG_TOP" ls-files -z -co --exclude-standard -- Kbuild rust tools |
	tar -C "$WG_TOP" -c --null --files-from=- | tar -C "$copy" -x
"$copy/tools/build.sh" modules "${arguments[@]}"
