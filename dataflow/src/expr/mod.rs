//! Expressions: DataFusion's SQL expressions, evaluated over whole Arrow batches.
//!
//! A path (`payload.total`) names a column or a field inside it. An [`Expression`] is inert text that was checked
//! at planning; an evaluator is what comes alive from it, once per operator.

mod path;

pub use path::{InvalidPath, Path};

use serde::{Deserialize, Serialize};

/// A checked SQL expression, as text. The task manager compiles it against the schema of its node's input.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Expression {
    /// The SQL text, as the person wrote it.
    pub sql: String,
}
