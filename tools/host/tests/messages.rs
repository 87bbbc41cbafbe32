// SPDX-License-Identifier: GPL-2.0

//! Messages of every length and type.

use std::collections::HashSet;
use wg_proto::{
    crypto::TAG_LEN,
    message::{
        CookieReply,
        DataHeader,
        Index,
        Initiation,
        Kind,
        Message,
        Response, //
    },
    DropReason,
    Tai64N, //
};
use wg_soft::Rng;

/// Lengths that a type may have.
fn fits(kind: u8, len: usize) -> bool {
    match kind {
        1 => len == 148,
        2 => len == 92,
        3 => len == 64,
        _ => len >= 32,
    }
}

fn number(message: Message<'_>) -> u8 {
    match message {
        Message::Initiation(_) => 1,
        Message::Response(_) => 2,
        Message::Cookie(_) => 3,
        Message::Data(..) => 4,
    }
}

#[test]
// rows F1 F2 F3 F4
fn each_type_has_its_lengths() {
    for len in 0..=512 {
        for kind in 0..=255 {
            let mut bytes = vec![0xee; len];
            bytes
                .iter_mut()
                .zip([kind, 0, 0, 0])
                .for_each(|(to, from)| *to = from);
            let expected = match kind {
                _ if len < 4 => Err(DropReason::BadLength),
                1..=4 if fits(kind, len) => Ok(kind),
                1..=4 => Err(DropReason::BadLength),
                _ => Err(DropReason::BadType),
            };
            assert_eq!(Message::parse(&bytes).map(number), expected, "{kind} {len}");
            let told = Kind::of(&bytes, len).map(|kind| kind as u8 + 1);
            assert_eq!(told, expected, "{kind} {len}");
        }
    }
}

#[test]
fn the_longest_datagram_is_data() {
    let mut bytes = vec![0; 65_507];
    bytes[0] = 4;
    let Ok(Message::Data(_, rest)) = Message::parse(&bytes) else {
        panic!("not data");
    };
    assert_eq!(rest.len(), bytes.len() - DataHeader::LEN);
}

#[test]
fn reserved_bytes_have_to_be_zero() {
    for (kind, len) in [(1, 148), (2, 92), (3, 64), (4, 32)] {
        for at in 1..4 {
            for bit in 0..8 {
                let mut bytes = vec![0; len];
                bytes[0] = kind;
                bytes[at] = 1 << bit;
                assert_eq!(Message::parse(&bytes).map(number), Err(DropReason::BadType));
            }
        }
    }
}

#[test]
fn the_type_is_told_from_the_first_bytes() {
    for (kind, len) in [
        (Kind::Initiation, 148),
        (Kind::Response, 92),
        (Kind::Cookie, 64),
        (Kind::Data, 1_400),
    ] {
        let head = [kind as u8 + 1, 0, 0, 0];
        assert_eq!(Kind::of(&head, len), Ok(kind));
        assert_eq!(Kind::of(&head, 20), Err(DropReason::BadLength));
        assert_eq!(Kind::of(&head[..3], len), Err(DropReason::BadLength));
    }
}

#[test]
fn the_fields_lie_where_the_protocol_puts_them() {
    let mut bytes: Vec<u8> = (0..148).collect();
    bytes[..4].copy_from_slice(&[1, 0, 0, 0]);
    let Ok(Message::Initiation(message)) = Message::parse(&bytes) else {
        panic!("not an initiation");
    };
    assert_eq!(message.sender(), Index::new(0x0706_0504));
    assert_eq!(message.sender().get(), 0x0706_0504);
    assert_eq!(message.as_bytes(), bytes);

    bytes[0] = 2;
    let Ok(Message::Response(message)) = Message::parse(&bytes[..92]) else {
        panic!("not a response");
    };
    assert_eq!(message.sender(), Index::new(0x0706_0504));
    assert_eq!(message.receiver(), Index::new(0x0b0a_0908));

    bytes[0] = 3;
    let Ok(Message::Cookie(message)) = Message::parse(&bytes[..64]) else {
        panic!("not a cookie");
    };
    assert_eq!(message.receiver(), Index::new(0x0706_0504));

    bytes[0] = 4;
    let Ok(Message::Data(header, rest)) = Message::parse(&bytes) else {
        panic!("not data");
    };
    assert_eq!(header.receiver(), Index::new(0x0706_0504));
    assert_eq!(header.counter(), 0x0f0e_0d0c_0b0a_0908);
    assert_eq!(rest, &bytes[16..]);
    let made = DataHeader::new(header.receiver(), header.counter());
    assert_eq!(made.as_bytes(), &bytes[..16]);
    // Of a packet whose bytes are in several buffers, the header may be all that is read.
    for len in [16, 17, 148] {
        let (header, rest) = DataHeader::parse(&bytes[..len]).expect("a header");
        assert_eq!(header.receiver(), Index::new(0x0706_0504));
        assert_eq!(header.counter(), 0x0f0e_0d0c_0b0a_0908);
        assert_eq!(rest, &bytes[16..len]);
    }
    assert!(DataHeader::parse(&bytes[..15]).is_none());
    assert!(DataHeader::parse(&bytes[1..]).is_none());
    assert_eq!(DataHeader::MIN_MESSAGE_LEN, 16 + TAG_LEN);
}

