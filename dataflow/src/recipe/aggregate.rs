//! Folds the rows of each key, in windows or for ever.

use arrow_schema::DataType;
use serde::{Deserialize, Serialize};

use super::window::Window;
use crate::expr::{Expression, Path};

/// Digits of a decimal.
const DIGITS_MAX: u8 = 38;

/// One row for each key and window; without windows a stream of changes, whose rows say in `$kind` what they are.
///
/// The output has the keys, `window_start` and `window_end` where there are windows, then the measures; the types are
/// those of the node's output schema. `$time` of a window's row is its end less a millisecond.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Aggregate {
    /// The key, by output name; none: one key for all rows.
    pub keys: Vec<GroupKey>,
    /// The windows.
    pub window: Option<Window>,
    /// What is folded.
    pub measures: Vec<Measure>,
    /// Whether rows are folded, states, or both.
    pub phase: Phase,
}

/// One part of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupKey {
    /// What its column is called in the output.
    pub name: String,
    /// Where it is in the input.
    pub path: Path,
}

/// One folded column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// What its column is called in the output.
    pub name: String,
    /// How rows are folded.
    pub function: Function,
    /// What is folded of a row; none for `count(*)`.
    pub argument: Option<Expression>,
    /// Which rows count; NULL is no.
    pub filter: Option<Expression>,
    /// The type of the argument's values, for what travels between the two halves.
    #[serde(default)]
    pub argument_type: Option<DataType>,
}

/// How values are folded. NULLs do not count, but in `count(*)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Function {
    /// `count(*)`, `count(x)`: `Int64`.
    Count,
    /// `count(DISTINCT x)`, exactly: `Int64`.
    CountDistinct,
    /// `sum(x)`: `Int64` of whole numbers, `Float64` of floats, `Decimal128(38, s)` of decimals; NULL without a value.
    Sum,
    /// `min(x)`: of the argument's type; NULL without a value.
    Min,
    /// `max(x)`.
    Max,
    /// `avg(x)`: `Float64`; of decimals `Decimal128(38, max(s, 6))`.
    Avg,
    /// `first(x)`: the value of the row with the smallest event time; without event time, the one that came first.
    First,
    /// `last(x)`: the value of the row with the largest event time; of equals the one that came last.
    Last,
    /// `stddev(x)`, of a sample: `Float64`; NULL below two values.
    Stddev,
    /// `stddev_pop(x)`: `Float64`.
    StddevPop,
    /// `var(x)`, of a sample: `Float64`.
    Variance,
    /// `var_pop(x)`: `Float64`.
    VariancePop,
    /// `approx_distinct(x)`: HyperLogLog, 2^12 registers (1.6 % error): `Int64`.
    ApproxDistinct,
    /// `approx_percentile(x, p)`, `approx_median(x)`: t-digest: `Float64`.
    ApproxPercentile(
        /// From 0 to 1.
        f64,
    ),
}

impl Function {
    /// The type of what it gives, of values of a type (none for `count(*)`); none where it does not take them.
    #[must_use]
    pub fn gives(self, argument: Option<&DataType>) -> Option<DataType> {
        let Some(argument) = argument else {
            return (self == Self::Count).then_some(DataType::Int64);
        };
        let single = !argument.is_nested();
        match self {
            Self::Count => Some(DataType::Int64),
            Self::CountDistinct | Self::ApproxDistinct => single.then_some(DataType::Int64),
            Self::Min | Self::Max | Self::First | Self::Last => single.then(|| argument.clone()),
            Self::Sum => match argument {
                DataType::Int32 | DataType::Int64 => Some(DataType::Int64),
                DataType::Float32 | DataType::Float64 => Some(DataType::Float64),
                DataType::Decimal128(_, scale) => Some(DataType::Decimal128(DIGITS_MAX, *scale)),
                _ => None,
            },
            Self::Avg => match argument {
                DataType::Decimal128(_, scale) => Some(DataType::Decimal128(DIGITS_MAX, (*scale).max(6))),
                other => other.is_numeric().then_some(DataType::Float64),
            },
            Self::Stddev | Self::StddevPop | Self::Variance | Self::VariancePop | Self::ApproxPercentile(_) => {
                argument.is_numeric().then_some(DataType::Float64)
            }
        }
    }

    /// Whether folded parts can be folded together, in any order.
    #[must_use]
    pub fn is_mergeable(self) -> bool {
        match self {
            Self::Count
            | Self::Sum
            | Self::Min
            | Self::Max
            | Self::Avg
            | Self::Stddev
            | Self::StddevPop
            | Self::Variance
            | Self::VariancePop
            | Self::ApproxDistinct
            | Self::ApproxPercentile(_) => true,
            // Parts of these are as large as the rows they were made of, or depend on who came first.
            Self::CountDistinct | Self::First | Self::Last => false,
        }
    }
}

impl Aggregate {
    /// What the measures read: their arguments and filters, each text once, in the order in which they are first read. The
    /// columns of these are [`columns::value`](crate::element::columns::value) between the two halves of the work.
    #[must_use]
    pub fn values(&self) -> Vec<(&Expression, DataType)> {
        let mut values: Vec<(&Expression, DataType)> = Vec::new();
        for measure in &self.measures {
            let found = measure.argument_type.clone().unwrap_or(DataType::Null);
            let argument = measure.argument.as_ref().map(|argument| (argument, found));
            let filter = measure.filter.as_ref().map(|filter| (filter, DataType::Boolean));
            for (expression, data_type) in argument.into_iter().chain(filter) {
                if !values.iter().any(|(known, _)| *known == expression) {
                    values.push((expression, data_type));
                }
            }
        }
        values
    }
}

/// Which half of the work.
///
/// Two halves meet in rows of the keys (by output name), `$pane` and `$state`, and one `$value` for each of
/// [`Aggregate::values`]. A row is either half-folded (`$pane` says of which pane, `$state` to what) or one that was not
/// folded, because folding would not have spared anything: then `$pane` is its time and the `$value`s are its values. The
/// planner may part an aggregate only where every function is [`Function::is_mergeable`], where windows are not sessions
/// and do not go by a clock, and where nobody takes single late rows: they are counted by the second half, which judges by
/// its own watermark. What is kept by `Whole` and by `Final` is the same: another parallelism may part an aggregate, or
/// join it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// Rows in, results out.
    Whole,
    /// Rows in, half-folded rows out: in front of a shuffle, so that a hot key sends one row of many. Keeps nothing over a
    /// barrier.
    Partial,
    /// Half-folded rows in, results out. Its keys and measures have the names that `Partial` has, its windows the same
    /// spans.
    Final,
}
