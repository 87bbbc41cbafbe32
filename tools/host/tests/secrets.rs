// SPDX-License-Identifier: GPL-2.0

//! Looks for secrets that handshakes leave behind.
//!
//! The steps of both sides run on a stack that was painted before, with their states in one block
//! of memory. The primitives, which are not the core's, and the randomness run on another thread
//! and so on another stack; that thread also writes down every secret that it sees. Afterwards the
//! painted stack holds none of them, the states hold only what has to last, and once these are
//! dropped their memory holds nothing either.

mod watched;

use std::{
    hint::black_box,
    mem::MaybeUninit, //
};
use watched::{
    bytes_of,
    left_by,
    random,
    watched,
    Elsewhere,
    PAINT, //
};
use wg_proto::{
    cookie::{
        CookieChecker,
        CookieGenerator,
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
    DropReason,
    Tai64N, //
};

/// The states of one side.
struct Side {
    identity: Identity,
    handshake: Handshake,
    checker: CookieChecker,
    generator: CookieGenerator,
    session: SessionKeys,
}

impl Side {
    const fn new() -> Self {
        Self {
            identity: Identity::new(),
            handshake: Handshake::new(PublicKey::ZERO),
            checker: CookieChecker::new(),
            generator: CookieGenerator::new(),
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
        self.generator
            .add_macs::<Elsewhere>(out.as_mut_bytes(), 0)
            .expect("macs");
        out
    }

    fn consume_initiation(&mut self, message: &Initiation, now: u64) -> Result<(), DropReason> {
        let mut work = IncomingInitiation::new();
        work.open::<Elsewhere>(&self.identity, message)?
            .snapshot::<Elsewhere>(&self.identity, &mut self.handshake)?
            .authenticate::<Elsewhere>(message)?
            .commit(&mut self.handshake, now)
    }

    fn respond(&mut self, index: u32) -> Response {
        let mut out = Response::zeroed();
        self.handshake
            .create_response::<Elsewhere>(&mut out, Index::new(index), random)
            .expect("a response");
        self.generator
            .add_macs::<Elsewhere>(out.as_mut_bytes(), 0)
            .expect("macs");
        out
    }

    fn consume_response(&mut self, message: &Response) -> Result<(), DropReason> {
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
    a.generator.set_remote(&for_a);
    b.generator.set_remote(&for_b);
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
        assert_eq!(two.consume_initiation(bad, now), Err(DropReason::LowOrder));

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
        assert_eq!(one.generator.consume::<Elsewhere>(&cookie, 0), Ok(()));
        let message = one.initiate(index + 1, i64::from(index + 1));
        assert_eq!(
            two.checker
                .check::<Elsewhere>(message.as_bytes(), &[round; 6], true),
            MacState::ValidWithCookie
        );

        assert_eq!(two.consume_initiation(&message, now), Ok(()));
        assert_eq!(
            two.consume_initiation(&message, now),
            Err(DropReason::ReplayedTimestamp)
        );
        let answer = two.respond(index + 2);
        two.begin();

        let mut bytes = answer.as_bytes().to_vec();
        bytes[50] ^= 1;
        let Ok(Message::Response(bad)) = Message::parse(&bytes) else {
            unreachable!();
        };
        assert_eq!(one.consume_response(bad), Err(DropReason::BadResponse));
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
                Err(DropReason::Superseded)
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

#[test]
// row H11
fn handshakes_leave_no_secrets() {
    for seed in 1..4 {
        let ((stack, used, alive, lasting, changed, dead), mut secrets) = watched(seed, || {
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
            // SAFETY: Written above.
            let sides = unsafe { arena.assume_init_mut() };
            for side in [&mut sides.a, &mut sides.b] {
                side.handshake.remote_mut().forget_ours();
            }
            let changed = bytes_of(&arena);
            // SAFETY: Written above, not used again.
            unsafe { arena.assume_init_drop() };
            (stack, used, alive, lasting, changed, bytes_of(&arena))
        });
        assert!(used > 1_000, "the painted stack was not used: {used}");
        assert!(secrets.0.len() > 500, "too few secrets were seen");
        assert_eq!(secrets.find(&stack), [""; 0], "left on the stack");
        assert_eq!(secrets.find(&dead), [""; 0], "left in dropped states");
        // The last one of each side is what its private key led to.
        for (nth, secret) in lasting.chunks(32).enumerate() {
            let is_there = changed.windows(32).any(|bytes| bytes == secret);
            assert_eq!(is_there, nth % 5 != 4, "after a change of the private key");
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
