// SPDX-License-Identifier: GPL-2.0

//! One end of a tunnel.

use crate::Soft;
use wg_proto::{
    cookie::{
        CookieChecker,
        CookieGenerator, //
    },
    crypto::{
        Crypto as _,
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
        DataHeader,
        Index,
        Initiation,
        Message,
        Response, //
    },
    DropReason,
    Tai64N, //
};

/// Reproducible random bytes.
pub struct Rng(u64);

impl Rng {
    /// Starts a sequence.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns the next number.
    pub fn number(&mut self) -> u64 {
        let mut out = [0; 32];
        self.0 += 1;
        Soft::hash(&mut out, &[&self.0.to_le_bytes()]);
        u64::from_le_bytes(out[..8].try_into().expect("eight bytes"))
    }

    /// Fills `out`.
    pub fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            let bytes = self.number().to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }
}

/// An interface with one peer.
pub struct Node {
    /// The interface's key pair.
    pub identity: Identity,
    /// The handshake with the peer.
    pub handshake: Handshake,
    /// The cookies that the interface gives out.
    pub checker: CookieChecker,
    /// The cookie of the peer.
    pub generator: CookieGenerator,
    /// Keys of the newest session.
    pub session: SessionKeys,
    /// Boot time.
    pub now: u64,
    /// Wall clock time.
    pub wall: (i64, u32),
    /// Index of the next handshake.
    pub index: u32,
    /// Randomness.
    pub rng: Rng,
}

impl Node {
    /// Makes a node without a peer.
    pub fn new(private: [u8; 32], seed: u64) -> Self {
        let mut node = Self {
            identity: Identity::new(),
            handshake: Handshake::new(PublicKey::ZERO),
            checker: CookieChecker::new(),
            generator: CookieGenerator::new(),
            session: SessionKeys::zeroed(),
            now: 1_000_000_000_000,
            wall: (1_700_000_000, 0),
            index: 100,
            rng: Rng::new(seed << 32),
        };
        node.set_private(private);
        node
    }

    /// Makes two nodes that are each other's peer.
    pub fn pair(seed: u64) -> (Self, Self) {
        let mut rng = Rng::new(seed.wrapping_mul(0x9e37_79b9));
        let (mut a, mut b) = ([0; 32], [0; 32]);
        rng.fill(&mut a);
        rng.fill(&mut b);
        let (mut a, mut b) = (Self::new(a, seed * 2), Self::new(b, seed * 2 + 1));
        a.set_peer(b.public());
        b.set_peer(a.public());
        (a, b)
    }

    /// Gives the interface a private key.
    pub fn set_private(&mut self, private: [u8; 32]) {
        let mut key = PrivateKey::zeroed();
        *key.as_mut_bytes() = private;
        self.identity.set::<Soft>(&key);
        self.checker.set_identity::<Soft>(self.identity.public());
    }

    /// Returns the public key of the interface.
    pub fn public(&self) -> PublicKey {
        *self.identity.public().expect("an identity")
    }

    /// Replaces the peer.
    pub fn set_peer(&mut self, public: PublicKey) {
        self.handshake = Handshake::new(public);
        self.generator.set_remote(&public);
    }

    /// Sets the preshared key.
    pub fn set_preshared(&mut self, key: [u8; 32]) {
        *self.handshake.remote_mut().preshared_mut().as_mut_bytes() = key;
    }

    /// Lets time pass.
    pub fn sleep(&mut self, milliseconds: u64) {
        self.now += milliseconds * 1_000_000;
        let nanos = u64::from(self.wall.1) + milliseconds * 1_000_000;
        self.wall.0 += (nanos / 1_000_000_000) as i64;
        self.wall.1 = (nanos % 1_000_000_000) as u32;
    }

    /// Starts a handshake.
    pub fn initiate(&mut self) -> Result<Initiation, DropReason> {
        let mut out = Initiation::zeroed();
        let timestamp = Tai64N::from_unix(self.wall.0, self.wall.1);
        self.index += 1;
        self.handshake.create_initiation::<Soft>(
            &self.identity,
            &mut out,
            Index::new(self.index),
            timestamp,
            |bytes| self.rng.fill(bytes),
        )?;
        self.generator
            .add_macs::<Soft>(out.as_mut_bytes(), self.now)?;
        Ok(out)
    }

