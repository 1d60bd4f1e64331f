//! What runs: numbers from a toy source, and a shelf behind a filter.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use dataflow::expr::Expression;
use dataflow::id::EdgeId;
use dataflow::recipe::{self, Chain, Node, Port, Recipe, Role, Target};
use serde_json::Value;

fn numbers() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]))
}

pub(super) fn node(name: &str, recipe: Recipe, targets: Vec<(Port, Target)>) -> Node {
    Node {
        name: name.to_owned(),
        recipe,
        input: numbers(),
        output: numbers(),
        targets,
    }
}

pub(super) fn source_chain() -> Chain {
    let source = recipe::Source {
        connector: "numbers".to_owned(),
        options: Value::Null,
        format: None,
        columns: None,
    };
    Chain {
        nodes: vec![node(
            "numbers",
            Recipe::Source(source),
            vec![(Port::Main, Target::Edge(EdgeId(0)))],
        )],
    }
}

fn shelf() -> Recipe {
    Recipe::Sink(recipe::Sink {
        connector: "shelf".to_owned(),
        options: Value::Null,
        format: None,
        role: Role::Sink,
    })
}

pub(super) fn sink_chain(predicate: &str) -> Chain {
    let filter = Recipe::Filter(recipe::Filter {
        predicate: Expression::new(predicate),
    });
    let nodes = vec![
        node("even", filter, vec![(Port::Main, Target::Node(1))]),
        node("shelf", shelf(), vec![]),
    ];
    Chain { nodes }
}
