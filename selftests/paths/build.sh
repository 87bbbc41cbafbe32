#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Builds what the entries need beside the two drivers: out/paths-programs/traffic, and programs.o
# for the kernel's BPF.
# usage: build.sh

set -euo pipefail
. "$(dirname "$0")/../../tools/lib.sh"

to=$WG_OUT/paths-programs
mkdir -p "$to"
cd "$WG_TOP/selftests/paths"
in_root gcc -O3 -Wall -Wextra -Werror -o "$to/traffic" "$PWD"/traffic/*.c
in_root clang -O2 -g -Wall -Werror -target bpf -I/usr/include/x86_64-linux-gnu -c "$PWD/programs.c" -o "$to/programs.o"
