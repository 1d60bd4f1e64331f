//! The contract of sources, as a suite that every source connector runs on data of its own.
//!
//! [`check`] proves of a bounded source: a snapshot at any point, restored in a new reader, yields exactly the rows that
//! were not returned, in order; finished splits vanish; the end comes only after [`Reader::no_more_splits`]; every wait is
//! followed by a wake; batches are bounded and of one split; nothing is discovered twice; unknown options are refused.
#![expect(
    clippy::unwrap_used,
    reason = "the suite is a test: a failure of the connector ends it where it happens"
)]

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use arrow_schema::SchemaRef;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::contract::{
    Alignment, Connector, Enumerator, EnumeratorContext, Framing, Order, Polled, Reader, ReaderContext,
    SourceConnector, Split, Waker,
};
use crate::element::{BATCH_ROWS_MAX, columns};
use crate::error::Failure;
use crate::scope::Scope;
use crate::store::Stores;
use crate::time::{Clock, ManualClock, SystemClock};

/// How long a promised wake may take: far longer than any test needs, so that only a missing one is found.
const WAKE_DEADLINE: Duration = Duration::from_secs(30);
/// So often a clock is moved on in vain before a wake counts as missing.
const CLOCK_MOVES_MAX: u32 = 30;
/// At so many points a source is cut and restored.
const CUTS: usize = 16;

/// A source under test: a connector with options, and the world it reads.
#[derive(Clone)]
pub struct Subject {
    /// The connector.
    pub connector: Arc<dyn Connector>,
    /// Its options.
    pub options: Value,
    /// The columns to yield.
    pub output: SchemaRef,
    /// How bytes are cut into records.
    pub framing: Framing,
    /// Where it finds its input.
    pub stores: Arc<dyn Stores>,
    /// Moved on by the given step at every wait; without it the machine's clock is used.
    pub clock: Option<(ManualClock, Duration)>,
    /// At most so many bytes may wait inside the reader.
    pub buffer_bytes: usize,
    /// How many readers the enumerator is told of.
    pub parallelism: u32,
    /// Whether somebody asks for the rows' event time.
    pub order: Order,
    /// Whether the splits of a reader are to be kept together.
    pub alignment: Alignment,
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.connector.name(), self.options)
    }
}

impl Subject {
    /// A source of bytes with all reserved columns, lines as records, on the machine's clock.
    #[must_use]
    pub fn new(connector: Arc<dyn Connector>, options: Value, stores: Arc<dyn Stores>) -> Self {
        let fields = vec![columns::raw(), columns::split(), columns::position(), columns::time()];
        Self {
            connector,
            options,
            output: Arc::new(arrow_schema::Schema::new(fields)),
            framing: Framing::Lines,
            stores,
            clock: None,
            buffer_bytes: 4 << 20,
            parallelism: 1,
            order: Order::Free,
            alignment: Alignment::Free,
        }
    }

    /// With other columns.
    #[must_use]
    pub fn output(mut self, output: SchemaRef) -> Self {
        self.output = output;
        self
    }

    /// With another framing.
    #[must_use]
    pub fn framing(mut self, framing: Framing) -> Self {
        self.framing = framing;
        self
    }

    fn source(&self) -> &dyn SourceConnector {
        self.connector.source().expect("the connector under test has a source")
    }
}

/// A source under test, alive.
#[derive(Debug)]
pub struct Harness {
    subject: Subject,
    runtime: Runtime,
    scope: Scope,
    clock: Arc<dyn Clock>,
}

