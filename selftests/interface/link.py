# SPDX-License-Identifier: GPL-2.0
"""What rtnetlink, sysfs and ethtool say about an interface (rows L of behaviour.tsv)."""

import ctypes
import errno
import json
import os
import re
import socket
import struct
import subprocess

from wgtest import check
from wgtest.check import equal, holds, run
from wgtest.genl import Client, Device, attr, name, nest, parse, peer, peers, sockaddr, u16, u32
from wgtest.links import Link, Links, info, refused

links = Links()


def fresh(ifname="wg0", more=""):
    if os.path.exists(f"/sys/class/net/{ifname}"):
        run(f"ip link del {ifname}")
    run(f"ip link add {ifname} {more} type wireguard")


def shown(ifname="wg0", where=None):
    """What ip tells, in detail."""
    space = f"-n {where} " if where else ""
    return json.loads(run(f"ip {space}-d -s -j link show {ifname}"))[0]


def sysfs(what, ifname="wg0"):
    with open(f"/sys/class/net/{ifname}/{what}", encoding="ascii") as file:
        return file.read().strip()


def fails(command, text):
    done = subprocess.run(command.split(), capture_output=True, text=True, check=False)
    holds(f"'{command}' is refused", done.returncode)
    holds(f"'{command}' says {text}, not {done.stderr.strip()}", text in done.stderr)


def kind():
    # row L1
    for number, data in enumerate((b"", b"junk that no driver reads", attr(1, bytes(300)))):
        links.add("wg1", data)
        told = dict(links.get("wg1"))
        equal(f"INFO_DATA {number}: link info", parse(told[Link.LINKINFO]), [(Link.INFO_KIND, b"wireguard\0")])
        # row L3
        holds("no namespace id", Link.NETNSID not in told)
        run("ip link del wg1")
    fresh()
    lines = [line.strip() for line in run("ip -d link show wg0").splitlines()]
    # The first word after those of the link itself; then come attributes of all links.
    equal("ip -d link", [line.split()[:2] for line in lines if "wireguard" in line], [["wireguard", "addrgenmode"]])
    # row L2
    index = int(sysfs("ifindex"))
    equal("change", refused(links.change, info(b""), index=index), "EOPNOTSUPP")
    equal("change, with data", refused(links.change, info(attr(1, bytes(4))), index=index), "EOPNOTSUPP")
    equal("another kind", refused(links.change, info(b"", b"dummy"), index=index), "EOPNOTSUPP")


def listeners(where, port):
    return run(f"ip netns exec {where} ss -Hlun sport = :{port}").count(str(port))


def namespaces():
    for one in ("one", "two"):
        run(f"ip netns add {one}")
    run("ip -n one netns set two 7")
    # row L4: in one, whose own sockets it has; for two, but made in one; in one, with its sockets
    # in two.
    for port, where, command in ((4001, "one", "ip -n one link add wg1 type wireguard"),
                                 (4002, "two", "ip -n one link add wg1 netns two type wireguard"),
                                 (4003, "one", "ip -n one link add wg1 link-netnsid 7 type wireguard")):
        run(command)
        client = Client(where)
        client.set(name("wg1"), u16(Device.LISTEN_PORT, port))
        run(f"ip -n {where} link set wg1 up")
        here, there = ("one", "two") if port != 4003 else ("two", "one")
        equal(f"{command}: sockets", (listeners(here, port), listeners(there, port)), (2, 0))
        # row L3
        holds(f"{command}: no namespace id", Link.NETNSID not in dict(Links(where).get("wg1")))
        client.close()
        run(f"ip -n {where} link del wg1")
    for one in ("one", "two"):
        run(f"ip netns del {one}")


def to_receive(count):
    """A count of receive queues as ip shows it; a kernel for one CPU shows none, for any link."""
    return count if "num_rx_queues" in shown("lo") else None


