//! The scanner against `serde_json` and `sonic-rs`: a record is good if and only if they take it, and what is read of it is
//! what they read. Then each promise of this format by name.

use std::sync::Arc;

use arrow::array::{Array, AsArray, BinaryViewArray};
use arrow::datatypes::{Float64Type, Int64Type};
use arrow::record_batch::RecordBatch;
use arrow_schema::{DataType, Field, Fields, Schema};
use dataflow::contract::format::{Format, Lines, Splicer};
use dataflow::contract::{BadRecord, Decoded};
use dataflow::element::columns;
use dataflow::testing::format::lines;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop, prop_oneof, proptest};
use serde_json::Value;

use super::Json;

/// The wanted fields of most tests.
fn wanted() -> Vec<Field> {
    let inner = Fields::from(vec![Field::new("total", DataType::Float64, true)]);
    vec![
        Field::new("eventType", DataType::Utf8View, true),
        Field::new("id", DataType::Int64, true),
        Field::new("payload", DataType::Struct(inner), true),
    ]
}

fn decode(fields: Vec<Field>, records: &BinaryViewArray) -> Decoded {
    Json.decoder(&Value::Null, Arc::new(Schema::new(fields)))
        .unwrap()
        .decode(records)
}

/// The error of this one record, if it is bad.
fn error(fields: Vec<Field>, record: &[u8]) -> Option<String> {
    decode(fields, &lines(&[record])).bad.pop().map(|bad| bad.error)
}

/// Whether `serde_json` takes this for one value. It refuses numbers that no double holds; a record may have them.
fn is_json(record: &[u8]) -> bool {
    match serde_json::from_slice::<Value>(record) {
        Ok(_) => true,
        Err(error) if error.to_string().starts_with("number out of range") => {
            serde_json::from_slice::<&serde_json::value::RawValue>(record).is_ok()
        }
        Err(_) => false,
    }
}

/// What must be true of any bytes.
fn agrees(record: &[u8]) {
    let good = is_json(record);
    let found = error(vec![], record);
    assert_eq!(
        found.is_none(),
        good,
        "{:?}: {found:?}",
        String::from_utf8_lossy(record)
    );
    let found = error(wanted(), record);
    assert!(
        good || found.is_some(),
        "bad also when fields are read: {:?}",
        String::from_utf8_lossy(record)
    );
    let Ok(Value::Object(members)) = serde_json::from_slice::<Value>(record) else {
        return;
    };
    any_type_is_taken(record, &members);
    if found.is_some() {
        return;
    }
    // Without duplicates, which `serde_json` reads the other way round, the values are the same.
    let names = sonic_rs::to_object_iter(record).flatten().count();
    if names != members.len() {
        return;
    }
    let decoded = decode(wanted(), &lines(&[record]));
    let text = decoded.columns[0].as_string_view();
    assert_eq!(
        text.is_valid(0).then(|| text.value(0)),
        members.get("eventType").and_then(Value::as_str)
    );
    let id = decoded.columns[1].as_primitive::<Int64Type>();
    assert_eq!(
        id.is_valid(0).then(|| id.value(0)),
        members.get("id").and_then(Value::as_i64)
    );
    let payload = decoded.columns[2].as_struct();
    let total = payload.column(0).as_primitive::<Float64Type>();
    assert_eq!(
        payload.is_valid(0),
        members.get("payload").is_some_and(Value::is_object)
    );
    // `sonic-rs` for the number's text: the double of `serde_json` may not be the nearest.
    let lazy = sonic_rs::get(record, ["payload", "total"]).ok();
    let expected = lazy.and_then(|lazy| lazy.as_raw_str().parse::<f64>().ok());
    assert_eq!(total.is_valid(0).then(|| total.value(0)), expected);
}

