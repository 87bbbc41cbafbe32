// SPDX-License-Identifier: GPL-2.0

//! Which GSO packets may leave by a route.
//!
//! Some queueing disciplines segment GSO packets at enqueue. That returns the memory to a TCP
//! socket at once (`__udp_gso_segment()` passes the owner on only with `sock_wfree()`), so TCP
//! small queues do not hold the sender back. The same happens where the stack segments in front of
//! a queue: it fragments datagrams longer than the MTU, and a device without a queue may lie on one
//! that has. With a discipline that does not segment, a small packet waits behind a whole large
//! one. Programs and rules of traffic control see one packet instead of many, and some refuse it,
//! also at the far end of a veth pair. Tunnels lose it: where a tunnel leaves by another tunnel's
//! device that has `tx-gso-partial` on, the kernel segments a UDP GSO packet twice and no datagram
//! arrives, with a `UDP_SEGMENT` socket too. The second device cannot be seen from the first one's
//! route.
//!
//! A GSO packet that `skb_segment()` segments right below the socket takes some 5 % more
//! instructions than its datagrams would one by one; of UDP also as much CPU time or more, of TCP
//! some 3 % less. It always pays where the device segments the packet, and where rules of netfilter
//! would look at each datagram.

use super::Dst;
use crate::{
    bindings,
    compat::casts::u32_as_usize,
    context::Bh,
    net::{
        device::Operations,
        skb::gso::{
            MAX_BYTES,
            MAX_SEGS, //
        },
        tc, //
    },
};
use bindings::{
    net_device,
    netdev_nested_priv, //
};
use kernel::ffi::{
    c_char,
    c_int, //
};

/// Returns the first bytes of the name of a queueing discipline or a kind of device.
const fn id(name: &[u8]) -> [u8; 8] {
    let mut id = [0; 8];
    let mut i = 0;
    while i < name.len() && i < id.len() {
        id[i] = name[i];
        i += 1;
    }
    id
}

/// The queueing disciplines that pass a GSO packet on as it is, and for which it counts as one of
/// many: their limits are in packets, or far above the 64 kB of one. With several queues, mq and
/// mqprio have one of these for each.
///
/// Not among them are those that segment at enqueue (`skb_gso_segment()` in `net/sched`) or limit a
/// rate, those whose classes may hold such ones, those with small limits in bytes, and netem, which
/// stands for a line: it delays, drops, doubles and counts packets.
const QUEUES: [[u8; 8]; 12] = [
    id(b"noqueue"),
    id(b"noop"),
    id(b"pfifo"),
    id(b"pfifo_fast"),
    id(b"fq"),
    id(b"fq_codel"),
    id(b"codel"),
    id(b"fq_pie"),
    id(b"pie"),
    id(b"sfq"),
    id(b"mq"),
    id(b"mqprio"),
];

/// The kinds of devices (`rtnl_link_ops.kind`) that hand a GSO packet on as a card does. Most cards
/// have no kind. The driver names its own.
///
/// Not among them are tunnels, xfrm interfaces and others that put a header of their own in front
/// and segment for that, netkit with its own programs, and switches (openvswitch) with rules that
/// only their driver knows.
const KINDS: [[u8; 8]; 12] = [
    id(b"veth"),
    id(b"bridge"),
    id(b"bond"),
    id(b"team"),
    id(b"vlan"),
    id(b"macvlan"),
    id(b"macvtap"),
    id(b"ipvlan"),
    id(b"ipvtap"),
    id(b"vrf"),
    id(b"tun"),
    id(b"dummy"),
];

/// Returns the first bytes of a string, padded with zeros.
///
/// # Safety
///
/// `text` must point to a string that does not change during the call.
unsafe fn start_of(text: *const c_char) -> [u8; 8] {
    let mut start = [0; 8];
    for (i, byte) in start.iter_mut().enumerate() {
        // SAFETY: By the requirements: the end has not been met yet.
        let at = unsafe { text.add(i) };
        // SAFETY: As above.
        *byte = unsafe { at.cast::<u8>().read() };
        if *byte == 0 {
            break;
        }
    }
    start
}

/// Returns the first bytes of a device's kind (`rtnl_link_ops.kind`). A card has none.
///
/// # Safety
///
/// `dev` must be valid, within an RCU section.
unsafe fn kind(dev: *mut net_device) -> Option<[u8; 8]> {
    // SAFETY: By the requirements. The field is set before the device is registered.
    let ops = unsafe { (*dev).rtnl_link_ops };
    if ops.is_null() {
        return None;
    }
    // SAFETY: The operations of a registered device stay for as long as it does.
    let kind = unsafe { (*ops).kind };
    if kind.is_null() {
        return None;
    }
    // SAFETY: As above; it is a constant string.
    Some(unsafe { start_of(kind) })
}

