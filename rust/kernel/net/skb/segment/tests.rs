// SPDX-License-Identifier: GPL-2.0

//! Tests that compare segments with those that `skb_segment()` makes.

#[kernel::macros::kunit_tests(kext_skb_segment)]
mod tests {
    use super::super::{
        super::{
            inet::{
                fold,
                sum, //
            },
            ip::IpVersion,
            tcp::{
                FIN,
                RST,
                SYN, //
            },
            Gso, //
        },
        *,
    };
    use crate::bindings::{
        SKB_GSO_DODGY,
        SKB_GSO_TCPV4,
        SKB_GSO_TCPV6,
        SKB_GSO_TCP_ECN,
        SKB_GSO_TCP_FIXEDID,
        SKB_GSO_UDP_L4, //
    };
    use crate::{
        context::Process,
        new_spinlock,
        sync::lock::SpinLock, //
    };

    const HEADROOM: usize = 64;
    const HEADER: usize = 16;
    const TRAILER: usize = 20;

    /// Returns the layout of datagrams in these tests.
    fn layout(pages: &SpinLock<PageRing>, may_gso: bool) -> Layout<'_, impl Fn(usize) -> usize> {
        Layout {
            headroom: 128,
            header: HEADER,
            trailer: |_| TRAILER,
            tailroom: 48,
            pages,
            gso_max: if may_gso { usize::MAX } else { 0 },
        }
    }

    /// Makes a TCP or UDP GSO packet with this many bytes of payload, for segments of `mss` bytes.
    fn packet(version: IpVersion, kind: i32, text: usize, mss: u16) -> Result<SkBuff> {
        let is_udp = kind & SKB_GSO_UDP_L4 != 0;
        // The TCP header has options.
        let (protocol, header_len, check_at) = if is_udp { (17, 8, 6) } else { (6, 32, 16) };
        let ip_len = version.header_len();
        let behind = header_len + text;
        let len = ip_len + behind;
        let mut packet = SkBuff::alloc(HEADROOM, len)?
            .into_linear(HEADROOM, len)
            .map_err(|_| ENOMEM)?;
        let bytes = packet.put(len).ok_or(EINVAL)?;
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = (i * 7 + i / 251) as u8;
        }
        let (ip, rest) = bytes.split_at_mut(ip_len);
        let behind_bytes = u16::try_from(behind).map_err(|_| EINVAL)?.to_be_bytes();
        let addresses = match version {
            IpVersion::V4 => {
                ip[0] = 0x45;
                // The identifications of the next segments overflow.
                ip[4..8].copy_from_slice(&[0xff, 0xfe, 0x40, 0]);
                ip[9] = protocol;
                12..20
            }
            IpVersion::V6 => {
                ip[..4].copy_from_slice(&[0x60, 0, 0, 0]);
                ip[4..6].copy_from_slice(&behind_bytes);
                ip[6] = protocol;
                8..40
            }
        };
        if is_udp {
            rest[4..6].copy_from_slice(&behind_bytes);
        } else {
            rest[4..8].copy_from_slice(&[0xff, 0xff, 0xff, 0x01]);
            rest[12] = 8 << 4;
            // CWR, ACK, PSH and FIN.
            rest[13] = 0x99;
        }
        // A checksum left to the device: so far the sum of the pseudo header.
        let pseudo = u64::from((behind as u32).to_be()) + u64::from(u32::from(protocol).to_be());
        let check = fold(sum(&ip[addresses]) + pseudo).map(|byte| !byte);
        rest[check_at..check_at + 2].copy_from_slice(&check);
        let mut skb = packet.into_skb();
        raw::reset_link_headers(skb.c_mut());
        raw::set_udp_gso(skb.c_mut(), mss, 2);
        raw::set_gso(skb.c_mut(), kind as u32, 2);
        raw::set_partial_checksum(skb.c_mut(), (HEADROOM + ip_len) as u16, check_at as u16);
        skb.c_mut().__bindgen_anon_2.tstamp = 12345;
        let headers = raw::headers_mut(skb.c_mut());
        headers.protocol = version.protocol();
        headers.transport_header = (HEADROOM + ip_len) as u16;
        Ok(skb)
    }

    /// Returns the segments that C makes of the same packet.
    fn reference(skb: SkBuff) -> Result<SkbList<Segmented>> {
        // SAFETY: A null device is allowed.
        unsafe { skb.segment_in_c(null_mut()) }
    }

    /// Takes the next segment that C has made, and checks that it has these bytes.
    fn is_next(theirs: &mut SkbList<Segmented>, bytes: &[u8]) -> Result {
        let theirs = theirs.pop_front().ok_or(EINVAL)?;
        assert!(theirs.as_skb().data_len() == 0);
        assert!(theirs.as_skb().head() == bytes);
        Ok(())
    }

    fn is_same(mut gso: Gso, theirs: &mut SkbList<Segmented>) -> Result {
        let mut slots = gso.slots();
        while let Some(mut slot) = slots.next() {
            let (header, rest) = slot.datagram().split_at(HEADER);
            let (packet, trailer) = rest.split_at(rest.len() - TRAILER);
            assert!(header == [0; HEADER] && trailer == [0; TRAILER]);
            is_next(theirs, packet)?;
        }
        Ok(())
    }

    fn compare(version: IpVersion, kind: i32, text: usize, mss: u16) -> Result {
        // SAFETY: Tests run in a thread of their own.
        let mut process = unsafe { Process::new() };
        let pages = KBox::pin_init(new_spinlock!(PageRing::new()), GFP_KERNEL)?;
        let bh = process.bh();
        let segs = text.div_ceil(usize::from(mss));
        for may_gso in [false, true] {
            let mut ours = packet(version, kind, text, mss)?;
            let ours = ours
                .segment_here(&layout(&pages, may_gso), &bh)
                .ok_or(EINVAL)?;
            let mut ours = ours?;
            let mut theirs = reference(packet(version, kind, text, mss)?)?;
            assert!(ours.segs() == segs && theirs.len() == segs);
            // The segments form as few packets as possible.
            assert!(!may_gso || ours.len() == 1 || segs > 64);
            assert!(may_gso || ours.len() == segs);
            while let Some(packet) = ours.pop_front() {
                // SAFETY: All members of the union are integers.
                assert!(unsafe { packet.as_skb().c().__bindgen_anon_2.tstamp } == 12345);
                assert!(raw::headers(packet.as_skb().c()).protocol == version.protocol());
                assert!(packet.as_skb().headroom() >= 128);
                match packet.into_gso() {
                    Ok(gso) => is_same(gso, &mut theirs)?,
                    Err(skb) => {
                        assert!(skb.data_len() == 0 && raw::tailroom(skb.c()) >= 48);
                        is_next(&mut theirs, skb.head())?;
                    }
                }
            }
            assert!(theirs.is_empty());
        }
        Ok(())
    }

    #[test]
    fn segments_are_those_that_the_stack_makes() -> Result {
        for (text, mss) in [
            (2, 1),
            (1001, 1000),
            (3000, 1000),
            (4001, 1333),
            (30_000, 1368),
            (60_000, 600),
        ] {
            compare(IpVersion::V4, SKB_GSO_TCPV4, text, mss)?;
            compare(IpVersion::V4, SKB_GSO_TCPV4 | SKB_GSO_TCP_ECN, text, mss)?;
            compare(
                IpVersion::V4,
                SKB_GSO_TCPV4 | SKB_GSO_TCP_FIXEDID,
                text,
                mss,
            )?;
            compare(IpVersion::V6, SKB_GSO_TCPV6, text, mss)?;
            compare(IpVersion::V4, SKB_GSO_UDP_L4, text, mss)?;
            compare(IpVersion::V6, SKB_GSO_UDP_L4, text, mss)?;
        }
        Ok(())
    }

    #[test]
    fn unusual_ones_are_left_to_the_stack() -> Result {
        // SAFETY: Tests run in a thread of their own.
        let mut process = unsafe { Process::new() };
        let pages = KBox::pin_init(new_spinlock!(PageRing::new()), GFP_KERNEL)?;
        let bh = process.bh();
        let is_left = |mut skb: SkBuff| skb.segment_here(&layout(&pages, false), &bh).is_none();
        for kind in [SKB_GSO_TCPV4 | SKB_GSO_DODGY, SKB_GSO_TCPV6] {
            assert!(is_left(packet(IpVersion::V4, kind, 3000, 1000)?));
        }
        assert!(is_left(packet(IpVersion::V4, SKB_GSO_TCPV4, 1000, 1000)?));
        for kind in [SKB_GSO_TCPV4, SKB_GSO_UDP_L4] {
            let usual = || packet(IpVersion::V4, kind, 3000, 1000);
            assert!(!is_left(usual()?));
            let mut with_options = usual()?;
            let first = with_options.c_mut().data;
            // SAFETY: A header starts there, and no other code has the packet.
            unsafe { first.write(0x46) };
            assert!(is_left(with_options));
            let mut tunnelled = usual()?;
            raw::headers_mut(tunnelled.c_mut()).set_encapsulation(1);
            assert!(is_left(tunnelled));
            let mut summed = usual()?;
            raw::headers_mut(summed.c_mut()).set_ip_summed(0);
            assert!(is_left(summed));
        }
        Ok(())
    }

    #[test]
    fn the_shape_of_gso_packets_stays() -> Result {
        for kind in [SKB_GSO_TCPV4, SKB_GSO_UDP_L4] {
            let mut skb = packet(IpVersion::V4, kind, 3000, 1000)?;
            let len = skb.len();
            assert!(skb.trim(len - 1) == Err(EINVAL));
            skb.trim(len)?;
            assert!(skb.strip_udp() == Err(EINVAL));
            let skb = skb.into_linear(0, 0).err().ok_or(EINVAL)?;
            let skb = skb.try_linear().err().ok_or(EINVAL)?;
            assert!(skb.len() == len && skb.is_gso());
        }
        Ok(())
    }

    /// Returns whether a segment with this many bytes of payload and these flags is a bare
    /// acknowledgement.
    fn is_bare(version: IpVersion, text: usize, flags: u8) -> Result<bool> {
        let mut skb = packet(version, 0, text, 1)?;
        let gso_size = core::mem::take(&mut raw::shared_info_mut(skb.c_mut()).gso_size);
        let mut skb = skb.into_linear(0, 0).map_err(|_| ENOMEM)?;
        let bytes = skb.bytes_mut();
        let len = bytes.len() as u16;
        if version == IpVersion::V4 {
            bytes[2..4].copy_from_slice(&len.to_be_bytes());
        }
        bytes[version.header_len() + 13] = flags;
        let mut skb = skb.into_skb();
        raw::shared_info_mut(skb.c_mut()).gso_size = gso_size;
        assert!(!skb.is_bare_ack());
        raw::shared_info_mut(skb.c_mut()).gso_size = 0;
        Ok(skb.is_bare_ack())
    }

    #[test]
    fn bare_acknowledgements_are_told_from_data() -> Result {
        for version in [IpVersion::V4, IpVersion::V6] {
            assert!(is_bare(version, 0, 0x10)?);
            // One with PSH, of which Linux makes none, acknowledges as well.
            assert!(is_bare(version, 0, 0x18)?);
            assert!(!is_bare(version, 1, 0x10)?);
            for ends in [FIN, SYN, RST] {
                assert!(!is_bare(version, 0, 0x10 | ends)?);
            }
            let mut udp = packet(version, SKB_GSO_UDP_L4, 0, 1)?;
            assert!(!udp.is_bare_ack());
            // An incomplete header.
            udp = packet(version, 0, 0, 1)?;
            raw::shared_info_mut(udp.c_mut()).gso_size = 0;
            udp.trim(version.header_len() + 4)?;
            assert!(!udp.is_bare_ack());
        }
        Ok(())
    }
}