/// Whatever the type of a member, it is taken byte for byte where any will do.
fn any_type_is_taken(record: &[u8], members: &serde_json::Map<String, Value>) {
    type Raw<'a> = std::collections::BTreeMap<String, &'a serde_json::value::RawValue>;
    if sonic_rs::to_object_iter(record).flatten().count() != members.len() {
        return;
    }
    let text = |raw: &Raw<'_>, name: &str| {
        let value = raw.get(name).map(|value| value.get().to_owned());
        value.filter(|value| value != "null")
    };
    let raw: Raw<'_> = serde_json::from_slice(record).unwrap();
    let names = ["before", "eventType", "id", "payload"];
    let decoded = decode(names.map(columns::any).to_vec(), &lines(&[record]));
    assert_eq!(decoded.bad, []);
    for (name, column) in names.iter().zip(&decoded.columns) {
        let column = column.as_string_view();
        let found = column.is_valid(0).then(|| column.value(0).to_owned());
        assert_eq!(found, text(&raw, name), "{name} of {}", String::from_utf8_lossy(record));
    }
    let Some(payload) = raw.get("payload").filter(|_| members["payload"].is_object()) else {
        return;
    };
    let inner = DataType::Struct(vec![columns::any("total"), columns::any("x")].into());
    let decoded = decode(vec![Field::new("payload", inner, true)], &lines(&[record]));
    assert_eq!(decoded.bad, []);
    let names = sonic_rs::to_object_iter(payload.get()).flatten().count();
    let payload: Raw<'_> = serde_json::from_str(payload.get()).unwrap();
    if names != payload.len() {
        return;
    }
    for (place, name) in ["total", "x"].into_iter().enumerate() {
        let column = decoded.columns[0].as_struct().column(place).as_string_view();
        let found = column.is_valid(0).then(|| column.value(0).to_owned());
        assert_eq!(found, text(&payload, name), "payload.{name}");
    }
}

