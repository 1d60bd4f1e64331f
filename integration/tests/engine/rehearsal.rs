//! `weir test`: what passes, what fails and how that looks, and that the tests of the examples can fail.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use anyhow::{Context as _, Result, ensure};
use integration::cluster::weir;
use serde_json::Value;

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// Runs `weir test` on a document in a folder of its own.
fn tested(document: &str, arguments: &[&str]) -> Result<Output> {
    let place = tempfile::tempdir()?;
    fs::write(place.path().join("shop.yaml"), document)?;
    weir(&[&["test", "shop.yaml"][..], arguments].concat(), place.path())
}

fn said(output: &Output) -> String {
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    format!("{out}{err}")
}

fn examples() -> Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(repository("examples"))? {
        all.push(entry?.path().join("datastream.yaml"));
    }
    all.sort();
    ensure!(all.len() >= 16, "the examples are there");
    Ok(all)
}

#[test]
fn every_example_has_tests_and_passes_them() -> Result<()> {
    let examples = examples()?;
    let files: Vec<&str> = examples.iter().map(|file| file.to_str().unwrap_or_default()).collect();
    let place = tempfile::tempdir()?;
    let output = weir(&[&["test", "-o", "json"][..], files.as_slice()].concat(), place.path())?;
    ensure!(output.status.code() == Some(0), "{}", said(&output));
    let report: Value = serde_json::from_slice(&output.stdout)?;
    for datastream in report["datastreams"].as_array().context("datastreams")? {
        let tests = datastream["tests"].as_array().context("tests")?;
        ensure!(!tests.is_empty(), "{} has no tests", datastream["file"]);
        ensure!(tests.iter().all(|test| test["outcome"] == "ok"), "{datastream}");
    }
    ensure!(fs::read_dir(place.path())?.next().is_none(), "nothing is written");
    Ok(())
}

/// A test that passes without what it is given proves nothing.
#[test]
fn no_test_of_an_example_passes_without_its_rows() -> Result<()> {
    for file in examples()? {
        let mut document: serde_yaml::Value = serde_yaml::from_str(&fs::read_to_string(&file)?)?;
        let tests = document["tests"].as_sequence_mut().context("tests")?;
        for test in tests.iter_mut() {
            let then = test.get_mut("then").and_then(serde_yaml::Value::as_sequence_mut);
            for act in then.into_iter().flatten() {
                act.as_mapping_mut().context("an act")?.remove("given");
            }
            test.as_mapping_mut().context("a test")?.remove("given");
        }
        let output = tested(&serde_yaml::to_string(&document)?, &["-o", "json"])?;
        ensure!(output.status.code() == Some(1), "{}: {}", file.display(), said(&output));
        let report: Value = serde_json::from_slice(&output.stdout)?;
        for test in report["datastreams"][0]["tests"].as_array().context("tests")? {
            ensure!(test["outcome"] == "failed", "{}: {test}", file.display());
        }
    }
    Ok(())
}

const SHOP: &str = "\
datastreamName: shop
contactName: eng-shop
sources:
  - file: { path: ./input }
    format: { json: { schema: { id: int64, shop: string, at: timestamp, total: double } } }
    eventTime: { field: at }
steps:
  - filter: \"total > 0\"
  - name: perMinute
    keyBy: [shop]
    window: { tumbling: 1m }
    aggregate: { orders: count(*), revenue: sum(total) }
sinks:
  - file: { path: ./output }
tests:
  - name: two shops
    given:
      - rows:
          - { id: 1, shop: a, at: 2026-01-31T12:00:00Z, total: 1 }
          - { id: 2, shop: b, at: 2026-01-31T12:00:10Z, total: 2.5 }
          - { id: 3, shop: b, at: 2026-01-31T12:00:20Z, total: 2 }
          - { id: 4, shop: b, total: many }
      - end
    expect:
      - rows:
          - { shop: a, orders: 1 }
          - { shop: b, orders: 3, revenue: 4.5 }
          - { shop: c, orders: 1 }
  - name: nothing comes before its minute is over
    given:
      - rows: [{ id: 1, shop: a, at: 2026-01-31T12:00:00Z, total: 1 }]
    expect:
      - rows: []
";

const SHOP_FAILED: &str = "\
shop (shop.yaml)
  FAILED  two shops
  ok      nothing comes before its minute is over

shop.yaml:25: two shops
  rows of `sink-1`: 2 missing, 1 unexpected, 1 as expected
                line  shop  orders  revenue
    missing       27  b     3       4.5
    missing       28  c     1
    unexpected        b     2       4.5

