#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# API documentation of the crates, by rustdoc.

set -euo pipefail
. "$(dirname "$0")/lib.sh"

step "documentation" "$WG_OUT/log/doc.log" "$WG_TOP/tools/build.sh" WG_DOC=1 modules
echo "$WG_TOP/doc/index.html"
