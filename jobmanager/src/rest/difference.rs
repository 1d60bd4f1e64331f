//! What is between two texts: places with lines around them, for pages, and the same as `diff -u` writes it. Pure.

use std::time::Duration;

use similar::{ChangeTag, TextDiff};

use super::types::{Difference, Hunk, HunkLine, LineChange};

/// Lines around each place.
const AROUND: usize = 3;

/// Texts that have little in common would take very long to be compared well; after this they are compared less well.
const PATIENCE: Duration = Duration::from_millis(100);

/// One of two texts: what it is called, and its number where it is a version.
#[derive(Clone, Copy, Debug)]
pub(super) struct Side<'a> {
    pub(super) title: &'a str,
    pub(super) number: Option<u64>,
    pub(super) text: &'a str,
}

/// What is between them.
pub(super) fn difference(before: Side<'_>, after: Side<'_>) -> Difference {
    let compared = TextDiff::configure()
        .timeout(PATIENCE)
        .diff_lines(before.text, after.text);
    let mut difference = Difference {
        from: before.number,
        to: after.number,
        unified: compared
            .unified_diff()
            .context_radius(AROUND)
            // A document ends where its last line does, whatever stands behind it in its file.
            .missing_newline_hint(false)
            .header(before.title, after.title)
            .to_string(),
        ..Difference::default()
    };
    for operations in compared.grouped_ops(AROUND) {
        let changes = operations.iter().flat_map(|operation| compared.iter_changes(operation));
        let lines: Vec<HunkLine> = changes
            .map(|change| HunkLine {
                change: match change.tag() {
                    ChangeTag::Equal => LineChange::Same,
                    ChangeTag::Insert => LineChange::Added,
                    ChangeTag::Delete => LineChange::Removed,
                },
                before: change.old_index().map(from_one),
                after: change.new_index().map(from_one),
                text: change.value().trim_end_matches(['\n', '\r']).to_owned(),
            })
            .collect();
        let count = |wanted| lines.iter().filter(|line| line.change == wanted).count() as u64;
        difference.added += count(LineChange::Added);
        difference.removed += count(LineChange::Removed);
        difference.hunks.push(Hunk { lines });
    }
    difference
}

fn from_one(index: usize) -> u64 {
    index as u64 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(before: &str, after: &str) -> Difference {
        let side = |title, text| Side {
            title,
            number: None,
            text,
        };
        difference(side("version 1", before), side("version 2", after))
    }

    #[test]
    fn a_changed_line_is_one_that_went_and_one_that_came() {
        let found = between("a\nb\nc\n", "a\nB\nc\n");
        assert_eq!((found.added, found.removed, found.hunks.len()), (1, 1, 1));
        let told: Vec<_> = found.hunks[0]
            .lines
            .iter()
            .map(|line| (line.change, line.before, line.after, line.text.as_str()))
            .collect();
        use LineChange::{Added, Removed, Same};
        let wanted = [
            (Same, Some(1), Some(1), "a"),
            (Removed, Some(2), None, "b"),
            (Added, None, Some(2), "B"),
            (Same, Some(3), Some(3), "c"),
        ];
        assert_eq!(told, wanted);
        assert_eq!(
            found.unified,
            "--- version 1\n+++ version 2\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n"
        );
    }

    #[test]
    fn equal_texts_have_no_difference_and_far_places_are_apart() {
        assert_eq!(between("a\n", "a\n"), Difference::default());
        let text = |first: &str, last: &str| format!("{first}\n{}{last}\n", "same\n".repeat(20));
        assert_eq!(between(&text("a", "b"), &text("A", "B")).hunks.len(), 2);
    }

    #[test]
    fn texts_without_anything_in_common_are_compared_in_time() {
        let lines = |word: &str| (0..60_000).map(|line| format!("{word}{line}\n")).collect::<String>();
        let found = between(&lines("a"), &lines("b"));
        assert_eq!((found.added, found.removed), (60_000, 60_000));
    }
}
