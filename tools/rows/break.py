#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Breaks the driver in one row of selftests/behaviour.tsv: `tools/rows/break.py FOLDER ROW`, FOLDER a copy of the checkout.

The ten rows were drawn by random.Random(20261122).sample() from those that have a test. After the change the test that is
printed must fail: `make test-vm TEST=…` in the copy.
"""

import pathlib
import sys

# Row: the selftest, and (file, text, text in its place).
BROKEN = {
    "S4": ("up-down", [
        ("rust/proto/keypairs.rs",
         """            list: [&self.next, &self.previous, &self.current].map(|slot| M::swap(slot, None)),
        }
    }
}""",
         """            list: [&self.next, &self.previous, &self.next].map(|slot| M::swap(slot, None)),
        }
    }
}"""),
    ]),
    "F7": ("bad-packets", [
        ("rust/kernel/net/skb.rs",
         """    fn data_len(""",
         """    /// Length.
    pub fn data_len("""),
        ("rust/driver/receive.rs",
         """    let len = skb.len();
    let head = skb""",
         """    if skb.data_len() != 0 {
        return Err(Reject::BadLength);
    }
    let len = skb.len();
    let head = skb"""),
    ]),
    "N12": ("netlink-errors", [
        ("rust/driver/netlink.rs",
         """    .u32_mask(allowed_ip_attr::FLAGS, 0x1);""",
         """    .u32(allowed_ip_attr::FLAGS);"""),
    ]),
    "T9": ("bad-packets", [
        ("rust/driver/send.rs",
         """    if peer.tx().lock(bh).staged.is_empty() {
        let Ok(mut packet)""",
         """    {
        let Ok(mut packet)"""),
    ]),
    "P5": ("psk", [
        ("rust/driver/netlink/set.rs",
         """        let _ = attr.copy_to(preshared.as_mut_bytes());
""",
         """        let _ = attr.copy_to(preshared.as_mut_bytes());
        drop(noise);
        peer.expire_keypairs(ctx);
"""),
    ]),
    "C6": ("bad-packets", [
        ("rust/driver/handshake/incoming.rs",
         """    let mut jar = peer.jar().lock(&bh);
""",
         """    peer.set_endpoint(&Endpoint::of(source), &bh);
    let mut jar = peer.jar().lock(&bh);
"""),
    ]),
    "T6": ("keepalive", [
        ("rust/proto/timers.rs",
         """        Actions::one(Action::Cancel(Timer::SendKeepalive))
    }

    /// Any authentic packet was received""",
         """        Actions::one(Action::Cancel(Timer::NewHandshake))
    }

    /// Any authentic packet was received"""),
    ]),
    "L11": ("link", [
        ("rust/kernel/net/device/link.rs",
         """        d.hw_features |= features;
""",
         """"""),
    ]),
    "L17": ("link", [
        ("rust/kernel/net/device/link.rs",
         """        d.dev.type_ = Self::DEVICE_TYPE;
""",
         """        let _ = Self::DEVICE_TYPE;
"""),
    ]),
    "P6": ("sticky-source", [
        ("rust/driver/netlink/set.rs",
         """            source: Source::Any,
        };
        peer.set_endpoint""",
         """            source: peer.source(&ctx.bh()),
        };
        peer.set_endpoint"""),
        ("rust/driver/path.rs",
         """    /// Moves the peer to another endpoint.
""",
         """    /// Returns the local address.
    pub(crate) fn source(&self, bh: &Bh<'_>) -> Source {
        self.endpoint().lock(bh).endpoint.source
    }

    /// Moves the peer to another endpoint.
"""),
    ]),
}


def main(folder, row):
    test, changes = BROKEN[row]
    for name, old, new in changes:
        path = pathlib.Path(folder, name)
        text = path.read_text(encoding="utf-8")
        if text.count(old) < 1:
            return f"{name} has changed: row {row} cannot be broken like this any more"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
    print(test)
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[2] not in BROKEN:
        sys.exit(f"usage: break.py FOLDER ROW, one of {' '.join(BROKEN)}")
    sys.exit(main(*sys.argv[1:]))