#[test]
fn random_bytes_do_no_harm() {
    let mut rng = Rng::new(1);
    for _ in 0..20_000 {
        let len = rng.number() as usize % 200;
        let mut bytes = vec![0; len];
        rng.fill(&mut bytes);
        if let Some(first) = bytes.first_chunk_mut::<4>() {
            *first = [(rng.number() % 6) as u8, 0, 0, 0];
        }
        if let Ok(message) = Message::parse(&bytes) {
            assert!(fits(number(message), len));
        }
    }
}

#[test]
fn new_messages_are_zero() {
    assert_eq!(Initiation::zeroed().as_bytes(), [0; 148]);
    assert_eq!(Response::zeroed().as_bytes(), [0; 92]);
    assert_eq!(CookieReply::zeroed().as_bytes(), [0; 64]);
}

#[test]
// row K10
fn timestamps_are_whitened_and_ordered_as_time_is() {
    let bytes = |seconds, nanos| *Tai64N::from_unix(seconds, nanos).as_bytes();
    assert_eq!(bytes(0, 0), [0x40, 0, 0, 0, 0, 0, 0, 0x0a, 0, 0, 0, 0]);
    assert_eq!(
        bytes(1_700_000_000, 999_999_999),
        [0x40, 0, 0, 0, 0x65, 0x53, 0xf1, 0x0a, 0x3b, 0, 0, 0]
    );
    for nanos in (0..1_000_000_000).step_by(999_983) {
        let Some([.., a, b, c, d]) = Some(bytes(1, nanos)) else {
            unreachable!();
        };
        assert_eq!(u32::from_be_bytes([a, b, c, d]), nanos - nanos % (1 << 24));
    }
    let ordered = [
        Tai64N::ZERO,
        Tai64N::from_unix(-1, 999_999_999),
        Tai64N::from_unix(0, 0),
        Tai64N::from_unix(0, 1 << 24),
        Tai64N::from_unix(1, 0),
        Tai64N::from_unix(255, 0),
        Tai64N::from_unix(256, 0),
        Tai64N::from_unix(i64::from(u32::MAX) + 1, 0),
        Tai64N::from_bytes([0xff; 12]),
    ];
    assert!(ordered.windows(2).all(|pair| pair[0] < pair[1]));
    assert_eq!(Tai64N::from_unix(5, (1 << 24) - 1), Tai64N::from_unix(5, 0));
}

#[test]
fn the_next_timestamp_is_the_next_that_differs() {
    const QUANTUM: u32 = 1 << 24;
    let second = 1_700_000_000;
    let mut stamp = Tai64N::from_unix(second, 0);
    // All that lie in a second, and then the first of the next one.
    for nanos in (0..1_000_000_000).step_by(QUANTUM as usize) {
        assert_eq!(stamp, Tai64N::from_unix(second, nanos));
        stamp = stamp.next();
    }
    assert_eq!(stamp, Tai64N::from_unix(second + 1, 0));
    // Bits below the resolution do not count.
    let mut bytes = *Tai64N::from_unix(second, 7 * QUANTUM).as_bytes();
    bytes[9..].fill(0xff);
    let stamp = Tai64N::from_bytes(bytes);
    assert_eq!(stamp.next(), Tai64N::from_unix(second, 8 * QUANTUM));
}

#[test]
fn every_reason_has_a_place_and_a_name_of_its_own() {
    let names: HashSet<_> = DropReason::ALL.iter().map(|reason| reason.name()).collect();
    assert_eq!(names.len(), DropReason::COUNT);
    for (i, reason) in DropReason::ALL.into_iter().enumerate() {
        assert_eq!(reason.index(), i);
        assert!(reason
            .name()
            .bytes()
            .all(|c| c == b'-' || c.is_ascii_lowercase() || c.is_ascii_digit()));
    }
}
