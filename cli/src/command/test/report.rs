//! What `weir test` says: a line for each test, and of each that failed what is missing and what nobody expects.

use std::fmt;

use planner::diagnostic::Position;
use planner::spec::{Order, Span};
use serde::Serialize;
use serde_json::Value;

use super::compare::Mismatch;
use super::play::Outcome;
use crate::output::plain;

/// So many rows of one kind are shown.
const ROWS_SHOWN: usize = 20;
/// So many fields of a row are shown where the expectation names none.
const FIELDS_SHOWN: usize = 12;
/// So many characters of a value are shown.
const VALUE_SHOWN: usize = 60;

/// The lines of a document, by its bytes.
pub(super) struct Lines<'a>(pub(super) &'a str);

impl Lines<'_> {
    fn of(&self, span: Span) -> usize {
        Position::of(self.0, span.start).line
    }
}

/// All that was run.
#[derive(Default, Serialize)]
pub(super) struct Report {
    datastreams: Vec<Tested>,
}

/// One datastream.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Tested {
    pub(super) file: String,
    pub(super) datastream: String,
    #[serde(skip)]
    pub(super) has_tests: bool,
    pub(super) tests: Vec<Ran>,
}

/// One test.
#[derive(Serialize)]
pub(super) struct Ran {
    name: String,
    line: usize,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mismatches: Vec<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
}

/// An expectation that was not met.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    what: String,
    line: usize,
    as_expected: usize,
    in_order: bool,
    missing: Vec<Missing>,
    unexpected: Vec<Value>,
    #[serde(skip)]
    fields: Vec<String>,
}

#[derive(Serialize)]
struct Missing {
    line: usize,
    row: Value,
}

impl Ran {
    pub(super) fn of(test: &planner::spec::Test, outcome: Outcome, lines: &Lines<'_>) -> Self {
        let mut ran = Self {
            name: test.name.value.clone(),
            line: lines.of(test.name.span),
            outcome: "ok",
            mismatches: Vec::new(),
            error: None,
            help: None,
        };
        match outcome {
            Outcome::Passed => {}
            Outcome::Failed(mismatches) => {
                ran.outcome = "failed";
                ran.mismatches = mismatches.into_iter().map(|one| Shown::of(one, lines)).collect();
            }
            Outcome::Stopped(error, help) => {
                ran.outcome = "stopped";
                (ran.error, ran.help) = (Some(error), help);
            }
        }
        ran
    }
}

impl Shown {
    fn of(mismatch: Mismatch, lines: &Lines<'_>) -> Self {
        let missing = mismatch.missing.into_iter().map(|row| Missing {
            line: lines.of(row.span),
            row: row.value,
        });
        Self {
            what: mismatch.what,
            line: lines.of(mismatch.span),
            as_expected: mismatch.met,
            in_order: mismatch.order == Order::AsWritten,
            missing: missing.collect(),
            unexpected: mismatch.unexpected,
            fields: mismatch.fields,
        }
    }
}

impl Report {
    pub(super) fn add(&mut self, tested: Tested) {
        self.datastreams.push(tested);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all().next().is_none()
    }

    pub(super) fn failed(&self) -> usize {
        self.all().filter(|(_, ran)| ran.outcome != "ok").count()
    }

    fn all(&self) -> impl Iterator<Item = (&Tested, &Ran)> {
        self.datastreams
            .iter()
            .flat_map(|tested| tested.tests.iter().map(move |ran| (tested, ran)))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for tested in self
            .datastreams
            .iter()
            .filter(|one| !one.tests.is_empty() || !one.has_tests)
        {
            writeln!(f, "{} ({})", tested.datastream, tested.file)?;
            for ran in &tested.tests {
                let word = if ran.outcome == "ok" { "ok" } else { "FAILED" };
                writeln!(f, "  {word:6}  {}", ran.name)?;
            }
            if !tested.has_tests {
                writeln!(f, "  no tests")?;
            }
        }
        for (tested, ran) in self.all() {
            for shown in &ran.mismatches {
                writeln!(f, "\n{}:{}: {}", tested.file, shown.line, ran.name)?;
                write!(f, "{shown}")?;
            }
            if let Some(error) = &ran.error {
                writeln!(f, "\n{}:{}: {}", tested.file, ran.line, ran.name)?;
                writeln!(f, "  could not go on: {error}")?;
                if let Some(help) = &ran.help {
                    writeln!(f, "  help: {help}")?;
                }
            }
        }
        let (count, failed) = (self.all().count(), self.failed());
        let tests = if count == 1 { "test" } else { "tests" };
        writeln!(f, "\n{count} {tests}: {} ok, {failed} failed", count - failed)
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let order = if self.in_order { ", in order" } else { "" };
        writeln!(
            f,
            "  {}{order}: {} missing, {} unexpected, {} as expected",
            self.what,
            self.missing.len(),
            self.unexpected.len(),
            self.as_expected
        )?;
        let fields = self.columns();
        let head = ["", "line"]
            .map(str::to_owned)
            .into_iter()
            .chain(fields.iter().cloned());
        let mut table = vec![head.collect::<Vec<_>>()];
        for missing in self.missing.iter().take(ROWS_SHOWN) {
            table.push(cells("missing", missing.line.to_string(), &missing.row, &fields));
        }
        for row in self.unexpected.iter().take(ROWS_SHOWN) {
            table.push(cells("unexpected", String::new(), row, &fields));
        }
        write(f, &table)?;
        let more = self.missing.len().saturating_sub(ROWS_SHOWN) + self.unexpected.len().saturating_sub(ROWS_SHOWN);
        if more > 0 {
            writeln!(f, "    and {more} more")?;
        }
        Ok(())
    }
}

impl Shown {
    /// The fields that the expectation names, or else those that came; one column where a row is text.
    fn columns(&self) -> Vec<String> {
        let mut columns = self.fields.clone();
        if columns.is_empty() {
            for name in self
                .unexpected
                .iter()
                .filter_map(Value::as_object)
                .flat_map(serde_json::Map::keys)
            {
                if !columns.contains(name) && columns.len() < FIELDS_SHOWN {
                    columns.push(name.clone());
                }
            }
        }
        let missing = self.missing.iter().map(|missing| &missing.row);
        if missing.chain(&self.unexpected).any(|row| !row.is_object()) {
            columns.insert(0, "row".to_owned());
        }
        columns
    }
}

fn cells(kind: &str, line: String, row: &Value, fields: &[String]) -> Vec<String> {
    let value = |name: &String| match row {
        Value::Object(members) => members.get(name).map_or(String::new(), text),
        other if name == "row" => text(other),
        _ => String::new(),
    };
    let values = fields.iter().map(value);
    [kind.to_owned(), line].into_iter().chain(values).collect()
}

fn text(value: &Value) -> String {
    let whole = match value {
        Value::String(text) => plain(text).into_owned(),
        other => other.to_string(),
    };
    if whole.chars().count() <= VALUE_SHOWN {
        return whole;
    }
    let cut: String = whole.chars().take(VALUE_SHOWN - 1).collect();
    cut + "…"
}

/// Columns under their names, numbers of lines to the right.
fn write(f: &mut fmt::Formatter<'_>, table: &[Vec<String>]) -> fmt::Result {
    let columns = table.first().map_or(0, Vec::len);
    let width = |column: usize| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in table {
        let padded = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            let width = *width;
            if column == 1 {
                format!("{cell:>width$}")
            } else {
                format!("{cell:width$}")
            }
        });
        let line = padded.collect::<Vec<_>>().join("  ");
        writeln!(f, "    {}", line.trim_end())?;
    }
    Ok(())
}
