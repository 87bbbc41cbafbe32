// SPDX-License-Identifier: GPL-2.0

//! ChaCha20-Poly1305 with a counter for the nonce.
//!
//! The C library computes the Poly1305 key as a ChaCha20 block of its own, without vector
//! instructions, and encrypts a text of one block that way too. For texts without additional data
//! [`seal_behind_block`], [`open_text`] and [`open_into`] use the same primitives, but compute this
//! block in the same pass as the text. [`self_test`] compares them with the library.
//!
//! C header: [`include/crypto/chacha20poly1305.h`](srctree/include/crypto/chacha20poly1305.h)

use super::{
    equal,
    poly1305::{
        self,
        Tag, //
    },
    wipe,
    TAG_LEN, //
};
use crate::compat::code::EKEYREJECTED;
use crate::{
    bindings,
    bytes::{
        xor_in_place,
        RawBytes,
        Room,
        Written, //
    },
    context::Process, //
};
use core::mem::MaybeUninit;
use kernel::prelude::*;
use zerocopy::IntoBytes;

/// The length of a ChaCha20 block, in bytes.
pub const BLOCK_LEN: usize = 64;

/// The most bytes that one call of C gets: its lengths have 32 bits.
pub(super) const MAX_PIECE: usize = 1 << 20;

/// Returns how many free bytes behind the tag let [`seal_behind_block`] compute it in one pass.
pub use super::poly1305::padding as slack;

/// Blocks that one vectorised call makes. The first one holds the Poly1305 key.
const BLOCKS: usize = 8;

/// Copies bytes until either side ends.
#[inline]
fn copy(to: &mut [u8], from: &[u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

/// The state of ChaCha20, which is wiped on drop.
struct Cipher(bindings::chacha_state);

impl Cipher {
    /// Makes the state for block 0 of the key stream.
    #[inline]
    fn new(key: &[u8; 32], nonce: u64) -> Self {
        // The constants, the key, the block counter (32 bits, as the nonce has 96), and the nonce.
        let mut x = [0; 16];
        [x[0], x[1], x[2], x[3]] = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];
        for (word, bytes) in x.iter_mut().skip(4).zip(key.chunks_exact(4)) {
            if let Ok(bytes) = bytes.try_into() {
                *word = u32::from_le_bytes(bytes);
            }
        }
        // CAST: The halves of the nonce.
        [x[14], x[15]] = [nonce as u32, (nonce >> 32) as u32];
        Self(bindings::chacha_state { x })
    }

    /// Encrypts or decrypts the next bytes. All calls but the last must be for whole blocks.
    ///
    /// C uses vector instructions for more than one block.
    #[inline]
    fn apply(&mut self, bytes: &mut [u8]) {
        for piece in bytes.chunks_mut(MAX_PIECE) {
            let data = piece.as_mut_ptr();
            // CAST: At most 2^20.
            // SAFETY: All of the piece is valid for reads and writes; source and destination may be
            // the same.
            unsafe { bindings::chacha_crypt(&raw mut self.0, data, data, piece.len() as u32, 20) };
        }
    }

    /// As [`apply`](Self::apply), but writes to `to`, which has the same length.
    #[inline]
    fn apply_into(&mut self, mut from: RawBytes<'_>, to: &mut [MaybeUninit<u8>]) {
        for piece in to.chunks_mut(MAX_PIECE) {
            let Some((now, later)) = from.split_at(piece.len()) else {
                return;
            };
            let (data, len) = (piece.as_mut_ptr().cast(), now.len());
            // CAST: At most 2^20.
            // SAFETY: The source is valid for reads of that many bytes, and the piece for writes.
            unsafe { bindings::chacha_crypt(&raw mut self.0, data, now.as_ptr(), len as u32, 20) };
            from = later;
        }
    }
}

impl Cipher {
    /// Returns the next blocks of the key stream: `n`, but at most [`BLOCKS`].
    #[inline]
    fn stream<'a>(
        &mut self,
        room: &'a mut [MaybeUninit<[u8; BLOCK_LEN]>; BLOCKS],
        n: usize,
    ) -> &'a mut [[u8; BLOCK_LEN]] {
        static ZEROES: [u8; BLOCKS * BLOCK_LEN] = [0; BLOCKS * BLOCK_LEN];
        let n = n.min(BLOCKS);
        let blocks = room.as_mut_ptr().cast::<[u8; BLOCK_LEN]>();
        // CAST: At most 512.
        let len = n.wrapping_mul(BLOCK_LEN) as u32;
        // SAFETY: `ZEROES` and the room have at least `len` bytes.
        unsafe { bindings::chacha_crypt(&raw mut self.0, blocks.cast(), ZEROES.as_ptr(), len, 20) };
        // SAFETY: `chacha_crypt()` has just written `n` blocks.
        unsafe { core::slice::from_raw_parts_mut(blocks, n) }
    }
}

