// SPDX-License-Identifier: GPL-2.0

//! One pair of interfaces, and all that is done to both.

use crate::{
    answer::Answer,
    case::{Case, EPERM},
    grammar::{Grammar, Mood},
    message::{
        allowed_ip, device, messages, peer, u16_at, Attr, Message, Sender, ACK, REQUEST, SET,
    },
    rng::Rng,
    rows::Table,
    show,
    side::{dump, expect, Birth, Side, IFINDEX, SINK},
    state::State,
};
use std::time::Duration;

/// How long a packet may take that must come; an emulated processor may have to wait for a real one.
const PATIENCE: Duration = Duration::from_secs(4);

type Error = Box<dyn std::error::Error>;
type Result<T> = std::result::Result<T, Error>;

/// What a worker has done.
#[derive(Default)]
pub(crate) struct Summary {
    /// Requests
    pub(crate) requests: u64,
    /// Those that succeeded
    pub(crate) successes: u64,
    /// Interfaces
    pub(crate) epochs: u64,
    /// Rows
    pub(crate) table: Table,
}

/// One pair of interfaces.
pub(crate) struct Worker {
    rng: Rng,
    sides: [Side; 2],
    grammar: Grammar,
    state: State,
    mood: Mood,
    birth: Birth,
    is_up: bool,
    /// How much of a dump the reader takes at once; the kernel makes its messages accordingly.
    size: usize,
    summary: Summary,
}

/// An error that shows both answers.
fn differ(what: &str, request: &Message, ours: &Answer, theirs: &Answer) -> Error {
    let mut bytes = Vec::new();
    request.write(Answer::family(), 0, &mut bytes);
    format!(
        "{what}\nrequest:\n{}wireguard:\n{}wireguarc:\n{}",
        show::datagram(&bytes),
        show::answer(ours),
        show::answer(theirs)
    )
    .into()
}

/// Both answers must be the same, except what docs/differences.md says: ours has zeros in the padding of endpoints.
fn compare(what: &str, request: &Message, [ours, mut theirs]: [Answer; 2]) -> Result<Answer> {
    if ours != theirs {
        theirs.clear_padding();
    }
    if ours == theirs {
        return Ok(ours);
    }
    Err(differ(what, request, &ours, &theirs))
}

impl Worker {
    /// Creates the one with this seed.
    pub(crate) fn new(seed: u64) -> Result<Self> {
        let mut rng = Rng::new(seed);
        Ok(Self {
            sides: [
                Side::new("wireguard", "wireguarc")?,
                Side::new("wireguarc", "wireguard")?,
            ],
            grammar: Grammar::new(&mut rng),
            rng,
            state: State::default(),
            mood: Mood::default(),
            birth: Birth::Home,
            is_up: false,
            size: 8192,
            summary: Summary::default(),
        })
    }

    /// Sends `count` requests, and prints after each interface how many it took.
    pub(crate) fn run(mut self, count: u64) -> Result<Summary> {
        let epochs = (count / 500).clamp(1, 104);
        let whole: u64 = (0..epochs).map(share).sum();
        let mut done = 0;
        for epoch in 0..epochs {
            done += share(epoch);
            let end = count * done / whole;
            let begin = self.summary.requests;
            self.epoch(epoch, end).map_err(|error| {
                let at = self.summary.requests;
                Error::from(format!("interface {epoch}, request {at}: {error}"))
            })?;
            println!("progress {}", self.summary.requests - begin);
        }
        Ok(self.summary)
    }

    fn epoch(&mut self, epoch: u64, end: u64) -> Result<()> {
        self.birth = match epoch % 16 {
            2 | 10 => Birth::Elsewhere,
            3 | 11 | 13 => Birth::Nowhere,
            _ => Birth::Home,
        };
        self.size = if epoch % 32 < 8 { 8192 } else { 4096 };
        self.mood.is_big = epoch % 8 == 5 || epoch % 8 == 7;
        self.mood.is_fat = epoch % 8 == 7;
        self.mood.has_keys = matches!(epoch % 8, 0 | 1 | 4);
        for side in &mut self.sides {
            side.create(self.birth)?;
        }
        self.is_up = false;
        self.state = State::default();
        if epoch == 0 {
            self.learn_keys()?;
        }
        match epoch % 8 {
            5 | 7 => self.fill()?,
            1 => {}
            _ => self.toggle()?,
        }
        while self.summary.requests < end {
            match self.rng.below(1000) {
                0..2 => self.toggle()?,
                2..6 => self.compare_link()?,
                6..16 => self.torn()?,
                16..116 if self.mood.is_big => self.torn()?,
                116..120 if self.is_up && self.birth == Birth::Home => self.wire()?,
                120..180 => {
                    let request = self.grammar.get(&mut self.rng);
                    self.step(request)?;
                }
                _ => {
                    let mut request = self.grammar.set(&mut self.rng, &self.state, self.mood);
                    if self.rng.percent(45) {
                        self.grammar.spoil(&mut self.rng, &mut request);
                    }
                    self.step(request)?;
                }
            }
        }
        self.finish()
    }

