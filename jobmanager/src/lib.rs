//! The control plane: decides what runs where. The second half of walk two, and the life of a job.

pub mod rest;
