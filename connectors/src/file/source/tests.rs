//! The file source: the contract suite on every form of file, and what happens to files that are not as they should be.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Int64Array, StringArray, StructArray};
use arrow::record_batch::RecordBatch;
use arrow_schema::{DataType, Field, Schema};
use dataflow::contract::{Alignment, Framing, Order, Shape, SourceConnector as _};
use dataflow::element::columns;
use dataflow::store::OpenStores;
use dataflow::store::open::{AllowPaths, S3};
use dataflow::testing::afar::Afar;
use dataflow::testing::source::{Harness, Step, Subject, check};
use dataflow::{Disposition, Failure};
use parquet::arrow::ArrowWriter;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::FileSource;
use super::lines::RECORD_BYTES_MAX;

fn subject(options: Value) -> Subject {
    let stores = Arc::new(OpenStores::new(AllowPaths::All, S3::default()));
    Subject::new(Arc::new(crate::file::File), options, stores)
}

fn lines(count: usize) -> Vec<String> {
    (0..count)
        .map(|row| format!("{{\"row\":{row},\"text\":\"{}\"}}", "x".repeat(row % 120)))
        .collect()
}

fn text(count: usize) -> String {
    lines(count).iter().map(|line| format!("{line}\n")).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn path(folder: &TempDir, name: &str) -> String {
    folder.path().join(name).to_str().unwrap().to_owned()
}

fn records(options: Value) -> Vec<String> {
    let read = Harness::new(subject(options)).read_all().unwrap();
    read.records()
        .into_iter()
        .map(|record| String::from_utf8(record).unwrap())
        .collect()
}

fn failure(options: Value) -> Failure {
    let failure = Harness::new(subject(options)).read_all().unwrap_err();
    assert_eq!(failure.disposition, Disposition::Fail, "{failure}");
    assert!(failure.help.is_some(), "no help: {failure}");
    failure
}

#[test]
fn the_contract_of_sources_holds_for_every_form_of_lines() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("a.json"), text(30_000)).unwrap();
    fs::write(folder.path().join("b.json.gz"), gzip(text(20_000).as_bytes())).unwrap();
    fs::write(
        folder.path().join("c.json.zst"),
        zstd::encode_all(text(20_000).as_bytes(), 1).unwrap(),
    )
    .unwrap();
    fs::write(folder.path().join("d.json"), "").unwrap();
    check(subject(json!({ "path": folder.path() })));
}

#[test]
fn the_contract_of_sources_holds_for_files_in_an_object_store() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("a.json"), text(30_000)).unwrap();
    fs::write(folder.path().join("b.json.gz"), gzip(text(20_000).as_bytes())).unwrap();
    fs::write(
        folder.path().join("c.json.zst"),
        zstd::encode_all(text(20_000).as_bytes(), 1).unwrap(),
    )
    .unwrap();
    let mut subject = subject(json!({ "path": folder.path(), "splitSize": "1MiB" }));
    subject.stores = Arc::new(Afar(Arc::clone(&subject.stores)));
    subject.buffer_bytes = 300 << 10;
    check(subject.clone());
    let harness = Harness::new(subject);
    let splits = harness.splits().unwrap();
    fs::write(folder.path().join("a.json"), "another").unwrap();
    let changed = harness.reader(splits).unwrap().step().unwrap_err();
    assert!(changed.message.contains("a.json` changed"), "{changed}");
}

#[test]
fn the_contract_of_sources_holds_for_ranges_of_a_file() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("a.json"), text(30_000)).unwrap();
    let options = json!({ "path": path(&folder, "a.json"), "splitSize": "100KiB" });
    check(subject(options.clone()));
    assert_eq!(records(options), lines(30_000));
}

#[test]
fn a_file_is_cut_the_same_way_wherever_its_ranges_begin() {
    let folder = TempDir::new().unwrap();
    let file = path(&folder, "a.json");
    // Lines of a length that divides the range, so that some ranges begin exactly at a line.
    let expected = (0..512).map(|row| format!("{row:0>31}")).collect::<Vec<_>>();
    fs::write(&file, expected.join("\n")).unwrap();
    for size in ["1KiB", "1025B", "1055B", "1056B", "1057B", "5000B"] {
        assert_eq!(
            records(json!({ "path": file, "splitSize": size })),
            expected,
            "ranges of {size}"
        );
    }
}

