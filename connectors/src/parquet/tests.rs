//! The contract of sinks on Parquet files, and what readers of an archive rely on.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampMillisecondType};
use dataflow::Disposition;
use dataflow::contract::{Committable, Cut, Prepared, SinkState};
use dataflow::element::Roll;
use dataflow::store::open::{AllowPaths, OpenStores, S3};
use dataflow::testing::sink::{EVENT_TYPES, Rows, Subject, TIME_START, check, check_walks};
use dataflow::time::ManualClock;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::json;
use tempfile::{TempDir, tempdir};

use super::*;

const KEEP: Cut = Cut { roll: Roll::Keep };
const ALL: Cut = Cut { roll: Roll::All };

/// The files that a reader of the folder sees: not those below folders whose name begins with `_`.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.file_name().unwrap().to_str().unwrap().starts_with('_') {
            found.extend(files(&path));
        } else if path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn batches(path: &Path) -> Vec<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap())
        .unwrap()
        .build()
        .unwrap();
    reader.map(Result::unwrap).collect()
}

fn numbers_of(batch: &RecordBatch) -> Vec<i64> {
    if let Some(column) = batch.column_by_name("n") {
        return column.as_primitive::<Int64Type>().values().to_vec();
    }
    let raw = batch.column_by_name(layout::RAW).unwrap().as_binary::<i32>();
    raw.iter()
        .map(|record| {
            serde_json::from_slice::<Value>(record.unwrap()).unwrap()["n"]
                .as_i64()
                .unwrap()
        })
        .collect()
}

fn numbers(folder: &Path) -> Vec<i64> {
    files(folder)
        .iter()
        .flat_map(|path| batches(path))
        .flat_map(|batch| numbers_of(&batch))
        .collect()
}

fn subject(more: &Value, rows: Rows) -> (TempDir, Subject) {
    let folder = tempdir().unwrap();
    let path = folder.path().join("lake");
    let mut options = json!({ "path": path });
    options
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let subject = Subject {
        connector: Arc::new(Parquet),
        options,
        format: None,
        rows,
        stores: Arc::new(OpenStores::new(AllowPaths::All, S3::default())),
        visible: Arc::new(move || {
            let numbers = numbers(&path);
            Box::pin(async move { numbers })
        }),
    };
    (folder, subject)
}

/// Writes the rows in epochs of ten, each cut by a barrier, the last of which closes all files.
async fn write(subject: &Subject, rows: i64) -> Vec<Committable> {
    let clock = ManualClock::new();
    let mut state = SinkState::default();
    let mut all = Vec::new();
    for start in (0..rows).step_by(10) {
        let mut sink = subject.sink(&clock, vec![state]);
        sink.write(subject.batch(start..rows.min(start + 10))).await.unwrap();
        let prepared = sink.prepare(if start + 10 >= rows { ALL } else { KEEP }).await.unwrap();
        sink.commit(prepared.committables.clone()).await.unwrap();
        all.extend(prepared.committables);
        state = prepared.state;
    }
    all
}

fn footer(path: &Path, key: &str) -> Option<String> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let entries = builder.metadata().file_metadata().key_value_metadata().unwrap().clone();
    let found: Vec<_> = entries.into_iter().filter(|entry| entry.key == key).collect();
    assert!(found.len() <= 1, "`{key}` stands once in a footer: {found:?}");
    found.into_iter().next().and_then(|entry| entry.value)
}

#[tokio::test]
async fn archives_keep_the_contract_of_sinks() {
    let cases = [
        (json!({}), Rows::Open),
        (
            json!({ "partitionBy": [], "roll": { "size": "4kB", "every": "3s" } }),
            Rows::Typed,
        ),
        (
            json!({ "compression": "snappy", "roll": { "every": "2s" } }),
            Rows::Typed,
        ),
        (json!({ "compression": "none", "partitionBy": ["date"] }), Rows::Open),
    ];
    for (options, rows) in cases {
        let (_folder, subject) = subject(&options, rows);
        check(&subject).await;
        check_walks(&subject, 0..5).await;
    }
}

