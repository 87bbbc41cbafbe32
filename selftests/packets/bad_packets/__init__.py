# SPDX-License-Identifier: GPL-2.0
"""The steps of bad-packets.py."""
