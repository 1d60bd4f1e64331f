//! The archive source: the contract suite, order, pruning, pace, and archives that are not as they should be.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, BinaryArray, Int64Array, StringArray, TimestampMillisecondArray};
use arrow::datatypes::{Int64Type, TimestampMillisecondType};
use arrow::record_batch::RecordBatch;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use dataflow::Disposition;
use dataflow::contract::{Polled, Shape, SourceConnector as _};
use dataflow::element::columns;
use dataflow::store::OpenStores;
use dataflow::store::open::{AllowPaths, S3};
use dataflow::testing::afar::Afar;
use dataflow::testing::source::{Driven, Harness, Step, Subject, check};
use dataflow::time::ManualClock;
use parquet::arrow::ArrowWriter;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::options::Options;
use super::{Archive, ArchiveSource};
use crate::parquet::layout;

/// 2023-11-14T22:00:00Z
const BASE: i64 = 1_699_999_200_000;

fn stores() -> Arc<OpenStores> {
    Arc::new(OpenStores::new(AllowPaths::All, S3::default()))
}

#[test]
fn the_contract_of_sources_holds_for_an_archive_in_an_object_store() {
    let folder = TempDir::new().unwrap();
    archive(&folder, Stream::Typed);
    let mut subject = subject(json!({ "path": folder.path() }), typed_output());
    subject.stores = Arc::new(Afar(stores()));
    check(subject);
}

fn subject(options: Value, output: SchemaRef) -> Subject {
    let mut subject = Subject::new(Arc::new(Archive), options, stores()).output(output);
    subject.buffer_bytes = 600 << 10;
    subject
}

fn typed_output() -> SchemaRef {
    let mut fields = vec![
        Arc::new(Field::new("id", DataType::Int64, true)),
        Arc::new(Field::new("text", DataType::Utf8View, true)),
    ];
    fields.extend([columns::split(), columns::position(), columns::time()]);
    Arc::new(Schema::new(fields))
}

fn open_output() -> SchemaRef {
    Arc::new(Schema::new(vec![
        columns::raw(),
        columns::split(),
        columns::position(),
        columns::time(),
    ]))
}

/// Times about a second apart in the order of arrival, one in ten up to 2 s and one in a hundred ten minutes behind.
fn times(first: i64, rows: i64) -> Vec<i64> {
    let late = |row: i64| match row % 100 {
        99 => 600_000,
        last if last % 10 == 3 => row * 7_919 % 2_000,
        _ => 0,
    };
    (0..rows).map(|row| BASE + first + row * 100 - late(row)).collect()
}

struct Written<'a> {
    times: &'a [Option<i64>],
    first_id: i64,
    open: bool,
    stated: bool,
}

