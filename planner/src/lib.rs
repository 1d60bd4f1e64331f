//! YAML text to job graph, with diagnostics: the first half of walk two.
//!
//! ```text
//!   text --parse--> Spec --bind--> LogicalPlan --rewrite--> LogicalPlan --lower--> JobGraph
//! ```

pub mod spec;
pub mod logical;
mod operators;
pub mod rewrite;
pub mod job;
pub mod explain;
pub mod plan;
pub mod verdict;
pub mod tap;
pub mod catalog;
pub mod components;
pub mod diagnostic;
pub mod schema;

pub use catalog::Catalog;
pub use diagnostic::{Diagnostic, Diagnostics};
pub use plan::{Discovered, Overrides, Planned, ToDiscover, plan, plan_with, rehearsed, sources_to_discover};
