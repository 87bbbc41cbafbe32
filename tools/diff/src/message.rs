// SPDX-License-Identifier: GPL-2.0

//! Netlink messages as trees of attributes that may be wrong in any way, and their bytes.

/// `NLM_F_REQUEST`.
pub(crate) const REQUEST: u16 = 0x1;
/// `NLM_F_MULTI`.
pub(crate) const MULTI: u16 = 0x2;
/// `NLM_F_ACK`.
pub(crate) const ACK: u16 = 0x4;
/// `NLM_F_ECHO`.
pub(crate) const ECHO: u16 = 0x8;
/// `NLM_F_DUMP_INTR`.
pub(crate) const DUMP_INTR: u16 = 0x10;
/// `NLM_F_DUMP`.
pub(crate) const DUMP: u16 = 0x300;
/// `NLM_F_CREATE | NLM_F_EXCL`.
pub(crate) const CREATE: u16 = 0x600;
/// `NLMSG_ERROR`.
pub(crate) const ERROR: u16 = 2;
/// `NLMSG_DONE`.
pub(crate) const DONE: u16 = 3;
/// `NLA_F_NESTED`.
pub(crate) const NESTED: u16 = 0x8000;

/// `WG_CMD_GET_DEVICE`.
pub(crate) const GET: u8 = 0;
/// `WG_CMD_SET_DEVICE`.
pub(crate) const SET: u8 = 1;

/// Attributes of a device.
pub(crate) mod device {
    pub(crate) const IFINDEX: u16 = 1;
    pub(crate) const IFNAME: u16 = 2;
    pub(crate) const PRIVATE_KEY: u16 = 3;
    pub(crate) const PUBLIC_KEY: u16 = 4;
    pub(crate) const FLAGS: u16 = 5;
    pub(crate) const LISTEN_PORT: u16 = 6;
    pub(crate) const FWMARK: u16 = 7;
    pub(crate) const PEERS: u16 = 8;
}

/// Attributes of a peer.
pub(crate) mod peer {
    pub(crate) const PUBLIC_KEY: u16 = 1;
    pub(crate) const PRESHARED_KEY: u16 = 2;
    pub(crate) const FLAGS: u16 = 3;
    pub(crate) const ENDPOINT: u16 = 4;
    pub(crate) const KEEPALIVE: u16 = 5;
    pub(crate) const LAST_HANDSHAKE: u16 = 6;
    pub(crate) const RX_BYTES: u16 = 7;
    pub(crate) const TX_BYTES: u16 = 8;
    pub(crate) const ALLOWEDIPS: u16 = 9;
    pub(crate) const VERSION: u16 = 10;

    pub(crate) const REMOVE_ME: u32 = 1;
    pub(crate) const REPLACE_ALLOWEDIPS: u32 = 2;
    pub(crate) const UPDATE_ONLY: u32 = 4;
}

/// Attributes of an allowed IP.
pub(crate) mod allowed_ip {
    pub(crate) const FAMILY: u16 = 1;
    pub(crate) const IPADDR: u16 = 2;
    pub(crate) const CIDR_MASK: u16 = 3;
    pub(crate) const FLAGS: u16 = 4;
}

/// What an attribute holds.
#[derive(Clone)]
pub(crate) enum Body {
    /// A value.
    Bytes(Vec<u8>),
    /// Attributes.
    Nest(Vec<Attr>),
}

/// An attribute.
#[derive(Clone)]
pub(crate) struct Attr {
    /// Its type with flags, as it stands in the message.
    pub(crate) ty: u16,
    /// What it holds.
    pub(crate) body: Body,
    /// A length that lies.
    pub(crate) len: Option<u16>,
}

impl Attr {
    /// A value.
    pub(crate) fn new(ty: u16, bytes: impl Into<Vec<u8>>) -> Self {
        let body = Body::Bytes(bytes.into());
        Self {
            ty,
            body,
            len: None,
        }
    }

    /// A nest.
    pub(crate) fn nest(ty: u16, children: Vec<Attr>) -> Self {
        Self {
            ty: ty | NESTED,
            body: Body::Nest(children),
            len: None,
        }
    }

    /// A byte.
    pub(crate) fn u8(ty: u16, value: u8) -> Self {
        Self::new(ty, [value])
    }

    /// A number of two bytes.
    pub(crate) fn u16(ty: u16, value: u16) -> Self {
        Self::new(ty, value.to_ne_bytes())
    }

    /// A number of four bytes.
    pub(crate) fn u32(ty: u16, value: u32) -> Self {
        Self::new(ty, value.to_ne_bytes())
    }

    /// The type without flags.
    pub(crate) fn kind(&self) -> u16 {
        self.ty & 0x3fff
    }

    /// The value, where it is one.
    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.body {
            Body::Bytes(bytes) => bytes,
            Body::Nest(_) => &[],
        }
    }

    /// The attributes below.
    pub(crate) fn children(&self) -> &[Attr] {
        match &self.body {
            Body::Bytes(_) => &[],
            Body::Nest(children) => children,
        }
    }

    /// Appends the bytes.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let begin = out.len();
        out.extend([0; 4]);
        match &self.body {
            Body::Bytes(bytes) => out.extend(bytes),
            Body::Nest(children) => children.iter().for_each(|child| child.write(out)),
        }
        let len = self.len.unwrap_or((out.len() - begin) as u16);
        out[begin..begin + 2].copy_from_slice(&len.to_ne_bytes());
        out[begin + 2..begin + 4].copy_from_slice(&self.ty.to_ne_bytes());
        out.resize(out.len().next_multiple_of(4), 0);
    }
}