def shape():
    fresh()
    link = shown()
    # rows L6 L7
    equal("MTU", (link["mtu"], link["min_mtu"], link["max_mtu"]), (1420, 0, 2147483552))
    # row L8
    equal("type, length of addresses", (sysfs("type"), sysfs("addr_len"), sysfs("address")), ("65534", "0", ""))
    fails("ip link set wg0 address 02:00:00:00:00:01", "Operation not supported")
    # row L9
    equal("flags", sysfs("flags"), "0x90")
    run("ip link set wg0 up")
    equal("flags, up", sysfs("flags"), "0x91")
    run("ip link set wg0 multicast on")
    equal("flags, multicast", sysfs("flags"), "0x1091")
    # row U11
    equal("state", (sysfs("operstate"), sysfs("carrier"), shown()["operstate"]), ("unknown", "1", "UNKNOWN"))
    run("ip link set wg0 down")
    run("ip link set wg0 multicast off")
    # row L10
    equal("queueing", (link["qdisc"], link["txqlen"], link["num_tx_queues"], link.get("num_rx_queues")),
          ("noop", 1000, 1, to_receive(1)))
    run("ip link set wg0 up")
    equal("queueing, up", shown()["qdisc"], "noqueue")
    fresh(more="numtxqueues 3 numrxqueues 2")
    link = shown()
    equal("queues asked for", (link["num_tx_queues"], link.get("num_rx_queues")), (3, to_receive(2)))
    # row L12
    equal("sizes of GSO", [shown()[key] for key in ("tso_max_size", "gso_max_size", "gso_ipv4_max_size")],
          [524280, 65536, 65536])
    run("ip link set wg0 gso_max_size 200000 gso_ipv4_max_size 200000")
    equal("larger GSO", shown()["gso_max_size"], 200000)
    fails("ip link set wg0 gso_max_size 524281", "too big gso_max_size")
    # row L13
    told = dict(links.get("wg0"))
    equal("room for headers and tags",
          [struct.unpack("=H", told[key])[0] for key in (Link.HEADROOM, Link.TAILROOM)], [128, 32])
    # row L17
    holds("device type", "DEVTYPE=wireguard" in sysfs("uevent").splitlines())
    # row L18
    lines = dict(line.partition(": ")[::2] for line in run("ethtool -i wg0").splitlines())
    equal("ethtool -i", (lines["driver"], lines["version"]), ("wireguard", os.uname().release))
    rest = {key: value for key, value in lines.items() if key not in ("driver", "version")}
    for what in ("priv-flags", "statistics"):
        equal(f"{what} in ethtool -i", rest.pop(f"supports-{what}"), "no" if check.ON_C else "yes")
    equal("the rest of ethtool -i", set(rest.values()), {"", "no"})
    # row L25
    fails("bridge fdb add 02:00:00:00:00:01 dev wg0", "only supported for Ethernet")


# NETIF_F_HW_CSUM, RXCSUM, SG, GSO, HIGHDMA, and NETIF_F_GSO_SOFTWARE, by ethtool's names; what else
# is on comes from the core and is the same for all links.
OFFLOADS = {
    "tx-checksum-ip-generic", "rx-checksum", "tx-scatter-gather", "tx-generic-segmentation", "highdma",
    "tx-tcp-segmentation", "tx-tcp6-segmentation", "tx-tcp-ecn-segmentation", "tx-tcp-mangleid-segmentation",
    "tx-tcp-accecn-segmentation", "tx-sctp-segmentation", "tx-udp-segmentation", "tx-gso-list",
}
ABBREVIATED = {"rx-checksumming": "rx-checksum", "generic-segmentation-offload": "tx-generic-segmentation"}


def features():
    found = {}
    for line in run("ethtool -k wg0").splitlines()[1:]:
        key, _, value = line.strip().partition(": ")
        found[ABBREVIATED.get(key, key)] = value
    return found


def offloads():
    fresh()
    before = features()
    # row L11
    equal("on", {key: before.get(key) for key in OFFLOADS}, {key: "on" for key in OFFLOADS})
    run("ip link add other type dummy")
    for line in run("ethtool -k other").splitlines()[1:]:
        key, _, value = line.strip().partition(": ")
        if key not in OFFLOADS and value.endswith("[fixed]") and "vlan" in key:
            equal(f"{key}: as for other links", before[key], value)
    run("ip link del other")
    for key, command in (("tx-checksum-ip-generic", "tx-checksum-ip-generic"), ("rx-checksum", "rx-checksum"),
                         ("tx-tcp-segmentation", "tx-tcp-segmentation"), ("tx-udp-segmentation", "tx-udp-segmentation"),
                         ("highdma", "highdma"), ("tx-scatter-gather", "tx-scatter-gather")):
        run(f"ethtool -K wg0 {command} off")
        equal(f"{key} turned off", features()[key].split()[0], "off")
        run(f"ethtool -K wg0 {command} on")
    run("ethtool -K wg0 gso on tx-tcp-segmentation on tx-tcp6-segmentation on")
    equal("on again", features(), before)


