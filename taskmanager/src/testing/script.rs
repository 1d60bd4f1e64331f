//! Operators with state under test: a script of rows, watermarks, ticks and barriers goes in, a picture comes out.
//!
//! ```text
//!   {"$time": 1000, "k": "a", "n": 1}        a row; rows that follow one another may come in any batches
//!   watermark 60000                          event time has come to here
//!   tick 5000                                it is so late by the clock
//!   barrier                                  a checkpoint
//!   end                                      time runs out
//! ```
//!
//! Out come rows as `@59999 {"k":"a"}` (of changes: `insert`, `before`, `after` in front), `late …`, `dead error: record`.
//! [`Trial::shows`] also runs the script in other batches, restored at any step, from one cut and from many, and at
//! another parallelism from any step on, and with no memory for state at all, with and without what is spent leaving the
//! disk at once: each must show the same.

use std::collections::BTreeMap;

use dataflow::element::{BATCH_ROWS_MAX, Watermark};
use dataflow::expr::Path;
use dataflow::recipe::{Node, Recipe};
use serde_json::Value;

use super::harness::typed;
use super::rig::{Action, Rig, Room};
use crate::operators::has_state;

/// One line of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A row, as JSON.
    Row(String),
    /// Event time has come to here.
    Watermark(i64),
    /// It is so many milliseconds late, by both clocks.
    Tick(i64),
    /// A checkpoint passes.
    Barrier,
    /// Time runs out.
    End,
}

/// What is the same of two outcomes that came about in other batches, or on other subtasks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Compare {
    /// Every row.
    Rows,
    /// What changes come to: what was put in, less what was taken back.
    Changes,
    /// The last row of each value of these columns.
    Latest(&'static [&'static str]),
}

/// An operator and its script.
pub(crate) struct Trial {
    pub(super) node: Node,
    steps: Vec<Step>,
    compare: Compare,
}

/// What came of a script.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    /// The lines that each step made come; rows that follow one another are one step.
    pub(crate) segments: Vec<Vec<String>>,
    /// Rows left out on purpose.
    pub(crate) dropped: u64,
    /// Rows that came after their time.
    pub(crate) late: u64,
}

/// One of the ways to run a script.
#[derive(Clone, Copy, Debug)]
struct Way {
    batch: usize,
    /// A barrier behind every step, so that state is in many cuts.
    cuts: bool,
    /// Before this step everything is restored, at this parallelism; with `usize::MAX` before every step.
    restore: Option<(usize, u32)>,
    room: Room,
}

impl Shown {
    /// All lines.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.segments.concat()
    }
}

/// The steps of a text.
pub(crate) fn steps(script: &str) -> Vec<Step> {
    let lines = script.lines().map(str::trim).filter(|line| !line.is_empty());
    let step = |line: &str| match line.split_once(' ') {
        _ if line.starts_with('{') => Step::Row(line.to_owned()),
        Some(("watermark", time)) => Step::Watermark(time.parse().unwrap()),
        Some(("tick", time)) => Step::Tick(time.parse().unwrap()),
        None if line == "barrier" => Step::Barrier,
        None if line == "end" => Step::End,
        _ => panic!("a script has no `{line}`"),
    };
    lines.map(step).collect()
}

impl Trial {
    /// Of a script as text.
    pub(crate) fn new(node: &Node, script: &str) -> Self {
        Self::of(node, steps(script))
    }

    /// Of steps.
    pub(crate) fn of(node: &Node, steps: Vec<Step>) -> Self {
        Self {
            node: node.clone(),
            steps,
            compare: Compare::Rows,
        }
    }

    /// Outcomes are the same when this is.
    pub(crate) fn compare(mut self, compare: Compare) -> Self {
        self.compare = compare;
        self
    }

    /// Checks what the script shows, and that it shows it on every way.
    pub(crate) fn shows(&self, expected: &str) {
        let expected: Vec<String> = expected
            .lines()
            .map(|line| line.trim().to_owned())
            .filter(|line| !line.is_empty())
            .collect();
        assert_eq!(self.run().lines(), expected);
        self.holds();
    }

    /// The outcome of the plain way: rows that follow one another are one batch.
    pub(crate) fn run(&self) -> Shown {
        self.go(Way {
            batch: BATCH_ROWS_MAX,
            cuts: false,
            restore: None,
            room: Room::Enough,
        })
    }

    /// Checks that every way comes to the same.
    pub(crate) fn holds(&self) {
        self.holds_on(&self.ways());
    }

    /// Checks some of the ways, chosen by a number: for scripts that are made up, of which there are many.
    pub(crate) fn holds_by_chance(&self, chance: usize) {
        let ways = self.ways();
        let chosen = (0..8).map(|turn| ways[(chance.wrapping_add(turn * 7919)) % ways.len()]);
        self.holds_on(&chosen.collect::<Vec<_>>());
    }

    fn ways(&self) -> Vec<Way> {
        let mut ways = vec![];
        for batch in [1, 2, 3] {
            ways.push(Way {
                batch,
                cuts: false,
                restore: None,
                room: Room::Enough,
            });
        }
        if has_state(&self.node.recipe) {
            for batch in [BATCH_ROWS_MAX, 2] {
                let parallelisms: &[u32] = if self.is_keyed() { &[1, 2, 3] } else { &[1] };
                for at in (0..=self.actions(batch).len()).chain([usize::MAX]) {
                    for parallelism in parallelisms {
                        let restore = Some((at, *parallelism));
                        ways.extend([false, true].map(|cuts| Way {
                            batch,
                            cuts,
                            restore,
                            room: Room::Enough,
                        }));
                    }
                }
            }
            ways.extend(self.narrow_ways());
        }
        ways
    }

