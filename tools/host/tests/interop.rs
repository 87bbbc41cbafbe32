// SPDX-License-Identifier: GPL-2.0

//! The core against boringtun, in both roles.

use boringtun::{
    noise::{
        errors::WireGuardError,
        rate_limiter::RateLimiter,
        Tunn,
        TunnResult, //
    },
    x25519, //
};
use std::{
    net::{
        IpAddr,
        Ipv4Addr, //
    },
    sync::Arc,
    time::{
        SystemTime,
        UNIX_EPOCH, //
    }, //
};
use wg_proto::{
    cookie::MacState,
    handshake::Role,
    key::PublicKey,
    message::{
        CookieReply,
        Message, //
    },
    DropReason, //
};
use wg_soft::{
    Node,
    Rng,
    Soft, //
};

const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// What boringtun did, with a copy of the bytes.
#[derive(Debug)]
enum Did {
    Nothing,
    Refused(WireGuardError),
    Sent(Vec<u8>),
    Received(Vec<u8>),
}

impl From<TunnResult<'_>> for Did {
    fn from(result: TunnResult<'_>) -> Self {
        match result {
            TunnResult::Done => Self::Nothing,
            TunnResult::Err(e) => Self::Refused(e),
            TunnResult::WriteToNetwork(bytes) => Self::Sent(bytes.to_vec()),
            TunnResult::WriteToTunnelV4(bytes, _) | TunnResult::WriteToTunnelV6(bytes, _) => {
                Self::Received(bytes.to_vec())
            }
        }
    }
}

impl Did {
    fn sent(self) -> Vec<u8> {
        match self {
            Self::Sent(bytes) => bytes,
            other => panic!("sent nothing: {other:?}"),
        }
    }
}

/// Our node and boringtun's.
struct Pair {
    ours: Node,
    theirs: Tunn,
    rng: Rng,
}

impl Pair {
    fn new(seed: u64, preshared: bool, limit: Option<u64>) -> Self {
        let mut rng = Rng::new(seed << 16);
        let (mut a, mut b, mut psk) = ([0; 32], [0; 32], [0; 32]);
        rng.fill(&mut a);
        rng.fill(&mut b);
        rng.fill(&mut psk);
        let mut ours = Node::new(a, seed);
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("a clock after 1970");
        ours.wall = (since.as_secs() as i64, since.subsec_nanos());
        let secret = x25519::StaticSecret::from(b);
        let public = x25519::PublicKey::from(&secret);
        ours.set_peer(PublicKey::from_bytes(*public.as_bytes()));
        if preshared {
            ours.set_preshared(psk);
        }
        let theirs = Tunn::new(
            secret,
            x25519::PublicKey::from(*ours.public().as_bytes()),
            preshared.then_some(psk),
            None,
            7,
            limit.map(|limit| Arc::new(RateLimiter::new(&public, limit))),
        );
        Self { ours, theirs, rng }
    }

    fn give(&mut self, bytes: &[u8]) -> Did {
        self.theirs
            .decapsulate(Some(SOURCE), bytes, &mut [0; 2_048])
            .into()
    }

    /// Lets boringtun send a packet, or an initiation for it.
    fn send(&mut self, packet: &[u8]) -> Vec<u8> {
        Did::from(self.theirs.encapsulate(packet, &mut [0; 2_048])).sent()
    }

    /// An IPv4 packet of this length.
    fn packet(&mut self, len: usize) -> Vec<u8> {
        let mut packet = vec![0; len];
        self.rng.fill(&mut packet);
        packet[0] = 0x45;
        packet[2..4].copy_from_slice(&(len as u16).to_be_bytes());
        packet
    }

    /// Sends packets both ways.
    fn talk(&mut self) {
        for (counter, len) in [20, 21, 64, 100, 1_420].into_iter().enumerate() {
            let packet = self.packet(len);
            let bytes = self.ours.send(counter as u64 + 1, &packet);
            match self.give(&bytes) {
                Did::Received(received) => assert_eq!(received, packet),
                other => panic!("{other:?}"),
            }
            let packet = self.packet(len);
            let bytes = self.send(&packet);
            let received = self.ours.receive(&bytes, &[]).expect("a packet");
            assert!(received.starts_with(&packet));
        }
    }

    /// Takes both through a handshake that we begin.
    fn initiate(&mut self) {
        let first = self.ours.initiate().expect("an initiation");
        let answer = self.give(first.as_bytes()).sent();
        assert_eq!(self.ours.receive(&answer, &[]), Ok(Vec::new()));
        assert_eq!(self.ours.session.role, Role::Initiator);
        // The confirmation.
        let keepalive = self.ours.send(0, &[]);
        assert!(matches!(self.give(&keepalive), Did::Nothing));
    }

