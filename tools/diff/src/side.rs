// SPDX-License-Identifier: GPL-2.0

//! One of the two drivers: its family, its network namespaces, its sockets, its interface.

use crate::{
    answer::{each_attr, status, Answer},
    message::{u16_at, Attr, Message, ACK, CREATE, DUMP, GET, REQUEST},
};
use netlink_sys::{protocols::NETLINK_GENERIC, protocols::NETLINK_ROUTE, Socket};
use nix::{
    sched::{setns, unshare, CloneFlags},
    unistd::Uid,
};
use std::{
    fs::File,
    io::{ErrorKind, Read, Seek},
    net::UdpSocket,
    os::fd::{AsRawFd, OwnedFd},
    time::{Duration, Instant},
};

/// The index of the interface, the same on both sides.
pub(crate) const IFINDEX: u32 = 10;
/// The index of an interface of the other driver.
pub(crate) const FOREIGN: u32 = 11;
/// A port that a foreign IPv4 socket has.
pub(crate) const TAKEN4: u16 = 7001;
/// A port that a foreign IPv6 socket has, and no other.
pub(crate) const TAKEN6: u16 = 7002;
/// The port that the kernel chooses: there is no other.
pub(crate) const CHOSEN: u16 = 40000;

/// Where the process itself listens, for what the interface sends.
pub(crate) const SINK: u16 = 7000;

/// As much as wg reads at once.
const READ: usize = 8192;

type Error = Box<dyn std::error::Error>;
type Result<T> = std::result::Result<T, Error>;

/// A socket and the numbers of its messages.
struct Line {
    socket: Socket,
}

impl Line {
    fn new(protocol: isize) -> Result<Self> {
        let mut socket = Socket::new(protocol)?;
        socket.bind_auto()?;
        socket.set_ext_ack(true)?;
        Ok(Self { socket })
    }

