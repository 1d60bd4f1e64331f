//! Keeps the best rows of each key.

use serde::{Deserialize, Serialize};

use super::window::Window;
use crate::expr::Path;

/// The first `limit` rows of each key in an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TopN {
    /// The key; none: one for all rows.
    pub keys: Vec<Path>,
    /// What rows are ordered by; of equal rows the one that came first is better.
    pub order: Vec<Order>,
    /// How many are kept of each key.
    pub limit: u64,
    /// What becomes of rows that are equal to the last one kept, by the order.
    #[serde(default)]
    pub ties: Ties,
    /// The column of the row's place, from 1, behind the others; none: it is not told.
    pub rank: Option<String>,
    /// When they are given.
    pub emission: Emission,
    /// The windows of rows that are not an aggregate's: tumbling ones by event time, without lateness or early results.
    /// `window_start` and `window_end` are then columns of the output, and no part of [`TopN::keys`].
    #[serde(default)]
    pub window: Option<Window>,
}

/// One column of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// The value.
    pub path: Path,
    /// Which end is better. NULL is always worst.
    pub direction: Direction,
}

/// Which end of an order is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Direction {
    /// Small values.
    Ascending,
    /// Large values.
    Descending,
}

/// What becomes of rows that are equal, by the order, to the last one kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Ties {
    /// Those that came later are not kept: there are `limit` rows at most, and places are all different (SQL's `row_number`).
    #[default]
    Cut,
    /// All of them are kept, and equal rows have one place (SQL's `rank`). Only by window.
    Kept,
}

/// When the best rows are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Emission {
    /// Once, when the watermark passes the window's end: that of [`TopN::window`], or else the one that `window_end` of the
    /// rows names, which are those of a windowed aggregate. `$time` of such a row is the window's end less a millisecond.
    Window,
    /// At every change, as rows with `$kind`.
    Changes,
}
