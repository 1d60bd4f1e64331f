//! Good documents, at least one for each operator: their logical plans and job graphs, as goldens.
//!
//! `tests/golden/NAME.yaml` and what becomes of it, `NAME.txt`; `BLESS=1` writes the latter anew.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod toy;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use dataflow::recipe::{Chain, Port, Target};
use planner::diagnostic::Look;
use planner::{Discovered, Planned, explain, plan};

fn documents() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = entries
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .collect();
    found.sort();
    found
}

fn discovered() -> Discovered {
    let mut discovered = Discovered::default();
    let schema = Schema::new(vec![
        Field::new("id", DataType::Int64, true),
        Field::new("total", DataType::Float64, true),
        Field::new("note", DataType::Utf8View, true),
    ]);
    discovered.insert("lake", "source-1", Arc::new(schema));
    discovered
}

fn planned(text: &str) -> Planned {
    plan(text, &toy::catalog(), &discovered())
}

/// Everything that is said of a document.
fn said(name: &str, text: &str) -> String {
    let planned = planned(text);
    let findings = planned.diagnostics.render(&format!("{name}.yaml"), text, Look::Plain);
    assert!(!planned.diagnostics.has_errors(), "{name} is not good:\n{findings}");
    let mut said = if planned.diagnostics.is_empty() {
        String::new()
    } else {
        format!("{}\n\n", findings.trim_end())
    };
    for (logical, job) in planned.plans.iter().zip(&planned.jobs) {
        said.push_str(&format!(
            "logical: {}\njob: {}\n",
            explain::logical(logical),
            explain::job(job)
        ));
    }
    said
}

#[test]
fn documents_become_the_plans_that_were_written_down() {
    let bless = std::env::var_os("BLESS").is_some();
    let mut wrong = Vec::new();
    for path in documents() {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let said = said(name, &text);
        let golden = path.with_extension("txt");
        if bless {
            fs::write(&golden, &said).unwrap();
        } else if fs::read_to_string(&golden).unwrap_or_default() != said {
            wrong.push(format!("{name}:\n{said}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "BLESS=1 writes these down, if they are right:\n\n{}",
        wrong.join("\n")
    );
}

#[test]
fn there_are_enough_of_them_and_one_of_each_operator() {
    let names: Vec<String> = documents()
        .iter()
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert!(names.len() >= 30, "{}", names.len());
    for operator in [
        "source",
        "decode",
        "filter",
        "select",
        "drop",
        "unnest",
        "sample",
        "sink",
        "route",
        "union",
        "event_type_filters",
        "event_time",
        "dedup",
        "aggregate",
        "top_n",
        "delay",
        "rate_limit",
    ] {
        assert!(names.iter().any(|name| name == operator), "{operator}");
    }
}

#[test]
fn the_same_text_is_planned_to_the_same_bytes() {
    for path in documents() {
        let text = fs::read_to_string(&path).unwrap();
        let bytes = || serde_json::to_vec(&planned(&text).jobs).unwrap();
        assert_eq!(bytes(), bytes(), "{}", path.display());
    }
}

/// What chains and edges promise to those who run them, whatever the document.
#[test]
fn every_chain_can_travel_and_every_edge_fits() {
    for path in documents() {
        let text = fs::read_to_string(&path).unwrap();
        for job in planned(&text).jobs {
            for (index, vertex) in job.vertices.iter().enumerate() {
                assert_eq!(vertex.id.0 as usize, index);
                assert_eq!(
                    Chain::decode(&vertex.chain.encode()).unwrap(),
                    vertex.chain,
                    "{}",
                    path.display()
                );
                for (place, node) in vertex.chain.nodes.iter().enumerate().skip(1) {
                    let targets = vertex
                        .chain
                        .nodes
                        .iter()
                        .flat_map(|other| other.targets.iter().map(move |(port, target)| (other, port, target)));
                    let fed = |target: &Target| *target == Target::Node(place);
                    let (feeder, port, _) = targets.into_iter().find(|(_, _, target)| fed(target)).unwrap();
                    let given = if *port == Port::Late {
                        &feeder.input
                    } else {
                        &feeder.output
                    };
                    assert_eq!(*given, node.input, "{}: {}", path.display(), node.name);
                }
            }
            for edge in &job.edges {
                let of = |vertex: dataflow::id::VertexId| &job.vertices[vertex.0 as usize];
                let feeders = of(edge.from)
                    .chain
                    .nodes
                    .iter()
                    .flat_map(|node| node.targets.iter().map(move |target| (node, target)));
                let (node, (port, _)) = feeders
                    .filter(|(_, (_, target))| *target == Target::Edge(edge.id))
                    .collect::<Vec<_>>()[0];
                let given = match port {
                    Port::Main => node.output.clone(),
                    Port::Late => node.input.clone(),
                    Port::Dead => dataflow::contract::dead::schema(),
                };
                assert_eq!(
                    given,
                    of(edge.to).chain.nodes[0].input,
                    "{}: {}",
                    path.display(),
                    edge.id
                );
            }
        }
    }
}

#[test]
fn what_has_to_be_discovered_is_known_before_planning() {
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/source_to_discover.yaml")).unwrap();
    let specs = planner::spec::parse(&text, &toy::catalog()).specs;
    let wanted = planner::sources_to_discover(&specs, &toy::catalog());
    assert_eq!(wanted.len(), 1);
    assert_eq!(
        (
            wanted[0].datastream.as_str(),
            wanted[0].source.as_str(),
            wanted[0].connector.as_str()
        ),
        ("lake", "source-1", "file")
    );
    // Without it there is no plan, and a warning says why.
    let planned = plan(&text, &toy::catalog(), &Discovered::default());
    assert!(planned.jobs.is_empty() && !planned.diagnostics.has_errors());
    assert!(planned.diagnostics.iter().any(|one| one.code.as_str() == "W0504"));
}