    /// Has the public keys of the private ones told, so that peers can have them.
    fn learn_keys(&mut self) -> Result<()> {
        for key in self.grammar.privates.clone() {
            self.set(vec![Attr::new(device::PRIVATE_KEY, key)])?;
            let public = self.state.identity.ok_or("a private key was not taken")?.1;
            self.grammar.publics.push(public);
        }
        self.set(vec![Attr::new(device::PRIVATE_KEY, [0; 32])])
    }

    fn set(&mut self, attrs: Vec<Attr>) -> Result<()> {
        let mut all = vec![Attr::u32(device::IFINDEX, IFINDEX)];
        all.extend(attrs);
        self.step(Message::new(SET, REQUEST | ACK, all)).map(drop)
    }

    /// Makes an interface large, so that its dump takes several messages: by peers, or by prefixes of the first one.
    fn fill(&mut self) -> Result<()> {
        let (peers, prefixes, flags) = match self.mood {
            Mood { is_fat: true, .. } => (1, 400, 1),
            _ => (50, 3, 0),
        };
        let start = self.rng.next() as u32;
        let list = (0..peers).map(|peer| {
            let ips = (0..prefixes).map(|n| {
                let mut address = [0xfc; 16];
                address[..4]
                    .copy_from_slice(&start.wrapping_add(peer * prefixes + n).to_ne_bytes());
                allowed_ip(address)
            });
            let key = Attr::new(peer::PUBLIC_KEY, self.rng.bytes(32));
            Attr::nest(0, vec![key, Attr::nest(peer::ALLOWEDIPS, ips.collect())])
        });
        let list = Attr::nest(device::PEERS, list.collect());
        self.set(vec![Attr::u32(device::FLAGS, flags), list])
    }

    /// Sends a request to both, and compares what they say and what they are then. Returns the status that they agree on.
    fn step(&mut self, request: Message) -> Result<Option<i32>> {
        let (answer, status, last) = self.exchange(&request)?;
        let has_ended = answer.status(last).is_some();
        if !has_ended {
            return Err(differ("no dump", &request, &answer, &answer));
        }
        // The dump is what has the second number; one that was asked for by the request itself came before it.
        let after = State::read(
            answer.datagrams().filter(|it| is_of(it, last)),
            Answer::family(),
        );
        let case = Case {
            message: &request,
            answer: &answer,
            status,
            before: &self.state,
            after: &after,
            is_up: self.is_up,
            birth: self.birth,
        };
        case.count(&mut self.summary.table);
        self.state = after;
        if self.summary.requests % 256 == 0
            || self.is_up
                && request
                    .attrs
                    .iter()
                    .any(|it| it.kind() == device::LISTEN_PORT)
        {
            self.compare_ports()?;
        }
        Ok(status)
    }

    fn exchange(&mut self, request: &Message) -> Result<(Answer, Option<i32>, u32)> {
        self.summary.requests += 1;
        let [ours, theirs] = &mut self.sides;
        let (ours, first, second) = ours.exchange(request, &dump())?;
        let (theirs, _, _) = theirs.exchange(request, &dump())?;
        let answer = compare("different answers", request, [ours, theirs])?;
        let status = answer.status(first);
        self.summary.successes += u64::from(status.unwrap_or(0) == 0);
        Ok((answer, status, second))
    }

