//! Aggregates from outside: windows of every kind, late rows, early results, changes, two phases.

mod change;
mod late;
mod phases;
mod reference;
mod sessions;
mod updating;
mod windows;

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use dataflow::element::columns;
use dataflow::expr::Expression;
use dataflow::recipe::{
    self, Clocked, Function, GroupKey, Measure, Node, Origin, Phase, Port, Recipe, Spans, Target, Window,
};

/// What the rows of most tests have.
fn input() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("k", DataType::Utf8View, true),
        Field::new("n", DataType::Int64, true),
        columns::time().as_ref().clone(),
    ]))
}

fn measure(name: &str, function: Function, argument: Option<&str>) -> Measure {
    Measure {
        name: name.to_owned(),
        function,
        argument: argument.map(Expression::new),
        filter: None,
        argument_type: argument.map(|_| DataType::Int64),
    }
}

/// Rows and their sum.
fn rows_and_sum() -> Vec<Measure> {
    vec![
        measure("rows", Function::Count, None),
        measure("sum", Function::Sum, Some("n")),
    ]
}

fn by_key() -> Vec<GroupKey> {
    vec![GroupKey {
        name: "k".to_owned(),
        path: "k".parse().unwrap(),
    }]
}

fn windows(spans: Spans) -> Window {
    Window {
        spans,
        clock: Clocked::Event,
        allowed_lateness_ms: 0,
        emit_every_ms: None,
    }
}

fn tumbling(size_ms: u64) -> Window {
    windows(Spans::Tumbling {
        size_ms,
        origin: Origin::default(),
    })
}

/// The output of an aggregate of `input`.
fn output(recipe: &recipe::Aggregate) -> SchemaRef {
    let mut fields: Vec<Field> = recipe
        .keys
        .iter()
        .map(|key| Field::new(&key.name, DataType::Utf8View, true))
        .collect();
    if recipe.window.is_some() && recipe.phase != Phase::Partial {
        fields.extend(["window_start", "window_end"].map(|name| Field::new(name, columns::timestamp(), true)));
    }
    if recipe.phase == Phase::Partial {
        fields.extend([columns::pane(), columns::state()].map(|field| field.as_ref().clone()));
        let values = recipe.values().into_iter().enumerate();
        fields.extend(values.map(|(place, (_, data_type))| columns::value(place, data_type).as_ref().clone()));
        return Arc::new(Schema::new(fields));
    }
    for measure in &recipe.measures {
        let (found, nullable) = match measure.function {
            Function::Count | Function::CountDistinct | Function::ApproxDistinct => (DataType::Int64, false),
            Function::Sum | Function::Min | Function::Max | Function::First | Function::Last => (DataType::Int64, true),
            _ => (DataType::Float64, true),
        };
        fields.push(Field::new(&measure.name, found, nullable));
    }
    fields.push(columns::time().as_ref().clone());
    if recipe.window.is_none() {
        fields.push(columns::kind().as_ref().clone());
    }
    Arc::new(Schema::new(fields))
}

fn node_of(recipe: recipe::Aggregate) -> Node {
    let output = output(&recipe);
    Node {
        name: "step".to_owned(),
        recipe: Recipe::Aggregate(recipe),
        input: input(),
        output,
        targets: vec![],
    }
}

fn aggregate(keys: Vec<GroupKey>, window: Option<Window>, measures: Vec<Measure>) -> Node {
    node_of(recipe::Aggregate {
        keys,
        window,
        measures,
        phase: Phase::Whole,
    })
}

/// Somebody takes its late rows.
fn with_late(mut node: Node) -> Node {
    node.targets.push((Port::Late, Target::Node(1)));
    node
}