fn strings() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("eventType".to_owned()),
        Just("payload".to_owned()),
        Just("total".to_owned()),
        Just("id".to_owned()),
        "[a-z]{0,20}",
        any::<String>(),
        "[\\\\\"\\x00-\\x1f\u{20ac}/]{0,6}",
    ]
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-99_999..99_999_i32, 0..4).prop_map(|(value, places)| Value::from(f64::from(value) / 10_f64.powi(places))),
        strings().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((strings(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A record that the wanted fields are likely in.
fn records() -> impl Strategy<Value = Value> {
    (strings(), any::<i64>(), any::<f64>(), values(), values()).prop_map(|(text, id, total, more, other)| {
        let mut members = serde_json::Map::new();
        members.insert("before".to_owned(), more);
        members.insert("eventType".to_owned(), text.into());
        members.insert("payload".to_owned(), serde_json::json!({ "x": other, "total": total }));
        members.insert("id".to_owned(), id.into());
        Value::Object(members)
    })
}

type Write = fn(&Value) -> serde_json::Result<Vec<u8>>;

/// Without white space and with it.
fn writers() -> impl Strategy<Value = Write> {
    prop_oneof![
        Just(serde_json::to_vec as Write),
        Just(serde_json::to_vec_pretty as Write)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_value_is_taken(value in prop_oneof![values(), records()], write in writers()) {
        let record = write(&value).unwrap();
        assert_eq!(error(vec![], &record), None);
        agrees(&record);
    }

    #[test]
    fn any_damage_is_judged_as_others_do(
        value in prop_oneof![values(), records()],
        write in writers(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..4_u8, prop_oneof![any::<u8>(), prop::sample::select(b"\"\\{}[]:,0-.eE+u \n\x00\x80".to_vec())]), 1..4),
    ) {
        let mut record = write(&value).unwrap();
        for (place, how, byte) in changes {
            let place = place.index(record.len() + 1);
            match how {
                0 => record.insert(place, byte),
                1 => record.truncate(place),
                _ if place == record.len() => {}
                2 => drop(record.remove(place)),
                _ => record[place] = byte,
            }
        }
        agrees(&record);
    }

    #[test]
    fn any_text_of_tokens_is_judged_as_others_do(tokens in prop::collection::vec(prop::sample::select(vec![
        "{", "}", "[", "]", ":", ",", "\"a\"", "\"eventType\"", "1", "-", "0", "01", "1.5", "1.", ".5", "1e5", "1e", "1E+2", "-0", "1e999",
        "true", "false", "null", "tru", "nul", "\"", "\\", " ", "\n", "\\u0041", "\"\\ud800\"", "\"\\ud83d\\ude00\"", "\"\\x\"",
        "123456789012345678901234567890123456789012345678901234567890", "0.1234567890123456789012345678901234567890", "é", "\u{1}",
    ]), 0..12)) {
        agrees(tokens.concat().as_bytes());
    }
}

#[test]
fn every_record_of_the_corpus_is_judged_as_others_do() {
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../integration/fuzz/corpus/json");
    let mut seen = 0;
    for entry in std::fs::read_dir(&corpus).unwrap() {
        agrees(&std::fs::read(entry.unwrap().path()).unwrap());
        seen += 1;
    }
    assert!(seen >= 5, "the corpus is there");
}

#[test]
fn numbers_and_strings_that_cross_blocks_are_judged_as_others_do() {
    for length in 0..200 {
        for part in [
            "\"\\\\\"",
            "\"\\\"\"",
            "12345",
            "-1.25e10",
            "true",
            "\"é\"",
            "\"a\\",
            "\"\\u00e9\"",
            "tru",
            "[[]]",
        ] {
            agrees(format!("{{\"a\":\"{}\",\"b\":{part}}}", "x".repeat(length)).as_bytes());
            agrees(format!("{}{part}", " ".repeat(length)).as_bytes());
        }
        agrees("7".repeat(length).as_bytes());
        agrees(format!("\"{}\"", "\\".repeat(length)).as_bytes());
        agrees(format!("{}1{}", "[".repeat(length), "]".repeat(length)).as_bytes());
        agrees(format!("{}1{}", "{\"a\":".repeat(length), "}".repeat(length)).as_bytes());
    }
}

#[test]
fn a_bad_record_says_what_and_where() {
    for (record, expected) in [
        (
            "",
            "not a JSON value: the record is cut off: expected a value at byte 0",
        ),
        (
            "{\"a\":1",
            "not a JSON value: the record is cut off: expected `,` or `}` at byte 6",
        ),
        (
            "{\"a\":\"b",
            "not a JSON value: the record is cut off inside a string at byte 7",
        ),
        ("{\"a\"=1}", "not a JSON value: expected `:`, found `=` at byte 4"),
        (
            "{\"a\":1} 2",
            "not a JSON value: text behind the end of the value at byte 8",
        ),
        (
            "{\"a\":01}",
            "not a JSON value: a number with a zero before it at byte 5",
        ),
        (
            "{\"a\":\"\\q\"}",
            "not a JSON value: a backslash with nothing after it that it could escape at byte 6",
        ),
        ("hello", "not a JSON value: expected a value, found `h` at byte 0"),
        (
            "{\"payload\":{\"total\":\"12\"}}",
            "payload.total: expected a number, found a string",
        ),
        ("{\"id\":1.5}", "id: expected a whole number, found 1.5"),
        (
            "{\"id\":9223372036854775808}",
            "id: 9223372036854775808 does not fit in 64 bits",
        ),
        ("{\"eventType\":{}}", "eventType: expected a string, found an object"),
        ("{\"payload\":[1]}", "payload: expected an object, found a list"),
        ("[1]", "expected an object, found a list"),
    ] {
        assert_eq!(
            error(wanted(), record.as_bytes()).as_deref(),
            Some(expected),
            "{record}"
        );
    }
    let control = error(wanted(), b"{\"a\":\"\t\"}").unwrap();
    assert!(control.ends_with("at byte 6"), "{control}");
    assert_eq!(
        error(wanted(), b"{\"a\":\"\xff\"}").unwrap(),
        "not a JSON value: bytes that are not UTF-8 at byte 6"
    );
}

#[test]
fn of_members_with_one_name_the_first_counts() {
    let decoded = decode(
        wanted(),
        &lines(&[
            br#"{"eventType":"first","id":1,"eventType":"second","\u0069d":2}"#,
            br#"{"\u0069d":3}"#,
        ]),
    );
    assert_eq!(decoded.bad, []);
    assert_eq!(decoded.columns[0].as_string_view().value(0), "first");
    assert_eq!(decoded.columns[1].as_primitive::<Int64Type>().values(), &[1, 3]);
}

#[test]
fn values_of_any_type_leave_as_they_came() {
    let records = [
        r#"{"id":"a\u0041\"","more":{"a":12.50}}"#,
        r#"{"id":12.50,"more":{"a":{"b" : [1, null]}}}"#,
        r#"{"id":true,"more":{"a":[]}}"#,
        r#"{"id":123456789012345678901234567890,"more":{"a":"a string that is longer than a view"}}"#,
        r#"{"more":{}}"#,
    ];
    let more = DataType::Struct(vec![columns::any("a")].into());
    let fields = vec![columns::any("id"), Field::new("more", more, true)];
    let bytes: Vec<&[u8]> = records.iter().map(|record| record.as_bytes()).collect();
    let input = lines(&bytes);
    let decoded = decode(fields.clone(), &input);
    assert_eq!(decoded.bad, []);
    let views = decoded.columns[1].as_struct().column(0).as_string_view();
    assert_eq!(
        views.data_buffers()[0].as_ptr(),
        input.data_buffers()[0].as_ptr(),
        "nothing is copied"
    );
    let schema = Arc::new(Schema::new(fields));
    let rows = RecordBatch::try_new(Arc::clone(&schema), decoded.columns).unwrap();
    assert_eq!(encode(&rows), records.map(|record| format!("{record}\n")).concat());
}

fn encode(rows: &RecordBatch) -> String {
    let mut out = Lines::default();
    let bad = Json
        .encoder(&Value::Null, rows.schema())
        .unwrap()
        .encode(rows, &mut out);
    assert_eq!(bad, []);
    String::from_utf8(out.bytes().to_vec()).unwrap()
}

#[test]
fn a_value_of_many_lines_leaves_on_one() {
    let schema = Arc::new(Schema::new(vec![columns::any("a")]));
    let decoded = decode(vec![columns::any("a")], &lines(&[b"{\"a\": {\n\"b\":\r\n\"\\n\"}\n}"]));
    let rows = RecordBatch::try_new(Arc::clone(&schema), decoded.columns).unwrap();
    assert_eq!(encode(&rows), "{\"a\":{ \"b\":  \"\\n\"}}\n");
}

#[test]
fn strings_without_escapes_are_not_copied() {
    let records = lines(&[br#"{"eventType":"a name of more than twelve bytes"}"#]);
    let decoded = decode(wanted(), &records);
    let text = decoded.columns[0].as_string_view();
    assert_eq!(text.value(0), "a name of more than twelve bytes");
    assert_eq!(text.data_buffers()[0].as_ptr(), records.data_buffers()[0].as_ptr());
}

#[test]
fn a_required_field_must_be_there() {
    let fields = || vec![Field::new("id", DataType::Int64, false)];
    assert_eq!(error(fields(), b"{}").unwrap(), "id: is absent");
    assert_eq!(error(fields(), br#"{"id":null}"#).unwrap(), "id: must not be null");
    assert_eq!(error(fields(), br#"{"id":0}"#), None);
}

#[test]
fn nulls_are_left_out_and_what_json_lacks_is_a_bad_row() {
    let schema = Arc::new(Schema::new(vec![
        Field::new("a", DataType::Float64, true),
        columns::split().as_ref().clone(),
    ]));
    let split: arrow::array::DictionaryArray<arrow::datatypes::Int32Type> = vec!["s"; 3].into_iter().collect();
    let column = arrow::array::Float64Array::from(vec![Some(1.5), Some(f64::NAN), None]);
    let rows = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(column), Arc::new(split)]).unwrap();
    let mut out = Lines::default();
    let bad = Json.encoder(&Value::Null, schema).unwrap().encode(&rows, &mut out);
    assert_eq!(out.bytes(), b"{\"a\":1.5}\n{}\n", "the rows behind it are written");
    assert_eq!(out.count(), 2);
    let nan = BadRecord {
        row: 1,
        error: "a: JSON has no number NaN".to_owned(),
    };
    assert_eq!(bad, [nan]);
}

fn texts(records: &BinaryViewArray) -> Vec<String> {
    records
        .iter()
        .map(|record| String::from_utf8(record.unwrap().to_vec()).unwrap())
        .collect()
}

fn splicer() -> &'static dyn Splicer {
    Json.splicer().unwrap()
}

#[test]
fn fields_are_removed_and_the_rest_stays_byte_for_byte() {
    for (record, paths, expected) in [
        (r#"{"a":1,"b":2,"c":3}"#, vec!["a"], r#"{"b":2,"c":3}"#),
        (r#"{"a":1,"b":2,"c":3}"#, vec!["b"], r#"{"a":1,"c":3}"#),
        (r#"{"a":1,"b":2,"c":3}"#, vec!["c"], r#"{"a":1,"b":2}"#),
        (r#"{"a":1,"b":2,"c":3}"#, vec!["b", "c"], r#"{"a":1}"#),
        (r#"{"a":1,"b":2,"c":3}"#, vec!["a", "b"], r#"{"c":3}"#),
        (r#"{"a":1,"b":2,"c":3}"#, vec!["a", "c"], r#"{"b":2}"#),
        (r#"{"a":1,"b":2,"c":3}"#, vec!["a", "b", "c"], r#"{}"#),
        (
            r#"{"a":1,"x":{"y":1,"z":[2]},"b":2}"#,
            vec!["x.y"],
            r#"{"a":1,"x":{"z":[2]},"b":2}"#,
        ),
        (
            r#"{"a":1,"x":{"y":1,"z":[2]},"b":2}"#,
            vec!["x.y", "x", "a"],
            r#"{"b":2}"#,
        ),
        (r#"{ "a" : 1 , "b" : 2 }"#, vec!["a"], r#"{ "b" : 2 }"#),
        (r#"{"a":1,"\u0061":2,"b":3}"#, vec!["a"], r#"{"b":3}"#),
        (
            r#"{"a":"unlike","b":1}"#,
            vec!["a.b", "none"],
            r#"{"a":"unlike","b":1}"#,
        ),
        (r#"{"a":1,"b":"#, vec!["a"], r#"{"a":1,"b":"#),
        ("[1,2]", vec!["a"], "[1,2]"),
    ] {
        let paths: Vec<_> = paths.iter().map(|path| path.parse().unwrap()).collect();
        let records = lines(&[record.as_bytes(), br#"{"another":"record"}"#]);
        let spliced = splicer().remove_fields(&records, &paths);
        assert_eq!(
            texts(&spliced),
            [expected, r#"{"another":"record"}"#],
            "{record} without {paths:?}"
        );
    }
}

#[test]
fn a_list_is_spread_over_records() {
    let records = lines(&[
        br#"{"id":1,"x":{"items":[{"a":1}, "two" ,[3]],"y":0}}"#,
        br#"{"id":2,"x":{"items":[]}}"#,
        br#"{"id":3}"#,
        br#"{"id":4,"x":null}"#,
        br#"{"id":5,"x":{"items":{}}}"#,
        br#"{"id":6,"x":{"items":[1]}}"#,
    ]);
    let unnested = splicer().unnest(&records, &"x.items".parse().unwrap());
    assert_eq!(
        texts(&unnested.records),
        [
            r#"{"id":1,"x":{"items":{"a":1},"y":0}}"#,
            r#"{"id":1,"x":{"items":"two","y":0}}"#,
            r#"{"id":1,"x":{"items":[3],"y":0}}"#,
            r#"{"id":6,"x":{"items":1}}"#
        ]
    );
    assert_eq!(unnested.rows, [0, 0, 0, 5]);
    assert_eq!(
        unnested.bad,
        [BadRecord {
            row: 4,
            error: "x.items: expected a list, found an object".to_owned()
        }]
    );
    assert!(decode(vec![], &unnested.records).bad.is_empty());
}

#[test]
fn a_list_that_would_fill_the_memory_is_refused() {
    let record = format!(
        "{{\"big\":\"{}\",\"list\":[{}1]}}",
        "x".repeat(100_000),
        "1,".repeat(1000)
    );
    let unnested = splicer().unnest(&lines(&[record.as_bytes()]), &"list".parse().unwrap());
    assert_eq!((unnested.records.len(), unnested.bad.len()), (0, 1));
}