impl Harness {
    /// Brings a subject to life on a runtime of its own.
    #[must_use]
    pub fn new(subject: Subject) -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime for the test");
        let scope = Scope::root("source-under-test", runtime.handle().clone());
        let clock: Arc<dyn Clock> = match &subject.clock {
            Some((clock, _)) => Arc::new(clock.clone()),
            None => Arc::new(SystemClock::start()),
        };
        Self {
            subject,
            runtime,
            scope,
            clock,
        }
    }

    /// Runs an async part of the test.
    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// An enumerator, restored from a snapshot if one is given.
    ///
    /// # Errors
    /// Those of the connector.
    pub fn enumerator(&self, restored: Option<Value>) -> Result<Box<dyn Enumerator>, Failure> {
        let context = EnumeratorContext {
            stores: Arc::clone(&self.subject.stores),
            clock: Arc::clone(&self.clock),
            parallelism: self.subject.parallelism,
            order: self.subject.order,
        };
        self.subject
            .source()
            .enumerator(&self.subject.options, context, restored)
    }

    /// What a first discovery finds.
    ///
    /// # Errors
    /// Those of the connector.
    pub fn splits(&self) -> Result<Vec<Split>, Failure> {
        let mut enumerator = self.enumerator(None)?;
        self.block_on(enumerator.discover()).map(|discovery| discovery.splits)
    }

    /// A reader of these splits.
    ///
    /// # Errors
    /// Those of the connector.
    pub fn reader(&self, splits: Vec<Split>) -> Result<Driven, Failure> {
        // One slot: a wake that finds it full is already heard of.
        let (wake, woken) = crossbeam::channel::bounded(1);
        let context = ReaderContext {
            stores: Arc::clone(&self.subject.stores),
            clock: Arc::clone(&self.clock),
            scope: self.scope.child("reader"),
            waker: Waker::new(move || {
                let _ = wake.try_send(());
            }),
            output: Arc::clone(&self.subject.output),
            framing: self.subject.framing.clone(),
            buffer_bytes: self.subject.buffer_bytes,
            subtask: (0, 1),
            alignment: self.subject.alignment,
        };
        let mut reader = self.subject.source().reader(&self.subject.options, context)?;
        reader.assign(splits)?;
        let clock = self.subject.clock.clone();
        Ok(Driven {
            reader,
            woken,
            clock,
            output: Arc::clone(&self.subject.output),
            read: Rows::new(),
            order: Vec::new(),
        })
    }

    /// Discovers, reads everything and says what there was.
    ///
    /// # Errors
    /// The first failure of the connector.
    pub fn read_all(&self) -> Result<Driven, Failure> {
        let mut reader = self.reader(self.splits()?)?;
        reader.reader.no_more_splits();
        while reader.step()? != Step::Ended {}
        Ok(reader)
    }
}

/// The rows of each split as text, without the time of arrival, in the order in which they came.
pub type Rows = BTreeMap<String, Vec<String>>;

/// What one poll came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Rows, or a finished split.
    Moved,
    /// Everything it has is read, and nobody said that there will be no more.
    Starved,
    /// The end.
    Ended,
}

/// A reader that is polled as a subtask would, and watched.
pub struct Driven {
    /// The reader.
    pub reader: Box<dyn Reader>,
    woken: crossbeam::channel::Receiver<()>,
    clock: Option<(ManualClock, Duration)>,
    output: SchemaRef,
    /// The rows of each split so far.
    pub read: Rows,
    /// The batches so far.
    pub order: Vec<RecordBatch>,
}

impl fmt::Debug for Driven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a reader after {} batches", self.order.len())
    }
}

impl Driven {
    /// Polls until something happens, sleeping as a subtask does: until it is woken.
    ///
    /// # Errors
    /// Those of the connector.
    ///
    /// # Panics
    /// Where the reader breaks its contract.
    pub fn step(&mut self) -> Result<Step, Failure> {
        loop {
            let before = self.reader.snapshot();
            match self.reader.poll()? {
                Polled::Batch(batch) => {
                    self.note(&before, batch);
                    return Ok(Step::Moved);
                }
                Polled::Finished(id) => {
                    assert!(
                        before.iter().any(|split| split.id == id),
                        "`{id}` finished but was not in the snapshot"
                    );
                    let held = self.reader.snapshot();
                    assert!(
                        held.iter().all(|split| split.id != id),
                        "`{id}` is finished and still in the snapshot"
                    );
                    return Ok(Step::Moved);
                }
                Polled::Wait if before.is_empty() => return Ok(Step::Starved),
                Polled::Wait => {
                    let woken = self.wait();
                    assert!(
                        woken,
                        "the reader had nothing, holds {before:?}, and never woke its subtask"
                    );
                }
                Polled::End => {
                    assert!(before.is_empty(), "the end with unfinished splits: {before:?}");
                    return Ok(Step::Ended);
                }
            }
        }
    }

