#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Installs the command wgwhy, one file for Python 3, below a folder that stands for /; or takes it
# out again.
# usage: wgwhy.sh install | remove [FOLDER]

set -euo pipefail

source=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../wgwhy" && pwd -P)
file=${2:-}/usr/local/bin/wgwhy

case ${1:-} in
install)
	if ! command -v python3 >/dev/null; then
		echo "wgwhy is not installed: it needs Python (Debian: apt install python3)"
		exit
	fi
	stage=$(mktemp -d)
	trap 'rm -r "$stage"' EXIT
	cp "$source"/*.py "$stage"
	rm "$stage"/test_*.py
	mkdir -p "$(dirname "$file")"
	python3 -m zipapp --python '/usr/bin/env python3' --output "$file" "$stage"
	chmod 755 "$file"
	echo "installed: $file"
	;;
remove) rm -f "$file" ;;
*)
	echo "usage: $0 install | remove [FOLDER]" >&2
	exit 2
	;;
esac
