//! How old rows were when they came to each step and when they left it: percentiles every two seconds, for a quarter of an
//! hour.

use std::collections::{BTreeMap, VecDeque};

use dataflow::tally::Histogram;

use crate::rest::types::{Ages, StepAges};

/// 15 minutes of lines that come every two seconds.
const LINES_KEPT: usize = 450;
/// So many steps of a job have lines; 11 kB each.
const STEPS_MAX: usize = 256;

/// What was heard since the last line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    /// How old rows were when they came.
    pub(crate) came: Histogram,
    /// And when they left.
    pub(crate) left: Histogram,
}

/// The lines of all steps, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    heard: BTreeMap<String, Heard>,
    at_ms: VecDeque<i64>,
    steps: BTreeMap<String, VecDeque<Line>>,
}

/// Percentiles 50, 95 and 99 of what came and what left, in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    came: [Option<i64>; 3],
    left: [Option<i64>; 3],
}

fn percentiles(ages: &Histogram) -> [Option<i64>; 3] {
    [50, 95, 99].map(|percent| ages.percentile(percent))
}

impl Lines {
    /// Hears of one subtask of a step.
    pub(crate) fn hear(&mut self, step: &str, came: &Histogram, left: &Histogram) {
        if came.count() + left.count() == 0 {
            return;
        }
        if let Some(heard) = self.heard.get_mut(step) {
            heard.came.merge(came);
            heard.left.merge(left);
        } else if self.heard.len() < STEPS_MAX {
            let (came, left) = (came.clone(), left.clone());
            self.heard.insert(step.to_owned(), Heard { came, left });
        }
    }

    /// Ends a line.
    pub(crate) fn end_line(&mut self, now_ms: i64) {
        self.at_ms.push_back(now_ms);
        let before = self.at_ms.len() - 1;
        for (step, heard) in &mut self.heard {
            let Heard { came, left } = std::mem::take(heard);
            let line = Line {
                came: percentiles(&came),
                left: percentiles(&left),
            };
            let lines = self.steps.entry(step.clone());
            let lines = lines.or_insert_with(|| std::iter::repeat_n(Line::default(), before).collect());
            lines.push_back(line);
        }
        if self.at_ms.len() > LINES_KEPT {
            self.at_ms.pop_front();
            for lines in self.steps.values_mut() {
                lines.pop_front();
            }
        }
    }

    /// When the lines are of.
    pub(crate) fn at_ms(&self) -> Vec<i64> {
        self.at_ms.iter().copied().collect()
    }

    /// How old rows were when they came to a step, by its newest line: percentiles 50, 95 and 99, in milliseconds.
    pub(crate) fn newest(&self, step: &str) -> Option<[Option<i64>; 3]> {
        Some(self.steps.get(step)?.back()?.came)
    }

    /// The lines of a step; none where nothing was heard of it.
    pub(crate) fn of(&self, step: &str) -> Option<StepAges> {
        let lines = self.steps.get(step)?;
        let ages = |of: fn(&Line) -> [Option<i64>; 3]| {
            let column = |index: usize| lines.iter().map(|line| of(line)[index]).collect();
            Ages {
                p50_ms: column(0),
                p95_ms: column(1),
                p99_ms: column(2),
            }
        };
        Some(StepAges {
            came: ages(|line| line.came),
            left: ages(|line| line.left),
        })
    }
}