#[test]
fn the_contract_of_sources_holds_for_quoted_lines() {
    let folder = TempDir::new().unwrap();
    let rows = (0..20_000)
        .map(|row| format!("{row},\"a \"\"word\"\"\nand {row}\"\r\n"))
        .collect::<String>();
    fs::write(folder.path().join("a.csv"), format!("id,text\r\n{rows}")).unwrap();
    let framing = Framing::QuotedLines {
        quote: b'"',
        header: Some(b"id,text".to_vec()),
    };
    let subject = subject(json!({ "path": folder.path(), "splitSize": "64KiB" })).framing(framing);
    check(subject.clone());
    let read = Harness::new(subject).read_all().unwrap().records();
    assert_eq!(read.len(), 20_000);
    assert_eq!(read[7], b"7,\"a \"\"word\"\"\nand 7\"");
}

#[test]
fn carriage_returns_empty_lines_and_the_byte_order_mark_are_no_part_of_records() {
    let folder = TempDir::new().unwrap();
    let file = path(&folder, "a.txt");
    fs::write(&file, b"\xef\xbb\xbfone\r\n\r\n\ntwo\nthree".as_slice()).unwrap();
    assert_eq!(records(json!({ "path": file })), ["one", "two", "three"]);
}

#[test]
fn a_record_that_is_too_long_is_cut_off_and_the_next_one_is_whole() {
    let folder = TempDir::new().unwrap();
    let long = "y".repeat(RECORD_BYTES_MAX + 5_000_000);
    for (name, tail, expected) in [("a", "\nnext\n", vec!["first", "next"]), ("b", "", vec!["first"])] {
        let file = path(&folder, name);
        fs::write(&file, format!("first\n{long}{tail}")).unwrap();
        let read = records(json!({ "path": file }));
        let mut short = read.clone();
        short.retain(|record| record.len() < 100);
        assert_eq!(short, expected);
        assert_eq!(read[1].len(), RECORD_BYTES_MAX);
        assert_eq!(read.len(), expected.len() + 1);
    }
}

#[test]
fn hidden_files_and_those_that_a_pattern_does_not_match_are_left_out() {
    let folder = TempDir::new().unwrap();
    fs::create_dir_all(folder.path().join("sub/_weir")).unwrap();
    for name in ["a.json", "sub/b.json", "sub/c.txt", "sub/_weir/d.json", ".e.json"] {
        fs::write(folder.path().join(name), format!("{name}\n")).unwrap();
    }
    assert_eq!(
        records(json!({ "path": folder.path() })),
        ["a.json", "sub/b.json", "sub/c.txt"]
    );
    assert_eq!(records(json!({ "path": path(&folder, "*.json") })), ["a.json"]);
    assert_eq!(
        records(json!({ "path": path(&folder, "**/*.json") })),
        ["a.json", "sub/b.json"]
    );
    assert_eq!(
        records(json!({ "path": path(&folder, "sub/{b,c}.*") })),
        ["sub/b.json", "sub/c.txt"]
    );
}

#[test]
fn what_is_not_there_says_what_to_do() {
    let folder = TempDir::new().unwrap();
    let missing = failure(json!({ "path": path(&folder, "nowhere") }));
    assert!(missing.message.contains("there is no file or folder"), "{missing}");
    let empty = failure(json!({ "path": folder.path() }));
    assert!(empty.message.contains("there are no files"), "{empty}");
    let glob = failure(json!({ "path": path(&folder, "*.json") }));
    assert!(glob.message.contains("there are no files"), "{glob}");
    let nowhere = failure(json!({ "path": path(&folder, "nowhere/*.json") }));
    assert!(nowhere.message.contains("there is no file or folder"), "{nowhere}");
}

