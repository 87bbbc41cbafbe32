# SPDX-License-Identifier: GPL-2.0
"""What the network sees of a tunnel, and what it gives back (behaviour study, sections 3.6, 3.8 and 3.9).

The script has made a tunnel between the namespaces a and b; all that is looked at lies in the headers and in the
counters of other parts of the kernel.
"""

import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

# pylint: disable=wrong-import-position
import check
from check import equal, holds, run
from genl import Client, Device, Peer, attr, name, namespace, peer, peers, sockaddr, u32

WG0 = name("wg0")
INITIATION, DATA = 1, 4
IN_A, IN_B = {4: "192.168.7.1", 6: "fd77::1"}, {4: "192.168.7.2", 6: "fd77::2"}
OUT_A, OUT_B = {4: "10.0.0.1", 6: "fd00:0::1"}, {4: "10.0.0.2", 6: "fd00:0::2"}
PORT_A, PORT_B = 51821, 51822

clients = {where: Client(where) for where in "ab"}


def in_ns(where, command, **more):
    return run(f"ip netns exec {where} {command}", **more)


def nft(where, text):
    subprocess.run(["ip", "netns", "exec", where, "nft", "-f", "-"], input=text, text=True, check=True)


def counters(where):
    """Packets of the named counters."""
    listed = json.loads(in_ns(where, "nft -j list counters"))["nftables"]
    return {entry["counter"]["name"]: entry["counter"]["packets"] for entry in listed if "counter" in entry}


def ping(where, address, *options):
    done = subprocess.run(["ip", "netns", "exec", where, "ping", "-q", "-c1", "-W2", *options, address], check=False,
                          capture_output=True, text=True)
    return done.returncode == 0


def key(where):
    """The public key of an end."""
    return clients[where].get("wg0")["public"]


def set_peer(where, other, **more):
    clients[where].set(WG0, peers(peer(key(other), **more)))


def anew(family=4):
    """No session, a's endpoint for b in this family."""
    for where in "ab":
        run(f"ip -n {where} link set wg0 down")
    for where in "ba":
        run(f"ip -n {where} link set wg0 up")
    set_peer("a", "b", endpoint=sockaddr(OUT_B[family], PORT_B), keepalive=0)


def transfer(where):
    told = clients[where].get("wg0")["peers"][0]
    return told["rx"], told["tx"]


def statistics(where):
    link, = json.loads(run(f"ip -n {where} -s -s -j link show wg0"))
    return link["stats64"]


def udp_socket(where, family=4, **more):
    with namespace(where):
        made = socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET, socket.SOCK_DGRAM)
    for option, value in more.items():
        made.setsockopt(socket.SOL_SOCKET, getattr(socket, option), value)
    return made


class Tap:
    """Sees what a link receives (or with `sent`, sends), from the IP header on."""

    def __init__(self, where, link="veth", buffer=1 << 24, sent=False):
        self.sent = sent
        with namespace(where):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
            self.socket.bind((link, 3))
        self.socket.setsockopt(socket.SOL_SOCKET, 33, buffer)  # SO_RCVBUFFORCE
        self.socket.setblocking(False)

    def packets(self, wait=0.0):
        time.sleep(wait)
        found = []
        while True:
            try:
                data, where = self.socket.recvfrom(1 << 17)
            except BlockingIOError:
                return found
            if (where[2] == socket.PACKET_OUTGOING) == self.sent:
                found.append(data)

    def messages(self, wait=0.3, kinds=(INITIATION, DATA)):
        """(IP header, UDP header, message) of each datagram to the port of b."""
        found = []
        for data in self.packets(wait):
            length = 40 if data[0] >> 4 == 6 else 20
            protocol = data[6] if length == 40 else data[9]
            udp, body = data[length:length + 8], data[length + 8:]
            if protocol == 17 and struct.unpack_from("!H", udp, 2)[0] == PORT_B and body[0] in kinds:
                found.append((data[:length], udp, body))
        return found

    def close(self):
        self.socket.close()


