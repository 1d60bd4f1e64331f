//! Where the tasks of simulated job managers leave what they want of the world: time, the store, an answer to a dial.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use dataflow::store::{Error, Object, Store, Stores, Upload};
use dataflow::time::{Clock, Instant, WallTime};
use jobmanager::leader::{Answer, Asker, Claim};
use parking_lot::Mutex;
use tokio::sync::oneshot;

/// One life of one simulated process.
pub(super) type Client = u32;

/// What somebody wants of the world.
#[derive(Debug)]
pub(super) enum Ask {
    Store(Client, Request),
    Sleep(Client, Instant, oneshot::Sender<()>),
    Dial(Client, Claim, oneshot::Sender<Answer>),
}

/// A request to the store.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) path: String,
    pub(super) what: What,
    pub(super) reply: Reply,
}

pub(super) type Reply = oneshot::Sender<Result<Stored, Error>>;

#[derive(Debug)]
pub(super) enum What {
    Create(Bytes),
    Put(Bytes),
    Read,
    Head,
    Delete,
}

/// An answer of the store.
#[derive(Debug)]
pub(super) enum Stored {
    Done,
    Bytes(Bytes),
    Object(Object),
}

/// The one desk of a world.
#[derive(Debug, Default)]
pub(super) struct Desk {
    micros: AtomicU64,
    asks: Mutex<Vec<Ask>>,
}

impl Desk {
    pub(super) fn set(&self, micros: u64) {
        self.micros.store(micros, Ordering::Relaxed);
    }

    pub(super) fn take(&self) -> Vec<Ask> {
        std::mem::take(&mut self.asks.lock())
    }

    fn now(&self) -> Duration {
        Duration::from_micros(self.micros.load(Ordering::Relaxed))
    }

    fn leave(&self, ask: Ask) {
        self.asks.lock().push(ask);
    }
}

/// The desk as one process sees it: its clock, its store, its way to dial.
#[derive(Clone, Debug)]
pub(super) struct Seat {
    pub(super) client: Client,
    pub(super) desk: Arc<Desk>,
}

/// What comes back; never, where the process that asks is not answered any more.
async fn answered<T>(answer: oneshot::Receiver<T>) -> T {
    match answer.await {
        Ok(answer) => answer,
        Err(_gone) => std::future::pending().await,
    }
}

#[async_trait]
impl Clock for Seat {
    fn now(&self) -> Instant {
        Instant::from_start(self.desk.now())
    }

    fn wall(&self) -> WallTime {
        WallTime(i64::try_from(self.desk.now().as_millis()).unwrap_or(i64::MAX))
    }

    async fn sleep_until(&self, deadline: Instant) {
        if deadline <= self.now() {
            return;
        }
        let (reply, answer) = oneshot::channel();
        self.desk.leave(Ask::Sleep(self.client, deadline, reply));
        answered(answer).await;
    }
}

#[async_trait]
impl Asker for Seat {
    async fn ask(&self, claim: &Claim) -> Answer {
        let (reply, answer) = oneshot::channel();
        self.desk.leave(Ask::Dial(self.client, claim.clone(), reply));
        answered(answer).await
    }
}

const URL: &str = "simulated://";

impl Seat {
    async fn request(&self, path: &str, what: What) -> Result<Stored, Error> {
        let (reply, answer) = oneshot::channel();
        let path = path.to_owned();
        self.desk.leave(Ask::Store(self.client, Request { path, what, reply }));
        answered(answer).await
    }

    async fn done(&self, path: &str, what: What) -> Result<(), Error> {
        self.request(path, what).await.map(drop)
    }
}

fn never_used() -> Error {
    Error::Refused {
        url: URL.to_owned(),
        reason: "the control plane uses no such request".to_owned(),
    }
}

/// What an object that is not there is.
pub(super) fn missing(path: &str) -> Error {
    Error::Missing {
        url: URL.to_owned(),
        path: path.to_owned(),
    }
}

/// What an object that is there already is.
pub(super) fn exists(path: &str) -> Error {
    Error::Exists {
        url: URL.to_owned(),
        path: path.to_owned(),
    }
}

/// What an answer that did not come is.
pub(super) fn unknown(path: &str) -> Error {
    Error::Unknown {
        url: URL.to_owned(),
        path: path.to_owned(),
        source: "the answer got lost".into(),
    }
}

#[async_trait]
impl Store for Seat {
    fn url(&self) -> &str {
        URL
    }

    fn local_root(&self) -> Option<&Path> {
        None
    }

    async fn create(&self, path: &str, bytes: Bytes) -> Result<(), Error> {
        self.done(path, What::Create(bytes)).await
    }

    async fn put(&self, path: &str, bytes: Bytes) -> Result<(), Error> {
        self.done(path, What::Put(bytes)).await
    }

    async fn upload(&self, _path: &str) -> Result<Box<dyn Upload>, Error> {
        Err(never_used())
    }

    async fn read(&self, path: &str) -> Result<Bytes, Error> {
        match self.request(path, What::Read).await? {
            Stored::Bytes(bytes) => Ok(bytes),
            Stored::Done | Stored::Object(_) => Err(never_used()),
        }
    }

    async fn read_range(&self, _path: &str, _range: Range<u64>) -> Result<Bytes, Error> {
        Err(never_used())
    }

    async fn head(&self, path: &str) -> Result<Object, Error> {
        match self.request(path, What::Head).await? {
            Stored::Object(object) => Ok(object),
            Stored::Done | Stored::Bytes(_) => Err(never_used()),
        }
    }

    async fn copy(&self, _from: &str, _to: &str) -> Result<(), Error> {
        Err(never_used())
    }

    async fn list(&self, _prefix: &str) -> Result<Vec<Object>, Error> {
        Err(never_used())
    }

    async fn delete(&self, path: &str) -> Result<(), Error> {
        self.done(path, What::Delete).await
    }
}

impl Stores for Seat {
    fn open(&self, _url: &str) -> Result<Arc<dyn Store>, Error> {
        Err(never_used())
    }
}
