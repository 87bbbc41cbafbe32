#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Tests of the protocol core on the host, by the root's own cargo.
# usage: test-host.sh [ARGUMENTS OF cargo test]

set -euo pipefail
. "$(dirname "$0")/lib.sh"

# shellcheck disable=SC2016 # the shell in the root expands it
in_root sh -c 'cd tools/host && exec cargo test --locked "$@"' - "$@"
