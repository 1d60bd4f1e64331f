//! What a tap costs whoever moves rows, what it shows of them, and where it stops.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arrow::array::{
    ArrayRef, BinaryViewArray, Int8Array, Int64Array, RecordBatch, StringViewArray, TimestampMillisecondArray,
};
use arrow_schema::{DataType, Field, Schema};
use dataflow::element::{Batch, columns};
use dataflow::expr::Expression;
use dataflow::time::{Clock as _, Instant, SystemClock};
use dataflow::{Hidden, Registry, recipe};
use serde_json::Value;

use super::allowance::Allowance;
use super::look::Look;
use super::valve::Inlet;
use super::watch::rest;
use super::{Asked, Condition, Counts, Outlet, Row, Shown, Watch};
use crate::task::Identity;
use crate::task::gauges::NodeGauges;
use crate::testing::Json;

fn registry() -> Registry {
    Registry::new(vec![], vec![Arc::new(Json)])
}

fn numbers(range: std::ops::Range<i64>) -> Batch {
    let schema = Schema::new(vec![Field::new("n", DataType::Int64, false)]);
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(range));
    Batch::new(RecordBatch::try_new(Arc::new(schema), vec![numbers]).unwrap())
}

fn records(texts: &[&[u8]]) -> RecordBatch {
    let raw: ArrayRef = Arc::new(BinaryViewArray::from_iter_values(texts.iter()));
    RecordBatch::try_new(Arc::new(Schema::new(vec![columns::raw()])), vec![raw]).unwrap()
}

fn when(sql: &str) -> Condition {
    Condition {
        expression: Expression::new(sql),
        open: None,
    }
}

fn look(condition: Option<Condition>, hidden: &[&str], most: usize) -> Look {
    let hidden = Hidden::new(hidden.iter().map(|path| path.parse().unwrap()).collect());
    Look::new(registry(), condition, (Arc::new(hidden), most))
}

fn texts(rows: &[Row]) -> Vec<&str> {
    rows.iter().map(|row| row.json.as_str()).collect()
}

#[test]
fn a_valve_hands_over_one_batch_for_each_time_it_is_asked_and_never_waits() {
    let gauges = Arc::new(NodeGauges::new("step".to_owned()));
    gauges.valve.pass(&numbers(0..3));
    let mut inlet = Inlet::new(Arc::clone(&gauges), 1);
    gauges.valve.pass(&numbers(3..6));
    let mut next = || {
        let polled = futures::FutureExt::now_or_never(inlet.next());
        polled.flatten().map(|batch| batch.num_rows())
    };
    assert_eq!(next(), None, "nobody has asked");
    gauges.valve.ask(1);
    for _ in 0..1_000 {
        gauges.valve.pass(&numbers(0..5_000));
    }
    assert_eq!((next(), next()), (Some(1_024), None), "a part of one batch, once");
    drop(inlet);
    gauges.valve.pass(&numbers(0..3));
    assert!(format!("{:?}", gauges.valve).contains("open: false"), "nobody is there");
}

