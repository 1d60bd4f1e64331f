//! YAML text to job graph, with diagnostics: the first half of walk two.
//!
//! ```text
//!   text --parse--> Spec --bind--> LogicalPlan --rewrite--> LogicalPlan --lower--> JobGraph
//! ```

pub mod spec;
pub mod job;
pub mod catalog;
pub mod diagnostic;

pub use catalog::Catalog;
pub use diagnostic::{Diagnostic, Diagnostics};
