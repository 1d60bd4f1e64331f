//! The contract of sinks, as a suite that every sink with two phases runs.
//!
//! [`check`] proves: nothing is visible before its commit; what is prepared survives the writer; a commit may be repeated,
//! also by another attempt; files that go on across checkpoints, aborted barriers and changes of parallelism lose and double
//! nothing; an epoch without rows is none; unknown options are refused. [`check_walks`] does the same by chance:
//! writes, barriers, commits and crashes in any order.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arrow::array::{
    ArrayRef, BinaryViewArray, DictionaryArray, Int64Array, RecordBatch, StringArray, StringViewArray,
    TimestampMillisecondArray, UInt64Array,
};
use arrow::datatypes::Int32Type;
use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef};
use futures::future::BoxFuture;
use serde_json::{Value, json};

use crate::contract::sink::Wants;
use crate::contract::{
    Committable, Connector, Cut, Encoder, Encoding, Format, Lines, Prepared, Sink, SinkConnector, SinkContext,
    SinkState,
};
use crate::element::{Roll, columns};
use crate::id::{Epoch, SubtaskId, VertexId};
use crate::store::Stores;
use crate::time::ManualClock;

/// The types of the events that are written.
pub const EVENT_TYPES: [&str; 3] = ["VIEW", "PURCHASE", "ADD/TO CART"];
/// The event time of the row 0, 2026-11-22T23:59:00Z; each row is a second later than the one before.
pub const TIME_START: i64 = 1_795_391_940_000;
/// So many steps has a walk.
const WALK_STEPS: usize = 40;

/// Which rows a sink is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// Records as bytes, `{"n":7,"eventType":"VIEW"}`.
    Open,
    /// Columns `n` (Int64) and `eventType` (Utf8View).
    Typed,
}

/// A sink under test, and the world it writes to.
#[derive(Clone)]
pub struct Subject {
    /// The connector.
    pub connector: Arc<dyn Connector>,
    /// Its options.
    pub options: Value,
    /// How rows become bytes, if it wants that.
    pub format: Option<(Arc<dyn Format>, Value)>,
    /// Which rows it is given.
    pub rows: Rows,
    /// Where it writes.
    pub stores: Arc<dyn Stores>,
    /// The numbers `n` of all rows that an outside reader finds, in any order.
    pub visible: Arc<dyn Fn() -> BoxFuture<'static, Vec<i64>> + Send + Sync>,
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {:?}", self.connector.name(), self.options, self.rows)
    }
}

impl Subject {
    fn sink_side(&self) -> &dyn SinkConnector {
        self.connector.sink().expect("the connector has a sink")
    }

    /// What it wants of its rows.
    #[must_use]
    pub fn wants(&self) -> Wants {
        let all = [columns::split(), columns::position(), columns::time()];
        let schema = Schema::new(user_fields(self.rows).into_iter().chain(all).collect::<Vec<FieldRef>>());
        self.sink_side()
            .plan(&self.options, &Arc::new(schema))
            .expect("the options of the subject can work")
    }

    /// The schema of its rows: user columns, paths it reads, and the reserved columns it wants.
    #[must_use]
    pub fn input(&self) -> SchemaRef {
        let wants = self.wants();
        let mut fields: Vec<FieldRef> = user_fields(self.rows)
            .into_iter()
            .filter(|field| !columns::is_reserved(field.name()))
            .collect();
        let reads = |name: &str| wants.paths.iter().any(|(path, _)| path.to_string() == name);
        if self.rows == Rows::Open && reads("eventType") {
            fields.push(Arc::new(Field::new("eventType", DataType::Utf8View, true)));
        }
        let order = [columns::raw(), columns::split(), columns::position(), columns::time()];
        fields.extend(order.into_iter().filter(|field| wants.reserved.contains(field.name())));
        Arc::new(Schema::new(fields))
    }

    /// The rows with these numbers, as lines if it wants that.
    ///
    /// # Panics
    /// Never: the columns are made for the schema.
    #[must_use]
    pub fn batch(&self, numbers: std::ops::Range<i64>) -> RecordBatch {
        let schema = self.input();
        let arrays = schema
            .fields()
            .iter()
            .map(|field| column(field.name(), numbers.clone()))
            .collect();
        let rows = RecordBatch::try_new(schema, arrays).expect("the columns are made for the schema");
        let Some((_, mut encoder)) = self.encoder() else {
            return rows;
        };
        let mut lines = Lines::default();
        assert_eq!(encoder.encode(&rows, &mut lines), [], "these rows can be written");
        lines.into_rows()
    }

    fn encoder(&self) -> Option<(&'static str, Box<dyn Encoder>)> {
        let (format, options) = self.format.as_ref().filter(|_| self.wants().encoded)?;
        let encoder = format.encoder(options, self.input());
        Some((format.name(), encoder.expect("the format writes such rows")))
    }

