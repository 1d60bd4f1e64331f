//! Arrows between crates point down, as DESIGN and ARCHITECTURE draw them, and every crate keeps the lints.

use std::collections::BTreeSet;

use cargo_metadata::{DependencyKind, MetadataCommand};

use crate::{report, tree};

/// Who may depend on whom. `cli` and `integration` may know everyone.
const ARROWS: &[(&str, &[&str])] = &[
    ("proto", &[]),
    ("dataflow", &[]),
    ("planner", &["dataflow", "proto"]),
    ("connectors", &["dataflow"]),
    ("taskmanager", &["dataflow", "proto"]),
    ("jobmanager", &["planner", "dataflow", "proto"]),
    (
        "cli",
        &[
            "proto",
            "dataflow",
            "planner",
            "connectors",
            "taskmanager",
            "jobmanager",
        ],
    ),
    (
        "integration",
        &[
            "proto",
            "dataflow",
            "planner",
            "connectors",
            "taskmanager",
            "jobmanager",
            "cli",
        ],
    ),
];

/// Third-party crates that only some may use.
const HEAVY: &[(&str, &[&str])] = &[
    // Its tests have a collector of their own.
    ("tonic", &["proto", "taskmanager", "jobmanager", "cli", "integration"]),
    ("opentelemetry", &["cli"]),
    ("opentelemetry_sdk", &["cli"]),
    ("opentelemetry-otlp", &["cli"]),
    ("opentelemetry-proto", &["cli", "integration"]),
    ("tracing-opentelemetry", &["cli"]),
    ("prost", &["proto", "taskmanager", "jobmanager"]),
    // Its tests read documents as an editor does, without the planner.
    ("serde_yaml", &["planner", "cli", "integration"]),
    ("saphyr-parser", &["planner"]),
    ("anyhow", &["cli", "integration"]),
    ("parquet", &["connectors", "integration"]),
    ("axum", &["jobmanager", "cli"]),
];

#[test]
fn arrows_between_crates_point_down_only() {
    let metadata = MetadataCommand::new()
        .no_deps()
        .current_dir(tree::root())
        .exec()
        .expect("cargo metadata");
    let known: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    let mut found = Vec::new();
    for package in metadata.workspace_packages() {
        let name = package.name.as_str();
        let Some((_, allowed)) = ARROWS.iter().find(|(crate_name, _)| *crate_name == name) else {
            found.push(format!("{name}: a crate without a line in ARROWS"));
            continue;
        };
        for dependency in &package.dependencies {
            let other = dependency.name.as_str();
            let testing = dependency.kind == DependencyKind::Development && other == "dataflow";
            if known.contains(other) && !allowed.contains(&other) && !testing {
                found.push(format!("{name} -> {other}"));
            }
            let heavy = HEAVY.iter().find(|(heavy, _)| *heavy == other);
            if heavy.is_some_and(|(_, users)| !users.contains(&name)) {
                found.push(format!(
                    "{name} -> {other}, which is for {:?} only",
                    heavy.map(|(_, users)| users)
                ));
            }
        }
    }
    report("arrows that are not allowed", &found);
}

#[test]
fn every_crate_keeps_the_lints_of_the_workspace() {
    let manifests = tree::files(&["Cargo.toml"]);
    let lax =
        |file: &&tree::File| !file.text.contains("[workspace]") && !file.text.contains("[lints]\nworkspace = true");
    let found: Vec<String> = manifests.iter().filter(lax).map(|file| file.path.clone()).collect();
    report("crates without `[lints] workspace = true`", &found);
}

#[test]
fn the_top_level_holds_what_the_design_lists() {
    const KNOWN: &[&str] = &[
        ".cargo",
        ".ci",
        ".gitignore",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "Cargo.lock",
        "Cargo.toml",
        "GLOSSARY.md",
        "LICENSE",
        "Makefile",
        "README.md",
        "cli",
        "clippy.toml",
        "connectors",
        "dataflow",
        "deny.toml",
        "deploy",
        "docs",
        "examples",
        "integration",
        "jobmanager",
        "planner",
        "proto",
        "rust-toolchain.toml",
        "rustfmt.toml",
        "taskmanager",
    ];
    let files = tree::files(&[""]);
    let top: BTreeSet<&str> = files.iter().filter_map(|file| file.path.split('/').next()).collect();
    let found: Vec<String> = top
        .into_iter()
        .filter(|name| !KNOWN.contains(name))
        .map(str::to_owned)
        .collect();
    report("unknown names at the top level", &found);
}