    /// Sleeps until woken; a clock that stands still is moved on, at first and whenever nothing happens for a while.
    fn wait(&self) -> bool {
        let Some((clock, step)) = &self.clock else {
            return self.woken.recv_timeout(WAKE_DEADLINE).is_ok();
        };
        let patience = WAKE_DEADLINE / CLOCK_MOVES_MAX;
        (0..CLOCK_MOVES_MAX).any(|_| {
            clock.advance(*step);
            self.woken.recv_timeout(patience).is_ok()
        })
    }

    fn note(&mut self, before: &[Split], batch: RecordBatch) {
        assert!(batch.num_rows() > 0, "a batch without rows");
        assert!(
            batch.num_rows() <= BATCH_ROWS_MAX,
            "a batch of {} rows",
            batch.num_rows()
        );
        assert_eq!(batch.schema(), self.output, "the columns that were asked for");
        let after = self.reader.snapshot();
        let moved = before.iter().filter(|split| !after.contains(split)).collect::<Vec<_>>();
        assert_eq!(moved.len(), 1, "a batch moves one split, this one moved {moved:?}");
        let split = moved[0].id.clone();
        let texts = texts(&batch);
        if let Ok(index) = batch.schema().index_of(columns::SPLIT) {
            let label = column_texts(&batch, index);
            assert!(
                label.iter().all(|label| *label == split),
                "rows of `{split}` are labelled {label:?}"
            );
        }
        self.read.entry(split).or_default().extend(texts);
        self.order.push(batch);
    }

    /// All rows of all splits, in the order in which they came.
    #[must_use]
    pub fn records(&self) -> Vec<Vec<u8>> {
        use arrow::array::AsArray as _;
        let raw = |batch: &RecordBatch| {
            let column = batch
                .column_by_name(columns::RAW)
                .expect("a stream of bytes")
                .as_binary_view()
                .clone();
            column.iter().flatten().map(<[u8]>::to_vec).collect::<Vec<_>>()
        };
        self.order.iter().flat_map(raw).collect()
    }
}

fn column_texts(batch: &RecordBatch, index: usize) -> Vec<String> {
    let options = FormatOptions::default().with_null("NULL");
    let formatter =
        ArrayFormatter::try_new(batch.column(index).as_ref(), &options).expect("columns of Weir can be shown");
    (0..batch.num_rows())
        .map(|row| formatter.value(row).to_string())
        .collect()
}

/// The rows as text; the time of arrival differs from attempt to attempt and is left out.
fn texts(batch: &RecordBatch) -> Vec<String> {
    let schema = batch.schema();
    let shown = (0..schema.fields().len()).filter(|index| schema.field(*index).name() != columns::TIME);
    let columns = shown.map(|index| column_texts(batch, index)).collect::<Vec<_>>();
    (0..batch.num_rows())
        .map(|row| {
            columns
                .iter()
                .map(|column| column[row].as_str())
                .collect::<Vec<_>>()
                .join(" | ")
        })
        .collect()
}

/// Runs the whole suite.
///
/// # Panics
/// With the sentence of the contract that does not hold.
pub fn check(subject: Subject) {
    unknown_options_are_refused(&subject);
    let harness = Harness::new(subject);
    let splits = nothing_is_discovered_twice(&harness);
    let (whole, steps) = the_end_needs_a_word(&harness, &splits);
    assert!(
        steps > splits.len(),
        "the subject of a suite has rows: {:?}",
        harness.subject
    );
    positions_grow(&harness, &splits);
    for cut in cuts(steps) {
        restored_anywhere_the_rest_comes(&harness, &splits, &whole, cut);
    }
    two_readers_share(&harness, splits, &whole);
    harness.scope.cancel();
}

fn cuts(steps: usize) -> impl Iterator<Item = usize> {
    let stride = steps.div_ceil(CUTS).max(1);
    (0..=steps).step_by(stride)
}

fn unknown_options_are_refused(subject: &Subject) {
    let source = subject.source();
    assert!(
        source.plan(&subject.options).is_ok(),
        "the options of the subject are good: {:?}",
        source.plan(&subject.options)
    );
    let mut options = subject.options.clone();
    options["noSuchOption"] = json!(1);
    assert!(source.plan(&options).is_err(), "an option nobody knows is refused");
    assert_eq!(
        source.schema()["additionalProperties"],
        json!(false),
        "the schema refuses options nobody knows"
    );
}

