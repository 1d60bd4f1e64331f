//! Makes one row of each element of a list.

use serde::{Deserialize, Serialize};

use crate::expr::Path;

/// The list at `path` is replaced by its elements, one row each; the other fields are repeated.
///
/// A row whose list is empty, NULL or absent makes no row. In streams without a schema the record's bytes are
/// rewritten the same way; a value that is no list sends the record to the dead letters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unnest {
    /// Where the list is.
    pub path: Path,
}
