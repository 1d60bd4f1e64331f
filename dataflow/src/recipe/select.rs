//! Computes the columns of the output.

use serde::{Deserialize, Serialize};

use crate::expr::Expression;

/// The output has these columns in this order, then the reserved columns of the input that the output schema keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Select {
    /// The columns.
    pub projections: Vec<Projection>,
}

/// One column of the output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Projection {
    /// Its name.
    pub name: String,
    /// How it is computed.
    pub expression: Expression,
}
