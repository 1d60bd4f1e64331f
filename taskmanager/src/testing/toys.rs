//! A source of numbers and a shelf for them, which a test can hold up, hang and break.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use arrow::array::{AsArray, Int64Array, RecordBatch};
use arrow::datatypes::Int64Type;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use dataflow::Failure;
use dataflow::contract::{
    Committable, Connector, Cut, Description, Enumerator, EnumeratorContext, InvalidOptions, Polled, Prepared,
    Progress, Reader, ReaderContext, Shape, Sink, SinkConnector, SinkContext, SinkState, SourceConnector, Split, Waker,
    connector,
};
use dataflow::store::{Error, Local, Store, Stores};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::Notify;

/// Rows of one batch of the source.
const BATCH: i64 = 50;

/// A connector `numbers` and a connector `shelf`, and the strings they hang on.
#[derive(Clone, Default)]
pub(crate) struct Toys {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Readers wait at this number until it is raised.
    held_at: AtomicI64,
    hang: AtomicBool,
    /// So many batches more may be written, where somebody counts.
    writes: Mutex<Option<usize>>,
    /// Rings when more may be written.
    allowed: Notify,
    wakers: Mutex<Vec<Waker>>,
    shelf: Mutex<Vec<i64>>,
    committed: Mutex<BTreeSet<String>>,
}

impl Toys {
    /// Readers stop before this number.
    pub(crate) fn hold_at(&self, number: i64) {
        self.shared.held_at.store(number, Ordering::SeqCst);
        self.shared.wakers.lock().iter().for_each(Waker::wake);
    }

    /// Every write of a shelf hangs from now on.
    pub(crate) fn hang(&self) {
        self.shared.hang.store(true, Ordering::SeqCst);
    }

    /// From now on shelves write so many batches more; none for as many as there are.
    pub(crate) fn allow_writes(&self, batches: Option<usize>) {
        *self.shared.writes.lock() = batches;
        self.shared.allowed.notify_waiters();
    }

    /// What was committed, sorted.
    pub(crate) fn shelf(&self) -> Vec<i64> {
        let mut shelf = self.shared.shelf.lock().clone();
        shelf.sort_unstable();
        shelf
    }

    /// The two connectors.
    pub(crate) fn connectors(&self) -> Vec<Arc<dyn Connector>> {
        vec![
            Arc::new(Numbers(Arc::clone(&self.shared))),
            Arc::new(Shelf(Arc::clone(&self.shared))),
        ]
    }

    /// The split of the numbers from `from` up to `to`; reading `broken` fails.
    pub(crate) fn split(from: i64, to: i64, broken: Option<i64>) -> Split {
        Split {
            id: format!("{from}-{to}"),
            spec: json!({"to": to, "broken": broken}),
            position: json!(from),
        }
    }
}

fn description() -> Description {
    Description {
        summary: "A toy.",
        guarantee: Some(connector::Guarantee::ExactlyOnce),
        examples: &[],
    }
}

struct Numbers(Arc<Shared>);

impl Shared {
    /// Waits until one more batch may be written.
    async fn may_write(&self) {
        loop {
            let allowed = self.allowed.notified();
            tokio::pin!(allowed);
            allowed.as_mut().enable();
            match &mut *self.writes.lock() {
                None => return,
                Some(0) => {}
                Some(left) => {
                    *left -= 1;
                    return;
                }
            }
            allowed.await;
        }
    }
}

impl Connector for Numbers {
    fn name(&self) -> &'static str {
        "numbers"
    }

    fn describe(&self) -> Description {
        description()
    }

    fn source(&self) -> Option<&dyn SourceConnector> {
        Some(self)
    }
}

impl SourceConnector for Numbers {
    fn schema(&self) -> Value {
        Value::Bool(true)
    }

    fn plan(&self, _: &Value) -> Result<Shape, InvalidOptions> {
        Ok(Shape::Discovered)
    }

    fn enumerator(&self, _: &Value, _: EnumeratorContext, _: Option<Value>) -> Result<Box<dyn Enumerator>, Failure> {
        Err(Failure::bug("the test assigns splits itself"))
    }

    fn reader(&self, _: &Value, context: ReaderContext) -> Result<Box<dyn Reader>, Failure> {
        self.0.wakers.lock().push(context.waker);
        Ok(Box::new(NumberReader {
            shared: Arc::clone(&self.0),
            output: context.output,
            splits: vec![],
            complete: false,
        }))
    }
}