    /// A request in the middle of a dump.
    fn torn(&mut self) -> Result<()> {
        let size = self.size;
        let parts = 1 + usize::from(self.rng.percent(20));
        let prefixes: usize = self.state.peers.iter().map(|peer| peer.ips.len()).sum();
        if self.mood.is_big && self.state.peers.len() * 150 + prefixes * 36 < 12000 {
            self.fill()?;
        }
        let [ours, theirs] = &mut self.sides;
        let ours = ours.begin(&dump(), size, parts)?.0;
        let theirs = theirs.begin(&dump(), size, parts)?.0;
        let request = self.change();
        let before = self.state.clone();
        let status = self.step(request.clone())?.unwrap_or(0);
        let [our_side, their_side] = &mut self.sides;
        let answers = [our_side.end(ours, size)?, their_side.end(theirs, size)?];
        let answer = compare("a dump with a request in between", &request, answers)?;
        let found = State::read(answer.datagrams(), Answer::family());
        let is_changed = before.peers.len() != self.state.peers.len();
        let table = &mut self.summary.table;
        let ends_empty = answer.datagrams().any(|it| {
            messages(it).any(|(at, len)| len == 20 && u16_at(it, at + 4) == Answer::family())
        });
        if found.parts > 1 && found.longest <= size {
            table.hit("G11");
        }
        if found.torn {
            table.hit("G7");
            if status != 0 {
                table.hit("2.3 3");
            }
        } else if found.parts > parts + 1 {
            table.hit(match (status, request.sender) {
                (EPERM, Sender::Admin) => "G7 EPERM",
                (EPERM, Sender::Nobody) => "G7 nobody",
                _ => "G7 not",
            });
        }
        let is_cut = found.peers.iter().any(|it| {
            let len = |state: &State| state.peer(&it.key).map_or(0, |peer| peer.ips.len());
            it.ips.len() < len(&before).min(len(&self.state))
        });
        if found.torn && ends_empty && is_changed {
            table.hit("G9");
        } else if found.torn && is_cut {
            table.hit("G8");
        }
        Ok(())
    }

    /// What to ask for in the middle of a dump: a change, or what is refused and must not be flagged as one.
    fn change(&mut self) -> Message {
        let keys: Vec<_> = self.state.peers.iter().map(|peer| peer.key).collect();
        let named = |attr| {
            let attrs = vec![Attr::u32(device::IFINDEX, IFINDEX), attr];
            Message::new(SET, REQUEST | ACK, attrs)
        };
        let nested = |children| named(Attr::nest(device::PEERS, children));
        // Without the namespace of the sockets no request may set these.
        if self.birth == Birth::Nowhere && self.rng.percent(40) {
            return named(if self.rng.percent(50) {
                Attr::u32(device::FWMARK, self.rng.below(3) as u32)
            } else {
                Attr::u16(device::LISTEN_PORT, 2000 + self.rng.below(20) as u16)
            });
        }
        match self.rng.below(8) {
            // Peers are removed, all or a part.
            0 | 1 if !keys.is_empty() => {
                let first = self.rng.below(keys.len());
                let some = if keys.len() > 3 && self.rng.percent(60) {
                    &keys[first..(first + 4).min(keys.len())]
                } else {
                    &keys[..]
                };
                let remove = |key: &[u8; 32]| {
                    let flags = Attr::u32(peer::FLAGS, peer::REMOVE_ME);
                    Attr::nest(0, vec![Attr::new(peer::PUBLIC_KEY, *key), flags])
                };
                nested(some.iter().map(remove).collect())
            }
            // A peer that stays gets a prefix.
            2 if !keys.is_empty() => {
                let key = *self.rng.pick(&keys);
                let ip = allowed_ip(self.rng.bytes(16).try_into().unwrap_or_default());
                let attrs = vec![
                    Attr::new(peer::PUBLIC_KEY, key),
                    Attr::nest(peer::ALLOWEDIPS, vec![ip]),
                ];
                nested(vec![Attr::nest(0, attrs)])
            }
            // An error of the driver, after the change was noted.
            3 => nested(vec![Attr::nest(0, vec![])]),
            // No change at all: no interface is named.
            4 => Message::new(SET, REQUEST | ACK, vec![]),
            5 => {
                let mut request = self.grammar.set(&mut self.rng, &self.state, self.mood);
                request.sender = Sender::Nobody;
                request
            }
            6 => {
                let mut request = self.grammar.set(&mut self.rng, &self.state, self.mood);
                self.grammar.spoil(&mut self.rng, &mut request);
                request
            }
            _ => self.grammar.set(&mut self.rng, &self.state, self.mood),
        }
    }

