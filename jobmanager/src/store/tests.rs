//! Numbered objects, chains and the ledger on a store in memory that fails when told to.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use dataflow::id::{Epoch, Generation, JobId};
use dataflow::recipe::Partition;
use dataflow::store::{Error as StoreError, Object, Store, Stores, Upload};
use dataflow::time::{SystemClock, WallTime};
use parking_lot::Mutex;

use super::*;
use crate::execution::tests::two_vertices;

/// What happens to the next `create`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It fails, and nothing was done.
    NotDone,
    /// It fails, and yet it was done.
    Done,
}

/// A store in memory.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) objects: Mutex<BTreeMap<String, Bytes>>,
    pub(crate) faults: Mutex<VecDeque<Fault>>,
    pub(crate) reads: Mutex<u64>,
    /// Whether it makes objects that are there, as some old stores do.
    pub(crate) makes_twice: bool,
    /// Whether it may be listed: only the sweep does.
    pub(crate) lists: bool,
    /// A folder of this machine, for its lock.
    pub(crate) root: Option<PathBuf>,
}

impl Memory {
    fn missing(path: &str) -> StoreError {
        StoreError::Missing {
            url: "memory://".to_owned(),
            path: path.to_owned(),
        }
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        self.objects.lock().keys().cloned().collect()
    }
}

/// Opens one store whatever the URL.
pub(crate) struct Always(pub(crate) Arc<dyn Store>);

impl Stores for Always {
    fn open(&self, _url: &str) -> Result<Arc<dyn Store>, StoreError> {
        Ok(self.0.clone())
    }
}

#[async_trait]
impl Store for Memory {
    fn url(&self) -> &str {
        "memory://"
    }

    fn local_root(&self) -> Option<&Path> {
        self.root.as_deref()
    }

    async fn create(&self, path: &str, bytes: Bytes) -> Result<(), StoreError> {
        let fault = self.faults.lock().pop_front();
        let unknown = || StoreError::Unknown {
            url: "memory://".to_owned(),
            path: path.to_owned(),
            source: "the answer got lost".into(),
        };
        if fault == Some(Fault::NotDone) {
            return Err(unknown());
        }
        let mut objects = self.objects.lock();
        if objects.contains_key(path) && !self.makes_twice {
            return Err(StoreError::Exists {
                url: "memory://".to_owned(),
                path: path.to_owned(),
            });
        }
        objects.insert(path.to_owned(), bytes);
        if fault == Some(Fault::Done) {
            Err(unknown())
        } else {
            Ok(())
        }
    }

    async fn put(&self, path: &str, bytes: Bytes) -> Result<(), StoreError> {
        self.objects.lock().insert(path.to_owned(), bytes);
        Ok(())
    }

    async fn upload(&self, path: &str) -> Result<Box<dyn Upload>, StoreError> {
        Err(Self::missing(path))
    }

    async fn read(&self, path: &str) -> Result<Bytes, StoreError> {
        self.objects
            .lock()
            .get(path)
            .cloned()
            .ok_or_else(|| Self::missing(path))
    }

    async fn read_range(&self, path: &str, _range: Range<u64>) -> Result<Bytes, StoreError> {
        self.read(path).await
    }

    async fn head(&self, path: &str) -> Result<Object, StoreError> {
        *self.reads.lock() += 1;
        let size = self.read(path).await?.len() as u64;
        Ok(Object {
            path: path.to_owned(),
            size,
            version: String::new(),
        })
    }

