//! House rules as a program: what rustc, rustfmt and clippy cannot check about this repository.

mod arrows;
mod files;
mod functions;
mod licences;
mod names;
mod operators;
mod points;
mod ratchet;
mod tree;

/// Joins what a rule found into one readable failure.
fn report(rule: &str, found: &[String]) {
    assert!(found.is_empty(), "{rule}:\n  {}", found.join("\n  "));
}