#[test]
fn a_truncated_file_is_read_to_its_cut_and_named() {
    let folder = TempDir::new().unwrap();
    let compressed = gzip(text(50_000).as_bytes());
    let file = path(&folder, "a.json.gz");
    fs::write(&file, &compressed[..compressed.len() / 2]).unwrap();
    let harness = Harness::new(subject(json!({ "path": file })));
    let mut reader = harness.reader(harness.splits().unwrap()).unwrap();
    let cut = loop {
        match reader.step() {
            Ok(step) => assert_eq!(step, Step::Moved),
            Err(failure) => break failure,
        }
    };
    assert!(
        cut.message.contains("a.json.gz` ends in the middle of its gzip data"),
        "{cut}"
    );
    assert!(reader.records().len() > 1_000, "the records before the cut come");
    let zst = zstd::encode_all(text(50_000).as_bytes(), 1).unwrap();
    fs::write(folder.path().join("b.zst"), &zst[..zst.len() - 10]).unwrap();
    let cut = failure(json!({ "path": path(&folder, "b.zst") }));
    assert!(cut.message.contains("ends in the middle of its zstd data"), "{cut}");
    fs::write(folder.path().join("c.gz"), "this is text").unwrap();
    let no_gzip = failure(json!({ "path": path(&folder, "c.gz") }));
    assert!(no_gzip.message.contains("is not gzip"), "{no_gzip}");
}

#[test]
fn several_members_and_frames_are_one_content() {
    let folder = TempDir::new().unwrap();
    let members = [gzip(b"one\ntw"), gzip(b"o\nthree\n")].concat();
    fs::write(folder.path().join("a.gz"), members).unwrap();
    let frames = [
        zstd::encode_all(&b"one\ntw"[..], 1).unwrap(),
        zstd::encode_all(&b"o\nthree\n"[..], 1).unwrap(),
    ]
    .concat();
    fs::write(folder.path().join("b.zst"), frames).unwrap();
    for name in ["a.gz", "b.zst"] {
        assert_eq!(records(json!({ "path": path(&folder, name) })), ["one", "two", "three"]);
    }
}

#[test]
fn a_file_that_changes_after_it_was_found_is_an_error_that_names_it() {
    let folder = TempDir::new().unwrap();
    let file = path(&folder, "a.json");
    fs::write(&file, text(100)).unwrap();
    let harness = Harness::new(subject(json!({ "path": file })));
    let splits = harness.splits().unwrap();
    File::options()
        .append(true)
        .open(&file)
        .unwrap()
        .write_all(b"more\n")
        .unwrap();
    let changed = harness.reader(splits.clone()).unwrap().step().unwrap_err();
    assert!(
        changed.message.contains("a.json` changed after it was found"),
        "{changed}"
    );
    assert_eq!(changed.disposition, Disposition::Fail);
    fs::remove_file(&file).unwrap();
    let removed = harness.reader(splits).unwrap().step().unwrap_err();
    assert!(removed.message.contains("was removed"), "{removed}");
}

#[test]
fn a_file_that_is_written_to_while_it_is_read_is_an_error() {
    let folder = TempDir::new().unwrap();
    let file = path(&folder, "a.json");
    fs::write(&file, text(60_000)).unwrap();
    let harness = Harness::new(subject(json!({ "path": file })));
    let mut reader = harness.reader(harness.splits().unwrap()).unwrap();
    assert_eq!(reader.step().unwrap(), Step::Moved);
    File::options()
        .append(true)
        .open(&file)
        .unwrap()
        .write_all(b"more\n")
        .unwrap();
    let failure = loop {
        match reader.step() {
            Ok(step) => assert_eq!(step, Step::Moved),
            Err(failure) => break failure,
        }
    };
    assert!(failure.message.contains("was written to"), "{failure}");
}

#[test]
fn a_header_that_is_another_one_is_an_error() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("a.csv"), "name,id\n1,2\n").unwrap();
    let framing = Framing::QuotedLines {
        quote: b'"',
        header: Some(b"id,name".to_vec()),
    };
    let subject = subject(json!({ "path": folder.path() })).framing(framing);
    let failure = Harness::new(subject).read_all().unwrap_err();
    assert!(
        failure.message.contains("a.csv`: the first line is `name,id`"),
        "{failure}"
    );
}

