//! Each operator from outside: rows in, rows out, the same for every way of cutting them into batches.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef};
use dataflow::element::{BATCH_ROWS_MAX, columns};
use dataflow::expr::Expression;
use dataflow::recipe::{self, Format, Node, Projection, Recipe};
use serde_json::Value;

use crate::testing::{check, open, run, typed};

fn schema(fields: Vec<Field>) -> SchemaRef {
    Arc::new(Schema::new(fields))
}

fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8View, true)
}

fn number(name: &str) -> Field {
    Field::new(name, DataType::Int64, true)
}

fn node(recipe: Recipe, input: &SchemaRef, output: &SchemaRef) -> Node {
    Node {
        name: "step".to_owned(),
        recipe,
        input: Arc::clone(input),
        output: Arc::clone(output),
        targets: vec![],
    }
}

fn reserved() -> Vec<Field> {
    [columns::raw(), columns::split(), columns::position(), columns::time()]
        .map(|field| field.as_ref().clone())
        .to_vec()
}

fn with_reserved(mut fields: Vec<Field>) -> SchemaRef {
    fields.extend(reserved());
    schema(fields)
}

fn decode(output: &SchemaRef) -> Node {
    let format = Format {
        name: "json".to_owned(),
        options: Value::Null,
    };
    node(
        Recipe::Decode(recipe::Decode { format }),
        &with_reserved(vec![]),
        output,
    )
}

fn filter(input: &SchemaRef, sql: &str) -> Node {
    node(
        Recipe::Filter(recipe::Filter {
            predicate: Expression::new(sql),
        }),
        input,
        input,
    )
}

/// These columns, and behind them the bytes that rows came as.
fn with_origin(mut fields: Vec<Field>) -> SchemaRef {
    fields.push(columns::origin().as_ref().clone());
    schema(fields)
}

/// Rows of these columns that came as `records`.
fn rows_of(columns: &SchemaRef, records: &[&str]) -> RecordBatch {
    let rows = typed(columns, records);
    let fields = columns.fields().iter().map(|field| field.as_ref().clone());
    let mut arrays = rows.columns().to_vec();
    arrays.push(Arc::new(arrow::array::BinaryViewArray::from_iter_values(records)));
    RecordBatch::try_new(with_origin(fields.collect()), arrays).unwrap()
}

/// The bytes beside each row that comes of these.
fn origins(node: &Node, rows: &RecordBatch) -> Vec<String> {
    let outcome = run(node, rows, 2);
    assert_eq!(outcome.origins.len(), outcome.rows.len());
    outcome.origins
}

#[test]
fn decode_makes_the_columns_that_are_read_and_keeps_the_bytes() {
    let node = decode(&with_reserved(vec![text("eventType")]));
    check(
        &node,
        &open(&[
            r#"{"eventType":"A", "x":1}"#,
            "{}",
            "{not json",
            r#"{"eventType":null}"#,
        ]),
        &[
            r#"@7000 {"eventType":"A"} {"eventType":"A", "x":1}"#,
            "@7000 {}",
            r#"@7000 {"eventType":null}"#,
        ],
        &["s@102 not a JSON object: {not json"],
    );
}

