//! The contract of sinks on files of lines, and what only files can get wrong.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use dataflow::Disposition;
use dataflow::contract::{Connector, Description, SinkState};
use dataflow::store::open::{AllowPaths, OpenStores, S3};
use dataflow::testing::sink::{Rows, Subject, check, check_walks};
use dataflow::time::ManualClock;
use serde_json::json;
use tempfile::{TempDir, tempdir};

use super::*;
use crate::format::json::Json;

/// The sink side alone, so that these tests know nothing of the source.
struct OnlySink;

impl Connector for OnlySink {
    fn name(&self) -> &'static str {
        "file"
    }

    fn describe(&self) -> Description {
        Description {
            summary: "",
            guarantee: None,
            examples: &[],
        }
    }

    fn sink(&self) -> Option<&dyn SinkConnector> {
        Some(&FileSink)
    }
}

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

fn text(path: &Path) -> String {
    let mut text = String::new();
    let file = fs::File::open(path).unwrap();
    match path.extension().unwrap().to_str().unwrap() {
        "gz" => flate2::read::MultiGzDecoder::new(file)
            .read_to_string(&mut text)
            .unwrap(),
        "zst" => zstd::stream::read::Decoder::new(file)
            .unwrap()
            .read_to_string(&mut text)
            .unwrap(),
        _ => { file }.read_to_string(&mut text).unwrap(),
    };
    text
}

fn numbers(folder: &Path) -> Vec<i64> {
    let lines: Vec<String> = files(folder)
        .iter()
        .flat_map(|path| text(path).lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    lines
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["n"].as_i64().unwrap())
        .collect()
}

fn subject_at(path: &Path, more: &Value, rows: Rows) -> Subject {
    let mut options = json!({ "path": path });
    options
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let folder = path.to_owned();
    Subject {
        connector: Arc::new(OnlySink),
        options,
        format: Some((Arc::new(Json), Value::Null)),
        rows,
        stores: Arc::new(OpenStores::new(AllowPaths::All, S3::default())),
        visible: Arc::new(move || {
            let numbers = numbers(&folder);
            Box::pin(async move { numbers })
        }),
    }
}

fn subject(more: &Value, rows: Rows) -> (TempDir, Subject) {
    let folder = tempdir().unwrap();
    let subject = subject_at(&folder.path().join("out"), more, rows);
    (folder, subject)
}

const KEEP: Cut = Cut { roll: Closing::Keep };
const ALL: Cut = Cut { roll: Closing::All };

#[tokio::test]
async fn files_keep_the_contract_of_sinks() {
    let small = json!({ "roll": { "size": "700B", "every": "3s" } });
    let cases = [
        (json!({}), Rows::Open),
        (small, Rows::Typed),
        (json!({ "compression": "gzip", "roll": { "every": "2s" } }), Rows::Open),
        (json!({ "compression": "zstd" }), Rows::Typed),
    ];
    for (options, rows) in cases {
        let (_folder, subject) = subject(&options, rows);
        check(&subject).await;
        check_walks(&subject, 0..6).await;
    }
}

#[tokio::test]
async fn a_file_is_finished_by_its_size_within_an_epoch() {
    let (folder, subject) = subject(&json!({ "roll": { "size": "10kB" } }), Rows::Open);
    let mut sink = subject.sink(&ManualClock::new(), Vec::new());
    for batch in 0..20 {
        sink.write(subject.batch(batch * 100..(batch + 1) * 100)).await.unwrap();
    }
    let prepared = sink.prepare(KEEP).await.unwrap();
    assert!(prepared.committables.len() >= 4, "{prepared:?}");
    for committable in &prepared.committables {
        assert_eq!(
            committable.0["segments"].as_array().unwrap().len(),
            1,
            "what is finished within an epoch needs no stitching"
        );
    }
    sink.commit(prepared.committables).await.unwrap();
    let sizes: Vec<u64> = files(folder.path())
        .iter()
        .map(|path| fs::metadata(path).unwrap().len())
        .collect();
    assert!(sizes.iter().all(|size| (10_000..16_000).contains(size)), "{sizes:?}");
}

#[tokio::test]
async fn a_file_is_finished_by_its_age_over_all_attempts() {
    let (folder, subject) = subject(&json!({ "roll": { "every": "10s" } }), Rows::Open);
    let clock = ManualClock::new();
    let mut state = SinkState::default();
    for epoch in 0..4 {
        let mut sink = subject.sink(&clock, vec![state]);
        sink.write(subject.batch(epoch * 10..(epoch + 1) * 10)).await.unwrap();
        clock.advance(std::time::Duration::from_secs(3));
        let prepared = sink.prepare(KEEP).await.unwrap();
        assert_eq!(
            prepared.committables.len(),
            usize::from(epoch == 3),
            "12 s are past 10 s"
        );
        sink.commit(prepared.committables).await.unwrap();
        state = prepared.state;
    }
    assert_eq!(files(folder.path()).len(), 1);
    assert_eq!(
        numbers(folder.path()),
        (0..40).collect::<Vec<_>>(),
        "segments stand in their order"
    );
    assert!(
        !folder.path().join("out/_weir/pending").exists(),
        "committed segments are deleted, and their folders with them"
    );
}

