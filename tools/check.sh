#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Static checks, in the root, with the kernel tree in sight as KDIR.

set -euo pipefail
. "$(dirname "$0")/lib.sh"

kernel=$(kernel_folder)
in_root -b "$kernel" env KDIR="$kernel/tree" "$WG_TOP/tools/check/run" "$@"
