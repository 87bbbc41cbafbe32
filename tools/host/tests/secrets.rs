// SPDX-License-Identifier: GPL-2.0

//! Looks for secrets that handshakes leave behind.
//!
//! The steps of both sides run on a stack that was painted before, with their states in one block
//! of memory. The primitives, which are not the core's, and the randomness run on another thread
//! and so on another stack; that thread also writes down every secret that it sees. Afterwards the
//! painted stack holds none of them, the states hold only what has to last, and once these are
//! dropped their memory holds nothing either.

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
use wg_proto::{
    cookie::{
        Checker,
        Jar,
        MacState, //
    },
    crypto::{
        Crypto,
        TAG_LEN, //
    },
    handshake::{
        Handshake,
        Identity,
        IncomingInitiation,
        IncomingResponse,
        SessionKeys, //
    },
    key::{
        PrivateKey,
        PublicKey, //
    },
    message::{
        CookieReply,
        Index,
        Initiation,
        Message,
        Response, //
    },
    Reject,
    Tai64N, //
};
use wg_soft::{
    Rng,
    Soft, //
};

/// What the other thread is asked for.
enum Op<'a> {
    Blake2s(&'a mut [u8], &'a [u8], &'a [&'a [u8]]),
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
enum Elsewhere {}

impl Crypto for Elsewhere {
    fn blake2s(out: &mut [u8], key: &[u8], parts: &[&[u8]]) {
        ask(Op::Blake2s(out, key, parts));
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

fn random(out: &mut [u8; 32]) {
    ask(Op::Fill(out));
}

/// Secrets by name, in pieces of eight bytes.
#[derive(Default)]
struct Secrets(HashMap<[u8; 8], String>);

impl Secrets {
    fn add(&mut self, name: &str, secret: &[u8]) {
        for piece in secret.chunks_exact(8) {
            let piece: [u8; 8] = piece.try_into().expect("eight bytes");
            if piece != [piece[0]; 8] {
                self.0.insert(piece, name.to_owned());
            }
        }
    }

    fn remove(&mut self, secret: &[u8]) {
        for piece in secret.chunks_exact(8) {
            self.0.remove(piece);
        }
    }

    /// Returns the names of those that lie in `memory`.
    fn find(&self, memory: &[u8]) -> Vec<String> {
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
        // SAFETY: Who put it there keeps it until `done`.
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
        Op::Blake2s(out, key, parts) => {
            Soft::blake2s(out, key, parts);
            match (key.len(), out.len(), parts.first().map(|part| part.len())) {
                (0, 32, Some(64)) => {
                    secrets.add("padded key", parts[0]);
                    secrets.add("derived key", out);
                }
                (0, 32, Some(32)) => secrets.add("transcript", out),
                // The macs are over more.
                (32, 16, Some(..=18)) => {
                    secrets.add("source of cookies", key);
                    secrets.add("cookie", out);
                }
                _ => {}
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

const PAINT: u8 = 0xa5;

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
fn left_by(job: &mut dyn FnMut()) -> Vec<u8> {
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

/// The states of one side.
struct Side {
    identity: Identity,
    handshake: Handshake,
    checker: Checker,
    jar: Jar,
    session: SessionKeys,
}

impl Side {
    const fn new() -> Self {
        Self {
            identity: Identity::new(),
            handshake: Handshake::new(PublicKey::ZERO),
            checker: Checker::new(),
            jar: Jar::new(),
            session: SessionKeys::zeroed(),
        }
    }

    fn give_identity(&mut self) -> PublicKey {
        let mut private = PrivateKey::zeroed();
        random(private.as_mut_bytes());
        self.identity.set::<Elsewhere>(&private);
        let public = *self.identity.public().expect("an identity");
        self.checker.set_identity::<Elsewhere>(Some(&public));
        public
    }

    fn initiate(&mut self, index: u32, seconds: i64) -> Initiation {
        let mut out = Initiation::zeroed();
        self.handshake
            .create_initiation::<Elsewhere>(
                &self.identity,
                &mut out,
                Index::new(index),
                Tai64N::from_unix(seconds, 0),
                random,
            )
            .expect("an initiation");
        self.jar
            .add_macs::<Elsewhere>(out.as_mut_bytes(), 0)
            .expect("macs");
        out
    }

    fn consume_initiation(&mut self, message: &Initiation, now: u64) -> Result<(), Reject> {
        let mut work = IncomingInitiation::new();
        work.open::<Elsewhere>(&self.identity, message)?
            .attach::<Elsewhere>(&self.identity, &mut self.handshake)?
            .authenticate::<Elsewhere>(message)?
            .commit(&mut self.handshake, now)
    }

    fn respond(&mut self, index: u32) -> Response {
        let mut out = Response::zeroed();
        self.handshake
            .create_response::<Elsewhere>(&mut out, Index::new(index), random)
            .expect("a response");
        self.jar
            .add_macs::<Elsewhere>(out.as_mut_bytes(), 0)
            .expect("macs");
        out
    }

    fn consume_response(&mut self, message: &Response) -> Result<(), Reject> {
        let mut work = IncomingResponse::new();
        work.snapshot(&self.handshake)?
            .authenticate::<Elsewhere>(&self.identity, message)?
            .commit::<Elsewhere>(&mut self.handshake)
    }

    fn begin(&mut self) {
        self.handshake
            .begin_session::<Elsewhere>(0, &mut self.session)
            .expect("a session");
    }
}

/// Both sides in one block of memory.
struct Arena {
    a: Side,
    b: Side,
}

/// Everything that the sides do, good and bad.
fn everything(arena: &mut Arena) {
    let Arena { a, b } = arena;
    let mut index = 10;
    let mut now = 0;
    let (for_b, for_a) = (a.give_identity(), b.give_identity());
    a.handshake = Handshake::new(for_a);
    b.handshake = Handshake::new(for_b);
    a.jar.set_remote::<Elsewhere>(&for_a);
    b.jar.set_remote::<Elsewhere>(&for_b);
    random(a.handshake.remote_mut().preshared_mut().as_mut_bytes());
    let preshared = a.handshake.remote().preshared();
    b.handshake
        .remote_mut()
        .preshared_mut()
        .copy_from(preshared);

    for round in 0..4 {
        index += 10;
        now += 1_000_000_000;
        // Both are initiator and responder in turn.
        let (one, two) = if round % 2 == 0 {
            (&mut *a, &mut *b)
        } else {
            (&mut *b, &mut *a)
        };
        let message = one.initiate(index, i64::from(index));

        // Things that fail on the way, at each stage.
        let mut bytes = message.as_bytes().to_vec();
        for at in [40, 90] {
            bytes[at] ^= 1;
            let Ok(Message::Initiation(bad)) = Message::parse(&bytes) else {
                unreachable!();
            };
            assert!(two.consume_initiation(bad, now).is_err());
            bytes[at] ^= 1;
        }
        bytes[8..40].fill(0);
        let Ok(Message::Initiation(bad)) = Message::parse(&bytes) else {
            unreachable!();
        };
        assert_eq!(two.consume_initiation(bad, now), Err(Reject::LowOrder));

        // A cookie.
        two.checker.rotate(now, random);
        let mut cookie = CookieReply::zeroed();
        two.checker
            .reply::<Elsewhere>(
                &mut cookie,
                message.as_bytes(),
                message.sender(),
                &[round; 6],
                &[round; 24],
            )
            .expect("a cookie");
        assert_eq!(one.jar.consume::<Elsewhere>(&cookie, 0), Ok(()));
        let message = one.initiate(index + 1, i64::from(index + 1));
        assert_eq!(
            two.checker
                .check::<Elsewhere>(message.as_bytes(), &[round; 6], true),
            MacState::ValidWithCookie
        );

        assert_eq!(two.consume_initiation(&message, now), Ok(()));
        assert_eq!(
            two.consume_initiation(&message, now),
            Err(Reject::ReplayedTimestamp)
        );
        let answer = two.respond(index + 2);
        two.begin();

        let mut bytes = answer.as_bytes().to_vec();
        bytes[50] ^= 1;
        let Ok(Message::Response(bad)) = Message::parse(&bytes) else {
            unreachable!();
        };
        assert_eq!(one.consume_response(bad), Err(Reject::BadResponse));
        if round == 3 {
            // The response comes too late.
            let mut work = IncomingResponse::new();
            let authentic = work
                .snapshot(&one.handshake)
                .and_then(|known| known.authenticate::<Elsewhere>(&one.identity, &answer))
                .expect("an authentic response");
            one.initiate(index + 3, i64::from(index + 3));
            assert_eq!(
                authentic.commit::<Elsewhere>(&mut one.handshake),
                Err(Reject::Superseded)
            );
            one.handshake.clear();
            continue;
        }
        assert_eq!(one.consume_response(&answer), Ok(()));
        one.begin();

        let mut data = [7; 40 + TAG_LEN];
        Elsewhere::seal(one.session.sending.as_bytes(), 0, &[], &mut data);
        assert!(Elsewhere::open(
            two.session.receiving.as_bytes(),
            0,
            &[],
            &mut data
        ));
    }
}

/// Runs `test` on a thread with a large stack while another one serves it; returns what `test`
/// does and the secrets.
fn watched<R: Send>(seed: u64, test: impl FnOnce() -> R + Send) -> (R, Secrets) {
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
fn bytes_of<T>(arena: &MaybeUninit<T>) -> Vec<u8> {
    let start = arena.as_ptr().cast::<u8>();
    (0..size_of::<T>())
        // SAFETY: Within the block, which was zeroed when it was allocated; padding is only copied.
        .map(|at| unsafe { ptr::read_volatile(start.add(at)) })
        .collect()
}

#[test]
// row H11
fn handshakes_leave_no_secrets() {
    for seed in 1..4 {
        let ((stack, used, alive, lasting, dead), mut secrets) = watched(seed, || {
            // SAFETY: Bytes of no type are valid whatever they are.
            let mut arena: Box<MaybeUninit<Arena>> = Box::new(MaybeUninit::zeroed());
            let sides = arena.write(Arena {
                a: Side::new(),
                b: Side::new(),
            });
            let stack = left_by(&mut || everything(sides));
            let used = stack.iter().filter(|byte| **byte != PAINT).count();
            let mut lasting = Vec::new();
            for side in [&mut sides.a, &mut sides.b] {
                lasting.extend_from_slice(side.identity.private().expect("a key").as_bytes());
                lasting.extend_from_slice(side.handshake.remote().preshared().as_bytes());
                lasting.extend_from_slice(side.session.sending.as_bytes());
                lasting.extend_from_slice(side.session.receiving.as_bytes());
                lasting.extend_from_slice(
                    side.handshake
                        .remote_mut()
                        .static_static::<Elsewhere>(&side.identity)
                        .expect("an identity")
                        .as_bytes(),
                );
            }
            let alive = bytes_of(&arena);
            // SAFETY: Written above, not used again.
            unsafe { arena.assume_init_drop() };
            (stack, used, alive, lasting, bytes_of(&arena))
        });
        assert!(used > 1_000, "the painted stack was not used: {used}");
        assert!(secrets.0.len() > 500, "too few secrets were seen");
        assert_eq!(secrets.find(&stack), [""; 0], "left on the stack");
        assert_eq!(secrets.find(&dead), [""; 0], "left in dropped states");
        for secret in lasting.chunks(32) {
            assert_ne!(secrets.find(&[secret, &alive].concat()), [""; 0]);
            secrets.remove(secret);
        }
        // Cookies and what they are made of last, too.
        secrets.0.retain(|_, name| !name.contains("cookie"));
        assert_eq!(secrets.find(&alive), [""; 0], "left in the states");
    }
}

#[test]
fn what_is_left_would_be_found() {
    #[inline(never)]
    fn careless() {
        let mut secret = [0; 32];
        random(&mut secret);
        black_box(&mut secret);
    }
    let (stack, secrets) = watched(9, || left_by(&mut careless));
    assert_eq!(secrets.0.len(), 4);
    assert_eq!(secrets.find(&stack).len(), 4);
}