fn write(file: &Path, written: &Written<'_>) {
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let count = i64::try_from(written.times.len()).unwrap();
    let ids = written.first_id..written.first_id + count;
    let times: ArrayRef = Arc::new(TimestampMillisecondArray::from(written.times.to_vec()).with_timezone("UTC"));
    let types: ArrayRef = Arc::new(StringArray::from_iter_values(
        ids.clone().map(|id| ["A", "B", "C"][usize::try_from(id % 3).unwrap()]),
    ));
    let text = |id: i64| {
        format!(
            "{{\"id\":{id},\"filler\":\"{}\"}}",
            "z".repeat(usize::try_from(id % 90).unwrap())
        )
    };
    let mut columns: Vec<(&str, ArrayRef)> = vec![("eventTime", times), ("eventType", types)];
    if written.open {
        columns.push(("raw", Arc::new(BinaryArray::from_iter_values(ids.clone().map(text)))));
        columns.push(("split", Arc::new(StringArray::from_iter_values(ids.map(|_| "part-0")))));
    } else {
        columns.push(("id", Arc::new(Int64Array::from_iter_values(ids.clone()))));
        columns.push(("text", Arc::new(StringArray::from_iter_values(ids.map(text)))));
    }
    let batch =
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap();
    let mut pairs = vec![
        KeyValue::new(layout::KEY_DATASTREAM.to_owned(), "test".to_owned()),
        KeyValue::new(layout::KEY_OPEN.to_owned(), written.open.to_string()),
    ];
    if written.stated {
        let known = written.times.iter().flatten();
        pairs.push(KeyValue::new(
            layout::KEY_EVENT_TIME_MIN.to_owned(),
            known.clone().min().unwrap().to_string(),
        ));
        pairs.push(KeyValue::new(
            layout::KEY_EVENT_TIME_MAX.to_owned(),
            known.max().unwrap().to_string(),
        ));
    }
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(4_000))
        .set_data_page_row_count_limit(500)
        .set_key_value_metadata(Some(pairs))
        .build();
    let mut writer = ArrowWriter::try_new(File::create(file).unwrap(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// What an archive was written from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stream {
    /// A stream without a schema: records as bytes.
    Open,
    /// A stream with columns.
    Typed,
}

/// Three files that overlap in time, of 30,000 rows in all; the times of all rows by id.
fn archive(folder: &TempDir, stream: Stream) -> Vec<i64> {
    let open = stream == Stream::Open;
    let mut all = Vec::new();
    for (file, (first, rows)) in [(0, 12_000), (300_000, 10_000), (1_100_000, 8_000)]
        .into_iter()
        .enumerate()
    {
        let times = times(first, rows);
        let path = folder.path().join(format!("date=2023-11-14/hour=22/{file}.parquet"));
        let nullable: Vec<Option<i64>> = times.iter().copied().map(Some).collect();
        write(
            &path,
            &Written {
                times: &nullable,
                first_id: i64::try_from(all.len()).unwrap(),
                open,
                stated: file != 1,
            },
        );
        all.extend(times);
    }
    all
}

fn ids(read: &Driven) -> Vec<i64> {
    let of = |batch: &RecordBatch| {
        batch
            .column_by_name("id")
            .unwrap()
            .as_primitive::<Int64Type>()
            .values()
            .to_vec()
    };
    read.order.iter().flat_map(of).collect()
}

fn event_times(read: &Driven) -> Vec<i64> {
    let of = |batch: &RecordBatch| {
        batch
            .column_by_name(columns::TIME)
            .unwrap()
            .as_primitive::<TimestampMillisecondType>()
            .values()
            .to_vec()
    };
    read.order.iter().flat_map(of).collect()
}

fn replay(options: Value) -> Driven {
    Harness::new(subject(options, typed_output())).read_all().unwrap()
}

/// The ids with these times, in the order of time, then of id.
fn expected(times: &[i64], keep: impl Fn(usize, i64) -> bool) -> Vec<i64> {
    let mut rows: Vec<(i64, usize)> = times
        .iter()
        .enumerate()
        .filter(|(id, time)| keep(*id, **time))
        .map(|(id, time)| (*time, id))
        .collect();
    rows.sort_unstable();
    rows.into_iter().map(|(_, id)| i64::try_from(id).unwrap()).collect()
}

#[test]
fn the_contract_of_sources_holds() {
    let folder = TempDir::new().unwrap();
    archive(&folder, Stream::Typed);
    let mut subject = subject(json!({ "path": folder.path() }), typed_output());
    check(subject.clone());
    subject.parallelism = 3;
    check(subject);
}

#[test]
fn the_contract_of_sources_holds_for_archived_bytes() {
    let folder = TempDir::new().unwrap();
    archive(&folder, Stream::Open);
    check(subject(
        json!({ "path": folder.path(), "eventTypes": ["A"] }),
        open_output(),
    ));
}

#[test]
fn a_replay_is_in_the_order_of_event_time_whatever_the_memory() {
    let folder = TempDir::new().unwrap();
    let times = archive(&folder, Stream::Typed);
    for (buffer_bytes, parallelism) in [(1, 1), (100 << 10, 1), (600 << 10, 1), (64 << 20, 1), (600 << 10, 4)] {
        let mut subject = subject(json!({ "path": folder.path() }), typed_output());
        subject.buffer_bytes = buffer_bytes;
        subject.parallelism = parallelism;
        // A budget of one byte cuts time into single moments.
        let read = if buffer_bytes == 1 {
            subject.options["from"] = json!(BASE + 100_000);
            subject.options["to"] = json!(BASE + 101_000);
            Harness::new(subject).read_all().unwrap()
        } else {
            Harness::new(subject).read_all().unwrap()
        };
        let wanted = |_: usize, time: i64| buffer_bytes > 1 || (BASE + 100_000..BASE + 101_000).contains(&time);
        assert_eq!(
            ids(&read),
            expected(&times, wanted),
            "{buffer_bytes} bytes, {parallelism} readers"
        );
        assert!(event_times(&read).is_sorted());
    }
}

#[test]
fn only_the_range_and_the_types_that_are_wanted_come() {
    let folder = TempDir::new().unwrap();
    let times = archive(&folder, Stream::Typed);
    // Whoever opens these files fails: pruning by folder must leave them alone.
    for other in [
        "date=2023-11-13/hour=22",
        "date=2023-11-14/hour=20",
        "date=2023-11-15/hour=00",
    ] {
        fs::create_dir_all(folder.path().join(other)).unwrap();
        fs::write(folder.path().join(other).join("x.parquet"), "no Parquet").unwrap();
    }
    let (from, to) = (BASE + 200_000, BASE + 400_000);
    let read =
        replay(json!({ "path": folder.path(), "from": from, "to": "2023-11-14T22:06:40Z", "eventTypes": ["B", "C"] }));
    let wanted = |id: usize, time: i64| (from..to).contains(&time) && !id.is_multiple_of(3);
    assert_eq!(ids(&read), expected(&times, wanted));
    let nothing = replay(json!({ "path": folder.path(), "from": "2024-01-01" }));
    assert_eq!(ids(&nothing), Vec::<i64>::new());
}

#[test]
fn types_are_pruned_by_folder_and_folders_are_columns() {
    let folder = TempDir::new().unwrap();
    let times: Vec<Option<i64>> = times(0, 500).into_iter().map(Some).collect();
    let written = Written {
        times: &times,
        first_id: 0,
        open: false,
        stated: false,
    };
    write(&folder.path().join("kind=a%2Fb/1.parquet"), &written);
    fs::create_dir_all(folder.path().join("kind=other")).unwrap();
    fs::write(folder.path().join("kind=other/x.parquet"), "no Parquet").unwrap();
    let output = Arc::new(Schema::new(vec![Field::new("kind", DataType::Utf8View, true)]));
    let options = json!({ "path": folder.path(), "typeColumn": "kind", "eventTypes": ["a/b"] });
    let read = Harness::new(subject(options, output)).read_all().unwrap();
    let kinds = read.order.iter().flat_map(|batch| {
        batch
            .column(0)
            .as_string_view()
            .iter()
            .flatten()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    });
    assert_eq!(kinds.collect::<Vec<_>>(), vec!["a/b"; 500]);
}

#[test]
fn the_stream_is_open_or_typed_as_it_was_archived() {
    let harness = Harness::new(subject(json!({}), typed_output()));
    for open in [true, false] {
        let folder = TempDir::new().unwrap();
        archive(&folder, if open { Stream::Open } else { Stream::Typed });
        let options = json!({ "path": folder.path() });
        assert_eq!(ArchiveSource.plan(&options).unwrap(), Shape::Discovered);
        let schema = harness
            .block_on(ArchiveSource.discover_schema(&options, stores()))
            .unwrap();
        let names = schema
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect::<Vec<_>>();
        let expected = if open {
            vec!["$raw"]
        } else {
            vec!["eventTime", "eventType", "id", "text"]
        };
        assert_eq!(names, expected);
    }
}

#[test]
fn rows_without_event_time_count_as_of_the_beginning_and_come_only_without_from() {
    let folder = TempDir::new().unwrap();
    let times = [Some(BASE + 5), None, Some(BASE), None, Some(BASE + 2)];
    write(
        &folder.path().join("a.parquet"),
        &Written {
            times: &times,
            first_id: 0,
            open: false,
            stated: false,
        },
    );
    assert_eq!(ids(&replay(json!({ "path": folder.path() }))), [1, 2, 3, 4, 0]);
    assert_eq!(ids(&replay(json!({ "path": folder.path(), "from": BASE }))), [2, 4, 0]);
}

#[test]
fn a_paced_replay_takes_as_long_as_the_events_did() {
    let folder = TempDir::new().unwrap();
    archive(&folder, Stream::Typed);
    let clock = ManualClock::new();
    let mut subject = subject(
        json!({ "path": folder.path(), "speed": "10x", "from": BASE, "to": BASE + 60_000 }),
        typed_output(),
    );
    subject.clock = Some((clock.clone(), Duration::from_millis(250)));
    check(subject.clone());
    let harness = Harness::new(subject);
    let mut reader = harness.reader(harness.splits().unwrap()).unwrap();
    let before = dataflow::time::Clock::now(&clock);
    reader.reader.no_more_splits();
    let mut ahead = 0;
    while reader.step().unwrap() != Step::Ended {
        let passed = dataflow::time::Clock::now(&clock).since(before).as_millis();
        let last = event_times(&reader).last().copied().unwrap_or(BASE);
        ahead = ahead.max(last - BASE - 10 * i64::try_from(passed).unwrap());
    }
    assert!(ahead <= 0, "a row came {ahead} ms of event time too early");
    let took = dataflow::time::Clock::now(&clock).since(before);
    assert!(
        (Duration::from_secs(5)..Duration::from_secs(9)).contains(&took),
        "60 s at 10x took {took:?}"
    );
}

#[test]
fn archives_that_are_not_as_they_should_be_are_named() {
    let folder = TempDir::new().unwrap();
    let failure = |options: Value| {
        let failure = Harness::new(subject(options, typed_output())).read_all().unwrap_err();
        assert_eq!(
            (failure.disposition, failure.help.is_some()),
            (Disposition::Fail, true),
            "{failure}"
        );
        failure.message
    };
    assert!(failure(json!({ "path": folder.path() })).contains("there are no files"));
    assert!(failure(json!({ "path": folder.path().join("nowhere") })).contains("there is no file or folder"));
    archive(&folder, Stream::Typed);
    let column = failure(json!({ "path": folder.path(), "timeColumn": "happenedAt" }));
    assert!(column.contains("there is no column `happenedAt`"), "{column}");
    let bytes = TempDir::new().unwrap();
    archive(&bytes, Stream::Open);
    let raw = failure(json!({ "path": bytes.path(), "timeColumn": "raw" }));
    assert!(
        raw.contains("0.parquet`: the event time is a column of Binary"),
        "{raw}"
    );
    fs::write(folder.path().join("x.parquet"), "this is text").unwrap();
    assert!(failure(json!({ "path": folder.path() })).contains("x.parquet` is not a Parquet file"));
}

#[test]
fn a_file_that_is_rewritten_during_a_replay_is_an_error() {
    let folder = TempDir::new().unwrap();
    archive(&folder, Stream::Typed);
    let harness = Harness::new(subject(json!({ "path": folder.path() }), typed_output()));
    let splits = harness.splits().unwrap();
    archive(&folder, Stream::Typed);
    let mut reader = harness.reader(splits).unwrap();
    let failure = reader.step().unwrap_err();
    assert!(failure.message.contains("changed or was removed"), "{failure}");
}

#[test]
fn moments_and_speeds_are_read_and_bad_ones_refused() {
    let understood = |options: Value| serde_json::from_value::<Options>(options).unwrap().understand();
    let replay =
        understood(json!({ "path": "a", "from": "2023-11-14", "to": "2023-11-14T23:13:20+01:00", "speed": "0.5x" }))
            .unwrap();
    assert_eq!(
        (replay.from, replay.to, replay.speed),
        (Some(1_699_920_000_000), Some(1_700_000_000_000), Some(0.5))
    );
    for (options, pointer) in [
        (json!({ "path": "a", "from": "tuesday" }), "/from"),
        (json!({ "path": "a", "from": 5, "to": 5 }), "/to"),
        (json!({ "path": "a", "eventTypes": [] }), "/eventTypes"),
        (json!({ "path": "" }), "/path"),
    ] {
        assert_eq!(understood(options.clone()).unwrap_err().pointer, pointer, "{options}");
    }
    for speed in ["fast", "x", "-1x", "0x", "infx", "NaNx"] {
        assert!(
            ArchiveSource.plan(&json!({ "path": "a", "speed": speed })).is_err(),
            "{speed}"
        );
    }
}

#[test]
fn nothing_comes_before_splits_are_assigned() {
    let harness = Harness::new(subject(json!({ "path": "a" }), typed_output()));
    let mut reader = harness.reader(Vec::new()).unwrap().reader;
    assert!(matches!(reader.poll().unwrap(), Polled::Wait));
    reader.no_more_splits();
    assert!(matches!(reader.poll().unwrap(), Polled::End));
}