#[test]
fn a_file_whose_event_time_is_asked_for_is_one_split() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("a.json"), "1234567\n".repeat(1000)).unwrap();
    let splits = |order| {
        let mut subject = subject(json!({ "path": folder.path(), "splitSize": "1KiB" }));
        subject.order = order;
        let harness = Harness::new(subject);
        let mut finder = harness.enumerator(None).unwrap();
        harness.block_on(finder.discover()).unwrap().splits.len()
    };
    assert_eq!((splits(Order::Free), splits(Order::Kept)), (8, 1));
}

#[test]
fn a_watching_source_reads_what_is_moved_in_once_it_is_settled() {
    let folder = TempDir::new().unwrap();
    let harness = Harness::new(subject(json!({ "path": folder.path(), "watch": { "every": "20ms" } })));
    let mut finder = harness.enumerator(None).unwrap();
    let mut look = || harness.block_on(finder.discover()).unwrap();
    let first = look();
    assert_eq!((first.splits.len(), first.next), (0, Some(Duration::from_millis(20))));
    fs::write(folder.path().join("a.json"), "one\n").unwrap();
    assert_eq!(look().splits.len(), 0, "it may still be being written");
    let found = look();
    assert_eq!(
        found.splits.iter().map(|split| split.id.as_str()).collect::<Vec<_>>(),
        ["a.json"]
    );
    assert_eq!(found.bytes, Some(4));
    assert_eq!(look().splits.len(), 0);
    fs::write(folder.path().join("b.json"), "two\n").unwrap();
    look();
    assert_eq!(look().splits[0].id, "b.json");
    let mut restored = harness.enumerator(Some(finder.snapshot())).unwrap();
    for _ in 0..3 {
        assert_eq!(harness.block_on(restored.discover()).unwrap().splits.len(), 0);
    }
    fs::write(folder.path().join("a.json"), "another\n").unwrap();
    let changed = harness.block_on(restored.discover()).unwrap_err();
    assert!(changed.message.contains("`a.json` changed"), "{changed}");
}

