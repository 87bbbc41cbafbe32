#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Prints the address of the Debian mirror that this machine's apt uses; nothing when it names none
# (mmdebstrap then takes its own default).

set -euo pipefail
shopt -s nullglob

# shellcheck source=/dev/null
release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
lists=(/etc/apt/sources.list /etc/apt/sources.list.d/*.list)
paragraphs=(/etc/apt/sources.list.d/*.sources)

# One-line files, brought to "URI SUITE COMPONENTS".
one_line() {
	{ cat "${lists[@]}" 2>/dev/null || true; } | sed -nE 's/^deb[ \t]+(\[[^]]*\][ \t]+)?//p'
}

# The same for deb822 files, whose fields may hold several values.
deb822() {
	awk '
		function flush(   u, s, i, j, n, m) {
			if (types ~ /(^| )deb( |$)/ && enabled !~ /^no/) {
				n = split(uris, u, " "); m = split(suites, s, " ")
				for (i = 1; i <= n; i++)
					for (j = 1; j <= m; j++) print u[i], s[j], components
			}
			types = uris = suites = components = enabled = ""
		}
		FNR == 1 || /^[ \t]*$/ { flush() }
		/^#/ { next }
		{ key = tolower($1); value = $0; sub(/^[^:]*:[ \t]*/, "", value) }
		key == "types:" { types = value }
		key == "uris:" { uris = value }
		key == "suites:" { suites = value }
		key == "components:" { components = value }
		key == "enabled:" { enabled = tolower(value) }
		END { flush() }
	' /dev/null "${paragraphs[@]}"
}

# The suite of the distribution itself: what carries its updates and security fixes may lie elsewhere.
{ one_line; deb822; } | awk -v release="$release" '
	!found && $1 ~ /^https?:/ && ($2 == release || $2 ~ /^(stable|testing|sid|trixie)$/) && / main( |$)/ {
		print $1
		found = 1
	}'
