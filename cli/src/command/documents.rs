//! `weir validate` and `weir schema`: documents, without running them.

use std::io::Read as _;
use std::path::Path;

use dataflow::store::open::AllowPaths;
use serde_json::{Value, json};

use crate::args::{Files, OutputForm};
use crate::exit::{Exit, Stop};
use crate::output::{print, say, show};
use crate::planning::Planner;
use crate::wiring::Parts;

/// No document is larger; the planner says so again with its own words.
const TEXT_BYTES_MAX: u64 = 4 << 20;

pub(crate) async fn validate(files: &Files, form: OutputForm) -> Result<Exit, Stop> {
    let parts = Parts::new(AllowPaths::All)?;
    let mut found = Vec::new();
    let mut exit = Exit::Success;
    for file in &files.files {
        let text = read(file)?;
        let planner = Planner::new(parts.catalog.clone(), parts.stores.clone()).of_file(file);
        let checked = planner.check(&text).await;
        // The first file that cannot run decides.
        if exit == Exit::Success {
            exit = checked.exit;
        }
        if form == OutputForm::Table {
            if !checked.rendered.is_empty() {
                say(checked.rendered.trim_end());
            }
            if checked.exit == Exit::Success {
                print(&format!("{}: {}", file.display(), datastreams(&checked.names)))?;
            }
        }
        found.push(json!({ "file": file.display().to_string(), "datastreams": checked.names, "diagnostics": checked.diagnostics }));
    }
    if form != OutputForm::Table {
        show(form, &Value::Array(found), ToString::to_string)?;
    }
    Ok(exit)
}

pub(crate) fn schema() -> Result<(), Stop> {
    let schema = planner::schema::json_schema(&Parts::new(AllowPaths::All)?.catalog);
    show(OutputForm::Json, &schema, ToString::to_string)
}

/// The text of a document file, or of standard input.
pub(super) fn read(file: &Path) -> Result<String, Stop> {
    let unreadable = |error: std::io::Error| {
        Stop::new(Exit::Refused, format!("{}: {error}", file.display()))
            .help("name a YAML file, or `-` for standard input; `weir new` prints one to begin with")
    };
    let mut bytes = Vec::new();
    let mut take = |reader: &mut dyn std::io::Read| reader.take(TEXT_BYTES_MAX).read_to_end(&mut bytes);
    if file == Path::new("-") {
        take(&mut std::io::stdin().lock())
    } else {
        take(&mut std::fs::File::open(file).map_err(unreadable)?)
    }
    .map_err(unreadable)?;
    String::from_utf8(bytes).map_err(|error| {
        Stop::new(
            Exit::Document,
            format!(
                "error: {}: byte {} is not UTF-8",
                file.display(),
                error.utf8_error().valid_up_to()
            ),
        )
        .help("a document is a text: save it as UTF-8")
    })
}

fn datastreams(names: &[String]) -> String {
    match names {
        [one] => format!("datastream {one} is fine"),
        several => format!("{} datastreams are fine: {}", several.len(), several.join(", ")),
    }
}
