//! What commands print: results on standard output, talk on standard error; nothing twice.

mod progress;
mod table;

pub(crate) use progress::{Progress, Reading};
pub(crate) use table::{Table, age, ago, bytes, count, rate, stamp};

use std::borrow::Cow;

use serde::Serialize;

use crate::args::OutputForm;
use crate::exit::{Exit, Stop};

/// Prints `value` as JSON or YAML, or what `table` makes of it.
pub(crate) fn show<T: Serialize>(form: OutputForm, value: &T, table: impl FnOnce(&T) -> String) -> Result<(), Stop> {
    let text = match form {
        OutputForm::Table => table(value),
        OutputForm::Json => serde_json::to_string_pretty(value).map_err(unprintable)?,
        OutputForm::Yaml => serde_yaml::to_string(value).map_err(unprintable)?,
    };
    print(&text)
}

/// Prints one of many values as soon as it is there: a line, a line of JSON, or a document of YAML.
pub(crate) fn show_line<T: Serialize>(
    form: OutputForm,
    value: &T,
    line: impl FnOnce(&T) -> String,
) -> Result<(), Stop> {
    let text = match form {
        OutputForm::Table => line(value),
        OutputForm::Json => serde_json::to_string(value).map_err(unprintable)?,
        OutputForm::Yaml => format!("---\n{}", serde_yaml::to_string(value).map_err(unprintable)?),
    };
    print(&text)
}

/// Prints a result, and takes a reader that went away (`weir list | head`) as its good right.
pub(crate) fn print(text: &str) -> Result<(), Stop> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    let ending = if text.ends_with('\n') { "" } else { "\n" };
    match write!(out, "{text}{ending}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Stop::new(Exit::Failed, format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// The text with its control characters written out: a record cannot paint the terminal, nor break a line.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let written = |character: char| match character.is_control() {
        true => character.escape_default().to_string(),
        false => character.to_string(),
    };
    Cow::Owned(text.chars().map(written).collect())
}

/// Says something to the person, beside the results.
pub(crate) fn say(text: &str) {
    use std::io::Write as _;
    // Nobody is left to be told where standard error is closed.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

fn unprintable(error: impl std::error::Error) -> Stop {
    Stop::new(
        Exit::Failed,
        format!("the result cannot be printed in this form: {error}"),
    )
}
