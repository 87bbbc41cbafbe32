// SPDX-License-Identifier: GPL-2.0

//! Two nodes, and a network that delivers, forges, delays and repeats what they say.
//!
//! Each step is a byte that says what happens, followed by what that needs. Nothing that was
//! changed on its way may be taken, even if its macs were computed anew.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wg_proto::{
    message::{
        Initiation,
        Message,
        Response, //
    },
    DropReason, //
};
use wg_soft::Node;

const SOURCE: &[u8] = &[192, 0, 2, 1, 0xca, 0x6c];

/// What is left of the input.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn take(&mut self, count: usize) -> &'a [u8] {
        let (head, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        head
    }
}

/// Delivers a message; the answer is what is on the way to the sender.
fn deliver(from: &Node, to: &mut Node, bytes: &[u8], mail: &mut Vec<u8>) -> Result<(), DropReason> {
    let is_response = matches!(Message::parse(bytes), Ok(Message::Response(_)));
    let is_data = matches!(Message::parse(bytes), Ok(Message::Data(..)));
    let answer = to.receive(bytes, SOURCE)?;
    if is_response && to.session.remote == from.session.local {
        assert!(to.session.sending.as_bytes() == from.session.receiving.as_bytes());
        assert!(to.session.receiving.as_bytes() == from.session.sending.as_bytes());
    }
    if !is_data {
        *mail = answer;
    }
    Ok(())
}

/// Returns the part of a message that its receiver has to find as it was sent, besides the macs.
fn sealed(bytes: &[u8]) -> std::ops::Range<usize> {
    match Message::parse(bytes) {
        // The sender's index is only protected by the macs.
        Ok(Message::Initiation(_)) => 8..size_of::<Initiation>() - 32,
        Ok(Message::Response(_)) => 8..size_of::<Response>() - 32,
        _ => 0..bytes.len(),
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let (mut a, mut b) = Node::pair(7);
    // What is on its way to either node.
    let (mut to_a, mut to_b) = (Vec::new(), Vec::new());
    for _ in 0..24 {
        let Some(step) = input.byte() else { return };
        let (near, far, mail, answer) = if step & 0x80 == 0 {
            (&mut a, &mut b, &mut to_b, &mut to_a)
        } else {
            (&mut b, &mut a, &mut to_a, &mut to_b)
        };
        match step & 7 {
            0 => {
                if let Ok(message) = near.initiate() {
                    *mail = message.as_bytes().to_vec();
                }
            }
            1 => {
                let _ = deliver(near, far, &mail.clone(), answer);
            }
            2 | 3 => {
                let (Some(at), Some(mask @ 1..)) = (input.byte(), input.byte()) else {
                    continue;
                };
                let mut forged = mail.clone();
                let len = forged.len();
                let Some(place) = forged.get_mut(usize::from(at) % len.max(1)) else {
                    continue;
                };
                *place ^= mask;
                let at = usize::from(at) % len;
                if step & 7 == 2 {
                    // The second mac is not looked at.
                    let accepted = far.receive(&forged, SOURCE).is_ok();
                    assert!(!accepted || (at >= len - 16 && (len == 148 || len == 92)));
                } else if len == 148 || len == 92 {
                    let sealed = sealed(mail);
                    let _ = near
                        .generator
                        .add_macs::<wg_soft::Soft>(&mut forged, near.now);
                    let accepted = far.receive(&forged, SOURCE).is_ok();
                    assert!(!accepted || !sealed.contains(&at));
                }
            }
            4 => {
                let len = usize::from(input.byte().unwrap_or(0));
                assert!(far.receive(input.take(len), SOURCE).is_err());
            }
            5 => {
                // Right macs around arbitrary bytes.
                let kind = input.byte().unwrap_or(1) & 1;
                let mut forged = vec![0; if kind == 0 { 148 } else { 92 }];
                let body = input.take(forged.len() - 36);
                forged[0] = 1 + kind;
                forged[4..4 + body.len()].copy_from_slice(body);
                let _ = near
                    .generator
                    .add_macs::<wg_soft::Soft>(&mut forged, near.now);
                assert!(far.receive(&forged, SOURCE).is_err());
            }
            6 => near.sleep(u64::from(input.byte().unwrap_or(0))),
            _ => {
                let counter = u64::from(input.byte().unwrap_or(0));
                let text = input.take(usize::from((step >> 3) & 15));
                let message = near.send(counter, text);
                if let Ok(received) = far.receive(&message, SOURCE) {
                    assert_eq!(received, text);
                }
                *mail = message;
            }
        }
    }
});
