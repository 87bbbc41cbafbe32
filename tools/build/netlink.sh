#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# What is made of docs/netlink/wireguard-diag.yaml: the tables of wgwhy's client
# (tools/wgwhy/schema.py), the documentation beside it, and by the kernel's own ynl a client in C,
# below out/netlink, which is compiled.
# usage: netlink.sh

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

kernel=$(kernel_folder)/tree
ynl=$kernel/tools/net/ynl
folder=$WG_OUT/netlink
name=wireguard-diag

# ynl looks for the schema of schemas in the folder above, and for the top of a kernel's source.
remove_tree "$folder"
mkdir -p "$folder/specs" "$folder/linux"
touch "$folder/MAINTAINERS"
cp "$kernel/Documentation/netlink/genetlink.yaml" "$folder"
# It also wants its own pair of licences in what it reads.
sed '1s/ [^ ]*$/ ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause)/' "$WG_TOP/docs/netlink/$name.yaml" \
	>"$folder/specs/$name.yaml"

# make_c MODE WHAT FILE
make_c() {
	in_root -b "$(kernel_folder)" python3 -B "$ynl/pyynl/ynl_gen_c.py" --spec "$folder/specs/$name.yaml" \
		--mode "$1" "--$2" -o "$folder/$3"
}

in_root python3 -B "$WG_TOP/tools/build/py/netlink.py"
in_root -b "$(kernel_folder)" python3 -B "$ynl/pyynl/ynl_gen_rst.py" -i "$WG_TOP/docs/netlink/$name.yaml" \
	-o "$folder/$name.rst"
{
	echo ".. SPDX-License-Identifier: GPL-2.0"
	sed '/^\.\. \(LINENO\|SPDX\)/d' "$folder/$name.rst"
} >"$WG_TOP/docs/netlink/$name.rst"
make_c uapi header linux/wireguard_diag.h
make_c user header "$name-user.h"
make_c user source "$name-user.c"
in_root -b "$(kernel_folder)" gcc -std=gnu11 -Wall -Werror -I "$folder" -I "$ynl/lib" \
	-c "$folder/$name-user.c" -o "$folder/$name-user.o"
echo "made: tools/wgwhy/schema.py, docs/netlink/$name.rst, $folder/$name-user.{h,c,o}"
