// SPDX-License-Identifier: GPL-2.0

//! Limits of a session, to the nanosecond.

use wg_proto::session::{
    has_expired,
    long_ago,
    may_initiate,
    Lifetime,
    REKEY_AFTER_MESSAGES, //
};

const SECOND: u64 = 1_000_000_000;

#[test]
fn ages_expire_exactly() {
    for (birth, seconds) in [(0, 5), (17, 120), (123 * SECOND, 180)] {
        let end = birth + seconds * SECOND;
        assert!(!has_expired(birth, seconds, end - 1));
        assert!(has_expired(birth, seconds, end));
    }
    assert!(!has_expired(5 * SECOND, 1, 0));
}

#[test]
fn a_first_initiation_may_be_sent_right_after_boot() {
    for now in [0, 1, 3 * SECOND, 100 * SECOND] {
        assert!(may_initiate(long_ago(now), now));
        // With room for two clocks that are not read at the same time.
        assert!(may_initiate(long_ago(now), now.wrapping_sub(SECOND / 2)));
        assert!(!may_initiate(now, now));
        assert!(!may_initiate(now, now + 5 * SECOND - 1));
        assert!(may_initiate(now, now + 5 * SECOND));
    }
}

#[test]
// rows T10 K2
fn only_initiators_rekey_by_age() {
    let (initiator, responder) = (true, false);
    let lifetime = |initiator| Lifetime {
        birth: 9,
        initiator,
    };
    let at = |seconds: u64| 9 + seconds * SECOND;
    assert!(!lifetime(initiator).rekeys_on_send(5, at(120) - 1));
    assert!(lifetime(initiator).rekeys_on_send(5, at(120)));
    assert!(!lifetime(responder).rekeys_on_send(5, at(179)));
    assert!(!lifetime(initiator).rekeys_on_receive(at(165) - 1));
    assert!(lifetime(initiator).rekeys_on_receive(at(165)));
    assert!(!lifetime(responder).rekeys_on_receive(at(179)));
    for role in [initiator, responder] {
        assert!(!lifetime(role).rekeys_on_send(REKEY_AFTER_MESSAGES, at(1)));
        assert!(lifetime(role).rekeys_on_send(REKEY_AFTER_MESSAGES + 1, at(1)));
        assert!(!lifetime(role).is_expired(at(180) - 1));
        assert!(lifetime(role).is_expired(at(180)));
    }
}
