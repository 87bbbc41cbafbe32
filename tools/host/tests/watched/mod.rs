// SPDX-License-Identifier: GPL-2.0

//! A stack that is painted before and searched afterwards, and primitives that leave nothing on it:
//! they run on another thread, which writes down the secrets that it sees.

#![allow(unreachable_pub)]

use std::{
    cell::UnsafeCell,
    collections::HashMap,
    hint::black_box,
    mem::MaybeUninit,
    ptr,
    sync::{
        atomic::{
            AtomicBool,
            AtomicPtr,
            Ordering, //
        },
        Mutex, //
    },
    thread, //
};
use wg_proto::crypto::{
    Crypto,
    HASH_LEN,
    MAC_LEN, //
};
use wg_soft::{
    Rng,
    Soft, //
};

/// What the other thread is asked for.
enum Op<'a> {
    Hash(&'a mut [u8; HASH_LEN], &'a [&'a [u8]]),
    Mac(&'a mut [u8; MAC_LEN], &'a [u8], &'a [u8]),
    X25519(&'a mut [u8; 32], &'a [u8; 32], &'a [u8; 32]),
    Public(&'a mut [u8; 32], &'a [u8; 32]),
    Seal(&'a [u8; 32], u64, &'a [u8], &'a mut [u8]),
    Open(&'a [u8; 32], u64, &'a [u8], &'a mut [u8]),
    XSeal(&'a [u8; 32], &'a [u8; 24], &'a [u8], &'a mut [u8]),
    XOpen(&'a [u8; 32], &'a [u8; 24], &'a [u8], &'a mut [u8]),
    Equal(&'a [u8], &'a [u8]),
    Fill(&'a mut [u8; 32]),
}

struct Request<'a> {
    /// Belongs to the other thread until `done`.
    op: UnsafeCell<Op<'a>>,
    result: AtomicBool,
    done: AtomicBool,
}

/// The request that waits, if not null.
static MAILBOX: AtomicPtr<Request<'static>> = AtomicPtr::new(ptr::null_mut());

/// One scan at a time, as there is one mailbox.
static SCAN: Mutex<()> = Mutex::new(());

/// Lets the other thread do it; uses next to no stack itself.
fn ask(op: Op<'_>) -> bool {
    let request = Request {
        op: UnsafeCell::new(op),
        result: AtomicBool::new(false),
        done: AtomicBool::new(false),
    };
    let address = (&raw const request).cast_mut().cast();
    MAILBOX.store(address, Ordering::Release);
    while !request.done.load(Ordering::Acquire) {
        thread::yield_now();
    }
    request.result.load(Ordering::Relaxed)
}

/// The primitives on the other thread.
pub enum Elsewhere {}

impl Crypto for Elsewhere {
    fn hash(out: &mut [u8; HASH_LEN], parts: &[&[u8]]) {
        ask(Op::Hash(out, parts));
    }

    fn mac(out: &mut [u8; MAC_LEN], key: &[u8], text: &[u8]) {
        ask(Op::Mac(out, key, text));
    }

    fn x25519(out: &mut [u8; 32], secret: &[u8; 32], point: &[u8; 32]) -> bool {
        ask(Op::X25519(out, secret, point))
    }

    fn x25519_public(out: &mut [u8; 32], secret: &[u8; 32]) -> bool {
        ask(Op::Public(out, secret))
    }

    fn seal(key: &[u8; 32], nonce: u64, ad: &[u8], buf: &mut [u8]) {
        ask(Op::Seal(key, nonce, ad, buf));
    }

    fn open(key: &[u8; 32], nonce: u64, ad: &[u8], buf: &mut [u8]) -> bool {
        ask(Op::Open(key, nonce, ad, buf))
    }

    fn xseal(key: &[u8; 32], nonce: &[u8; 24], ad: &[u8], buf: &mut [u8]) {
        ask(Op::XSeal(key, nonce, ad, buf));
    }

    fn xopen(key: &[u8; 32], nonce: &[u8; 24], ad: &[u8], buf: &mut [u8]) -> bool {
        ask(Op::XOpen(key, nonce, ad, buf))
    }

    fn equal(a: &[u8], b: &[u8]) -> bool {
        ask(Op::Equal(a, b))
    }
}

pub fn random(out: &mut [u8; 32]) {
    ask(Op::Fill(out));
}

/// Secrets by name, in pieces of eight bytes.
#[derive(Default)]
pub struct Secrets(pub HashMap<[u8; 8], String>);

impl Secrets {
    fn add(&mut self, name: &str, secret: &[u8]) {
        for piece in secret.chunks_exact(8) {
            let piece: [u8; 8] = piece.try_into().expect("eight bytes");
            if piece != [piece[0]; 8] {
                self.0.insert(piece, name.to_owned());
            }
        }
    }

    pub fn remove(&mut self, secret: &[u8]) {
        for piece in secret.chunks_exact(8) {
            self.0.remove(piece);
        }
    }

    /// Returns the names of those that lie in `memory`.
    pub fn find(&self, memory: &[u8]) -> Vec<String> {
        let mut found: Vec<_> = memory
            .windows(8)
            .enumerate()
            .filter_map(|(at, piece)| Some(format!("{} at {at}", self.0.get(piece)?)))
            .collect();
        found.dedup();
        found
    }
}

/// Serves requests until `stop`; returns the secrets that were in them.
fn serve(stop: &AtomicBool, seed: u64) -> Secrets {
    let mut secrets = Secrets::default();
    let mut rng = Rng::new(seed << 32);
    while !stop.load(Ordering::Relaxed) {
        let request = MAILBOX.swap(ptr::null_mut(), Ordering::Acquire);
        if request.is_null() {
            thread::yield_now();
            continue;
        }
        // SAFETY: The thread that put it there keeps it until `done`.
        let request = unsafe { &*request };
        // SAFETY: And leaves this to us.
        let op = unsafe { &mut *request.op.get() };
        let result = run(op, &mut secrets, &mut rng);
        request.result.store(result, Ordering::Relaxed);
        request.done.store(true, Ordering::Release);
    }
    secrets
}

fn run(op: &mut Op<'_>, secrets: &mut Secrets, rng: &mut Rng) -> bool {
    match op {
        Op::Hash(out, parts) => {
            Soft::hash(out, parts);
            match parts.first().map(|part| part.len()) {
                Some(64) => {
                    secrets.add("padded key", parts[0]);
                    secrets.add("derived key", *out);
                }
                Some(32) => secrets.add("transcript", *out),
                _ => {}
            }
        }
        Op::Mac(out, key, text) => {
            Soft::mac(out, key, text);
            // The macs are over more.
            if key.len() == 32 && text.len() <= 18 {
                secrets.add("source of cookies", key);
                secrets.add("cookie", *out);
            }
        }
        Op::X25519(out, secret, point) => {
            let valid = Soft::x25519(out, secret, point);
            secrets.add("private key", *secret);
            secrets.add("shared secret", *out);
            return valid;
        }
        Op::Public(out, secret) => {
            secrets.add("private key", *secret);
            return Soft::x25519_public(out, secret);
        }
        Op::Seal(key, nonce, ad, buf) => {
            secrets.add("symmetric key", *key);
            Soft::seal(key, *nonce, ad, buf);
        }
        Op::Open(key, nonce, ad, buf) => {
            secrets.add("symmetric key", *key);
            return Soft::open(key, *nonce, ad, buf);
        }
        Op::XSeal(key, nonce, ad, buf) => Soft::xseal(key, nonce, ad, buf),
        Op::XOpen(key, nonce, ad, buf) => return Soft::xopen(key, nonce, ad, buf),
        Op::Equal(a, b) => return Soft::equal(a, b),
        Op::Fill(out) => {
            rng.fill(*out);
            secrets.add("random bytes", *out);
        }
    }
    true
}

/// Bytes of stack that are painted and searched.
const DEPTH: usize = 256 << 10;

/// Bytes above them that the searching thread itself may use.
const GAP: usize = 32 << 10;

pub const PAINT: u8 = 0xa5;

#[inline(never)]
fn paint() {
    let mut area = [MaybeUninit::<u8>::uninit(); DEPTH + GAP];
    for byte in &mut area {
        // SAFETY: A byte of ours.
        unsafe { ptr::write_volatile(byte.as_mut_ptr(), PAINT) };
    }
    black_box(&mut area);
}

/// Runs `job` deeper in the stack than anything that its caller calls afterwards reaches.
#[inline(never)]
fn below(job: &mut dyn FnMut()) {
    let mut gap = [0u8; GAP];
    black_box(&mut gap);
    job();
    black_box(&mut gap);
}

/// Returns what `job` left on the stack.
#[inline(never)]
pub fn left_by(job: &mut dyn FnMut()) -> Vec<u8> {
    let marker = 0u8;
    let top = black_box(&raw const marker) as usize - GAP;
    paint();
    below(job);
    (top - DEPTH..top)
        .map(|at| {
            // SAFETY: Memory of this thread's stack, which is far larger, and which `paint` wrote.
            unsafe { ptr::read_volatile(ptr::with_exposed_provenance(at)) }
        })
        .collect()
}

/// Runs `test` on a thread with a large stack while another one serves it; returns what `test`
/// does and the secrets.
pub fn watched<R: Send>(seed: u64, test: impl FnOnce() -> R + Send) -> (R, Secrets) {
    let _one = SCAN.lock().unwrap_or_else(|e| e.into_inner());
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let server = scope.spawn(|| serve(&stop, seed));
        let result = thread::Builder::new()
            .stack_size(4 << 20)
            .spawn_scoped(scope, test)
            .expect("a thread")
            .join();
        stop.store(true, Ordering::Relaxed);
        let secrets = server.join().expect("the server");
        (result.expect("the test"), secrets)
    })
}

/// Returns the bytes of `arena`, of whatever type and state.
pub fn bytes_of<T>(arena: &MaybeUninit<T>) -> Vec<u8> {
    let start = arena.as_ptr().cast::<u8>();
    (0..size_of::<T>())
        // SAFETY: Within the block, which was zeroed when it was allocated; padding is only copied.
        .map(|at| unsafe { ptr::read_volatile(start.add(at)) })
        .collect()
}
