//! Every dependency has a licence that `deny.toml` allows: what `cargo deny check licenses` says, without installing it.

use std::collections::BTreeSet;

use cargo_metadata::MetadataCommand;

use crate::{report, tree};

/// The quoted strings of the `allow` list under `[licenses]`.
fn allowed(deny: &str) -> BTreeSet<String> {
    let list = deny
        .split("[licenses]")
        .nth(1)
        .and_then(|rest| rest.split("allow = [").nth(1))
        .and_then(|rest| rest.split(']').next());
    let quoted = |list: &str| list.split('"').skip(1).step_by(2).map(str::to_owned).collect();
    list.map(quoted).unwrap_or_default()
}

/// Whether an SPDX expression of licences joined by OR and AND can be met; brackets are flattened, which only asks for more.
fn is_met(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let plain = expression.replace(['(', ')'], " ").replace('/', " OR ");
    let met = |name: &str| allowed.contains(name.trim());
    plain.split(" AND ").all(|part| part.split(" OR ").any(met))
}

#[test]
fn every_dependency_has_an_allowed_licence() {
    let deny = std::fs::read_to_string(tree::root().join("deny.toml")).expect("deny.toml is there");
    let allowed = allowed(&deny);
    assert!(allowed.len() > 5, "deny.toml lists licences");
    let metadata = MetadataCommand::new()
        .current_dir(tree::root())
        .other_options([
            "--locked".to_owned(),
            "--filter-platform".to_owned(),
            "x86_64-unknown-linux-gnu".to_owned(),
        ])
        .exec()
        .expect("cargo metadata");
    let refused = metadata.packages.iter().filter(|package| {
        let licence = package.license.as_deref().unwrap_or_default();
        !is_met(licence, &allowed)
    });
    let found: Vec<String> = refused
        .map(|package| {
            format!(
                "{} {}: {}",
                package.name,
                package.version,
                package.license.as_deref().unwrap_or("none")
            )
        })
        .collect();
    report("dependencies without an allowed licence", &found);
}

#[test]
fn expressions_of_licences_are_understood() {
    let allowed = BTreeSet::from(["MIT".to_owned(), "Zlib".to_owned()]);
    assert!(is_met("MIT OR GPL-3.0", &allowed));
    assert!(is_met("(MIT OR Apache-2.0) AND Zlib", &allowed));
    assert!(!is_met("MIT AND GPL-3.0", &allowed));
    assert!(!is_met("", &allowed));
}
