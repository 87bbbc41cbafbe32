#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Builds another form of the module from a copy of the sources: out/variants/NAME/wireguard.ko.
# usage: variant.sh NAME [KERNEL]    for the stock kernel or that in the folder KERNEL
#
# Names: faults: with switches for tests that provoke faults, and all that "check" has
#        check: looks at each GSO packet that it sends

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

name=${1:-}
case $name in
faults) arguments=(WG_FAULTS=y WG_CHECK=y) ;;
check) arguments=(WG_CHECK=y) ;;
*) die "unknown variant '$name' (faults, check)" ;;
esac

kernel=${2:-$(kernel_folder)} || die "no kernel is prepared; 'make setup' does it"
copy=$WG_OUT/variants/$name
copy_sources "$copy"
kernel_make "$kernel/tree" "$copy" "${arguments[@]}" modules
