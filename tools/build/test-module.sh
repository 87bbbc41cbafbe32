#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Builds a module that a selftest needs besides ours, out of selftests/NAME, into out/NAME, for the
# stock kernel or that in the folder KERNEL.
# usage: test-module.sh NAME [KERNEL]

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

folder=$WG_OUT/$1
kernel=${2:-$(kernel_folder)} || die "no kernel is prepared; 'make setup' does it"
mkdir -p "$folder"
cp "$WG_TOP/selftests/$1"/* "$folder"
kernel_make "$kernel/tree" "$folder" modules