#[test]
fn filter_keeps_what_is_true_and_counts_the_rest() {
    let input = schema(vec![text("kind"), number("n")]);
    let rows = typed(
        &input,
        &[
            r#"{"kind":"A","n":1}"#,
            r#"{"kind":"B","n":2}"#,
            r#"{"n":3}"#,
            r#"{"kind":"A","n":4}"#,
        ],
    );
    let node = filter(&input, "kind = 'A'");
    check(&node, &rows, &[r#"{"kind":"A","n":1}"#, r#"{"kind":"A","n":4}"#], &[]);
    assert_eq!(run(&node, &rows, 4).dropped, 2);
}

#[test]
fn a_row_whose_predicate_fails_is_a_dead_letter_and_the_others_go_on() {
    let input = schema(vec![number("n")]);
    let rows = typed(&input, &[r#"{"n":1}"#, r#"{"n":0}"#, r#"{"n":5}"#]);
    let outcome = run(&filter(&input, "10 / n > 3"), &rows, 3);
    assert_eq!(outcome.rows, [r#"{"n":1}"#]);
    assert_eq!(outcome.dead.len(), 1);
    assert!(outcome.dead[0].ends_with(r#": {"n":0}"#), "{:?}", outcome.dead);
}

#[test]
fn a_row_of_columns_that_fails_is_a_dead_letter_with_the_bytes_it_came_as() {
    let fields = vec![number("n")];
    let records = [r#"{ "n":1 , "x":"y" }"#, r#"{ "n":0, "x" : 7.50 }"#];
    let rows = rows_of(&schema(fields.clone()), &records);
    let input = with_origin(fields);
    let outcome = run(&filter(&input, "10 / n > 3"), &rows, 2);
    assert_eq!(outcome.rows, [r#"{"n":1}"#]);
    assert!(
        outcome.dead[0].ends_with(r#": { "n":0, "x" : 7.50 }"#),
        "{:?}",
        outcome.dead
    );
}

#[test]
fn every_step_keeps_the_bytes_a_row_came_as_beside_it() {
    let records = [r#"{ "items":[1,2],"x":0}"#, r#"{ "items":[3], "x":1}"#];
    let twice = [records[0], records[0], records[1]];
    let path = || "items".parse().unwrap();
    let raw = schema(vec![columns::raw().as_ref().clone()]);
    let unnest = || Recipe::Unnest(recipe::Unnest { path: path() });
    let as_bytes = with_origin(vec![columns::raw().as_ref().clone()]);

    let decoded = decode(&with_origin(vec![number("x")]));
    assert_eq!(origins(&decoded, &open(&records)), records);

    let paths = vec!["x".parse().unwrap()];
    let dropped = node(Recipe::Drop(recipe::Drop { paths }), &raw, &as_bytes);
    assert_eq!(origins(&dropped, &open(&records)), records);
    assert_eq!(origins(&node(unnest(), &raw, &as_bytes), &open(&records)), twice);

    let list = DataType::List(Arc::new(Field::new_list_field(DataType::Int64, true)));
    let lists = schema(vec![Field::new("items", list, true), number("x")]);
    let rows = rows_of(&lists, &records);
    let unnested = node(unnest(), &rows.schema(), &with_origin(vec![number("items")]));
    assert_eq!(origins(&unnested, &rows), twice);

    let projections = vec![Projection {
        name: "y".to_owned(),
        expression: Expression::new("x + 1"),
    }];
    let select = Recipe::Select(recipe::Select { projections });
    let selected = node(select, &rows.schema(), &with_origin(vec![number("y")]));
    assert_eq!(origins(&selected, &rows), records);
}

#[test]
fn a_sink_never_sees_the_bytes_that_are_for_dead_letters() {
    let all = with_origin(vec![number("n")]);
    assert_eq!(super::sink_rows(&all), schema(vec![number("n")]));
    assert_eq!(super::sink_rows(&with_reserved(vec![])), with_reserved(vec![]));
}

#[test]
fn filtered_bytes_are_views_of_the_buffers_they_came_in() {
    let input = with_reserved(vec![text("kind")]);
    let decoded = decoded(
        &[
            "{\"kind\":\"A\", \"and\":\"enough text not to be inlined\"}",
            "{\"kind\":\"B\"}",
        ],
        &input,
    );
    let before = decoded
        .column_by_name(columns::RAW)
        .unwrap()
        .as_binary_view()
        .data_buffers()[0]
        .as_ptr();
    let node = filter(&input, "kind = 'A'");
    let kept = dataflow::expr::Evaluator::compile(&Expression::new("kind = 'A'"), &node.input)
        .unwrap()
        .filter(&decoded)
        .kept;
    let after = kept
        .column_by_name(columns::RAW)
        .unwrap()
        .as_binary_view()
        .data_buffers()[0]
        .as_ptr();
    assert_eq!(before, after);
}

/// Open rows with a `kind` column beside them.
fn decoded(records: &[&str], schema: &SchemaRef) -> RecordBatch {
    let rows = open(records);
    let kinds = records.iter().map(|record| {
        serde_json::from_str::<Value>(record).unwrap()["kind"]
            .as_str()
            .map(str::to_owned)
    });
    let kinds: arrow::array::StringViewArray = kinds.collect();
    let mut columns: Vec<arrow::array::ArrayRef> = vec![Arc::new(kinds)];
    columns.extend(rows.columns().iter().cloned());
    RecordBatch::try_new(Arc::clone(schema), columns).unwrap()
}

#[test]
fn select_computes_columns_and_a_failing_one_costs_its_row_only() {
    let input = schema(vec![number("n"), text("t")]);
    let output = schema(vec![number("ten"), text("t")]);
    let projections = [("ten", "10 / n"), ("t", "t")];
    let projections = projections.map(|(name, sql)| Projection {
        name: name.to_owned(),
        expression: Expression::new(sql),
    });
    let node = node(
        Recipe::Select(recipe::Select {
            projections: projections.to_vec(),
        }),
        &input,
        &output,
    );
    let rows = typed(
        &input,
        &[r#"{"n":5,"t":"a"}"#, r#"{"n":0,"t":"b"}"#, r#"{"n":2,"t":"c"}"#],
    );
    let outcome = run(&node, &rows, 3);
    assert_eq!(outcome.rows, [r#"{"ten":2,"t":"a"}"#, r#"{"ten":5,"t":"c"}"#]);
    assert_eq!(outcome.dead.len(), 1);
    assert!(outcome.dead[0].starts_with("ten: "), "{:?}", outcome.dead);
}

#[test]
fn drop_removes_fields_of_records_as_columns() {
    let full = Fields::from(vec![number("a"), number("b")]);
    let input = schema(vec![Field::new("p", DataType::Struct(full), true), number("n")]);
    let output = schema(vec![Field::new(
        "p",
        DataType::Struct(Fields::from(vec![number("b")])),
        true,
    )]);
    let paths = vec!["p.a".parse().unwrap(), "n".parse().unwrap()];
    let node = node(Recipe::Drop(recipe::Drop { paths }), &input, &output);
    let rows = typed(&input, &[r#"{"p":{"a":1,"b":2},"n":3}"#, r#"{"n":4}"#]);
    check(&node, &rows, &[r#"{"p":{"b":2}}"#, ""], &[]);
}

#[test]
fn drop_removes_fields_of_records_as_bytes() {
    let input = with_reserved(vec![]);
    let paths = vec!["p.a".parse().unwrap()];
    let node = node(Recipe::Drop(recipe::Drop { paths }), &input, &input);
    check(
        &node,
        &open(&[r#"{"p":{"a":1,"b":2}}"#, r#"{"q":3}"#]),
        &[r#"@7000 {"p":{"b":2}}"#, r#"@7000 {"q":3}"#],
        &[],
    );
}

#[test]
fn unnest_makes_a_row_of_each_element_of_a_column() {
    let list = DataType::List(Arc::new(Field::new_list_field(DataType::Int64, true)));
    let input = schema(vec![text("id"), Field::new("items", list, true)]);
    let output = schema(vec![text("id"), number("items")]);
    let node = node(
        Recipe::Unnest(recipe::Unnest {
            path: "items".parse().unwrap(),
        }),
        &input,
        &output,
    );
    let rows = typed(
        &input,
        &[
            r#"{"id":"a","items":[1,2]}"#,
            r#"{"id":"b","items":[]}"#,
            r#"{"id":"c"}"#,
            r#"{"id":"d","items":[3]}"#,
        ],
    );
    check(
        &node,
        &rows,
        &[
            r#"{"id":"a","items":1}"#,
            r#"{"id":"a","items":2}"#,
            r#"{"id":"d","items":3}"#,
        ],
        &[],
    );
}

#[test]
fn unnest_makes_a_record_of_each_element_in_bytes() {
    let input = with_reserved(vec![]);
    let node = node(
        Recipe::Unnest(recipe::Unnest {
            path: "items".parse().unwrap(),
        }),
        &input,
        &input,
    );
    check(
        &node,
        &open(&[r#"{"items":[1,2],"x":0}"#, r#"{"items":7}"#, r#"{"x":0}"#]),
        &[r#"@7000 {"items":1,"x":0}"#, r#"@7000 {"items":2,"x":0}"#],
        &[r#"s@101 items is no list: {"items":7}"#],
    );
}

#[test]
fn a_long_list_comes_in_batches() {
    let list = DataType::List(Arc::new(Field::new_list_field(DataType::Int64, true)));
    let input = schema(vec![Field::new("items", list, true)]);
    let output = schema(vec![number("items")]);
    let node = node(
        Recipe::Unnest(recipe::Unnest {
            path: "items".parse().unwrap(),
        }),
        &input,
        &output,
    );
    let count = 2 * BATCH_ROWS_MAX + 5;
    let line = format!("{{\"items\":{:?}}}", (0..count).collect::<Vec<_>>());
    let rows = run(&node, &typed(&input, &[&line]), 1).rows;
    assert_eq!(rows.len(), count);
    assert_eq!(rows.last().unwrap(), &format!("{{\"items\":{}}}", count - 1));
}

#[test]
fn a_sample_keeps_the_same_rows_in_any_batches_and_about_its_share() {
    let input = with_reserved(vec![]);
    let sample = recipe::Sample {
        share: 0.25,
        by: None,
        seed: 1,
    };
    let node = node(Recipe::Sample(sample), &input, &input);
    let records: Vec<String> = (0..4000).map(|number| number.to_string()).collect();
    let rows = open(&records.iter().map(String::as_str).collect::<Vec<_>>());
    let once = run(&node, &rows, 4000);
    assert_eq!(once.rows, run(&node, &rows, 7).rows);
    assert!((900..1100).contains(&once.rows.len()), "{}", once.rows.len());
    assert_eq!(once.rows.len() as u64 + once.dropped, 4000);
}

#[test]
fn a_sample_by_key_keeps_all_rows_of_a_key_or_none() {
    let input = schema(vec![text("user"), number("n")]);
    let sample = recipe::Sample {
        share: 0.5,
        by: Some("user".parse().unwrap()),
        seed: 3,
    };
    let node = node(Recipe::Sample(sample), &input, &input);
    let lines: Vec<String> = (0..200)
        .map(|n| format!(r#"{{"user":"u{}","n":{n}}}"#, n % 20))
        .collect();
    let rows = typed(&input, &lines.iter().map(String::as_str).collect::<Vec<_>>());
    let kept = run(&node, &rows, 200).rows;
    assert!(!kept.is_empty() && kept.len() < 200);
    assert_eq!(kept.len() % 10, 0, "each key comes ten times");
}
