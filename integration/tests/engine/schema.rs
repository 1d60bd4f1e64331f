//! The JSON Schema that `weir schema` prints: what editors accept is what Weir accepts.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use integration::cluster::weir;
use jsonschema::Validator;
use serde::Deserialize as _;
use serde_json::Value;

fn repository(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(below)
}

/// What a command that must succeed prints.
fn printed(arguments: &[&str]) -> Result<String> {
    let output = weir(arguments, Path::new("."))?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

fn schema() -> Result<Validator> {
    let schema: Value = serde_json::from_str(&printed(&["schema"])?)?;
    Ok(jsonschema::validator_for(&schema)?)
}

/// The datastreams of a text, as an editor's plug-in sees them.
fn datastreams(text: &str) -> Result<Vec<Value>> {
    let documents = serde_yaml::Deserializer::from_str(text).map(Value::deserialize);
    Ok(documents.collect::<Result<_, _>>()?)
}

fn accepts(schema: &Validator, what: &str, text: &str) -> Result<()> {
    for datastream in datastreams(text).with_context(|| what.to_owned())? {
        let mistakes: Vec<String> = schema
            .iter_errors(&datastream)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        ensure!(mistakes.is_empty(), "{what}:\n{text}\n{}", mistakes.join("\n"));
    }
    Ok(())
}

/// Whether the connectors of all sources and sinks are built: some goldens are planned with toys.
fn is_real(datastream: &Value) -> bool {
    let registry = connectors::registry();
    let names_one = |item: &Value| {
        let keys = item.as_object().into_iter().flat_map(|item| item.keys());
        keys.filter(|key| registry.connector(key).is_some()).count() == 1
    };
    ["sources", "sinks"]
        .into_iter()
        .flat_map(|list| datastream[list].as_array().into_iter().flatten())
        .all(names_one)
}

#[test]
fn the_schema_accepts_every_example() -> Result<()> {
    let schema = schema()?;
    let mut count = 0;
    for entry in fs::read_dir(repository("examples"))? {
        let file = entry?.path().join("datastream.yaml");
        accepts(&schema, &file.display().to_string(), &fs::read_to_string(&file)?)?;
        count += 1;
    }
    ensure!(count >= 6, "the examples are there");
    Ok(())
}

#[test]
fn the_schema_accepts_what_connectors_and_weir_new_show() -> Result<()> {
    let schema = schema()?;
    let names = ["file", "generator", "archive", "parquet", "stdout", "blackhole"];
    for name in names {
        let page: Value = serde_json::from_str(&printed(&["explain", name, "-o", "json"])?)?;
        let examples = page["examples"].as_array().context("examples")?;
        ensure!(!examples.is_empty(), "{name} has an example");
        for example in examples {
            accepts(&schema, name, example["document"].as_str().context("a document")?)?;
        }
    }
    for source in ["generator", "file", "archive"] {
        for sink in ["stdout", "file", "parquet", "blackhole"] {
            let shape = format!("{source}/{sink}");
            accepts(&schema, &shape, &printed(&["new", &shape])?)?;
        }
    }
    Ok(())
}

#[test]
fn the_schema_accepts_every_good_golden() -> Result<()> {
    let schema = schema()?;
    let mut count = 0;
    for entry in fs::read_dir(repository("planner/tests/golden"))? {
        let file = entry?.path();
        if file.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let text = fs::read_to_string(&file)?;
        if datastreams(&text)?.iter().all(is_real) {
            accepts(&schema, &file.display().to_string(), &text)?;
            count += 1;
        }
    }
    ensure!(count >= 30, "most goldens use real connectors only, found {count}");
    Ok(())
}

#[test]
fn the_schema_refuses_what_has_another_shape() -> Result<()> {
    let schema = schema()?;
    let names = [
        "contact_is_a_number",
        "desired_state_is_maybe",
        "event_types_are_a_map",
        "event_types_are_empty",
        "filter_is_a_map",
        "interval_without_unit",
        "memory_without_unit",
        "name_is_missing",
        "option_out_of_range",
        "options_are_a_word",
        "parallelism_is_text",
        "parallelism_of_zero",
        "sample_without_share",
        "sinks_are_empty",
        "source_is_a_word",
        "source_without_connector",
        "sources_are_missing",
        "step_without_a_key",
        "two_connectors_in_one_item",
        "unknown_key_at_the_top",
        "unknown_key_beside_a_step",
        "unknown_option",
        "unknown_step",
    ];
    for name in names {
        let text = fs::read_to_string(repository(&format!("planner/tests/bad/{name}.yaml")))?;
        let accepted = datastreams(&text)?.iter().all(|datastream| schema.is_valid(datastream));
        ensure!(!accepted, "{name} is accepted:\n{text}");
    }
    Ok(())
}