    /// A sink of a new attempt that goes on from these states.
    ///
    /// # Panics
    /// When the connector refuses.
    #[must_use]
    pub fn sink(&self, clock: &ManualClock, restored: Vec<SinkState>) -> Box<dyn Sink> {
        static ATTEMPTS: AtomicU64 = AtomicU64::new(0);
        let context = SinkContext {
            job: "contract@1".parse().expect("a job id"),
            step: "sink".to_owned(),
            subtask: SubtaskId {
                vertex: VertexId(1),
                index: 0,
            },
            attempt: format!("gen-1.1-{}", ATTEMPTS.fetch_add(1, Ordering::Relaxed)),
            epoch: Epoch(1),
            stores: Arc::clone(&self.stores),
            clock: Arc::new(clock.clone()),
            input: self.input(),
            encoding: self.encoder().map(|(format, encoder)| Encoding {
                format: format.to_owned(),
                header: encoder.header(),
            }),
            restored,
        };
        self.sink_side()
            .sink(&self.options, context)
            .expect("the options of the subject can work")
    }
}

fn user_fields(rows: Rows) -> Vec<FieldRef> {
    match rows {
        Rows::Open => vec![columns::raw()],
        Rows::Typed => {
            vec![
                Arc::new(Field::new("n", DataType::Int64, false)),
                Arc::new(Field::new("eventType", DataType::Utf8View, true)),
            ]
        }
    }
}

fn event_type(number: i64) -> &'static str {
    EVENT_TYPES[usize::try_from(number).unwrap_or(0) % EVENT_TYPES.len()]
}

fn column(name: &str, numbers: std::ops::Range<i64>) -> ArrayRef {
    let record = |n: i64| format!("{{\"n\":{n},\"eventType\":\"{}\"}}", event_type(n));
    match name {
        columns::RAW => Arc::new(BinaryViewArray::from_iter_values(numbers.map(record))),
        columns::TIME => Arc::new(
            TimestampMillisecondArray::from_iter_values(numbers.map(|n| TIME_START + n * 1_000)).with_timezone("UTC"),
        ),
        columns::POSITION => Arc::new(UInt64Array::from_iter_values(
            numbers.map(|n| u64::try_from(n).unwrap_or(0)),
        )),
        columns::SPLIT => {
            let keys = numbers.map(|n| i32::try_from(n % 2).unwrap_or(0)).collect::<Vec<_>>();
            Arc::new(DictionaryArray::<Int32Type>::new(
                keys.into(),
                Arc::new(StringArray::from(vec!["split-0", "split-1"])),
            ))
        }
        "eventType" => Arc::new(StringViewArray::from_iter_values(numbers.map(event_type))),
        _ => Arc::new(Int64Array::from_iter_values(numbers)),
    }
}

/// A subject, its clock, and what should be visible.
struct Check<'subject> {
    subject: &'subject Subject,
    clock: ManualClock,
    next: i64,
    committed: Vec<i64>,
}

const KEEP: Cut = Cut { roll: Roll::Keep };
const ALL: Cut = Cut { roll: Roll::All };

impl Check<'_> {
    fn sink(&self, restored: Vec<SinkState>) -> Box<dyn Sink> {
        self.subject.sink(&self.clock, restored)
    }

    /// Writes this many rows of new numbers, in a few batches.
    async fn write(&mut self, sink: &mut dyn Sink, rows: i64) -> std::ops::Range<i64> {
        let range = self.next..self.next + rows;
        self.next += rows;
        self.rewrite(sink, range.clone()).await;
        range
    }

    async fn rewrite(&self, sink: &mut dyn Sink, range: std::ops::Range<i64>) {
        let middle = range.start + (range.end - range.start) / 3;
        for part in [range.start..middle, middle..range.end] {
            sink.write(self.subject.batch(part)).await.expect("writes");
        }
    }

    async fn assert_visible(&mut self, what: &str) {
        let mut visible = (self.subject.visible)().await;
        visible.sort_unstable();
        self.committed.sort_unstable();
        assert_eq!(visible, self.committed, "{what}: {:?}", self.subject);
    }
}

async fn prepare(sink: &mut dyn Sink, cut: Cut) -> Prepared {
    sink.prepare(cut).await.expect("prepares")
}

async fn commit(sink: &mut dyn Sink, committables: &[Committable]) {
    sink.commit(committables.to_vec()).await.expect("commits");
}