    /// Those without memory for state: fewer, for a disk is slow.
    fn narrow_ways(&self) -> Vec<Way> {
        let mut ways = Vec::new();
        let parallelisms: &[u32] = if self.is_keyed() { &[1, 3] } else { &[1] };
        for batch in [BATCH_ROWS_MAX, 1] {
            let half = self.actions(batch).len() / 2;
            let restores = parallelisms
                .iter()
                .flat_map(|parallelism| [(half, *parallelism), (usize::MAX, *parallelism)]);
            for restore in restores.map(Some).chain([None]) {
                ways.extend([false, true].map(|cuts| Way {
                    batch,
                    cuts,
                    restore,
                    room: Room::None,
                }));
            }
        }
        let half = self.actions(BATCH_ROWS_MAX).len() / 2;
        ways.extend([(None, false), (Some((half, 1)), true)].map(|(restore, cuts)| Way {
            batch: BATCH_ROWS_MAX,
            cuts,
            restore,
            room: Room::Compacted,
        }));
        ways
    }

    fn holds_on(&self, ways: &[Way]) {
        let expected = self.run();
        for way in ways {
            let shown = self.go(*way);
            let pairs = shown.segments.iter().zip(&expected.segments);
            for (index, (shown, expected)) in pairs.enumerate() {
                let (shown, expected) = (self.essence(shown), self.essence(expected));
                assert_eq!(shown, expected, "segment {index}, {way:?}");
            }
            assert_eq!(shown.segments.len(), expected.segments.len());
            assert_eq!(
                (shown.dropped, shown.late),
                (expected.dropped, expected.late),
                "{way:?}"
            );
        }
    }

    /// The paths of the key; none where any subtask may have any row.
    pub(super) fn keys(&self) -> Option<Vec<Path>> {
        match &self.node.recipe {
            Recipe::Dedup(recipe) => Some(recipe.keys.clone()),
            Recipe::Aggregate(recipe) => Some(recipe.keys.iter().map(|key| key.path.clone()).collect()),
            Recipe::TopN(recipe) => Some(recipe.keys.clone()),
            Recipe::Delay(_) => None,
            other => panic!("{} has no trials", other.name()),
        }
    }

    /// Whether several subtasks can share the work.
    fn is_keyed(&self) -> bool {
        self.keys().is_none_or(|keys| !keys.is_empty())
    }

    #[expect(clippy::explicit_counter_loop, reason = "segments are counted at barriers, not runs")]
    fn actions(&self, batch: usize) -> Vec<(usize, Action)> {
        let mut actions = Vec::new();
        let mut segment = 0;
        let runs = self
            .steps
            .chunk_by(|one, other| matches!((one, other), (Step::Row(_), Step::Row(_))));
        for run in runs {
            match &run[0] {
                Step::Row(_) => {
                    let lines: Vec<&str> = run
                        .iter()
                        .map(|step| if let Step::Row(line) = step { line } else { "" })
                        .collect();
                    for lines in lines.chunks(batch) {
                        actions.push((segment, Action::Batch(typed(&self.node.input, lines))));
                    }
                }
                Step::Watermark(time) => actions.push((segment, Action::Watermark(Watermark(*time)))),
                Step::Tick(time) => actions.push((segment, Action::Tick(*time))),
                Step::Barrier => actions.push((segment, Action::Barrier)),
                Step::End => actions.push((segment, Action::Watermark(Watermark::MAX))),
            }
            segment += 1;
        }
        actions
    }

    fn go(&self, way: Way) -> Shown {
        let mut rig = Rig::start(self, way.room);
        let actions = self.actions(way.batch);
        let count = actions.last().map_or(0, |(segment, _)| segment + 1);
        rig.shown.segments.resize(count, Vec::new());
        for (index, (segment, action)) in actions.into_iter().enumerate() {
            if let Some((at, parallelism)) = way.restore
                && (at == index || at == usize::MAX)
            {
                // Restored before every step, the parallelism goes up and down.
                let parallelism = if at == index {
                    parallelism
                } else {
                    u32::try_from(index).unwrap() % parallelism + 1
                };
                rig = rig.restart(parallelism);
            }
            rig.act(segment, &action);
            if way.cuts && !matches!(action, Action::Barrier) {
                rig.act(segment, &Action::Barrier);
            }
        }
        rig.finish()
    }

    /// What must be the same of a segment.
    fn essence(&self, lines: &[String]) -> Vec<String> {
        let mut kept: Vec<String> = match self.compare {
            Compare::Rows => lines.to_vec(),
            Compare::Changes => {
                let mut balance: BTreeMap<&str, i64> = BTreeMap::new();
                for line in lines {
                    let (kind, row) = line.split_once(' ').unwrap();
                    let row = row
                        .split_once(' ')
                        .filter(|(time, _)| time.starts_with('@'))
                        .map_or(row, |(_, row)| row);
                    let weight = match kind {
                        "insert" | "after" => 1,
                        "before" => -1,
                        _ => panic!("no change: {line}"),
                    };
                    *balance.entry(row).or_default() += weight;
                }
                let left = balance.into_iter().filter(|(_, weight)| *weight != 0);
                left.map(|(row, weight)| format!("{weight} {row}")).collect()
            }
            Compare::Latest(names) => {
                let mut latest: BTreeMap<Vec<String>, &String> = BTreeMap::new();
                for line in lines {
                    let json: Value = serde_json::from_str(&line[line.find('{').unwrap()..]).unwrap_or_default();
                    let mut names: Vec<String> = names.iter().map(|name| json[*name].to_string()).collect();
                    if !line.starts_with('@') {
                        names.push(line.clone());
                    }
                    latest.insert(names, line);
                }
                latest.into_values().cloned().collect()
            }
        };
        kept.sort();
        kept
    }
}
