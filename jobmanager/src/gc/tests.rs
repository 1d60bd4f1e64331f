//! Garbage over random pasts, and a sweep of a store in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use dataflow::id::{Epoch, Generation, JobId, SubtaskId, VertexId};
use dataflow::recipe::Partition;
use dataflow::store::Store;
use dataflow::time::{Clock, SystemClock, WallTime};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::execution::tests::two_vertices;
use crate::savepoint::named;
use crate::store::tests::Memory;
use crate::store::{Chain, Document, Record, SubtaskSnapshot};

const JOB: &str = "orders";

fn job() -> JobId {
    JobId {
        name: JOB.to_owned(),
        life: 1,
    }
}

fn generation(deployment: u32) -> Generation {
    Generation { term: 1, deployment }
}

fn file(deployment: u32, number: u64) -> String {
    format!("gen-1.{deployment}/att-1.{deployment}.1.0/0-{number}.cut")
}

fn needs(objects: &[String], document_in: u64) -> Named {
    Named {
        objects: objects.iter().cloned().collect(),
        document_in: Epoch(document_in),
    }
}

#[test]
fn the_newest_the_first_and_the_pinned_stay() {
    let staying = retained(Epoch(1000), 3, &[Epoch(17)].into());
    for epoch in [0, 17, 998, 999, 1000] {
        assert!(staying.contains(&Epoch(epoch)), "{epoch}");
    }
    assert!(staying.len() < 30, "{staying:?}");
    assert_eq!(retained(Epoch(0), 10, &Default::default()), [Epoch(0)].into());
}

#[test]
fn a_file_goes_with_the_last_record_that_names_it_or_when_its_makers_are_fenced() {
    let (old, shared, new) = (file(1, 1), file(1, 2), file(2, 1));
    let (orphan, young, foreign) = (file(1, 9), file(2, 9), "from-x/gen-0.1/a.cut".to_owned());
    let seen = Seen {
        staying: [(Epoch(9), needs(&[shared.clone(), new.clone()], 4))].into(),
        going: [
            (Epoch(4), needs(&[], 0)),
            (Epoch(5), needs(&[old.clone(), shared.clone(), foreign.clone()], 4)),
        ]
        .into(),
        objects: [&old, &shared, &new, &orphan, &young, &foreign]
            .map(Clone::clone)
            .into(),
        fence: generation(2),
    };
    let garbage = difference(&seen);
    assert_eq!(garbage.records, [Epoch(5)], "record 4 holds the document in force");
    let mut expected = vec![foreign, old, orphan];
    expected.sort();
    assert_eq!(
        garbage.objects, expected,
        "the young one may be named by the next record"
    );
}

/// A past: deployments that make files, records that name some, checkpoints that were given up.
#[derive(Clone, Debug)]
enum Fate {
    Deploy,
    /// A checkpoint with so many new files, which lets go of so many old ones; whether it became a record.
    Checkpoint(u64, usize, bool),
    Sweep,
    Amend,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        1 => Just(Fate::Deploy),
        12 => (0..3_u64, 0..4_usize, prop::bool::weighted(0.8)).prop_map(|(new, less, made)| Fate::Checkpoint(new, less, made)),
        3 => Just(Fate::Sweep),
        1 => Just(Fate::Amend),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_anybody_may_still_need_is_there(fates in prop::collection::vec(fate(), 1..120), newest in 1..6_u64) {
        let (mut records, mut files, mut held) = (BTreeMap::from([(Epoch(0), needs(&[], 0))]), std::collections::BTreeSet::new(), Vec::<String>::new());
        let (mut deployment, mut number, mut head, mut document) = (1, 0, 0, 0);
        for fate in fates {
            match fate {
                // Whoever is deployed goes on from the head; what was uploaded for no record is an orphan.
                Fate::Deploy => {
                    deployment += 1;
                    held = records[&Epoch(head)].objects.iter().cloned().collect();
                }
                Fate::Checkpoint(new, less, made) => {
                    for _ in 0..new {
                        number += 1;
                        let name = file(deployment, number);
                        files.insert(name.clone());
                        held.push(name);
                    }
                    if made {
                        held.drain(..less.min(held.len()));
                        head += 1;
                        records.insert(Epoch(head), needs(&held, document));
                    }
                }
                Fate::Amend => {
                    head += 1;
                    document = head;
                    let same = records[&Epoch(head - 1)].objects.iter().cloned().collect::<Vec<_>>();
                    records.insert(Epoch(head), needs(&same, document));
                }
                Fate::Sweep => {
                    let keep = retained(Epoch(head), newest, &Default::default());
                    let (staying, going) = records.clone().into_iter().partition(|(epoch, _)| keep.contains(epoch));
                    let seen = Seen { staying, going, objects: files.clone(), fence: generation(deployment) };
                    let garbage = difference(&seen);
                    for epoch in &garbage.records { records.remove(epoch); }
                    for name in &garbage.objects { files.remove(name); }
                    prop_assert!(keep.iter().all(|epoch| records.contains_key(epoch)));
                    prop_assert!(records.contains_key(&Epoch(document)), "the document in force");
                    let old = files.iter().filter(|name| !records.values().any(|named| named.objects.contains(*name)));
                    for name in old {
                        let prefix = format!("gen-1.{deployment}/");
                        prop_assert!(name.starts_with(&prefix), "no orphan of a fenced attempt stays: {}", name);
                    }
                }
            }
            for (epoch, named) in &records {
                prop_assert!(named.objects.iter().all(|name| files.contains(name)), "{} lost a file", epoch);
            }
            prop_assert!(held.iter().all(|name| files.contains(name)), "the next record could name one that is gone");
        }
    }
}

