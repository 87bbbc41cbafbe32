// SPDX-License-Identifier: GPL-2.0

//! All statements about the netlink interface that are put to the test, and how often each one was.

use std::collections::BTreeMap;

/// All statements: a name, and what it is about. Those of 2.1 are rows N of
/// `selftests/behaviour.tsv`, those of 2.3 rows O.
pub(crate) const ROWS: &[(&str, &str)] = &[
    (
        "2.1 1",
        "header too short, reserved field, flags of the header: EINVAL",
    ),
    (
        "2.1 2",
        "command, or dump where there is none, or the other way round: EOPNOTSUPP",
    ),
    ("2.1 3", "no CAP_NET_ADMIN: EPERM"),
    (
        "2.1 4a",
        "an attribute of another type, size or form: EINVAL, with its place",
    ),
    (
        "2.1 4b",
        "a key, address or name of another length: ERANGE, with its place",
    ),
    ("2.1 5", "neither or both names of the interface: EBADR"),
    ("2.1 6", "no such interface: ENODEV"),
    ("2.1 7", "an interface of another kind: EOPNOTSUPP"),
    (
        "2.1 nest",
        "an element of a list without NLA_F_NESTED: EINVAL",
    ),
    ("2.1 type", "elements of any type are taken"),
    ("2.1 empty", "an empty element: EINVAL by the driver"),
    (
        "2.1 whole",
        "an error of the policy anywhere changes nothing",
    ),
    ("2.1 twice", "of duplicates the last one counts"),
    (
        "2.1 GET",
        "GET takes nothing but the interface's name or index",
    ),
    ("2.1 ro", "what can only be read is ignored in SET"),
    ("G1", "errors of a dump's beginning come as NLMSG_ERROR"),
    (
        "G2",
        "a dump begins with the device's attributes; keys if there are any",
    ),
    ("G2 none", "no identity, or no peers"),
    ("G3", "messages after the first have only peers"),
    (
        "G3 again",
        "the device's attributes are repeated if the first peer overflows",
    ),
    (
        "G4",
        "peers in the order of their making, with all attributes",
    ),
    ("G5", "a prefix added again goes to the end"),
    ("G6", "a peer in two messages"),
    ("G7", "a change during a dump is flagged (NLM_F_DUMP_INTR)"),
    ("G7 not", "and what is no change is not"),
    (
        "G7 EPERM",
        "nor are port and mark without the namespace of the sockets",
    ),
    ("G7 nobody", "nor is a request without CAP_NET_ADMIN"),
    (
        "G8",
        "prefixes changed during a dump: the rest of the peer's list is left out",
    ),
    (
        "G9",
        "the peer where a dump stands is removed: the dump ends",
    ),
    (
        "G10",
        "a dump that is not read to its end lets the interface go when it is closed",
    ),
    ("G11", "messages fit the reader's buffer"),
    ("G12", "large interfaces: 40 peers, or 197 prefixes of one"),
    ("2.3 1", "flags"),
    (
        "2.3 2",
        "port and mark need the namespace of the sockets: else EPERM, and nothing is done",
    ),
    ("2.3 3", "a change that fails later is a change, too"),
    ("2.3 4", "a mark, with peers"),
    ("2.3 5", "an error of the port ends the request"),
    ("2.3 6", "all peers are removed"),
    ("2.3 7", "the private key comes before peers"),
    (
        "2.3 8",
        "the first peer with an error ends the request; what was done stays",
    ),
    ("2.3 wipe", "keys are wiped from the request"),
    ("SP1 same", "the port that it is"),
    ("SP1 down", "another port, down"),
    ("SP1 up", "another port, up"),
    ("SP1 0", "any port, up"),
    ("SP1 fails", "a port that is taken, up"),
    ("SP2", "another port while there are peers"),
    ("SP3", "a mark, or none"),
    ("SK1 same", "the private key that it is"),
    ("SK1 form", "the same key in another form"),
    ("SK2", "another private key"),
    (
        "SK2 peer",
        "another private key, whose public key a peer has",
    ),
    ("SK3", "no private key any more"),
    ("SK4", "a handshake right after another private key"),
    ("SF1", "a peer with the interface's own key"),
    ("P1", "no public key: EINVAL"),
    (
        "P2",
        "a version of the protocol that is not 1: EPFNOSUPPORT",
    ),
    ("P3 remove", "an unknown peer is removed: nothing"),
    ("P3 update", "an unknown peer is only updated: nothing"),
    ("P3 new", "an unknown peer is made"),
    (
        "P3 replace",
        "an unknown peer is made whose prefixes are replaced",
    ),
    ("P4", "a peer is removed, whatever else is said"),
    ("P5", "a preshared key"),
    ("P6", "an endpoint"),
    ("P6 odd", "what is not one is ignored"),
    ("P7", "prefixes are replaced"),
    ("P8", "a prefix is added"),
    ("P8 moves", "a prefix of another peer moves"),
    ("P8 bits", "bits behind the prefix are masked"),
    ("P8 EINVAL", "a prefix that is none: EINVAL by the driver"),
    ("P9", "a prefix is removed"),
    (
        "P9 not",
        "a prefix that this peer has not got is removed: nothing",
    ),
    ("P10", "an interval is set while the interface is up"),
    (
        "P10 sends",
        "an interval that was 0 sends a packet at once; another one does not",
    ),
    ("P11", "a peer is changed while the interface is up"),
];

/// How often each statement was put to the test.
#[derive(Default)]
pub(crate) struct Table(BTreeMap<&'static str, u64>);

impl Table {
    /// Counts one more.
    pub(crate) fn hit(&mut self, row: &'static str) {
        debug_assert!(ROWS.iter().any(|known| known.0 == row), "{row}");
        *self.0.entry(row).or_default() += 1;
    }

    /// How often it was.
    pub(crate) fn count(&self, row: &str) -> u64 {
        self.0.get(row).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_there_once_and_counted_alone() {
        let mut table = Table::default();
        for (n, (row, _)) in ROWS.iter().enumerate() {
            assert!(ROWS[..n].iter().all(|other| other.0 != *row), "{row} twice");
            assert_eq!(table.count(row), 0);
            table.hit(row);
            assert_eq!(table.count(row), 1);
        }
    }
}
