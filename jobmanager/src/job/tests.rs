//! A job's life by hand and under random events.

use std::time::Duration;

use dataflow::Failure;
use dataflow::time::Instant;
use planner::job::Restart;
use proptest::prelude::*;

use super::life::{Action, End, Event, Life};
use crate::checkpoint::Purpose;
use crate::recover::RestartPolicy;
use crate::rest::types::State;

fn at(ms: u64) -> Instant {
    Instant::from_start(Duration::from_millis(ms))
}

fn life() -> Life {
    Life::new(RestartPolicy::new(
        Restart::Fixed {
            attempts: 3,
            delay: Duration::from_millis(100),
        },
        1,
    ))
}

fn running() -> Life {
    let mut life = life();
    assert_eq!(life.on(Event::Start, at(0)), [Action::Place]);
    assert_eq!(life.on(Event::Placed, at(0)), [Action::Deploy]);
    assert_eq!(life.on(Event::AllRunning, at(0)), [Action::Arm]);
    assert_eq!(life.state(), State::Running);
    life
}

#[test]
fn all_input_read_and_committed_is_finished() {
    let mut life = running();
    assert_eq!(life.on(Event::AllEnded, at(1)), []);
    assert_eq!(life.state(), State::Finishing);
    assert!(matches!(
        life.on(Event::Committed(Purpose::Final), at(2))[..],
        [Action::TakeDown(_)]
    ));
    assert_eq!(life.on(Event::Gone, at(3)), [Action::Conclude(End::Finished)]);
}

#[test]
fn a_failure_that_may_pass_restarts_after_all_are_gone_and_the_delay_is_over() {
    let mut life = running();
    let actions = life.on(Event::Failed(Failure::retry("task manager tm-1 is gone")), at(10));
    assert!(matches!(&actions[..], [Action::Answered(_, answer), Action::TakeDown(_)] if answer.contains("restart 1")));
    assert_eq!(life.state(), State::Restarting);
    assert_eq!(life.on(Event::Gone, at(20)), []);
    assert_eq!(life.deadline(), Some(at(110)));
    assert_eq!(life.on(Event::Tick, at(109)), []);
    assert_eq!(life.on(Event::Tick, at(110)), [Action::Place]);
}

#[test]
fn subtasks_that_do_not_answer_are_abandoned_and_the_head_is_still_waited_for() {
    let mut life = running();
    life.on(Event::Failed(Failure::retry("timeout")), at(0));
    assert_eq!(life.on(Event::Tick, at(9_999)), []);
    assert_eq!(life.on(Event::Tick, at(10_000)), [Action::Abandon]);
    assert_eq!(
        life.on(Event::Tick, at(10_001)),
        [],
        "not placed before the head of the chain is known"
    );
    assert_eq!(life.on(Event::Gone, at(10_002)), [Action::Place]);
}

/// A part of a running job has failed, and is gone; the rest runs on.
fn mending() -> Life {
    let mut life = running();
    let actions = life.on(Event::PartFailed(Failure::retry("sub-1.0 failed")), at(10));
    assert!(matches!(&actions[..], [Action::Answered(..), Action::TakeDownPart(_)]));
    assert_eq!((life.state(), life.has_survivors()), (State::Restarting, true));
    assert_eq!(life.on(Event::Gone, at(20)), []);
    assert_eq!(life.on(Event::Tick, at(110)), [Action::Place]);
    life
}

#[test]
fn a_part_that_failed_is_placed_and_deployed_while_the_rest_runs_on() {
    let mut life = mending();
    assert_eq!(life.on(Event::Placed, at(111)), [Action::Deploy]);
    assert_eq!(life.on(Event::AllRunning, at(120)), [Action::Arm]);
    assert_eq!(
        (life.state(), life.has_survivors(), life.restarts()),
        (State::Running, false, 1)
    );
}

#[test]
fn another_part_that_fails_meanwhile_goes_down_as_well_and_a_failure_of_all_takes_all_down() {
    let mut life = mending();
    let failure = || Failure::retry("sub-3.0 failed");
    let actions = life.on(Event::PartFailed(failure()), at(120));
    assert!(matches!(&actions[..], [Action::Answered(..), Action::TakeDownPart(_)]));
    let actions = life.on(Event::Failed(failure()), at(130));
    assert!(matches!(&actions[..], [Action::Answered(..), Action::TakeDown(_)]));
    assert!(!life.has_survivors());
    assert_eq!(life.on(Event::PartFailed(failure()), at(140)), [], "all go down anyway");
}

#[test]
fn a_part_that_fails_too_often_fails_the_job() {
    let mut life = mending();
    for _ in 0..2 {
        life.on(Event::Placed, at(111));
        life.on(Event::PartFailed(Failure::retry("again")), at(112));
        life.on(Event::Gone, at(113));
        life.on(Event::Tick, at(1_000));
    }
    let actions = life.on(Event::PartFailed(Failure::retry("again")), at(1_001));
    assert!(matches!(&actions[..], [Action::Answered(..), Action::TakeDown(_)]));
    assert_eq!(life.state(), State::Failing);
}

