// SPDX-License-Identifier: GPL-2.0

//! Arbitrary bytes as a message: what is parsed agrees with the layout in the paper.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wg_proto::{
    message::{
        DataHeader,
        Kind,
        Message, //
    },
    DropReason, //
};

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fuzz_target!(|bytes: &[u8]| {
    let expected = match (bytes.get(..4), bytes.len()) {
        (None, _) => Err(DropReason::BadLength),
        (Some([1, 0, 0, 0]), 148) => Ok(Kind::Initiation),
        (Some([2, 0, 0, 0]), 92) => Ok(Kind::Response),
        (Some([3, 0, 0, 0]), 64) => Ok(Kind::Cookie),
        (Some([4, 0, 0, 0]), 32..) => Ok(Kind::Data),
        (Some([1..=4, 0, 0, 0]), _) => Err(DropReason::BadLength),
        _ => Err(DropReason::BadType),
    };
    assert_eq!(Kind::of(bytes, bytes.len()), expected);
    // Of a packet in pieces only the head is seen.
    let head = bytes.get(..16).unwrap_or(bytes);
    assert_eq!(Kind::of(head, bytes.len()), expected);
    match Message::parse(bytes) {
        Err(reject) => assert_eq!(Err(reject), expected),
        Ok(Message::Initiation(message)) => {
            assert_eq!(expected, Ok(Kind::Initiation));
            assert_eq!(message.sender().get(), word(bytes, 4));
            assert_eq!(message.as_bytes(), bytes);
        }
        Ok(Message::Response(message)) => {
            assert_eq!(expected, Ok(Kind::Response));
            assert_eq!(message.sender().get(), word(bytes, 4));
            assert_eq!(message.receiver().get(), word(bytes, 8));
            assert_eq!(message.as_bytes(), bytes);
        }
        Ok(Message::Cookie(message)) => {
            assert_eq!(expected, Ok(Kind::Cookie));
            assert_eq!(message.receiver().get(), word(bytes, 4));
            assert_eq!(message.as_bytes(), bytes);
        }
        Ok(Message::Data(header, rest)) => {
            assert_eq!(expected, Ok(Kind::Data));
            assert_eq!(header.receiver().get(), word(bytes, 4));
            let counter = u64::from_le_bytes(bytes[8..16].try_into().unwrap());
            assert_eq!(header.counter(), counter);
            assert_eq!(rest, &bytes[16..]);
        }
    }
    let header = DataHeader::parse(bytes);
    assert_eq!(
        header.is_some(),
        bytes.len() >= 16 && bytes[..4] == [4, 0, 0, 0]
    );
});