/// Which of a side's sockets a message is sent from.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Sender {
    /// The one of the administrator.
    Admin,
    /// One that was opened without any capability.
    Nobody,
}

/// A request to one of the families.
#[derive(Clone)]
pub(crate) struct Message {
    /// The sender.
    pub(crate) sender: Sender,
    /// `nlmsg_flags`
    pub(crate) flags: u16,
    /// Command
    pub(crate) cmd: u8,
    /// Version
    pub(crate) version: u8,
    /// `genlmsghdr.reserved`
    pub(crate) reserved: u16,
    /// Attributes
    pub(crate) attrs: Vec<Attr>,
    /// Bytes after the attributes
    pub(crate) tail: Vec<u8>,
    /// How many bytes of the generic netlink header there are, if not all and nothing behind it.
    pub(crate) cut: Option<usize>,
}

impl Message {
    /// A request that is answered.
    pub(crate) fn new(cmd: u8, flags: u16, attrs: Vec<Attr>) -> Self {
        Self {
            sender: Sender::Admin,
            flags,
            cmd,
            version: 1,
            reserved: 0,
            attrs,
            tail: Vec::new(),
            cut: None,
        }
    }

    /// Whether the kernel takes it for the beginning of a dump.
    pub(crate) fn is_dump(&self) -> bool {
        self.cmd == GET && self.flags & DUMP == DUMP && self.flags & REQUEST != 0
    }

    /// Appends the bytes, for the family with that number.
    pub(crate) fn write(&self, family: u16, seq: u32, out: &mut Vec<u8>) {
        let begin = out.len();
        out.extend([0; 4]);
        out.extend(family.to_ne_bytes());
        out.extend(self.flags.to_ne_bytes());
        out.extend(seq.to_ne_bytes());
        out.extend([0; 4]);
        out.extend([self.cmd, self.version]);
        out.extend(self.reserved.to_ne_bytes());
        self.attrs.iter().for_each(|attr| attr.write(out));
        out.extend(&self.tail);
        if let Some(len) = self.cut {
            out.truncate(begin + 16 + len);
        }
        let len = (out.len() - begin) as u32;
        out[begin..begin + 4].copy_from_slice(&len.to_ne_bytes());
        out.resize(out.len().next_multiple_of(4), 0);
    }
}

/// Reads a number of two bytes.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_ne_bytes([bytes[at], bytes[at + 1]])
}

/// Reads a number of four bytes.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The messages in a datagram: `(offset, length)`.
pub(crate) fn messages(datagram: &[u8]) -> impl Iterator<Item = (usize, usize)> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at + 16 > datagram.len() {
            return None;
        }
        let len = u32_at(datagram, at) as usize;
        if len < 16 || at + len > datagram.len() {
            return None;
        }
        let found = (at, len);
        at += len.next_multiple_of(4);
        Some(found)
    })
}

/// The attributes in some bytes: `(type, value)`, the type with its flags.
pub(crate) fn attrs(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.len() < 4 {
            return None;
        }
        let len = u16_at(rest, 0) as usize;
        if len < 4 || len > rest.len() {
            return None;
        }
        let found = (u16_at(rest, 2), &rest[4..len]);
        rest = &rest[len.next_multiple_of(4).min(rest.len())..];
        Some(found)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_the_bytes_that_the_kernel_defines() {
        let nest = Attr::nest(8, vec![Attr::u8(3, 7)]);
        let message = Message::new(SET, REQUEST | ACK, vec![Attr::u16(6, 0x1234), nest]);
        let mut bytes = Vec::new();
        message.write(0x1f, 5, &mut bytes);
        let [port0, port1] = 0x1234u16.to_ne_bytes();
        let expected = [
            &40u32.to_ne_bytes()[..],
            &0x1fu16.to_ne_bytes(),
            &5u16.to_ne_bytes(),
            &5u32.to_ne_bytes(),
            &[0; 4],
            &[1, 1, 0, 0],
            &6u16.to_ne_bytes(),
            &6u16.to_ne_bytes(),
            &[port0, port1, 0, 0],
            &12u16.to_ne_bytes(),
            &0x8008u16.to_ne_bytes(),
            &5u16.to_ne_bytes(),
            &3u16.to_ne_bytes(),
            &[7, 0, 0, 0],
        ];
        assert_eq!(bytes, expected.concat());
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut bytes = Vec::new();
        for seq in [1, 2] {
            let key = Attr::new(3, vec![9; 32]);
            Message::new(GET, REQUEST, vec![Attr::new(2, *b"wg0\0"), key])
                .write(0x20, seq, &mut bytes);
        }
        let found: Vec<_> = messages(&bytes).collect();
        assert_eq!(found, [(0, 64), (64, 64)]);
        let found: Vec<_> = attrs(&bytes[64 + 20..]).collect();
        assert_eq!(found, [(2, &b"wg0\0"[..]), (3, &[9; 32])]);
    }

    #[test]
    fn lengths_that_lie_stay_in_the_message_and_end_the_reading() {
        let mut liar = Attr::u32(1, 0);
        liar.len = Some(9);
        let mut bytes = Vec::new();
        liar.write(&mut bytes);
        assert_eq!(bytes.len(), 8);
        assert_eq!(attrs(&bytes).count(), 0);
        let mut short = Message::new(SET, REQUEST, vec![liar]);
        short.cut = Some(2);
        bytes.clear();
        short.write(0x20, 1, &mut bytes);
        assert_eq!((bytes.len(), u32_at(&bytes, 0)), (20, 18));
    }
}