#[tokio::test]
async fn folders_are_named_by_partition_and_hold_its_rows_only() {
    for rows in [Rows::Open, Rows::Typed] {
        let (folder, subject) = subject(&json!({}), rows);
        write(&subject, 120).await;
        let lake = folder.path().join("lake");
        let folders: BTreeSet<String> = files(&lake)
            .iter()
            .map(|path| {
                path.parent()
                    .unwrap()
                    .strip_prefix(&lake)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned()
            })
            .collect();
        let expected: BTreeSet<String> = EVENT_TYPES
            .iter()
            .map(|kind| kind.replace('/', "%2F").replace(' ', "%20"))
            .flat_map(|kind| {
                [
                    format!("eventType={kind}/date=2026-11-22/hour=23"),
                    format!("eventType={kind}/date=2026-11-23/hour=00"),
                ]
            })
            .collect();
        assert_eq!(folders, expected);
        for path in files(&lake) {
            let text = path.to_str().unwrap();
            for batch in batches(&path) {
                let kinds = batch.column_by_name("eventType").unwrap().as_string::<i32>();
                assert!(
                    kinds
                        .iter()
                        .all(|kind| text.contains(&kind.unwrap().replace('/', "%2F").replace(' ', "%20")))
                );
                let times = batch
                    .column_by_name("eventTime")
                    .unwrap()
                    .as_primitive::<TimestampMillisecondType>();
                let early = text.contains("hour=23");
                assert!(times.values().iter().all(|time| (*time < TIME_START + 60_000) == early));
            }
        }
        let mut seen = numbers(&lake);
        seen.sort_unstable();
        assert_eq!(seen, (0..120).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn files_have_the_columns_that_were_agreed_with_the_archive() {
    for (rows, expected) in [
        (
            Rows::Open,
            vec![
                "raw: Binary",
                "eventType: Utf8",
                "eventTime: Timestamp(ms, \"UTC\")",
                "split: Utf8",
                "position: UInt64",
            ],
        ),
        (
            Rows::Typed,
            vec![
                "n: Int64",
                "eventType: Utf8",
                "eventTime: Timestamp(ms, \"UTC\")",
                "$split: Utf8",
                "$position: UInt64",
            ],
        ),
    ] {
        let (folder, subject) = subject(&json!({}), rows);
        write(&subject, 30).await;
        for path in files(folder.path()) {
            let schema = batches(&path)[0].schema();
            let columns: Vec<_> = schema
                .fields()
                .iter()
                .map(|field| format!("{}: {}", field.name(), field.data_type()))
                .collect();
            assert_eq!(columns, expected);
        }
    }
}

#[tokio::test]
async fn stitched_files_have_one_merged_footer_and_all_row_groups() {
    let (folder, subject) = subject(&json!({ "partitionBy": [] }), Rows::Open);
    let committables = write(&subject, 50).await;
    assert_eq!(committables[0].0["segments"].as_array().unwrap().len(), 5);
    let files = files(folder.path());
    assert_eq!(files.len(), 1, "five segments are one file");
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(&files[0]).unwrap()).unwrap();
    assert_eq!(
        builder.metadata().num_row_groups(),
        5,
        "row groups are copied, not merged"
    );
    assert_eq!(numbers(folder.path()), (0..50).collect::<Vec<_>>(), "in their order");
    let text = |key: &str| footer(&files[0], key);
    assert_eq!(text(layout::KEY_DATASTREAM).as_deref(), Some("contract"));
    assert_eq!(text(layout::KEY_JOB).as_deref(), Some("contract@1"));
    assert_eq!(text(layout::KEY_EPOCH).as_deref(), Some("1"));
    assert_eq!(text(layout::KEY_OPEN).as_deref(), Some("true"));
    assert_eq!(text(layout::KEY_EVENT_TIME_MIN), Some(TIME_START.to_string()));
    assert_eq!(
        text(layout::KEY_EVENT_TIME_MAX),
        Some((TIME_START + 49_000).to_string())
    );
    let positions: Value = serde_json::from_str(&text(layout::KEY_POSITIONS).unwrap()).unwrap();
    assert_eq!(positions, json!({ "split-0": [0, 48], "split-1": [1, 49] }));
    assert!(
        !folder.path().join("lake/_weir/pending").exists(),
        "committed segments are deleted, and their folders with them"
    );
}

#[tokio::test]
async fn statistics_survive_the_stitching() {
    let (folder, subject) = subject(&json!({ "partitionBy": [] }), Rows::Typed);
    write(&subject, 50).await;
    let path = &files(folder.path())[0];
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    for group in builder.metadata().row_groups() {
        let time = group
            .columns()
            .iter()
            .find(|column| column.column_path().string() == "eventTime")
            .unwrap();
        assert!(
            time.statistics()
                .is_some_and(|statistics| statistics.min_bytes_opt().is_some())
        );
    }
}

#[tokio::test]
async fn open_files_are_bounded_whatever_the_partitions() {
    let (folder, subject) = subject(&json!({ "partitionBy": ["n"] }), Rows::Typed);
    let mut sink = subject.sink(&ManualClock::new(), Vec::new());
    for start in (0..400).step_by(100) {
        sink.write(subject.batch(start..start + 100)).await.unwrap();
    }
    let prepared = sink.prepare(KEEP).await.unwrap();
    let open = prepared.state.0.as_array().unwrap().len();
    assert!(open <= 64, "{open} files are open");
    assert_eq!(prepared.committables.len() + open, 400, "the others are finished");
    sink.commit(prepared.committables).await.unwrap();
    let last = sink.prepare(ALL).await.unwrap();
    sink.commit(last.committables).await.unwrap();
    let mut seen = numbers(folder.path());
    seen.sort_unstable();
    assert_eq!(seen, (0..400).collect::<Vec<_>>());
}

#[tokio::test]
async fn segments_that_are_gone_stop_the_job_loudly() {
    for epochs in 1..3 {
        let (folder, subject) = subject(&json!({ "partitionBy": [] }), Rows::Open);
        let mut sink = subject.sink(&ManualClock::new(), Vec::new());
        let mut prepared = Prepared::default();
        for epoch in 0..epochs {
            sink.write(subject.batch(epoch * 10..(epoch + 1) * 10)).await.unwrap();
            prepared = sink
                .prepare(if epoch + 1 == epochs { ALL } else { KEEP })
                .await
                .unwrap();
        }
        fs::remove_dir_all(folder.path().join("lake/_weir")).unwrap();
        let failure = sink.commit(prepared.committables).await.unwrap_err();
        assert_eq!(failure.disposition, Disposition::Fail);
        assert!(failure.message.contains("rows are lost"), "{failure}");
        assert!(files(folder.path()).is_empty());
    }
}

#[test]
fn options_that_cannot_work_are_refused_at_their_place() {
    for (options, rows, pointer) in [
        (json!({ "path": "" }), Rows::Open, "/path"),
        (
            json!({ "path": "lake", "roll": { "size": "0B" } }),
            Rows::Open,
            "/roll/size",
        ),
        (json!({ "path": "lake", "rowGroup": "1B" }), Rows::Open, "/rowGroup"),
        (
            json!({ "path": "lake", "compressionLevel": 23 }),
            Rows::Open,
            "/compressionLevel",
        ),
        (
            json!({ "path": "lake", "partitionBy": ["date", "a..b"] }),
            Rows::Open,
            "/partitionBy/1",
        ),
        (
            json!({ "path": "lake", "partitionBy": ["date", "date"] }),
            Rows::Open,
            "/partitionBy/1",
        ),
        (
            json!({ "path": "lake", "partitionBy": ["nothing"] }),
            Rows::Typed,
            "/partitionBy/0",
        ),
        (json!({ "path": "lake", "partitionBy": "date" }), Rows::Open, ""),
    ] {
        let input = subject(&json!({}), rows).1.input();
        let invalid = Parquet.plan(&options, &input).unwrap_err();
        assert_eq!(invalid.pointer, pointer, "{options}: {invalid}");
    }
}

#[test]
fn an_open_stream_reads_only_the_fields_that_folders_are_named_by() {
    let (_folder, subject) = subject(&json!({ "partitionBy": ["payload.kind", "hour"] }), Rows::Open);
    let wants = subject.wants();
    assert_eq!(wants.paths, [("payload.kind".parse().unwrap(), DataType::Utf8View)]);
    assert_eq!(wants.reserved, ["$raw", "$time", "$split", "$position"]);
    assert!(!wants.encoded);
}

#[tokio::test]
async fn what_was_written_can_be_looked_into_and_nothing_beside_it() {
    use dataflow::contract::browse::Asked;

    let (folder, subject) = subject(&json!({}), Rows::Open);
    write(&subject, 40).await;
    fs::write(folder.path().join("secret.parquet"), "not of the archive").unwrap();
    let browser = Parquet.browse().unwrap();
    let asked = |under: Option<&str>, after: Option<&str>, limit| Asked {
        under: under.map(str::to_owned),
        after: after.map(str::to_owned),
        limit,
    };
    let list = async |asked: Asked| browser.list(&subject.options, subject.stores.clone(), &asked).await;
    let all = list(asked(None, None, 100)).await.unwrap();
    assert_eq!(
        (all.count, all.more, all.files.len() as u64),
        (all.files.len() as u64, false, all.count)
    );
    assert_eq!(all.files.iter().map(|file| file.rows).sum::<u64>(), 40);
    assert!(
        all.files
            .iter()
            .all(|file| file.times.is_some_and(|(from, to)| TIME_START <= from && from <= to))
    );
    assert_eq!(all.folders.iter().map(|one| one.files).sum::<u64>(), all.count);
    let first = list(asked(None, None, 1)).await.unwrap();
    assert!(first.more && first.files == all.files[..1]);
    let rest = list(asked(None, Some(&first.files[0].path), 100)).await.unwrap();
    assert_eq!(rest.files, all.files[1..]);
    let below = all.folders[0].path.split('/').next().unwrap();
    let part = list(asked(Some(below), None, 100)).await.unwrap();
    assert!(
        !part.files.is_empty()
            && part
                .files
                .iter()
                .all(|file| file.path.starts_with(&format!("{below}/")))
    );
    let sample = async |file: &str| {
        browser
            .sample(&subject.options, subject.stores.clone(), (file, 3))
            .await
    };
    let rows = sample(&all.files[0].path).await.unwrap();
    assert!(!rows.is_empty() && rows.len() <= 3);
    assert!(
        rows.iter().all(|row| row["raw"]["n"].is_i64()),
        "records are JSON, not their bytes: {rows:?}"
    );
    for stray in [
        "../secret.parquet",
        "/etc/passwd",
        "_weir/pending/x.parquet",
        "a//b.parquet",
        "./x.parquet",
    ] {
        let failure = sample(stray).await.unwrap_err();
        assert!(failure.message.contains("no file of the archive"), "{failure}");
    }
    let missing = sample("none.parquet").await.unwrap_err();
    let path = subject.options["path"].as_str().unwrap();
    assert!(!missing.message.contains("file://"), "{missing}: {path}");
    assert!(list(asked(Some("../.."), None, 1)).await.is_err());
}