impl Drop for Cipher {
    #[inline]
    fn drop(&mut self) {
        wipe(self.0.x.as_mut_bytes());
    }
}

/// Computes the tag of the first `len` bytes of `bytes`, without additional data. `block` starts
/// with the Poly1305 key.
///
/// Wipes the block. If there is room behind the text, this overwrites it with what ends the input
/// of Poly1305, so that one call of C takes both.
#[inline]
fn tag(block: &mut [u8; BLOCK_LEN], bytes: &mut [u8], len: usize) -> [u8; TAG_LEN] {
    let mut state = MaybeUninit::uninit();
    let mut tag = Tag::new(&mut state, block);
    match bytes.get_mut(..len.saturating_add(poly1305::end_len(len))) {
        Some(whole) => {
            if let Some(room) = whole.get_mut(len..) {
                poly1305::write_end(room, len);
            }
            tag.update((&*whole).into());
        }
        None => {
            tag.update(bytes.get(..len).unwrap_or(&[]).into());
            tag.end(len);
        }
    }
    tag.finish()
}

/// Encrypts the `len` bytes of `buffer` behind the first [`BLOCK_LEN`], and writes the tag behind
/// them.
///
/// The result is that of [`seal_in_place`] without additional data. The first [`BLOCK_LEN`] bytes
/// are overwritten, as they become the block with the Poly1305 key. If there are [`slack`] bytes
/// behind the tag, they are overwritten too, and the tag takes one pass. Returns whether there was
/// room for block and tag; otherwise nothing is done.
#[inline]
#[must_use = "nothing is encrypted if this fails"]
pub fn seal_behind_block(key: &[u8; 32], nonce: u64, buffer: &mut [u8], len: usize) -> bool {
    if buffer.len() < len.saturating_add(BLOCK_LEN + TAG_LEN) {
        return false;
    }
    let Some(block) = buffer.first_chunk_mut::<BLOCK_LEN>() else {
        return false;
    };
    block.fill(0);
    let Some(all) = buffer.get_mut(..len.saturating_add(BLOCK_LEN)) else {
        return false;
    };
    Cipher::new(key, nonce).apply(all);
    let Some((block, text)) = buffer.split_first_chunk_mut::<BLOCK_LEN>() else {
        return false;
    };
    let tag = tag(block, text, len);
    let Some(end) = text.get_mut(len..).and_then(|end| end.first_chunk_mut()) else {
        return false;
    };
    *end = tag;
    true
}

/// Decrypts the first `len` bytes of `buffer`, if the tag behind them is right, and returns whether
/// it is.
///
/// The result is that of [`open_in_place`] without additional data: if the tag is wrong, the text
/// is left as it was. Bytes behind the text may be overwritten. If there are [`slack`] bytes behind
/// the tag, it is checked in one pass.
#[inline]
#[must_use = "the text is not authentic if this fails"]
pub fn open_text(key: &[u8; 32], nonce: u64, buffer: &mut [u8], len: usize) -> bool {
    let Some(end) = buffer
        .get(len..)
        .and_then(|end| end.first_chunk::<TAG_LEN>())
    else {
        return false;
    };
    let end = *end;
    begin_opening(key, nonce, len, |block, start, cipher| {
        let is_right = equal(&tag(block, buffer, len), &end);
        if is_right {
            if let Some((text, rest)) = buffer
                .get_mut(..len)
                .and_then(|text| text.split_at_mut_checked(start.len()))
            {
                xor_in_place(text, start);
                cipher.apply(rest);
            }
        }
        is_right
    })
}

