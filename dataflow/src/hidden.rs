//! Fields that people are not shown: their values become `•••` wherever rows are looked at.
//!
//! Enters: what a document marks (`hidden:`), and rows as JSON. Leaves: the same rows with those values replaced. Who calls:
//! the task manager (taps, samples of dead letters), the job manager (dead letters read back). Must stay true: what cannot
//! be taken apart is hidden whole; sinks see everything. Not here: who may look.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::expr::Path;

/// What stands in the place of a value.
pub const MASK: &str = "•••";

/// Values shorter than this are not looked for in sentences: they would be found everywhere.
const SCRUBBED_LEAST: usize = 2;

/// The paths that are hidden.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hidden {
    paths: Vec<Path>,
}

impl Hidden {
    /// Hides what lies at these paths, and below them.
    #[must_use]
    pub fn new(paths: Vec<Path>) -> Self {
        Self { paths }
    }

    /// The paths.
    #[must_use]
    pub fn paths(&self) -> &[Path] {
        &self.paths
    }

    /// Whether everything may be seen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// The hidden path that the value at `path` would give away: the value is it, holds it, or lies in it.
    #[must_use]
    pub fn touched_by(&self, path: &Path) -> Option<&Path> {
        let touches = |hidden: &&Path| {
            let (one, other) = (hidden.parts(), path.parts());
            one.starts_with(other) || other.starts_with(one)
        };
        self.paths.iter().find(touches)
    }

    /// A record as it may be shown; `None` where it is not JSON, so that nobody knows where in it the hidden fields are.
    #[must_use]
    pub fn mask(&self, record: &[u8]) -> Option<String> {
        let mut value: Value = serde_json::from_slice(record).ok()?;
        self.cover(&mut value);
        serde_json::to_string(&value).ok()
    }

    /// The same of a record that was read already.
    pub fn cover(&self, record: &mut Value) {
        for path in &self.paths {
            cover(record, path.parts(), &mut |value| {
                *value = Value::String(MASK.to_owned())
            });
        }
    }

    /// What is said of a record, without its hidden values; of a record that is not JSON, without anything that is quoted.
    #[must_use]
    pub fn scrub(&self, text: &str, record: &[u8]) -> String {
        if self.is_empty() {
            return text.to_owned();
        }
        let Ok(mut value) = serde_json::from_slice::<Value>(record) else {
            return without_quotations(text);
        };
        let mut found = Vec::new();
        for path in &self.paths {
            cover(&mut value, path.parts(), &mut |value| leaves(value, &mut found));
        }
        // A longer value may hold a shorter one.
        found.sort_by_key(|text| std::cmp::Reverse(text.len()));
        found
            .iter()
            .fold(text.to_owned(), |text, value| text.replace(value, MASK))
    }
}

/// Does `work` to every value at a path; lists on the way are gone through.
fn cover(value: &mut Value, path: &[String], work: &mut dyn FnMut(&mut Value)) {
    match (value, path.split_first()) {
        (value, None) => work(value),
        (Value::Array(items), Some(_)) => items.iter_mut().for_each(|item| cover(item, path, work)),
        (Value::Object(fields), Some((name, rest))) => {
            if let Some(field) = fields.get_mut(name) {
                cover(field, rest, work);
            }
        }
        (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_), Some(_)) => {}
    }
}

/// The texts and numbers in a value, as a sentence would have them.
fn leaves(value: &Value, found: &mut Vec<String>) {
    let text = match value {
        Value::Array(items) => return items.iter().for_each(|item| leaves(item, found)),
        Value::Object(fields) => return fields.values().for_each(|field| leaves(field, found)),
        Value::Null | Value::Bool(_) => return,
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
    };
    if text.len() >= SCRUBBED_LEAST {
        found.push(text);
    }
}

/// A sentence with `•••` in place of all that stands in quotes of any kind.
fn without_quotations(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut open = None;
    for letter in text.chars() {
        match open {
            Some(quote) if letter == quote => {
                open = None;
                shown.push(letter);
            }
            Some(_) => {}
            None => {
                shown.push(letter);
                if matches!(letter, '"' | '\'' | '`') {
                    open = Some(letter);
                    shown.push_str(MASK);
                }
            }
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(paths: &[&str]) -> Hidden {
        Hidden::new(paths.iter().map(|path| path.parse().unwrap()).collect())
    }

    #[test]
    fn values_at_hidden_paths_are_covered_also_in_lists_and_whatever_they_are() {
        let record = br#"{"id":1,"email":"a@b.c","payload":{"card":{"no":1},"total":2.50},"items":[{"card":1},{"card":null},7]}"#;
        let masked = hidden(&["email", "payload.card", "items.card", "absent.x"])
            .mask(record)
            .unwrap();
        assert_eq!(
            masked,
            r#"{"id":1,"email":"•••","payload":{"card":"•••","total":2.5},"items":[{"card":"•••"},{"card":"•••"},7]}"#
        );
        assert_eq!(hidden(&["email"]).mask(br#"{"email":"a@b"#), None);
    }

    #[test]
    fn an_expression_must_not_ask_for_what_is_hidden_nor_for_what_holds_it_or_lies_in_it() {
        let hidden = hidden(&["payload.card"]);
        for (path, touched) in [
            ("payload.card", true),
            ("payload", true),
            ("payload.card.number", true),
            ("payload.total", false),
            ("card", false),
        ] {
            assert_eq!(hidden.touched_by(&path.parse().unwrap()).is_some(), touched, "{path}");
        }
    }

    #[test]
    fn a_sentence_about_a_record_does_not_give_its_hidden_values_away() {
        let hidden = hidden(&["email", "age"]);
        let record = br#"{"email":"a@b.c","age":41,"kind":"x"}"#;
        assert_eq!(
            hidden.scrub("cannot cast `a@b.c` (41) of x", record),
            "cannot cast `•••` (•••) of x"
        );
        assert_eq!(
            hidden.scrub("found \"a@b.c\" at byte 7", b"{\"email"),
            "found \"•••\" at byte 7"
        );
        assert_eq!(Hidden::default().scrub("found \"a\"", b"{"), "found \"a\"");
    }
}