fn nothing_is_discovered_twice(harness: &Harness) -> Vec<Split> {
    let mut enumerator = harness.enumerator(None).unwrap();
    let found = harness.block_on(enumerator.discover()).unwrap();
    assert!(found.next.is_none(), "the subject of the suite is bounded");
    let mut ids = found.splits.iter().map(|split| &split.id).collect::<Vec<_>>();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), found.splits.len(), "ids of splits are unique");
    let again = harness.block_on(enumerator.discover()).unwrap();
    assert_eq!(again.splits, Vec::new(), "splits are reported once");
    let text = enumerator.snapshot().to_string();
    let mut restored = harness.enumerator(Some(serde_json::from_str(&text).unwrap())).unwrap();
    let again = harness.block_on(restored.discover()).unwrap();
    assert_eq!(
        again.splits,
        Vec::new(),
        "splits are reported once, also by a restored enumerator"
    );
    found.splits
}

/// Reads everything without saying that there is no more; the rows, and how many steps they took.
fn the_end_needs_a_word(harness: &Harness, splits: &[Split]) -> (Rows, usize) {
    let mut reader = harness.reader(splits.to_vec()).unwrap();
    let mut steps = 0;
    loop {
        match reader.step().unwrap() {
            Step::Moved => steps += 1,
            Step::Starved => break,
            Step::Ended => panic!("the end came before anybody said that there are no more splits"),
        }
    }
    assert_eq!(reader.reader.snapshot(), Vec::new(), "finished splits vanish");
    reader.reader.no_more_splits();
    assert_eq!(reader.step().unwrap(), Step::Ended);
    (reader.read, steps)
}

fn positions_grow(harness: &Harness, splits: &[Split]) {
    use arrow::array::AsArray as _;
    use arrow::datatypes::UInt64Type;
    for split in splits {
        let mut reader = harness.reader(vec![split.clone()]).unwrap();
        reader.reader.no_more_splits();
        while reader.step().unwrap() != Step::Ended {}
        let mut last = None;
        for position in reader
            .order
            .iter()
            .filter_map(|batch| batch.column_by_name(columns::POSITION))
        {
            for position in position.as_primitive::<UInt64Type>().values() {
                assert!(
                    last.is_none_or(|last| last < *position),
                    "positions grow within `{}`",
                    split.id
                );
                last = Some(*position);
            }
        }
    }
}

fn restored_anywhere_the_rest_comes(harness: &Harness, splits: &[Split], whole: &Rows, cut: usize) {
    let mut first = harness.reader(splits.to_vec()).unwrap();
    for _ in 0..cut {
        assert_eq!(first.step().unwrap(), Step::Moved);
    }
    let snapshot = serde_json::to_string(&first.reader.snapshot()).unwrap();
    let mut rows = first.read;
    drop(first.reader);
    let mut second = harness.reader(serde_json::from_str(&snapshot).unwrap()).unwrap();
    second.reader.no_more_splits();
    while second.step().unwrap() != Step::Ended {}
    for (split, rest) in second.read {
        rows.entry(split).or_default().extend(rest);
    }
    assert!(
        rows == *whole,
        "cut after {cut} steps, restored from {snapshot}: {}",
        difference(&rows, whole)
    );
}

fn two_readers_share(harness: &Harness, splits: Vec<Split>, whole: &Rows) {
    let (even, odd): (Vec<_>, Vec<_>) = splits.into_iter().enumerate().partition(|(index, _)| index % 2 == 0);
    let mut rows = Rows::new();
    for half in [even, odd] {
        let mut reader = harness
            .reader(half.into_iter().map(|(_, split)| split).collect())
            .unwrap();
        reader.reader.no_more_splits();
        while reader.step().unwrap() != Step::Ended {}
        rows.extend(reader.read);
    }
    assert!(rows == *whole, "read by two readers: {}", difference(&rows, whole));
}

/// Where two readings differ first, for the message of a failed test.
fn difference(found: &Rows, expected: &Rows) -> String {
    for (split, rows) in expected {
        let found = found.get(split).map_or(&[][..], Vec::as_slice);
        if let Some(at) = (0..rows.len().max(found.len())).find(|at| rows.get(*at) != found.get(*at)) {
            return format!(
                "`{split}` row {at}: expected {:?}, found {:?}",
                rows.get(at),
                found.get(at)
            );
        }
    }
    "rows of splits that were never there".to_owned()
}
