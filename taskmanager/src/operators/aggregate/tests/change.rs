//! What one document's aggregate has kept goes on as that of another: other columns, and the work in one part or in two.

use arrow::array::RecordBatch;
use dataflow::element::{Batch, Watermark};

use super::*;
use crate::operators::{Emitted, Operator, build};
use crate::state::{Cut, KeyGroups, Restored, Source};
use crate::testing::{Footing, picture, typed};

fn restored(node: &Node, restored: &Restored) -> Box<dyn Operator> {
    let footing = Footing::of(node);
    let ground = footing.ground(KeyGroups::of(0, 1, 64), restored);
    build(node, &ground).unwrap()
}

/// What an operator leaves at a barrier.
fn left(operator: &mut dyn Operator) -> Restored {
    let mut cut = Cut::new(1);
    operator.freeze(&mut cut).unwrap();
    let (bytes, note) = cut.into_parts();
    Restored {
        cuts: vec![Source::from(bytes)],
        notes: note.into_iter().collect(),
    }
}

fn pulled(operator: &mut dyn Operator) -> Vec<RecordBatch> {
    let mut all = Vec::new();
    while let Some(emitted) = operator.pull().unwrap() {
        if let Emitted::Rows(Port::Main, batch) = emitted {
            all.push(batch.into_records());
        }
    }
    all
}

fn with_numbers(data_type: DataType, measures: Vec<Measure>) -> Node {
    let mut node = aggregate(by_key(), Some(tumbling(10)), measures);
    let fields = node.input.fields().iter().map(|field| match field.name().as_str() {
        "n" => field.as_ref().clone().with_data_type(data_type.clone()),
        _ => field.as_ref().clone(),
    });
    node.input = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    node
}

#[test]
fn columns_that_came_went_and_widened_are_restored() {
    let narrow = vec![
        measure("most", Function::Max, Some("n")),
        measure("gone", Function::Sum, Some("n")),
        measure("rows", Function::Count, None),
    ];
    let wide = vec![
        measure("rows", Function::Count, None),
        measure("mean", Function::Avg, Some("n")),
        measure("most", Function::Max, Some("n")),
    ];
    let (before, after) = (
        with_numbers(DataType::Int32, narrow),
        with_numbers(DataType::Int64, wide),
    );
    let mut old = restored(&before, &Restored::default());
    let lines = [r#"{"$time": 1, "k": "a", "n": 5}"#, r#"{"$time": 2, "k": "b", "n": 7}"#];
    old.push(Batch::new(typed(&before.input, &lines))).unwrap();
    let mut new = restored(&after, &left(old.as_mut()));
    let lines = [r#"{"$time": 3, "k": "a", "n": 3}"#];
    new.push(Batch::new(typed(&after.input, &lines))).unwrap();
    new.advance(Watermark::MAX).unwrap();
    let mut rows: Vec<String> = pulled(new.as_mut()).iter().flat_map(picture).collect();
    rows.sort();
    let rows: Vec<&str> = rows.iter().map(|row| &row[row.rfind(r#""rows""#).unwrap()..]).collect();
    assert_eq!(rows, [r#""rows":2,"mean":3.0,"most":5}"#, r#""rows":1,"most":7}"#]);
}

#[test]
fn what_the_whole_has_kept_the_second_half_goes_on_with_and_the_other_way_round() {
    let recipe = |phase| recipe::Aggregate {
        keys: by_key(),
        window: Some(tumbling(10)),
        measures: rows_and_sum(),
        phase,
    };
    let (whole, first) = (node_of(recipe(Phase::Whole)), node_of(recipe(Phase::Partial)));
    let mut second = node_of(recipe(Phase::Final));
    second.input = Arc::clone(&first.output);
    let lines = [
        r#"{"$time": 1, "k": "a", "n": 1}"#,
        r#"{"$time": 12, "k": "b", "n": 2}"#,
    ];
    let batch = || Batch::new(typed(&input(), &lines));

    let mut operator = restored(&whole, &Restored::default());
    operator.push(batch()).unwrap();
    let mut operator = restored(&second, &left(operator.as_mut()));
    let mut fore = restored(&first, &Restored::default());
    fore.push(batch()).unwrap();
    fore.settle().unwrap();
    for rows in pulled(fore.as_mut()) {
        operator.push(Batch::new(rows)).unwrap();
    }
    operator.advance(Watermark(9)).unwrap();
    let rows: Vec<String> = pulled(operator.as_mut()).iter().flat_map(picture).collect();
    assert!(rows.len() == 1 && rows[0].contains(r#""rows":2,"sum":2"#), "{rows:?}");
    let mut operator = restored(&whole, &left(operator.as_mut()));
    operator.push(Batch::new(typed(&input(), &lines[1..]))).unwrap();
    operator.advance(Watermark::MAX).unwrap();
    let rows: Vec<String> = pulled(operator.as_mut()).iter().flat_map(picture).collect();
    assert!(rows.len() == 1 && rows[0].contains(r#""rows":3,"sum":6"#), "{rows:?}");
}
