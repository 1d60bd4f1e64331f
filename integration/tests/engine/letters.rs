//! Dead letters hold the lines that came, byte for byte, whatever steps stood between the source and the failure.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use integration::cluster::weir;
use serde_json::Value;

/// A document whose rows have columns, with two subtasks and a shuffle between its steps.
const DOCUMENT: &str = "datastreamName: letters
contactName: test
desiredState: ON
parallelism: 2
sources:
  - name: orders
    file: { path: ./input.json }
    format: { json: { schema: { id: int64, by: int64, kind: string, prices: [string] } } }
steps:
  - name: share
    filter: \"100 / by > 0\"
  - unnest: prices
  - name: price
    keyBy: [id]
    select: { id: id, kind: kind, price: \"CAST(prices AS DOUBLE)\" }
sinks:
  - { name: typed, file: { path: ./out } }
deadLetter: { path: ./dead }
";

/// A line for each way to fail, with the step that it fails in, between many that are good.
const BAD: [(&str, &str); 4] = [
    ("orders.decode", r#"{"id": 1000001, "by": 1, "kind": "cut of"#),
    (
        "share",
        r#"{ "by":0 , "id":1000002,"kind":"nothing \u0064ivides by zero", "more": [1.50, {"a":null}],"prices":["1"]}"#,
    ),
    (
        "price",
        r#"{"id":1000003,"by":1,"kind":"ä\t","prices":[ "1.0" , "one" ],"unread":  true}"#,
    ),
    ("typed", r#"{"id":1000004,"by":1,"kind":"no number","prices":["NaN"]}"#),
];

fn good(number: usize) -> String {
    format!(
        r#"{{"id":{number},"by":{},"kind":"good","prices":["1.5","2"]}}"#,
        number % 7 + 1
    )
}

fn lines(folder: &Path) -> Result<Vec<Value>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() {
            for line in fs::read_to_string(&path)?.lines() {
                found.push(serde_json::from_str(line).with_context(|| format!("{line} of {}", path.display()))?);
            }
        }
    }
    Ok(found)
}

#[test]
fn a_stream_with_a_schema_keeps_the_lines_that_fail() -> Result<()> {
    let place = tempfile::tempdir()?;
    let mut input: Vec<String> = (0..2000).map(good).collect();
    for (index, (_, line)) in BAD.iter().enumerate() {
        input.insert(index * 450 + 17, (*line).to_owned());
    }
    fs::write(place.path().join("input.json"), input.join("\n"))?;
    fs::write(place.path().join("letters.yaml"), DOCUMENT)?;
    let output = weir(&["run", "letters.yaml"], place.path())?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{said}");

    let letters = lines(&place.path().join("dead"))?;
    let text = |letter: &Value, key: &str| letter[key].as_str().unwrap_or_default().to_owned();
    let found: BTreeSet<(String, String)> = letters
        .iter()
        .map(|letter| (text(letter, "step"), text(letter, "record")))
        .collect();
    let expected: BTreeSet<(String, String)> = BAD
        .iter()
        .map(|(step, line)| ((*step).to_owned(), (*line).to_owned()))
        .collect();
    ensure!(found == expected && letters.len() == BAD.len(), "{letters:#?}");
    for letter in &letters {
        let place = letter["position"].as_u64().context("a place")?;
        let whole = input.join("\n");
        let line = whole
            .get(usize::try_from(place)?..)
            .and_then(|rest| rest.lines().next());
        ensure!(
            line == letter["record"].as_str(),
            "the place is where the record stands: {letter:#}"
        );
    }

    let rows = lines(&place.path().join("out"))?;
    ensure!(rows.len() == 2000 * 2 + 1, "{} rows", rows.len());
    let only_columns = |row: &Value| {
        row.as_object()
            .is_some_and(|row| row.keys().all(|key| ["id", "kind", "price"].contains(&key.as_str())))
    };
    ensure!(rows.iter().all(only_columns), "the sink writes the columns of its rows");
    Ok(())
}
