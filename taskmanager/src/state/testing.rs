//! What the tests of state share: an object store in memory that can be damaged, and values of any length.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use async_trait::async_trait;
use bytes::Bytes;
use dataflow::key::{KeyReader, Keys};
use dataflow::store::{Error, Object, Store, Upload};
use dataflow::time::SystemClock;
use dataflow::{Failure, Scope};
use parking_lot::Mutex;
use tokio::runtime::Runtime;

use super::spill::Limits;
use super::{KeyGroups, Scratch, Shelf, Spill, Values};

/// Objects in memory. They are never created twice.
#[derive(Clone, Debug, Default)]
pub(super) struct Objects {
    pub(super) all: Arc<Mutex<BTreeMap<String, Bytes>>>,
    /// So many requests that change something fail, each second one after it was done.
    pub(super) failing: Arc<AtomicUsize>,
    /// Bytes that were read.
    pub(super) read: Arc<AtomicUsize>,
}

impl Objects {
    fn unknown(&self, path: &str) -> Error {
        Error::Unknown {
            url: "memory".to_owned(),
            path: path.to_owned(),
            source: "made up".into(),
        }
    }

    fn insert(&self, path: &str, bytes: Bytes) -> Result<(), Error> {
        let failing = self.failing.load(Ordering::SeqCst);
        self.failing.store(failing.saturating_sub(1), Ordering::SeqCst);
        if failing % 2 == 1 {
            return Err(self.unknown(path));
        }
        let mut all = self.all.lock();
        if all.contains_key(path) {
            return Err(Error::Exists {
                url: "memory".to_owned(),
                path: path.to_owned(),
            });
        }
        all.insert(path.to_owned(), bytes);
        if failing > 0 { Err(self.unknown(path)) } else { Ok(()) }
    }

    fn get(&self, path: &str) -> Result<Bytes, Error> {
        let found = self.all.lock().get(path).cloned();
        found.ok_or_else(|| Error::Missing {
            url: "memory".to_owned(),
            path: path.to_owned(),
        })
    }

    /// Bytes of all objects.
    pub(super) fn bytes(&self) -> usize {
        self.all.lock().values().map(Bytes::len).sum()
    }
}

#[async_trait]
impl Store for Objects {
    fn url(&self) -> &str {
        "memory"
    }

    fn local_root(&self) -> Option<&std::path::Path> {
        None
    }

    async fn create(&self, path: &str, bytes: Bytes) -> Result<(), Error> {
        self.insert(path, bytes)
    }

    async fn put(&self, _path: &str, _bytes: Bytes) -> Result<(), Error> {
        unreachable!("nothing is ever overwritten")
    }

    async fn upload(&self, path: &str) -> Result<Box<dyn Upload>, Error> {
        Ok(Box::new(Uploading {
            objects: self.clone(),
            path: path.to_owned(),
            bytes: Vec::new(),
        }))
    }

    async fn read(&self, path: &str) -> Result<Bytes, Error> {
        self.get(path)
    }

    async fn read_range(&self, path: &str, range: Range<u64>) -> Result<Bytes, Error> {
        let bytes = self.get(path)?;
        let at = |at: u64| usize::try_from(at).unwrap().min(bytes.len());
        let bytes = bytes.slice(at(range.start)..at(range.end));
        self.read.fetch_add(bytes.len(), Ordering::SeqCst);
        Ok(bytes)
    }

    async fn head(&self, path: &str) -> Result<Object, Error> {
        let size = self.get(path)?.len() as u64;
        Ok(Object {
            path: path.to_owned(),
            size,
            version: String::new(),
        })
    }

    async fn copy(&self, _from: &str, _to: &str) -> Result<(), Error> {
        unreachable!("nothing is copied")
    }

    async fn list(&self, _prefix: &str) -> Result<Vec<Object>, Error> {
        unreachable!("nothing depends on lists")
    }

    async fn delete(&self, path: &str) -> Result<(), Error> {
        self.all.lock().remove(path);
        Ok(())
    }
}

struct Uploading {
    objects: Objects,
    path: String,
    bytes: Vec<u8>,
}

#[async_trait]
impl Upload for Uploading {
    async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), Error> {
        self.objects.insert(&self.path, std::mem::take(&mut self.bytes).into())
    }

    async fn abort(&mut self) {}
}

/// Values of any length.
#[derive(Debug, Default)]
pub(super) struct Texts(pub(super) Vec<Vec<u8>>);

impl Values for Texts {
    fn grow(&mut self, slots: usize) {
        if self.0.len() < slots {
            self.0.resize(slots, Vec::new());
        }
    }

    fn reset(&mut self, slot: u32) {
        if let Some(value) = self.0.get_mut(slot as usize) {
            *value = Vec::new();
        }
    }

    fn encode(&self, slot: u32, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0[slot as usize]);
    }

    fn decode(&mut self, slot: u32, bytes: &[u8]) -> Result<(), Failure> {
        self.0[slot as usize] = bytes.to_vec();
        Ok(())
    }

    fn clear(&mut self) {
        self.0 = Vec::new();
    }

    fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<Vec<u8>>() + self.0.iter().map(Vec::capacity).sum::<usize>()
    }
}

/// The keys of these strings.
pub(super) fn keys(names: &[String]) -> Keys {
    let schema = Arc::new(Schema::new(vec![Field::new("name", DataType::Utf8, false)]));
    let column = Arc::new(StringArray::from_iter_values(names));
    let rows = RecordBatch::try_new(Arc::clone(&schema), vec![column]).unwrap();
    let reader = KeyReader::new(&schema, &["name".parse().unwrap()]).unwrap();
    reader.encode(&rows).unwrap()
}

/// A runtime of two threads.
pub(super) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// The shelf of these objects.
pub(super) fn shelf(objects: &Objects, runtime: &Runtime, copies: Option<std::path::PathBuf>) -> Shelf {
    let scope = Scope::root("test", runtime.handle().clone());
    Shelf::new(Arc::new(objects.clone()), copies, Arc::new(SystemClock::start()), scope)
}

/// Room on disk for tables of at most so many bytes.
pub(super) fn spill(folder: &std::path::Path, name: &str, groups: &KeyGroups, tables: usize) -> Spill {
    let scratch = Arc::new(Scratch::new(folder.to_owned(), name));
    let limits = Limits { tables, cache: 1 << 20 };
    Spill::new(scratch, "spill".to_owned(), groups.clone(), limits)
}
