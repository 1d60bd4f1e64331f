//! The roster: who may join, who holds what.

use std::collections::BTreeMap;

use dataflow::id::JobId;
use dataflow::recipe::Partition;
use dataflow::time::{Instant, WallTime};
use proto::v1::{Register, ToTaskManager};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::roster::Roster;
use crate::execution::{expand, tests::two_vertices};

fn register(name: &str, slots: u32) -> Register {
    Register {
        name: name.to_owned(),
        incarnation: format!("{name}-1"),
        data_address: "127.0.0.1:1".to_owned(),
        slots,
        memory_bytes: 0,
        build: "b1".to_owned(),
        metrics_address: String::new(),
        running: Vec::new(),
    }
}

fn add(roster: &mut Roster, register: Register, capacity: usize) -> (mpsc::Receiver<ToTaskManager>, CancellationToken) {
    let (outbox, inbox) = mpsc::channel(capacity);
    let session = CancellationToken::new();
    roster.add(register, outbox, session.clone(), (WallTime(0), Instant::default()));
    (inbox, session)
}

fn job(name: &str) -> JobId {
    JobId {
        name: name.to_owned(),
        life: 1,
    }
}

#[test]
fn a_task_manager_of_another_build_or_of_a_living_name_is_refused_with_help() {
    let mut roster = Roster::default();
    assert!(
        roster
            .check(&register("a", 1), "b2")
            .unwrap_err()
            .help
            .contains("one version")
    );
    assert!(
        roster
            .check(&register("a", 0), "b1")
            .unwrap_err()
            .help
            .contains("--slots")
    );
    roster.check(&register("a", 1), "b1").unwrap();
    let _kept = add(&mut roster, register("a", 1), 1);
    assert!(
        roster
            .check(&register("a", 1), "b1")
            .unwrap_err()
            .help
            .contains("--name")
    );
    assert!(!roster.remove("a", "another"), "only the incarnation that is meant");
    assert!(roster.remove("a", "a-1"));
    roster.check(&register("a", 1), "b1").unwrap();
}

#[test]
fn a_slot_is_given_to_one_job_until_it_is_released() {
    let mut roster = Roster::default();
    let _kept = add(&mut roster, register("a", 2), 1);
    let graph = expand(&two_vertices(2, 1, Partition::Rebalance));
    assert_eq!(
        roster
            .reserve(&job("one"), &graph, &BTreeMap::new())
            .unwrap()
            .subtasks
            .len(),
        3
    );
    assert_eq!(
        roster.reserve(&job("two"), &graph, &BTreeMap::new()).unwrap_err().free,
        0
    );
    roster
        .reserve(&job("one"), &graph, &BTreeMap::new())
        .expect("a job that asks again gives back what it had");
    assert!(roster.release(&job("one")));
    roster.reserve(&job("two"), &graph, &BTreeMap::new()).unwrap();
}

#[test]
fn a_task_manager_that_does_not_read_is_dropped() {
    let mut roster = Roster::default();
    let (_inbox, session) = add(&mut roster, register("a", 1), 1);
    roster.send("a", "a-1", ToTaskManager::default());
    assert!(!session.is_cancelled());
    roster.send("a", "a-0", ToTaskManager::default());
    assert!(
        !session.is_cancelled(),
        "what is meant for another incarnation does not count"
    );
    roster.send("a", "a-1", ToTaskManager::default());
    assert!(session.is_cancelled());
}
