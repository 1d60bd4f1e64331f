//! Expressions: DataFusion's SQL expressions, evaluated over whole Arrow batches.
//!
//! ```text
//!   text --parse--> Parsed --infer--> types of open fields      (planner)
//!                      \-----bind---> Bound: fields, types       (planner)
//!   text of an aggregate --aggregation--> function, and the places of the expressions in it
//!   Expression --compile--> Evaluator --evaluate, filter--> rows (task manager)
//! ```
//!
//! A path (`payload.total`) names a column or a field inside it. An [`Expression`] is inert text that was checked
//! at planning; an [`Evaluator`] is what comes alive from it, once per operator.

mod path;
mod error;
mod functions;
mod regexp_extract;
mod provider;
mod refuse;
mod parse;
mod types;
mod infer;
mod bind;
mod text_in;
mod to_char;
mod physical;
mod evaluate;
mod aggregate;
#[cfg(test)]
mod tests;

pub use aggregate::{Aggregation, aggregates, aggregation};
pub use bind::{Bound, Missing, bind, find, missing};
pub use error::{Error, Kind, nearest};
pub use evaluate::{Evaluated, Evaluator, FailedRow, Filtered};
pub use functions::{Function, functions};
pub use infer::{Inference, Slot, infer};
pub use parse::{Parsed, PathUse, TEXT_BYTES_MAX};
pub use path::{InvalidPath, Path};
pub use types::{field_type_name, type_name};

use serde::{Deserialize, Serialize};

/// A checked SQL expression, as text. The task manager compiles it against the schema of its node's input.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Expression {
    /// The SQL text, as the person wrote it.
    pub sql: String,
}

impl Expression {
    /// The expression of this text.
    pub fn new(sql: impl Into<String>) -> Self {
        Self { sql: sql.into() }
    }
}
