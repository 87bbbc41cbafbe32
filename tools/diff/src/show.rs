// SPDX-License-Identifier: GPL-2.0

//! Messages in words, for reports.

use crate::{
    answer::Answer,
    message::{attrs, messages, u16_at, u32_at, DONE, ERROR, NESTED},
};
use std::fmt::Write;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn show_attrs(out: &mut String, bytes: &[u8], depth: usize) {
    for (ty, value) in attrs(bytes) {
        let pad = "  ".repeat(depth);
        if ty & NESTED != 0 {
            let _ = writeln!(
                out,
                "{pad}{:#x} nested, {} bytes",
                ty & !NESTED,
                value.len()
            );
            show_attrs(out, value, depth + 1);
        } else {
            let _ = writeln!(out, "{pad}{ty:#x}: {}", hex(value));
        }
    }
}

/// A datagram.
pub(crate) fn datagram(bytes: &[u8]) -> String {
    let mut out = String::new();
    let mut end = 0;
    for (at, len) in messages(bytes) {
        let message = &bytes[at..at + len];
        end = at + len;
        let (ty, flags) = (u16_at(message, 4), u16_at(message, 6));
        let _ = writeln!(
            out,
            "  type {ty:#x} flags {flags:#x} number {} length {len}",
            u32_at(message, 8)
        );
        if matches!(ty, ERROR | DONE) && len >= 20 {
            let status = u32_at(message, 16) as i32;
            let error = std::io::Error::from_raw_os_error(-status);
            let _ = writeln!(
                out,
                "    status {status} ({error}); {}",
                hex(&message[20..])
            );
            let printable = message[20..].iter().map(|&byte| {
                if byte.is_ascii_graphic() || byte == b' ' {
                    byte as char
                } else {
                    '.'
                }
            });
            let _ = writeln!(out, "    {}", printable.collect::<String>());
        } else if len >= 20 {
            let _ = writeln!(out, "    header {}", hex(&message[16..20]));
            show_attrs(&mut out, &message[20..], 2);
        }
    }
    let _ = writeln!(out, "  {} bytes behind the last message", bytes.len() - end);
    out
}

/// All that came.
pub(crate) fn answer(answer: &Answer) -> String {
    let mut out = String::new();
    for (number, bytes) in answer.datagrams().enumerate() {
        let _ = writeln!(out, " datagram {number}, {} bytes", bytes.len());
        out += &datagram(bytes);
    }
    out
}