fn parquet(file: &Path, rows: i64) {
    let total = Arc::new(Int64Array::from_iter_values(0..rows)) as arrow::array::ArrayRef;
    let name = Arc::new(StringArray::from_iter_values(
        (0..rows).map(|row| format!("name {row}")),
    )) as arrow::array::ArrayRef;
    let payload = StructArray::from(vec![
        (
            Arc::new(Field::new("total", DataType::Int64, false)),
            Arc::clone(&total),
        ),
        (Arc::new(Field::new("unread", DataType::Utf8, false)), Arc::clone(&name)),
    ]);
    let batch =
        RecordBatch::try_from_iter([("name", name), ("payload", Arc::new(payload) as _), ("unread", total)]).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(file).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn parquet_output() -> Arc<Schema> {
    let payload = DataType::Struct(vec![Field::new("total", DataType::Int64, true)].into());
    let fields = vec![
        Field::new("payload", payload, true),
        Field::new("name", DataType::Utf8View, true),
    ];
    let mut fields = fields.into_iter().map(Arc::new).collect::<Vec<_>>();
    fields.extend([columns::split(), columns::position(), columns::time()]);
    Arc::new(Schema::new(fields))
}

#[test]
fn the_contract_of_sources_holds_for_parquet_files() {
    let folder = TempDir::new().unwrap();
    parquet(&folder.path().join("a.parquet"), 40_000);
    parquet(&folder.path().join("b.parquet"), 20_000);
    let mut subject = subject(json!({ "path": path(&folder, "*.parquet") })).output(parquet_output());
    check(subject.clone());
    subject.alignment = Alignment::ByDrift;
    check(subject);
}

#[test]
fn the_columns_of_parquet_files_are_found_and_pruned() {
    let folder = TempDir::new().unwrap();
    parquet(&folder.path().join("a.parquet"), 10);
    let options = json!({ "path": path(&folder, "a.parquet") });
    assert_eq!(FileSource.plan(&options).unwrap(), Shape::Discovered);
    let harness = Harness::new(subject(options.clone()).output(parquet_output()));
    let stores = Arc::new(OpenStores::new(AllowPaths::All, S3::default()));
    let schema = harness.block_on(FileSource.discover_schema(&options, stores)).unwrap();
    assert_eq!(
        schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect::<Vec<_>>(),
        ["name", "payload", "unread"]
    );
    assert_eq!(schema.field(0).data_type(), &DataType::Utf8View);
    let read = harness.read_all().unwrap();
    assert_eq!(read.read["a.parquet"][7], "{total: 7} | name 7 | a.parquet | 7");
}

#[test]
fn what_is_not_parquet_is_named() {
    let folder = TempDir::new().unwrap();
    let file = path(&folder, "a.parquet");
    fs::write(
        &file,
        "PAR1 this is no Parquet file, but it is long enough to be one PAR1",
    )
    .unwrap();
    let subject = subject(json!({ "path": file })).output(parquet_output());
    let failure = Harness::new(subject.clone()).read_all().unwrap_err();
    assert!(
        failure
            .message
            .contains("a.parquet` is not a Parquet file, or is damaged"),
        "{failure}"
    );
    fs::write(&file, "").unwrap();
    let failure = Harness::new(subject).read_all().unwrap_err();
    assert!(
        failure.message.contains("a.parquet` is not a Parquet file"),
        "{failure}"
    );
}

#[test]
fn options_that_cannot_work_are_refused_at_their_place() {
    for (options, pointer) in [
        (json!({ "path": "" }), "/path"),
        (json!({ "path": "s3://" }), "/path"),
        (json!({ "path": "a/[" }), "/path"),
        (json!({ "path": "a", "splitSize": "1B" }), "/splitSize"),
        (json!({ "path": "a", "watch": { "every": "1ms" } }), "/watch/every"),
        (json!({ "path": "a.parquet", "compression": "gzip" }), "/compression"),
    ] {
        assert_eq!(FileSource.plan(&options).unwrap_err().pointer, pointer, "{options}");
    }
    assert_eq!(FileSource.plan(&json!({ "path": "a.json" })).unwrap(), Shape::Bytes);
    assert_eq!(
        FileSource
            .plan(&json!({ "path": "a.parquet", "records": "lines" }))
            .unwrap(),
        Shape::Bytes
    );
}

#[test]
fn the_contract_of_sources_holds_where_files_are_read_side_by_side() {
    let folder = TempDir::new().unwrap();
    for number in 0..20 {
        fs::write(folder.path().join(format!("{number:02}.json")), text(500 * number)).unwrap();
    }
    fs::write(folder.path().join("20.json.gz"), gzip(text(20_000).as_bytes())).unwrap();
    let mut subject = subject(json!({ "path": folder.path() }));
    (subject.order, subject.alignment) = (Order::Kept, Alignment::ByDrift);
    check(subject.clone());
    subject.stores = Arc::new(Afar(Arc::clone(&subject.stores)));
    subject.buffer_bytes = 300 << 10;
    check(subject);
}

#[test]
fn files_are_read_in_turns_side_by_side_and_what_is_ahead_is_left_out() {
    let folder = TempDir::new().unwrap();
    for name in ["a", "b", "c"] {
        fs::write(folder.path().join(name), text(40_000)).unwrap();
    }
    let mut subject = subject(json!({ "path": folder.path() }));
    subject.alignment = Alignment::ByDrift;
    let harness = Harness::new(subject);
    let splits = harness.splits().unwrap();
    let id = |place: usize| splits[place].id.clone();
    let mut driven = harness.reader(splits.clone()).unwrap();
    assert_eq!(driven.reader.room(), 13);
    for _ in 0..3 {
        driven.step().unwrap();
    }
    assert_eq!(
        driven.read.keys().cloned().collect::<Vec<_>>(),
        [id(0), id(1), id(2)],
        "one batch of each"
    );
    let before = driven.read[&id(1)].len();
    driven.reader.hold(&[id(1)].into());
    for _ in 0..4 {
        driven.step().unwrap();
    }
    assert_eq!(driven.read[&id(1)].len(), before);
    driven.reader.hold(&std::collections::BTreeSet::new());
    driven.reader.no_more_splits();
    while driven.step().unwrap() != Step::Ended {}
    assert!(splits.iter().all(|split| driven.read[&split.id].len() == 40_000));
}