/// Returns whether traffic control has programs or rules for what comes out of the far end of a
/// pair of devices.
///
/// # Safety
///
/// `dev` must be valid, within an RCU section with bottom halves off.
unsafe fn has_rules_at_far_end(dev: *mut net_device) -> bool {
    // SAFETY: By the requirements. The field is set before the device is registered.
    let ops = unsafe { (*dev).netdev_ops };
    // SAFETY: As above: each device has operations, which stay for as long as it does.
    let Some(far_end_of) = (unsafe { (*ops).ndo_get_peer_dev }) else {
        return false;
    };
    // SAFETY: As above.
    let far_end = unsafe { far_end_of(dev) };
    // SAFETY: The far end exists for as long as the RCU section lasts.
    !far_end.is_null() && unsafe { tc::has_ingress(far_end) }
}

/// Returns the first bytes of the names of the queueing disciplines that a device sends through:
/// with several queues (mq, mqprio), each has one. What follows the end of a name is zero.
///
/// # Safety
///
/// `dev` must be valid, within an RCU section with bottom halves off, which the iterator must not
/// outlive.
unsafe fn disciplines(dev: *mut net_device) -> impl Iterator<Item = [u8; 8]> {
    // SAFETY: By the requirements.
    let count = unsafe { &raw const (*dev).real_num_tx_queues };
    // SAFETY: As above; other CPUs may change the field.
    let count = unsafe { count.read_volatile() };
    (0..count).map(move |queue| {
        // SAFETY: By the requirements; a queue always has a discipline.
        let name = unsafe { bindings::dev_qdisc_id(dev, queue) };
        // SAFETY: The name has 16 bytes. It is part of the operations, which exist for as long as
        // the section lasts.
        unsafe { name.cast::<[u8; 8]>().read() }
    })
}

/// Returns whether a device should get datagrams one at a time. It should unless all of its
/// queueing disciplines and its kind are known to treat a GSO packet as they would treat the
/// datagrams. It also should if traffic control has programs or rules for what it sends or the far
/// end of a pair receives, if raw sockets of this machine read its packets, as on loopback, or if
/// it has queues of its own below segmentation, as mac80211 devices have.
///
/// `own` is the kind of the driver's own devices.
///
/// # Safety
///
/// `dev` must be valid, within an RCU section with bottom halves off.
unsafe fn wants_singles(dev: *mut net_device, own: [u8; 8]) -> bool {
    // SAFETY: By the requirements.
    if unsafe { (*dev).flags } & bindings::net_device_flags_IFF_LOOPBACK != 0 {
        return true;
    }
    // SAFETY: By the requirements.
    let kind = unsafe { kind(dev) };
    if kind.is_some_and(|kind| kind != own && !KINDS.contains(&kind)) {
        return true;
    }
    #[cfg(CONFIG_CFG80211)]
    // SAFETY: By the requirements. The field is set before the device is registered.
    if !unsafe { (*dev).ieee80211_ptr }.is_null() {
        return true;
    }
    // SAFETY: By the requirements.
    let has_egress = unsafe { tc::has_egress(dev) };
    // SAFETY: By the requirements.
    if has_egress || unsafe { has_rules_at_far_end(dev) } {
        return true;
    }
    // SAFETY: By the requirements.
    !unsafe { disciplines(dev) }.all(|name| QUEUES.contains(&name))
}

/// Returns whether GSO packets that a device does not segment itself are cut in front of another
/// queue. What waits there does not count for its socket any more, so TCP small queues do not hold
/// the sender back.
///
/// # Safety
///
/// `dev` must be valid, within an RCU section with bottom halves off.
unsafe fn is_cut_above_queue(dev: *mut net_device, has_lower: bool) -> bool {
    // SAFETY: By the requirements.
    let is_ppp = u32::from(unsafe { (*dev).type_ }) == bindings::ARPHRD_PPP;
    // SAFETY: By the requirements.
    let is_veth = unsafe { kind(dev) } == Some(id(b"veth"));
    // SAFETY: By the requirements.
    let has_no_queue = unsafe { disciplines(dev) }.all(|name| name == id(b"noqueue"));
    has_lower || is_ppp || has_no_queue && !is_veth
}

/// Returns whether a device segments all UDP GSO packets of this crate, or passes them on, as a
/// VLAN or a bridge does (`netif_skb_features()`).
///
/// # Safety
///
/// `dev` must be valid.
unsafe fn segments_udp(dev: *mut net_device) -> bool {
    // SAFETY: By the requirements.
    let features = unsafe { &raw const (*dev).features };
    // SAFETY: As above; other CPUs may change the field.
    let features = unsafe { features.read_volatile() };
    // SAFETY: As above.
    let max_segs = unsafe { &raw const (*dev).gso_max_segs };
    // SAFETY: As above.
    let max_segs = usize::from(unsafe { max_segs.read_volatile() });
    // SAFETY: As above.
    let max4 = unsafe { &raw const (*dev).gso_ipv4_max_size };
    // SAFETY: As above.
    let max6 = unsafe { &raw const (*dev).gso_max_size };
    // SAFETY: As above.
    let max4 = unsafe { max4.read_volatile() };
    // SAFETY: As above.
    let max6 = unsafe { max6.read_volatile() };
    features & bindings::CONST_NETIF_F_GSO_UDP_L4 != 0
        && max_segs >= MAX_SEGS
        && u32_as_usize(max4.min(max6)) > MAX_BYTES
}

