//! The schema of `lossAlarm:`.

use dataflow::quantity::Span;
use schemars::JsonSchema;

/// When missing rows are worth an alarm.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct LossAlarm {
    /// The share of a minute's rows above which they are, from 0 to 1; `0.01` unless given.
    #[schemars(range(min = 0.0, max = 1.0))]
    above: Option<f64>,
    /// How long a minute must be over before; `1m` unless given.
    settle: Option<Span>,
}
