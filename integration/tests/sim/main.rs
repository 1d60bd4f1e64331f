//! The control plane in a simulated cluster: thousands of seeds of the protocol as it is, and mutants that must be seen.

mod mutants;
mod protocol;
