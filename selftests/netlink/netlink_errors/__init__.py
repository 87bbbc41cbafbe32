# SPDX-License-Identifier: GPL-2.0
"""The table of netlink-errors.py."""