def kernel_threads():
    """Names of kernel threads."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/comm", encoding="ascii", errors="replace") as file:
                found.append(file.read().strip())
        except OSError:
            pass
    return found


TRACING = "/sys/kernel/tracing"
QUEUED = f"{TRACING}/events/workqueue/workqueue_queue_work"


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def handshake_workers():
    """What kinds of workers the traced queues have had work for; a pool that is bound to no CPU has
    the number -1."""
    with open(f"{TRACING}/trace", encoding="ascii") as file:
        cpus = re.findall(r"workqueue_queue_work: .* cpu=(-?\d+)$", file.read(), re.MULTILINE)
    return {"unbound" if cpu == "-1" else "per CPU" for cpu in cpus}


def threads():
    """The script shows us all processes of the machine."""
    fresh("wg5")
    client = Client()
    before = [entry for entry in kernel_threads() if re.match(r"napi/|kworker/R-", entry)]
    # row L20
    rescuers = [entry for entry in before if entry.startswith("kworker/R-wg")]
    equal("rescuers", sorted(set(rescuers)), ["kworker/R-wg-crypt-wg0", "kworker/R-wg-crypt-wg5"])
    equal("rescuers of wg5", rescuers.count("kworker/R-wg-crypt-wg5"), 1)
    client.set(name("wg5"), peers(*(peer(bytes([n]) * 32) for n in range(1, 6))))
    run("ip link set wg5 up")
    after = [entry for entry in kernel_threads() if re.match(r"napi/|kworker/R-", entry)]
    # row L19
    if check.ON_C:
        equal("threads of five peers", len(after) - len(before), 5)
        equal("threaded", sysfs("threaded", "wg5"), "1")
    else:
        equal("threads of five peers", sorted(after), sorted(before))
        equal("threaded", sysfs("threaded", "wg5"), "0")
    run("ip link set wg5 down")
    run("ip link set wg5 name wg6")
    holds("the name stays", "kworker/R-wg-crypt-wg5" in kernel_threads())
    run("ip link del wg6")
    holds("gone with its interface", check.eventually(10, lambda: "kworker/R-wg-crypt-wg5" not in kernel_threads()))


def workers_for_handshakes():
    """row L20: of the two one is for what comes, the other for what is sent."""
    with open("/proc/filesystems", encoding="ascii") as file:
        if "tracefs" not in file.read().split():
            raise check.Skip("this kernel has no tracefs")
    fresh("wg5")
    client = Client()
    client.set(name("wg5"), u16(Device.LISTEN_PORT, 4004),
               peers(peer(bytes([1]) * 32, endpoint=sockaddr("127.0.0.1", 9), keepalive=1000)))
    run("ip link set wg5 name wg6")
    run("ip link set lo up")
    if not os.path.ismount(TRACING):
        run(f"mount -t tracefs tracefs {TRACING}")
    write(f"{QUEUED}/filter", 'workqueue == "wg-kex-wg5"')
    write(f"{QUEUED}/enable", "1")
    run("ip link set wg6 up")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.sendto(struct.pack("<I", 1) + bytes(144), ("127.0.0.1", 4004))
    check.eventually(10, lambda: len(handshake_workers()) == 2)
    write(f"{QUEUED}/enable", "0")
    equal("workers that wg-kex-wg5 has had work for", handshake_workers(), {"unbound", "per CPU"})
    run("ip link del wg6")


def error_of(send):
    try:
        send()
    except OSError as error:
        # 95 has two names.
        return "EOPNOTSUPP" if error.errno == errno.EOPNOTSUPP else errno.errorcode[error.errno]
    return "ok"


def packet_sockets():
    """row L15: a packet that is sent without a protocol gets it from its first byte."""
    fresh()
    client = Client()
    client.set(name("wg0"), peers(peer(b"k" * 32, ips=["10.0.0.0/8", "fd00::/8"])))
    run("ip link set wg0 up")
    four = bytes.fromhex("4500001400000000401100000a0000010a000002")
    six = bytes.fromhex("6000000000003b40") + bytes.fromhex("fd" + "00" * 15) * 2
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as raw:
        raw.bind(("wg0", 0))
        # There is a peer but no endpoint: this far only IP comes.
        equal("IPv4", error_of(lambda: raw.send(four)), "EDESTADDRREQ")
        equal("IPv6", error_of(lambda: raw.send(six)), "EDESTADDRREQ")
        equal("neither", error_of(lambda: raw.send(b"\x50" + four[1:])), "EPROTONOSUPPORT")
        # row L8: nothing is taken for a header of the link, which would not count for the MTU.
        equal("as long as the MTU", error_of(lambda: raw.send(four + bytes(1420 - 20))), "EDESTADDRREQ")
        equal("a byte more", error_of(lambda: raw.send(four + bytes(1420 - 19))), "EMSGSIZE")
    equal("errors of transmission", sysfs("statistics/tx_errors"), "4")


def statistics():
    """rows L16 L25: the core's own statistics, told alike everywhere."""
    link = shown()
    with open("/proc/net/dev", encoding="ascii") as file:
        fields = [line.split() for line in file if "wg0:" in line][0]
    # bytes packets errs drop fifo frame compressed multicast
    received, sent = [int(field) for field in fields[1:9]], [int(field) for field in fields[9:17]]
    stats = link["stats64"]
    equal("received", [stats["rx"][key] for key in ("bytes", "packets", "errors", "dropped")], received[:4])
    equal("sent", [stats["tx"][key] for key in ("bytes", "packets", "errors", "dropped")], sent[:4])
    equal("errors", stats["tx"]["errors"], 4)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        import fcntl  # pylint: disable=import-outside-toplevel
        request = struct.pack("16s24x", b"wg0")
        # SIOCDEVPRIVATE; SIOCADDMULTI needs an address list of the driver.
        equal("private ioctl", error_of(lambda: fcntl.ioctl(any_socket, 0x89f0, request)), "EOPNOTSUPP")


