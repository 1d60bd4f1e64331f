//! The words of Weir: what flows, what is to be done with it, and the contracts of those who do it.
//!
//! Everything above this crate is written in these words; this crate names nobody above it.
//! It knows no gRPC, no YAML, no scheduling and no concrete connector.
//!
//! ```text
//!   element   what flows: batches, watermarks, barriers         recipe    what to do with it, inert
//!   contract  who does it: sources, sinks, formats              registry  the list of those who can
//!   expr      SQL expressions over Arrow batches                store     the one door to object stores
//!   metric    what is measured: one list                     tally     what became of rows, minute by minute
//!   trace     to which trace work belongs                   key time id error scope crash: the small words
//! ```

pub mod contract;
pub mod crash;
pub mod element;
pub mod error;
pub mod expr;
pub mod hidden;
pub mod id;
pub mod key;
pub mod metric;
pub mod quantity;
pub mod recipe;
pub mod registry;
pub mod scope;
pub mod store;
pub mod tally;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod time;
pub mod trace;

pub use element::Element;
pub use error::{Disposition, Failure};
pub use hidden::Hidden;
pub use registry::Registry;
pub use scope::Scope;
