//! Clusters under test: real processes, real servers, the simulated cluster, and the oracles that look at them from outside.

pub mod chaos;
pub mod cluster;
pub mod flips;
pub mod oracle;
pub mod servers;
pub mod sim;
pub mod socket;