#[test]
fn a_persons_word_during_a_part_s_restart_takes_all_down_first() {
    for (event, state) in [
        (Event::CancelAsked, State::Cancelling),
        (Event::StopAsked, State::Stopping),
        (Event::ChangeAsked, State::Changing),
    ] {
        let mut life = mending();
        assert!(matches!(life.on(event, at(120))[..], [Action::TakeDown(_)]));
        assert_eq!((life.state(), life.has_survivors()), (state, false));
    }
    let mut stopping = running();
    stopping.on(Event::StopAsked, at(1));
    stopping.on(Event::PartFailed(Failure::retry("sub-1.0 failed")), at(2));
    stopping.on(Event::Gone, at(3));
    stopping.on(Event::Tick, at(200));
    let few = stopping.on(Event::TooFewSlots(Failure::retry("needs 1 slot")), at(201));
    assert!(
        matches!(few[..], [Action::TakeDown(_)]),
        "those who run on are not left behind"
    );
}

#[test]
fn when_the_last_record_is_made_meanwhile_all_commit_it_again() {
    let mut life = running();
    life.on(Event::PartFailed(Failure::retry("sub-1.0 failed")), at(10));
    assert!(matches!(life.on(Event::LastIsMade, at(20))[..], [Action::TakeDown(_)]));
    assert_eq!((life.state(), life.has_survivors()), (State::Restarting, false));
    life.on(Event::Gone, at(30));
    assert_eq!(life.on(Event::Tick, at(200)), [Action::Place]);
}

#[test]
fn a_failure_that_cannot_pass_fails_the_job_with_its_reason() {
    let mut life = running();
    life.on(
        Event::Failed(Failure::fail("orders.jsonl changed while it was read")),
        at(0),
    );
    assert_eq!(life.state(), State::Failing);
    assert!(
        matches!(&life.on(Event::Gone, at(1))[..], [Action::Conclude(End::Failed(failure))] if failure.message.contains("changed"))
    );
    assert_eq!(life.reason().unwrap().message, "orders.jsonl changed while it was read");
}

#[test]
fn too_few_slots_wait_with_a_reason_until_slots_change() {
    let mut life = life();
    life.on(Event::Start, at(0));
    assert_eq!(life.on(Event::TooFewSlots(Failure::retry("needs 2 slots")), at(0)), []);
    assert_eq!(
        (life.state(), life.reason().unwrap().message.as_str()),
        (State::Scheduling, "needs 2 slots")
    );
    assert_eq!(life.on(Event::SlotsChanged, at(9)), [Action::Place]);
}

#[test]
fn a_stop_takes_its_checkpoint_even_after_a_failure() {
    let mut life = running();
    assert_eq!(life.on(Event::StopAsked, at(0)), [Action::TakeLastCheckpoint]);
    life.on(Event::Failed(Failure::retry("timeout")), at(1));
    assert_eq!(life.on(Event::Gone, at(200)), [Action::Place]);
    life.on(Event::Placed, at(200));
    assert_eq!(
        life.on(Event::AllRunning, at(201)),
        [Action::Arm, Action::TakeLastCheckpoint]
    );
    assert!(matches!(
        life.on(Event::Committed(Purpose::Stop), at(202))[..],
        [Action::TakeDown(_)]
    ));
    assert_eq!(life.on(Event::Gone, at(203)), [Action::Conclude(End::Stopped)]);
}

#[test]
fn a_change_takes_a_checkpoint_lets_everybody_go_and_then_puts_the_document_in_force() {
    let mut life = running();
    assert_eq!(life.on(Event::ChangeAsked, at(0)), [Action::TakeChangeCheckpoint]);
    assert_eq!(life.state(), State::Changing);
    assert!(!life.may_change(), "one at a time");
    assert_eq!(life.on(Event::Committed(Purpose::Periodic), at(1)), [], "not that one");
    assert!(matches!(
        life.on(Event::Committed(Purpose::Change), at(2))[..],
        [Action::TakeDown(_)]
    ));
    assert_eq!(life.on(Event::Gone, at(3)), [Action::Amend]);
    assert_eq!(
        life.on(Event::SlotsChanged, at(3)),
        [],
        "not before the record is there"
    );
    assert_eq!(life.on(Event::Amended, at(4)), [Action::Place]);
    assert_eq!(life.restarts(), 0, "nothing failed");
}

#[test]
fn a_failure_during_a_change_does_not_undo_it() {
    let mut life = running();
    life.on(Event::ChangeAsked, at(0));
    life.on(Event::Failed(Failure::retry("timeout")), at(1));
    assert_eq!(life.state(), State::Restarting);
    life.on(Event::Gone, at(2));
    assert_eq!(life.on(Event::Tick, at(500)), [Action::Amend], "the head is as good");
    assert_eq!(life.on(Event::Amended, at(501)), [Action::Place]);
}

