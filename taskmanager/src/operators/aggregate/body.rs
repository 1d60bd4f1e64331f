//! The kinds of work that an aggregate can be, and what each does when it is called.

use std::sync::Arc;

use arrow::array::RecordBatch;
use dataflow::Failure;
use dataflow::recipe::{self, Phase, Spans};

use super::accumulate::Shape;
use super::apart::{Apart, Shared};
use super::frames::Frames;
use super::input::Input;
use super::panes::Panes;
use super::results::Results;
use super::sessions::{Lasting, Sessions};
use super::updating::Updating;
use super::{Known, Past};
use crate::operators::Ground;
use crate::operators::late::Late;
use crate::state::Cut;

/// The kinds of work.
pub(super) enum Body {
    Panes(Box<Panes>),
    Sessions(Box<Sessions>),
    Updating(Box<Updating>),
}

impl Body {
    pub(super) fn new(
        recipe: &recipe::Aggregate,
        shape: &Arc<Shape>,
        Known { past, apart }: Known,
        ground: &Ground<'_>,
    ) -> Result<Self, Failure> {
        let Some(window) = &recipe.window else {
            // Half-folded rows bring their distinct values along.
            let measures = if recipe.phase == Phase::Whole {
                recipe.measures.as_slice()
            } else {
                &[]
            };
            let apart = Apart::new(measures, apart, ground)?;
            return Ok(Self::Updating(Box::new(Updating::new(shape, apart, ground)?)));
        };
        let frames = Frames::new(&window.spans, window.allowed_lateness_ms)?;
        let early = window.emit_every_ms.is_some();
        Ok(match (recipe.phase, frames, &window.spans) {
            (_, Some(frames), _) => {
                let panes = Panes::new(frames, shape, past, ground);
                let mut panes = if early { panes.with_early() } else { panes };
                panes.restore(ground.restored)?;
                Self::Panes(Box::new(panes))
            }
            (Phase::Whole, None, Spans::Session { gap_ms }) => {
                let lasting = Lasting {
                    gap_ms: *gap_ms,
                    lateness_ms: window.allowed_lateness_ms,
                    early,
                };
                Self::Sessions(Box::new(Sessions::new(lasting, shape, past, ground)?))
            }
            (_, None, _) => {
                return Err(Failure::bug(
                    "sessions cannot be folded in two phases: a state says nothing of its rows' times",
                ));
            }
        })
    }

    /// Folds a batch: what that makes it give at once, and the rows that came too late.
    pub(super) fn fold(&mut self, input: &Input, results: &Results) -> Result<(Vec<RecordBatch>, Vec<Late>), Failure> {
        Ok(match self {
            Self::Panes(panes) => (Vec::new(), panes.fold(input)?),
            Self::Sessions(sessions) => (Vec::new(), sessions.fold(input)?),
            Self::Updating(updating) => (updating.fold(input, results)?, Vec::new()),
        })
    }

    pub(super) fn pull(&mut self, results: &Results) -> Result<Option<RecordBatch>, Failure> {
        match self {
            Self::Panes(panes) => panes.pull(results),
            Self::Sessions(sessions) => sessions.pull(results),
            Self::Updating(_) => Ok(None),
        }
    }

    pub(super) fn reach(&mut self, watermark: i64) {
        match self {
            Self::Panes(panes) => panes.advance(watermark),
            Self::Sessions(sessions) => sessions.advance(watermark),
            Self::Updating(_) => {}
        }
    }

    pub(super) fn early(&mut self) -> Result<(), Failure> {
        match self {
            Self::Panes(panes) => panes.early(),
            Self::Sessions(sessions) => {
                sessions.early();
                Ok(())
            }
            Self::Updating(_) => Ok(()),
        }
    }

    pub(super) fn is_fresh(&self) -> bool {
        match self {
            Self::Panes(panes) => panes.is_fresh(),
            Self::Sessions(sessions) => sessions.is_fresh(),
            Self::Updating(_) => false,
        }
    }

    pub(super) fn next_end(&self) -> Option<i64> {
        match self {
            Self::Panes(panes) => panes.next_end(),
            Self::Sessions(sessions) => sessions.next_end(),
            Self::Updating(_) => None,
        }
    }

    /// Which measures share tables of distinct values.
    pub(super) fn apart(&self) -> Shared {
        match self {
            Self::Updating(updating) => updating.apart(),
            Self::Panes(_) | Self::Sessions(_) => Shared::new(),
        }
    }

    /// Writes what has changed, and says what is known of time.
    pub(super) fn freeze(&mut self, cut: &mut Cut) -> Option<Past> {
        match self {
            Self::Panes(panes) => {
                panes.freeze(cut);
                Some(panes.past())
            }
            Self::Sessions(sessions) => {
                sessions.freeze(cut);
                Some(sessions.past())
            }
            Self::Updating(updating) => {
                updating.freeze(cut);
                None
            }
        }
    }
}
