// SPDX-License-Identifier: GPL-2.0

//! Messages that were right at another time.

use wg_proto::{
    handshake::IncomingResponse,
    DropReason, //
};
use wg_soft::{
    Node,
    Soft, //
};

#[test]
fn a_timestamp_is_taken_once() {
    let (mut a, mut b) = Node::pair(19);
    let old = a.initiate().expect("an initiation");
    a.sleep(40);
    let new = a.initiate().expect("an initiation");
    b.consume_initiation(&new).expect("a new initiation");
    b.sleep(1_000);
    assert_eq!(
        b.consume_initiation(&new),
        Err(DropReason::ReplayedTimestamp)
    );
    assert_eq!(
        b.consume_initiation(&old),
        Err(DropReason::ReplayedTimestamp)
    );
    // Two within a quantum have different timestamps.
    a.wall.1 &= !((1 << 24) - 1);
    a.sleep(20);
    let one = a.initiate().expect("an initiation");
    a.wall.1 |= (1 << 24) - 1;
    let other = a.initiate().expect("an initiation");
    assert_eq!(b.consume_initiation(&one), Ok(()));
    b.sleep(1_000);
    assert_eq!(b.consume_initiation(&other), Ok(()));
    b.sleep(1_000);
    assert_eq!(
        b.consume_initiation(&one),
        Err(DropReason::ReplayedTimestamp)
    );
    // The greatest timestamp outlives the handshake.
    b.handshake.clear();
    assert_eq!(
        b.consume_initiation(&other),
        Err(DropReason::ReplayedTimestamp)
    );
    a.wall.1 += 1;
    a.sleep(0);
    let next = a.initiate().expect("an initiation");
    assert_eq!(b.consume_initiation(&next), Ok(()));
}

#[test]
// row H10
fn a_clock_that_went_back_holds_nothing_up() {
    let (mut a, mut b) = Node::pair(20);
    let first = a.initiate().expect("an initiation");
    assert_eq!(b.consume_initiation(&first), Ok(()));
    for step in [-3_600, 0, 1_800, 1_800, 3_600] {
        a.wall.0 += step;
        a.sleep(1_000);
        b.sleep(1_000);
        let message = a.initiate().expect("an initiation");
        assert_eq!(b.consume_initiation(&message), Ok(()));
        b.sleep(1_000);
        assert_eq!(
            b.consume_initiation(&message),
            Err(DropReason::ReplayedTimestamp)
        );
    }
}

#[test]
// rows K9 H6
fn initiations_are_taken_every_twenty_milliseconds() {
    let (mut a, mut b) = Node::pair(21);
    let mut next = || {
        a.sleep(1_000);
        a.initiate().expect("an initiation")
    };
    assert_eq!(b.consume_initiation(&next()), Ok(()));
    assert_eq!(b.consume_initiation(&next()), Err(DropReason::Flood));
    b.now += 19_999_999;
    let late = next();
    assert_eq!(b.consume_initiation(&late), Err(DropReason::Flood));
    b.now += 1;
    // One that was refused for this may come again.
    assert_eq!(b.consume_initiation(&late), Ok(()));
    // Right after boot nothing was taken yet.
    let (mut a, mut b) = Node::pair(22);
    b.now = 0;
    let first = a.initiate().expect("an initiation");
    assert_eq!(b.consume_initiation(&first), Ok(()));
}

#[test]
fn a_response_to_a_replaced_initiation_is_refused() {
    // The remote answers the old initiation; meanwhile there is a new one.
    let (mut a, mut b) = Node::pair(23);
    let old = a.initiate().expect("an initiation");
    b.consume_initiation(&old).expect("a new initiation");
    let answer = b.respond().expect("a response");

    // The response was found right while the handshake still was the old one.
    let mut work = IncomingResponse::new();
    let authentic = work
        .snapshot(&a.handshake)
        .and_then(|expected| expected.authenticate::<Soft>(&a.identity, &answer))
        .expect("an authentic response");
    a.sleep(6_000);
    // The state is the same again, and so is the index.
    a.index -= 1;
    let new = a.initiate().expect("an initiation");
    assert_eq!(new.sender(), old.sender());
    assert_eq!(
        authentic.commit::<Soft>(&mut a.handshake),
        Err(DropReason::Superseded)
    );
    assert_eq!(a.begin(), Err(DropReason::WrongState));

    // Nor is it right for the new one.
    assert_eq!(a.consume_response(&answer), Err(DropReason::BadResponse));
    // The new one goes on undisturbed.
    b.sleep(6_000);
    b.consume_initiation(&new).expect("a new initiation");
    let answer = b.respond().expect("a response");
    assert_eq!(a.consume_response(&answer), Ok(()));
    assert_eq!(a.begin(), Ok(()));
    a.agree(&b);
}

#[test]
fn a_response_is_refused_in_every_other_state() {
    let (mut a, mut b) = Node::pair(24);
    let first = a.initiate().expect("an initiation");
    b.consume_initiation(&first).expect("a new initiation");
    let answer = b.respond().expect("a response");

    // Twice.
    let (mut one, mut two) = (IncomingResponse::new(), IncomingResponse::new());
    let one = one
        .snapshot(&a.handshake)
        .and_then(|expected| expected.authenticate::<Soft>(&a.identity, &answer))
        .expect("an authentic response");
    let two = two
        .snapshot(&a.handshake)
        .and_then(|expected| expected.authenticate::<Soft>(&a.identity, &answer))
        .expect("an authentic response");
    assert_eq!(one.commit::<Soft>(&mut a.handshake), Ok(()));
    assert_eq!(
        two.commit::<Soft>(&mut a.handshake),
        Err(DropReason::Superseded)
    );
    assert_eq!(a.consume_response(&answer), Err(DropReason::WrongState));
    assert_eq!(a.begin(), Ok(()));
    assert_eq!(a.begin(), Err(DropReason::WrongState));
    // After the session began the index is no handshake's.
    assert_eq!(
        a.consume_response(&answer),
        Err(DropReason::UnknownHandshake)
    );
    let mut work = IncomingResponse::new();
    assert_eq!(
        work.snapshot(&a.handshake).err(),
        Some(DropReason::WrongState)
    );

    // After an initiation of the remote, and after our response to it.
    let (mut a, mut b) = Node::pair(25);
    let ours = a.initiate().expect("an initiation");
    b.consume_initiation(&ours).expect("a new initiation");
    let answer = b.respond().expect("a response");
    b.sleep(25);
    let theirs = b.initiate().expect("an initiation");
    a.consume_initiation(&theirs).expect("a new initiation");
    assert_eq!(a.consume_response(&answer), Err(DropReason::WrongState));
    a.respond().expect("a response");
    assert_eq!(
        a.consume_response(&answer),
        Err(DropReason::UnknownHandshake)
    );
}

#[test]
fn initiations_that_cross_end_in_a_session() {
    let (mut a, mut b) = Node::pair(27);
    let from_a = a.initiate().expect("an initiation");
    let from_b = b.initiate().expect("an initiation");
    a.consume_initiation(&from_b).expect("a new initiation");
    b.consume_initiation(&from_a).expect("a new initiation");
    let to_b = a.respond().expect("a response");
    let to_a = b.respond().expect("a response");
    // Both gave their own up, so neither response is expected; both are responders, and the next
    // initiation of either settles it.
    assert_eq!(b.consume_response(&to_b), Err(DropReason::UnknownHandshake));
    assert_eq!(a.consume_response(&to_a), Err(DropReason::UnknownHandshake));
    a.sleep(5_100);
    b.sleep(5_100);
    a.shake(&mut b);
    a.agree(&b);
}