    /// What goes out: an interval that was 0 starts a handshake, and so does traffic right after another private key,
    /// although the last handshake was just now.
    fn wire(&mut self) -> Result<()> {
        let request = |attr| {
            Message::new(
                SET,
                REQUEST | ACK,
                vec![Attr::u32(device::IFINDEX, IFINDEX), attr],
            )
        };
        let key = self.rng.bytes(32);
        let peer = |attrs: Vec<Attr>| {
            let all = [vec![Attr::new(peer::PUBLIC_KEY, key.clone())], attrs].concat();
            request(Attr::nest(device::PEERS, vec![Attr::nest(0, all)]))
        };
        let every = |seconds| {
            peer(vec![
                Attr::u16(peer::KEEPALIVE, seconds),
                Attr::new(peer::ENDPOINT, sink()),
            ])
        };
        let private = |key: Vec<u8>| request(Attr::new(device::PRIVATE_KEY, key));
        let keys = [self.rng.bytes(32), self.rng.bytes(32)];
        let old = self.state.identity.map_or([0; 32], |it| it.0);
        let before = [private(keys[0].clone()), every(25)];
        let change = [every(0), private(keys[1].clone()), every(25)];
        let after = [
            peer(vec![Attr::u32(peer::FLAGS, peer::REMOVE_ME)]),
            private(old.to_vec()),
        ];
        let mut sent = Vec::new();
        for side in &mut self.sides {
            side.set_loopback(true)?;
            let mut lengths = Vec::new();
            for requests in [&before[..], &change] {
                for request in requests {
                    expect(side.ask(request)?, "a handshake's request")?;
                }
                lengths.push(side.sent(PATIENCE)?);
            }
            for request in &after {
                expect(side.ask(request)?, "a handshake's end")?;
            }
            lengths.push(side.sent(Duration::from_millis(1))?);
            side.set_loopback(false)?;
            sent.push(lengths);
        }
        if sent
            .iter()
            .any(|lengths| *lengths != [Some(148), Some(148), None])
        {
            return Err(format!("lengths of what was sent: {sent:?}").into());
        }
        self.summary.table.hit("P10 sends");
        self.summary.table.hit("SK4");
        // And both are the same afterwards.
        self.set(vec![])
    }

    /// Up or down.
    fn toggle(&mut self) -> Result<()> {
        let up = !self.is_up;
        let [ours, theirs] = &mut self.sides;
        let (ours, theirs) = (ours.set_up(up)?, theirs.set_up(up)?);
        if ours != theirs {
            return Err(format!("up {up}: errno {ours} and {theirs}").into());
        }
        if ours == 0 {
            self.is_up = up;
        }
        self.compare_ports()
    }

    fn compare_ports(&mut self) -> Result<()> {
        let [ours, theirs] = &mut self.sides;
        let (ours, theirs) = (ours.open_ports()?, theirs.open_ports()?);
        if ours != theirs {
            return Err(format!("open ports:\n{ours:#?}\n{theirs:#?}").into());
        }
        Ok(())
    }

    fn compare_link(&mut self) -> Result<()> {
        let [ours, theirs] = &mut self.sides;
        let answers = [ours.link()?, theirs.link()?];
        compare("rtnetlink", &dump(), answers).map(drop)
    }

    /// Removes the interfaces, with a dump that was not read to its end.
    fn finish(&mut self) -> Result<()> {
        self.compare_link()?;
        if self.is_up {
            self.toggle()?;
        }
        for side in &mut self.sides {
            side.begin(&dump(), self.size, 1)?;
        }
        for side in &mut self.sides {
            side.abandon()?;
            side.delete()?;
        }
        self.summary.table.hit("G10");
        self.summary.epochs += 1;
        Ok(())
    }
}

/// An IPv6 address.
fn allowed_ip(address: [u8; 16]) -> Attr {
    let attrs = vec![
        Attr::u16(allowed_ip::FAMILY, 10),
        Attr::new(allowed_ip::IPADDR, address),
        Attr::u8(allowed_ip::CIDR_MASK, 128),
    ];
    Attr::nest(0, attrs)
}

/// The address of the process itself.
fn sink() -> Vec<u8> {
    let mut bytes = vec![0; 16];
    bytes[..2].copy_from_slice(&2u16.to_ne_bytes());
    bytes[2..4].copy_from_slice(&SINK.to_be_bytes());
    bytes[4..8].copy_from_slice(&[127, 0, 0, 1]);
    bytes
}

/// How long an interface is used, in comparison; those where requests are cheap are used more.
fn share(epoch: u64) -> u64 {
    [5, 5, 4, 2, 5, 2, 5, 2][epoch as usize % 8]
}

/// Whether a message in the datagram has that number.
fn is_of(datagram: &[u8], seq: u32) -> bool {
    messages(datagram).any(|(at, _)| crate::message::u32_at(datagram, at + 8) == seq)
}
