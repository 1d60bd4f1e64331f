//! How far an operator's time has come: one watermark, and behind a rescale those key groups that were further.
//!
//! What a subtask had fired at its watermark, nobody fires again: a subtask that takes over groups of several begins at
//! the lowest of their watermarks, and remembers which groups are ahead of it until it has caught up.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::state::KeyGroups;

/// The time of an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Reached {
    watermark: i64,
    ahead: Vec<Span>,
    owned: Range<u32>,
}

/// Key groups that had come so far: what snapshots say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Span {
    from: u32,
    to: u32,
    watermark: i64,
}

impl Reached {
    /// What the spans of all snapshots come to for these groups.
    pub(in super::super) fn restore(spans: impl IntoIterator<Item = Span>, groups: &KeyGroups) -> Self {
        let owned = groups.owned.clone();
        let mine = spans.into_iter().map(|span| Span {
            from: span.from.max(owned.start),
            to: span.to.min(owned.end),
            ..span
        });
        let mut ahead: Vec<Span> = mine.filter(|span| span.from < span.to).collect();
        ahead.sort_unstable_by_key(|span| span.from);
        let watermark = ahead.iter().map(|span| span.watermark).min().unwrap_or(i64::MIN);
        ahead.retain(|span| span.watermark > watermark);
        Self {
            watermark,
            ahead,
            owned,
        }
    }

    /// What a snapshot says.
    pub(in super::super) fn spans(&self) -> Vec<Span> {
        let mut spans = Vec::new();
        let mut next = self.owned.start;
        for span in &self.ahead {
            spans.push(Span {
                from: next,
                to: span.from,
                watermark: self.watermark,
            });
            spans.push(span.clone());
            next = span.to;
        }
        spans.push(Span {
            from: next,
            to: self.owned.end,
            watermark: self.watermark,
        });
        spans.retain(|span| span.from < span.to && span.watermark > i64::MIN);
        spans
    }

    /// Time has come to here; it never falls.
    pub(in super::super) fn advance(&mut self, watermark: i64) {
        self.watermark = self.watermark.max(watermark);
        self.ahead.retain(|span| span.watermark > self.watermark);
    }

    /// How far.
    pub(in super::super) fn watermark(&self) -> i64 {
        self.watermark
    }

    /// How far the time of the furthest group has come.
    pub(in super::super) fn furthest(&self) -> i64 {
        self.ahead
            .iter()
            .map(|span| span.watermark)
            .fold(self.watermark, i64::max)
    }

    /// Whether some groups are ahead.
    pub(in super::super) fn is_uneven(&self) -> bool {
        !self.ahead.is_empty()
    }

    /// How far the time of a group has come.
    pub(in super::super) fn of(&self, group: u16) -> i64 {
        let group = u32::from(group);
        let ahead = self.ahead.iter().find(|span| (span.from..span.to).contains(&group));
        ahead.map_or(self.watermark, |span| span.watermark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(owned: Range<u32>) -> KeyGroups {
        KeyGroups {
            max_parallelism: 16,
            owned,
        }
    }

    fn span(from: u32, to: u32, watermark: i64) -> Span {
        Span { from, to, watermark }
    }

    #[test]
    fn groups_of_several_subtasks_begin_at_the_lowest_and_catch_up() {
        let mut reached = Reached::restore([span(8, 16, 100), span(0, 8, 50)], &groups(4..12));
        assert_eq!((reached.watermark(), reached.of(4), reached.of(9)), (50, 50, 100));
        assert!(reached.is_uneven());
        assert_eq!(reached.spans(), [span(4, 8, 50), span(8, 12, 100)]);
        assert_eq!(Reached::restore(reached.spans(), &groups(4..12)), reached);
        reached.advance(70);
        assert_eq!((reached.of(4), reached.of(9)), (70, 100));
        reached.advance(100);
        assert!(!reached.is_uneven());
        assert_eq!(reached.spans(), [span(4, 12, 100)]);
    }

    #[test]
    fn without_a_past_no_time_was_reached() {
        let reached = Reached::restore([], &groups(0..16));
        assert_eq!((reached.watermark(), reached.spans()), (i64::MIN, vec![]));
    }
}
