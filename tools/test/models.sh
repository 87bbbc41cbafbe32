#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Models of the structures in which CPUs meet: the module's own files under all schedules of a few
# CPUs (tools/models).
# usage: models.sh [FILE]…   (a file of tools/models/src/models or tools/models/kext/src/models, without ".rs";
#                                  default: all)
#
# Each model is a process of its own. Logs: out/log/models/MODEL.log. Ends with "N passed, M failed,
# K skipped".

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

# Seconds that a model may take; a fault may lead to endless schedules.
patience=600
log=$WG_OUT/log/models
mkdir -p "$log"

for file; do
	compgen -G "$WG_TOP/tools/models/src/models/$file.rs" >/dev/null ||
		compgen -G "$WG_TOP/tools/models/kext/src/models/$file.rs" >/dev/null ||
		die "there are no models '$file'; give the name of a file in tools/models/src/models or tools/models/kext/src/models"
done

# shellcheck disable=SC2016 # the shell in the root expands it
in_root sh -c 'cd tools/models &&
	CARGO_TARGET_DIR=$CARGO_TARGET_DIR/models exec cargo test --locked --workspace --no-run' >"$log/build.log" 2>&1 ||
	{
		excerpt "$log/build.log"
		die "the models do not compile"
	}
mapfile -t programs < <(sed -n 's/^ *Executable unittests .*(\(.*\))$/\1/p' "$log/build.log")
((${#programs[@]})) || die "cargo names no program; see $log/build.log"

for program in "${programs[@]}"; do
	while read -r model; do
		file=${model#models::}
		file=${file%%::*}
		(($# == 0)) || [[ " $* " == *" $file "* ]] || continue
		name=${model##*::}
		begin=$SECONDS
		status=0
		in_root timeout "$patience" "$program" --exact "$model" --nocapture >"$log/$name.log" 2>&1 </dev/null || status=$?
		if ((!status)); then
			passed=$((passed + 1))
			printf '%-60s%5d   s\n' "$name" $((SECONDS - begin))
		else
			failed=$((failed + 1))
			((status != 124)) || echo "did not end within $patience s" >>"$log/$name.log"
			printf '%-60s%5d   s  FAILED\n' "$name" $((SECONDS - begin))
			echo "FAIL $name; see $log/$name.log"
			grep -v '^$' "$log/$name.log" | tail -n 4 | sed 's/^/    /'
		fi
	done < <(in_root "$program" --list </dev/null | sed -n 's/: test$//p')
done
tally