/// Decrypts `sealed`, a text followed by its tag, into a room of the text's length, if the tag is
/// right.
///
/// Apart from that it works as [`open_text`]. The text must not change during the call, or the room
/// may get something else than what the tag was computed of.
#[inline]
#[must_use = "the text is not authentic if this fails"]
pub fn open_into<'a>(
    key: &[u8; 32],
    nonce: u64,
    sealed: RawBytes<'_>,
    mut to: Room<'a>,
) -> Option<Written<'a>> {
    let len = to.len();
    let (text, end) = sealed.split_at(len)?;
    let end = end.first::<TAG_LEN>()?;
    let is_opened = begin_opening(key, nonce, len, |block, start, cipher| {
        let mut state = MaybeUninit::uninit();
        let mut tag = Tag::new(&mut state, block);
        tag.update(text);
        tag.end(len);
        if !equal(&tag.finish(), &end) {
            return false;
        }
        let Some((text, rest)) = text.split_at(start.len()) else {
            return false;
        };
        let Some((to, to_rest)) = to.bytes().split_at_mut_checked(start.len()) else {
            return false;
        };
        text.xor_to(to, start);
        cipher.apply_into(rest, to_rest);
        true
    });
    // SAFETY: If the tag was right, all of the room has been written: the start by `xor_to`, and
    // the rest, which is as long as the source's, by `apply_into`.
    is_opened.then(|| unsafe { to.written() })
}

/// Calls `go_on` with block 0 of the key stream, which starts with the Poly1305 key; with the key
/// stream for the start of a text of `len` bytes; and with the cipher for the rest. Wipes the key
/// stream.
#[inline]
fn begin_opening(
    key: &[u8; 32],
    nonce: u64,
    len: usize,
    go_on: impl FnOnce(&mut [u8; BLOCK_LEN], &[u8], &mut Cipher) -> bool,
) -> bool {
    let mut cipher = Cipher::new(key, nonce);
    let mut room = [const { MaybeUninit::uninit() }; BLOCKS];
    // What is left of whole calls comes first: this part costs an XOR and a wipe beside the cipher.
    // Not one block alone, which C makes without vector instructions.
    let total = len.div_ceil(BLOCK_LEN).saturating_add(1);
    let first = match total % BLOCKS {
        _ if total <= BLOCKS => total,
        0 => BLOCKS,
        1 => 2,
        rest => rest,
    };
    let start_len = len.min(first.wrapping_sub(1).wrapping_mul(BLOCK_LEN));
    let stream = cipher.stream(&mut room, first);
    let Some((block, stream)) = stream.split_first_mut() else {
        return false;
    };
    let result = match stream.as_flattened().get(..start_len) {
        Some(start) => go_on(block, start, &mut cipher),
        None => false,
    };
    for block in stream {
        wipe(block);
    }
    result
}

/// Encrypts all of `buffer` but its last [`TAG_LEN`] bytes, and writes the tag there.
///
/// Returns whether there was room for a tag; otherwise nothing is done.
#[inline]
#[must_use = "nothing is encrypted if this fails"]
pub fn seal_in_place(key: &[u8; 32], nonce: u64, ad: &[u8], buffer: &mut [u8]) -> bool {
    let Some(len) = buffer.len().checked_sub(TAG_LEN) else {
        return false;
    };
    let text = buffer.as_mut_ptr();
    // SAFETY: `text` is valid for reads of `len` and writes of `len + TAG_LEN` bytes; source and
    // destination may be the same. `ad` and the key are valid for reads.
    unsafe {
        bindings::chacha20poly1305_encrypt(
            text,
            text,
            len,
            ad.as_ptr(),
            ad.len(),
            nonce,
            key.as_ptr(),
        )
    };
    true
}

