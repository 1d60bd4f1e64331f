//! Clusters under test: real processes, real servers, and the oracles that look at them from outside.

pub mod cluster;
pub mod oracle;
