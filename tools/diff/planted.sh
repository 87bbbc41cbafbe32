#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Does the comparison find what is wrong? Each file of planted/ changes our driver for the worse, in a copy of it, and
# the comparison must fail.
# usage: tools/diff/planted.sh [NAME…]
#
# A file is a script for sed; its second line names the file it is for, its third line says what goes wrong.

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

folder=$WG_TOP/tools/diff/planted
if ((!$#)); then
	for file in "$folder"/*.sed; do set -- "$@" "$(basename "$file" .sed)"; done
fi
log=$WG_OUT/log/planted
kernel=$(kernel_folder)
"$WG_TOP/tools/diff/run" --build
WG_C_MODULE=$("$WG_TOP/tools/c-module.sh")
export WG_C_MODULE WG_WORDS=init_on_alloc=0

# One copy for all, so that each build is a small one.
copy=$WG_OUT/planted
passed=0
failed=0
for name; do
	copy_sources "$copy"
	script=$folder/$name.sed
	target=$(sed -n '2s/^# //p' "$script")
	text="$name: $(sed -n '3s/^# //p' "$script")"
	sed -f "$script" "$WG_TOP/$target" >"$copy/$target"
	! cmp -s "$WG_TOP/$target" "$copy/$target" || die "$script changes nothing in $target"
	if ! step "module with $name" "$log/$name-build.log" kernel_make "$kernel/tree" "$copy" modules; then
		failed=$((failed + 1))
		continue
	fi
	job=$WG_OUT/vm/planted
	if WG_KO=$copy/wireguard.ko "$WG_TOP/tools/vm/boot.sh" --mode up --memory 512M --job "$job" \
		--limit $((300 * ${WG_PATIENCE:-1})) -- \
		"$WG_TOP/tools/diff/guest.sh" "$WG_OUT/wg-diff" "${SEED:-1}" "${COUNT:-40000}" 0 2>"$log/$name-boot.log"; then
		echo "NOT FOUND: $text"
		failed=$((failed + 1))
	elif grep '^FAIL seed' "$job/output.log" >"$log/$name.log"; then
		echo "found at $(sed 's/.*request \([0-9]*\):.*/request \1/' "$log/$name.log"): $text"
		passed=$((passed + 1))
	else
		echo "ended without a verdict: $text"
		tail -n 5 "$job/output.log" "$log/$name-boot.log"
		failed=$((failed + 1))
	fi
	cp "$job/output.log" "$log/$name.log"
done
echo "$passed passed, $failed failed"
((failed == 0))
