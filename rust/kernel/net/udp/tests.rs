// SPDX-License-Identifier: GPL-2.0

//! Tests of the callbacks.

#[kernel::macros::kunit_tests(kext_udp)]
mod tests {
    use super::super::*;
    use crate::bindings::{
        init_net,
        sock_release, //
    };
    use crate::net::skb::SkBuff;
    use kernel::sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        rcu, //
    };

    /// Counts how often GRO asks it.
    struct Asked(Atomic<u32>);

    impl OnRewrite for Asked {
        fn rewritten(&self) -> bool {
            true
        }
    }

    impl EncapRcv for Asked {
        fn receive(&self, _datagrams: SkbList, _lost: usize, _bh: &Bh<'_>) {}

        fn may_gro(&self) -> bool {
            self.0.add(1, Relaxed);
            false
        }

        const HEADER_LEN: u32 = 1;

        fn key(_header: &[u8]) -> Option<u64> {
            None
        }
    }

    /// The callback of another tunnel.
    ///
    /// # Safety
    ///
    /// None.
    unsafe extern "C" fn other_gro_receive(
        _sk: *mut sock,
        _held: *mut list_head,
        _skb: *mut sk_buff,
    ) -> *mut sk_buff {
        null_mut()
    }

    /// How often the receiver is asked when GRO offers a packet for a socket with `gro_receive`.
    fn asked(gro_receive: bindings::udp_tunnel_gro_receive_t) -> Result<u32> {
        let shared = SkUserData::new(Asked(Atomic::new(0)));
        let mut socket = null_mut();
        let net = &raw mut init_net;
        let kind = sock_type_SOCK_DGRAM as c_int;
        // SAFETY: The initial namespace always exists.
        to_result(unsafe { sock_create_kern(net, AF_INET as c_int, kind, 0, &raw mut socket) })?;
        // SAFETY: The socket is open.
        let sk = unsafe { (*socket).sk };
        let mut setup = udp_tunnel_sock_cfg {
            sk_user_data: (&raw const shared).cast_mut().cast(),
            encap_type: 1,
            gro_receive,
            ..pin_init::zeroed()
        };
        // SAFETY: The socket is one of UDP in that namespace. It has no port, so no datagram comes
        // to it.
        unsafe { bindings::setup_udp_tunnel_sock(net, sk, &raw mut setup) };
        let skb = SkBuff::alloc(0, 64)?;
        // SAFETY: The initial namespace always exists.
        let dev = unsafe { (*net).loopback_dev };
        // SAFETY: The packet is ours, and that device exists as long as its namespace.
        unsafe { bindings::skb_set_dev(skb.as_raw(), dev) };
        let mut held: list_head = pin_init::zeroed();
        held.next = &raw mut held;
        held.prev = &raw mut held;
        let section = rcu::read_lock();
        // SAFETY: As C calls it: in an RCU section, with a packet that is not shared, and an empty
        // list. A new control block is zero.
        let passed =
            unsafe { Tunnel::<Asked>::gro_receive_callback(sk, &raw mut held, skb.as_raw()) };
        drop(section);
        assert!(passed.is_null());
        skb.consume();
        // SAFETY: The socket is open, and not used any more.
        unsafe { sock_release(socket) };
        Ok(shared.receiver.0.load(Relaxed))
    }

    #[test]
    fn gro_asks_the_receiver_of_its_own_socket_only() -> Result {
        assert_eq!(asked(Some(Tunnel::<Asked>::gro_receive_callback))?, 1);
        assert_eq!(asked(Some(other_gro_receive))?, 0);
        assert_eq!(asked(None)?, 0);
        Ok(())
    }
}