    async fn copy(&self, from: &str, to: &str) -> Result<(), StoreError> {
        let bytes = self.read(from).await?;
        self.create(to, bytes).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Object>, StoreError> {
        assert!(self.lists, "nothing depends on listing");
        let below = format!("{prefix}/");
        let objects = self.objects.lock();
        let found = objects.iter().filter(|(path, _)| path.starts_with(&below));
        Ok(found
            .map(|(path, bytes)| Object {
                path: path.clone(),
                size: bytes.len() as u64,
                version: String::new(),
            })
            .collect())
    }

    async fn delete(&self, path: &str) -> Result<(), StoreError> {
        self.objects.lock().remove(path);
        Ok(())
    }
}

fn clock() -> Arc<SystemClock> {
    Arc::new(SystemClock::start())
}

fn job() -> JobId {
    JobId {
        name: "orders".to_owned(),
        life: 1,
    }
}

fn generation(term: u64, deployment: u32) -> Generation {
    Generation { term, deployment }
}

fn document() -> Document {
    Document {
        text: "datastreamName: orders".to_owned(),
        graph: two_vertices(1, 1, Partition::Forward),
    }
}

fn start() -> Record {
    Record::start(job(), generation(1, 1), document(), WallTime(5))
}

fn chain(store: &Arc<Memory>) -> Chain {
    Chain::new(store.clone(), job(), clock())
}

#[tokio::test]
async fn an_unknown_outcome_is_found_out_by_reading_back() {
    let store = Arc::new(Memory::default());
    store.faults.lock().extend([Fault::Done, Fault::NotDone, Fault::Done]);
    let numbered = Numbered::new(store.clone(), "n/", "", clock());
    assert_eq!(numbered.create(0, Bytes::from("a")).await.unwrap(), Created::Ours);
    assert_eq!(numbered.create(1, Bytes::from("b")).await.unwrap(), Created::Ours);
    assert_eq!(
        numbered.create(0, Bytes::from("b")).await.unwrap(),
        Created::Foreign(Bytes::from("a"))
    );
}

#[tokio::test]
async fn the_head_is_found_from_any_hint_and_a_hint_beyond_it_is_an_error() {
    let store = Arc::new(Memory::default());
    let numbered = Numbered::new(store.clone(), "n/", "", clock());
    assert_eq!(numbered.head_from(0, None).await.unwrap(), None);
    for length in 1..70_u64 {
        numbered.create(length - 1, Bytes::from("x")).await.unwrap();
        for hint in [None, Some(0), Some(length / 2), Some(length - 1)] {
            assert_eq!(
                numbered.head_from(0, hint).await.unwrap(),
                Some(length - 1),
                "{length} {hint:?}"
            );
        }
    }
    *store.reads.lock() = 0;
    numbered.head_from(0, Some(68)).await.unwrap();
    let reads = *store.reads.lock();
    assert!(reads <= 10, "a good hint is cheap: {reads}");
    assert!(matches!(numbered.head_from(0, Some(69)).await, Err(Error::Gap { .. })));
    let absurd = numbered.head_from(0, Some(u64::MAX)).await;
    assert!(matches!(absurd, Err(Error::Gap { .. })));
}

/// Old objects go in any rhythm; whoever looks for the last one finds it, with any hint or none.
#[tokio::test]
async fn the_last_object_is_found_though_old_ones_are_gone() {
    for (newest, every) in [(1, 1), (3, 2), (10, 7), (10, 64), (2, 33)] {
        let store = Arc::new(Memory::default());
        let numbered = Numbered::new(store.clone(), "n/", "", clock());
        for last in 0..300_u64 {
            numbered.create(last, Bytes::from("x")).await.unwrap();
            if last % every == 0 {
                let staying = crate::gc::retained(Epoch(last), newest, &std::collections::BTreeSet::new());
                store.objects.lock().retain(|path, _| {
                    numbered
                        .number(path)
                        .is_some_and(|number| staying.contains(&Epoch(number)))
                });
            }
            for hint in [
                None,
                Some(1),
                Some(last / 3),
                Some(last / 2),
                Some(last.saturating_sub(30)),
                Some(last),
            ] {
                let found = numbered.head_from(0, hint.filter(|hint| *hint <= last)).await.unwrap();
                assert_eq!(found, Some(last), "{hint:?} of {last}, {newest} kept");
            }
        }
        assert!(store.paths().len() < 90, "{}", store.paths().len());
    }
}

#[tokio::test]
async fn a_record_is_read_back_as_it_was_written() {
    let store = Arc::new(Memory::default());
    let chain = chain(&store);
    assert!(chain.head().await.unwrap().is_none());
    assert!(matches!(chain.append(&start()).await.unwrap(), Appended::Ours));
    let (head, found) = chain.head().await.unwrap().unwrap();
    assert_eq!((head.epoch, head.kind, found), (Epoch(0), Kind::Start, document()));
}

#[tokio::test]
async fn a_flipped_bit_is_found_wherever_it_is() {
    let store = Arc::new(Memory::default());
    let chain = chain(&store);
    chain.append(&start()).await.unwrap();
    let path = "jobs/orders@1/epochs/0.record";
    let bytes = store.objects.lock()[path].clone();
    for place in (0..bytes.len()).step_by(7) {
        let mut flipped = bytes.to_vec();
        flipped[place] ^= 1;
        store.objects.lock().insert(path.to_owned(), flipped.into());
        let found = chain.head().await;
        assert!(
            matches!(found, Err(Error::Damaged { .. } | Error::Version { .. })),
            "byte {place}: {found:?}"
        );
    }
}

#[tokio::test]
async fn a_fence_moves_past_what_an_old_leader_still_wrote_and_stops_it() {
    let store = Arc::new(Memory::default());
    let chain = chain(&store);
    chain.append(&start()).await.unwrap();
    let (head, _) = chain.head().await.unwrap().unwrap();
    // The old leader makes record 1 after the new one has read the head.
    let late = Record {
        counter: 4,
        kind: Kind::Checkpoint,
        ..start().fenced(generation(1, 1), None, WallTime(6))
    };
    chain.append(&late).await.unwrap();
    let fence = chain
        .fence(head, generation(2, 1), None, clock().as_ref())
        .await
        .unwrap();
    assert_eq!(
        (fence.epoch, fence.kind, fence.document_in),
        (Epoch(2), Kind::Fence, Epoch(0))
    );
    let zombie = Record {
        kind: Kind::Checkpoint,
        ..late.fenced(generation(1, 1), None, WallTime(7))
    };
    match chain.append(&zombie).await.unwrap() {
        Appended::Foreign(found) => assert_eq!(found.generation, generation(2, 1)),
        Appended::Ours => panic!("the zombie wrote on"),
    }
    let back = chain
        .fence(*Box::new(fence), generation(1, 9), None, clock().as_ref())
        .await;
    assert!(matches!(back, Err(Error::Deposed { term: 2, .. })));
}

#[tokio::test]
async fn a_changed_document_is_found_from_any_later_record() {
    let store = Arc::new(Memory::default());
    let chain = chain(&store);
    chain.append(&start()).await.unwrap();
    let (head, _) = chain.head().await.unwrap().unwrap();
    let changed = Document {
        text: "# changed".to_owned(),
        ..document()
    };
    let amendment = Amendment {
        document: changed.clone(),
        replaces: document().graph,
    };
    let fence = chain
        .fence(head, generation(2, 1), Some(amendment), clock().as_ref())
        .await
        .unwrap();
    chain
        .append(&fence.fenced(generation(2, 2), None, WallTime(8)))
        .await
        .unwrap();
    chain.hint(Epoch(1)).await;
    let (head, found) = chain.head().await.unwrap().unwrap();
    assert_eq!((head.epoch, found), (Epoch(2), changed));
    assert_eq!(head.taken_from, None, "the graph is the same");
}

#[tokio::test]
async fn a_damaged_hint_is_as_good_as_none_and_a_whole_one_beyond_the_end_is_a_loss() {
    let store = Arc::new(Memory::default());
    let ledger = || Ledger::open(store.clone(), 1, Arc::new(SystemClock::start()));
    drop(ledger().await.unwrap());
    let hint = "datastreams/ledger/hint";
    let written = store.read(hint).await.unwrap();
    let text = String::from_utf8(written.to_vec()).unwrap();
    let flipped = text.replace(r#""body":0"#, r#""body":8"#);
    assert_ne!(flipped, text);
    store.put(hint, Bytes::from(flipped)).await.unwrap();
    drop(ledger().await.unwrap());
    store.put(hint, Bytes::from(seal(&8_u64))).await.unwrap();
    let lost = ledger().await.err().unwrap();
    assert!(lost.to_string().contains("ledger/8.json"), "{lost}");
}

#[tokio::test]
async fn a_record_with_another_graph_says_of_which_its_snapshots_are_until_the_next_checkpoint() {
    let wider = |parallelism| Document {
        text: format!("parallelism: {parallelism}"),
        graph: two_vertices(parallelism, 1, Partition::Rebalance),
    };
    let amended = |record: &Record, to: &Document, from: &Document| {
        let amendment = Amendment {
            document: to.clone(),
            replaces: from.graph.clone(),
        };
        record.fenced(generation(1, 2), Some(amendment), WallTime(6))
    };
    let second = amended(&start(), &wider(2), &document());
    assert_eq!(second.snapshots_of(&wider(2).graph), &document().graph);
    let third = amended(&second, &wider(3), &wider(2));
    assert_eq!(third.snapshots_of(&wider(3).graph), &document().graph);
    assert_eq!((third.document_in, third.epoch), (Epoch(2), Epoch(2)));
    let back = amended(&third, &document(), &wider(3));
    assert_eq!(back.taken_from, None, "back where it was");
    let store = Arc::new(Memory::default());
    let chain = chain(&store);
    for record in [start(), second, third.clone()] {
        chain.append(&record).await.unwrap();
    }
    let (head, _) = chain.head().await.unwrap().unwrap();
    assert_eq!(head.taken_from, third.taken_from, "it survives");
}

#[tokio::test]
async fn the_ledger_outlives_its_writer_and_shuts_out_older_ones() {
    let store = Arc::new(Memory::default());
    let first = Ledger::open(store.clone(), 1, clock()).await.unwrap();
    store.faults.lock().push_back(Fault::Done);
    first.set(&job(), Standing::Running).await.unwrap();
    let second = Ledger::open(store.clone(), 2, clock()).await.unwrap();
    assert_eq!(second.entry("orders").await.unwrap().standing, Standing::Running);
    assert!(matches!(
        first.set(&job(), Standing::Cancelled).await,
        Err(Error::Deposed { term: 2, .. })
    ));
    assert!(matches!(first.deposed().await, Error::Deposed { term: 2, .. }));
    let pages = store.paths().len();
    assert!(matches!(first.check_term(), Err(Error::Deposed { .. })));
    assert!(first.set(&job(), Standing::Running).await.is_err());
    assert_eq!(store.paths().len(), pages, "who was followed by another writes no more");
    second.set(&job(), Standing::Finished).await.unwrap();
    let third = Ledger::open(store, 3, clock()).await.unwrap();
    assert_eq!(third.entry("orders").await.unwrap().standing, Standing::Finished);
}

#[tokio::test]
async fn nobody_begins_behind_a_page_of_a_later_leader() {
    let store = Arc::new(Memory::default());
    let later = Ledger::open(store.clone(), 2, clock()).await.unwrap();
    later.set(&job(), Standing::Running).await.unwrap();
    // Claimed term 1, and was held up until now.
    let held_up = Ledger::open(store.clone(), 1, clock()).await;
    assert!(matches!(held_up, Err(Error::Deposed { term: 2, .. })));
    later.set(&job(), Standing::Stopping).await.unwrap();
}
