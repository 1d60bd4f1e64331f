//! Windows as runs of panes: a row is folded into the one pane it belongs to, and windows are made of panes.
//!
//! Panes have numbers (the steps of a [`Grid`]), and a window is known by the number of the pane behind its last one:
//! for tumbling, sliding and cumulative windows that is one window for each number.

use dataflow::Failure;
use dataflow::recipe::{Origin, Spans};
use dataflow::time::Grid;

/// How windows are made of panes.
#[derive(Clone, Debug)]
pub(super) struct Frames {
    /// None: all of time is one pane.
    grid: Option<Grid>,
    form: Form,
    lateness: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// One pane.
    Tumbling,
    /// So many panes.
    Sliding(i64),
    /// The first pane of so many, the first two, and so on.
    Cumulative(i64),
}

impl Frames {
    /// Of windows; none for sessions, which no grid has.
    pub(super) fn new(spans: &Spans, lateness_ms: u64) -> Result<Option<Self>, Failure> {
        let (grid, form) = match spans {
            Spans::Tumbling { size_ms, origin } => (Some(grid(*size_ms, origin)?), Form::Tumbling),
            Spans::Sliding {
                size_ms,
                slide_ms,
                origin,
            } => (
                Some(grid(*slide_ms, origin)?),
                Form::Sliding(times(*size_ms, *slide_ms)?),
            ),
            Spans::Cumulative {
                size_ms,
                step_ms,
                origin,
            } => (
                Some(grid(*step_ms, origin)?),
                Form::Cumulative(times(*size_ms, *step_ms)?),
            ),
            Spans::Global => (None, Form::Tumbling),
            Spans::Session { .. } => return Ok(None),
        };
        Ok(Some(Self {
            grid,
            form,
            lateness: i64::try_from(lateness_ms).unwrap_or(i64::MAX),
        }))
    }

    /// The pane of an instant.
    pub(super) fn pane(&self, time: i64) -> i64 {
        self.grid.as_ref().map_or(0, |grid| grid.index(time))
    }

    /// When a pane begins, which is when the window of this number ends.
    pub(super) fn start(&self, pane: i64) -> i64 {
        match &self.grid {
            Some(grid) => grid.start(pane),
            None if pane <= 0 => i64::MIN,
            None => i64::MAX,
        }
    }

    /// The first pane of a window.
    pub(super) fn first(&self, end: i64) -> i64 {
        match self.form {
            Form::Tumbling => end - 1,
            Form::Sliding(panes) => end - panes,
            Form::Cumulative(panes) => (end - 1).div_euclid(panes) * panes,
        }
    }

    /// The last window that a pane is in.
    pub(super) fn last_of(&self, pane: i64) -> i64 {
        match self.form {
            Form::Tumbling => pane + 1,
            Form::Sliding(panes) => pane + panes,
            Form::Cumulative(panes) => (pane.div_euclid(panes) + 1) * panes,
        }
    }

    /// Whether each window is one pane.
    pub(super) fn is_plain(&self) -> bool {
        self.form == Form::Tumbling
    }

    /// Start and end of a window; none of all of time.
    pub(super) fn bounds(&self, end: i64) -> Option<(i64, i64)> {
        self.grid
            .is_some()
            .then(|| (self.start(self.first(end)), self.start(end)))
    }

    /// The last window that is complete at a watermark: every row up to that time has come.
    pub(super) fn complete(&self, watermark: i64) -> i64 {
        match watermark {
            i64::MIN => i64::MIN,
            i64::MAX => i64::MAX,
            _ => self.pane(watermark + 1),
        }
    }

    /// Whether a window takes no more rows, not even late ones.
    pub(super) fn is_closed(&self, end: i64, watermark: i64) -> bool {
        self.late_by(end, watermark) >= 0
    }

    /// How long ago a window closed; negative where it has not.
    pub(super) fn late_by(&self, end: i64, watermark: i64) -> i64 {
        let closes = self.start(end).saturating_sub(1).saturating_add(self.lateness);
        if watermark == i64::MAX {
            0
        } else {
            watermark.saturating_sub(closes)
        }
    }

    /// Whether a pane is of no use any more.
    pub(super) fn is_gone(&self, pane: i64, watermark: i64) -> bool {
        self.is_closed(self.last_of(pane), watermark)
    }
}

fn grid(step_ms: u64, origin: &Origin) -> Result<Grid, Failure> {
    Grid::new(step_ms, origin.offset_ms, origin.zone.as_deref())
        .map_err(|error| Failure::fail("these windows cannot be").because(&error))
}

/// How many panes make a window.
fn times(size_ms: u64, step_ms: u64) -> Result<i64, Failure> {
    let fits = step_ms > 0 && size_ms > 0 && size_ms.is_multiple_of(step_ms);
    let panes = fits.then(|| i64::try_from(size_ms / step_ms).ok()).flatten();
    panes.ok_or_else(|| {
        Failure::bug(format!(
            "windows of {size_ms} ms cannot be made of panes of {step_ms} ms"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(spans: &Spans) -> Frames {
        Frames::new(spans, 5).unwrap().unwrap()
    }

    fn windows_of(frames: &Frames, pane: i64) -> Vec<(i64, i64)> {
        let ends = pane + 1..=frames.last_of(pane);
        ends.map(|end| frames.bounds(end).unwrap()).collect()
    }

    #[test]
    fn windows_are_runs_of_panes() {
        let origin = Origin::default();
        let tumbling = frames(&Spans::Tumbling {
            size_ms: 10,
            origin: origin.clone(),
        });
        assert_eq!(windows_of(&tumbling, -1), [(-10, 0)]);
        let sliding = frames(&Spans::Sliding {
            size_ms: 30,
            slide_ms: 10,
            origin: origin.clone(),
        });
        assert_eq!(windows_of(&sliding, 0), [(-20, 10), (-10, 20), (0, 30)]);
        let cumulative = frames(&Spans::Cumulative {
            size_ms: 30,
            step_ms: 10,
            origin,
        });
        assert_eq!(windows_of(&cumulative, -2), [(-30, -10), (-30, 0)]);
        assert_eq!(windows_of(&cumulative, 0), [(0, 10), (0, 20), (0, 30)]);
        assert_eq!(frames(&Spans::Global).bounds(1), None);
    }

    #[test]
    fn a_window_is_complete_at_its_last_instant_and_closed_after_the_lateness() {
        let tumbling = frames(&Spans::Tumbling {
            size_ms: 10,
            origin: Origin::default(),
        });
        assert_eq!((tumbling.complete(8), tumbling.complete(9)), (0, 1));
        assert_eq!((tumbling.is_closed(1, 13), tumbling.is_closed(1, 14)), (false, true));
        let global = frames(&Spans::Global);
        assert!(!global.is_closed(1, i64::MAX - 7) && global.is_closed(1, i64::MAX));
    }

    #[test]
    fn windows_that_panes_do_not_make_are_refused() {
        let odd = Spans::Sliding {
            size_ms: 25,
            slide_ms: 10,
            origin: Origin::default(),
        };
        assert!(Frames::new(&odd, 0).is_err());
    }
}