#[test]
fn rows_of_columns_are_shown_as_a_sink_writes_them_with_their_time_and_kind_and_without_what_is_hidden() {
    let schema = Schema::new(vec![
        Field::new("n", DataType::Int64, false),
        Field::new("email", DataType::Utf8View, true),
        columns::time().as_ref().clone(),
        columns::kind().as_ref().clone(),
    ]);
    let column: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![1, 2, 3])),
        Arc::new(StringViewArray::from(vec![Some("a@b"), Some("c@d"), None])),
        Arc::new(TimestampMillisecondArray::from(vec![Some(10), None, Some(30)]).with_timezone("UTC")),
        Arc::new(Int8Array::from(vec![columns::INSERT, columns::BEFORE, columns::AFTER])),
    ];
    let rows = RecordBatch::try_new(Arc::new(schema), column).unwrap();
    let mut counts = Counts::default();
    let seen = look(Some(when("n < 3")), &["email"], 100)
        .at(&rows, 10, &mut counts)
        .unwrap();
    assert_eq!(texts(&seen), [r#"{"n":1,"email":"•••"}"#, r#"{"n":2,"email":"•••"}"#]);
    assert_eq!((seen[0].event_time_ms, seen[1].event_time_ms), (Some(10), None));
    assert_eq!((seen[0].kind, seen[1].kind), (columns::INSERT, columns::BEFORE));
    assert_eq!((counts.looked_at, counts.matched), (3, 2));
    let all = look(None, &[], 100)
        .at(&numbers(0..9).into_records(), 3, &mut counts)
        .unwrap();
    assert_eq!(
        texts(&all),
        [r#"{"n":0}"#, r#"{"n":3}"#, r#"{"n":6}"#],
        "from all over the batch"
    );
}

#[test]
fn records_as_bytes_are_shown_byte_for_byte_unless_something_in_them_is_hidden() {
    let record = br#"{"total": 1.50,  "card":"4111"}"#;
    let rows = records(&[record, b"no json", b"\xff\xfe", br#"{"total":0.5}"#]);
    let fields = Schema::new(vec![Field::new("total", DataType::Float64, true)]);
    let format = recipe::Format {
        name: "json".to_owned(),
        options: Value::Null,
    };
    let condition = Condition {
        expression: Expression::new("total > 1"),
        open: Some((Arc::new(fields), format)),
    };
    let mut counts = Counts::default();
    let mut by_condition = look(Some(condition), &[], 100);
    let seen = by_condition.at(&rows, 10, &mut counts).unwrap();
    assert_eq!((counts.looked_at, counts.failed, counts.matched), (4, 2, 1));
    assert!(
        by_condition.failure.is_some(),
        "why the first of them could not be read"
    );
    assert_eq!(
        texts(&seen),
        [std::str::from_utf8(record).unwrap()],
        "who cannot be read does not fit"
    );
    let all = look(None, &[], 100).at(&rows, 10, &mut counts).unwrap();
    assert_eq!((all[1].text.as_str(), all[2].base64.as_str()), ("no json", "//4="));
    let hidden = look(None, &["card"], 100).at(&rows, 10, &mut counts).unwrap();
    assert_eq!(hidden[0].json, r#"{"total":1.5,"card":"•••"}"#);
    assert_eq!(
        (hidden[1].text.as_str(), hidden[2].text.as_str()),
        ("•••", "•••"),
        "nobody knows what is in it"
    );
    let cut = look(None, &[], 8).at(&rows, 1, &mut counts).unwrap();
    assert_eq!(
        (cut[0].text.as_str(), cut[0].cut, cut[0].bytes),
        (r#"{"total""#, true, record.len() as u64)
    );
}

#[test]
fn a_condition_that_does_not_fit_the_rows_is_an_error_and_no_panic() {
    let failure = look(Some(when("m > 1")), &[], 10).at(&numbers(0..3).into_records(), 1, &mut Counts::default());
    assert!(failure.unwrap_err().message.contains("does not fit"));
}

#[test]
fn a_tap_shows_a_second_s_worth_at_once_and_then_so_many_a_second() {
    let mut allowance = Allowance::per_second(10);
    let at = |ms| Instant::from_start(Duration::from_millis(ms));
    assert_eq!(allowance.room(at(5_000)), 10);
    allowance.spend(10, at(5_000));
    assert_eq!((allowance.room(at(5_000)), allowance.room(at(5_350))), (0, 3));
}

#[test]
fn all_watches_of_a_task_manager_share_a_fifth_of_a_core() {
    let outlet = Outlet::default();
    let some: Vec<_> = (0..10).map(|_| outlet.watching()).collect();
    assert_eq!(some[0].count(), 10);
    let looked = Duration::from_millis(2);
    let of_time = |watches: u32| f64::from(watches) * 0.002 / (looked + rest(looked, watches)).as_secs_f64();
    for watches in [1, 2, 10, 512] {
        assert!(
            (0.19..0.21).contains(&of_time(watches)),
            "{watches}: {}",
            of_time(watches)
        );
    }
    drop(some);
    assert_eq!(outlet.watching().count(), 1);
}

#[test]
fn what_waits_for_the_connection_is_bounded_and_the_rest_is_left_out() {
    let outlet = Outlet::default();
    let shown = || Shown {
        identity: identity(),
        tap: 1,
        rows: vec![Row {
            json: "x".repeat(300 << 10),
            ..Row::default()
        }],
        counts: Counts::default(),
        failure: None,
        trouble: None,
    };
    let taken = (0..10).filter(|_| outlet.put(shown())).count();
    assert_eq!(taken, 3);
    assert!(outlet.take().is_some() && outlet.put(shown()), "there is room again");
}

fn identity() -> Identity {
    let subtask = "sub-0.0".parse().unwrap();
    Identity {
        job: "orders@1".parse().unwrap(),
        generation: dataflow::id::Generation::default(),
        obeys: dataflow::id::Generation::default(),
        subtask,
        attempt: "a1".to_owned(),
    }
}

/// A thread that moves rows as fast as it can; nobody takes what is shown.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_moves_rows_does_not_notice_that_nobody_takes_what_is_shown() {
    let gauges = Arc::new(NodeGauges::new("step".to_owned()));
    let (moving, batch) = (Arc::new(AtomicBool::new(true)), numbers(0..8_192));
    let (its, goes_on) = (Arc::clone(&gauges), Arc::clone(&moving));
    let clock = SystemClock::start();
    let mover = std::thread::Builder::new()
        .name("mover".to_owned())
        .spawn(move || {
            let mut slowest = Duration::ZERO;
            while goes_on.load(Ordering::Relaxed) {
                its.records_out.add_size(batch.row_count());
                let began = clock.now();
                its.valve.pass(&batch);
                slowest = slowest.max(clock.now().since(began));
                std::thread::yield_now();
            }
            slowest
        })
        .unwrap();
    let asked = Asked {
        tap: 7,
        condition: Some(when("n % 2 = 0")),
        rows_per_second: 1_000,
        row_bytes_max: 100,
        duration: Duration::from_millis(1_500),
    };
    let outlet = Outlet::default();
    let with = (
        registry(),
        outlet.clone(),
        Arc::new(SystemClock::start()) as Arc<dyn dataflow::time::Clock>,
    );
    let watch = Watch::new((identity(), gauges.clone(), Arc::default()), asked, with);
    watch.run().await;
    moving.store(false, Ordering::Relaxed);
    let slowest = mover.join().unwrap();
    assert!(
        slowest < Duration::from_millis(200),
        "a batch was held up for {slowest:?}"
    );
    let mut last = None;
    let mut rows = 0;
    while let Some(shown) = outlet.take() {
        let is_even = |row: &Row| row.json.ends_with(['0', '2', '4', '6', '8', '}']) && row.json.starts_with("{\"n\":");
        assert!(shown.rows.iter().all(is_even), "{shown:?}");
        rows += shown.rows.len() as u64;
        last = Some(shown.counts);
    }
    let counts = last.unwrap();
    assert!(rows > 0 && rows == counts.shown, "{rows} {counts:?}");
    assert!(
        counts.passed > counts.looked_at && counts.looked_at >= counts.matched * 2,
        "{counts:?}"
    );
    assert!(counts.matched > counts.shown, "{counts:?}");
}