def ones_sum(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


def checksum_fits(header, udp, body):
    """Whether a UDP checksum is there and right."""
    addresses = header[8:40] if len(header) == 40 else header[12:20]
    pseudo = addresses + struct.pack("!HH", 17, len(udp) + len(body))
    return udp[6:8] != b"\0\0" and ones_sum(pseudo + udp + body) == 0xffff


# --- headers

def headers():
    """row D8"""
    for where in "ab":
        in_ns(where, "ethtool -K veth tx off")
    tap = Tap("b")
    for family, route in ((4, "10.0.0.2"), (6, "fd00:0::2")):
        anew(family)
        tap.packets()
        holds("ping", ping("a", IN_B[family]))
        messages = tap.messages()
        equal("messages", [body[0] for _, _, body in messages][:2], [INITIATION, DATA])
        for header, udp, body in messages:
            what = f"IPv{family}, type {body[0]}"
            holds(f"{what}: UDP checksum", checksum_fits(header, udp, body))
            equal(f"{what}: source port", struct.unpack("!H", udp[:2])[0], PORT_A)
            if family == 4:
                equal(f"{what}: no DF, no fragment", struct.unpack("!H", header[6:8])[0], 0)
                equal(f"{what}: hop limit", header[8], 64)
            else:
                equal(f"{what}: flow label", struct.unpack("!I", header[:4])[0] & 0xfffff, 0)
                equal(f"{what}: hop limit", header[7], 64)
        # The route's own.
        run(f"ip -n a -{family} route add {route} dev veth hoplimit 33")
        tap.packets()
        holds("ping", ping("a", IN_B[family]))
        equal(f"IPv{family}: hop limit of the route", {header[8 if family == 4 else 7] for header, _, _ in tap.messages()},
              {33})
        run(f"ip -n a -{family} route del {route} dev veth")
    tap.close()
    # row D19: as much as there is to send.
    line, = [line for line in in_ns("a", "ss -HlunmO4").splitlines() if f":{PORT_A}" in line]
    holds(f"send buffer: {line}", "tb2147483647" in line)
    line, = [line for line in in_ns("a", "ss -HlunmO6").splitlines() if f":{PORT_A}" in line]
    holds(f"send buffer: {line}", "tb2147483647" in line)


def marks():
    """rows SP3 D10"""
    anew()
    nft("a", f"""table inet t {{
        counter plain {{ }}
        counter marked {{ }}
        counter prioritised {{ }}
        counter tracked {{ }}
        counter ours {{ }}
        chain out {{
            type filter hook output priority 0;
            udp dport {PORT_B} meta mark 0 counter name plain
            udp dport {PORT_B} meta mark 5 counter name marked
            udp dport {PORT_B} meta priority != none counter name prioritised
            udp dport {PORT_B} meta mark 0x33 counter name ours
            udp dport {PORT_B} ct mark 7 counter name tracked
            ip daddr 192.168.7.2 ct mark set 7
        }}
    }}""")
    out = udp_socket("a", SO_MARK=5, SO_PRIORITY=6)
    for _ in range(2):
        out.sendto(b"x", (IN_B[4], 9))
        time.sleep(0.5)
    # An initiation and two packets.
    equal("mark, priority and connection of the inner packet", counters("a"),
          {"plain": 3, "marked": 0, "prioritised": 0, "tracked": 0, "ours": 0})
    # From the next packet on, and on handshakes too.
    clients["a"].set(WG0, u32(Device.FWMARK, 0x33))
    out.sendto(b"x", (IN_B[4], 9))
    time.sleep(0.2)
    equal("mark on data", counters("a")["ours"], 1)
    anew()
    out.sendto(b"x", (IN_B[4], 9))
    time.sleep(0.5)
    equal("mark on handshake and data", counters("a")["ours"], 3)
    # A keepalive.
    set_peer("a", "b", keepalive=1000)
    time.sleep(0.2)
    set_peer("a", "b", keepalive=0)
    equal("mark on a keepalive", counters("a")["ours"], 4)
    # The route is looked up with it.
    run("ip -n a route add unreachable default table 200")
    run("ip -n a rule add fwmark 0x33 table 200")
    before = transfer("a")
    out.sendto(b"x", (IN_B[4], 9))
    time.sleep(0.2)
    equal("routed by its mark", (counters("a")["ours"], transfer("a")), (4, before))
    clients["a"].set(WG0, u32(Device.FWMARK, 0))
    out.sendto(b"x", (IN_B[4], 9))
    time.sleep(0.2)
    equal("without it", (counters("a")["ours"], counters("a")["plain"]), (4, 4))
    run("ip -n a rule del fwmark 0x33 table 200")
    run("ip -n a route del unreachable default table 200")
    out.close()
    nft("a", "delete table inet t")


def local_failures():
    """row E7: what the local stack refuses counts as sent by the peer, but as dropped or failed by the interface."""
    for family in (4, 6):
        anew(family)
        holds("ping", ping("a", IN_B[4]))
        time.sleep(0.3)
        nft("a", f"table inet t {{ chain out {{ type filter hook output priority 0; udp dport {PORT_B} drop; }}; }}")
        before, (_, sent) = statistics("a")["tx"], transfer("a")
        with udp_socket("a") as out:
            out.sendto(b"x", (IN_B[4], 9))
        time.sleep(0.2)
        after = statistics("a")["tx"]
        nft("a", "delete table inet t")
        equal(f"IPv{family}: errors, dropped, bytes, packets", [after[what] - before[what] for what in (
            "errors", "aborted_errors", "dropped", "bytes", "packets")],
              [1, 1, 0, 0, 0] if family == 6 else [0, 0, 1, 0, 0])
        equal(f"IPv{family}: bytes of the peer", transfer("a")[1] - sent, 64)


def flows():
    """row D7: queues outside still tell the flows inside from each other, as the hash of the packet inside is kept."""
    anew()
    holds("ping", ping("a", IN_B[4]))
    run("tc -n a qdisc add dev veth root handle 1: prio bands 16 priomap " + "0 " * 16)
    run("tc -n a filter add dev veth parent 1: handle 1 protocol all flow map key rxhash and 0xf baseclass 1:1")

    def bands():
        classes = json.loads(run("tc -n a -s -j class show dev veth"))
        return [entry["stats"]["packets"] if "stats" in entry else entry["packets"] for entry in classes]

    def used(send):
        before = bands()
        send()
        time.sleep(0.3)
        return [after - count for after, count in zip(bands(), before)]
    out = udp_socket("a")

    def one():
        for _ in range(40):
            out.sendto(b"x", (IN_B[4], 9))

    def many():
        for number in range(40):
            with udp_socket("a") as other:
                other.bind((IN_A[4], 2000 + number))
                other.sendto(b"x", (IN_B[4], 9))
    grown = used(one)
    equal(f"one flow: {grown}", max(grown) >= 40, True)
    grown = used(many)
    holds(f"forty flows: {grown}", sum(1 for count in grown if count) >= 6 and sum(grown) >= 40)
    out.close()
    run("tc -n a qdisc del dev veth root")


def inner_checksums():
    """row D7: what the sender's stack left to the hardware is done before encryption."""
    anew()
    tap = Tap("b", "wg0")
    holds("ping", ping("a", IN_B[4]))
    tap.packets()
    for family in (4, 6):
        with udp_socket("a", family) as out:
            out.sendto(b"some data", (IN_B[family], PORT_B))
        header, udp, body = tap.messages(kinds=(b"s"[0],))[0]
        holds(f"IPv{family}: checksum inside", checksum_fits(header, udp, body))
    tap.close()


def delivery():
    """row E4: a checksum inside is not looked at again, no mark comes from outside, TCP is merged."""
    anew()
    holds("ping", ping("a", IN_B[4]))
    sink = udp_socket("b")
    sink.bind((IN_B[4], 7000))
    sink.settimeout(3)
    with namespace("a"):
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    udp = struct.pack("!HHHH", 9, 7000, 12, 0x1234) + b"data"
    header = struct.pack("!BBHIBBH4s4s", 0x45, 0, 20 + len(udp), 0, 64, 17, 0, socket.inet_aton(IN_A[4]),
                         socket.inet_aton(IN_B[4]))
    header = header[:10] + struct.pack("!H", 0xffff - ones_sum(header)) + header[12:]
    raw.sendto(header + udp, ("wg0", 0x800))
    try:
        equal("wrong checksum inside", sink.recv(100), b"data")
    except TimeoutError:
        check.problem("a packet with a wrong checksum inside was not delivered")
    raw.close()
    sink.close()
    nft("b", f"""table inet t {{
        counter outside {{ }}
        counter inside {{ }}
        counter merged {{ }}
        chain in {{
            type filter hook prerouting priority -200;
            udp dport {PORT_B} meta mark set 9 counter name outside
            iifname wg0 meta mark 9 counter name inside
            iifname wg0 tcp dport 5201 meta length > 3000 counter name merged
        }}
    }}""")
    iperf("-t1")
    seen = counters("b")
    nft("b", "delete table inet t")
    holds(f"marks: {seen}", seen["outside"] > 20 and seen["inside"] == 0)
    holds(f"merged TCP packets: {seen}", seen["merged"] > 5)


def iperf(*options):
    run("ip netns exec b iperf3 --server --one-off --daemon")
    check.eventually(10, lambda: "5201" in in_ns("b", "ss -Hltn sport = :5201"))
    return json.loads(in_ns("a", f"iperf3 --json --client {IN_B[4]} {' '.join(options)}", timeout=120))["end"]


# --- errors

def unreachable():
    """rows D2 D3 D5 L14: who sends through us to nobody is told, also behind source NAT."""
    run("ip netns add c")
    run("ip link add north netns c type veth peer name south netns a")
    for where, link, four, six in (("c", "north", "10.5.0.2/24", "fd05::2/64"), ("a", "south", "10.5.0.1/24", "fd05::1/64")):
        run(f"ip -n {where} addr add {four} dev {link}")
        run(f"ip -n {where} addr add {six} dev {link} nodad")
        run(f"ip -n {where} link set {link} up")
    run("ip -n c route add default via 10.5.0.1")
    run("ip -n c -6 route add default via fd05::1")
    in_ns("a", "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.icmp_ratelimit=0 "
          "net.ipv6.icmp.ratelimit=0")
    run("ip -n a route add 172.16.0.0/24 dev wg0")
    run("ip -n a -6 route add fd16::/64 dev wg0")
    nobody = bytes([3]) * 32
    # D3: a peer without endpoint.
    clients["a"].set(WG0, peers(peer(nobody, ips=["172.16.0.8/32", "fd16::8/128"])))

    def told(address):
        before = statistics("a")["tx"]["errors"]
        done = subprocess.run(["ip", "netns", "exec", "c", "ping", "-n", "-c1", "-W2", address], check=False,
                              capture_output=True, text=True)
        lines = [line for line in done.stdout.splitlines() if line.startswith("From")]
        return lines, statistics("a")["tx"]["errors"] - before
    ping("c", "10.5.0.1")
    ping("c", "fd05::1")
    for title, address, line in (("no peer", "172.16.0.7", "From 10.5.0.1 icmp_seq=1 Destination Host Unreachable"),
                                 ("no endpoint", "172.16.0.8", "From 10.5.0.1 icmp_seq=1 Destination Host Unreachable"),
                                 ("no peer", "fd16::7", "From fd05::1 icmp_seq=1 Destination unreachable: Address "
                                  "unreachable"),
                                 ("no endpoint", "fd16::8", "From fd05::1 icmp_seq=1 Destination unreachable: Address "
                                  "unreachable")):
        equal(f"{title}, {address}", told(address), ([line], 1))
    # row D5
    nft("a", """table inet t { chain post {
        type nat hook postrouting priority 100; ip saddr 10.5.0.2 oifname wg0 snat ip to 192.168.7.1;
        ip6 saddr fd05::2 oifname wg0 snat ip6 to fd77::1; }; }""")
    for address, line in (("172.16.0.7", "From 10.5.0.1 icmp_seq=1 Destination Host Unreachable"),
                          ("fd16::7", "From fd05::1 icmp_seq=1 Destination unreachable: Address unreachable")):
        equal(f"behind NAT, {address}", told(address), ([line], 1))
    nft("a", "delete table inet t")
    clients["a"].set(WG0, peers(peer(nobody, flags=Peer.REMOVE_ME)))
    run("ip netns del c")
    run("ip -n a route del 172.16.0.0/24 dev wg0")


def too_big():
    """row D20: an ICMP message that asks for smaller packets outside changes nothing inside."""
    anew()
    holds("ping", ping("a", IN_B[4], "-s", "1392", "-M", "do"))
    tap = Tap("b")
    with udp_socket("a") as out:
        out.sendto(bytes(1000), (IN_B[4], PORT_B))
    header, udp, body = tap.messages()[0]
    tap.close()
    quoted = header + udp + body[:20]
    icmp = struct.pack("!BBHHH", 3, 4, 0, 0, 600) + quoted
    icmp = icmp[:2] + struct.pack("!H", 0xffff - ones_sum(icmp)) + icmp[4:]
    with namespace("b"):
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    raw.sendto(icmp, (OUT_A[4], 0))
    raw.close()
    time.sleep(0.2)
    holds("as large as before", ping("a", IN_B[4], "-s", "1392", "-M", "do"))
    equal("MTU", json.loads(run("ip -n a -j link show wg0"))[0]["mtu"], 1420)
    run("ip -n a route flush cache")


# --- queues

def staged():
    """row T13: what waits for a session does not hold up its socket, and leaves in its order."""
    anew()
    nft("b", f"table inet t {{ chain in {{ type filter hook input priority 0; udp dport {PORT_B} drop; }}; }}")
    sink = udp_socket("b", SO_RCVBUF=1 << 22)
    sink.bind((IN_B[4], 7000))
    sink.settimeout(10)
    out = udp_socket("a", SO_SNDBUF=4608)
    out.setblocking(False)
    sent = 0
    try:
        for sent in range(1, 101):
            out.sendto(struct.pack("!I", sent) + bytes(200), (IN_B[4], 7000))
    except BlockingIOError:
        pass
    equal("packets past a small send buffer", sent, 100)
    nft("b", "delete table inet t")
    # The handshake comes with its next try.
    got = []
    try:
        while len(got) < 100:
            got.append(struct.unpack_from("!I", sink.recv(1000))[0])
    except TimeoutError:
        pass
    equal("their order", got, list(range(1, 101)))
    # row D10: with a session they do hold it, as long as they are on their way.
    run("tc -n a qdisc add dev veth root tbf rate 8kbit burst 2kb limit 1mb")
    blocked = False
    try:
        for _ in range(100):
            out.sendto(bytes(200), (IN_B[4], 7000))
    except BlockingIOError:
        blocked = True
    holds("a socket sends more than its buffer", blocked)
    run("tc -n a qdisc del dev veth root")
    out.close()
    sink.close()


def segments():
    """row D4: one big packet leaves as one run of messages."""
    anew()
    holds("ping", ping("a", IN_B[4]))
    tap = Tap("b")
    sink = udp_socket("b")
    sink.bind((IN_B[4], 7000))
    stop = threading.Event()

    def chatter():
        with udp_socket("a") as other:
            while not stop.is_set():
                other.sendto(b"x", (IN_B[4], 9))
                time.sleep(0.0005)
    thread = threading.Thread(target=chatter)
    thread.start()
    out = udp_socket("a")
    out.setsockopt(socket.IPPROTO_UDP, 103, 1000)  # UDP_SEGMENT
    try:
        for _ in range(20):
            out.sendto(b"y" * 40000, (IN_B[4], 7000))
            time.sleep(0.02)
    finally:
        stop.set()
        thread.join()
    messages = tap.messages(0.5)
    tap.close()
    large = [struct.unpack_from("<Q", body, 8)[0] for _, _, body in messages if len(body) == 1072]
    equal("segments", len(large), 800)
    torn = [number for number in range(20)
            if large[number * 40:number * 40 + 40] != list(range(large[number * 40], large[number * 40] + 40))]
    equal("torn packets", torn, [])
    out.close()
    sink.close()


@contextmanager
def stream(count, cpus):
    """Threads that send numbered datagrams through the tunnel as fast as they can."""
    stop = threading.Event()
    sent = [0] * count

    def send(which):
        os.sched_setaffinity(0, cpus)
        with udp_socket("a") as out:
            while not stop.is_set():
                sent[which] += 1
                out.sendto(struct.pack("!II", which, sent[which]) + bytes(64), (IN_B[4], 7000))
    threads = [threading.Thread(target=send, args=(which,)) for which in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield sent
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def busy(cpus):
    """Streams through the tunnel, from these CPUs. The messages that a sends, and how many datagrams came out of order."""
    anew()
    holds("ping", ping("a", IN_B[4]))
    tap = Tap("a", buffer=1 << 27, sent=True)
    sink = udp_socket("b")
    sink.setsockopt(socket.SOL_SOCKET, 33, 1 << 27)
    sink.bind((IN_B[4], 7000))
    all_cpus = os.sched_getaffinity(0)
    with stream(2, cpus) as sent:
        os.sched_setaffinity(0, cpus)
        iperf("-t2", "-P4")
        os.sched_setaffinity(0, all_cpus)
    time.sleep(0.5)
    sink.setblocking(False)
    last, late, got = [0] * len(sent), 0, 0
    while True:
        try:
            which, number = struct.unpack_from("!II", sink.recv(1000))
        except BlockingIOError:
            break
        late += number <= last[which]
        last[which] = number
        got += 1
    messages = [struct.unpack_from("<IQ", body, 4) for _, _, body in tap.messages(kinds=(DATA,))]
    tap.close()
    sink.close()
    note = f"{len(messages)} messages seen, {sum(sent)} datagrams sent, {got} received"
    check.note(note)
    holds(f"some traffic: {note}", len(messages) > 1000 and got > 300)
    # What is lost was dropped somewhere: a queue has its bound, but nothing of it stays behind.
    holds("the tunnel still works", ping("a", IN_B[4]) and ping("b", IN_A[4]))
    return messages, late


def order():
    # rows D11 X3 X6: however many CPUs send, counters leave in order. There may be gaps where a queue was full.
    messages, _ = busy({0, 1})
    equal("counters out of order", sum(1 for one, two in zip(messages, messages[1:])
                                       if one[0] == two[0] and two[1] <= one[1]), 0)
    # row X4: what comes in order, as from one CPU, is delivered in order, however many CPUs decrypt.
    _, late = busy({0})
    equal("datagrams out of order", late, 0)


# --- tunnels in tunnels

def nested():
    """row D16"""
    anew()
    holds("ping", ping("a", IN_B[4]))
    private = {where: os.urandom(32) for where in "ab"}
    for where in "ab":
        run(f"ip -n {where} link add wg1 mtu 1340 type wireguard")
        clients[where].set(name("wg1"), attr(Device.PRIVATE_KEY, private[where]),
                           u16_port(6000 if where == "a" else 6001))
    public = {where: clients[where].get("wg1")["public"] for where in "ab"}
    clients["a"].set(name("wg1"), peers(peer(public["b"], endpoint=sockaddr(IN_B[4], 6001), ips=["192.168.8.2/32"])))
    clients["b"].set(name("wg1"), peers(peer(public["a"], endpoint=sockaddr(IN_A[4], 6000), ips=["192.168.8.1/32"])))
    for where, address in (("a", "192.168.8.1/24"), ("b", "192.168.8.2/24")):
        run(f"ip -n {where} addr add {address} dev wg1")
        run(f"ip -n {where} link set wg1 up")
    holds("a tunnel in a tunnel", ping("a", "192.168.8.2", "-w", "5") and ping("b", "192.168.8.1", "-s", "4000"))
    # Onto itself: the endpoint is reached through the interface. It may not work, but it ends.
    clients["a"].set(name("wg1"), peers(peer(public["b"], endpoint=sockaddr("192.168.8.2", 6001))))
    ping("a", "192.168.8.2")
    time.sleep(1)
    sent = json.loads(run("ip -n a -s -j link show wg1"))[0]["stats64"]["tx"]["bytes"]
    time.sleep(1)
    grown = json.loads(run("ip -n a -s -j link show wg1"))[0]["stats64"]["tx"]["bytes"] - sent
    holds(f"a loop goes on: {grown} bytes in a second", grown < 70000)
    # Two tunnels, each through the other.
    clients["a"].set(WG0, peers(peer(key("b"), endpoint=sockaddr("192.168.8.2", PORT_B))))
    clients["a"].set(name("wg1"), peers(peer(public["b"], endpoint=sockaddr(IN_B[4], 6001))))
    ping("a", IN_B[4])
    time.sleep(0.5)
    for where in "ab":
        run(f"ip -n {where} link del wg1")
    anew()
    holds("the outer one still works", ping("a", IN_B[4]))


def u16_port(port):
    return attr(Device.LISTEN_PORT, struct.pack("=H", port))


check.main(headers, marks, local_failures, flows, inner_checksums, delivery, unreachable, too_big, staged, segments,
           order, nested)
