//! Windows: which spans of time a row counts for.

use serde::{Deserialize, Serialize};

/// The windows of an aggregate, and when they give their rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Window {
    /// Which spans.
    pub spans: Spans,
    /// By whose clock.
    pub clock: Clocked,
    /// After the watermark has passed a window's end, a late row still makes it fire again for so long; later ones are late rows.
    pub allowed_lateness_ms: u64,
    /// An early result of what has changed, so often; none: only at the end.
    pub emit_every_ms: Option<u64>,
}

/// Whose time decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Clocked {
    /// The rows' own: `$time` and watermarks.
    Event,
    /// The task manager's.
    Processing,
}

/// The spans that a row at time t counts for. Times are milliseconds; a span holds its start and not its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Spans {
    /// `[k * size + offset, +size)`: one.
    Tumbling {
        /// How long.
        size_ms: u64,
        /// Where the first begins, from midnight of 1970-01-01 of the zone.
        origin: Origin,
    },
    /// `[k * slide + offset, +size)`: size / slide of them. Slide divides size, so that windows share panes.
    Sliding {
        /// How long.
        size_ms: u64,
        /// From one start to the next.
        slide_ms: u64,
        /// Where the first begins.
        origin: Origin,
    },
    /// `[k * size + offset, + n * step)` for n = 1 … size / step: those that end after t. Step divides size.
    Cumulative {
        /// How long the longest is.
        size_ms: u64,
        /// From one end to the next.
        step_ms: u64,
        /// Where the first begins.
        origin: Origin,
    },
    /// From a key's first row to `gap` after its last.
    Session {
        /// So long without a row ends it.
        gap_ms: u64,
    },
    /// All of time: fires at the end of input, and by `emit_every_ms`.
    Global,
}

/// Where windows begin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Origin {
    /// So long after midnight.
    pub offset_ms: i64,
    /// An IANA time zone whose midnight and days are meant; none: UTC.
    pub zone: Option<String>,
}