/// Returns whether netfilter has hooks for packets that this machine sends (LOCAL_OUT), in the
/// namespace of a device.
///
/// Those of POST_ROUTING do not count: security modules have some there without any rules. SELinux
/// and Smack have some at LOCAL_OUT too, so with these the answer is always yes.
///
/// # Safety
///
/// `dev` must be valid, within an RCU section.
#[cfg(CONFIG_NETFILTER)]
unsafe fn has_local_out(dev: *mut net_device) -> bool {
    const LOCAL_OUT: usize = bindings::nf_inet_hooks_NF_INET_LOCAL_OUT as usize;
    // SAFETY: By the requirements. A namespace that its devices leave exists for a grace period
    // more.
    let net = unsafe { &raw const (*dev).nd_net.net };
    // SAFETY: As above; the field changes with the namespace.
    let net = unsafe { net.read_volatile() };
    // SAFETY: As above.
    let hooks4 = unsafe { &raw const (*net).nf.hooks_ipv4[LOCAL_OUT] };
    // SAFETY: As above.
    let hooks6 = unsafe { &raw const (*net).nf.hooks_ipv6[LOCAL_OUT] };
    [hooks4, hooks6].into_iter().any(|hooks| {
        // SAFETY: As above; other CPUs may change the pointer, which this only compares.
        !unsafe { hooks.read_volatile() }.is_null()
    })
}

/// # Safety
///
/// None.
#[cfg(not(CONFIG_NETFILTER))]
unsafe fn has_local_out(_dev: *mut net_device) -> bool {
    false
}

/// # Safety
///
/// Only for `netdev_walk_all_lower_dev_rcu()`, as in [`Dst::gso`].
unsafe extern "C" fn visit(dev: *mut net_device, private: *mut netdev_nested_priv) -> c_int {
    // SAFETY: By the requirements it is the value there. Its flags say that there is a device.
    unsafe { (*private).flags = 1 };
    // SAFETY: As above.
    let own = unsafe { (*private).data }.cast::<[u8; 8]>();
    // SAFETY: As above: the data is the kind of the driver's own devices.
    let own = unsafe { own.read() };
    // SAFETY: By the requirements.
    unsafe { wants_singles(dev, own) }.into()
}

/// Which UDP GSO packets should use a route, judging by its devices and rules.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum RouteGso {
    /// None: send datagrams one at a time.
    None,
    /// GSO packets made of one TCP packet's segments. The stack would only cut others again.
    TcpOnly,
    /// All: the device segments them itself, or rules see each packet before it is segmented.
    All,
}

impl Dst {
    /// Returns which UDP GSO packets of a device whose driver is `T` should use the route.
    pub(super) fn gso<T: Operations>(&self, bh: &Bh<'_>) -> RouteGso {
        let Some(entry) = self.get(bh) else {
            return RouteGso::TcpOnly;
        };
        let mut own = const { id(T::KIND.to_bytes()) };
        // `bpf_lwt_push_encap()` refuses them.
        // SAFETY: Valid by the type invariants.
        let has_lwtstate = unsafe { bindings::dst_has_lwtstate(entry) };
        // `udp_send_skb()` makes no GSO packets for IPsec.
        // SAFETY: As above.
        let has_xfrm = unsafe { bindings::dst_has_xfrm(entry) };
        if has_lwtstate || has_xfrm {
            return RouteGso::None;
        }
        let _rcu = kernel::sync::rcu::read_lock();
        // SAFETY: As above.
        let dev = unsafe { bindings::dst_dev(entry) };
        // SAFETY: An entry always has a device, which exists for as long as this RCU section lasts.
        if unsafe { wants_singles(dev, own) } {
            return RouteGso::None;
        }
        // What leaves by a member of a VRF goes through the queue of the VRF first.
        // SAFETY: As above.
        let master = unsafe { bindings::l3mdev_master_dev_rcu(dev) };
        // SAFETY: As above.
        if !master.is_null() && unsafe { wants_singles(master, own) } {
            return RouteGso::None;
        }
        // A VLAN, a bond or a bridge has no queue: the device below it has.
        let mut private = netdev_nested_priv {
            flags: 0,
            data: (&raw mut own).cast(),
        };
        // SAFETY: As above. The function looks at the devices only.
        let below =
            unsafe { bindings::netdev_walk_all_lower_dev_rcu(dev, Some(visit), &raw mut private) };
        if below != 0 {
            return RouteGso::None;
        }
        // SAFETY: As above.
        let is_cut_below = unsafe { segments_udp(dev) };
        // SAFETY: As above.
        if !is_cut_below && unsafe { is_cut_above_queue(dev, private.flags != 0) } {
            return RouteGso::None;
        }
        // SAFETY: As above.
        if is_cut_below || unsafe { has_local_out(dev) } {
            RouteGso::All
        } else {
            RouteGso::TcpOnly
        }
    }
}
