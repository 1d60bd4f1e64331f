//! Every format runs the one contract suite.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef};
use dataflow::contract::{Format, Framing, Lines};
use dataflow::element::columns;
use dataflow::testing::format::{Case, check};
use serde_json::{Value, json};

use super::csv::Csv;
use super::json::Json;
use super::raw::Raw;

fn schema(fields: Vec<Field>) -> SchemaRef {
    Arc::new(Schema::new(fields))
}

fn scalars() -> Vec<Field> {
    [
        ("flag", DataType::Boolean),
        ("small", DataType::Int32),
        ("large", DataType::Int64),
        ("single", DataType::Float32),
        ("double", DataType::Float64),
        ("price", DataType::Decimal128(10, 2)),
        ("text", DataType::Utf8View),
        ("bytes", DataType::Binary),
        ("day", DataType::Date32),
        ("time", columns::timestamp()),
    ]
    .into_iter()
    .map(|(name, data_type)| Field::new(name, data_type, true))
    .collect()
}

#[test]
fn json_keeps_the_contract() {
    let item = Fields::from(vec![
        Field::new("sku", DataType::Utf8View, true),
        Field::new("qty", DataType::Int64, true),
    ]);
    let items = DataType::List(Arc::new(Field::new("item", DataType::Struct(item), true)));
    let inner = Fields::from(vec![
        Field::new("total", DataType::Float64, true),
        Field::new("items", items, true),
        columns::any("more"),
    ]);
    let mut fields = scalars();
    fields.push(Field::new("payload", DataType::Struct(inner), true));
    fields.push(Field::new(
        "grid",
        DataType::new_list(DataType::new_list(DataType::Int32, true), true),
        true,
    ));
    fields.push(columns::any("whatever"));
    check(&Case {
        format: &Json,
        options: Value::Null,
        columns: schema(fields),
        good: vec![
            "{}",
            r#"{"flag":true,"small":-7,"large":9007199254740993,"single":1.5,"double":-0.1,"price":12.30,"text":"a text of more than twelve bytes","bytes":"aGVsbG8=","day":"2024-02-29","time":1700000000123}"#,
            r#" { "text" : "kurz\u0041 \ud83d\ude00\n\"" , "flag" : null , "time" : "2023-11-14T22:13:20.123Z" } "#,
            r#"{"payload":{"total":1e3,"items":[{"sku":"a","qty":1},{"qty":2},null,{}]},"grid":[[1,2],[],null,[null]]}"#,
            r#"{"whatever":12.50,"payload":{"more":{"a" : [1, "\u0041"]},"total":1}}"#,
            r#"{"whatever":"a string that is longer than a view","payload":{"more":"\"quoted\""}}"#,
            r#"{"whatever":false,"payload":{"more":[]}}"#,
            r#"{"whatever":null,"payload":{"more":-1e5,"items":[]}}"#,
            r#"{"payload":null,"grid":[],"unread":{"payload":{"total":"x"}},"unread too":[1,{"a":[]}]}"#,
            "{\"text\":\"gr\u{fc}\u{df}e, and some more of them\",\"payload\":{\"items\":[]}}",
        ],
        bad: vec![
            "",
            "{",
            r#"{"text":"cut off"#,
            r#"{"text":1}"#,
            r#"{"flag":true} x"#,
            r#"{"whatever":truth}"#,
            r#"{"whatever":[1,}"#,
            r#"{"payload":{"more":01}}"#,
            r#"{"payload":{"items":[{"sku":"left","qty":"no number"}]}}"#,
            r#"{"grid":[[1,2.5]]}"#,
            r#"{"bytes":"no base64"}"#,
            "17",
        ],
    });
}

#[test]
fn csv_keeps_the_contract() {
    check(&Case {
        format: &Csv,
        options: json!({ "nullText": "NULL" }),
        columns: schema(scalars()),
        good: vec![
            "true,-7,9007199254740993,1.5,-0.1,12.30,a text of more than twelve bytes,aGVsbG8=,2024-02-29,1700000000123",
            "false,1,2,3,4,5,\"with \"\"quotes\"\", commas and more\",,1970-01-01,2023-11-14T22:13:20Z",
            "NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL",
            "NULL,NULL,NULL,NULL,NULL,NULL,\"NULL\",NULL,NULL,NULL",
            "NULL,NULL,NULL,NULL,NULL,NULL,,NULL,NULL,NULL",
        ],
        bad: vec![
            "",
            "true",
            "1,2,3,4,5,6,7,8,9,10",
            "true,1,2,3,4,5,\"open",
            "true,1,2,3,4,5,a,,,,,",
            "true,1,2,3,4,5,\"a\"b,,NULL,NULL",
        ],
    });
}

