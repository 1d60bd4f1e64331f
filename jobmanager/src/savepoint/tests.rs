//! State files by name, and savepoints on a store in memory.

use std::sync::Arc;

use bytes::Bytes;
use dataflow::id::{Epoch, Generation, JobId, SubtaskId, VertexId};
use dataflow::recipe::Partition;
use dataflow::store::Store;
use dataflow::time::{Clock, SystemClock, WallTime};
use serde_json::{Value, json};

use super::*;
use crate::execution::tests::two_vertices;
use crate::restore::{Dropping, restore};
use crate::store::tests::{Always, Fault, Memory};
use crate::store::{Chain, Document, Record, SubtaskSnapshot};

fn job(name: &str) -> JobId {
    JobId {
        name: name.to_owned(),
        life: 1,
    }
}

fn document(parallelism: u32) -> Document {
    Document {
        text: "datastreamName: orders".to_owned(),
        graph: two_vertices(parallelism, parallelism, Partition::Rebalance),
    }
}

const GENERATION: Generation = Generation { term: 1, deployment: 1 };

/// Epoch 5 of two sources and two sinks; each sink has something to publish, and two state files beside small state.
fn record() -> Record {
    let mut record = Record::start(job("orders"), GENERATION, document(2), WallTime(0));
    for (vertex, index) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let id = SubtaskId {
            vertex: VertexId(vertex),
            index,
        };
        let snapshot = match vertex {
            0 => json!({ "nodes": { "events": [{ "id": format!("file-{index}"), "spec": 1, "position": 7 }] } }),
            _ => json!({ "nodes": { "out": {
                "committables": [format!("c-{index}")],
                "cuts": [{ "object": format!("gen-1.1/att-{index}/1.cut"), "bytes": 3 }, { "inline": "AA" }, { "object": "gen-1.1/shared.cut" }],
                "note": { "object": "no file" },
                "state": 1,
            } } }),
        };
        let bytes = Bytes::from(snapshot.to_string());
        record.subtasks.push(SubtaskSnapshot::new(id, &bytes).unwrap());
    }
    record.epoch = Epoch(5);
    record
}

fn store() -> Arc<Memory> {
    let store = Arc::new(Memory::default());
    for name in [
        "gen-1.1/att-0/1.cut",
        "gen-1.1/att-1/1.cut",
        "gen-1.1/shared.cut",
        "gen-1.1/other.cut",
    ] {
        let path = format!("jobs/orders@1/state/{name}");
        store.objects.lock().insert(path, Bytes::from(name));
    }
    store
}

fn dyn_store(store: &Arc<Memory>) -> Arc<dyn Store> {
    store.clone()
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::start())
}

#[test]
fn files_are_found_wherever_a_node_names_them_and_renamed_in_place() {
    let names: Vec<_> = named(&record()).unwrap().into_iter().collect();
    assert_eq!(
        names,
        ["gen-1.1/att-0/1.cut", "gen-1.1/att-1/1.cut", "gen-1.1/shared.cut"]
    );
    let moved = renamed(record(), |name| format!("from-x/{name}")).unwrap();
    assert!(
        named(&moved)
            .unwrap()
            .iter()
            .all(|name| name.starts_with("from-x/gen-1.1/"))
    );
    let value: Value = serde_json::from_str(moved.subtasks[2].snapshot.get()).unwrap();
    assert_eq!(
        value["nodes"]["out"]["note"]["object"], "no file",
        "a note is the operator's own"
    );
}

#[tokio::test]
async fn a_savepoint_needs_nothing_beside_it_and_begins_another_job_without_its_commits() {
    let store = store();
    let url = make(&dyn_store(&store), "before", record(), document(2), WallTime(9))
        .await
        .unwrap();
    assert!(url.ends_with("/savepoints/before"), "{url}");
    store.objects.lock().retain(|path, _| path.starts_with("savepoints/"));
    let from = From::Savepoint("before".to_owned());
    let found = find(&from, &dyn_store(&store), &Always(store.clone()), &clock())
        .await
        .unwrap();
    found.fits(&document(3).graph, Dropping::Refused).unwrap();
    let state = dyn_store(&store);
    let record = begin(found, job("other"), GENERATION, document(3), (&state, WallTime(10)))
        .await
        .unwrap();
    assert_eq!((record.epoch, record.job.to_string().as_str()), (Epoch(0), "other@1"));
    for name in named(&record).unwrap() {
        let path = format!("jobs/other@1/state/{name}");
        assert!(store.objects.lock().contains_key(&path), "{path}");
    }
    let restoration = restore(&record, &document(3).graph, Dropping::Refused).unwrap();
    let parts = restoration.parts.values().flatten();
    let all: String = parts
        .map(|part| String::from_utf8_lossy(&part.snapshot).into_owned())
        .collect();
    assert!(all.contains("file-0") && all.contains("file-1"), "its splits");
    assert!(
        !all.contains("committables"),
        "what was prepared is the other job's: {all}"
    );
}

#[tokio::test]
async fn a_label_is_used_once_and_a_lost_answer_is_no_failure() {
    let store = store();
    make(&dyn_store(&store), "one", record(), document(2), WallTime(9))
        .await
        .unwrap();
    let again = make(&dyn_store(&store), "one", record(), document(2), WallTime(10))
        .await
        .unwrap_err();
    assert!(again.message.contains("already"), "{}", again.message);
    assert!(is_there(store.as_ref(), "one").await.unwrap());
    assert!(!is_there(store.as_ref(), "two").await.unwrap());
    store.faults.lock().extend([Fault::Done; 4]);
    make(&dyn_store(&store), "two", record(), document(2), WallTime(11))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_file_that_is_missing_is_named_and_no_savepoint_is_made() {
    let store = store();
    store.objects.lock().remove("jobs/orders@1/state/gen-1.1/shared.cut");
    let failure = make(&dyn_store(&store), "broken", record(), document(2), WallTime(9))
        .await
        .unwrap_err();
    assert!(failure.message.contains("shared.cut"), "{}", failure.message);
    assert!(!is_there(store.as_ref(), "broken").await.unwrap());
}

#[tokio::test]
async fn a_checkpoint_is_found_in_its_chain_and_a_wrong_place_says_so() {
    let store = store();
    let chain = Chain::new(store.clone(), job("orders"), clock());
    let start = Record::start(job("orders"), GENERATION, document(2), WallTime(0));
    chain.append(&start).await.unwrap();
    chain
        .append(&Record {
            epoch: Epoch(1),
            document: None,
            ..record()
        })
        .await
        .unwrap();
    for epoch in [None, Some(Epoch(1))] {
        let from = From::Checkpoint(job("orders"), epoch);
        let found = find(&from, &dyn_store(&store), &Always(store.clone()), &clock())
            .await
            .unwrap();
        let state = dyn_store(&store);
        let record = begin(found, job("fork"), GENERATION, document(2), (&state, WallTime(1)))
            .await
            .unwrap();
        assert_eq!(record.subtasks.len(), 4);
        assert_eq!(record.taken_from, None, "the same graph");
    }
    for from in [
        From::Checkpoint(job("nobody"), None),
        From::Checkpoint(job("orders"), Some(Epoch(7))),
        From::Savepoint("nothing".to_owned()),
    ] {
        let found = find(&from, &dyn_store(&store), &Always(store.clone()), &clock()).await;
        assert!(found.is_err(), "{from:?}");
    }
}
