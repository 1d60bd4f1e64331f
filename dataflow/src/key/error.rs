//! What can be wrong with a key.

use arrow::datatypes::DataType;

use crate::expr::Path;

/// Why rows have no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A key of no values.
    #[error("a key names at least one field")]
    Empty,
    /// The path leads nowhere.
    #[error("the rows have no field `{path}`")]
    Missing {
        /// The path.
        path: Path,
    },
    /// Values of this type cannot be compared for equality in a way that lasts.
    #[error("`{path}` is of type {found}, which cannot be a key")]
    Type {
        /// The path.
        path: Path,
        /// Its type.
        found: DataType,
    },
    /// Values of this type cannot be read from a key.
    #[error("{found} cannot be a key")]
    NoKey {
        /// The type.
        found: DataType,
    },
    /// These bytes were not written of values of these types.
    #[error("a key's bytes are not of the types {types:?}")]
    Bytes {
        /// What was wanted.
        types: Vec<DataType>,
    },
}
