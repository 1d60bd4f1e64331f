//! The schema of `restart:`.

use dataflow::quantity::Span;
use schemars::JsonSchema;

/// What happens after a failure that may pass.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) enum Restart {
    /// The job stays failed.
    Never,
    /// The same delay each time, so many times in a row.
    Fixed(Fixed),
    /// A delay that doubles, with jitter, and begins anew after a quiet time.
    Exponential(Exponential),
}

/// The same delay each time, so many times in a row.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct Fixed {
    /// How many restarts in a row; 3 unless given.
    #[schemars(range(min = 1))]
    attempts: Option<u32>,
    /// The delay before each; `10s` unless given.
    delay: Option<Span>,
}

/// A delay that doubles, with jitter, and begins anew after a quiet time.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct Exponential {
    /// The first delay; `100ms` unless given.
    first: Option<Span>,
    /// The longest delay; `1m` unless given.
    longest: Option<Span>,
    /// After this long without a failure the delay begins anew; `10m` unless given.
    quiet: Option<Span>,
    /// How many restarts in a row before it gives up; never unless given.
    #[schemars(range(min = 1))]
    attempts: Option<u32>,
}