struct NumberReader {
    shared: Arc<Shared>,
    output: SchemaRef,
    splits: Vec<Split>,
    complete: bool,
}

impl Reader for NumberReader {
    fn assign(&mut self, splits: Vec<Split>) -> Result<(), Failure> {
        self.splits.extend(splits);
        Ok(())
    }

    fn no_more_splits(&mut self) {
        self.complete = true;
    }

    fn poll(&mut self) -> Result<Polled, Failure> {
        let Some(split) = self.splits.first_mut() else {
            return Ok(if self.complete { Polled::End } else { Polled::Wait });
        };
        let (from, to) = (split.position.as_i64().unwrap(), split.spec["to"].as_i64().unwrap());
        if from >= to {
            return Ok(Polled::Finished(self.splits.remove(0).id));
        }
        let until = to.min(from + BATCH).min(self.shared.held_at.load(Ordering::SeqCst));
        if from >= until {
            return Ok(Polled::Wait);
        }
        if split.spec["broken"]
            .as_i64()
            .is_some_and(|broken| (from..until).contains(&broken))
        {
            return Err(Failure::fail("the world has changed"));
        }
        split.position = json!(until);
        let numbers = Int64Array::from_iter_values(from..until);
        Ok(Polled::Batch(
            RecordBatch::try_new(Arc::clone(&self.output), vec![Arc::new(numbers)]).unwrap(),
        ))
    }

    fn snapshot(&self) -> Vec<Split> {
        self.splits.clone()
    }

    fn progress(&self) -> Progress {
        Progress::default()
    }
}

struct Shelf(Arc<Shared>);

impl Connector for Shelf {
    fn name(&self) -> &'static str {
        "shelf"
    }

    fn describe(&self) -> Description {
        description()
    }

    fn sink(&self) -> Option<&dyn SinkConnector> {
        Some(self)
    }
}

impl SinkConnector for Shelf {
    fn schema(&self) -> Value {
        Value::Bool(true)
    }

    fn plan(&self, _: &Value, _: &SchemaRef) -> Result<dataflow::contract::sink::Wants, InvalidOptions> {
        Ok(dataflow::contract::sink::Wants::default())
    }

    fn sink(&self, _: &Value, context: SinkContext) -> Result<Box<dyn Sink>, Failure> {
        let prefix = format!("{}/{}", context.subtask, context.attempt);
        Ok(Box::new(ShelfSink {
            shared: Arc::clone(&self.0),
            prefix,
            prepared: 0,
            rows: vec![],
        }))
    }
}

struct ShelfSink {
    shared: Arc<Shared>,
    prefix: String,
    prepared: u32,
    rows: Vec<i64>,
}

#[async_trait]
impl Sink for ShelfSink {
    async fn write(&mut self, batch: RecordBatch) -> Result<(), Failure> {
        if self.shared.hang.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        self.shared.may_write().await;
        self.rows.extend(batch.column(0).as_primitive::<Int64Type>().values());
        Ok(())
    }

    async fn prepare(&mut self, _: Cut) -> Result<Prepared, Failure> {
        self.prepared += 1;
        let rows = std::mem::take(&mut self.rows);
        let name = format!("{}/{}", self.prefix, self.prepared);
        let committables = if rows.is_empty() {
            vec![]
        } else {
            vec![Committable(json!({"name": name, "rows": rows}))]
        };
        Ok(Prepared {
            committables,
            state: SinkState(json!(self.prepared)),
        })
    }

    async fn commit(&mut self, committables: Vec<Committable>) -> Result<(), Failure> {
        for Committable(value) in committables {
            if self
                .shared
                .committed
                .lock()
                .insert(value["name"].as_str().unwrap().to_owned())
            {
                let rows = value["rows"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|row| row.as_i64().unwrap());
                self.shared.shelf.lock().extend(rows);
            }
        }
        Ok(())
    }
}

/// One folder of this machine, whatever is asked for.
pub(crate) struct OneFolder(pub(crate) PathBuf);

impl Stores for OneFolder {
    fn open(&self, _: &str) -> Result<Arc<dyn Store>, Error> {
        Ok(Arc::new(Local::open(self.0.clone())))
    }
}

/// No store at all: the toys need none.
pub(crate) struct NoStores;

impl Stores for NoStores {
    fn open(&self, url: &str) -> Result<Arc<dyn Store>, Error> {
        panic!("a toy opened {url}")
    }
}