#[tokio::test]
async fn records_leave_byte_for_byte_as_they_came() {
    let (folder, subject) = subject(&json!({}), Rows::Open);
    let mut sink = subject.sink(&ManualClock::new(), Vec::new());
    sink.write(subject.batch(0..2)).await.unwrap();
    let prepared = sink.prepare(ALL).await.unwrap();
    sink.commit(prepared.committables).await.unwrap();
    let files = files(folder.path());
    assert_eq!(
        text(&files[0]),
        "{\"n\":0,\"eventType\":\"VIEW\"}\n{\"n\":1,\"eventType\":\"PURCHASE\"}\n"
    );
    let name = files[0].file_name().unwrap().to_str().unwrap();
    assert!(
        name.starts_with("part-0-19700101T010000000-") && name.ends_with(".jsonl"),
        "{name}"
    );
}

#[tokio::test]
async fn a_file_of_other_options_is_finished_not_gone_on_with() {
    let (folder, plain) = subject(&json!({}), Rows::Open);
    let clock = ManualClock::new();
    let mut sink = plain.sink(&clock, Vec::new());
    sink.write(plain.batch(0..10)).await.unwrap();
    let state = sink.prepare(KEEP).await.unwrap().state;
    let elsewhere = subject_at(
        &folder.path().join("elsewhere"),
        &json!({ "compression": "zstd" }),
        Rows::Open,
    );
    let mut sink = elsewhere.sink(&clock, vec![state]);
    sink.write(elsewhere.batch(10..20)).await.unwrap();
    let prepared = sink.prepare(ALL).await.unwrap();
    sink.commit(prepared.committables).await.unwrap();
    assert_eq!(
        numbers(&folder.path().join("out")),
        (0..10).collect::<Vec<_>>(),
        "the old file is where its readers look"
    );
    assert_eq!(numbers(&folder.path().join("elsewhere")), (10..20).collect::<Vec<_>>());
}

#[tokio::test]
async fn segments_that_are_gone_stop_the_job_loudly() {
    for epochs in 1..3 {
        let (folder, subject) = subject(&json!({}), Rows::Open);
        let mut sink = subject.sink(&ManualClock::new(), Vec::new());
        let mut prepared = Prepared::default();
        for epoch in 0..epochs {
            sink.write(subject.batch(epoch * 10..(epoch + 1) * 10)).await.unwrap();
            prepared = sink
                .prepare(if epoch + 1 == epochs { ALL } else { KEEP })
                .await
                .unwrap();
        }
        fs::remove_dir_all(folder.path().join("out/_weir")).unwrap();
        let failure = sink.commit(prepared.committables).await.unwrap_err();
        assert_eq!(failure.disposition, Disposition::Fail);
        assert!(
            failure.message.contains("rows are lost") && failure.help.is_some(),
            "{failure}"
        );
        assert!(files(folder.path()).is_empty());
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let subject = subject_at(&folder.path().join("file/out"), &json!({}), Rows::Open);
    let mut sink = subject.sink(&ManualClock::new(), Vec::new());
    sink.write(subject.batch(0..1)).await.unwrap();
    let failure = sink.prepare(ALL).await.unwrap_err();
    assert_eq!(failure.disposition, Disposition::Fail);
    assert!(
        failure.message.contains("file/out") && failure.message.contains("not a folder"),
        "{failure}"
    );
}

#[test]
fn options_that_cannot_work_are_refused_at_their_place() {
    let input = subject(&json!({}), Rows::Open).1.input();
    for (options, pointer) in [
        (json!({ "path": "" }), "/path"),
        (json!({ "path": "gs://lake" }), "/path"),
        (json!({ "path": "out", "roll": { "size": "0B" } }), "/roll/size"),
        (json!({ "path": "out", "roll": { "size": "6GiB" } }), "/roll/size"),
        (json!({ "path": "out", "roll": { "every": "0s" } }), "/roll/every"),
        (json!({ "path": "out", "prefix": "a/b" }), "/prefix"),
        (json!({ "path": "out", "prefix": "_hidden" }), "/prefix"),
        (json!({ "path": "out", "compression": "brotli" }), ""),
        (json!({ "path": "out", "roll": { "size": "big" } }), ""),
        (json!({}), ""),
    ] {
        let invalid = FileSink.plan(&options, &input).unwrap_err();
        assert_eq!(invalid.pointer, pointer, "{options}: {invalid}");
    }
}
