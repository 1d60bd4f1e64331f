//! The text of a document file, and what is wrong in it as the person at this terminal is shown it, whoever found it.

use std::io::IsTerminal as _;
use std::path::Path;

use planner::diagnostic::{Diagnostics, Look};
use serde_json::Value;

/// What messages call a file.
pub(crate) fn title(file: &Path) -> String {
    if file == Path::new("-") {
        "standard input".to_owned()
    } else {
        file.display().to_string()
    }
}

/// How text for people looks at this terminal.
pub(crate) fn look() -> Look {
    if std::io::stderr().is_terminal() {
        Look::Colours
    } else {
        Look::Plain
    }
}

/// The text of one file.
#[derive(Debug)]
pub(crate) struct Sheet {
    title: String,
    look: Look,
    pub(crate) text: String,
}

impl Sheet {
    /// The text that was read from this file.
    pub(crate) fn new(file: &Path, text: String) -> Self {
        Self {
            title: title(file),
            look: look(),
            text,
        }
    }

    /// What a job manager found in it: shown as what was found here would be. None where it is of another version, or not of
    /// this text.
    pub(crate) fn shown(&self, told: &Value) -> Option<String> {
        let found = Diagnostics::from_json(told).filter(|found| !found.is_empty())?;
        Some(found.render(&self.title, &self.text, self.look).trim_end().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "datastreamName: shop\nsources:\n  - fil: { path: in.json }\nsinks:\n  - stdout: {}\n";

    #[test]
    fn what_a_job_manager_found_is_shown_as_what_is_found_here() {
        let catalog = crate::wiring::Parts::new(dataflow::store::open::AllowPaths::All)
            .unwrap()
            .catalog;
        let found = planner::plan(TEXT, &catalog, &planner::Discovered::default()).diagnostics;
        let sheet = Sheet {
            title: "orders.yaml".to_owned(),
            look: Look::Plain,
            text: TEXT.to_owned(),
        };
        let told = found.to_json("datastream.yaml", TEXT);
        let shown = sheet.shown(&told).unwrap();
        assert_eq!(shown, found.render("orders.yaml", TEXT, Look::Plain).trim_end());
        assert!(
            shown.contains("--> orders.yaml:3:5") && shown.contains("did you mean"),
            "{shown}"
        );
    }

    #[test]
    fn what_another_version_or_another_text_says_is_not_shown_wrongly() {
        let sheet = Sheet {
            title: "orders.yaml".to_owned(),
            look: Look::Plain,
            text: "a: é\n".to_owned(),
        };
        let of = |code: &str, start: usize, end: usize| {
            serde_json::json!({ "findings": [{
                "code": code, "message": "no", "place": { "start": start, "end": end },
                "label": null, "also": [], "help": [], "suggestion": null,
            }] })
        };
        assert_eq!(sheet.shown(&of("E9999", 0, 1)), None);
        assert_eq!(sheet.shown(&serde_json::json!({ "findings": [] })), None);
        // Places that are none of this text panic nowhere.
        for (start, end) in [(4, 5), (3, 4), (900, 901), (5, 2)] {
            let shown = sheet.shown(&of("E0701", start, end)).unwrap();
            assert!(shown.contains("error[E0701]: no"), "{shown}");
        }
    }
}