shop.yaml:16: two shops
  dead letters: 0 missing, 1 unexpected, 0 as expected
                line  step             error                                     record
    unexpected        source-1.decode  total: expected a number, found a string  {\"id\":4,\"shop\":\"b\",\"total\":\"many\"}

2 tests: 1 ok, 1 failed
";

#[test]
fn a_test_that_fails_shows_what_is_missing_and_what_nobody_expects() -> Result<()> {
    let output = tested(SHOP, &[])?;
    ensure!(output.status.code() == Some(1), "{}", said(&output));
    let text = said(&output);
    ensure!(text == SHOP_FAILED, "{text}");
    Ok(())
}

#[test]
fn programs_are_told_the_same_and_a_filter_picks_by_name() -> Result<()> {
    let output = tested(SHOP, &["-o", "json", "--filter", "two"])?;
    ensure!(output.status.code() == Some(1), "{}", said(&output));
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let tests = &report["datastreams"][0]["tests"];
    ensure!(tests.as_array().map(Vec::len) == Some(1), "{report}");
    let (rows, dead) = (&tests[0]["mismatches"][0], &tests[0]["mismatches"][1]);
    ensure!(rows["asExpected"] == 1 && rows["line"] == 25, "{report}");
    ensure!(
        rows["missing"][0]["line"] == 27 && rows["missing"][0]["row"]["orders"] == 3,
        "{report}"
    );
    ensure!(rows["unexpected"][0]["window_end"] == 1_769_860_860_000_i64, "{report}");
    ensure!(
        dead["unexpected"][0]["record"] == "{\"id\":4,\"shop\":\"b\",\"total\":\"many\"}",
        "{report}"
    );
    let output = tested(SHOP, &["--filter", "befor"])?;
    ensure!(output.status.code() == Some(0), "{}", said(&output));
    let output = tested(SHOP, &["--filter", "three shops"])?;
    ensure!(
        output.status.code() == Some(5) && said(&output).contains("no test has `three shops` in its name"),
        "{}",
        said(&output)
    );
    Ok(())
}

#[test]
fn mistakes_in_a_test_are_shown_before_anything_runs() -> Result<()> {
    for (right, wrong, code) in [
        ("- end", "- edn: true", "E0202"),
        (
            "expect:\n      - rows: []",
            "expect:\n      - sink: out\n        rows: []",
            "E0801",
        ),
        ("- end", "- watermark: noon", "E0802"),
        ("- end", "- { end: , wait: 1s }", "E0803"),
        ("- end", "- end\n      - wait: 1s", "E0804"),
        ("nothing comes before its minute is over", "two shops", "E0805"),
    ] {
        let document = SHOP.replacen(right, wrong, 1);
        ensure!(document != SHOP, "{right}");
        let output = tested(&document, &[])?;
        let text = said(&output);
        ensure!(
            output.status.code() == Some(3) && text.contains(&format!("[{code}]")),
            "{code}: {text}"
        );
    }
    Ok(())
}

#[test]
fn a_test_that_cannot_go_on_says_why() -> Result<()> {
    let document = SHOP
        .replacen("perMinute\n", "perMinute\n    input: slow\n", 1)
        .replacen(
            "  - name: perMinute",
            "  - name: slow\n    rateLimit: { perSecond: 1, burst: 1 }\n  - name: perMinute",
            1,
        );
    let document = document.replacen("      - end\n", "      - watermark: 2026-01-31T13:00:00Z\n", 1);
    let output = tested(&document, &["--filter", "two shops"])?;
    let text = said(&output);
    ensure!(output.status.code() == Some(1), "{text}");
    ensure!(
        text.contains("could not go on: a watermark cannot pass the rows before it that still wait"),
        "{text}"
    );
    ensure!(text.contains("help: let time pass before it comes"), "{text}");
    Ok(())
}

/// The documents of a page, without the prompts and outputs between them.
fn documents(page: &str) -> Vec<String> {
    let text = fs::read_to_string(repository(page)).unwrap_or_default();
    let blocks = text.split("```yaml\n").skip(1);
    let documents = blocks.filter_map(|block| block.split("```").next());
    documents.map(str::to_owned).collect()
}

/// A part of a document with what it leaves out; none where it is a part of a part.
fn completed(fragment: &str) -> Option<String> {
    const PARTS: [(&str, &str); 4] = [
        ("sinks:", "sinks:\n  - stdout: { changelog: true }\n"),
        (
            "sources:",
            "sources:\n  - file: { path: ./input }\n    eventTime: { field: at }\n",
        ),
        ("contactName:", "contactName: eng-docs\n"),
        ("datastreamName:", "datastreamName: docs\n"),
    ];
    let has = |key: &str| fragment.lines().any(|line| line.starts_with(key));
    if !["sources:", "steps:", "sinks:", "tests:"].iter().any(|key| has(key)) {
        return None;
    }
    let mut text = fragment.to_owned();
    for (key, part) in PARTS {
        if !has(key) {
            text = format!("{part}{text}");
        }
    }
    Some(text)
}

#[test]
fn every_document_in_the_guides_plans_and_passes_its_tests() -> Result<()> {
    let pages = [
        "README.md",
        "docs/guides/datastream.md",
        "docs/guides/time-and-state.md",
        "docs/guides/testing.md",
    ];
    let (mut planned, mut ran) = (0, 0);
    for page in pages {
        for document in documents(page).iter().filter_map(|fragment| completed(fragment)) {
            let output = tested(&document, &[])?;
            ensure!(
                output.status.code() == Some(0),
                "{page}:\n{document}\n{}",
                said(&output)
            );
            planned += 1;
            ran += usize::from(document.contains("\ntests:\n"));
        }
    }
    ensure!(planned >= 11 && ran >= 2, "{planned} documents, {ran} with tests");
    Ok(())
}