/// Checks the tag at the end of `buffer` and decrypts the rest in place. Returns whether the tag is
/// right.
///
/// If it is not, the text is left as it was.
#[inline]
#[must_use = "the text is not authentic if this fails"]
pub fn open_in_place(key: &[u8; 32], nonce: u64, ad: &[u8], buffer: &mut [u8]) -> bool {
    if buffer.len() < TAG_LEN {
        return false;
    }
    let text = buffer.as_mut_ptr();
    // SAFETY: `text` is valid for reads and writes of its length, which includes the tag; source
    // and destination may be the same. `ad` and the key are valid for reads.
    unsafe {
        bindings::chacha20poly1305_decrypt(
            text,
            text,
            buffer.len(),
            ad.as_ptr(),
            ad.len(),
            nonce,
            key.as_ptr(),
        )
    }
}

/// Compares the functions of this module with those of the C library, for texts of many lengths.
///
/// # Errors
///
/// `EKEYREJECTED` if they differ.
pub fn self_test(_ctx: &mut Process) -> Result {
    const MAX_LEN: usize = 1500;
    let mut key = [0u8; 32];
    for (i, byte) in key.iter_mut().enumerate() {
        // CAST: Less than 32.
        *byte = 3u8.wrapping_mul(i as u8);
    }
    let nonce = 0x8040_2010_0804_0201;
    let room = BLOCK_LEN + MAX_LEN + TAG_LEN + 15;
    let mut ours = KVec::from_elem(0u8, room, GFP_KERNEL)?;
    let mut theirs = KVec::from_elem(0u8, room, GFP_KERNEL)?;
    let mut opened = KVec::from_elem(0u8, MAX_LEN, GFP_KERNEL)?;
    // All lengths that combine up to eight blocks in different vectors, and those of real packets.
    let long = [
        447, 448, 449, 463, 508, 511, 512, 513, 576, 640, 704, 768, 832, 896, 897, 1023, 1280,
        1408, 1420, MAX_LEN,
    ];
    for len in Iterator::chain(0..=5 * BLOCK_LEN, long) {
        let sealed_len = len.wrapping_add(TAG_LEN);
        let theirs = theirs.get_mut(..sealed_len).ok_or(EINVAL)?;
        let opened = opened.get_mut(..len).ok_or(EINVAL)?;
        for slack in [0, slack(len)] {
            let end = sealed_len.wrapping_add(BLOCK_LEN).wrapping_add(slack);
            let ours = ours.get_mut(..end).ok_or(EINVAL)?;
            for (i, byte) in theirs.iter_mut().enumerate() {
                // CAST: The low bits will do.
                *byte = 7u8.wrapping_mul(i as u8);
            }
            let text = ours.get_mut(BLOCK_LEN..).ok_or(EINVAL)?;
            let (text, _) = text.split_at_mut_checked(sealed_len).ok_or(EINVAL)?;
            copy(text, theirs);
            let is_sealed = seal_behind_block(&key, nonce, ours, len)
                && seal_in_place(&key, nonce, &[], theirs);
            let sealed = ours.get_mut(BLOCK_LEN..).ok_or(EINVAL)?;
            let is_same = sealed.get(..sealed_len) == Some(&*theirs);
            let mut open = |is_right: bool| {
                if let (Some(to), false) = (sealed.first_mut(), is_right) {
                    *to ^= 1;
                }
                let source = (&*sealed).into();
                let opens_apart = Room::lend_written(opened, |to| {
                    let (sealed, _) = RawBytes::split_at(source, sealed_len)?;
                    open_into(&key, nonce, sealed, to)
                });
                let opens = open_text(&key, nonce, sealed, len);
                if let (Some(to), false) = (sealed.first_mut(), is_right) {
                    *to ^= 1;
                }
                if let (Some(to), Some(from)) = (sealed.get_mut(len..sealed_len), theirs.get(len..))
                {
                    copy(to, from);
                }
                (opens, opens_apart)
            };
            // With a text or tag that is wrong by one bit it stays as it is.
            let opens_any = open(false);
            let opens = open(true);
            let is_opened = open_in_place(&key, nonce, &[], theirs);
            let text = theirs.get(..len);
            let is_text = sealed.get(..len) == text && Some(&*opened) == text;
            let opens = opens_any == (false, false) && opens == (true, true);
            if !(is_sealed && is_same && opens && is_opened && is_text) {
                return Err(EKEYREJECTED);
            }
        }
    }
    Ok(())
}
