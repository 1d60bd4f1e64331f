//! Keeps the rows for which an expression is true.

use serde::{Deserialize, Serialize};

use crate::expr::Expression;

/// Rows for which the expression is false or NULL are dropped and counted; rows for which it fails go to the dead letters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Filter {
    /// A boolean expression over the node's input.
    pub predicate: Expression,
}
