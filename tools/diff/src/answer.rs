// SPDX-License-Identifier: GPL-2.0

//! All that a driver answered, in a form in which the answers of two drivers can be compared.

use crate::message::{device, messages, peer, u16_at, u32_at, DONE, ERROR};

/// What a family's number is replaced by, to compare answers.
const ANY_FAMILY: [u8; 2] = [0xfe, 0xff];

/// Datagrams that came, one after the other.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct Answer {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Answer {
    /// The datagrams.
    pub(crate) fn datagrams(&self) -> impl Iterator<Item = &[u8]> {
        let mut begin = 0;
        self.ends.iter().map(move |&end| {
            let datagram = &self.bytes[begin..end];
            begin = end;
            datagram
        })
    }

    /// Appends one.
    pub(crate) fn push(&mut self, datagram: &[u8]) {
        self.bytes.extend(datagram);
        self.ends.push(self.bytes.len());
    }

    /// The first datagram.
    pub(crate) fn first_mut(&mut self) -> &mut [u8] {
        let end = self.ends.first().copied().unwrap_or_default();
        &mut self.bytes[..end]
    }

    /// Overwrites a word wherever it stands.
    pub(crate) fn hide(&mut self, word: &[u8]) {
        for at in 0..self.bytes.len().saturating_sub(word.len() - 1) {
            if self.bytes[at..].starts_with(word) {
                self.bytes[at..at + word.len()].fill(b'*');
            }
        }
    }

    /// The errno that a message with that number was answered with, and whether it was at all.
    pub(crate) fn status(&self, seq: u32) -> Option<i32> {
        self.datagrams().find_map(|datagram| status(datagram, seq))
    }

    /// Replaces what differs between any two sockets and families.
    pub(crate) fn normalize(&mut self, family: u16) {
        let mut begin = 0;
        for end in self.ends.clone() {
            let datagram = &mut self.bytes[begin..end];
            let found: Vec<_> = messages(datagram).collect();
            for (at, len) in found {
                let ty = u16_at(datagram, at + 4);
                datagram[at + 12..at + 16].fill(0);
                if ty == family {
                    datagram[at + 4..at + 6].copy_from_slice(&ANY_FAMILY);
                }
                if ty == ERROR && len >= 36 {
                    datagram[at + 32..at + 36].fill(0);
                    if u16_at(datagram, at + 24) == family {
                        datagram[at + 24..at + 26].copy_from_slice(&ANY_FAMILY);
                    }
                }
            }
            begin = end;
        }
    }

    /// Clears the padding of IPv4 endpoints in a normalized answer.
    pub(crate) fn clear_padding(&mut self) {
        let mut begin = 0;
        for end in self.ends.clone() {
            let datagram = &mut self.bytes[begin..end];
            let found: Vec<_> = messages(datagram).collect();
            for (at, len) in found {
                if u16_at(datagram, at + 4) == Self::family() && len > 20 {
                    clear_padding(&mut datagram[at + 20..at + len]);
                }
            }
            begin = end;
        }
    }

    /// The family number in a normalized answer.
    pub(crate) fn family() -> u16 {
        u16::from_ne_bytes(ANY_FAMILY)
    }
}

/// In the attributes of a device.
fn clear_padding(bytes: &mut [u8]) {
    each_attr(bytes, |ty, peers| {
        if ty & 0x3fff != device::PEERS {
            return;
        }
        each_attr(peers, |_, peer| {
            each_attr(peer, |ty, value| {
                if ty & 0x3fff == peer::ENDPOINT && value.len() == 16 {
                    value[8..].fill(0);
                }
            });
        });
    });
}

/// Visits attributes that stand one behind the other.
pub(crate) fn each_attr(mut bytes: &mut [u8], mut visit: impl FnMut(u16, &mut [u8])) {
    while bytes.len() >= 4 {
        let (len, ty) = (u16_at(bytes, 0) as usize, u16_at(bytes, 2));
        if len < 4 || len > bytes.len() {
            return;
        }
        visit(ty, &mut bytes[4..len]);
        let next = len.next_multiple_of(4).min(bytes.len());
        bytes = &mut bytes[next..];
    }
}

/// The status that a message with that number was answered with, if it was in this datagram.
pub(crate) fn status(datagram: &[u8], seq: u32) -> Option<i32> {
    messages(datagram).find_map(|(at, len)| {
        let is_end = matches!(u16_at(datagram, at + 4), ERROR | DONE);
        (is_end && len >= 20 && u32_at(datagram, at + 8) == seq)
            .then(|| u32_at(datagram, at + 16) as i32)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Attr, Message};

    const FAMILY: u16 = 0x21;

    /// A dump's only message, with an endpoint that has this at its end.
    fn answer(family: u16, port: u32, padding: u8) -> Answer {
        let mut endpoint = vec![2, 0, 0x1b, 0x58, 127, 0, 0, 1];
        endpoint.extend([padding; 8]);
        let attrs = vec![Attr::new(peer::ENDPOINT, endpoint)];
        let peers = Attr::nest(device::PEERS, vec![Attr::nest(0, attrs)]);
        let mut bytes = Vec::new();
        Message::new(0, 2, vec![peers]).write(family, 7, &mut bytes);
        bytes[12..16].copy_from_slice(&port.to_ne_bytes());
        let mut answer = Answer::default();
        answer.push(&bytes);
        answer.normalize(family);
        answer
    }

    #[test]
    fn families_and_sockets_make_no_difference() {
        assert!(answer(FAMILY, 100, 0) == answer(FAMILY + 1, 200, 0));
    }

    #[test]
    fn an_echoed_request_has_no_family_either() {
        let error = |family: u16, status: i32| {
            let mut echoed = Vec::new();
            Message::new(1, 5, vec![]).write(family, 7, &mut echoed);
            let mut bytes = vec![0; 16];
            bytes.extend(status.to_ne_bytes());
            bytes.extend(echoed);
            let len = bytes.len() as u32;
            bytes[..4].copy_from_slice(&len.to_ne_bytes());
            bytes[4..6].copy_from_slice(&ERROR.to_ne_bytes());
            bytes[8..12].copy_from_slice(&7u32.to_ne_bytes());
            let mut answer = Answer::default();
            answer.push(&bytes);
            answer.normalize(family);
            answer
        };
        assert!(error(FAMILY, -22) == error(FAMILY + 1, -22));
        assert!(error(FAMILY, -22) != error(FAMILY, -1));
        assert_eq!(error(FAMILY, -22).status(7), Some(-22));
        assert_eq!(error(FAMILY, -22).status(8), None);
    }

    #[test]
    fn padding_is_the_only_thing_that_is_forgiven() {
        let mut padded = answer(FAMILY, 1, 0xaa);
        assert!(padded != answer(FAMILY, 1, 0));
        padded.clear_padding();
        assert!(padded == answer(FAMILY, 1, 0));
        let mut other = padded.clone();
        let last = other.bytes.len() - 9;
        other.bytes[last] ^= 1;
        other.clear_padding();
        assert!(other != padded);
    }

    #[test]
    fn a_word_is_hidden_wherever_it_stands() {
        let mut answer = Answer::default();
        answer.push(b"wireguard, wireguard");
        answer.hide(b"wireguard");
        assert_eq!(answer.first_mut(), b"*********, *********");
        answer.hide(b"longer than all that is there");
    }
}
