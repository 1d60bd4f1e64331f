//! Elections by hand and under random events.

use std::time::Duration;

use dataflow::time::{Instant, WallTime};
use proptest::prelude::*;

use super::*;

fn claim(term: u64, address: &str) -> Claim {
    let (incarnation, process) = ("i".to_owned(), "pid 7".to_owned());
    Claim {
        term,
        incarnation,
        address: address.to_owned(),
        process,
        at: WallTime(0),
    }
}

fn at(ms: u64) -> Instant {
    Instant::from_start(Duration::from_millis(ms))
}

#[test]
fn a_new_folder_is_claimed_at_once() {
    let (mut election, _) = Election::begin();
    assert_eq!(
        election.on(Event::Probed(None, Lock::None), at(0)),
        Some(Action::Create(1))
    );
    assert_eq!(election.on(Event::Created, at(0)), Some(Action::Lead(1)));
}

#[test]
fn a_lock_that_is_free_proves_that_its_owner_is_gone() {
    let (mut election, _) = Election::begin();
    assert_eq!(
        election.on(Event::Probed(Some(claim(4, "127.0.0.1:1")), Lock::Ours), at(0)),
        Some(Action::Create(5))
    );
}

#[test]
fn a_living_leader_is_not_disturbed() {
    let (mut election, _) = Election::begin();
    let living = claim(4, "127.0.0.1:1");
    assert_eq!(
        election.on(Event::Probed(Some(living.clone()), Lock::None), at(0)),
        Some(Action::Dial(living.clone()))
    );
    assert_eq!(
        election.on(Event::Dialed(Answer::Lives), at(0)),
        Some(Action::Refuse(None))
    );
    let (mut election, _) = Election::begin();
    let refused = election.on(Event::Probed(Some(living.clone()), Lock::Theirs), at(0));
    assert_eq!(refused, Some(Action::Refuse(Some(living))));
}

#[test]
fn a_silent_leader_keeps_its_lease() {
    let (mut election, _) = Election::begin();
    election.on(Event::Probed(Some(claim(4, "127.0.0.1:1")), Lock::None), at(0));
    assert_eq!(
        election.on(Event::Dialed(Answer::Silent), at(0)),
        Some(Action::WaitUntil(at(10_000)))
    );
    assert_eq!(election.on(Event::Tick, at(9_999)), None);
    assert_eq!(election.on(Event::Tick, at(10_000)), Some(Action::Create(5)));
    assert_eq!(election.on(Event::Exists, at(10_000)), Some(Action::Probe));
}

fn event() -> impl Strategy<Value = Event> {
    let lock = prop::sample::select(vec![Lock::Ours, Lock::Theirs, Lock::None]);
    let answer = prop::sample::select(vec![Answer::Lives, Answer::Gone, Answer::Silent]);
    prop_oneof![
        (prop::option::of(0..5_u64), lock)
            .prop_map(|(term, lock)| Event::Probed(term.map(|term| claim(term, "a:1")), lock)),
        answer.prop_map(Event::Dialed),
        Just(Event::Created),
        Just(Event::Exists),
        Just(Event::Tick),
    ]
}

proptest! {
    #[test]
    fn nobody_leads_a_term_that_it_has_not_created(events in prop::collection::vec((event(), 0..20_000_u64), 0..40)) {
        let (mut election, _) = Election::begin();
        let (mut now, mut creating) = (0, None);
        for (event, wait) in events {
            now += wait;
            let created = event == Event::Created;
            match election.on(event, at(now)) {
                Some(Action::Lead(term)) => prop_assert!(created && creating == Some(term)),
                Some(Action::Create(term)) => {
                    prop_assert!(term > 0);
                    creating = Some(term);
                }
                Some(Action::Probe) => creating = None,
                Some(Action::Dial(_) | Action::WaitUntil(_) | Action::Refuse(_)) | None => {}
            }
        }
    }
}
