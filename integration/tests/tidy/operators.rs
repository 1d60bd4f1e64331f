//! An operator has one name in four places: how it is written, what to do, doing it, seen from outside.

use crate::{report, tree};

/// Operators with a runtime. `union` and `route` are edges and have none.
const OPERATORS: &[&str] = &[
    "aggregate",
    "decode",
    "dedup",
    "delay",
    "drop",
    "event_time",
    "filter",
    "rate_limit",
    "sample",
    "select",
    "sink",
    "source",
    "top_n",
    "unnest",
];

/// Files of a collection that are not operators.
const HOUSEKEEPING: &[&str] = &["mod", "chain", "partition", "tests", "route", "union", "window"];

#[test]
fn an_operator_has_one_name_in_four_places() {
    let paths: Vec<String> = tree::files(&[".rs", ".yaml"])
        .into_iter()
        .map(|file| file.path)
        .collect();
    let mut found = Vec::new();
    for operator in OPERATORS {
        for place in [
            format!("planner/src/operators/{operator}.rs"),
            format!("dataflow/src/recipe/{operator}.rs"),
            format!("taskmanager/src/operators/{operator}.rs"),
            format!("planner/tests/golden/{operator}.yaml"),
        ] {
            // One that is large has a folder of its name.
            let folder = place.replace(".rs", "/mod.rs");
            if !paths.contains(&place) && !paths.contains(&folder) {
                found.push(place);
            }
        }
    }
    report("missing places of an operator", &found);
}

#[test]
fn a_recipe_without_an_operator_is_found() {
    let recipe = |path: &str| {
        path.strip_prefix("dataflow/src/recipe/")
            .and_then(|name| name.strip_suffix(".rs").map(str::to_owned))
    };
    let names = tree::sources().into_iter().filter_map(|file| recipe(&file.path));
    let unknown = names.filter(|name| !OPERATORS.contains(&name.as_str()) && !HOUSEKEEPING.contains(&name.as_str()));
    report(
        "recipes that the table of operators does not list",
        &unknown.collect::<Vec<_>>(),
    );
}