    /// Receives a datagram if there is one.
    fn receive(&self, buffer: &mut [u8], answer: &mut Answer) -> Result<bool> {
        let mut rest = &mut *buffer;
        match self.socket.recv(&mut rest, nix::libc::MSG_DONTWAIT) {
            Ok(len) => {
                answer.push(&buffer[..len]);
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Where the kernel chooses ports from, and which ones are taken, in the namespace of this thread.
fn furnish() -> Result<Vec<OwnedFd>> {
    use nix::sys::socket::{
        bind, setsockopt, socket, sockopt::Ipv6V6Only, AddressFamily, SockFlag, SockType,
        SockaddrIn6,
    };
    std::fs::write(
        "/proc/sys/net/ipv4/ip_local_port_range",
        format!("{CHOSEN} {CHOSEN}"),
    )?;
    let four = UdpSocket::bind(("0.0.0.0", TAKEN4))?;
    let six = socket(
        AddressFamily::Inet6,
        SockType::Datagram,
        SockFlag::empty(),
        None,
    )?;
    setsockopt(&six, Ipv6V6Only, &true)?;
    let any = std::net::SocketAddrV6::new(std::net::Ipv6Addr::UNSPECIFIED, TAKEN6, 0, 0);
    bind(six.as_raw_fd(), &SockaddrIn6::from(any))?;
    Ok(vec![four.into(), six])
}

/// Where an interface's sockets live.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Birth {
    /// In the namespace of the interface itself.
    Home,
    /// In another one.
    Elsewhere,
    /// In another one, which is gone.
    Nowhere,
}

/// One driver.
pub(crate) struct Side {
    /// Kind of its interfaces
    pub(crate) kind: &'static str,
    foreign: &'static str,
    family: u16,
    home: File,
    admin: Line,
    nobody: Line,
    second: Line,
    route: Line,
    away: Option<(Line, Vec<OwnedFd>)>,
    ports: [File; 2],
    _taken: Vec<OwnedFd>,
    sink: UdpSocket,
    buffer: Vec<u8>,
    out: Vec<u8>,
    seq: u32,
}

/// Without a capability while the closure runs.
fn without_capabilities<T>(run: impl FnOnce() -> Result<T>) -> Result<T> {
    nix::unistd::seteuid(Uid::from_raw(65534))?;
    let result = run();
    nix::unistd::seteuid(Uid::from_raw(0))?;
    result
}

fn own_namespace() -> Result<File> {
    Ok(File::open("/proc/thread-self/ns/net")?)
}

impl Side {
    /// Makes a namespace and sockets in it. The thread comes back to where it was.
    pub(crate) fn new(kind: &'static str, foreign: &'static str) -> Result<Self> {
        let before = own_namespace()?;
        unshare(CloneFlags::CLONE_NEWNET)?;
        let home = own_namespace()?;
        let side = Self {
            kind,
            foreign,
            family: 0,
            home,
            admin: Line::new(NETLINK_GENERIC)?,
            nobody: without_capabilities(|| Line::new(NETLINK_GENERIC))?,
            second: Line::new(NETLINK_GENERIC)?,
            route: Line::new(NETLINK_ROUTE)?,
            away: None,
            ports: [
                File::open("/proc/thread-self/net/udp")?,
                File::open("/proc/thread-self/net/udp6")?,
            ],
            _taken: furnish()?,
            sink: UdpSocket::bind(("0.0.0.0", SINK))?,
            buffer: vec![0; 1 << 15],
            out: Vec::new(),
            seq: 1,
        };
        setns(&before, CloneFlags::CLONE_NEWNET)?;
        side.with_family()
    }

    /// Looks the family's number up.
    fn with_family(mut self) -> Result<Self> {
        let mut name = self.kind.as_bytes().to_vec();
        name.push(0);
        // CTRL_CMD_GETFAMILY by CTRL_ATTR_FAMILY_NAME; the answer has CTRL_ATTR_FAMILY_ID.
        let request = Message::new(3, REQUEST | ACK, vec![Attr::new(2, name)]);
        self.out.clear();
        request.write(0x10, 1, &mut self.out);
        self.admin.socket.send(&self.out, 0)?;
        let mut answer = Answer::default();
        while self.admin.receive(&mut self.buffer[..READ], &mut answer)? {}
        let mut datagrams = answer.datagrams();
        let first = datagrams.next().ok_or("no answer")?;
        let id = crate::message::attrs(&first[20..]).find(|attr| attr.0 == 1);
        self.family = u16_at(id.ok_or("no such family")?.1, 0);
        Ok(self)
    }

    /// Sends a request, and one for a dump behind it; returns all answers, normalized, and the numbers of both.
    pub(crate) fn exchange(
        &mut self,
        message: &Message,
        dump: &Message,
    ) -> Result<(Answer, u32, u32)> {
        let first = self.seq;
        let second = first + 1;
        self.seq += 2;
        let mut answer = Answer::default();
        let line = match message.sender {
            crate::message::Sender::Admin => &self.admin,
            crate::message::Sender::Nobody => &self.nobody,
        };
        self.out.clear();
        message.write(self.family, first, &mut self.out);
        if message.sender == crate::message::Sender::Nobody || message.is_dump() {
            line.socket.send(&self.out, 0)?;
            while line.receive(&mut self.buffer[..READ], &mut answer)? {}
            self.out.clear();
        }
        dump.write(self.family, second, &mut self.out);
        self.admin.socket.send(&self.out, 0)?;
        loop {
            if !self.admin.receive(&mut self.buffer[..READ], &mut answer)? {
                break;
            }
            let last = answer.datagrams().last().unwrap_or_default();
            if status(last, second).is_some() {
                break;
            }
        }
        answer.normalize(self.family);
        Ok((answer, first, second))
    }

    /// Begins a dump on the second socket, reads `parts` of it into a buffer of `size`.
    pub(crate) fn begin(
        &mut self,
        dump: &Message,
        size: usize,
        parts: usize,
    ) -> Result<(Answer, u32)> {
        let seq = self.seq;
        self.seq += 1;
        self.out.clear();
        dump.write(self.family, seq, &mut self.out);
        self.second.socket.send(&self.out, 0)?;
        let mut answer = Answer::default();
        for _ in 0..parts {
            self.second.receive(&mut self.buffer[..size], &mut answer)?;
        }
        Ok((answer, seq))
    }

    /// Reads the rest of it.
    pub(crate) fn end(&mut self, mut answer: Answer, size: usize) -> Result<Answer> {
        while self.second.receive(&mut self.buffer[..size], &mut answer)? {}
        answer.normalize(self.family);
        Ok(answer)
    }

    /// Forgets the rest of it, by closing the socket.
    pub(crate) fn abandon(&mut self) -> Result<()> {
        let before = own_namespace()?;
        setns(&self.home, CloneFlags::CLONE_NEWNET)?;
        self.second = Line::new(NETLINK_GENERIC)?;
        setns(&before, CloneFlags::CLONE_NEWNET)?;
        Ok(())
    }

    /// A request of rtnetlink; returns its errno and the answers.
    fn rtnl(
        line: &Line,
        buffer: &mut [u8],
        ty: u16,
        flags: u16,
        info: [u32; 3],
        attrs: &[Attr],
    ) -> Result<(i32, Answer)> {
        let mut out = vec![0; 32];
        out[4..6].copy_from_slice(&ty.to_ne_bytes());
        out[6..8].copy_from_slice(&(REQUEST | ACK | flags).to_ne_bytes());
        out[8] = 1;
        for (place, word) in out[20..].chunks_mut(4).zip(info) {
            place.copy_from_slice(&word.to_ne_bytes());
        }
        attrs.iter().for_each(|attr| attr.write(&mut out));
        let len = out.len() as u32;
        out[..4].copy_from_slice(&len.to_ne_bytes());
        line.socket.send(&out, 0)?;
        let mut answer = Answer::default();
        while line.receive(buffer, &mut answer)? {}
        let status = answer.status(1).ok_or("rtnetlink does not answer")?;
        Ok((-status, answer))
    }

    /// Makes the interface wg0 and, at first, one of the other driver.
    pub(crate) fn create(&mut self, birth: Birth) -> Result<()> {
        let kind = |name: &str| Attr::nest(18, vec![Attr::new(1, name.as_bytes())]);
        let name = |name: &str| Attr::new(3, [name.as_bytes(), b"\0"].concat());
        let there = [FOREIGN, 0, 0];
        Self::rtnl(
            &self.route,
            &mut self.buffer,
            16,
            CREATE,
            there,
            &[name("wgx"), kind(self.foreign)],
        )?;
        let mut attrs = vec![name("wg0"), kind(self.kind)];
        let info = [IFINDEX, 0, 0];
        if birth == Birth::Home {
            let (errno, _) = Self::rtnl(&self.route, &mut self.buffer, 16, CREATE, info, &attrs)?;
            return expect(errno, "link add");
        }
        let before = own_namespace()?;
        unshare(CloneFlags::CLONE_NEWNET)?;
        let away = Line::new(NETLINK_ROUTE)?;
        let taken = furnish()?;
        setns(&before, CloneFlags::CLONE_NEWNET)?;
        // IFLA_NET_NS_FD
        attrs.push(Attr::u32(28, self.home.as_raw_fd() as u32));
        let (errno, _) = Self::rtnl(&away, &mut self.buffer, 16, CREATE, info, &attrs)?;
        expect(errno, "link add elsewhere")?;
        if birth == Birth::Elsewhere {
            self.away = Some((away, taken));
            return Ok(());
        }
        // Its carrier goes with the namespace.
        drop((away, taken));
        let end = Instant::now() + Duration::from_secs(60);
        while self.carrier()? {
            if Instant::now() > end {
                return Err("a namespace does not go away".into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    fn carrier(&mut self) -> Result<bool> {
        let (_, answer) = Self::rtnl(&self.route, &mut self.buffer, 18, 0, [IFINDEX, 0, 0], &[])?;
        let first = answer.datagrams().next().ok_or("no link")?;
        // IFLA_CARRIER
        let is_on = crate::message::attrs(&first[32..]).any(|attr| attr.0 == 33 && attr.1 == [1]);
        Ok(is_on)
    }

    /// Removes the interface.
    pub(crate) fn delete(&mut self) -> Result<()> {
        let (errno, _) = Self::rtnl(&self.route, &mut self.buffer, 17, 0, [IFINDEX, 0, 0], &[])?;
        self.away = None;
        expect(errno, "link del")
    }

    /// Sets the interface up or down; returns the errno.
    pub(crate) fn set_up(&mut self, up: bool) -> Result<i32> {
        let info = [IFINDEX, u32::from(up), 1];
        Ok(Self::rtnl(&self.route, &mut self.buffer, 16, 0, info, &[])?.0)
    }

    /// Sets the loopback up or down: without it nothing can be sent in this namespace.
    pub(crate) fn set_loopback(&mut self, up: bool) -> Result<()> {
        let (errno, _) = Self::rtnl(
            &self.route,
            &mut self.buffer,
            16,
            0,
            [1, u32::from(up), 1],
            &[],
        )?;
        expect(errno, "loopback")
    }

    /// Sends a request; returns its errno.
    pub(crate) fn ask(&mut self, message: &Message) -> Result<i32> {
        let seq = self.seq;
        self.seq += 1;
        self.out.clear();
        message.write(self.family, seq, &mut self.out);
        self.admin.socket.send(&self.out, 0)?;
        let mut answer = Answer::default();
        while self.admin.receive(&mut self.buffer[..READ], &mut answer)? {}
        Ok(-answer.status(seq).ok_or("no answer")?)
    }

    /// The length of the next datagram that the interface sent, if one comes within that time.
    pub(crate) fn sent(&mut self, within: Duration) -> Result<Option<usize>> {
        self.sink.set_read_timeout(Some(within))?;
        match self.sink.recv(&mut self.buffer) {
            Ok(len) => Ok(Some(len)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// What rtnetlink says of the interface, without the name of its kind.
    pub(crate) fn link(&mut self) -> Result<Answer> {
        let (_, mut answer) =
            Self::rtnl(&self.route, &mut self.buffer, 18, 0, [IFINDEX, 0, 0], &[])?;
        answer.normalize(0xffff);
        answer.hide(self.kind.as_bytes());
        // IFLA_AF_SPEC, AF_INET6, IFLA_INET6_CACHEINFO: times, and a random one.
        let link = answer.first_mut().get_mut(32..).unwrap_or_default();
        each_attr(link, |ty, families| {
            if ty != 26 {
                return;
            }
            each_attr(families, |ty, values| {
                if ty == 10 {
                    each_attr(values, |ty, value| {
                        if ty == 5 {
                            value.fill(0);
                        }
                    });
                }
            });
        });
        Ok(answer)
    }

    /// The UDP ports that are open at home: of IPv4, then of IPv6.
    pub(crate) fn open_ports(&mut self) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for file in &mut self.ports {
            file.rewind()?;
            let mut text = String::new();
            file.read_to_string(&mut text)?;
            // Local address, remote address, state, queues, user; a pointer and a number of the socket come later.
            let mut lines: Vec<_> = text
                .lines()
                .skip(1)
                .map(|line| {
                    let words: Vec<_> = line.split_whitespace().collect();
                    [&words[1..5], &words[7..8]].concat().join(" ")
                })
                .collect();
            lines.sort();
            found.extend(lines);
        }
        Ok(found)
    }
}

/// A request for a dump of wg0.
pub(crate) fn dump() -> Message {
    Message::new(
        GET,
        REQUEST | DUMP,
        vec![Attr::u32(crate::message::device::IFINDEX, IFINDEX)],
    )
}

/// An error unless it succeeded.
pub(crate) fn expect(errno: i32, what: &str) -> Result<()> {
    if errno == 0 {
        return Ok(());
    }
    Err(format!("{what}: {}", std::io::Error::from_raw_os_error(errno)).into())
}