    /// Takes both through a handshake that boringtun begins.
    fn respond(&mut self) {
        let packet = self.packet(50);
        let first = self.send(&packet);
        let answer = self.ours.receive(&first, &[]).expect("a response");
        assert_eq!(self.ours.session.role, Role::Responder);
        let keepalive = self.give(&answer).sent();
        assert_eq!(self.ours.receive(&keepalive, &[]), Ok(Vec::new()));
        // The packet that waited.
        let queued = self.give(&[]).sent();
        let received = self.ours.receive(&queued, &[]).expect("the packet");
        assert!(received.starts_with(&packet));
    }
}

#[test]
// rows H1 K1
fn we_begin() {
    for seed in 1..30 {
        let mut pair = Pair::new(seed, seed % 2 == 0, None);
        pair.initiate();
        pair.talk();
        pair.ours.sleep(20);
        pair.initiate();
        pair.talk();
    }
}

#[test]
fn they_begin() {
    for seed in 30..60 {
        let mut pair = Pair::new(seed, seed % 2 == 0, None);
        pair.respond();
        pair.talk();
        pair.ours.sleep(20);
        pair.initiate();
        pair.talk();
    }
}

#[test]
fn another_preshared_key_is_refused_by_both() {
    let mut pair = Pair::new(60, true, None);
    pair.ours.set_preshared([1; 32]);
    let first = pair.ours.initiate().expect("an initiation");
    let answer = pair.give(first.as_bytes()).sent();
    assert_eq!(
        pair.ours.receive(&answer, &[]),
        Err(DropReason::BadResponse)
    );
    let packet = pair.packet(20);
    let mut pair = Pair::new(61, true, None);
    pair.ours.set_preshared([1; 32]);
    let first = pair.send(&packet);
    let answer = pair.ours.receive(&first, &[]).expect("a response");
    assert!(matches!(
        pair.give(&answer),
        Did::Refused(WireGuardError::InvalidAeadTag)
    ));
}

#[test]
fn a_repeated_initiation_is_refused_by_both() {
    let mut pair = Pair::new(62, false, None);
    let first = pair.ours.initiate().expect("an initiation");
    pair.give(first.as_bytes()).sent();
    assert!(matches!(
        pair.give(first.as_bytes()),
        Did::Refused(WireGuardError::WrongTai64nTimestamp)
    ));
    let mut pair = Pair::new(63, false, None);
    let packet = pair.packet(20);
    let first = pair.send(&packet);
    pair.ours.receive(&first, &[]).expect("a response");
    pair.ours.sleep(100);
    assert_eq!(
        pair.ours.receive(&first, &[]),
        Err(DropReason::ReplayedTimestamp)
    );
}

#[test]
fn their_cookie_is_taken_and_makes_a_right_mac() {
    // A limit of none is always exceeded.
    let mut pair = Pair::new(64, true, Some(0));
    let first = pair.ours.initiate().expect("an initiation");
    let answer = pair.give(first.as_bytes()).sent();
    assert_eq!(answer.len(), 64);
    assert_eq!(pair.ours.receive(&answer, &[]), Ok(Vec::new()));
    pair.ours.sleep(5_000);
    let second = pair.ours.initiate().expect("an initiation");
    let answer = pair.give(second.as_bytes()).sent();
    assert_eq!(pair.ours.receive(&answer, &[]), Ok(Vec::new()));
    let keepalive = pair.ours.send(0, &[]);
    assert!(matches!(pair.give(&keepalive), Did::Nothing));
    pair.talk();
}

#[test]
fn our_cookie_is_taken_and_makes_a_right_mac() {
    let source = [192, 0, 2, 9, 0, 1];
    let mut pair = Pair::new(65, false, None);
    let now = pair.ours.now;
    pair.ours.checker.rotate(now, |bytes| *bytes = [3; 32]);
    let packet = pair.packet(20);
    let first = pair.send(&packet);
    let check = |ours: &Node, bytes: &[u8]| ours.checker.check::<Soft>(bytes, &source, true);
    assert_eq!(check(&pair.ours, &first), MacState::Valid);
    let Ok(Message::Initiation(message)) = Message::parse(&first) else {
        panic!("not an initiation");
    };
    let mut cookie = CookieReply::zeroed();
    pair.ours
        .checker
        .reply::<Soft>(&mut cookie, &first, message.sender(), &source, &[5; 24])
        .expect("a cookie");
    assert!(matches!(pair.give(cookie.as_bytes()), Did::Nothing));
    let second = Did::from(
        pair.theirs
            .format_handshake_initiation(&mut [0; 2_048], true),
    )
    .sent();
    assert_eq!(check(&pair.ours, &second), MacState::ValidWithCookie);
    let answer = pair.ours.receive(&second, &[]).expect("a response");
    let keepalive = pair.give(&answer).sent();
    assert_eq!(pair.ours.receive(&keepalive, &[]), Ok(Vec::new()));
    pair.talk();
}