fn snapshot(names: &[String]) -> SubtaskSnapshot {
    let cuts: Vec<_> = names.iter().map(|name| json!({ "object": name })).collect();
    let bytes = Bytes::from(json!({ "nodes": { "out": { "cuts": cuts } } }).to_string());
    let id = SubtaskId {
        vertex: VertexId(1),
        index: 0,
    };
    SubtaskSnapshot::new(id, &bytes).unwrap()
}

#[tokio::test]
async fn a_sweep_only_looks_when_told_so_and_the_chain_is_found_after_it() {
    let memory = Arc::new(Memory {
        lists: true,
        ..Memory::default()
    });
    let (store, clock): (Arc<dyn Store>, Arc<dyn Clock>) = (memory.clone(), Arc::new(SystemClock::start()));
    let chain = Chain::new(store.clone(), job(), clock.clone());
    let document = Document {
        text: String::new(),
        graph: two_vertices(1, 1, Partition::Forward),
    };
    let start = Record::start(job(), generation(1), document, WallTime(0));
    chain.append(&start).await.unwrap();
    for number in 1..=60_u64 {
        let name = file(1, number);
        memory
            .objects
            .lock()
            .insert(format!("jobs/orders@1/state/{name}"), Bytes::from("x"));
        let record = Record {
            epoch: Epoch(number),
            document: None,
            subtasks: vec![snapshot(&[file(1, number.saturating_sub(1).max(1)), name])],
            ..start.clone()
        };
        chain.append(&record).await.unwrap();
    }
    let orphan = format!("jobs/orders@1/state/{}", file(0, 1));
    memory.objects.lock().insert(orphan.clone(), Bytes::from("x"));
    let plot = Plot {
        job: job(),
        newest: 5,
        pinned: [Epoch(20)].into(),
        fence: generation(1),
    };
    let before = memory.paths();
    let seen = sweep(&store, &clock, plot.clone(), Mode::Look).await.unwrap();
    assert_eq!(memory.paths(), before);
    let taken = sweep(&store, &clock, plot.clone(), Mode::Take).await.unwrap();
    assert_eq!(seen, taken);
    assert!(!memory.paths().contains(&orphan));
    assert!(taken.records.len() > 40, "{taken:?}");
    assert_eq!(chain.head().await.unwrap().unwrap().0.epoch, Epoch(60));
    for epoch in [20, 56, 60] {
        for name in named(&chain.read(Epoch(epoch)).await.unwrap()).unwrap() {
            let path = format!("jobs/orders@1/state/{name}");
            assert!(memory.paths().contains(&path), "{path} of {epoch}");
        }
    }
    assert_eq!(
        sweep(&store, &clock, plot, Mode::Take).await.unwrap(),
        Garbage::default()
    );
}

#[tokio::test]
async fn nothing_goes_when_a_record_that_stays_cannot_be_read() {
    let memory = Arc::new(Memory {
        lists: true,
        ..Memory::default()
    });
    let (store, clock): (Arc<dyn Store>, Arc<dyn Clock>) = (memory.clone(), Arc::new(SystemClock::start()));
    let chain = Chain::new(store.clone(), job(), clock.clone());
    let document = Document {
        text: String::new(),
        graph: two_vertices(1, 1, Partition::Forward),
    };
    let start = Record::start(job(), generation(1), document, WallTime(0));
    chain.append(&start).await.unwrap();
    for number in 1..=40 {
        let record = Record {
            epoch: Epoch(number),
            document: None,
            ..start.clone()
        };
        chain.append(&record).await.unwrap();
    }
    memory
        .objects
        .lock()
        .insert("jobs/orders@1/epochs/39.record".to_owned(), Bytes::from("{}"));
    let before = memory.paths();
    let plot = Plot {
        job: job(),
        newest: 5,
        pinned: Default::default(),
        fence: generation(1),
    };
    assert!(sweep(&store, &clock, plot, Mode::Take).await.is_err());
    assert_eq!(memory.paths(), before);
}