def bpf(instructions):
    """Loads an XDP program; its file descriptor."""
    code = ctypes.create_string_buffer(instructions)
    licence = ctypes.create_string_buffer(b"GPL")
    # prog_type XDP, insn_cnt, insns, license, log_level, log_size, log_buf, kern_version,
    # prog_flags, name
    union = ctypes.create_string_buffer(struct.pack(
        "=IIQQIIQII16s", 6, len(instructions) // 8, ctypes.addressof(code), ctypes.addressof(licence), 0, 0, 0, 0, 0,
        b"drop") + bytes(64))
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.syscall(321, 5, union, 72)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "bpf")
    return fd


def xdp():
    """In namespaces a and b the script has made a tunnel."""
    # r0 = XDP_DROP; exit
    drop = bpf(bytes.fromhex("b700000001000000" "9500000000000000"))
    inside = Links("b")

    def attach(fd, flags):
        return refused(inside.change, nest(Link.XDP, attr(Link.XDP_FD, struct.pack("=i", fd)), u32(Link.XDP_FLAGS, flags)),
                       name="wg0")

    def answered():
        return subprocess.run(["ip", "netns", "exec", "a", "ping", "-qc1", "-W1", "192.168.7.2"], check=False,
                              capture_output=True).returncode == 0
    holds("a ping before", answered())
    # row L23
    equal("in the driver", attach(drop, Link.XDP_FLAGS_DRV), "EOPNOTSUPP")
    holds("a ping after what was refused", answered())
    # row L22
    equal("generic", attach(drop, Link.XDP_FLAGS_SKB), "ok")
    holds("decrypted packets meet XDP", not answered())
    equal("off", attach(-1, Link.XDP_FLAGS_SKB), "ok")
    holds("a ping afterwards", answered())
    os.close(drop)


def masters():
    # row L22
    fresh()
    run("ip link add br0 type bridge")
    fails("ip link set wg0 master br0", "Invalid argument")
    run("ip link add vrf0 type vrf table 77")
    run("ip link set wg0 master vrf0")
    equal("master", shown()["master"], "vrf0")
    run("ip link set wg0 nomaster")
    for link in ("br0", "vrf0"):
        run(f"ip link del {link}")


check.main(kind, namespaces, shape, offloads, threads, workers_for_handshakes, packet_sockets, statistics, xdp,
           masters)
