# SPDX-License-Identifier: GPL-2.0
"""Whether the kernel takes the file of the module."""

import contextlib
import pathlib

import host
import programs

# The folder of the firmware's variables.
EFI = "/sys/firmware/efi/efivars"


def is_secure():
    """Whether the kernel takes signed modules only, as far as can be seen."""
    with contextlib.suppress(OSError):
        for file in pathlib.Path(EFI).glob("SecureBoot-*"):
            # Four bytes of attributes come first.
            if file.read_bytes()[4:5] == b"\1":
                return True
    return host.read("/sys/module/module/parameters/sig_enforce").strip() == "Y"


def module_file():
    """(file, signer) of the module that modprobe would load."""
    return programs.run("modinfo", "-n", "wireguard").strip(), programs.run("modinfo", "-F", "signer", "wireguard").strip()


def is_enrolled(signer):
    """Whether the kernel has a key of this name."""
    return any("asymmetri" in line and f" {signer}:" in line for line in host.read("/proc/keys").splitlines())