#[test]
fn raw_keeps_the_contract() {
    check(&Case {
        format: &Raw,
        options: json!({}),
        columns: schema(vec![]),
        good: vec![
            "anything",
            "",
            "{\"half\":",
            "a longer line that is not held by its view",
        ],
        bad: vec![],
    });
}

#[test]
fn no_field_of_a_raw_record_can_be_read() {
    let refused = Raw.decoder(&json!({}), schema(scalars())).err().unwrap();
    assert!(
        refused.message.contains("`flag` cannot be read with `format: raw`"),
        "{refused}"
    );
    assert!(Raw.encoder(&json!({}), schema(scalars())).is_err());
}

#[test]
fn the_first_line_of_csv_names_the_fields() {
    let options = json!({ "schema": { "id": "int64", "a;b": "string" }, "delimiter": ";" });
    let Framing::QuotedLines { quote, header } = Csv.framing(&options).unwrap() else {
        panic!("rows may hold line feeds")
    };
    assert_eq!((quote, header.unwrap()), (b'"', b"id;\"a;b\"".to_vec()));
    let fields = vec![
        Field::new("id", DataType::Int64, true),
        Field::new("a;b", DataType::Utf8View, true),
        columns::split().as_ref().clone(),
    ];
    let encoder = Csv.encoder(&options, schema(fields)).unwrap();
    assert_eq!(encoder.header().unwrap(), b"id;\"a;b\"\n");
    let Framing::QuotedLines { header, .. } = Csv.framing(&json!({ "header": false })).unwrap() else {
        panic!("rows may hold line feeds")
    };
    assert_eq!(header, None);
}

#[test]
fn csv_reads_the_wanted_fields_by_their_place_in_the_schema() {
    let options = json!({ "schema": { "a": "string", "b": "int64", "c": "string" } });
    let wanted = schema(vec![
        Field::new("c", DataType::Utf8View, true),
        Field::new("b", DataType::Int64, true),
    ]);
    let mut decoder = Csv.decoder(&options, Arc::clone(&wanted)).unwrap();
    let decoded = decoder.decode(&dataflow::testing::format::lines(&[b"x,1,y", b"x,y,z", b"x,1"]));
    let errors: Vec<_> = decoded.bad.iter().map(|bad| bad.error.as_str()).collect();
    assert_eq!(
        errors,
        [
            "b: expected a whole number of 64 bits, found `y`",
            "expected 3 fields, found 2"
        ]
    );
    assert_eq!(arrow::array::AsArray::as_string_view(&decoded.columns[0]).value(0), "y");
    let unknown = schema(vec![Field::new("d", DataType::Int64, true)]);
    assert_eq!(
        Csv.decoder(&options, unknown).err().unwrap().message,
        "it has no field `d`"
    );
}

#[test]
fn options_that_cannot_work_are_refused() {
    for (format, options) in [
        (&Csv as &dyn Format, json!({ "delimiter": "" })),
        (&Csv, json!({ "delimiter": ",," })),
        (&Csv, json!({ "quote": "," })),
        (&Csv, json!({ "nullText": "a,b" })),
        (&Csv, json!({ "typo": 1 })),
        (&Json, json!({ "typo": 1 })),
        (&Raw, json!({ "schema": {} })),
    ] {
        assert!(
            format.decoder(&options, schema(vec![])).is_err(),
            "{} {options}",
            format.name()
        );
    }
    let nested = vec![Field::new("list", DataType::new_list(DataType::Int32, true), true)];
    assert!(Csv.decoder(&json!({}), schema(nested.clone())).is_err());
    assert!(Csv.encoder(&json!({}), schema(nested)).is_err());
}

#[test]
fn a_value_of_any_type_is_plain_text_in_csv() {
    let columns = schema(vec![columns::any("id")]);
    let values = [r#""a,b""#, r#""caf\u00e9""#, "12.50", "true", r#"{"a":1}"#];
    let array = arrow::array::StringViewArray::from_iter(values.map(Some).into_iter().chain([None]));
    let rows = arrow::record_batch::RecordBatch::try_new(Arc::clone(&columns), vec![Arc::new(array)]).unwrap();
    let mut encoder = Csv.encoder(&json!({ "nullText": "NULL" }), columns).unwrap();
    let mut out = Lines::default();
    assert_eq!(encoder.encode(&rows, &mut out), []);
    let expected = "\"a,b\"\ncafé\n12.50\ntrue\n\"{\"\"a\"\":1}\"\nNULL\n";
    assert_eq!(std::str::from_utf8(out.bytes()).unwrap(), expected);
}
