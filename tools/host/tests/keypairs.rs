// SPDX-License-Identifier: GPL-2.0

//! Rotation of sessions against the table of slots.

mod memory;

use std::{
    cell::RefCell,
    rc::Rc, //
};

use memory::{
    live,
    with_swap_hook,
    Host,
    Section,
    Shared, //
};
use proptest::prelude::*;
use wg_proto::{
    keypairs::{
        Keypairs,
        KeypairsWriter, //
    },
    memory::Reclaim,
};

type Session = u32;

/// What the slots should hold: previous, current, next.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Slots(Option<Session>, Option<Session>, Option<Session>);

fn seen(pairs: &Keypairs<Host, Session>) -> Slots {
    let section = Section::default();
    Slots(
        pairs.previous(&section).map(|session| *session),
        pairs.current(&section).map(|session| *session),
        pairs.next(&section).map(|session| *session),
    )
}

struct Pair {
    pairs: Rc<Keypairs<Host, Session>>,
    token: KeypairsWriter,
    count: Session,
}

impl Pair {
    fn new() -> Self {
        Self {
            pairs: Rc::default(),
            token: KeypairsWriter::new(),
            count: 0,
        }
    }

    fn session(&mut self) -> Shared<Session> {
        self.count += 1;
        Host::share(self.count, &mut ()).unwrap()
    }

    fn initiated(&mut self) -> Vec<Session> {
        let session = self.session();
        let retired = self.pairs.add_initiated(&mut self.token, session);
        retired.into_iter().map(|session| *session).collect()
    }

    fn answered(&mut self) -> Vec<Session> {
        let session = self.session();
        let retired = self.pairs.add_answered(&mut self.token, session);
        retired.into_iter().map(|session| *session).collect()
    }

    fn confirm(&mut self, session: &Session) -> Option<Vec<Session>> {
        let retired = self.pairs.confirm(&mut self.token, session)?;
        Some(retired.into_iter().map(|session| *session).collect())
    }

    fn confirm_next(&mut self) -> Option<Vec<Session>> {
        let pairs = self.pairs.clone();
        let section = Section::default();
        let next = Host::target(pairs.next(&section)?);
        assert!(pairs.is_next(next, &section));
        let retired = self.confirm(next);
        assert!(!pairs.is_next(next, &section));
        retired
    }

    fn slots(&self) -> Slots {
        seen(&self.pairs)
    }
}

#[test]
// rows S1 S5
fn an_initiator_sends_under_the_new_session_at_once() {
    let mut pair = Pair::new();
    assert_eq!(pair.initiated(), []);
    assert_eq!(pair.slots(), Slots(None, Some(1), None));
    assert_eq!(pair.initiated(), []);
    assert_eq!(pair.slots(), Slots(Some(1), Some(2), None));
    assert_eq!(pair.initiated(), [1]);
    assert_eq!(pair.slots(), Slots(Some(2), Some(3), None));
}

#[test]
// rows S2 S3
fn a_responder_waits_for_the_first_packet() {
    let mut pair = Pair::new();
    assert_eq!(pair.answered(), []);
    assert_eq!(pair.slots(), Slots(None, None, Some(1)));
    assert_eq!(pair.answered(), [1]);
    assert_eq!(pair.slots(), Slots(None, None, Some(2)));
    assert_eq!(pair.confirm_next(), Some(vec![]));
    assert_eq!(pair.slots(), Slots(None, Some(2), None));
    assert_eq!(pair.confirm_next(), None);
    assert_eq!(pair.initiated(), []);
    assert_eq!(pair.slots(), Slots(Some(2), Some(3), None));
    // A session derived as responder does away with the previous one.
    assert_eq!(pair.answered(), [2]);
    assert_eq!(pair.slots(), Slots(None, Some(3), Some(4)));
    assert_eq!(pair.confirm_next(), Some(vec![]));
    assert_eq!(pair.slots(), Slots(Some(3), Some(4), None));
}

#[test]
fn a_waiting_session_becomes_the_previous_one_of_an_initiated() {
    let mut pair = Pair::new();
    pair.initiated();
    pair.initiated();
    pair.answered();
    assert_eq!(pair.slots(), Slots(None, Some(2), Some(3)));
    assert_eq!(pair.initiated(), [2]);
    assert_eq!(pair.slots(), Slots(Some(3), Some(4), None));
}

#[test]
fn only_the_waiting_session_is_confirmed() {
    let mut pair = Pair::new();
    pair.initiated();
    pair.answered();
    let equal = 2;
    assert_eq!(pair.confirm(&equal), None);
    assert!(!pair.pairs.is_next(&equal, &Section::default()));
    assert_eq!(pair.slots(), Slots(None, Some(1), Some(2)));
}

#[derive(Clone, Debug)]
enum Op {
    Initiated,
    Answered,
    Confirm,
    Clear,
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    // row S4
    fn all_that_leaves_the_slots_is_told(ops in prop::collection::vec(prop_oneof![
        4 => Just(Op::Initiated), 4 => Just(Op::Answered), 4 => Just(Op::Confirm), 1 => Just(Op::Clear),
    ], 1..60)) {
        let mut pair = Pair::new();
        for op in ops {
            let before = pair.slots();
            let Slots(previous, current, next) = before;
            let views = Rc::new(RefCell::new(Vec::new()));
            let (pairs, hook_views) = (pair.pairs.clone(), views.clone());
            let (retired, after) = with_swap_hook(
                move || hook_views.borrow_mut().push(seen(&pairs)),
                || match op {
                    Op::Initiated => {
                        let retired = pair.initiated();
                        (retired, Slots(next.or(current), Some(pair.count), None))
                    }
                    Op::Answered => (pair.answered(), Slots(None, current, Some(pair.count))),
                    Op::Confirm if next.is_some() => (pair.confirm_next().unwrap(), Slots(current, next, None)),
                    Op::Confirm => {
                        assert_eq!(pair.confirm_next(), None);
                        (vec![], before)
                    }
                    Op::Clear => {
                        let pairs = pair.pairs.clone();
                        let retired = pairs.clear(&mut pair.token);
                        (retired.into_iter().map(|session| *session).collect(), Slots::default())
                    }
                },
            );
            prop_assert_eq!(pair.slots(), after);
            // There is always something to send under if there was and will be.
            if current.is_some() && after.1.is_some() {
                for view in views.borrow().iter() {
                    prop_assert!(view.1 == current || view.1 == after.1);
                }
            }
            let mut left: Vec<_> = [previous, current, next].into_iter().flatten().filter(|session| {
                ![after.0, after.1, after.2].contains(&Some(*session))
            }).collect();
            let mut retired = retired;
            left.sort_unstable();
            retired.sort_unstable();
            prop_assert_eq!(retired, left);
            prop_assert_eq!(live(), [after.0, after.1, after.2].into_iter().flatten().count());
        }
    }
}