    /// Takes an initiation, up to the commit.
    pub fn consume_initiation(&mut self, message: &Initiation) -> Result<(), DropReason> {
        let mut work = IncomingInitiation::new();
        let opened = work.open::<Soft>(&self.identity, message)?;
        if opened.sender() != self.handshake.remote().public() {
            return Err(DropReason::UnknownPeer);
        }
        opened
            .snapshot::<Soft>(&self.identity, &mut self.handshake)?
            .authenticate::<Soft>(message)?
            .commit(&mut self.handshake, self.now)
    }

    /// Answers the initiation that was taken, and begins the session.
    pub fn respond(&mut self) -> Result<Response, DropReason> {
        let mut out = Response::zeroed();
        self.index += 1;
        self.handshake
            .create_response::<Soft>(&mut out, Index::new(self.index), |bytes| {
                self.rng.fill(bytes)
            })?;
        self.generator
            .add_macs::<Soft>(out.as_mut_bytes(), self.now)?;
        self.handshake
            .begin_session::<Soft>(self.now, &mut self.session)?;
        Ok(out)
    }

    /// Takes a response, up to the commit.
    pub fn consume_response(&mut self, message: &Response) -> Result<(), DropReason> {
        let mut work = IncomingResponse::new();
        if self.handshake.local_index() != Some(message.receiver()) {
            return Err(DropReason::UnknownHandshake);
        }
        work.snapshot(&self.handshake)?
            .authenticate::<Soft>(&self.identity, message)?
            .commit::<Soft>(&mut self.handshake)
    }

    /// Begins the session of a response that was taken.
    pub fn begin(&mut self) -> Result<(), DropReason> {
        self.handshake
            .begin_session::<Soft>(self.now, &mut self.session)
    }

    /// Does with a handshake message from `source` what the driver does when not under load;
    /// returns the answer.
    pub fn receive(&mut self, bytes: &[u8], source: &[u8]) -> Result<Vec<u8>, DropReason> {
        use wg_proto::cookie::MacState;
        let message = Message::parse(bytes)?;
        if matches!(message, Message::Initiation(_) | Message::Response(_))
            && self.checker.check::<Soft>(bytes, source, false) == MacState::Invalid
        {
            return Err(DropReason::BadMac1);
        }
        match message {
            Message::Initiation(message) => {
                self.consume_initiation(message)?;
                Ok(self.respond()?.as_bytes().to_vec())
            }
            Message::Response(message) => {
                self.consume_response(message)?;
                self.begin()?;
                Ok(Vec::new())
            }
            Message::Cookie(message) => {
                if self.handshake.local_index() != Some(message.receiver()) {
                    return Err(DropReason::UnknownCookie);
                }
                self.generator.consume::<Soft>(message, self.now)?;
                Ok(Vec::new())
            }
            Message::Data(header, rest) => {
                if header.receiver() != self.session.local {
                    return Err(DropReason::UnknownSession);
                }
                let mut text = rest.to_vec();
                let key = self.session.receiving.as_bytes();
                if !Soft::open(key, header.counter(), &[], &mut text) {
                    return Err(DropReason::BadData);
                }
                text.truncate(text.len() - TAG_LEN);
                Ok(text)
            }
        }
    }

    /// Takes both through a handshake that this one begins.
    pub fn shake(&mut self, other: &mut Self) {
        let message = self.initiate().expect("an initiation");
        other
            .consume_initiation(&message)
            .expect("a new initiation");
        let message = other.respond().expect("a response");
        self.consume_response(&message).expect("the response");
        self.begin().expect("a session");
    }

    /// Checks that both have the same session.
    pub fn agree(&self, other: &Self) {
        let (one, two) = (&self.session, &other.session);
        assert_eq!(one.sending.as_bytes(), two.receiving.as_bytes());
        assert_eq!(one.receiving.as_bytes(), two.sending.as_bytes());
        assert_ne!(one.sending.as_bytes(), one.receiving.as_bytes());
        assert_ne!(one.sending.as_bytes(), &[0; 32]);
        assert_eq!(one.local, two.remote);
        assert_eq!(one.remote, two.local);
    }

    /// Makes the data message with this counter.
    pub fn send(&self, counter: u64, text: &[u8]) -> Vec<u8> {
        let header = DataHeader::new(self.session.remote, counter);
        let mut body = text.to_vec();
        body.extend([0; TAG_LEN]);
        Soft::seal(self.session.sending.as_bytes(), counter, &[], &mut body);
        [header.as_bytes(), &body].concat()
    }
}