/// Checks every sentence of the contract.
///
/// # Panics
/// Where the sink breaks the contract.
pub async fn check(subject: &Subject) {
    check_options(subject);
    let mut check = Check {
        subject,
        clock: ManualClock::new(),
        next: 0,
        committed: (subject.visible)().await,
    };
    assert!(check.committed.is_empty(), "the suite begins in an empty world");
    check_commits(&mut check).await;
    check_crashes(&mut check).await;
    check_empty_epochs(&mut check).await;
    check_files_that_go_on(&mut check).await;
    check_aborted_barriers(&mut check).await;
    check_fewer_subtasks(&mut check).await;
}

/// Checks that options nobody knows are refused, and that the schema says so.
///
/// # Panics
/// Where they are taken.
pub fn check_options(subject: &Subject) {
    let mut options = subject.options.clone();
    if let Some(options) = options.as_object_mut() {
        options.insert("noSuchOption".to_owned(), json!(1));
    }
    let refused = subject.sink_side().plan(&options, &subject.input());
    assert!(
        refused.is_err_and(|error| error.message.contains("noSuchOption")),
        "an unknown option is refused by its name"
    );
    let schema = subject.sink_side().schema();
    assert_eq!(
        schema["additionalProperties"],
        json!(false),
        "the schema knows no unknown options: {schema}"
    );
    let described = |(name, property): (&String, &Value)| {
        assert!(property["description"].is_string(), "the option `{name}` is described")
    };
    schema["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .for_each(described);
}

async fn check_commits(check: &mut Check<'_>) {
    let mut sink = check.sink(Vec::new());
    let rows = check.write(sink.as_mut(), 100).await;
    check.assert_visible("nothing is visible that was only written").await;
    let prepared = prepare(sink.as_mut(), ALL).await;
    assert!(
        !prepared.committables.is_empty(),
        "rows that are closed must be committed"
    );
    check.assert_visible("nothing is visible that was only prepared").await;
    commit(sink.as_mut(), &prepared.committables).await;
    check.committed.extend(rows);
    check.assert_visible("what was committed is visible").await;
    commit(sink.as_mut(), &prepared.committables).await;
    check.assert_visible("the second commit changes nothing").await;
    let mut other = check.sink(vec![prepared.state]);
    commit(other.as_mut(), &prepared.committables).await;
    check
        .assert_visible("the commit of another attempt changes nothing")
        .await;
    let more = check.write(sink.as_mut(), 10).await;
    let prepared = prepare(sink.as_mut(), ALL).await;
    tokio::join!(
        commit(sink.as_mut(), &prepared.committables),
        commit(other.as_mut(), &prepared.committables)
    );
    check.committed.extend(more);
    check
        .assert_visible("two attempts that commit at once publish once")
        .await;
}

async fn check_crashes(check: &mut Check<'_>) {
    let mut sink = check.sink(Vec::new());
    let rows = check.write(sink.as_mut(), 100).await;
    let prepared = prepare(sink.as_mut(), ALL).await;
    let lost = check.write(sink.as_mut(), 30).await;
    drop(sink);
    check.assert_visible("a crash publishes nothing").await;
    let mut sink = check.sink(vec![prepared.state]);
    commit(sink.as_mut(), &prepared.committables).await;
    check.committed.extend(rows);
    check.assert_visible("what was prepared outlives its writer").await;
    check.rewrite(sink.as_mut(), lost.clone()).await;
    let prepared = prepare(sink.as_mut(), ALL).await;
    commit(sink.as_mut(), &prepared.committables).await;
    check.committed.extend(lost);
    check
        .assert_visible("what was not prepared is forgotten, and comes again from the source")
        .await;
}

async fn check_empty_epochs(check: &mut Check<'_>) {
    let mut sink = check.sink(Vec::new());
    for cut in [KEEP, ALL, KEEP] {
        let prepared = prepare(sink.as_mut(), cut).await;
        assert!(
            prepared.committables.is_empty(),
            "an epoch without rows has nothing to commit"
        );
        commit(sink.as_mut(), &[]).await;
        sink = check.sink(vec![prepared.state]);
    }
    sink.write(check.subject.batch(0..0)).await.expect("writes no rows");
    let prepared = prepare(sink.as_mut(), ALL).await;
    assert!(prepared.committables.is_empty(), "no rows are nothing to commit");
    check.assert_visible("epochs without rows make nothing").await;
}

async fn check_files_that_go_on(check: &mut Check<'_>) {
    let mut sink = check.sink(Vec::new());
    for epoch in 0..12 {
        let rows = check.write(sink.as_mut(), 20).await;
        check.clock.advance(Duration::from_millis(900));
        let prepared = prepare(sink.as_mut(), if epoch == 11 { ALL } else { KEEP }).await;
        if epoch % 3 == 2 {
            sink = check.sink(vec![prepared.state]);
        }
        commit(sink.as_mut(), &prepared.committables).await;
        check.committed.extend(rows);
    }
    check
        .assert_visible("files that go on across checkpoints and attempts end up whole")
        .await;
}

async fn check_aborted_barriers(check: &mut Check<'_>) {
    let mut sink = check.sink(Vec::new());
    let mut kept = Vec::new();
    for cut in [KEEP, ALL, KEEP, ALL] {
        let rows = check.write(sink.as_mut(), 20).await;
        check.committed.extend(rows);
        kept.extend(prepare(sink.as_mut(), cut).await.committables);
    }
    commit(sink.as_mut(), &kept).await;
    check
        .assert_visible("what was prepared for an aborted barrier goes with the next")
        .await;
}

async fn check_fewer_subtasks(check: &mut Check<'_>) {
    let mut states = Vec::new();
    for _ in 0..3 {
        let mut sink = check.sink(Vec::new());
        let rows = check.write(sink.as_mut(), 20).await;
        check.committed.extend(rows);
        let prepared = prepare(sink.as_mut(), KEEP).await;
        commit(sink.as_mut(), &prepared.committables).await;
        states.push(prepared.state);
    }
    let mut sink = check.sink(states);
    let rows = check.write(sink.as_mut(), 20).await;
    check.committed.extend(rows);
    let prepared = prepare(sink.as_mut(), ALL).await;
    commit(sink.as_mut(), &prepared.committables).await;
    check.assert_visible("one subtask goes on for three").await;
}

/// Walks by chance: writes, barriers, aborted barriers, commits and crashes, from a seed; in the end every row is there once.
///
/// # Panics
/// Where the sink breaks the contract; the seed is in the message.
pub async fn check_walks(subject: &Subject, seeds: std::ops::Range<u64>) {
    let clock = ManualClock::new();
    let mut check = Check {
        subject,
        clock,
        next: 0,
        committed: (subject.visible)().await,
    };
    check.next = check.committed.iter().max().map_or(0, |last| last + 1);
    for seed in seeds {
        let from = check.next;
        let mut walk = Walk {
            chance: seed.wrapping_mul(2) + 1,
            record: Prepared::default(),
            kept: Vec::new(),
            unrecorded: Vec::new(),
        };
        let mut sink = check.sink(Vec::new());
        for _ in 0..WALK_STEPS {
            walk.step(&mut check, &mut sink).await;
        }
        walk.barrier(sink.as_mut(), ALL).await;
        commit(sink.as_mut(), &walk.record.committables).await;
        check.committed.extend(from..check.next);
        check.assert_visible(&format!("after the walk of seed {seed}")).await;
    }
}

/// What a job manager knows on a walk.
struct Walk {
    chance: u64,
    /// The head of the chain of epochs.
    record: Prepared,
    /// Committables of barriers that have no record yet.
    kept: Vec<Committable>,
    /// Rows since the last record.
    unrecorded: Vec<std::ops::Range<i64>>,
}

impl Walk {
    fn draw(&mut self, below: u64) -> u64 {
        // Knuth's multiplier for 64 bits; the low bits are weak, so the high ones are taken.
        self.chance = self
            .chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.chance >> 33) % below
    }

    async fn step(&mut self, check: &mut Check<'_>, sink: &mut Box<dyn Sink>) {
        check.clock.advance(Duration::from_millis(500));
        match self.draw(10) {
            0..5 => {
                let rows = i64::try_from(self.draw(60)).unwrap_or(0);
                self.unrecorded.push(check.write(sink.as_mut(), rows).await);
            }
            5 => {
                // A barrier that is aborted: what was made for it stays with the sink's operator.
                let prepared = prepare(sink.as_mut(), KEEP).await;
                self.kept.extend(prepared.committables);
            }
            6 | 7 => {
                let cut = if self.draw(3) == 0 { ALL } else { KEEP };
                self.barrier(sink.as_mut(), cut).await;
                commit(sink.as_mut(), &self.record.committables).await;
            }
            8 => {
                // The crash comes after the record and before the commit.
                self.barrier(sink.as_mut(), KEEP).await;
                self.restore(check, sink).await;
            }
            _ => self.restore(check, sink).await,
        }
    }

    async fn barrier(&mut self, sink: &mut dyn Sink, cut: Cut) {
        let mut prepared = prepare(sink, cut).await;
        let mut committables = std::mem::take(&mut self.kept);
        committables.append(&mut prepared.committables);
        self.record = Prepared {
            committables,
            state: prepared.state,
        };
        self.unrecorded.clear();
    }

    async fn restore(&mut self, check: &Check<'_>, sink: &mut Box<dyn Sink>) {
        *sink = check.sink(vec![self.record.state.clone()]);
        self.kept.clear();
        commit(sink.as_mut(), &self.record.committables).await;
        for rows in self.unrecorded.clone() {
            check.rewrite(sink.as_mut(), rows).await;
        }
    }
}
