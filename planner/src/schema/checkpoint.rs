//! The schema of `checkpoint:`.

use dataflow::quantity::Span;
use schemars::JsonSchema;

/// When the job takes checkpoints.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct Checkpoint {
    /// The time between two checkpoints; `1s` unless given.
    interval: Option<Span>,
    /// How long a checkpoint waits for barriers to meet before they overtake what flows, which is then a part of it; `1s`
    /// unless given, `off` for ever.
    aligned_timeout: Option<Timeout>,
}

/// A length of time, or none.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum Timeout {
    After(Span),
    Off(Off),
}

/// Never.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
#[expect(dead_code, reason = "only its schema is used")]
enum Off {
    Off,
}
