//! Removes fields.

use serde::{Deserialize, Serialize};

use crate::expr::Path;

/// Removes fields by path, from typed columns and, in streams without a schema, from the record's bytes.
///
/// A path that a record does not have is no mistake. The other bytes of the record stay as they came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drop {
    /// What to remove.
    pub paths: Vec<Path>,
}