#[test]
fn what_waits_for_slots_is_changed_at_once() {
    let mut life = life();
    life.on(Event::Start, at(0));
    life.on(Event::TooFewSlots(Failure::retry("needs 4 slots")), at(0));
    assert_eq!(life.on(Event::ChangeAsked, at(1)), [Action::Amend]);
    assert_eq!(life.on(Event::Amended, at(2)), [Action::Place]);
}

#[test]
fn a_stop_or_a_cancel_goes_before_a_change() {
    let mut life = running();
    life.on(Event::ChangeAsked, at(0));
    life.on(Event::StopAsked, at(1));
    life.on(Event::Committed(Purpose::Change), at(2));
    assert_eq!(life.on(Event::Gone, at(3)), [Action::Conclude(End::Stopped)]);
    let mut life = running();
    life.on(Event::ChangeAsked, at(0));
    life.on(Event::Committed(Purpose::Change), at(2));
    assert_eq!(life.on(Event::CancelAsked, at(3)), []);
    assert_eq!(life.on(Event::Gone, at(4)), [Action::Conclude(End::Cancelled)]);
}

#[test]
fn input_that_ends_during_a_change_is_finished_by_the_other_document() {
    let mut life = running();
    life.on(Event::ChangeAsked, at(0));
    life.on(Event::AllEnded, at(1));
    assert!(matches!(
        life.on(Event::Committed(Purpose::Change), at(2))[..],
        [Action::TakeDown(_)]
    ));
    assert_eq!(life.on(Event::Gone, at(3)), [Action::Amend]);
}

#[test]
fn a_job_that_only_owed_commits_finishes_once_they_are_done() {
    let mut life = life();
    life.on(Event::Start, at(0));
    life.on(Event::Placed, at(0));
    assert!(matches!(life.on(Event::AllRepeated, at(0))[..], [Action::TakeDown(_)]));
    assert_eq!(life.on(Event::Gone, at(1)), [Action::Conclude(End::Finished)]);
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => Just(Event::Start),
        6 => Just(Event::Placed),
        2 => Just(Event::TooFewSlots(Failure::retry("slots"))),
        2 => Just(Event::SlotsChanged),
        6 => Just(Event::AllRunning),
        1 => Just(Event::AllRepeated),
        2 => Just(Event::AllEnded),
        2 => prop::sample::select(vec![Purpose::Periodic, Purpose::Savepoint, Purpose::Change, Purpose::Stop, Purpose::Final]).prop_map(Event::Committed),
        3 => prop::sample::select(vec![Failure::retry("r"), Failure::retry("r"), Failure::fail("f"), Failure::bug("b")]).prop_map(Event::Failed),
        4 => prop::sample::select(vec![Failure::retry("r"), Failure::fail("f")]).prop_map(Event::PartFailed),
        6 => Just(Event::Gone),
        1 => Just(Event::LastIsMade),
        1 => Just(Event::CancelAsked),
        1 => Just(Event::StopAsked),
        2 => Just(Event::ChangeAsked),
        4 => Just(Event::Amended),
        6 => Just(Event::Tick),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn nothing_is_placed_over_living_subtasks_and_what_is_over_stays_over(steps in prop::collection::vec((event(), 0..4_000_u64), 0..80)) {
        let mut life = life();
        let (mut now, mut deployed, mut part_gone, mut cancelled, mut asked) = (0, false, false, false, false);
        for (event, wait) in steps {
            now += wait;
            // The shell says `Gone` only when it was asked to take the subtasks down.
            cancelled |= event == Event::CancelAsked;
            asked |= event == Event::ChangeAsked && life.may_change();
            let over = life.state().is_over();
            let gone = event == Event::Gone;
            if gone && life.has_survivors() {
                part_gone |= life.is_going_down();
            } else if gone && life.is_going_down() {
                deployed = false;
            }
            for action in life.on(event, at(now)) {
                prop_assert!(!over, "what is over stays over");
                match action {
                    Action::Place if life.has_survivors() => prop_assert!(part_gone, "placed over living subtasks of its region"),
                    Action::Place => prop_assert!(!deployed, "placed over living subtasks"),
                    Action::TakeDownPart(_) => {
                        prop_assert!(deployed && life.has_survivors(), "a part goes down where all of it runs");
                        part_gone = false;
                    }
                    Action::Amend => {
                        prop_assert!(!deployed, "another document over living subtasks");
                        prop_assert!(asked, "only a person's word changes a job");
                        asked = false;
                    }
                    Action::Deploy => deployed = true,
                    Action::Conclude(End::Cancelled) => prop_assert!(cancelled, "only a person's word cancels"),
                    Action::Conclude(_) | Action::Arm | Action::TakeLastCheckpoint | Action::TakeChangeCheckpoint | Action::TakeDown(_) | Action::Abandon | Action::Answered(..) => {}
                }
            }
            prop_assert!(!over || life.state().is_over());
        }
    }
}
